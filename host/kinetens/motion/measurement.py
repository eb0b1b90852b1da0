"""From one sensor's orientation stream to repetitions and their range of motion, as it arrives."""

from bisect import bisect_left
from dataclasses import replace
from statistics import median

import numpy as np
from numpy.typing import NDArray
from scipy import constants

from kinetens.errors import InvalidInput
from kinetens.motion.angle import MovementPlane
from kinetens.motion.course import measured
from kinetens.motion.detector import LONGEST_S, Mark, RepetitionDetector
from kinetens.motion.doubling import DipJoiner
from kinetens.motion.gait import LOOKED_AT_EVERY, WIDEST_SWING_RAD, WINDOW_STEPS, WalkingDetector
from kinetens.motion.heading import HeadingDrift, Quaternion
from kinetens.motion.quaternion import Quaternions
from kinetens.motion.repetitions import Repetition, RepetitionEvent
from kinetens.motion.sets import BOUT_PAUSE_S, of_exercise

STEP_S = 0.04
"""Movements of people are followed at 25 Hz, however fast the sensor streams."""
WIDEST_STEP_S = 0.1
"""Samples further apart than this have a gap between them."""
STEPS_A_PLANE = 5
"""The plane of movement is found anew after so many steps."""
SAME_PLANE = 0.95
"""When the plane has become less like the one it was, the movement under way is looked at again."""
_TOLERANCE_S = 0.002
_COMPARED = 520
"""Steps back to which two dips are compared: 6.6 of the longest."""
_REMEMBERED = int(LONGEST_S / STEP_S) + 24


