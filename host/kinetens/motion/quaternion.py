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
    a, b = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    aw, ax, ay, az = a[..., 0], a[..., 1], a[..., 2], a[..., 3]
    bw, bx, by, bz = b[..., 0], b[..., 1], b[..., 2], b[..., 3]
    product = np.empty(np.broadcast_shapes(a.shape, b.shape))
    product[..., 0] = aw * bw - ax * bx - ay * by - az * bz
    product[..., 1] = aw * bx + ax * bw + ay * bz - az * by
    product[..., 2] = aw * by - ax * bz + ay * bw + az * bx
    product[..., 3] = aw * bz + ax * by - ay * bx + az * bw
    return product


def conjugate(quaternions: ArrayLike) -> Quaternions:
    """The turn back: of unit quaternions (N, 4) or (4,), their inverse."""
    return np.asarray(quaternions, dtype=np.float64) * [1.0, -1.0, -1.0, -1.0]


def turn_about(axis: ArrayLike, angle_rad: ArrayLike) -> Quaternions:
    """The quaternions (N, 4) or (4,) that turn by an angle (N,) or () about a unit axis (3,)."""
    half = np.asarray(angle_rad, dtype=np.float64)[..., None] / 2.0
    return np.concatenate([np.cos(half), np.sin(half) * np.asarray(axis, dtype=np.float64)], axis=-1)


def turn_vector(quaternions: ArrayLike, vector: ArrayLike) -> NDArray[np.float64]:
    """A vector (N, 3) or (3,) turned by quaternions (N, 4) or (4,)."""
    q, v = np.asarray(quaternions, dtype=np.float64), np.asarray(vector, dtype=np.float64)
    pure = np.concatenate([np.zeros((*v.shape[:-1], 1)), v], axis=-1)
    return multiply(multiply(q, pure), conjugate(q))[..., 1:]


def angles_between(quaternions: Quaternions) -> NDArray[np.float64]:
    """The angle in rad (N - 1,) from each of unit quaternions (N, 4) to the next."""
    cosine_of_half = np.abs(np.einsum("ij,ij->i", quaternions[1:], quaternions[:-1]))
    return 2.0 * np.arccos(np.minimum(cosine_of_half, 1.0))
