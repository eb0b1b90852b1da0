"""Repetitions out of one movement angle, sample by sample."""

from collections import deque
from copy import copy
from dataclasses import dataclass
from math import inf, radians
from statistics import median
from typing import Literal, Self

from kinetens.motion.repetitions import (
    Repetition,
    RepetitionEvent,
    range_from_ways_rad,
    range_uncertainty_rad,
)

SMALLEST_RANGE_RAD = radians(5.0)
"""What moves less is not a repetition."""
OUTWARD_SHARE = 0.35
"""Share of the usual range that must be gone before a movement is under way."""
TURNING_SHARE = 0.15
"""Share of a way that must be gone in the other direction before the movement has turned."""
TURNING_USUAL_SHARE = 0.1
"""The same as a share of the usual range: hesitations are small beside it."""
SMALLEST_TURN_RAD = radians(2.0)
"""What goes the other way by less has not turned."""
RETURN_SHARE = 0.5
"""Share of the way out that must be gone back before a repetition is complete."""
ALIKE_SHARE = 0.6
"""Two movements in a row that do not come back far enough, but go as far each, are repetitions."""
UNFINISHED_SHARE = 0.28
"""A movement has gone this share of the usual range when the stream ends within it: it is an unfinished repetition."""
OVERDUE = 1.25
"""It has not if it lasts this many usual durations already: it is a new posture."""
STANDING_STILL_S = 0.5
"""Nor if it has stood still for so long."""
OVERSHOOT_SHARE = 2.5
"""A first movement that comes back so much further than it went out prepared one that goes the other way."""
STILL_SPEED_RAD_S = radians(4.0)
"""Slower than this is standing."""
SLOWING_SHARE = 0.1
"""A way back is over when it slows below this share of its peak speed."""
PAUSE_S = 12.0
"""So long after a repetition, the next may go the other way and have another range."""
LIVELY_SHARE = 0.25
"""After a pause, less than this share of the range before it is fidgeting, not a set of smaller repetitions."""
NEW_EXERCISE_S = 60.0
"""After so long a pause any range may come: nothing is known from before."""
LONGEST_HOLD_S = 12.0
"""Who stays out longer, within STAYING_RAD, has taken a new posture."""
STAYING_RAD = radians(4.0)
SHORTEST_S, LONGEST_S = 0.4, 40.0
"""A repetition lasts longer than the one and shorter than the other."""
LONGEST_GAP_S = 0.5
"""A movement with a longer unknown part in one piece is not counted."""
_SPEED_SAMPLES = 4


@dataclass(slots=True)
class Mark:
    """A sample that matters still: its number, its time in s and its angle in rad."""

    number: int
    time_s: float
    angle_rad: float

    def copy(self) -> "Mark":
        """Another one, to be corrected by itself."""
        return Mark(self.number, self.time_s, self.angle_rad)