class MovementMeter:
    """Counts and measures repetitions in one sensor's orientations, sample by sample.

    Samples in, events out; a recording is the same thing, faster, and gives the same result however it is cut
    into calls. Missing samples are unknown: nothing is interpolated, and a movement with a long unknown part is
    not counted. `repetitions` holds those that count, `unknown_s` the time that was not received,
    `walked_s` that spent walking.

    A repetition counts as soon as it is over. What turns out to be walking, or a movement that is no
    exercise (motion/sets.py), is withdrawn.
    """

    def __init__(self) -> None:
        self.repetitions: list[Repetition] = []
        self.unknown_s = self.walked_s = 0.0
        self._detector = RepetitionDetector()
        self._plane = MovementPlane()
        self._heading = HeadingDrift()
        self._joiner = DipJoiner()
        self._walking = WalkingDetector()
        self._settle()
        # The last steps; number n is at n - self._forgotten.
        self._times_s: list[float] = []
        self._quaternions: list[Quaternion] = []
        self._rests: list[bool] = []
        self._forgotten = 0
        self._learnt = 0
        self._withdrew = False
        self._decided = 0
        """So many of the repetitions are no longer looked at: they belong to bouts that are over."""
        self._last_s = self._next_step_s = -np.inf
        self._vertical_sum = self._step_sum = 0.0
        self._samples = self._step_samples = 0
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
        force_m_s2: NDArray[np.float64] | None = None,
    ) -> list[RepetitionEvent]:
        """Take samples in time order.

        Args:
            times_s: (N,) in s, increasing; a step wider than 0.1 s is a gap.
            quaternions: (N, 4) unit, scalar first, sensor to world.
            at_rest: (N,) True where the sensor itself says that it does not move.
            known: (N,) False where a sample was not received: its quaternion is not looked at.
            force_m_s2: (N, 3) specific force, sensor frame; without it walking is not told from exercise.

        Raises:
            InvalidInput: times that do not increase, or shapes that do not fit.
        """
        times_s, quaternions, usable = _usable(times_s, quaternions, known, self._last_s)
        self._trace = []
        events: list[RepetitionEvent] = []
        if len(times_s):
            self._last_s = float(times_s[-1])
        chosen = self._choose_steps(times_s.tolist())
        taken = quaternions[chosen]
        rests = [False] * len(chosen) if at_rest is None else np.asarray(at_rest)[usable][chosen].tolist()
        vertical = [np.nan] * len(chosen)
        if force_m_s2 is not None:
            forces = np.asarray(force_m_s2, dtype=np.float64)[usable]
            vertical = self._vertical_since_step(_vertical(quaternions, forces), chosen)
        for step in zip(times_s[chosen].tolist(), taken.tolist(), rests, vertical, strict=True):
            self._take(*step, events)
        return events

    def finish(self) -> list[RepetitionEvent]:
        """The stream has ended: a movement that has come far enough is a repetition."""
        events = self._record(self._detector.finish())
        self._close_bout(self._last_s, events)
        return events

    def _choose_steps(self, times_s: list[float]) -> list[int]:
        steps: list[int] = []
        index, next_s = 0, self._next_step_s
        while (index := bisect_left(times_s, next_s - _TOLERANCE_S, index)) < len(times_s):
            steps.append(index)
            next_s = max(next_s + STEP_S, times_s[index] + STEP_S / 2.0)
            index += 1
        self._next_step_s = next_s
        return steps

    def _vertical_since_step(self, vertical_m_s2: NDArray[np.float64], steps: list[int]) -> list[float]:
        """Mean vertical acceleration since the step before, at each of the steps."""
        # Sums go on from call to call in one order, so that they do not depend on how the stream was cut.
        sums = np.cumsum(np.concatenate([[self._vertical_sum], vertical_m_s2]))
        counts = self._samples + np.arange(len(sums))
        self._vertical_sum, self._samples = float(sums[-1]), int(counts[-1])
        ends = np.array(steps, dtype=np.intp) + 1
        at_steps = np.concatenate([[self._step_sum], sums[ends]])
        counted = np.concatenate([[self._step_samples], counts[ends]])
        self._step_sum, self._step_samples = float(at_steps[-1]), int(counted[-1])
        return (np.diff(at_steps) / np.diff(counted)).tolist()

    def _take(
        self,
        time_s: float,
        quaternion: list[float],
        rests: bool,
        vertical_m_s2: float,
        events: list[RepetitionEvent],
    ) -> None:
        since_s = time_s - self._times_s[-1] if self._times_s else 0.0
        steadied = self._heading.steady(time_s, quaternion)
        self._times_s.append(time_s)
        self._quaternions.append(steadied)
        self._rests.append(rests)
        if since_s > WIDEST_STEP_S:
            self.unknown_s += since_s - STEP_S
        self._detect(time_s, since_s, steadied, rests, events)
        self._trace.append((time_s, self._detector.angle_from_start_rad))
        steps = self._forgotten + len(self._times_s)
        # The plane is found anew after 1, 1, 2, 4, 5, 5, 5 ... steps.
        if steps - self._learnt >= STEPS_A_PLANE or steps >= 2 * self._learnt:
            self._learn_plane(steps, events)
            if not self._detector.under_way and self._is_over_at(time_s):
                self._close_bout(time_s, events)
        if self._walking.update(vertical_m_s2) and self._walking.walks:
            self._walk(time_s, events)

    def _detect(
        self,
        time_s: float,
        since_s: float,
        quaternion: Quaternion,
        rests: bool,
        events: list[RepetitionEvent],
    ) -> None:
        """Let the detector see a step."""
        if since_s > WIDEST_STEP_S:
            events += self._record(self._detector.gap(time_s, since_s - STEP_S))
        found = self._detector.update(time_s, self._plane.angle(quaternion), rests)
        if found:
            events += self._record(found)

    def _learn_plane(self, steps: int, events: list[RepetitionEvent]) -> None:
        new = slice(self._learnt - self._forgotten, None)
        times_s, quaternions = self._times_s[new], self._quaternions[new]
        self._learnt = steps
        self._heading.learn(times_s[-1] - times_s[0], quaternions[0], quaternions[-1])
        self._plane.learn(quaternions, len(quaternions) * STEP_S)
        look_again = self._detector.under_way and self._plane.likeness(self._settled_axes) < SAME_PLANE
        if look_again:
            self._detector = self._settled.copy()
        self._restate(self._detector.marks)
        if look_again:
            self._settled_axes = self._plane.axes
            before_s = None
            for place in range(self._detector.seen - self._forgotten, len(self._times_s)):
                time_s = self._times_s[place]
                before_s = self._times_s[place - 1] if place else time_s
                self._detect(time_s, time_s - before_s, self._quaternions[place], self._rests[place], events)
        elif not self._detector.under_way:
            self._settle()
        if len(self._times_s) >= 2 * _REMEMBERED:
            self._forgotten += len(self._times_s) - _REMEMBERED
            for remembered in (self._times_s, self._quaternions, self._rests):
                del remembered[:-_REMEMBERED]

    def _settle(self) -> None:
        """What was decided stays: from here on a movement may be looked at again."""
        self._settled = self._detector.copy()
        self._settled_axes = self._plane.axes

    def _restate(self, marks: list[Mark]) -> None:
        for mark in marks:
            place = mark.number - self._forgotten
            if place >= 0:
                mark.angle_rad = self._plane.angle(self._quaternions[place])

    def _record(self, events: list[RepetitionEvent]) -> list[RepetitionEvent]:
        recorded: list[RepetitionEvent] = []
        for event in events:
            repetition = event.repetition and self._measured(event.repetition)
            if repetition:
                if self._is_over_at(repetition.start_s):
                    self._close_bout(event.time_s, recorded)
                self.repetitions.append(repetition)
                if self._joiner.join(self.repetitions, self._orientations_until(repetition.end_s), STEP_S):
                    continue
            recorded.append(replace(event, repetition=repetition))
        if events:
            self._settle()
        return recorded

    def _is_over_at(self, time_s: float) -> bool:
        """Whether there is an open bout that a repetition from `time_s` on would not belong to."""
        open_bout = self._decided < len(self.repetitions)
        return open_bout and time_s - self.repetitions[-1].end_s > BOUT_PAUSE_S

    def _close_bout(self, time_s: float, events: list[RepetitionEvent]) -> None:
        """The bout is over: withdraw what was no exercise."""
        group = self.repetitions[self._decided :]
        kept = of_exercise(group, is_first=not self._decided and not self._withdrew)
        self._withdraw([one for one in group if one not in kept], time_s, events)
        self._decided = len(self.repetitions)

    def _walk(self, time_s: float, events: list[RepetitionEvent]) -> None:
        """What was counted while walking is withdrawn, and nothing is expected of the next movement."""
        began_s = time_s - (WINDOW_STEPS + LOOKED_AT_EVERY) * STEP_S
        self.walked_s += LOOKED_AT_EVERY * STEP_S
        walked = [one for one in self.repetitions[self._decided :] if one.end_s > began_s]
        if walked and median(one.range_of_motion_rad for one in walked) > WIDEST_SWING_RAD:
            return
        self._withdraw(walked, time_s, events)
        self._detector.forget()
        self._joiner = DipJoiner()
        self._settle()

    def _withdraw(self, ones: list[Repetition], time_s: float, events: list[RepetitionEvent]) -> None:
        self._withdrew = self._withdrew or bool(ones)
        for one in ones:
            self.repetitions.remove(one)
            events.append(RepetitionEvent("withdrawn", time_s, one))

    def _orientations_until(self, time_s: float) -> Quaternions:
        end = bisect_left(self._times_s, time_s)
        return np.array(self._quaternions[max(0, end - _COMPARED) : end]).reshape(-1, 4)

    def _measured(self, found: Repetition) -> Repetition:
        begin, end = bisect_left(self._times_s, found.start_s), bisect_left(self._times_s, found.end_s) + 1
        times_s, quaternions = np.array(self._times_s[begin:end]), np.array(self._quaternions[begin:end])
        return measured(found, times_s, quaternions, self._plane)


