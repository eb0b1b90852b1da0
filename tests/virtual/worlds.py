"""What the tests of whole devices share: a world in virtual time, a link to a device in it, and what came over it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import numpy as np

from kinetens.device.decode import decode_frames
from kinetens.device.discovery import find
from kinetens.device.link import Frame, Link, connect
from kinetens.virtual import clock
from kinetens.virtual.motion_source import StillMotion
from kinetens.virtual.radio import RadioConditions
from kinetens.virtual.world import DeviceOptions, World
from kinetens_protocol import control, faults, messages

T = TypeVar("T")


def in_world(
    work: Callable[[World], Awaitable[T]], seed: int = 1, conditions: RadioConditions | None = None
) -> T:
    """Do something in a world of its own, in virtual time."""

    async def run() -> T:
        async with World(seed, conditions) as world:
            return await work(world)

    return clock.run(run())


async def still_device(world: World, options: DeviceOptions | None = None):
    """A device that lies still."""
    return await world.device(StillMotion(), options)


@asynccontextmanager
async def linked(world: World, wanted: str = "") -> AsyncGenerator[Link]:
    """A connection from a host of its own to a device."""
    async with world.host() as adapter:
        found = await find(adapter, wanted)
        async with connect(adapter, found) as link:
            yield link


class Heard:
    """Everything that arrives on a link."""

    def __init__(self, link: Link) -> None:
        self.frames: list[Frame] = []
        link.listeners.append(self.frames.append)

    def motion(self, channel: str = "motion"):
        """The decoded frames of a motion channel."""
        return decode_frames(frame.data for frame in self.frames if frame.channel == channel)

    @property
    def statuses(self) -> list[control.Status]:
        """The statuses that the device sent by itself."""
        found = [messages.unpack_message(f.data) for f in self.frames if f.channel == "control"]
        return [
            control.unpack_status(message.payload)
            for message in found
            if message.kind == messages.EVENT and message.code == control.STATUS_EVENT
        ]

    @property
    def faults(self) -> set[str]:
        """The names of all faults in those statuses."""
        return {name for status in self.statuses for name in faults.names(status.faults)}


def index_follows_time(heard: Heard) -> None:
    """Indexes and device times belong together, across every gap."""
    got = heard.motion()
    times_s = got.device_time_us / 1e6
    assert np.all(np.diff(times_s) > 0)
    error_s = times_s - times_s[0] - got.index / 100
    assert np.abs(error_s).max() < 0.012
