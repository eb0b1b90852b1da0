"""From what a person typed for a device to an adapter that reaches it, on the event loop that fits."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from kinetens.device.adapter import Adapter, system_adapter
from kinetens.device.url import DeviceUrl

if TYPE_CHECKING:
    from kinetens.virtual.simulation import Simulation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reach:
    """How to reach a device: the adapter, the name or address to look for, and the world if it is virtual."""

    adapter: Adapter
    wanted: str
    simulation: "Simulation | None" = None


def run_with(url: DeviceUrl, work: Callable[[Reach], Awaitable[T]]) -> T:
    """Run `work` with the device's adapter: in virtual time for a virtual device unless it says otherwise.

    Raises InvalidInput for options that a virtual device does not have, and whatever `work` raises.
    """
    if not url.simulated:
        return asyncio.run(_awaited(work(Reach(system_adapter(), url.target))))

    from kinetens.virtual import clock
    from kinetens.virtual.simulation import SimulationOptions, simulate

    options = SimulationOptions.parse(url.options)

    async def in_world() -> T:
        async with simulate(options) as simulation:
            return await work(Reach(simulation.adapter, url.target, simulation))

    return clock.run(in_world(), real_time=options.real_time)


async def _awaited(work: Awaitable[T]) -> T:
    return await work
