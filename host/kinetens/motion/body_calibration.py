"""How a worn sensor lies on its limb: found from a few seconds of stillness and one or two slow repetitions.

However the strap was put on, two directions in the sensor's frame tell how: upwards, while the member holds the starting
posture, and the axis about which the movement turns. (Functional calibration: Favre et al. 2009, J. Biomech. 42(14);
Palermo et al. 2014, Measurement 52.) The angle between the two belongs to the movement and not to the strap.
kinetens.motion.strap compares later movements with them.
"""

from dataclasses import dataclass
from math import radians

import numpy as np
from scipy.spatial.transform import Rotation

from kinetens.errors import CalibrationDoubtful
from kinetens.motion.joint_evidence import Floats
from kinetens.motion.quaternion import (
    Quaternions,
    conjugate,
    from_rotation,
    multiply,
    to_rotation,
    turn_vector,
)

STEP_S = 0.04
STILL_S = 2.0
"""So long the starting posture is held."""
STILL_RAD = radians(3.0)
"""Sway in that time is less."""
SMALLEST_RANGE_RAD = radians(20.0)
"""A smaller movement tells its axis too badly."""
RETURN_SHARE = 0.3
"""The movement is back when it is within this share of its range from where it began."""
STRAIGHT_SHARE = 0.2
"""The turn about other axes stays below this share of the range (root mean square)."""
LONGEST_S = 30.0
"""A repetition that takes longer, from the posture on, is none."""
_TOLERANCE_S = 0.002
_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, slots=True)
class BodyCalibration:
    """How a sensor lies on its limb.

    up: (3,) unit, upwards in the sensor's frame in the starting posture.
    axis: (3,) unit, of the movement in the sensor's frame; the way out is a right-hand turn about it.
    range_rad: of the movement.
    straightness: root mean square of the turn about other axes, as a share of the range.
    """

    up: Floats
    axis: Floats
    range_rad: float
    straightness: float

    @property
    def lean_rad(self) -> float:
        """The angle between upwards and the axis: of the movement, however the sensor is mounted."""
        return float(np.arccos(np.clip(self.up @ self.axis, -1.0, 1.0)))

    @property
    def to_segment(self) -> Quaternions:
        """(4,) the sensor's frame to the segment's: y up in the starting posture, z along the axis, as far as that
        is level.

        For a forward movement of a segment that hangs down, z points to the right and x forward (Wu et al. 2002).
        Raises CalibrationDoubtful for a movement about the vertical.
        """
        level = self.axis - self.up * (self.up @ self.axis)
        length = float(np.linalg.norm(level))
        if length < 0.3:
            raise CalibrationDoubtful(
                "not about one axis",
                "the calibration movement turned about the vertical, so forward is not known; "
                "calibrate with a movement that swings or lifts the limb.",
            )
        z = level / length
        return from_rotation(Rotation.from_matrix(np.stack([np.cross(self.up, z), self.up, z])))


@dataclass(frozen=True, slots=True)
class PairCalibration:
    """How two sensors lie on either side of a joint.

    axes: (2, 3) the flexion axis in the first and in the second sensor.
    first_segment: (4,) the first sensor's frame to its segment's.
    neutral: (4,) the relative orientation, second sensor to first, in the starting posture.
    """

    axes: Floats
    first_segment: Quaternions
    neutral: Quaternions


def paired(first: BodyCalibration, second: BodyCalibration) -> PairCalibration:
    """Both sensors of a joint whose segments point the same way in the starting posture, from movements in one plane.

    first: the sensor nearer to the trunk.

    Raises CalibrationDoubtful: the first moved much more than the second, so they are on each other's place.
    """
    if second.range_rad < 0.5 * first.range_rad:
        raise CalibrationDoubtful(
            "other limb",
            f"the sensor for the segment further out moved {np.degrees(second.range_rad):.0f}° and the other "
            f"{np.degrees(first.range_rad):.0f}°: "
            "they are probably on each other's place; swap them and calibrate again.",
        )
    segments = first.to_segment, second.to_segment
    axes = np.array([turn_vector(conjugate(segment), [0.0, 0.0, 1.0]) for segment in segments])
    return PairCalibration(axes, segments[0], multiply(conjugate(segments[0]), segments[1]))


