"""The output stage's physics, and that its judge sees each kind of breach."""

import json
from collections.abc import Callable
from math import sin

import pytest

from kinetens.virtual.output_stage import DRY_SKIN, OPEN, SHORT, SKIN, Load, OutputStage, PulseRecord
from kinetens.virtual.pulse_judge import Stop, judge, last_pulse_s, summary
from kinetens_protocol import limits
from tests.stim.bench import BOARD

STIMULATION = BOARD["stimulation"]
PULSE, RESET, SUPPLY = 15, 16, 17
CURRENT_ADC, VOLTAGE_ADC, RESIDUAL_ADC, NO_ADC = 2, 3, 9, 10


def powered(load: Load = SKIN, current_ma: float = 15.0) -> OutputStage:
    stage = OutputStage(STIMULATION, load)
    stage.pin(SUPPLY, 1, 0.0)
    code = int(current_ma / 60 * 4095)
    stage.i2c_write(bytes((code >> 8, code & 0xFF)), 0.0)
    return stage


def test_a_biphasic_pulse_has_two_equal_phases_of_opposite_polarity():
    stage = powered()
    stage.rmt(PULSE, 0.01, [20, 100, 50, 100], 0)
    stage.finish(0.1)
    record = stage.record
    assert list(record.polarity) == [1, -1]
    assert list(record.time_s) == pytest.approx([0.01002, 0.01017])
    assert list(record.width_s) == pytest.approx([1e-4, 1e-4])
    assert list(record.current_a) == pytest.approx([15e-3, 15e-3], rel=2e-3)
    assert summary(record).net_charge_uc == 0


def test_levels_may_be_given_one_by_one():
    stage = powered()
    stage.rmt(PULSE, 0.0, [32767, 7233, 100, 50, 100], [0, 0, 1, 0, 1])
    stage.finish(0.1)
    assert list(stage.record.time_s) == pytest.approx([0.04, 0.04015])


def test_the_polarity_turns_at_each_falling_edge_until_it_is_reset():
    stage = powered()
    stage.rmt(PULSE, 0.001, [20, 100], 0)
    stage.rmt(PULSE, 0.002, [20, 100], 0)
    stage.rmt(PULSE, 0.003, [20, 100], 0)
    stage.pin(RESET, 1, 0.004)
    stage.pin(RESET, 0, 0.004)
    stage.rmt(PULSE, 0.005, [20, 100, 50, 100], 0)
    stage.finish(0.01)
    assert list(stage.record.polarity) == [1, -1, 1, 1, -1]


def test_without_toggling_the_supply_falls():
    stage = powered()
    stage.rmt(PULSE, 0.1495, [0, 1000], 0)
    stage.rmt(PULSE, 0.2, [20, 100], 0)
    stage.finish(1.0)
    assert stage.record.charge_c[0] == pytest.approx(15e-3 * 0.5e-3, rel=2e-3), "only while the supply lasts"
    assert stage.record.charge_c[1] == 0
    stage.pin(SUPPLY, 1, 1.0)
    stage.rmt(PULSE, 1.01, [20, 100], 0)
    stage.finish(1.1)
    assert stage.record.charge_c[2] == 0, "the level did not change"
    stage.pin(SUPPLY, 0, 1.2)
    stage.rmt(PULSE, 1.21, [20, 100], 0)
    stage.finish(1.3)
    assert stage.record.charge_c[3] > 0


@pytest.mark.parametrize(
    ("load", "current_ma", "volts"),
    [
        (SKIN, 15, 7.5),
        (DRY_SKIN, 15, 30),
        (Load("20 kohm", 20_000), 6, 120),
        (OPEN, 0, 120),
        (SHORT, 15, 0.075),
    ],
)
def test_the_senses_hold_current_and_voltage_of_the_last_phase(load: Load, current_ma: float, volts: float):
    stage = powered(load)
    stage.rmt(PULSE, 0.01, [20, 100, 50, 100], 0)
    assert stage.adc_volts(CURRENT_ADC, 0.1) * 30 == pytest.approx(current_ma, rel=5e-3, abs=0.03)
    assert stage.adc_volts(VOLTAGE_ADC, 0.1) * 50 == pytest.approx(volts, rel=5e-3, abs=0.03)
    assert stage.adc_volts(NO_ADC, 0.1) == 0


def test_the_capacitor_keeps_what_unbalanced_pulses_leave_and_loses_it_soon():
    stage = powered(SKIN)
    stage.bridge_stuck = True
    stage.rmt(PULSE, 0.01, [20, 100, 50, 100], 0)
    left_uc = 2 * 15e-3 * 100e-6 * 1e6
    assert (stage.adc_volts(RESIDUAL_ADC, 0.0103) - 1.65) * 20 == pytest.approx(left_uc, rel=0.02)
    assert (stage.adc_volts(RESIDUAL_ADC, 0.2) - 1.65) * 20 == pytest.approx(0, abs=0.03)
    balanced = powered(SKIN)
    balanced.rmt(PULSE, 0.01, [20, 100, 50, 100], 0)
    assert balanced.adc_volts(RESIDUAL_ADC, 0.0103) == pytest.approx(1.65, abs=0.001)


