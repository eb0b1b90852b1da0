"""Orientations of a worn sensor, made as a device would: noise, bias, counts, fusion and quantised quaternions."""

from collections.abc import Callable
from math import radians

import numpy as np
import pytest
from numpy.typing import NDArray
from vqf import VQF

from kinetens.motion.quaternion import Quaternions
from kinetens.virtual.motion_source import STANDARD_GRAVITY_M_S2, MotionSource

Floats = NDArray[np.float64]
Worn = Callable[[MotionSource, float, int], tuple[Floats, Quaternions]]


def fused(gyr_rad_s: Floats, acc_m_s2: Floats, rate_hz: float) -> Quaternions:
    """Orientation (N, 4) from rates and forces (N, 3) alone."""
    gyr, acc = np.ascontiguousarray(gyr_rad_s), np.ascontiguousarray(acc_m_s2)
    return VQF(1.0 / rate_hz).updateBatch(gyr, acc)["quat6D"]


@pytest.fixture(scope="session")
def worn() -> Worn:
    """Times (N,) and orientations (N, 4) at 100 Hz until some time, of a sensor with errors of a seed."""

    def orient(motion: MotionSource, until_s: float, seed: int) -> tuple[Floats, Quaternions]:
        random = np.random.default_rng(seed)
        times_s = np.arange(0.0, until_s, 0.0025)
        gyr, acc = motion.sample(times_s)
        gyr = gyr + random.normal(0.0, radians(0.07), gyr.shape) + random.normal(0.0, radians(0.3), 3)
        acc = acc + random.normal(0.0, 0.02, acc.shape)
        gyr_count, acc_count = radians(0.07), 0.000488 * STANDARD_GRAVITY_M_S2
        gyr, acc = np.round(gyr / gyr_count) * gyr_count, np.round(acc / acc_count) * acc_count
        quaternions = np.round(fused(gyr, acc, 400.0)[::4] * 32767.0)
        return times_s[::4], quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)

    return orient
