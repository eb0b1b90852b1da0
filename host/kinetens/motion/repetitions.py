"""Repetitions out of one movement angle, sample by sample."""

from collections import deque
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from math import inf, radians
from statistics import median
from typing import Literal

SMALLEST_RANGE_RAD = radians(5.0)
"""What moves less is not a repetition."""
OUTWARD_SHARE = 0.35
"""Share of the usual range that must be gone before a movement counts as under way."""
DIP_OF_USUAL=0.2
HELD_RAD=radians(4.0)
HYST=radians(2.0)
TURNING_SHARE = 0.15
"""Share of the way out that must be gone back before the movement counts as on its way back."""
RETURN_SHARE = 0.6
"""Share of the way out that must be gone back before a repetition is complete."""
STILL_SPEED_RAD_S = radians(4.0)
"""Slower than this is standing."""
SLOWING_SHARE = 0.1
"""A way back is over when it slows below this share of its peak speed."""
PAUSE_S = 12.0
"""After standing so long where movements start, the next may go the other way and have another range."""
OVERSHOOT_SHARE = 2.5
"""A first movement that comes back so much further than it went out was a preparation: the way back is the way out."""
LONGEST_HOLD_S = 12.0
"""Who stands longer than this further out has taken a new posture."""
DIP_SHARE = 0.6
"""Two movements in a row that come back less far, but so much alike, are repetitions."""
SHORTEST_S, LONGEST_S = 0.4, 40.0
"""A repetition lasts longer than the one and shorter than the other."""
LONGEST_GAP_S = 0.5
"""A movement with a longer unknown part in one piece is not counted."""
_DRIFT_RAD_S = radians(0.1)
_SPEED_SAMPLES = 4


