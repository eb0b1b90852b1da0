"""From the facts alone: where pulses may be, what must have ended them and how soon.

The licence is generous where the world cannot know (the firmware may refuse for reasons of its own) and strict where
it can: a counter that does not rise, a check value that is wrong, a button that was not held give no licence.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np

from kinetens.virtual.campaign.scene import Setting
from kinetens.virtual.campaign.witness import Facts, Span
from kinetens.virtual.output_stage import OPEN, SHORT, Load, PulseRecord
from kinetens.virtual.pulse_judge import Stop
from kinetens_protocol import ProtocolError, limits, messages, stimulation
from kinetens_protocol.limits import Bound

STOP_S = {"button": 0.05, "pad off": 0.2, "reset": 0.0}
"""From a cause to the last pulse; OTHER_STOP_S for all others."""
OTHER_STOP_S = 0.3
SLOW_CONDITIONS_S = {"motion frozen": 0.55}
"""What shows only in what follows: a quarter of a second of samples, whole from the start, is frozen."""

_ASKED_ONLY_WHEN_USED = ("converter silent",)
"""What ends the output and forbids no command: it may be well again before the first pulse."""

_HOLD_S = 0.5
_HOLD_VALID_S = 30.5
"""The device notes a hold at its next look, up to 0.2 s later."""
_ARMED_VALID_S = 30.5
_CHECK_S = 0.6
_STALL_NOTICED_S = 0.3
_PADS_NOTICED_S = 0.35
_RESUME_S = 121.5
_USED_UNSURE_S = 0.15
"""The device counts from its own start, which is a little later than the command, in ticks."""
_MEASURABLE_A = 1.1e-3
_REFERENCE_A = 2.2e-3
_REFERENCE_S = 0.3
DAY_S = 86_400.0


@dataclass(slots=True)
class Run:
    """From one START to what ended it; bounds and pad area are those of its plan."""

    start_s: float
    bounds: dict[int, Bound]
    pad_area_mm2: int
    lease_s: float
    lease_until_s: float
    ends_s: float
    """When its session is over."""
    end_s: float = inf


@dataclass(slots=True)
class Licence:
    """permitted: stretches in which pulses may be. stops: what must have ended them."""

    permitted: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    stops: list[Stop] = field(default_factory=list[Stop])
    runs: list[Run] = field(default_factory=list[Run])
    checks: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    """Stretches in which only the contact check's pulses may be."""


@dataclass(slots=True)
class _Session:
    end_s: float
    used_s: float
    completed: bool


def licence(facts: Facts, setting: Setting, board: dict[int, int], record: PulseRecord) -> Licence:
    """Walk through the facts in order of time."""
    clerk = _Clerk(facts, setting, board, record)
    for time_s, act in clerk.agenda():
        clerk.let_lapse(time_s)
        act(time_s)
    clerk.let_lapse(inf)
    return clerk.licence


