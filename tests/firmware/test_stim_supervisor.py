"""What the supervisor allows and refuses, judged by the pulses that reach the load."""

import copy
import itertools
from pathlib import Path

import pytest

from kinetens.virtual.output_stage import BAD_SKIN, DRY_SKIN, OPEN, SHORT, SKIN, Load
from kinetens.virtual.pulse_judge import judge, last_pulse_s, summary
from kinetens_protocol import limits, messages, stimulation
from kinetens_protocol.messages import Refused
from tests.stim.bench import BOARD, BURSTS, CONVENTIONAL, Bench

WIDE_PLAN = {**limits.default_plan(), limits.PHASE_WIDTH: 500, limits.AVERAGE_CURRENT: 10_000}


@pytest.fixture(autouse=True)
def flash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def reason_of(bench: Bench, operation: int, value: int = 0) -> int:
    with pytest.raises(Refused) as refused:
        bench.command(operation, value)
    return refused.value.reason


def test_a_session_from_zero_to_its_current_and_back_keeps_the_envelope():
    bench = Bench()
    bench.start()
    bench.raise_to(15_000)
    bench.run(5, bench.renew)
    bench.request(stimulation.STOP)
    bench.run(1)
    assert bench.state().state == stimulation.IDLE
    assert judge(bench.record, bench.supervisor.limits()) == []
    found = summary(bench.record)
    assert found.net_charge_uc == 0
    assert found.peak_current_ma == pytest.approx(15, abs=0.02)
    assert found.max_phase_charge_uc == pytest.approx(1.5, abs=0.002)


@pytest.mark.parametrize(
    ("program", "per_second"),
    [
        (CONVENTIONAL, 80),
        (CONVENTIONAL._replace(rate_mhz=25_000), 25),
        (CONVENTIONAL._replace(rate_mhz=2_000), 2),
        (CONVENTIONAL._replace(rate_mhz=150_000), 150),
        (BURSTS, 1000),
    ],
)
def test_the_rate_is_what_the_programme_says(program: limits.Program, per_second: int):
    bench = Bench()
    bench.start(program, WIDE_PLAN)
    bench.raise_to(2_000)
    before = summary(bench.record).pulses
    bench.run(10, bench.renew)
    assert summary(bench.record).pulses - before == pytest.approx(per_second * 10, rel=0.02, abs=1)
    assert judge(bench.record, bench.supervisor.limits()) == []


def test_the_amplitude_is_zero_after_boot_even_with_a_fresh_converter():
    bench = Bench()
    bench.world.stage._eeprom_code = 0x800
    bench.boot()
    assert bench.world.stage._eeprom_code == 0
    bench.world.stage.reset(bench.world.now_s)
    assert bench.world.stage._code == 0


def test_a_dead_converter_means_no_channel():
    bench = Bench()
    bench.world.bus_works = False
    bench.boot()
    assert bench.supervisor is None
    assert "does not answer" in bench.world.lines[-1]


def test_arming_needs_plan_answers_button_and_fitness():
    bench = Bench()
    assert reason_of(bench, stimulation.ARM) == messages.WRONG_STATE
    bench.configure(flags=0)
    bench.hold_button()
    assert reason_of(bench, stimulation.ARM) == messages.WRONG_STATE
    bench.configure()
    for conditions, reason in (
        ((True, False, False, 0), messages.CHARGER_CONNECTED),
        ((False, True, False, 0), messages.BATTERY_LOW),
        ((False, False, True, 0), messages.WRONG_STATE),
        ((False, False, False, stimulation.MOTION), messages.SENSOR_UNAVAILABLE),
        ((False, False, False, stimulation.FREE_FALL), messages.WRONG_STATE),
        ((False, False, False, stimulation.MOVEMENT), messages.WRONG_STATE),
    ):
        bench.supervisor.conditions(*conditions)
        assert reason_of(bench, stimulation.ARM) == reason
    bench.supervisor.conditions(False, False, False, stimulation.NOT_STOPPED)
    bench.command(stimulation.ARM)
    assert bench.state().state == stimulation.CHECKING_CONTACT
    assert len(bench.record) == 0


