"""The envelope: its arithmetic, which limit binds and from where, what is refused."""

from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinetens_protocol import limits
from kinetens_protocol.limits import Program

HIGH_FREQUENCY = Program(40_000, 100, 0, 5_000_000, 0, 0, 1_800_000, 1000, 1000, 0, 0, 0)
IN_BURSTS = HIGH_FREQUENCY._replace(burst_pulses=20, burst_rate_mhz=50_000, pad_area_mm2=2500)
CONVENTIONAL = Program(15_000, 100, 50, 80_000, 0, 0, 1_800_000, 2500, 1000, 0, 0, 0)

programs = st.builds(
    Program,
    current_ua=st.integers(0, 100_000),
    phase_us=st.integers(1, 1000),
    gap_us=st.integers(0, 1000),
    rate_mhz=st.integers(1, 20_000_000),
    burst_pulses=st.integers(0, 100),
    burst_rate_mhz=st.integers(1, 200_000),
    session_ms=st.integers(0, 10_000_000),
    pad_area_mm2=st.integers(1, 20_000),
    contact_permille=st.integers(1, 1000),
    modulation=st.integers(0, 4),
    modulation_depth_permille=st.integers(0, 1100),
    modulation_period_ms=st.integers(0, 65_535),
)


def hard() -> dict[int, limits.Bound]:
    return limits.effective({}, {})


def refused(program: Program, **changes: int) -> int | None:
    refusal = limits.check(program._replace(**changes), hard())
    return refusal.subject if refusal else None


def test_high_frequency_is_refused_for_its_density_and_allowed_in_bursts():
    refusal = limits.check(HIGH_FREQUENCY, hard())
    assert refusal == (limits.RMS_DENSITY, limits.TABLE, 4000, 2000)
    assert limits.check(IN_BURSTS, hard()) is None
    assert limits.rms_ua(40_000, limits.duty_ppm(IN_BURSTS)) == 17_889


def test_twenty_microcoulombs_pass_and_a_tenth_more_does_not():
    assert refused(CONVENTIONAL, current_ua=40_000, phase_us=500, rate_mhz=20_000) is None
    assert refused(CONVENTIONAL, current_ua=40_200, phase_us=500, rate_mhz=20_000) == limits.PHASE_CHARGE


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({"phase_us": 49}, limits.PHASE_WIDTH_LEAST),
        ({"phase_us": 501}, limits.PHASE_WIDTH),
        ({"rate_mhz": 0}, limits.FREQUENCY_LEAST),
        ({"rate_mhz": 999}, limits.FREQUENCY_LEAST),
        ({"rate_mhz": 10_000_001}, limits.FREQUENCY),
        ({"burst_pulses": 5, "burst_rate_mhz": 0}, limits.FREQUENCY_LEAST),
        ({"pad_area_mm2": 0}, limits.PAD_AREA_LEAST),
        ({"contact_permille": 0}, limits.CONTACT_LEAST),
        ({"current_ua": 60_001}, limits.PEAK_CURRENT),
        ({"current_ua": 0xFFFF_FFFF}, limits.RMS_DENSITY),
        ({"session_ms": 3_600_001}, limits.SESSION),
        ({"rate_mhz": 4_000_000, "phase_us": 130, "current_ua": 5_000}, limits.FREQUENCY),
        ({"burst_pulses": 5, "rate_mhz": 100_000, "burst_rate_mhz": 21_000}, limits.FREQUENCY),
        ({"burst_pulses": 40, "rate_mhz": 200_000, "burst_rate_mhz": 1_000}, limits.TRAIN),
        ({"rate_mhz": 4_000_000, "gap_us": 0}, limits.AVERAGE_CURRENT),
    ],
)
def test_each_limit_refuses_what_passes_it(changes: dict[str, int], limit: int):
    assert refused(CONVENTIONAL) is None
    assert refused(CONVENTIONAL, **changes) == limit


@given(programs)
def test_what_is_allowed_keeps_the_envelope_when_computed_with_floats(program: Program):
    if limits.check(program, hard()) is not None:
        return
    current_a = program.current_ua / 1e6
    pulses_per_second = (
        program.burst_pulses * program.burst_rate_mhz if program.burst_pulses else program.rate_mhz
    ) / 1e3
    duty = 2 * program.phase_us / 1e6 * pulses_per_second
    rms_a = current_a * sqrt(duty)
    area_cm2 = program.pad_area_mm2 / 100 * program.contact_permille / 1000
    assert current_a <= 60e-3
    assert current_a * program.phase_us / 1e6 <= 20e-6
    assert rms_a <= 50e-3
    assert rms_a / area_cm2 <= 2e-3
    assert current_a * duty <= 10e-3
    assert rms_a**2 * 500 / area_cm2 <= 0.25


