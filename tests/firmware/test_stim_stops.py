"""From every cause to the last pulse, measured on the pulses, wherever between two ticks the cause falls."""

from collections.abc import Callable
from pathlib import Path

import pytest

from kinetens.virtual.output_stage import OPEN, SHORT, SKIN
from kinetens.virtual.pulse_judge import Stop, judge, last_pulse_s, summary
from kinetens_protocol import limits, stimulation
from tests.stim.bench import BURSTS, CONVENTIONAL, Bench

PLAN = {**limits.default_plan(), limits.AVERAGE_CURRENT: 10_000}
PROGRAMS = {
    "even": CONVENTIONAL,
    "slow": CONVENTIONAL._replace(rate_mhz=4_000),
    "bursts": BURSTS,
    "long bursts": CONVENTIONAL._replace(rate_mhz=200_000, burst_pulses=6, burst_rate_mhz=10_000),
    "carrier": CONVENTIONAL._replace(current_ua=5_000, gap_us=0, rate_mhz=5_000_000),
}
WITHIN_TICK_S = [0.001, 0.0252, 0.0496]
LEASE_S = 1.0


@pytest.fixture(autouse=True)
def flash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def running(name: str) -> Bench:
    bench = Bench()
    bench.start(PROGRAMS[name], PLAN)
    bench.raise_to(1_500)
    bench.command(stimulation.RENEW)
    assert bench.state().state == stimulation.RUNNING
    return bench


def conditions(**wrong: int) -> Callable[[Bench], None]:
    flags = {
        "charging": False,
        "battery_low": False,
        "too_hot": False,
        "motion": stimulation.NOT_STOPPED,
        **wrong,
    }
    return lambda bench: bench.supervisor.conditions(**flags)


CAUSES: dict[str, tuple[Callable[[Bench], object], float]] = {
    "button": (lambda bench: bench.supervisor.button(True), 0.05),
    "stop": (lambda bench: bench.request(stimulation.STOP), 0.3),
    "lost link": (lambda bench: bench.supervisor.link_lost(), 0.3),
    "lapsed lease": (lambda bench: None, LEASE_S + 0.3),
    "charger": (conditions(charging=True), 0.3),
    "battery": (conditions(battery_low=True), 0.3),
    "heat": (conditions(too_hot=True), 0.3),
    "motion": (conditions(motion=stimulation.MOTION), 0.3),
    "movement": (conditions(motion=stimulation.MOVEMENT), 0.3),
    "fall": (conditions(motion=stimulation.FREE_FALL), 0.12),
    "violent motion": (conditions(motion=stimulation.VIOLENT_MOTION), 0.12),
    "short": (lambda bench: bench.world.stage.attach(SHORT, bench.world.now_s), 0.3),
    "bus": (lambda bench: setattr(bench.world, "bus_works", False), 0.3),
    "error": (lambda bench: setattr(bench.supervisor, "contact", None), 0.3),
}


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("within_tick_s", WITHIN_TICK_S)
def test_the_last_pulse_comes_in_time(program: str, cause: str, within_tick_s: float):
    bench = running(program)
    at_s = bench.world.now_s + within_tick_s
    happen, within_s = CAUSES[cause]
    if program == "slow" and cause in ("short", "bus"):
        within_s += 0.25  # seen, or fed, with the next pulse only
    bench.world.at(at_s, lambda: happen(bench))
    bench.run(2)
    assert not bench.supervisor.active
    assert judge(bench.record, bench.supervisor.limits(), stops=[Stop(cause, at_s, within_s)]) == []
    if cause == "short":
        return
    assert bench.world.stage._code == 0 or cause == "bus"


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("within_tick_s", WITHIN_TICK_S)
def test_a_pad_that_comes_off_ends_the_trains(program: str, within_tick_s: float):
    bench = running(program)
    at_s = bench.world.now_s + within_tick_s
    bench.world.at(at_s, lambda: bench.world.stage.attach(OPEN, at_s))
    bench.run(0.2 if program != "slow" else 0.45)
    bench.world.stage.attach(SKIN, bench.world.now_s)
    bench.run(1)
    assert bench.state().fault == stimulation.LEAD_OFF
    assert judge(bench.record, stops=[Stop("lead-off", at_s, 0.001)]) == []


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("within_tick_s", WITHIN_TICK_S)
def test_a_stalled_interpreter_starves_the_output_and_does_not_go_on(program: str, within_tick_s: float):
    bench = running(program)
    stall_s = bench.world.now_s
    bench.run(within_tick_s)
    bench.world.pass_time(0.4)
    assert (last_pulse_s(bench.record) or 0) <= stall_s + 0.05 + 0.1
    bench.run(1)
    assert bench.state().fault == stimulation.STALLED
    assert judge(bench.record, stops=[Stop("stall", stall_s, 0.15)]) == []