def test_the_button_must_be_held_long_enough_recently_and_let_go():
    bench = Bench()
    bench.configure()
    bench.hold_button(0.4)
    assert reason_of(bench, stimulation.ARM) == messages.BUTTON_NEEDED
    bench.supervisor.button(True)
    bench.run(5)
    assert reason_of(bench, stimulation.ARM) == messages.BUTTON_NEEDED
    bench.supervisor.button(False)
    bench.run(31)
    assert reason_of(bench, stimulation.ARM) == messages.BUTTON_NEEDED
    bench.hold_button()
    bench.run(20)
    bench.command(stimulation.ARM)


def test_one_hold_serves_one_start_and_a_stopping_press_serves_none():
    bench = Bench()
    bench.start()
    bench.raise_to(2_000)
    bench.supervisor.button(True)
    bench.run(2)
    bench.supervisor.button(False)
    bench.run(0.2)
    assert bench.state().cause == stimulation.BY_BUTTON
    assert reason_of(bench, stimulation.ARM) == messages.BUTTON_NEEDED


def test_armed_expires():
    bench = Bench()
    bench.arm()
    assert bench.state().state == stimulation.ARMED
    bench.run(31)
    assert bench.state().cause == stimulation.ARM_EXPIRED
    assert reason_of(bench, stimulation.START) == messages.WRONG_STATE


@pytest.mark.parametrize(
    ("load", "state", "cause"),
    [
        (SKIN, stimulation.ARMED, stimulation.NOT_STOPPED),
        (DRY_SKIN, stimulation.ARMED, stimulation.NOT_STOPPED),
        (BAD_SKIN, stimulation.ARMED, stimulation.NOT_STOPPED),
        (OPEN, stimulation.IDLE, stimulation.CONTACT_OPEN),
        (SHORT, stimulation.IDLE, stimulation.CONTACT_SHORT),
        (Load("50 kohm", 50_000), stimulation.IDLE, stimulation.CONTACT_OPEN),
    ],
)
def test_the_contact_check_arms_on_skin_only_and_is_not_felt(load: Load, state: int, cause: int):
    bench = Bench(load)
    bench.arm()
    assert (bench.state().state, bench.state().cause) == (state, cause)
    assert summary(bench.record).peak_current_ma <= 1.0
    if state == stimulation.ARMED:
        assert bench.state().impedance_ohm == pytest.approx(load.ohm, rel=0.05)


def test_a_level_outside_plan_or_step_is_refused_and_not_clipped():
    bench = Bench()
    bench.start()
    with pytest.raises(Refused) as refused:
        bench.command(stimulation.SET_LEVEL, 501)
    assert refused.value.refusal == (limits.STEP, limits.PLAN, 501, 500)
    bench.raise_to(15_000)
    with pytest.raises(Refused) as refused:
        bench.command(stimulation.SET_LEVEL, 15_001)
    assert refused.value.refusal == (limits.PEAK_CURRENT, limits.PLAN, 15_001, 15_000)
    assert bench.state().target_ua == 15_000
    bench.command(stimulation.SET_LEVEL, 3_000)
    bench.run(0.1)
    assert bench.state().level_ua == 3_000


def test_a_plan_outside_the_limits_is_refused_and_forgotten():
    bench = Bench()
    bench.configure()
    with pytest.raises(Refused) as refused:
        bench.configure(CONVENTIONAL._replace(current_ua=55_000), {})
    assert refused.value.refusal == (limits.PEAK_CURRENT, limits.BOARD, 55_000, 50_000)
    bench.hold_button()
    assert reason_of(bench, stimulation.ARM) == messages.WRONG_STATE


def test_the_device_reports_the_limits_it_uses():
    bench = Bench()
    bench.configure()
    total, rows = stimulation.unpack_bounds(bench.request(stimulation.LIMITS, b"\0"))
    assert total == len(limits.LIMITS)
    expected = limits.effective({limits.PEAK_CURRENT: 50_000}, limits.default_plan(), 2500, 1000)
    assert {row.code: row for row in rows} == expected


