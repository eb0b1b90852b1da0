"""What a virtual inertial sensor is moved by."""

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import constants

STANDARD_GRAVITY_M_S2 = constants.g

Array = NDArray[np.float64]


class MotionSource(Protocol):
    """Motion as a pure function of time: asked twice, or ahead of time, it gives the same answer."""

    def sample(self, times_s: Array) -> tuple[Array, Array]:
        """Angular rate in rad/s and specific force in m/s², (N, 3) each, sensor frame, at `times_s` (N,)."""
        ...


class StillMotion:
    """A sensor that lies still with one axis up (`"z"`) or down (`"-z"`)."""

    def __init__(self, up: Literal["x", "y", "z", "-x", "-y", "-z"] = "z") -> None:
        sign = -1.0 if up[0] == "-" else 1.0
        self._force_m_s2 = np.zeros(3)
        self._force_m_s2["xyz".index(up[-1])] = sign * STANDARD_GRAVITY_M_S2

    def sample(self, times_s: Array) -> tuple[Array, Array]:
        """Zero rate and one g upwards, (N, 3) each."""
        return np.zeros((len(times_s), 3)), np.tile(self._force_m_s2, (len(times_s), 1))
