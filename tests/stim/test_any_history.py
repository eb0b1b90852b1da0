"""Whatever host, member, pads and power do in whatever order: the pulses keep the envelope and end in time."""

import os
import tempfile
from pathlib import Path
from struct import pack
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from kinetens.virtual.output_stage import BAD_SKIN, DRY_SKIN, OPEN, SHORT, SKIN, Load
from kinetens.virtual.pulse_judge import Stop, judge
from kinetens_protocol import limits, stimulation
from kinetens_protocol.messages import Refused
from kinetens_protocol.stimulation_log import COMMAND, unpack_page
from tests.stim.bench import BURSTS, CONVENTIONAL, MEMBER, SERIAL, Bench

LEASE_S = 1.0
STOP_S = 0.3
CONTACT_CHECK_S = 0.6
LOADS = [SKIN, DRY_SKIN, BAD_SKIN, OPEN, SHORT, SKIN.half_a_pad()]
PROGRAMS = [
    CONVENTIONAL,
    CONVENTIONAL._replace(session_ms=3_000),
    CONVENTIONAL._replace(rate_mhz=7_000, phase_us=60),
    BURSTS,
    CONVENTIONAL._replace(current_ua=5_000, gap_us=0, rate_mhz=5_000_000),
    CONVENTIONAL._replace(current_ua=70_000),
]
PLAN = {**limits.default_plan(), limits.AVERAGE_CURRENT: 10_000}
TAGS = (stimulation.tag(SERIAL), stimulation.tag(MEMBER))
FIT = (0, 0, 0, stimulation.NOT_STOPPED)
UNFIT = [
    (1, 0, 0, stimulation.NOT_STOPPED),
    (0, 1, 0, stimulation.NOT_STOPPED),
    (0, 0, 1, stimulation.NOT_STOPPED),
    *[(0, 0, 0, cause) for cause in (stimulation.MOTION, stimulation.FREE_FALL, stimulation.MOVEMENT)],
]