def test_counters_must_rise_and_damage_is_refused():
    bench = Bench()
    bench.start()
    newest = bench.counter + 100
    renew = stimulation.pack_command(stimulation.RENEW, stimulation.Command(newest, 0))
    bench.request(stimulation.RENEW, renew)
    for old in (newest, newest - 1, 0):
        payload = stimulation.pack_command(stimulation.RENEW, stimulation.Command(old, 0))
        with pytest.raises(Refused) as refused:
            bench.request(stimulation.RENEW, payload)
        assert refused.value.reason == messages.STALE
    for damaged in (renew[:-1], renew + b"\0", b"", b"\1" + renew[1:]):
        with pytest.raises(Refused) as refused:
            bench.request(stimulation.RENEW, damaged)
        assert refused.value.reason == messages.MALFORMED
    with pytest.raises(Refused) as refused:
        bench.request(77, b"")
    assert refused.value.reason == messages.UNKNOWN_OPERATION


def test_renewals_extend_and_do_not_stack():
    bench = Bench()
    bench.start()
    for _ in range(10):
        bench.command(stimulation.RENEW)
    assert bench.state().lease_left_ms <= 1000
    bench.run(1.5)
    assert bench.state().cause == stimulation.LEASE_LAPSED


def test_a_lost_link_forgets_the_plan_but_not_the_counter():
    bench = Bench()
    bench.start()
    bench.supervisor.link_lost()
    bench.run(0.5)
    assert bench.state().cause == stimulation.LINK_LOST
    bench.hold_button()
    assert reason_of(bench, stimulation.ARM) == messages.WRONG_STATE
    bench.counter = 0
    assert reason_of(bench, stimulation.ARM) == messages.STALE


def test_commands_of_before_a_restart_are_stale_after_it():
    bench = Bench()
    bench.configure()
    overheard = bench.counter
    bench.boot()
    bench.counter = overheard
    assert reason_of(bench, stimulation.ARM) == messages.STALE


@pytest.mark.parametrize("protection", stimulation.PROTECTIONS)
def test_a_board_without_a_protection_arms_in_bench_mode_only(protection: str):
    board = copy.deepcopy(BOARD)
    board["stimulation"]["protections"].remove(protection)
    bench = Bench(board=board)
    bench.configure()
    bench.hold_button()
    with pytest.raises(Refused) as refused:
        bench.command(stimulation.ARM)
    assert refused.value.reason == messages.PROTECTION_MISSING
    assert stimulation.PROTECTIONS[refused.value.refusal.subject] == protection
    on_the_bench = Bench(board={**board, "bench_mode": True})
    on_the_bench.arm()
    assert on_the_bench.state().state == stimulation.ARMED


def test_a_session_ends_by_itself_and_rest_is_needed_after_it():
    bench = Bench()
    program = CONVENTIONAL._replace(session_ms=5_000)
    bench.start(program)
    bench.raise_to(4_000)
    bench.run(3, bench.renew)
    assert bench.state().cause == stimulation.SESSION_OVER
    bench.hold_button()
    assert reason_of(bench, stimulation.ARM) == messages.REST_NEEDED
    bench.run(1_790)
    bench.hold_button()
    assert reason_of(bench, stimulation.ARM) == messages.REST_NEEDED
    bench.run(15)
    bench.hold_button()
    bench.command(stimulation.ARM)


def test_an_interrupted_session_goes_on_for_the_rest_of_its_time():
    bench = Bench()
    program = CONVENTIONAL._replace(session_ms=10_000)
    bench.start(program)
    bench.run(6, bench.renew)
    bench.request(stimulation.STOP)
    bench.run(1)
    bench.start(program)
    bench.run(6, bench.renew)
    assert bench.state().cause == stimulation.SESSION_OVER
    assert bench.state().session_ms == 0
    assert bench.state().day_sessions_left == 2