class RepetitionDetector:
    """Finds repetitions in one joint angle, causally.

    Feed samples in time order with `update(time_s, angle_rad)`; it returns the events that this sample decided,
    at most 0.3 s after the movement ended. A repetition is a way out and a way back between turning points that
    stand out from the movement's own range (rainflow counting, ASTM E1049, with a tolerance that lets it decide
    before the next movement begins); the first way out after a pause says which way is out.
    """

    def __init__(self) -> None:
        self._ranges: deque[float] = deque(maxlen=5)
        self._durations: deque[float] = deque(maxlen=5)
        self._recent: deque[Mark] = deque(maxlen=_SPEED_SAMPLES)
        self._seen = 0
        self._phase: Literal["unknown", "ready", "out", "back"] = "unknown"
        self._sense = 0.0  # +1 or -1: the sign of outward; 0 not known yet
        nowhere = Mark(0, 0.0, 0.0)
        self._start, self._turn, self._low, self._stays = nowhere, nowhere, nowhere, nowhere
        # A way out and back that did not come back far enough: where it turned twice, and how far out it went since.
        self._dip: tuple[Mark, Mark] | None = None
        self._turn_again = nowhere
        self._last_end_s = -inf
        self._before_pause_rad = 0.0
        self._standing_s = self._return_speed = self._peak_speed = self._unknown_s = 0.0

    @property
    def angle_from_start_rad(self) -> float:
        """How far the movement is out now; 0 where it started."""
        return self._way(self._start, self._recent[-1]) if self._recent else 0.0

    @property
    def seen(self) -> int:
        """How many samples it has taken."""
        return self._seen

    @property
    def under_way(self) -> bool:
        """Whether a movement is out, or on its way back."""
        return self._phase in ("out", "back")

    @property
    def marks(self) -> list[Mark]:
        """The samples whose angles are compared with those to come.

        Who finds out that the angle must be measured another way corrects them in place.
        """
        own = [self._start, self._turn, self._low, self._stays, self._turn_again]
        return [*self._recent, *own, *(self._dip or ())]

    def copy(self) -> Self:
        """Another one in the same state."""
        twin = copy(self)
        twin._durations = self._durations.copy()
        twin._ranges = self._ranges.copy()
        twin._recent = deque(map(Mark.copy, self._recent), maxlen=_SPEED_SAMPLES)
        twin._start, twin._turn, twin._low = self._start.copy(), self._turn.copy(), self._low.copy()
        twin._stays, twin._turn_again = self._stays.copy(), self._turn_again.copy()
        twin._dip = self._dip and (self._dip[0].copy(), self._dip[1].copy())
        return twin

    def update(self, time_s: float, angle_rad: float, at_rest: bool = False) -> list[RepetitionEvent]:
        """Take one sample, in s and rad; `at_rest` if the sensor itself says that it does not move."""
        here = Mark(self._seen, time_s, angle_rad)
        self._seen += 1
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
        if abs(angle_rad - self._stays.angle_rad) > STAYING_RAD:
            self._stays = here
        if self._phase == "ready":
            self._await_departure(here)
        elif time_s - self._stays.time_s > LONGEST_HOLD_S or time_s - self._start.time_s > LONGEST_S:
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
        lost = self.under_way
        self._phase = "unknown"
        return [RepetitionEvent("abandoned", time_s)] if lost else []

    def forget(self) -> None:
        """What comes next has nothing to do with what was."""
        self._ranges.clear()
        self._durations.clear()
        self._recent.clear()
        self._phase, self._sense, self._last_end_s, self._before_pause_rad = "unknown", 0.0, -inf, 0.0

    def finish(self) -> list[RepetitionEvent]:
        """No sample follows: a movement like those before that is cut off is an unfinished repetition."""
        if self._phase == "unknown" or not self._recent:
            return []
        here = self._recent[-1]
        if self._phase == "back" and self._has_come_back():
            return self._complete(here)
        if self._ranges and self._is_cut_off(here):
            self._turn = max(self._turn, here, key=lambda mark: self._way(self._start, mark))
            self._low = here
            return self._complete(here, unfinished=True)
        return []

    def _is_cut_off(self, here: Mark) -> bool:
        """Whether a movement like those before was under way: moving, on its way out, not longer than they lasted."""
        moving = self._standing_s < STANDING_STILL_S
        in_time = here.time_s - self._start.time_s < OVERDUE * median(self._durations)
        return moving and in_time and self._way(self._start, here) > UNFINISHED_SHARE * self._usual()

    def _way(self, begin: Mark, end: Mark) -> float:
        """From one mark to another, outward positive."""
        return (self._sense or 1.0) * (end.angle_rad - begin.angle_rad)

    def _usual(self) -> float:
        return median(self._ranges) if self._ranges else 0.0

    def _has_turned(self, begin: Mark, turn: Mark, here: Mark) -> bool:
        enough = max(
            TURNING_SHARE * abs(self._way(begin, turn)),
            TURNING_USUAL_SHARE * self._usual(),
            SMALLEST_TURN_RAD,
        )
        return abs(self._way(turn, here)) > enough

    def _begin_at(self, here: Mark) -> None:
        self._phase = "ready"
        self._start = self._turn = self._low = self._stays = here
        self._dip = None
        self._peak_speed = self._unknown_s = 0.0

    def _await_departure(self, here: Mark) -> None:
        rests_s = here.time_s - self._last_end_s
        if rests_s > PAUSE_S and self._ranges:
            self._before_pause_rad = self._usual()
            self._sense = 0.0
            self._ranges.clear()
            self._durations.clear()
        before = self._before_pause_rad if rests_s < NEW_EXERCISE_S and not self._ranges else 0.0
        threshold = max(SMALLEST_RANGE_RAD, OUTWARD_SHARE * self._usual(), LIVELY_SHARE * before)
        if not self._sense and abs(here.angle_rad - self._start.angle_rad) > threshold:
            self._sense = 1.0 if here.angle_rad > self._start.angle_rad else -1.0
        if self._way(self._start, here) > threshold:
            self._phase = "out"
            self._turn = here
        elif self._standing_s > 0.0 or (self._sense and self._way(self._start, here) <= 0.0):
            self._begin_at(here)

    def _follow_out(self, here: Mark) -> None:
        if self._way(self._turn, here) >= 0.0:
            self._turn = here
        if self._way(self._turn_again, here) >= 0.0:
            self._turn_again = here
        begin, turn = (self._dip[1], self._turn_again) if self._dip else (self._start, self._turn)
        if here is not turn and self._has_turned(begin, turn, here):
            self._phase = "back"
            self._low = here
            self._return_speed = 0.0

    def _follow_back(self, here: Mark, return_speed: float) -> list[RepetitionEvent]:
        if self._way(self._low, here) <= 0.0:
            self._low = here
        self._return_speed = max(self._return_speed, return_speed)
        if return_speed < max(STILL_SPEED_RAD_S, SLOWING_SHARE * self._return_speed):
            if self._was_preparation():
                self._sense = -self._sense
                self._start, self._turn, self._phase, self._dip = self._turn, self._low, "out", None
                return []
            if self._has_come_back():
                return self._complete(here)
            if self._dip and self._is_like(*self._dip):
                return self._complete_both(here, *self._dip)
        if not self._has_come_back() and self._has_turned(self._turn, self._low, here):
            self._phase = "out"
            self._dip = self._turn, self._low
            self._turn_again = here
        return []

    def _has_come_back(self) -> bool:
        wanted = self._way(self._start, self._turn)
        if self._ranges:
            wanted = min(wanted, self._usual())
        return self._way(self._low, self._turn) >= RETURN_SHARE * wanted

    def _was_preparation(self) -> bool:
        way_out, way_back = self._way(self._start, self._turn), self._way(self._low, self._turn)
        return not self._ranges and way_back > OVERSHOOT_SHARE * way_out

    def _is_like(self, turn: Mark, low: Mark) -> bool:
        """Whether the movement since went as far out and back as the way back from `turn` to `low`."""
        ways = self._way(low, turn), self._way(low, self._turn_again), self._way(self._low, self._turn_again)
        return min(ways[1:]) >= ALIKE_SHARE * max(ways)

    def _complete_both(self, here: Mark, turn: Mark, low: Mark) -> list[RepetitionEvent]:
        """What looked like a hesitation was a repetition that had begun from further off: here is its like."""
        again = low, self._turn_again, self._low
        self._turn, self._low = turn, low
        events = self._complete(here)
        self._start, self._turn, self._low = again
        return events + self._complete(here)

    def _complete(self, here: Mark, unfinished: bool = False) -> list[RepetitionEvent]:
        lasts_s = self._low.time_s - self._start.time_s
        found = Repetition(
            self._start.time_s,
            self._turn.time_s,
            self._low.time_s,
            range_from_ways_rad(
                self._way(self._start, self._turn), self._way(self._low, self._turn), lasts_s
            ),
            range_uncertainty_rad(lasts_s, self._unknown_s, self._peak_speed),
            self._peak_speed,
            self._unknown_s,
            unfinished=unfinished,
        )
        self._last_end_s = found.end_s
        self._standing_s = 0.0
        self._begin_at(self._low)
        if lasts_s > LONGEST_S or (lasts_s < SHORTEST_S and not unfinished):
            return []
        self._durations.append(lasts_s)
        self._ranges.append(found.range_of_motion_rad)
        return [RepetitionEvent("completed", here.time_s, found)]
