"""The drift of a heading that no magnetometer holds, learnt while the sensor stands still."""

from collections.abc import Sequence
from math import copysign, cos, radians, sin

STILL_RAD_S = radians(4.0)
"""A sensor that turns slower than this stands still; what its heading does meanwhile is drift."""
LEARNING_S = 2.0
"""Time constant with which the drift's rate is learnt."""

Quaternion = tuple[float, float, float, float]


class HeadingDrift:
    """Takes the drift off the heading of an orientation stream, causally.

    What is taken off has the rate seen while the sensor stood still last, so that a repetition about the
    vertical returns to where it began.
    """

    def __init__(self) -> None:
        self._rate_rad_s = 0.0
        self._turned_rad = 0.0
        self._last_s: float | None = None

    def steady(self, time_s: float, quaternion: Sequence[float]) -> Quaternion:
        """The orientation (4,) at `time_s` with the drift taken off."""
        if self._last_s is not None:
            self._turned_rad -= self._rate_rad_s * (time_s - self._last_s)
        self._last_s = time_s
        # The product of a turn about the vertical and the orientation.
        c, s = cos(self._turned_rad / 2.0), sin(self._turned_rad / 2.0)
        w, x, y, z = quaternion
        return c * w - s * z, c * x - s * y, c * y + s * x, c * z + s * w

    def learn(self, lasting_s: float, first: Sequence[float], last: Sequence[float]) -> None:
        """Look at steadied orientations (4,) some time apart: what they still turn while the sensor stands is drift."""
        if lasting_s <= 0.0:
            return
        aw, ax, ay, az = first
        bw, bx, by, bz = last
        # The product of the last and the conjugate of the first.
        w = bw * aw + bx * ax + by * ay + bz * az
        x = -bw * ax + bx * aw - by * az + bz * ay
        y = -bw * ay + bx * az + by * aw - bz * ax
        z = -bw * az - bx * ay + by * ax + bz * aw
        twice = copysign(2.0, w) / lasting_s
        if twice * twice * (x * x + y * y + z * z) < STILL_RAD_S**2:
            self._rate_rad_s += twice * z * min(1.0, lasting_s / LEARNING_S)