def test_the_strictest_source_binds_and_is_named():
    bounds = limits.effective(
        {limits.PEAK_CURRENT: 50_000}, {limits.PEAK_CURRENT: 30_000, limits.REST: 3_600_000}, 1000, 500
    )
    assert bounds[limits.PEAK_CURRENT] == (limits.PEAK_CURRENT, 30_000, limits.PLAN)
    assert bounds[limits.REST] == (limits.REST, 3_600_000, limits.PLAN)
    assert bounds[limits.RMS_CURRENT] == (limits.RMS_CURRENT, 10_000, limits.PADS)
    assert bounds[limits.PHASE_CHARGE] == (limits.PHASE_CHARGE, 20_000, limits.TABLE)


def test_a_plan_cannot_widen_the_envelope():
    wide = {limit.code: 0 if limit.is_floor else 0xFFFF_FFFF for limit in limits.LIMITS}
    assert limits.effective(wide, wide) == hard()


def test_the_default_plan_lies_within_the_envelope():
    for limit in limits.LIMITS:
        assert limit.default == limit.hard or limits.stricter(limit, limit.default, limit.hard), limit.name


@given(st.integers(0, 10**16))
def test_the_root_is_rounded_up(square: int):
    root = limits._root_up(square)
    assert root * root >= square
    assert root == 0 or (root - 1) ** 2 < square


@given(programs, st.integers(0, 10_000_000))
def test_modulation_only_takes_away_and_never_more_than_its_depth(program: Program, elapsed_ms: int):
    if limits.check(program, hard()) is not None:
        return
    permille = limits.swing_permille(program, elapsed_ms)
    assert 1000 - program.modulation_depth_permille <= permille <= 1000
    then = limits.swung(program, permille)
    assert then.current_ua <= program.current_ua
    assert 50 <= then.phase_us <= program.phase_us
    assert then.rate_mhz <= program.rate_mhz
    assert then.burst_rate_mhz <= program.burst_rate_mhz
    assert (then.burst_rate_mhz if program.burst_pulses else then.rate_mhz) >= 1000
    if program.modulation != limits.STEADY:
        assert (
            limits.check(
                then._replace(modulation=0, modulation_depth_permille=0, modulation_period_ms=0), hard()
            )
            is None
        )


def test_a_swing_begins_at_nominal_and_is_lowest_half_a_period_later():
    program = CONVENTIONAL._replace(
        modulation=limits.MODULATED_RATE, modulation_depth_permille=400, modulation_period_ms=4_000
    )
    assert [limits.swing_permille(program, ms) for ms in (0, 1_000, 2_000, 3_000, 4_000)] == [
        1000,
        800,
        600,
        800,
        1000,
    ]
    assert limits.swung(program, 600).rate_mhz == 48_000


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({"modulation": 4, "modulation_depth_permille": 100}, limits.MODULATION_DEPTH),
        ({"modulation": 0, "modulation_period_ms": 2_000}, limits.MODULATION_DEPTH),
        ({"modulation_depth_permille": 501}, limits.MODULATION_DEPTH),
        ({"modulation_period_ms": 0}, limits.MODULATION_PERIOD_LEAST),
        ({"rate_mhz": 1_600}, limits.FREQUENCY_LEAST),
        ({"modulation": limits.MODULATED_WIDTH, "phase_us": 80}, limits.PHASE_WIDTH_LEAST),
        ({"modulation": limits.MODULATED_AMPLITUDE}, limits.SLEW),
    ],
)
def test_a_modulation_that_makes_no_sense_is_refused(changes: dict[str, int], limit: int):
    swinging = CONVENTIONAL._replace(
        modulation=limits.MODULATED_RATE, modulation_depth_permille=400, modulation_period_ms=2_000
    )
    assert refused(swinging) is None
    assert refused(swinging, **changes) == limit


def test_a_current_that_swings_back_keeps_the_slew_and_the_step():
    swinging = CONVENTIONAL._replace(
        modulation=limits.MODULATED_AMPLITUDE, modulation_depth_permille=500, modulation_period_ms=7_500
    )
    assert limits.modulation_rise_ua_per_s(swinging) == 2_000
    assert refused(swinging) is None
    assert refused(swinging, modulation_period_ms=7_499) == limits.SLEW
    narrow = limits.effective({}, {limits.STEP: 100})
    refusal = limits.check(swinging, narrow)
    assert refusal is not None
    assert refusal == (limits.STEP, limits.PLAN, 104, 100)
