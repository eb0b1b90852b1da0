"""Unit quaternions, scalar first (w, x, y, z), sensor to world, as float64 arrays (N, 4).

scipy's Rotation is scalar last: this is the one place where the host converts.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

Quaternions = NDArray[np.float64]


def to_rotation(quaternions: Quaternions) -> Rotation:
    """Scalar-first quaternions (N, 4) or (4,) as a scipy Rotation."""
    return Rotation.from_quat(np.roll(quaternions, -1, axis=-1))


def from_rotation(rotation: Rotation) -> Quaternions:
    """A scipy Rotation as scalar-first unit quaternions (N, 4) or (4,)."""
    return np.roll(rotation.as_quat(), 1, axis=-1)


def multiply(left: ArrayLike, right: ArrayLike) -> Quaternions:
    """Hamilton product, element by element: (N, 4) or (4,) each, broadcast against one another."""
    aw, ax, ay, az = np.moveaxis(np.asarray(left, dtype=np.float64), -1, 0)
    bw, bx, by, bz = np.moveaxis(np.asarray(right, dtype=np.float64), -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def angle_between(left: Quaternions, right: Quaternions) -> NDArray[np.float64]:
    """Rotation angle in rad (N,), 0 to pi, that takes each left quaternion to the right one."""
    cosine_of_half = np.abs(np.sum(left * right, axis=-1))
    sine_of_half = (
        np.linalg.norm(right - np.sign(np.sum(left * right, axis=-1))[..., None] * left, axis=-1) / 2
    )
    return 4.0 * np.arctan2(sine_of_half, np.sqrt((1.0 + cosine_of_half) / 2.0))