class BodyCalibrator:
    """Takes a sensor's orientations, sample by sample, until the posture was held and the movement made.

    Feed it with `update`; `wanted` says what the member is to do next. A movement that tells nothing raises, and
    the calibrator begins again with the posture.

    Args:
        still_s: how long the posture is held.
    """

    def __init__(self, still_s: float = STILL_S) -> None:
        self._still_s = still_s
        self._next_s = -np.inf
        self._begin()

    def _begin(self) -> None:
        self._held: list[tuple[float, Quaternions]] = []
        self._posture: Quaternions | None = None
        self._since_s = 0.0
        self._turns: list[Floats] = []
        self._farthest_rad = 0.0

    @property
    def wanted(self) -> str:
        """What the member is to do now."""
        if self._posture is None:
            return f"Take the starting posture and hold still for {self._still_s:.0f} seconds."
        if self._farthest_rad < SMALLEST_RANGE_RAD:
            return "Make one slow repetition of the movement."
        return "Come back to the starting posture."

    def update(self, times_s: Floats, quaternions: Quaternions) -> BodyCalibration | None:
        """Take samples at times (N,) in s, orientations (N, 4); returns the calibration once it is complete.

        Samples after the completion in the same call are not looked at: feed short pieces, as they arrive.

        Raises CalibrationDoubtful: the movement was too small, or not about one axis.
        """
        for time_s, quaternion in zip(times_s.tolist(), quaternions, strict=True):
            if time_s < self._next_s - _TOLERANCE_S:
                continue
            self._next_s = max(self._next_s + STEP_S, time_s + STEP_S / 2.0)
            if self._posture is None:
                self._hold(time_s, quaternion)
            elif self._move(time_s, quaternion):
                try:
                    return self._concluded()
                finally:
                    self._begin()
        return None

    def _hold(self, time_s: float, quaternion: Quaternions) -> None:
        self._held.append((time_s, quaternion))
        if _between(self._held[0][1], quaternion) > STILL_RAD:
            self._held = self._held[-1:]
        elif time_s - self._held[0][0] >= self._still_s:
            held = np.array([each for _, each in self._held])
            self._posture = from_rotation(to_rotation(held).mean())
            self._since_s = time_s
            self._held = []

    def _move(self, time_s: float, quaternion: Quaternions) -> bool:
        """Whether the movement is complete."""
        assert self._posture is not None
        turn = to_rotation(multiply(conjugate(self._posture), quaternion)).as_rotvec()
        size = float(np.linalg.norm(turn))
        self._farthest_rad = max(self._farthest_rad, size)
        if self._farthest_rad <= STILL_RAD:
            self._since_s = time_s
            return False
        self._turns.append(turn)
        if self._farthest_rad >= SMALLEST_RANGE_RAD and size < RETURN_SHARE * self._farthest_rad:
            return True
        back = size <= STILL_RAD
        if back or time_s - self._since_s > LONGEST_S:
            farthest = np.degrees(self._farthest_rad)
            went = (
                f"came back after {farthest:.0f}°" if back else f"did not come back within {LONGEST_S:.0f} s"
            )
            if back and self._farthest_rad < SMALLEST_RANGE_RAD / 2.0:
                self._turns, self._farthest_rad = [], 0.0
                return False
            self._begin()
            raise CalibrationDoubtful(
                "too small" if back else "restless",
                f"the calibration movement {went}; hold the starting posture again, then go out "
                f"{np.degrees(SMALLEST_RANGE_RAD):.0f}° or more and come back.",
            )
        return False

    def _concluded(self) -> BodyCalibration:
        assert self._posture is not None
        turns = np.array(self._turns)
        sizes, axes = np.linalg.eigh(turns.T @ turns)
        axis = axes[:, 2]
        axis = axis * np.sign(np.sum(turns @ axis))
        straightness = float(np.sqrt((sizes[0] + sizes[1]) / len(turns)) / self._farthest_rad)
        if straightness > STRAIGHT_SHARE:
            raise CalibrationDoubtful(
                "not about one axis",
                f"the calibration movement turned aside by {100 * straightness:.0f} % of its range; hold the "
                "starting posture again, then move slowly in one plane.",
            )
        up = turn_vector(conjugate(self._posture), _UP)
        return BodyCalibration(up, axis, float(np.max(turns @ axis)), straightness)


def _between(one: Quaternions, other: Quaternions) -> float:
    return float(2.0 * np.arccos(min(1.0, abs(float(one @ other)))))