def test_three_sessions_a_day_whatever_the_host_and_through_restarts():
    bench = Bench()
    program = CONVENTIONAL._replace(session_ms=2_000)
    for _ in range(3):
        bench.start(program)
        bench.run(4, bench.renew)
        assert bench.state().cause == stimulation.SESSION_OVER
        bench.run(1_801)
        bench.boot()
    bench.configure(program)
    bench.hold_button()
    assert reason_of(bench, stimulation.ARM) == messages.DOSE_SPENT


def test_a_fault_stays_until_it_is_cleared_by_hand_after_three_healthy_seconds():
    bench = Bench()
    bench.start()
    bench.raise_to(3_000)
    bench.world.stage.attach(OPEN, bench.world.now_s)
    bench.run(1)
    assert (bench.state().state, bench.state().fault) == (stimulation.FAULT, stimulation.LEAD_OFF)
    bench.world.stage.attach(SKIN, bench.world.now_s)
    assert reason_of(bench, stimulation.ARM) == messages.FAULT_LATCHED
    assert reason_of(bench, stimulation.CLEAR_FAULT, stimulation.LEAD_OFF) == messages.FAULT_LATCHED
    bench.run(3)
    assert reason_of(bench, stimulation.CLEAR_FAULT, stimulation.SHORT) == messages.OUT_OF_RANGE
    bench.command(stimulation.CLEAR_FAULT, stimulation.LEAD_OFF)
    assert bench.state().state == stimulation.IDLE
    bench.start()
    assert bench.state().level_ua == 0
    bench.raise_to(3_000)
    assert judge(bench.record) == []


def test_a_button_held_in_a_fault_allows_no_start_after_it():
    """Who presses then wants the output to end, not to come back when the host has cleared the fault."""
    bench = Bench()
    bench.start()
    bench.raise_to(3_000)
    bench.world.stage.attach(OPEN, bench.world.now_s)
    bench.run(1)
    bench.hold_button()
    bench.world.stage.attach(SKIN, bench.world.now_s)
    bench.run(3)
    bench.command(stimulation.CLEAR_FAULT, stimulation.LEAD_OFF)
    assert bench.state().state == stimulation.IDLE
    assert reason_of(bench, stimulation.ARM) == messages.BUTTON_NEEDED


def test_half_a_pad_stops():
    bench = Bench(DRY_SKIN)
    bench.start()
    bench.raise_to(5_000)
    bench.world.stage.attach(DRY_SKIN.half_a_pad(), bench.world.now_s)
    bench.run(0.3)
    assert bench.state().fault == stimulation.PAD_PARTLY_OFF


def test_a_current_that_the_voltage_cannot_reach_stops():
    bench = Bench(BAD_SKIN)
    bench.start()
    bench.raise_to(15_000)
    assert bench.state().fault == stimulation.WRONG_CURRENT
    assert summary(bench.record).peak_current_ma <= 12.0


def test_what_raises_in_a_tick_latches_a_fault(monkeypatch):
    bench = Bench()
    bench.start()
    bench.raise_to(3_000)

    def out_of_memory(*_):
        raise MemoryError

    monkeypatch.setattr(bench.supervisor.output, "sense", out_of_memory)
    bench.run(0.3)
    assert bench.state().fault == stimulation.INTERNAL
    assert bench.world.now_s - (last_pulse_s(bench.record) or 0) > 0.25


def test_a_dead_bus_latches_a_fault_and_the_supply_falls():
    bench = Bench()
    bench.start()
    bench.raise_to(3_000)
    bench.world.bus_works = False
    cut_s = bench.world.now_s
    bench.command(stimulation.SET_LEVEL, 2_000)
    bench.run(1)
    assert bench.supervisor.fault == stimulation.OUTPUT_BUS
    assert (last_pulse_s(bench.record) or 0) - cut_s <= 0.3
    bench.run(4)
    assert reason_of(bench, stimulation.CLEAR_FAULT, stimulation.OUTPUT_BUS) == messages.FAULT_LATCHED
    bench.world.bus_works = True
    bench.command(stimulation.CLEAR_FAULT, stimulation.OUTPUT_BUS)


