"""Finds, in a sensor's raw samples, the times when it lies still, and which of its faces is up."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import cos, radians

import numpy as np
from numpy.typing import NDArray
from scipy import constants

STANDARD_GRAVITY_M_S2 = constants.g

FACES = ("x", "-x", "y", "-y", "z", "-z")
"""A face by the sensor's axis that points up."""
STEEPEST_RAD = radians(15.0)
"""A face that is further from level is none: the device leans on something."""

_BLOCK_S = 0.25
# A block of a sensor at rest scatters by its noise (0.06 °/s and 1.6 mg in the LSM6DSOX); a hand moves it by far more.
_GYR_SCATTER_RAD_S = radians(0.5)
_ACC_SCATTER_M_S2 = 0.15
# Blocks of one rest agree, so that a slow turn is none.
_GYR_APART_RAD_S = radians(0.2)
_ACC_APART_M_S2 = 0.1

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StillWindow:
    """Means, as the sensor reads, over a time in which it lay still."""

    gyr_rad_s: Vector
    """(3,)"""
    acc_m_s2: Vector
    """(3,)"""
    duration_s: float

    @property
    def face(self) -> str | None:
        """Which of FACES is up, or None when it is none or gravity is not what it should be."""
        return face_up(self.acc_m_s2)


def face_up(acc_m_s2: Vector) -> str | None:
    """Which of FACES a mean acceleration (3,) in m/s² shows to be up; None when it is between faces."""
    size = float(np.linalg.norm(acc_m_s2))
    axis = int(np.argmax(np.abs(acc_m_s2)))
    if not 0.7 < size / STANDARD_GRAVITY_M_S2 < 1.3 or abs(acc_m_s2[axis]) < size * cos(STEEPEST_RAD):
        return None
    return FACES[2 * axis + (1 if acc_m_s2[axis] < 0 else 0)]


def direction(face: str) -> Vector:
    """The unit vector (3,), sensor frame, that points up when `face` does."""
    return np.sign(float(f"{face[:-1]}1")) * np.eye(3)["xyz".index(face[-1])]


class StillnessWatch:
    """Feed raw samples in the order of their time; it gives a window for each stretch of `needed_s` of stillness.

    Args:
        rate_hz: of the samples.
        gyro_rad_s, accel_m_s2: weight of a count.
        needed_s: how long the sensor must lie still.
    """

    def __init__(self, rate_hz: float, gyro_rad_s: float, accel_m_s2: float, needed_s: float = 2.0) -> None:
        self._block = max(2, round(rate_hz * _BLOCK_S))
        self._block_s = self._block / rate_hz
        self._weights = np.repeat([gyro_rad_s, accel_m_s2], 3)
        self.needed_s = needed_s
        self._pending = np.empty((0, 6))
        self._still: list[Vector] = []
        self._quiet_before = False

    @property
    def held_s(self) -> float:
        """For how long it has been lying still; 0 while it moves."""
        return len(self._still) * self._block_s

    @property
    def face(self) -> str | None:
        """The face that is up while it lies still, else None."""
        return face_up(np.mean(self._still, axis=0)[3:]) if self._still else None

    def update(self, counts: NDArray[np.int16]) -> Iterable[StillWindow | None]:
        """Take samples (N, 6) in counts; gives, for each quarter second, the window that it completed or None."""
        self._pending: Vector = np.concatenate([self._pending, counts.astype(np.float64) * self._weights])
        while len(self._pending) >= self._block:
            block, self._pending = self._pending[: self._block], self._pending[self._block :]
            yield self._take(block)

    def _take(self, block: Vector) -> StillWindow | None:
        mean, scatter = np.mean(block, axis=0), np.std(block, axis=0)
        quiet = bool(np.all(scatter[:3] < _GYR_SCATTER_RAD_S) and np.all(scatter[3:] < _ACC_SCATTER_M_S2))
        if self._still:
            apart = np.abs(mean - np.mean(self._still, axis=0))
            quiet &= bool(np.all(apart[:3] < _GYR_APART_RAD_S) and np.all(apart[3:] < _ACC_APART_M_S2))
        if not quiet:
            self._still.clear()
        elif self._quiet_before:  # the first quiet block still holds the end of the movement
            self._still.append(mean)
        self._quiet_before = quiet
        if self.held_s < self.needed_s:
            return None
        mean = np.mean(self._still, axis=0)
        window = StillWindow(mean[:3], mean[3:], self.held_s)
        self._still.clear()
        return window