def test_a_train_that_is_stopped_is_cut_where_it_was():
    stage = powered()
    stage.rmt(PULSE, 0.0, [1000, 100, 50, 100, 1000, 100], 0)
    stage.rmt_stop(PULSE, 0.00106)
    stage.finish(0.1)
    assert list(stage.record.width_s) == pytest.approx([60e-6])
    assert list(stage.record.cut) == [1]


def test_what_changes_during_a_phase_counts_from_then():
    stage = powered()
    stage.rmt(PULSE, 0.0, [1000, 100], 0)
    stage.attach(OPEN, 0.00103)
    stage.finish(0.1)
    assert stage.record.charge_c[0] == pytest.approx(15e-3 * 30e-6, rel=2e-3)


def test_a_pulse_pin_driven_by_hand_is_one_long_phase():
    stage = powered()
    stage.pin(PULSE, 1, 0.01)
    stage.pin(PULSE, 0, 0.03)
    assert list(stage.record.width_s) == pytest.approx([0.02])
    assert any("phase width" in violation for violation in judge(stage.record))


def test_the_converter_wakes_up_with_its_memory():
    stage = OutputStage(STIMULATION, SKIN, eeprom_code=0x800)
    assert stage.i2c_read(5, 0.0)[1:3] == b"\x80\x00"
    stage.i2c_write(bytes((0x60, 0, 0)), 0.1)
    stage.i2c_write(bytes((0x0F, 0xFF)), 0.2)
    assert stage.i2c_read(3, 0.3)[1:3] == b"\xff\xf0"
    stage.reset(0.4)
    assert stage.i2c_read(3, 0.5)[1:3] == b"\x00\x00"


def test_a_record_is_plain_columns():
    record = PulseRecord()
    record.append(0.0, 1, 1e-4, 1e-3, 1e-7, True, False)
    assert len(record) == 1
    assert json.dumps(list(record.time_s)) == "[0.0]"


# The judge


def pulses(
    current: Callable[[float], float] = lambda _: 10e-3,
    seconds: float = 10.0,
    rate_hz: float = 80.0,
    width_s: float = 1e-4,
    second_phase: float = 1.0,
) -> PulseRecord:
    """A made-up record that rises as fast as it may, then follows `current`."""
    record = PulseRecord()
    for k in range(int(seconds * rate_hz)):
        time_s = k / rate_hz
        current_a = min(current(time_s), 2e-3 * time_s)
        for polarity, share in ((1, 1.0), (-1, second_phase)):
            start_s = time_s + (0 if polarity > 0 else width_s * 1.5)
            record.append(start_s, polarity, width_s, current_a, current_a * width_s * share, True, False)
    return record


def found(record: PulseRecord, **more: object) -> list[str]:
    return [violation.split(" of ")[0] for violation in judge(record, **more)]  # type: ignore[arg-type]


def test_a_record_within_the_envelope_has_no_violations():
    assert found(pulses()) == []
    assert found(PulseRecord()) == []


@pytest.mark.parametrize(
    ("record", "violation"),
    [
        (pulses(lambda _: 61e-3, 40), "peak current"),
        (pulses(width_s=510e-6), "phase width"),
        (pulses(lambda _: 50e-3, 40, 20, 450e-6), "phase charge"),
        (pulses(lambda _: 50e-3, 40, 600, 200e-6), "rms density"),
        (pulses(lambda _: 40e-3, 30, 1_500, 90e-6), "average current"),
        (pulses(rate_hz=11_000, seconds=0.1, width_s=20e-6), "frequency"),
        (pulses(second_phase=0.9), "net charge beyond one phase"),
        (pulses(lambda t: 3e-3 if t < 5 else 4.6e-3), "rise in one step"),
    ],
)
def test_each_breach_is_seen(record: PulseRecord, violation: str):
    assert violation in found(record, pad_area_mm2=1000)


def test_a_rise_that_is_too_fast_is_seen():
    record = PulseRecord()
    for k in range(400):
        record.append(k / 80, 1 if k % 2 == 0 else -1, 1e-4, 2.4e-3 * k / 80, 1e-9, True, False)
    assert "rise beyond the slew" in found(record)


def test_pulses_that_come_and_go_are_no_rise():
    assert found(pulses(lambda t: 5e-3 + 0.3e-3 * sin(t))) == []


def test_pulses_outside_the_permitted_stretches_and_after_a_stop_are_seen():
    record = pulses(seconds=3)
    assert judge(record, permitted=[(0, 3)]) == []
    assert "where none may be" in judge(record, permitted=[(0, 1), (1.5, 3)])[0]
    assert judge(record, stops=[Stop("button", 2.98, 0.05)]) == []
    assert "after button" in judge(record, stops=[Stop("button", 2.5, 0.05)])[0]
    assert judge(record, stops=[Stop("button", 0.99, 0.0, until_s=1.0)]) == []
    assert last_pulse_s(record) == pytest.approx(2.98775)
    assert last_pulse_s(record, 1.0) == pytest.approx(0.98775)


def test_tighter_limits_are_judged_as_such():
    bounds = limits.effective({}, {limits.PEAK_CURRENT: 9_000})
    assert "peak current" in found(pulses(), bounds=bounds)