def test_no_start_without_a_record_of_the_dose(monkeypatch):
    bench = Bench()
    bench.arm()

    def full(*_):
        raise OSError(28)

    monkeypatch.setattr(bench.supervisor.dose, "save", full)
    assert reason_of(bench, stimulation.START) == messages.STORAGE_FAILED
    assert bench.state().fault == stimulation.STORAGE
    bench.run(4)
    assert reason_of(bench, stimulation.CLEAR_FAULT, stimulation.STORAGE) == messages.STORAGE_FAILED


@pytest.mark.parametrize("before_wrap_ms", [200, 700, 900, 1_500, 5_000])
def test_nothing_happens_when_the_millisecond_ticks_wrap(before_wrap_ms: int):
    bench = Bench(ticks_offset_ms=(1 << 30) - before_wrap_ms)
    bench.start()
    bench.raise_to(5_000)
    assert bench.state().level_ua == 5_000
    bench.run(3)
    assert bench.state().cause == stimulation.LEASE_LAPSED
    assert judge(bench.record) == []


def test_an_old_hold_of_the_button_is_not_young_again_days_later():
    bench = Bench()
    bench.configure()
    bench.hold_button()
    bench.run(40)
    bench.world.ticks_offset_ms += 1 << 29
    assert reason_of(bench, stimulation.ARM) == messages.BUTTON_NEEDED


def modulated(kind: int, depth_permille: int, period_ms: int) -> limits.Program:
    return CONVENTIONAL._replace(
        modulation=kind, modulation_depth_permille=depth_permille, modulation_period_ms=period_ms
    )


def swinging(program: limits.Program, level_ua: int = 2_000, seconds: float = 8.0) -> Bench:
    bench = Bench()
    bench.start(program)
    bench.raise_to(level_ua)
    bench.run(seconds, bench.renew)
    assert bench.state().state == stimulation.RUNNING
    assert judge(bench.record, bench.supervisor.limits()) == []
    assert summary(bench.record).net_charge_uc == 0
    return bench


def test_a_modulated_rate_swings_between_nominal_and_less():
    record = swinging(modulated(limits.MODULATED_RATE, 500, 4_000)).record
    starts_s = [
        t for t, polarity in zip(record.time_s, record.polarity, strict=True) if polarity > 0 and 4 < t < 8
    ]
    gaps_s = [later - earlier for earlier, later in itertools.pairwise(starts_s)]
    assert min(gaps_s) == pytest.approx(1 / 80, rel=0.01)
    assert 1 / 45 < max(gaps_s) <= 1 / 40 + 0.001
    fast = [gap_s for gap_s in gaps_s if gap_s < 1 / 60]
    assert len(fast) / len(gaps_s) == pytest.approx(7 / 12, abs=0.03), "a triangle from 80 Hz to 40 Hz"


def test_a_modulated_width_swings_and_its_pulses_stay_balanced():
    record = swinging(modulated(limits.MODULATED_WIDTH, 500, 2_000)).record
    widths_us = {round(width * 1e6) for width, t in zip(record.width_s, record.time_s, strict=True) if t > 4}
    assert (min(widths_us), max(widths_us)) == (50, 100)
    assert len(widths_us) > 15


def test_a_modulated_amplitude_swings_under_the_level_and_rises_within_the_slew():
    bench = swinging(modulated(limits.MODULATED_AMPLITUDE, 500, 15_000), 6_000, 20.0)
    assert bench.state().level_ua == 6_000
    record = bench.record
    late_a = [current for current, t in zip(record.current_a, record.time_s, strict=True) if t > 12]
    assert (min(late_a), max(late_a)) == (pytest.approx(3e-3, abs=1e-4), pytest.approx(6e-3, abs=1e-4))


def test_a_level_and_a_swing_that_rise_together_keep_the_slew():
    bench = Bench()
    bench.start(modulated(limits.MODULATED_AMPLITUDE, 500, 7_500))
    bench.raise_to(15_000)
    bench.run(8, bench.renew)
    assert judge(bench.record, bench.supervisor.limits()) == []


