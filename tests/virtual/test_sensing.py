"""From the virtual sensor through the real firmware: the orientation that arrives is the member's, at its stated time."""

import asyncio

import numpy as np
import pytest

from kinetens.device.decode import Decoded, decode_frames
from kinetens.device.discovery import find
from kinetens.device.link import connect
from kinetens.motion.quaternion import to_rotation
from kinetens.virtual import clock
from kinetens.virtual.member import GeneratedMember
from kinetens.virtual.simulation import SimulationOptions, simulate


async def streamed(rate_hz: int, seed: int) -> tuple[Decoded, np.ndarray, GeneratedMember]:
    """A stream of 25 s, and the world's time of each sample by the device's own clock."""
    options = SimulationOptions(seed=seed, repetitions=6, range_deg=90, start_s=8)
    async with simulate(options) as simulation:
        frames: list[bytes] = []
        async with connect(simulation.adapter, await find(simulation.adapter, "")) as link:
            link.listeners.append(
                lambda frame: frames.append(frame.data) if frame.channel == "motion" else None
            )
            await link.start_stream(rate_hz)
            await asyncio.sleep(25)
        decoded = decode_frames(frames)
        device = simulation.device
        rate_us_s = 1e6 + device.settings.clock_ppm
        booted_s = simulation.world.now_s() - device.device_time_us(simulation.world.now_s()) / rate_us_s
        assert isinstance(simulation.member, GeneratedMember)
        return decoded, booted_s + decoded.device_time_us / rate_us_s, simulation.member


@pytest.mark.parametrize(("rate_hz", "seed"), [(25, 3), (100, 5), (200, 7)])
def test_orientation_is_true_and_stamped_with_its_time(rate_hz: int, seed: int):
    decoded, times_s, member = clock.run(streamed(rate_hz, seed))
    measured = to_rotation(decoded.quaternion)

    def error_deg(shift_s: float) -> float:
        difference = (
            measured * member.orientation(times_s + shift_s).inv()
        )  # heading is unknown: a constant turn
        relative = difference * difference[len(difference) // 2].inv()
        return float(np.degrees(np.sqrt(np.mean(relative.magnitude() ** 2))))

    shifts_s = np.arange(-0.010, 0.0101, 0.0005)
    best_s = shifts_s[int(np.argmin([error_deg(shift_s) for shift_s in shifts_s]))]
    assert abs(best_s) <= 0.0025
    assert error_deg(0.0) < 0.7
    assert np.allclose(np.diff(decoded.index), 1)
    assert abs(np.median(np.diff(times_s)) * rate_hz - 1) < 0.01
