"""The drift of a heading that no magnetometer holds, learnt while the sensor stands still."""

from math import radians

import numpy as np
from numpy.typing import NDArray

from kinetens.motion.quaternion import Quaternions, multiply

STILL_RAD_S = radians(4.0)
"""A sensor that turns slower than this stands still; what its heading does meanwhile is drift."""
LEARNING_S = 2.0
"""Time constant with which the drift's rate is learnt."""


class HeadingDrift:
    """Takes the drift off the heading of an orientation stream, causally.

    What is taken off has the rate seen while the sensor stood still last, so that a repetition about the
    vertical returns to where it began.
    """

    def __init__(self) -> None:
        self._rate_rad_s = 0.0
        self._turned_rad = 0.0
        self._last_s: float | None = None

    def steady(self, times_s: NDArray[np.float64], quaternions: Quaternions) -> Quaternions:
        """The orientations (N, 4) at `times_s` (N,) with the drift taken off."""
        since_s = times_s - (times_s[0] if self._last_s is None else self._last_s)
        turned_rad = self._turned_rad - self._rate_rad_s * since_s
        self._turned_rad = float(turned_rad[-1])
        self._last_s = float(times_s[-1])
        about_vertical = np.zeros((len(times_s), 4))
        about_vertical[:, 0] = np.cos(turned_rad / 2.0)
        about_vertical[:, 3] = np.sin(turned_rad / 2.0)
        return multiply(about_vertical, quaternions)

    def learn(self, times_s: NDArray[np.float64], steadied: Quaternions) -> None:
        """Look at steadied orientations (N, 4): what they still turn while the sensor stands still is drift."""
        lasts_s = float(times_s[-1] - times_s[0])
        if lasts_s <= 0.0:
            return
        turn = multiply(steadied[-1], steadied[0] * [1.0, -1.0, -1.0, -1.0])
        rates = 2.0 * np.copysign(1.0, turn[0]) * turn[1:] / lasts_s
        if float(rates @ rates) < STILL_RAD_S**2:
            self._rate_rad_s += float(rates[2]) * min(1.0, lasts_s / LEARNING_S)
