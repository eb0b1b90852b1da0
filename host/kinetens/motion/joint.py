"""A joint's angles from a sensor on either side of it, sample by sample.

Each sensor's orientation is good in inclination and drifts in heading; kinetens.motion.heading_correction takes the drift
off, and the relative orientation then gives the angles. Nothing that grows with time is kept.
"""

from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kinetens.errors import InvalidInput
from kinetens.motion.heading_correction import HeadingCorrection
from kinetens.motion.hinge import HingeAxis
from kinetens.motion.joint_angles import hinge_angle, swung_from, three_angles, two_axis_angles
from kinetens.motion.joint_centre import JointCentre
from kinetens.motion.joint_evidence import Floats, across
from kinetens.motion.joint_steps import STEP_S, JointSteps, SensorSamples
from kinetens.motion.quaternion import Quaternions, conjugate, multiply, turn_about, turn_vector
from kinetens.motion.two_axes import TwoAxes
from kinetens.motion.uncertainty import AS_BOUGHT, NORMAL_95, InclinationError, SensorErrors

Kind = Literal["hinge", "two-axis", "three-axis"]
ANGLES: dict[Kind, int] = {"hinge": 1, "two-axis": 2, "three-axis": 3}
"""How many angles each kind of joint has."""
AS_IT_IS = np.array([1.0, 0.0, 0.0, 0.0])
_UP = np.array([0.0, 0.0, 1.0])
_NO_AXES = np.array([0.0, 0.0, 1.0, 0.0, 0.0, 1.0])
TOGETHER = 0.5
"""Share of either sensor's inclination error that is left in a joint's angle: part of it is common, part went into
the zero.

Found on the rig and the arm (`python -m bench joints` shows what it covers)."""
_SMALL_RAD = 1e-4


@dataclass(frozen=True, slots=True)
class JointSamples:
    """What was measured at each of N samples.

    relative: (N, 4) orientation of the second sensor in the first's frame.
    angles_rad: (N, 1), (N, 2) or (N, 3); each goes on beyond a half turn.
    half_interval_rad: like `angles_rad`: half the width of the 95 % interval (kinetens.motion.uncertainty).
    heading_rad: (N,) how far the second sensor's world is turned to become the first's.
    settled: (N,) False while more than one heading may be true.
    """

    times_s: Floats
    relative: Quaternions
    angles_rad: Floats
    half_interval_rad: Floats
    heading_rad: Floats
    settled: NDArray[np.bool_]


