"""A decision about stimulation takes a small part of its 50 ms on an emulated microcontroller, and little heap."""

import pytest

from bench import stimulation
from rigs import RigError

pytestmark = pytest.mark.slow

MOST_INSTRUCTIONS = 8_000_000 // 10
"""A tenth of a tick at 160 MHz."""
MOST_BYTES = 4 * 1024


def test_a_decision_takes_a_tenth_of_its_time_at_most():
    try:
        found = stimulation.decisions()
    except RigError as error:
        pytest.skip(str(error))
    ticks = [one for one in found if one.name.startswith("tick")]
    assert len(ticks) == 6
    for one in ticks:
        assert one.worst_instructions <= MOST_INSTRUCTIONS, one
        assert one.bytes_allocated <= MOST_BYTES, one
        assert one.blocks_erased == 0, one
