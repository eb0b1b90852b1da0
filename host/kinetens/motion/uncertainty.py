"""first cut"""
from math import radians
import numpy as np
from kinetens.motion.joint_evidence import Floats
from kinetens.motion.quaternion import Quaternions

NORMAL_95 = 1.96
AT_REST_RAD = radians(0.6)
TIMING_S = 0.008
LATELY_S = 3.0
SPEED_SHARE_S = 0.003


class OrientationError:
    def __init__(self) -> None:
        self._last: tuple[float, Quaternions] | None = None
        self._lately = 0.0

    def take(self, times_s: Floats, quaternions: Quaternions) -> Floats:
        """sd (N,)"""
        if len(times_s) == 0:
            return np.zeros(0)
        if self._last is None:
            self._last = float(times_s[0]) - 0.01, quaternions[0]
        t = np.concatenate([[self._last[0]], times_s])
        q = np.concatenate([self._last[1][None], quaternions])
        c = np.minimum(np.abs(np.einsum("ij,ij->i", q[1:], q[:-1])), 1.0)
        speed = 2.0 * np.arccos(c) / np.diff(t)
        lately = np.empty(len(speed))
        for i, (s, dt) in enumerate(zip(speed, np.diff(t))):
            self._lately += (s**2 - self._lately) * min(1.0, dt / LATELY_S)
            lately[i] = self._lately
        self._last = float(times_s[-1]), quaternions[-1]
        return np.sqrt(AT_REST_RAD**2 + (TIMING_S * speed) ** 2 + SPEED_SHARE_S**2 * lately)