class _Clerk:
    def __init__(self, facts: Facts, setting: Setting, board: dict[int, int], record: PulseRecord) -> None:
        self.licence = Licence()
        self._facts = facts
        self._board = board
        self._nobody_may = bool(facts.forbidden)
        self._time_s = np.array(record.time_s)
        self._current_a = np.array(record.current_a)
        self._powered = np.array(record.powered, dtype=np.bool_)
        self._sessions = [_Session(-spent.ended_ago_s, spent.used_s, True) for spent in setting.spent]
        self._counter = -1
        self._configured: stimulation.Configure | None = None
        self._held: Span | None = None
        self._armed_s: float | None = None
        self._run: Run | None = None
        self._used_before_s = 0.0

    def agenda(self) -> Iterator[tuple[float, Callable[[float], None]]]:
        """Everything that happened, in order of time."""
        facts = self._facts
        happened: list[tuple[float, Callable[[float], None]]] = []
        for time_s, data in facts.delivered:
            happened.append((self._processed_s(time_s), lambda now_s, data=data: self._write(now_s, data)))
        for press in facts.presses:
            happened.append((press.start_s, lambda now_s, press=press: self._press(now_s, press)))
        for name, times in (("link lost", facts.links_lost), ("reset", facts.resets)):
            for time_s in times:
                happened.append((time_s, lambda now_s, name=name: self._end(name, now_s)))
        for stall in facts.stalls:
            if stall.end_s - stall.start_s > _STALL_NOTICED_S:
                happened.append((stall.start_s, self._stall))
        for name, spans in facts.unfit.items():
            for span in spans:
                happened.append((span.start_s, lambda now_s, name=name: self._end(name, now_s)))
        for index, (time_s, load) in enumerate(facts.loads):
            until_s = facts.loads[index + 1][0] if index + 1 < len(facts.loads) else inf
            happened.append(
                (time_s, lambda now_s, load=load, until_s=until_s: self._pads(now_s, load, until_s))
            )
        yield from sorted(happened, key=lambda item: item[0])

    def let_lapse(self, now_s: float) -> None:
        """End a run whose lease or session is over by now."""
        run = self._run
        if run is None:
            return
        if run.ends_s <= min(run.lease_until_s, now_s - OTHER_STOP_S):
            self._end("session over", run.ends_s, completed=True)
        elif run.lease_until_s + OTHER_STOP_S < now_s:
            self._end("lapsed lease", run.lease_until_s)

    # What hosts say

    def _write(self, now_s: float, data: bytes) -> None:
        try:
            message = messages.unpack_message(data)
            if message.kind != messages.REQUEST or len(data) > messages.LONGEST_REQUEST_BYTES:
                return
            if message.code == stimulation.STOP:
                self._end("host's stop", now_s)
            elif message.code == stimulation.CONFIGURE:
                configure = stimulation.unpack_configure(message.payload)
                if self._is_new(configure.counter):
                    self._configure(configure)
            elif message.code in _COMMANDS:
                command = stimulation.unpack_command(message.code, message.payload)
                if self._is_new(command.counter) and not self._unfit(now_s):
                    _COMMANDS[message.code](self, now_s)
        except ProtocolError:
            return

    def _is_new(self, counter: int) -> bool:
        is_new = counter > self._counter
        self._counter = max(self._counter, counter)
        return is_new

    def _configure(self, configure: stimulation.Configure) -> None:
        if self._run is None and limits.check(configure.program, self._bounds(configure)) is None:
            self._configured = configure

    def _arm(self, now_s: float) -> None:
        held = self._held
        if held is None or not held.start_s + _HOLD_S <= now_s <= held.start_s + _HOLD_S + _HOLD_VALID_S:
            return
        if self._configured is None or self._nobody_may:
            return
        if self._run is None:
            self._armed_s = now_s
            self.licence.checks.append((now_s, now_s + _CHECK_S + self._stalled_from_s(now_s)))

    def _start(self, now_s: float) -> None:
        if self._armed_s is None or now_s - self._armed_s > _ARMED_VALID_S or self._run is not None:
            return
        configure = self._configured
        assert configure is not None
        allowed_s = self._allowed_s(now_s, configure)
        if allowed_s <= 0:
            return
        lease_s = configure.lease_ms / 1000
        self._run = Run(
            start_s=now_s,
            bounds=self._bounds(configure),
            pad_area_mm2=configure.program.pad_area_mm2,
            lease_s=lease_s,
            lease_until_s=now_s + lease_s,
            ends_s=now_s + allowed_s,
        )

    def _renew(self, now_s: float) -> None:
        run = self._run
        if run is not None:
            run.lease_until_s = now_s + run.lease_s

    def _set_level(self, now_s: float) -> None:
        """Moves the output within the envelope, which is judged on the pulses."""

    # What the member and the world do

    def _press(self, now_s: float, press: Span) -> None:
        stops = self._run is not None and self._flows(now_s - 0.1, now_s + 0.05)
        self._end("button", now_s)
        if press.end_s - press.start_s + self._stalled_s(press) >= _HOLD_S and not stops:
            self._held = press

    def _pads(self, now_s: float, load: Load, until_s: float) -> None:
        run = self._run
        if run is None:
            return
        if load == OPEN:
            recent_a = self._strongest_a(now_s - 0.35, now_s)
            if recent_a >= _MEASURABLE_A and until_s - now_s > _PADS_NOTICED_S:
                self._end("pad off", now_s)
            return
        least_a = _MEASURABLE_A if load == SHORT else _REFERENCE_A
        if load != SHORT and self._strongest_a(run.start_s, now_s - _REFERENCE_S) < _REFERENCE_A:
            return
        if load == SHORT or load.contact < 1.0:
            noticed_s = self._first_above(least_a, now_s, until_s)
            if noticed_s is not None and until_s - noticed_s > _PADS_NOTICED_S:
                self._end("short" if load == SHORT else "pad half off", noticed_s)

    def _end(self, cause: str, now_s: float, completed: bool = False) -> None:
        within_s = STOP_S.get(cause, OTHER_STOP_S) + SLOW_CONDITIONS_S.get(cause, 0.0)
        self._armed_s = None
        if self.licence.checks and self.licence.checks[-1][1] > now_s + within_s:
            self.licence.checks[-1] = (self.licence.checks[-1][0], now_s + within_s)
        run, self._run = self._run, None
        if run is None:
            return
        self._held = None
        run.end_s = now_s + within_s
        self.licence.permitted.append((run.start_s, run.end_s))
        self.licence.stops.append(Stop(cause, now_s, within_s))
        if self._flows(run.start_s, run.end_s):
            self.licence.runs.append(run)
            self._note_session(run, now_s, completed)

    def _stall(self, now_s: float) -> None:
        """Ends a run; a device that was only armed may go on: its next step is a new command, and zero."""
        if self._run is not None:
            self._end("stall", now_s)

    # The day's dose

    def _allowed_s(self, now_s: float, configure: stimulation.Configure) -> float:
        """How long a session may run that starts now, counting only what the world is sure of."""
        bounds = self._bounds(configure)
        day = [session for session in self._sessions if now_s - session.end_s < DAY_S]
        left_s = bounds[limits.DAY_TIME].value / 1000 - sum(session.used_s for session in day)
        last = self._sessions[-1] if self._sessions else None
        session_s = configure.program.session_ms / 1000
        if last is not None and not last.completed and now_s - last.end_s <= _RESUME_S:
            return min(session_s - last.used_s, left_s)
        if len(day) >= bounds[limits.DAY_SESSIONS].value:
            return 0.0
        if last is not None and now_s - last.end_s < bounds[limits.REST].value / 1000 - 1.0:
            return 0.0
        return min(session_s, left_s)

    def _note_session(self, run: Run, now_s: float, completed: bool) -> None:
        used_s = max(0.0, self._last_given_s(run.end_s) - run.start_s - _USED_UNSURE_S)
        last = self._sessions[-1] if self._sessions else None
        if last is not None and not last.completed and run.start_s - last.end_s <= _RESUME_S:
            last.used_s += used_s
            last.end_s = now_s
            last.completed = completed
        else:
            self._sessions.append(_Session(now_s, used_s, completed))

    # What the record shows

    def _flows(self, from_s: float, to_s: float) -> bool:
        low, high = np.searchsorted(self._time_s, (from_s, to_s))
        return bool(self._powered[low:high].any())

    def _last_given_s(self, before_s: float) -> float:
        given = np.flatnonzero(self._powered[: int(np.searchsorted(self._time_s, before_s))])
        return float(self._time_s[given[-1]])

    def _strongest_a(self, from_s: float, to_s: float) -> float:
        low, high = np.searchsorted(self._time_s, (from_s, to_s))
        return float(self._current_a[low:high].max(initial=0.0))

    def _first_above(self, current_a: float, from_s: float, to_s: float) -> float | None:
        low, high = np.searchsorted(self._time_s, (from_s, to_s))
        above = np.flatnonzero(self._current_a[low:high] >= current_a)
        return float(self._time_s[low + above[0]]) if above.size else None

    # Helpers

    def _bounds(self, configure: stimulation.Configure) -> dict[int, Bound]:
        program = configure.program
        plan = {code: value for code, value in configure.limits if code in limits.BY_CODE}
        bounds = limits.effective(self._board, plan, program.pad_area_mm2, program.contact_permille)
        peak = bounds[limits.PEAK_CURRENT]
        if program.current_ua < peak.value:  # what the programme does not ask for is not licensed either
            bounds[limits.PEAK_CURRENT] = peak._replace(value=program.current_ua)
        return bounds

    def _unfit(self, now_s: float) -> bool:
        spans: Sequence[Span] = [
            span
            for condition, spans in self._facts.unfit.items()
            if condition not in _ASKED_ONLY_WHEN_USED
            for span in spans
        ]
        return any(span.start_s <= now_s < span.end_s for span in spans)

    def _processed_s(self, delivered_s: float) -> float:
        """A stalled device takes what has come when it goes on."""
        for stall in self._facts.stalls:
            if stall.start_s <= delivered_s < stall.end_s:
                return stall.end_s
        return delivered_s

    def _stalled_from_s(self, now_s: float) -> float:
        """How much longer a check takes that begins now."""
        return sum(
            stall.end_s - stall.start_s
            for stall in self._facts.stalls
            if now_s <= stall.start_s < now_s + _CHECK_S
        )

    def _stalled_s(self, press: Span) -> float:
        """A stalled device cannot see when the button was let go."""
        return sum(
            stall.end_s - stall.start_s
            for stall in self._facts.stalls
            if stall.start_s < press.end_s < stall.end_s
        )


_COMMANDS = {
    stimulation.ARM: _Clerk._arm,  # pyright: ignore[reportPrivateUsage]
    stimulation.START: _Clerk._start,  # pyright: ignore[reportPrivateUsage]
    stimulation.RENEW: _Clerk._renew,  # pyright: ignore[reportPrivateUsage]
    stimulation.SET_LEVEL: _Clerk._set_level,  # pyright: ignore[reportPrivateUsage]
}
