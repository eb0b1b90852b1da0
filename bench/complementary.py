"""The complementary filters that most projects use, without magnetometer, over many recordings and gains at once.

Madgwick: S. Madgwick, "An efficient orientation filter for inertial and inertial/magnetic sensor arrays", 2010, part 3.
Mahony: R. Mahony, T. Hamel, J.-M. Pflimlin, "Nonlinear complementary filters on the special orthogonal group", IEEE
Transactions on Automatic Control 53 (2008), section V, its explicit filter with bias, as in the implementation that
Madgwick published with his own.

Both begin with the inclination of the first acceleration. A step of numpy works on every recording and gain, so that a
search over all gains costs little more than one of them.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from bench.recorded import Floats

Steps = Callable[[int], Iterable[int]]
"""Counts 0 to N - 1, and may show how far it is."""
Quaternions32 = NDArray[np.float32]


def madgwick(
    gyr: Floats, acc: Floats, rates_hz: Floats, gains: Floats, steps: Steps = range
) -> Quaternions32:
    """Quaternions (N, G, R, 4) from rates in rad/s (N, R, 3), accelerations (N, R, 3) and sample rates (R,).

    gains: beta in rad/s (G, 1).
    """
    period_s = 1 / rates_hz
    up = _unit(acc)
    q = _beginning(up[0], len(gains))
    result = np.empty((len(gyr), len(gains), len(rates_hz), 4), dtype=np.float32)
    for at in steps(len(gyr)):
        w, x, y, z = q
        gx, gy, gz = gyr[at].T
        ax, ay, az = up[at].T
        ex = 2 * (x * z - w * y) - ax
        ey = 2 * (w * x + y * z) - ay
        ez = 1 - 2 * (x * x + y * y) - az
        gradient = np.stack(
            [x * ey - y * ex, z * ex + w * ey - 2 * x * ez, z * ey - w * ex - 2 * y * ez, x * ex + y * ey]
        )
        size = np.sqrt((gradient * gradient).sum(axis=0))
        rate = 0.5 * _turning(q, gx, gy, gz) - gains * gradient / np.where(size > 0, size, 1)
        q = q + rate * period_s
        q /= np.sqrt((q * q).sum(axis=0))
        result[at] = np.moveaxis(q, 0, -1)
    return result


def mahony(gyr: Floats, acc: Floats, rates_hz: Floats, gains: Floats, steps: Steps = range) -> Quaternions32:
    """As `madgwick`; gains: k_P in rad/s and k_I in rad/s² (G, 2)."""
    period_s = 1 / rates_hz
    k_p, k_i = gains[:, :1], gains[:, 1:] * period_s
    up = _unit(acc)
    q = _beginning(up[0], len(gains))
    bias = np.zeros((3, len(gains), len(rates_hz)))
    result = np.empty((len(gyr), len(gains), len(rates_hz), 4), dtype=np.float32)
    for at in steps(len(gyr)):
        w, x, y, z = q
        ax, ay, az = up[at].T
        vx, vy, vz = 2 * (x * z - w * y), 2 * (w * x + y * z), 1 - 2 * (x * x + y * y)
        error = np.stack([ay * vz - az * vy, az * vx - ax * vz, ax * vy - ay * vx])
        bias += k_i * error
        gx, gy, gz = gyr[at].T[:, None] + k_p * error + bias
        q = q + 0.5 * _turning(q, gx, gy, gz) * period_s
        q /= np.sqrt((q * q).sum(axis=0))
        result[at] = np.moveaxis(q, 0, -1)
    return result


def _turning(q: Floats, gx: Floats, gy: Floats, gz: Floats) -> Floats:
    """Quaternions (4, G, R) times rates: twice their derivative."""
    w, x, y, z = q
    return np.stack(
        [
            -x * gx - y * gy - z * gz,
            w * gx + y * gz - z * gy,
            w * gy - x * gz + z * gx,
            w * gz + x * gy - y * gx,
        ]
    )


def _unit(acc: Floats) -> Floats:
    """Directions (N, R, 3); no acceleration has none, and stays zero."""
    size = np.linalg.norm(acc, axis=-1, keepdims=True)
    return acc / np.where(size > 0, size, 1)


def _beginning(up: Floats, gains: int) -> Floats:
    """Quaternions (4, G, R) that turn `up` (R, 3) to the vertical by the shortest way."""
    ax, ay, az = up.T
    q = np.stack([1 + az, ay, -ax, np.zeros_like(az)])
    q[:, az <= -1 + 1e-9] = np.array([[0.0], [1.0], [0.0], [0.0]])
    q /= np.sqrt((q * q).sum(axis=0))
    return np.repeat(q[:, None], gains, axis=1)