def _vertical(quaternions: Quaternions, force_m_s2: NDArray[np.float64]) -> NDArray[np.float64]:
    """Upward acceleration in m/s² (N,) of forces (N, 3) in the sensor's frame."""
    w, x, y, z = quaternions.T
    up = np.stack([2.0 * (x * z - w * y), 2.0 * (y * z + w * x), w * w - x * x - y * y + z * z])
    vertical = np.sum(up.T * force_m_s2, axis=1) - constants.g
    return np.where(np.isfinite(vertical), vertical, 0.0)


def _usable(
    times_s: NDArray[np.float64], quaternions: Quaternions, known: NDArray[np.bool_] | None, after_s: float
) -> tuple[NDArray[np.float64], Quaternions, NDArray[np.bool_]]:
    """Times and quaternions of those samples (N,) that are known and numbers."""
    times_s = np.asarray(times_s, dtype=np.float64)
    quaternions = np.asarray(quaternions, dtype=np.float64)
    if times_s.ndim != 1 or quaternions.shape != (len(times_s), 4):
        raise InvalidInput(
            f"orientations must be (N, 4) for (N,) times, not {quaternions.shape} for {times_s.shape}."
        )
    if not np.all(np.diff(times_s, prepend=after_s) > 0.0):
        raise InvalidInput("times must increase from sample to sample; sort the recording by time.")
    usable = np.all(np.isfinite(quaternions), axis=1, keepdims=True)[:, 0]
    if known is not None:
        usable = usable & np.asarray(known, dtype=np.bool_)
    return times_s[usable], quaternions[usable], usable