def test_a_stop_in_the_midst_of_a_swing_ramps_from_where_the_current_is():
    bench = swinging(modulated(limits.MODULATED_AMPLITUDE, 500, 8_000), 4_000, 3.0)
    before_a = bench.record.current_a[-1]
    assert before_a < 3.5e-3
    stopped_s = bench.world.now_s
    bench.request(stimulation.STOP)
    bench.run(1)
    after = [
        current
        for current, t in zip(bench.record.current_a, bench.record.time_s, strict=True)
        if t > stopped_s
    ]
    assert max(after) <= before_a + 1e-5


def test_a_bridge_that_no_longer_turns_is_noticed_by_what_it_leaves_behind():
    bench = Bench()
    bench.start()
    bench.raise_to(5_000)
    stuck_s = bench.world.now_s
    bench.world.stage.bridge_stuck = True
    bench.run(0.5, bench.renew)
    assert bench.state().fault == stimulation.RESIDUAL
    assert (last_pulse_s(bench.record) or 0) - stuck_s <= 0.3


@pytest.mark.parametrize("program", [CONVENTIONAL, BURSTS])
def test_balanced_pulses_never_look_like_direct_current(program: limits.Program):
    bench = Bench()
    bench.start(program, WIDE_PLAN)
    bench.raise_to(10_000)
    bench.run(5, bench.renew)
    assert bench.state().state == stimulation.RUNNING


def test_a_board_that_claims_a_sense_it_does_not_wire_does_not_arm():
    board = copy.deepcopy(BOARD)
    del board["stimulation"]["residual_sense"]
    bench = Bench(board=board)
    bench.configure()
    bench.hold_button()
    with pytest.raises(Refused) as refused:
        bench.command(stimulation.ARM)
    assert stimulation.PROTECTIONS[refused.value.refusal.subject] == "residual-sense"


def test_a_fall_ends_the_output_without_a_ramp_and_movement_with_one():
    for cause, state in (
        (stimulation.FREE_FALL, stimulation.IDLE),
        (stimulation.VIOLENT_MOTION, stimulation.IDLE),
        (stimulation.MOVEMENT, stimulation.RAMPING_DOWN),
    ):
        bench = Bench()
        bench.start()
        bench.raise_to(2_000)
        bench.supervisor.conditions(False, False, False, cause)
        bench.supervisor.tick()
        assert (bench.state().state, bench.state().cause) == (state, cause)
        for name in ("dose.bin", "dose.old"):
            Path("state", name).unlink()


def test_a_plan_may_permit_movement_but_not_a_fall():
    bench = Bench()
    bench.configure(flags=stimulation.ANSWERS_OK | stimulation.DURING_MOVEMENT)
    bench.hold_button()
    bench.supervisor.conditions(False, False, False, stimulation.MOVEMENT)
    bench.command(stimulation.ARM)
    bench.run(0.4)
    bench.command(stimulation.START)
    bench.run(0.5)
    assert bench.state().state == stimulation.RUNNING
    bench.supervisor.conditions(False, False, False, stimulation.FREE_FALL)
    bench.run(0.1)
    assert bench.state().cause == stimulation.FREE_FALL


def test_telemetry_comes_at_least_every_200_ms_while_the_output_is_on():
    bench = Bench()
    bench.start()
    times_s: list[float] = []

    def note() -> None:
        bench.renew()
        if bench.channel.telemetry.take_event() == stimulation.STATE_EVENT:
            times_s.append(bench.world.now_s)

    bench.run(5, note)
    gaps_s = [later - earlier for earlier, later in itertools.pairwise(times_s)]
    assert max(gaps_s) <= 0.205
    assert len(times_s) > 20


def test_a_fault_is_told_before_the_state():
    bench = Bench()
    bench.start()
    bench.raise_to(3_000)
    bench.world.stage.attach(SHORT, bench.world.now_s)
    bench.run(0.3)
    buffer = bytearray(64)
    assert bench.channel.telemetry.take_event() == stimulation.FAULT_EVENT
    end = bench.channel.telemetry.event_into(stimulation.FAULT_EVENT, buffer, 0)
    assert stimulation.unpack_fault_report(bytes(buffer[:end])).fault == stimulation.SHORT
    assert bench.channel.telemetry.take_event() == stimulation.STATE_EVENT