def test_a_tick_that_is_held_up_itself_hands_over_no_train_after_the_silence():
    """The stall falls within each of the driver calls of a tick; after the last of them the high voltage has fallen."""
    for call in range(25):
        bench = running("even")
        stall_s = bench.world.now_s + call * bench.world.call_s + 1e-6
        bench.world.at(stall_s, lambda bench=bench: bench.world.pass_time(0.4))
        bench.run(1)
        assert judge(bench.record, stops=[Stop(f"stall at call {call}", stall_s, 0.15)]) == []
        assert bench.state().fault in (
            stimulation.STALLED,
            stimulation.LEAD_OFF,
            stimulation.WRONG_CURRENT,
        ), call
        Path("state/dose.bin").unlink()
        Path("state/dose.old").unlink()


@pytest.mark.parametrize("within_tick_s", WITHIN_TICK_S)
def test_a_reset_ends_the_output_and_boots_to_idle(within_tick_s: float):
    bench = running("even")
    bench.run(within_tick_s)
    at_s = bench.world.now_s
    bench.boot()
    bench.run(2)
    assert bench.state().state == stimulation.IDLE
    assert judge(bench.record, stops=[Stop("reset", at_s, 0.0)]) == []


@pytest.mark.parametrize("program", ["even", "bursts"])
def test_the_button_stops_in_the_midst_of_whatever_the_device_does(program: str):
    """The press lands within each of the driver calls of a tick."""
    for call in range(45):
        bench = running(program)
        at_s = bench.world.now_s + call * bench.world.call_s + 1e-6
        bench.world.at(at_s, lambda bench=bench: bench.supervisor.button(True))
        bench.run(0.3)
        assert (bench.state().state, bench.state().cause) == (stimulation.IDLE, stimulation.BY_BUTTON), call
        assert judge(bench.record, stops=[Stop(f"button at call {call}", at_s, 0.05)]) == []
        assert bench.world.stage._code == 0
        Path("state/dose.bin").unlink()
        Path("state/dose.old").unlink()


@pytest.mark.parametrize("program", ["even", "bursts"])
def test_the_button_cuts_no_pulse_in_two(program: str):
    """Wherever within a pulse the press falls, both phases flow or neither: nothing is left for the capacitor."""
    bench = running(program)
    first_s = bench.record.time_s[-1]
    period_s = 0.0125 if program == "even" else 0.02
    ticks_s = bench.world.now_s
    for step in range(40):
        if step:
            Path("state/dose.bin").unlink()
            Path("state/dose.old").unlink()
            bench = running(program)
            first_s, ticks_s = bench.record.time_s[-1], bench.world.now_s
        periods = 1 + int((ticks_s - first_s) / period_s)
        at_s = first_s + periods * period_s + step * 12e-6
        bench.world.at(at_s, lambda bench=bench: bench.supervisor.button(True))
        bench.run(0.2)
        found = summary(bench.record)
        assert found.net_charge_uc == 0, f"{step * 12} µs into a pulse"
        assert judge(bench.record, stops=[Stop("button", at_s, 0.05)]) == []
