"""From one sensor's orientation stream to repetitions and their range of motion, as it arrives."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kinetens.errors import InvalidInput
from kinetens.motion.angle import MovementPlane
from kinetens.motion.doubling import DipJoiner
from kinetens.motion.heading import HeadingDrift
from kinetens.motion.quaternion import Quaternions
from kinetens.motion.repetitions import (
    LONGEST_S,
    Mark,
    Repetition,
    RepetitionDetector,
    RepetitionEvent,
    range_from_ways_rad,
    range_uncertainty_rad,
)

STEP_S = 0.04
"""Movements of people are followed at 25 Hz, however fast the sensor streams."""
WIDEST_STEP_S = 0.1
"""Samples further apart than this have a gap between them."""
STEPS_A_PLANE = 5
"""The plane of movement is found anew after so many steps."""
SAME_PLANE = 0.95
"""When the plane has become less like the one it was, the movement under way is looked at again."""
_TOLERANCE_S = 0.002
_REMEMBERED = int(LONGEST_S / STEP_S) + 24


class MovementMeter:
    """Counts and measures repetitions in one sensor's orientations, sample by sample.

    Samples in, events out; a recording is the same thing, faster, and gives the same result however it is cut
    into calls. Missing samples are unknown: nothing is interpolated, and a movement with a long unknown part is
    not counted. `repetitions` holds those completed, `unknown_s` the time that was not received.
    """

    def __init__(self) -> None:
        self.repetitions: list[Repetition] = []
        self.unknown_s = 0.0
        self._detector = RepetitionDetector()
        self._plane = MovementPlane()
        self._heading = HeadingDrift()
        self._joiner = DipJoiner()
        self._settle()
        # The last steps, as a ring: step number n is at n modulo its length.
        self._step_times_s = np.zeros(_REMEMBERED)
        self._step_quaternions = np.zeros((_REMEMBERED, 4))
        self._step_at_rest = np.zeros(_REMEMBERED, dtype=np.bool_)
        self._steps = 0
        self._learnt = 0
        self._last_s = self._next_step_s = -np.inf
        self._trace: list[tuple[float, float]] = []

    @property
    def current_angle_rad(self) -> float:
        """How far the movement is out now; 0 where it started."""
        return self._detector.angle_from_start_rad

    @property
    def trace(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Times in s (M,) and `current_angle_rad` (M,) at the steps of the last update, 25 a second."""
        table = np.array(self._trace).reshape(-1, 2)
        return table[:, 0], table[:, 1]

    def update(
        self,
        times_s: NDArray[np.float64],
        quaternions: Quaternions,
        at_rest: NDArray[np.bool_] | None = None,
        known: NDArray[np.bool_] | None = None,
    ) -> list[RepetitionEvent]:
        """Take samples in time order.

        Args:
            times_s: (N,) in s, increasing; a step wider than 0.1 s is a gap.
            quaternions: (N, 4) unit, scalar first, sensor to world.
            at_rest: (N,) True where the sensor itself says that it does not move.
            known: (N,) False where a sample was not received: its quaternion is not looked at.

        Raises:
            InvalidInput: times that do not increase, or shapes that do not fit.
        """
        times_s, quaternions, at_rest = _usable(times_s, quaternions, at_rest, known, self._last_s)
        self._trace = []
        events: list[RepetitionEvent] = []
        if len(times_s):
            self._last_s = float(times_s[-1])
        steps = self._choose_steps(times_s.tolist())
        taken = 0
        while taken < len(steps):
            # Cut where the plane is due, so that the result does not depend on how the stream was cut.
            block = steps[taken : taken + self._steps_until_plane()]
            taken += len(block)
            events += self._take(times_s[block], quaternions[block], at_rest[block])
        return events

    def finish(self) -> list[RepetitionEvent]:
        """The stream has ended: a movement that has come far enough is a repetition."""
        return self._record(self._detector.finish())

    def _steps_until_plane(self) -> int:
        """The plane is found anew after 1, 1, 2, 4, 5, 5, 5 ... steps."""
        return min(STEPS_A_PLANE, max(1, self._learnt)) - (self._steps - self._learnt)

    def _choose_steps(self, times_s: list[float]) -> list[int]:
        steps: list[int] = []
        for index, time_s in enumerate(times_s):
            if time_s >= self._next_step_s - _TOLERANCE_S:
                steps.append(index)
                self._next_step_s = max(self._next_step_s + STEP_S, time_s + STEP_S / 2.0)
        return steps

    def _take(
        self, times_s: NDArray[np.float64], quaternions: Quaternions, at_rest: NDArray[np.bool_]
    ) -> list[RepetitionEvent]:
        new = np.arange(self._steps, self._steps + len(times_s))
        places = new % _REMEMBERED
        self._step_times_s[places] = times_s
        self._step_quaternions[places] = self._heading.steady(times_s, quaternions)
        self._step_at_rest[places] = at_rest
        self._steps += len(times_s)
        gaps_s = np.diff(self._step_times_s[(new[0] - 1 + np.arange(len(new) + 1)) % _REMEMBERED])
        self.unknown_s += float(np.sum(gaps_s[gaps_s > WIDEST_STEP_S] - STEP_S)) if new[0] else 0.0
        events = self._detect(new, live=True)
        if self._steps_until_plane() == 0:
            events += self._learn_plane()
        return events

    def _detect(self, steps: NDArray[np.intp], live: bool) -> list[RepetitionEvent]:
        """Let the detector see remembered steps."""
        places = steps % _REMEMBERED
        times_s = self._step_times_s[places].tolist()
        angles = self._plane.angles(self._step_quaternions[places]).tolist()
        before_s = self._step_times_s[(steps[0] - 1) % _REMEMBERED] if steps[0] else times_s[0]
        events: list[RepetitionEvent] = []
        for time_s, angle, rests in zip(times_s, angles, self._step_at_rest[places].tolist(), strict=True):
            if time_s - before_s > WIDEST_STEP_S:
                events += self._record(self._detector.gap(time_s, time_s - before_s - STEP_S))
            before_s = time_s
            events += self._record(self._detector.update(time_s, angle, rests))
            if live:
                self._trace.append((time_s, self._detector.angle_from_start_rad))
        return events

    def _learn_plane(self) -> list[RepetitionEvent]:
        new = np.arange(self._learnt, self._steps) % _REMEMBERED
        self._learnt = self._steps
        self._heading.learn(self._step_times_s[new], self._step_quaternions[new])
        self._plane.learn(self._step_quaternions[new], len(new) * STEP_S)
        look_again = self._detector.under_way and self._plane.likeness(self._settled_axes) < SAME_PLANE
        if look_again:
            self._detector = self._settled.copy()
        self._restate(self._detector.marks)
        if look_again:
            self._settled_axes = self._plane.axes
            return self._detect(np.arange(self._detector.seen, self._steps), live=False)
        if not self._detector.under_way:
            self._settle()
        return []

    def _settle(self) -> None:
        """What was decided stays: from here on a movement may be looked at again."""
        self._settled = self._detector.copy()
        self._settled_axes = self._plane.axes

    def _restate(self, marks: list[Mark]) -> None:
        places = np.array([mark.number for mark in marks], dtype=np.intp) % _REMEMBERED
        for mark, angle in zip(
            marks, self._plane.angles(self._step_quaternions[places]).tolist(), strict=True
        ):
            mark.angle_rad = angle

    def _record(self, events: list[RepetitionEvent]) -> list[RepetitionEvent]:
        recorded: list[RepetitionEvent] = []
        for event in events:
            repetition = event.repetition and self._measured(event.repetition)
            if repetition:
                self.repetitions.append(repetition)
                if self._joiner.join(self.repetitions, self._orientations_until(repetition.end_s), STEP_S):
                    continue
            recorded.append(replace(event, repetition=repetition))
        if events:
            self._settle()
        return recorded

    def _orientations_until(self, time_s: float) -> Quaternions:
        kept = np.arange(max(0, self._steps - _REMEMBERED), self._steps) % _REMEMBERED
        return self._step_quaternions[kept[: np.searchsorted(self._step_times_s[kept], time_s)]]

    def _measured(self, found: Repetition) -> Repetition:
        """The repetition, measured again along the plane as it is known now."""
        kept = np.arange(max(0, self._steps - _REMEMBERED), self._steps) % _REMEMBERED
        times_s = self._step_times_s[kept]
        inside = kept[(times_s >= found.start_s) & (times_s <= found.end_s)]
        times_s = self._step_times_s[inside]
        angles = np.unwrap(self._plane.angles(self._step_quaternions[inside]))
        at_turn = float(angles[np.searchsorted(times_s, found.turn_s)])
        way_out, way_back = abs(at_turn - float(angles[0])), abs(at_turn - float(angles[-1]))
        speed = float(np.max(np.abs(np.diff(angles) / np.diff(times_s))))
        return replace(
            found,
            range_of_motion_rad=range_from_ways_rad(way_out, way_back, found.duration_s),
            uncertainty_rad=range_uncertainty_rad(found.duration_s, found.unknown_s, speed),
            peak_speed_rad_s=speed,
        )


def _usable(
    times_s: NDArray[np.float64],
    quaternions: Quaternions,
    at_rest: NDArray[np.bool_] | None,
    known: NDArray[np.bool_] | None,
    after_s: float,
) -> tuple[NDArray[np.float64], Quaternions, NDArray[np.bool_]]:
    times_s = np.asarray(times_s, dtype=np.float64)
    quaternions = np.asarray(quaternions, dtype=np.float64)
    if times_s.ndim != 1 or quaternions.shape != (len(times_s), 4):
        raise InvalidInput(
            f"orientations must be (N, 4) for (N,) times, not {quaternions.shape} for {times_s.shape}."
        )
    if not np.all(np.diff(times_s, prepend=after_s) > 0.0):
        raise InvalidInput("times must increase from sample to sample; sort the recording by time.")
    rests = np.zeros(len(times_s), dtype=np.bool_) if at_rest is None else np.asarray(at_rest, dtype=np.bool_)
    usable = np.isfinite(quaternions).all(axis=1)
    if known is not None:
        usable &= np.asarray(known, dtype=np.bool_)
    return times_s[usable], quaternions[usable], rests[usable]