class JointMeter:
    """Measures one joint. Samples in, angles out; a recording gives the same however it is cut into calls.

    A hinge has one angle, about its axis. Two axes have two: about the first segment's, then about the second's.
    Three have
    those of `kinetens.motion.joint_angles.three_angles` in the order z, x, y. All are 0 in the posture at which
    `zero` was called; until then, where both sensors' frames are parallel.

    Args:
        kind: what the joint can do.
        raw: whether raw samples come with the orientations. A three-axis joint needs them; a hinge or two axes use them
            to tell a heading from its opposite.
        axes: (2, 3) a hinge's or two axes' axis in the first and in the second sensor, where a calibration knows them.
        first_segment: (4,) the first sensor's frame to its segment's.
        sensor: how well the sensors measure.

    Raises InvalidInput: a three-axis joint without raw samples; axes for a joint that has none.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        raw: bool = False,
        axes: Floats | None = None,
        first_segment: Quaternions = AS_IT_IS,
        sensor: SensorErrors = AS_BOUGHT,
    ) -> None:
        if kind == "three-axis" and not raw:
            raise InvalidInput(
                "a three-axis joint is corrected by accelerations: record both sensors with --raw."
            )
        if kind == "three-axis" and axes is not None:
            raise InvalidInput("a three-axis joint has no fixed axes; leave them out.")
        self.kind: Kind = kind
        centre = JointCentre() if raw else None
        if centre and kind == "three-axis":
            self.correction = HeadingCorrection(centre, None, STEP_S)
        else:
            constraint = HingeAxis(axes) if kind == "hinge" else TwoAxes(axes)
            self.correction = HeadingCorrection(constraint, centre, STEP_S)
        self._raw = raw
        self._segment = first_segment
        self._steps = JointSteps(raw)
        alone = replace(sensor, timing_s=0.0)
        self._inclinations = InclinationError(alone), InclinationError(alone)
        # Both sensors keep one time: an error of it matters as far as they move against each other.
        self._timing = InclinationError(replace(sensor, at_rest_rad=0.0, lately_s=0.0))
        self._last_s = -np.inf
        self._latest: _Posture | None = None
        self._neutral: _Posture | None = None
        self._start: tuple[Quaternions, float] | None = None
        axes_begin = self.correction.places[0].start
        self._places = [0, 2] if kind == "three-axis" else [0, 2, *range(axes_begin, axes_begin + 4)]
        self._last_angles = np.zeros(ANGLES[kind])

    def zero(self) -> None:
        """The posture at the latest sample is the one in which all angles are 0.

        It is to be held still, at best three seconds after the sensors were started: an error of it is one of all angles.

        Raises InvalidInput before any sample.
        """
        if self._latest is None:
            raise InvalidInput("no sample has come yet: zero the joint while its posture is being measured.")
        self._neutral = self._latest
        self.correction.remember()
        self._last_angles = np.zeros_like(self._last_angles)

    def start_from(self, relative: Quaternions, sd_rad: float) -> None:
        """The relative orientation (4,) at the next sample is known from a posture, to a standard deviation."""
        self._start = relative, sd_rad

    def update(self, times_s: Floats, first: SensorSamples, second: SensorSamples) -> JointSamples:
        """Take samples of both sensors, taken at the same times (N,) in s, in order.

        Raises InvalidInput: times that do not increase, shapes that do not fit, raw samples missing.
        """
        times_s = np.asarray(times_s, dtype=np.float64)
        tables = first.table(self._raw), second.table(self._raw)
        if times_s.ndim != 1 or any(len(table) != len(times_s) for table in tables):
            raise InvalidInput(
                f"{len(tables[0])} and {len(tables[1])} samples do not fit {times_s.shape} times."
            )
        if not np.all(np.diff(times_s, prepend=self._last_s) > 0.0):
            raise InvalidInput("times must increase from sample to sample; sort the recording by time.")
        quaternions = tables[0][:, :4], tables[1][:, :4]
        if len(times_s):
            self._last_s = float(times_s[-1])
            self._latest = _Posture(quaternions[0][-1], quaternions[1][-1])
            if self._start is not None:
                self._begin(*self._start, quaternions[0][0], quaternions[1][0])
        states, lengths, done = [self._state()], [0], 0
        for completed, time_s, step in self._steps.take(times_s, *tables):
            lengths[-1] += completed - done
            done = completed
            self.correction.take(time_s, step)
            states.append(self._state())
            lengths.append(0)
        lengths[-1] += len(times_s) - done
        return self._measure(times_s, *quaternions, _States.repeated(states, lengths))

    def _begin(self, relative: Quaternions, sd_rad: float, first: Quaternions, second: Quaternions) -> None:
        turn = multiply(multiply(first, relative), conjugate(second))
        self.correction.expect(float(2.0 * np.arctan2(turn[3], turn[0])), sd_rad)
        self._start = None

    def _state(self) -> "_State":
        correction = self.correction
        axes = (
            correction.parameters[0][:6] if correction.parameters and self.kind != "three-axis" else _NO_AXES
        )
        return _State(
            correction.time_s,
            correction.heading_rad,
            correction.drift_rad_s,
            correction.neutral_heading_rad,
            correction.settled,
            axes,
            correction.covariance[np.ix_(self._places, self._places)],
        )

    def _measure(
        self, times_s: Floats, first: Quaternions, second: Quaternions, states: "_States"
    ) -> JointSamples:
        headings = states.heading_rad + states.drift_rad_s * (times_s - states.time_s)
        turned = multiply(turn_about(_UP, headings), second)
        angles = self._angles(first, turned, states)
        relative = multiply(conjugate(first), turned)
        errors = (
            self._inclinations[0].variance(times_s, first)
            + self._inclinations[1].variance(times_s, second)
            + self._timing.variance(times_s, relative)
        )
        variance = self._angle_variance(first, turned, states, angles, errors)
        going_on = np.concatenate([self._last_angles[None], angles[states.settled]])
        if len(going_on) > 1:
            angles[states.settled] = np.unwrap(going_on, axis=0)[1:]
            self._last_angles = angles[-1]
        return JointSamples(
            times_s, relative, angles, NORMAL_95 * np.sqrt(variance), headings, states.settled
        )

    def _angles(self, first: Quaternions, turned: Quaternions, states: "_States") -> Floats:
        """Angles (N, k) within half a turn, for orientations in one world."""
        relative = multiply(conjugate(first), turned)
        neutral = np.tile(AS_IT_IS, (len(first), 1))
        if self._neutral is not None:
            second = multiply(turn_about(_UP, states.neutral_heading_rad), self._neutral.second)
            neutral = multiply(conjugate(self._neutral.first), second)
        if self.kind == "three-axis":
            return three_angles(swung_from(relative, neutral, self._segment), "zxy")
        swung = multiply(relative, conjugate(neutral))
        if self.kind == "hinge":
            return hinge_angle(swung, states.axes[:, :3])[:, None]
        return two_axis_angles(swung, states.axes[:, :3], turn_vector(neutral, states.axes[:, 3:]))

    def _angle_variance(
        self, first: Quaternions, turned: Quaternions, states: "_States", angles: Floats, variance: Floats
    ) -> Floats:
        """Of the angles (N, k): from either inclination's error, the heading's, the neutral heading's and the axes'."""

        def change(changed: Floats) -> Floats:
            return (np.mod(changed - angles + np.pi, 2.0 * np.pi) - np.pi) / _SMALL_RAD

        turns = [
            change(self._angles(first, multiply(turn_about(axis, _SMALL_RAD), turned), states))
            for axis in np.eye(3)
        ]
        by_turns = np.sum(np.square(turns), axis=0)
        own = by_turns * TOGETHER**2 * variance[:, None]
        by_state = [turns[2], change(self._angles(first, turned, states.with_neutral_heading(_SMALL_RAD)))]
        if self.kind != "three-axis":
            by_state += [
                change(self._angles(first, turned, states.with_axes(n, _SMALL_RAD))) for n in range(4)
            ]
        return own + np.einsum("jnk,nji,ink->nk", by_state, states.covariance, by_state)


@dataclass(frozen=True, slots=True)
class _Posture:
    first: Quaternions
    second: Quaternions


@dataclass(frozen=True, slots=True)
class _State:
    """What the correction knew after a step: axes (6,), covariance of heading, neutral heading and the axes'
    directions.
    """

    time_s: float
    heading_rad: float
    drift_rad_s: float
    neutral_heading_rad: float
    settled: bool
    axes: Floats
    covariance: Floats


@dataclass(frozen=True, slots=True)
class _States:
    """The same for each of N samples."""

    time_s: Floats
    heading_rad: Floats
    drift_rad_s: Floats
    neutral_heading_rad: Floats
    settled: NDArray[np.bool_]
    axes: Floats
    covariance: Floats

    @classmethod
    def repeated(cls, states: list[_State], lengths: list[int]) -> "_States":
        """Each state for as many samples as it held."""
        return cls(
            *(
                np.repeat(np.array([getattr(state, field.name) for state in states]), lengths, axis=0)
                for field in fields(_State)
            )
        )

    def with_neutral_heading(self, change_rad: float) -> "_States":
        """The neutral heading a little further on."""
        return replace(self, neutral_heading_rad=self.neutral_heading_rad + change_rad)

    def with_axes(self, direction: int, change_rad: float) -> "_States":
        """The axes a little off in one of their four directions."""
        axes = self.axes.copy()
        axis = axes[:, :3] if direction < 2 else axes[:, 3:]
        axis += change_rad * across(axis)[..., direction % 2]
        return replace(self, axes=axes)