@dataclass(frozen=True, slots=True)
class Repetition:
    """One movement out to its turn and back again.

    Times in s on the samples' clock. `uncertainty_rad` is half the width of the 95 % interval of the range of
    motion; `unknown_s` is how much of the repetition was not received.
    """

    start_s: float
    turn_s: float
    end_s: float
    range_of_motion_rad: float
    uncertainty_rad: float
    peak_speed_rad_s: float
    unknown_s: float = 0.0

    @property
    def duration_s(self) -> float:
        """From start to end."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class RepetitionEvent:
    """What one sample decided.

    `completed` carries the repetition. `abandoned` says that a movement under way is not counted because part
    of it was not received.
    """

    kind: Literal["completed", "abandoned"]
    time_s: float
    repetition: Repetition | None = None


@dataclass(frozen=True, slots=True)
class RangeOfMotionSummary:
    """Range of motion over repetitions, in rad."""

    median_rad: float
    min_rad: float
    max_rad: float


def summarise(repetitions: Sequence[Repetition]) -> RangeOfMotionSummary | None:
    """Median, least and greatest range of motion; None where there is no repetition."""
    ranges = [repetition.range_of_motion_rad for repetition in repetitions]
    return RangeOfMotionSummary(median(ranges), min(ranges), max(ranges)) if ranges else None


def range_from_ways_rad(way_out_rad: float, way_back_rad: float, duration_s: float) -> float:
    """Range of motion from the way out and the way back.

    A difference that drift explains is drift, which the mean of both cancels; a greater one is a return cut
    short (or a start from further off), and the longer way is the range.
    """
    if abs(way_out_rad - way_back_rad) <= 2.0 * _DRIFT_RAD_S * duration_s + radians(1.0):
        return (way_out_rad + way_back_rad) / 2.0
    return max(way_out_rad, way_back_rad)


def range_uncertainty_rad(duration_s: float, unknown_s: float, peak_speed_rad_s: float) -> float:
    """Half the 95 % interval of a range of motion from one sensor's orientation without a magnetometer.

    Inclination is good to 0.5 degrees; heading drifts 3 degrees a minute on average and 10 at worst (VQF on
    BROAD); where samples are missing at a turn, the turn may lie beyond what was seen.
    """
    seen = radians(0.5) ** 2 + (_DRIFT_RAD_S * duration_s) ** 2
    return float((seen + (0.25 * unknown_s * peak_speed_rad_s) ** 2) ** 0.5)


@dataclass(slots=True)
class Mark:
    """A sample that matters still: its number, its time in s and its angle in rad."""

    number: int
    time_s: float
    angle_rad: float


@dataclass(slots=True)
class _Dip:
    """A way out and back that did not come back far enough: a hesitation, or a repetition from another start."""

    start: Mark
    turn: Mark
    low: Mark


class RepetitionDetector:
    """Finds repetitions in one joint angle, causally.

    Feed samples in time order with `update(time_s, angle_rad)`; it returns the events that this sample decided,
    at most 0.3 s after the movement ended. Turning points with hysteresis, whose threshold follows the
    movement's own range; a repetition is a way out and a way back, and the first way out after a pause says
    which way is out.
    """

    def __init__(self) -> None:
        self._ranges: deque[float] = deque(maxlen=5)
        self._recent: deque[Mark] = deque(maxlen=_SPEED_SAMPLES)
        self._count = 0
        self._sense = 0.0
        self._phase: Literal["unknown", "ready", "out", "back"] = "unknown"
        self._start = self._turn = self._low = Mark(0, 0.0, 0.0)
        self._since_dip = self._start  # the furthest out since the dip
        self._dip: _Dip | None = None
        self._held = self._start
        self._last_end_s = -inf
        self._standing_s = self._return_speed = self._peak_speed = self._unknown_s = 0.0

    @property
    def angle_from_start_rad(self) -> float:
        """How far the movement is out now; 0 where it started."""
        return self._out(self._start, self._recent[-1]) if self._recent else 0.0

    @property
    def under_way(self) -> bool:
        """Whether a movement is out, or on its way back."""
        return self._phase in ("out", "back")

    @property
    def marks(self) -> list[Mark]:
        """The samples whose angles are compared with those to come.

        Who finds out that the angle must be measured another way corrects them in place.
        """
        dip = [self._dip.start, self._dip.turn, self._dip.low] if self._dip else []
        return [*self._recent, self._start, self._held, self._turn, self._low, self._since_dip, *dip]

    def copy(self) -> "RepetitionDetector":
        """Another one in the same state."""
        twin = copy(self)
        twin._ranges = self._ranges.copy()
        twin._recent = deque((copy(m) for m in self._recent), maxlen=_SPEED_SAMPLES)
        twin._start, twin._turn, twin._low, twin._since_dip = map(copy, (self._start, self._turn, self._low, self._since_dip))
        twin._held = copy(self._held)
        return twin

    def update(self, time_s: float, angle_rad: float, at_rest: bool = False) -> list[RepetitionEvent]:
        """Take one sample, in s and rad; `at_rest` if the sensor itself says that it does not move."""
        here = Mark(self._count, time_s, angle_rad)
        self._count += 1
        self._recent.append(here)
        before = self._recent[0]
        if self._phase == "unknown":
            self._begin_at(here)
        if before is here:
            return []  # the first, or the first after a gap: no speed is known yet
        speed = (angle_rad - before.angle_rad) / (time_s - before.time_s)
        self._peak_speed = max(self._peak_speed, abs(speed))
        standing = at_rest or abs(speed) < STILL_SPEED_RAD_S
        self._standing_s = self._standing_s + time_s - self._recent[-2].time_s if standing else 0.0
        if abs(angle_rad - self._held.angle_rad) > HELD_RAD:
            self._held = here
        if self._phase == "ready":
            self._await_departure(here)
        elif time_s - self._held.time_s > LONGEST_HOLD_S or time_s - self._start.time_s > LONGEST_S:
            self._begin_at(here)
        elif self._phase == "out":
            self._follow_out(here)
        else:
            return self._follow_back(here, -self._sense * speed)
        return []

    def gap(self, time_s: float, duration_s: float) -> list[RepetitionEvent]:
        """The samples of the last `duration_s` before `time_s` are missing."""
        self._recent.clear()
        self._unknown_s += duration_s
        if duration_s <= LONGEST_GAP_S:
            return []
        under_way = self.under_way
        self._phase = "unknown"
        return [RepetitionEvent("abandoned", time_s)] if under_way else []

    def finish(self) -> list[RepetitionEvent]:
        """No sample follows: a movement that has reached its usual range, or has come back, is a repetition."""
        if not self._recent:
            return []
        here = self._recent[-1]
        if self._phase == "back" and self._has_come_back():
            return self._complete(here)
        if self._phase in ("out", "back") and self._ranges:
            if self._out(self._start, self._turn) >= RETURN_SHARE * median(self._ranges):
                self._low = here
                return self._complete(here)
        return []

    def _out(self, nearer: Mark, further: Mark) -> float:
        return (self._sense or 1.0) * (further.angle_rad - nearer.angle_rad)

    def _begin_at(self, here: Mark) -> None:
        self._phase = "ready"
        self._start = self._turn = self._low = here
        self._dip = None
        self._held = here
        self._peak_speed = self._unknown_s = 0.0

    def _last_turn(self) -> Mark:
        if self._phase == "back":
            return self._low
        return self._since_dip if self._dip else self._turn

    def _usual(self) -> float:
        return median(self._ranges) if self._ranges else 0.0

    def _turning(self, way: float) -> float:
        """How far the movement must come back, after so long a way out, to be on its way back."""
        return max(TURNING_SHARE * way, DIP_OF_USUAL * self._usual(), HYST)

    def _await_departure(self, here: Mark) -> None:
        threshold = max(SMALLEST_RANGE_RAD, OUTWARD_SHARE * self._usual())
        away = self._out(self._start, here)
        if here.time_s - self._last_end_s > PAUSE_S:
            self._sense = 0.0
            self._ranges.clear()
        if not self._sense and abs(away) > threshold:
            self._sense = 1.0 if away > 0.0 else -1.0
            away = abs(away)
        if away > threshold:
            self._phase = "out"
            self._turn = here
        elif self._standing_s > 0.0 or (self._sense and away <= 0.0):
            self._begin_at(here)

    def _follow_out(self, here: Mark) -> None:
        if self._out(self._turn, here) >= 0.0:
            self._turn = here
        if self._out(self._since_dip, here) >= 0.0:
            self._since_dip = here
        furthest = self._last_turn()
        if self._out(here, furthest) > self._turning(self._out(self._dip.low if self._dip else self._start, furthest)):
            self._phase = "back"
            self._low = here
            self._return_speed = 0.0

    def _has_come_back(self) -> bool:
        wanted = self._out(self._start, self._turn)
        if self._ranges:
            wanted = min(wanted, median(self._ranges))
        return self._out(self._low, self._turn) >= RETURN_SHARE * wanted

    def _has_overshot(self) -> bool:
        """Whether a first movement turns out to be the preparation of the real one, which goes the other way."""
        way_out, way_back = self._out(self._start, self._turn), self._out(self._low, self._turn)
        return not self._ranges and way_back > OVERSHOOT_SHARE * way_out

    def _follow_back(self, here: Mark, return_speed: float) -> list[RepetitionEvent]:
        if self._out(self._low, here) <= 0.0:
            self._low = here
        self._return_speed = max(self._return_speed, return_speed)
        slow = return_speed < max(STILL_SPEED_RAD_S, SLOWING_SHARE * self._return_speed)
        if slow and self._has_overshot():
            self._sense = -self._sense
            self._start, self._turn, self._phase, self._dip = self._turn, self._low, "out", None
            return []
        if slow and self._has_come_back():
            return self._complete(here)
        if slow and self._dip and self._is_like(self._dip):
            return self._complete_both(here, self._dip)
        if self._out(self._low, here) > self._turning(self._out(self._low, self._turn)):
            self._phase = "out"
            self._dip = _Dip(self._start, self._turn, self._low)
            self._since_dip = here
        return []

    def _is_like(self, dip: _Dip) -> bool:
        """Whether the movement since the dip went as far out and back as the dip itself."""
        first_back = self._out(dip.low, dip.turn)
        way_out, way_back = self._out(dip.low, self._since_dip), self._out(self._low, self._since_dip)
        return min(way_out, way_back) >= DIP_SHARE * max(first_back, way_out, way_back)

    def _complete_both(self, here: Mark, dip: _Dip) -> list[RepetitionEvent]:
        """What looked like a hesitation was a repetition that had begun from further off: here is its like."""
        again, low = self._since_dip, self._low
        self._start, self._turn, self._low = dip.start, dip.turn, dip.low
        events = self._complete(here)
        self._start, self._turn, self._low = dip.low, again, low
        return events + self._complete(here)

    def _complete(self, here: Mark) -> list[RepetitionEvent]:
        duration_s = self._low.time_s - self._start.time_s
        way_out, way_back = self._out(self._start, self._turn), self._out(self._low, self._turn)
        found = Repetition(
            self._start.time_s,
            self._turn.time_s,
            self._low.time_s,
            range_from_ways_rad(way_out, way_back, duration_s),
            range_uncertainty_rad(duration_s, self._unknown_s, self._peak_speed),
            self._peak_speed,
            self._unknown_s,
        )
        self._last_end_s = self._low.time_s
        self._begin_at(self._low)
        self._standing_s = 0.0
        if not SHORTEST_S <= duration_s <= LONGEST_S:
            return []
        self._ranges.append(found.range_of_motion_rad)
        return [RepetitionEvent("completed", here.time_s, found)]