class AnyHistory(RuleBasedStateMachine):
    """Rules are what can happen; what must be true is judged on the pulses at the end."""

    @initialize(offset_ms=st.sampled_from([0, (1 << 30) - 3_000, (1 << 29) - 2_000]))
    def boot(self, offset_ms: int) -> None:
        self.before = Path.cwd()
        self.folder = tempfile.TemporaryDirectory()
        os.chdir(self.folder.name)
        self.bench = Bench(ticks_offset_ms=offset_ms)
        self.permitted: list[tuple[float, float]] = []
        self.stops: list[Stop] = []
        self.sent: list[tuple[int, bytes]] = []
        self.accepted: list[int] = []

    @property
    def now_s(self) -> float:
        return self.bench.world.now_s

    def must_end(self, cause: str, within_s: float = STOP_S) -> None:
        self.stops.append(Stop(cause, self.now_s, within_s))

    def may_run_until(self, end_s: float) -> None:
        """Permits pulses from now; what stopped before no longer counts."""
        self.permitted.append((self.now_s, end_s))

    def ask(self, operation: int, payload: bytes) -> bool:
        """Whether the device does a request; keeps it to be replayed later."""
        try:
            self.bench.request(operation, payload)
        except Refused:
            return False
        if operation not in (stimulation.RENEW, stimulation.STATE, stimulation.LIMITS, stimulation.READ_LOG):
            self.accepted.append(operation)
        if operation == stimulation.ARM:
            armed_s = self.now_s
            self.stops = [
                Stop(stop.cause, stop.time_s, stop.within_s, min(stop.until_s, armed_s))
                for stop in self.stops
            ]
            self.may_run_until(armed_s + CONTACT_CHECK_S)
        elif operation in (stimulation.START, stimulation.RENEW):
            self.may_run_until(self.now_s + LEASE_S + STOP_S)
        return True

    def command(self, operation: int, value: int = 0) -> bool:
        self.bench.counter += 1
        payload = stimulation.pack_command(operation, stimulation.Command(self.bench.counter, value))
        self.sent.append((operation, payload))
        return self.ask(operation, payload)

    @rule(program=st.sampled_from(PROGRAMS), answers=st.integers(0, 5))
    def configure(self, program: limits.Program, answers: int) -> None:
        self.bench.counter += 1
        configure = stimulation.Configure(
            self.bench.counter, int(answers > 0), 1000, *TAGS, program, tuple(PLAN.items())
        )
        payload = stimulation.pack_configure(configure)
        self.sent.append((stimulation.CONFIGURE, payload))
        self.ask(stimulation.CONFIGURE, payload)

    @rule(program=st.sampled_from(PROGRAMS[:5]), level_ma=st.integers(1, 6))
    def start_properly(self, program: limits.Program, level_ma: int) -> None:
        self.configure(program, 1)
        self.press(0.6)
        self.wait(0.1)
        if self.command(stimulation.ARM):
            self.wait(0.3)
            self.command(stimulation.START)
            for _ in range(level_ma * 2):
                self.command(stimulation.RENEW)
                self.command(stimulation.SET_LEVEL, self.bench.state().level_ua + 500)
                self.wait(0.26)

    @rule(held_s=st.sampled_from([0.02, 0.3, 0.6]))
    def press(self, held_s: float) -> None:
        if self.bench.supervisor.active:
            self.must_end("button", 0.05)
        self.bench.supervisor.button(True)
        self.wait(held_s)
        self.bench.supervisor.button(False)

    @rule(after_s=st.floats(0, 0.06))
    def press_unexpectedly(self, after_s: float) -> None:
        def press() -> None:
            self.must_end("button", 0.05)
            self.bench.supervisor.button(True)

        if self.bench.supervisor.active:
            self.bench.world.at(self.now_s + after_s, press)
            self.wait(0.1)
            self.bench.supervisor.button(False)

    @rule()
    def arm(self) -> None:
        self.command(stimulation.ARM)

    @rule()
    def start(self) -> None:
        self.command(stimulation.START)

    @rule(times=st.integers(1, 8))
    def renew(self, times: int) -> None:
        for _ in range(times):
            self.command(stimulation.RENEW)
            self.wait(0.3)

    @rule(level_ua=st.one_of(st.integers(0, 60_000), st.just(0xFFFF_FFFF)))
    def set_level(self, level_ua: int) -> None:
        self.command(stimulation.SET_LEVEL, level_ua)

    @rule(up_ua=st.integers(-2_000, 600))
    def move_level(self, up_ua: int) -> None:
        self.command(stimulation.SET_LEVEL, max(0, self.bench.state().level_ua + up_ua))

    @rule(ticks=st.integers(5, 40))
    def hurry(self, ticks: int) -> None:
        """Raise as fast as the device lets a host."""
        for _ in range(ticks):
            self.command(stimulation.RENEW)
            self.command(stimulation.SET_LEVEL, self.bench.state().level_ua + 500)
            self.wait(0.05)

    @rule(payload=st.binary(max_size=8))
    def stop(self, payload: bytes) -> None:
        self.ask(stimulation.STOP, payload)
        self.must_end("stop")

    @rule()
    def lose_link(self) -> None:
        self.bench.supervisor.link_lost()
        self.must_end("lost link")

    @rule(conditions=st.sampled_from([FIT, *UNFIT]))
    def change_conditions(self, conditions: tuple[int, int, int, int]) -> None:
        if conditions != FIT:
            self.must_end(f"conditions {conditions}")
        self.bench.supervisor.conditions(*conditions)

    @rule(load=st.sampled_from(LOADS), after_s=st.floats(0, 0.06))
    def move_pads(self, load: Load, after_s: float) -> None:
        self.bench.world.at(self.now_s + after_s, lambda: self.bench.world.stage.attach(load, self.now_s))

    @rule(seconds=st.sampled_from([0.01, 0.05, 0.2, 1.0, 3.5, 31.0]))
    def wait(self, seconds: float) -> None:
        self.bench.run(seconds)

    @rule()
    def rest(self) -> None:
        """Half an hour, ticked slowly as an idle device is."""
        if not self.bench.supervisor.active:
            for _ in range(190):
                self.bench.world.pass_time(9.5)
                self.bench.supervisor.tick()

    @rule(seconds=st.sampled_from([0.1, 0.3, 2.0]))
    def stall(self, seconds: float) -> None:
        if seconds > 0.15:
            self.must_end("stall")
        self.bench.world.pass_time(seconds)

    @rule()
    def reset(self) -> None:
        self.must_end("reset", 0.0)
        self.bench.boot()

    @rule(seconds=st.sampled_from([0.06, 0.5]))
    def break_bus(self, seconds: float) -> None:
        if self.bench.supervisor.active:
            self.bench.world.bus_works = False
            self.wait(seconds)
            self.bench.world.bus_works = True

    @rule(fault=st.sampled_from(list(stimulation.FAULTS)))
    def clear_fault(self, fault: int) -> None:
        self.command(stimulation.CLEAR_FAULT, fault)

    @rule()
    def release_member(self) -> None:
        self.command(stimulation.RELEASE_MEMBER)

    @rule(data=st.data())
    def replay(self, data: Any) -> None:
        if self.sent:
            assert not self.ask(*data.draw(st.sampled_from(self.sent)))

    @rule(operation=st.integers(0, 12), payload=st.binary(max_size=90))
    def send_garbage(self, operation: int, payload: bytes) -> None:
        if operation != stimulation.STOP:
            done = self.ask(operation, payload)
            assert not done or operation in (stimulation.STATE, stimulation.LIMITS, stimulation.READ_LOG)

    def commands_in_log(self) -> list[int]:
        """The commands on record, of a log whose chain verifies. An armed device is let go first."""
        self.ask(stimulation.STOP, b"")
        self.wait(0.5)
        told: list[int] = []
        start = 0
        while True:
            page = unpack_page(self.bench.request(stimulation.READ_LOG, pack("<I", start)))
            told += [entry.code for entry in page.entries if entry.kind == COMMAND]
            start += len(page.entries)
            if not page.entries:
                return told

    def teardown(self) -> None:
        if not hasattr(self, "bench"):
            return
        self.wait(3.0)
        told = self.commands_in_log()
        violations = judge(
            self.bench.record,
            limits.effective({limits.PEAK_CURRENT: 50_000}, PLAN),
            permitted=self.permitted,
            stops=self.stops,
        )
        os.chdir(self.before)
        self.folder.cleanup()
        assert not violations, "\n".join([*violations, *self.bench.world.lines])
        assert told == self.accepted, "\n".join(self.bench.world.lines)


AnyHistory.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestAnyHistory = AnyHistory.TestCase
