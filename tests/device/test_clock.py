"""The device's clock on the host's, with an error bar that holds."""

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinetens.device.clock import ClockMap, TimeExchange
from kinetens.virtual.radio import RadioConditions
from kinetens.virtual.world import DeviceOptions, World
from tests.virtual.worlds import in_world, linked, still_device


def test_without_an_exchange_there_is_no_map():
    with pytest.raises(ValueError, match="no time exchange"):
        ClockMap.fit([])


@given(
    offset_us=st.integers(-(10**12), 10**12),
    there_us=st.integers(100, 50_000),
    back_us=st.integers(100, 50_000),
)
def test_one_exchange_is_right_within_half_its_round_trip(offset_us: int, there_us: int, back_us: int):
    received_us = 10**9 + there_us - offset_us
    exchange = TimeExchange(10**9, received_us, received_us + 500, 10**9 + there_us + 500 + back_us)
    fitted = ClockMap.fit([exchange])
    error_us = float(fitted.to_host_us(np.array([received_us]))[0]) - (received_us + offset_us)
    assert abs(error_us) <= fitted.uncertainty_us + 0.5


@pytest.mark.parametrize("ppm", [-20.0, 0.0, 20.0])
@pytest.mark.parametrize("seconds", [10.0, 120.0])
def test_a_real_device_is_placed_within_the_stated_uncertainty(ppm: float, seconds: float):
    async def work(world: World):
        device = await still_device(world, DeviceOptions(clock_ppm=ppm))
        exchanges: list[TimeExchange] = []
        async with linked(world) as link:
            for _ in range(8):
                exchanges.append(await link.exchange_time())
            end_s = world.now_s() + seconds
            while world.now_s() < end_s:
                await asyncio.sleep(5.0)
                exchanges.append(await link.exchange_time())
        device_us = np.linspace(exchanges[0].device_sent_us, exchanges[-1].device_sent_us, 50).round()
        truth_us = np.array([device._world_s(float(time_us)) * 1e6 for time_us in device_us])
        return ClockMap.fit(exchanges), device_us, truth_us

    clock_map, device_us, truth_us = in_world(work, conditions=RadioConditions(interval_s=0.03))
    error_us = clock_map.to_host_us(device_us.astype(np.int64)) - truth_us
    assert np.abs(error_us).max() <= clock_map.uncertainty_us
    assert clock_map.uncertainty_us < 40_000
