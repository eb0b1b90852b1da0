"""Pulse trains as lists of durations: balanced, finite, never longer than the hardware counts."""

import itertools
import sys
from collections.abc import Generator
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinetens_protocol import limits
from kinetens_protocol.limits import Program
from tests.stim.bench import BURSTS, CONVENTIONAL, FIRMWARE


@pytest.fixture(scope="module")
def waveform() -> Generator[ModuleType]:
    sys.path.insert(0, str(FIRMWARE))
    try:
        import stim.waveform  # pyright: ignore

        yield stim.waveform  # pyright: ignore
    finally:
        sys.path.remove(str(FIRMWARE))


programs = st.builds(
    Program,
    current_ua=st.just(1000),
    phase_us=st.integers(50, 500),
    gap_us=st.integers(0, 300),
    rate_mhz=st.integers(1_000, 10_000_000),
    burst_pulses=st.integers(0, 60),
    burst_rate_mhz=st.integers(1_000, 200_000),
    session_ms=st.just(60_000),
    pad_area_mm2=st.just(10_000),
    contact_permille=st.just(1000),
    modulation=st.just(limits.STEADY),
    modulation_depth_permille=st.just(0),
    modulation_period_ms=st.just(0),
).filter(lambda program: limits.check(program, limits.effective({}, {})) is None)


@given(programs, st.integers(20, 51_999))
def test_a_train_is_balanced_and_no_faster_than_asked(waveform, program: Program, lead_us: int):
    shape = waveform.compile_program(program)
    groups, durations = waveform.train(shape, lead_us, 52_000)
    highs = durations[1::2]
    assert len(durations) % 2 == 0, "ends high, so that the next train's lead follows"
    assert len(highs) == 2 * groups * shape.pulses
    assert sum(highs[0::2]) == sum(highs[1::2])
    assert all(program.phase_us - 2 <= high <= program.phase_us for high in highs)
    assert all(low >= waveform.TURN_US for low in durations[2::2])
    assert sum(durations) <= 200_000
    starts = [sum(durations[: 1 + 4 * k]) for k in range(groups * shape.pulses)]
    shortest_us = limits.period_us(program.rate_mhz)
    assert all(later - earlier >= shortest_us for earlier, later in itertools.pairwise(starts))


@given(programs, st.integers(20, 51_999))
def test_splitting_keeps_every_level_as_long_as_it_was(waveform, program: Program, lead_us: int):
    _, durations = waveform.train(waveform.compile_program(program), lead_us, 52_000)
    pieces, levels = waveform.split(durations)
    assert all(0 < piece <= 32767 for piece in pieces)
    if levels == 0:
        assert pieces == durations
        return
    merged = [0]
    level_now = 0
    for piece, level in zip(pieces, levels, strict=True):
        if level != level_now:
            merged.append(0)
            level_now = level
        merged[-1] += piece
    assert merged == durations


@given(programs, st.integers(500, 1000), st.sampled_from([limits.MODULATED_RATE, limits.MODULATED_WIDTH]))
def test_a_swing_only_shortens_phases_and_lengthens_what_lies_between(
    waveform, program: Program, permille: int, kind: int
):
    swinging = program._replace(modulation=kind, modulation_depth_permille=500, modulation_period_ms=2_000)
    if limits.check(swinging, limits.effective({}, {})) is not None:
        return
    nominal = waveform.compile_program(program)
    then = waveform.compile_program(limits.swung(swinging, permille))
    _, durations = waveform.train(then, 20, 52_000)
    pieces, _ = waveform.split(durations)
    assert max(pieces) <= 32767
    assert sum(durations[1::4]) == sum(durations[3::4]), "balanced"
    assert max(durations[1::2]) <= max(nominal.durations[0::2])
    assert then.period_us * nominal.pulses >= nominal.period_us * then.pulses
    assert then.whole_period_us >= nominal.whole_period_us


def test_a_long_pause_is_split_into_lows(waveform):
    assert waveform.split([40_000, 100, 50, 100]) == ([32767, 7233, 100, 50, 100], [0, 0, 1, 0, 1])


def test_phases_keep_their_width_when_the_gap_gives_the_bridge_its_time(waveform):
    assert waveform.compile_program(CONVENTIONAL).durations == [100, 50, 100]


def test_a_carrier_without_gap_gives_the_bridge_two_microseconds_of_each_phase(waveform):
    shape = waveform.compile_program(BURSTS)
    assert shape.durations[:3] == [98, 2, 98]
    assert shape.group_us == 3998
    assert shape.period_us == 20_000
