"""What a motion sample may cost a device: instructions are counted, so they are the same on every machine."""

import numpy as np
import pytest

from bench.firmware import POLL_SAMPLES, SAMPLE_RATE_HZ, cost_of, movement
from rigs import RigError, build

pytestmark = pytest.mark.slow

MEAN_INSTRUCTIONS = 5_000
WORST_INSTRUCTIONS = 10_000
MINUTES = 10


@pytest.fixture(scope="module", autouse=True)
def rv32() -> None:
    try:
        build(["rv32"])
    except RigError as error:
        pytest.skip(str(error))


def test_ten_minutes_of_streaming_keep_the_budget_and_allocate_nothing():
    """At the sensor's full rate, moved and resting in turn, from the FIFO's bytes to frames that are handed over."""
    samples = movement(MINUTES * 60 * SAMPLE_RATE_HZ, seed=1)
    cost = cost_of("path", samples, POLL_SAMPLES, "path.py", "path")
    assert cost.samples == len(samples)
    assert cost.mean_instructions <= MEAN_INSTRUCTIONS
    assert cost.worst_instructions <= WORST_INSTRUCTIONS
    assert cost.bytes_allocated == 0


@pytest.mark.parametrize(("variant", "most"), [("calibrated", 5_800), ("raw", 7_700)])
def test_what_is_added_allocates_nothing(variant: str, most: int):
    """A calibrated sensor, and raw samples beside the orientations."""
    cost = cost_of(variant, movement(60 * SAMPLE_RATE_HZ, seed=2), POLL_SAMPLES, "path.py", variant)
    assert cost.mean_instructions <= most
    assert cost.bytes_allocated == 0


def test_full_scale_on_every_axis_costs_no_more_than_twice():
    """The filter turns by more than one step a sample then."""
    samples = np.full((20 * SAMPLE_RATE_HZ, 6), 32767, "<i2")
    cost = cost_of("full scale", samples, POLL_SAMPLES, "path.py", "path")
    assert cost.worst_instructions <= WORST_INSTRUCTIONS
    assert cost.bytes_allocated == 0
