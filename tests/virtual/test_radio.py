"""The virtual radio: connection events, bounded queues, loss, stalls and cuts."""

import asyncio

import numpy as np
import pytest

from kinetens.device.discovery import find
from kinetens.device.link import connect
from kinetens.errors import LinkLost
from kinetens.virtual.radio import RadioConditions
from kinetens.virtual.world import World
from kinetens_protocol import motion
from tests.virtual.worlds import Heard, in_world, linked, still_device

_ATT_HEADER_BYTES = 3


def streamed(conditions: RadioConditions, seconds: float = 20.0, seed: int = 1):
    """Stream a while; returns what was heard, the last status and the notifications lost."""

    async def work(world: World):
        await still_device(world)
        async with linked(world) as link:
            heard = Heard(link)
            await link.start_stream(100)
            await asyncio.sleep(seconds)
            status = await link.stop_stream()
            await asyncio.sleep(0.5)
        return heard, status, list(world.radio.lost)

    return in_world(work, seed, conditions)


def lost_samples(lost: list[bytes]) -> int:
    """Orientation samples in the notifications that were lost."""
    frames = [pdu[_ATT_HEADER_BYTES:] for pdu in lost]
    return sum(frame[2] for frame in frames if frame[0] == motion.ORIENTATION)


def test_a_clean_link_loses_nothing():
    heard, status, lost = streamed(RadioConditions())
    assert lost == []
    assert np.array_equal(heard.motion().index, np.arange(status.produced))


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_missing_is_what_the_radio_lost(seed: int):
    heard, status, lost = streamed(RadioConditions(loss=0.1), seed=seed)
    assert lost_samples(lost) > 50
    assert status.produced - len(np.unique(heard.motion().index)) == lost_samples(lost)


def test_data_comes_at_the_connection_events_only():
    heard, _, _ = streamed(RadioConditions(interval_s=0.05), seconds=3.0)
    phases_us = np.array([frame.received_us for frame in heard.frames]) % 50_000
    assert np.all((phases_us < 10) | (phases_us > 49_990))


def test_during_a_stall_nothing_comes_and_afterwards_everything():
    async def work(world: World):
        await still_device(world)
        async with linked(world) as link:
            await link.start_stream(100)
            heard = Heard(link)
            world.radio.stall(1.0)
            await asyncio.sleep(0.99)
            during = len(heard.frames)
            await asyncio.sleep(1.0)
            return during, np.diff(heard.motion().index)

    during, steps = in_world(work)
    assert during == 0
    assert len(steps) > 100
    assert np.all(steps == 1)


def test_a_silent_device_is_lost_after_the_supervision_timeout():
    async def work(world: World):
        device = await still_device(world)
        async with linked(world) as link:
            device.power_off()
            began_s = world.now_s()
            await link.lost.wait()
            return world.now_s() - began_s

    assert in_world(work, conditions=RadioConditions(supervision_timeout_s=2.5)) == pytest.approx(2.5)


def test_a_request_to_a_device_that_is_gone_says_that_the_link_is_lost():
    async def work(world: World):
        device = await still_device(world)
        async with linked(world) as link:
            device.power_off()
            with pytest.raises(LinkLost):
                await link.status()

    in_world(work)


def test_leaving_a_device_that_is_gone_is_no_error():
    async def work(world: World):
        device = await still_device(world)
        async with linked(world):
            device.power_off()

    in_world(work)


def test_many_connections_leave_no_pipes_behind():
    async def work(world: World):
        await still_device(world)
        for _ in range(5):
            async with world.host() as adapter, connect(adapter, await find(adapter, "")) as link:
                await link.status()
            await asyncio.sleep(0.1)
        return len(world.radio._pipes), len(world.radio.controllers)

    pipes, controllers = in_world(work)
    assert pipes == 0
    assert controllers == 1
