"""The movement angle of one sensor, however it was strapped on, from its orientation alone and causally.

A turn about any fixed axis draws a great circle through the unit quaternions, so a movement that is mostly
about one axis (a hinge, a raise, a swing) lies near a plane of R^4; the position along that circle, doubled, is the
movement angle. The circle's centre is the orientation around which the sensor has been (the mode of a Bingham
distribution: Bingham 1974, Ann. Statist. 2(6)); its direction is the one in which the orientations both spread and
are swept through fast, so that a posture that slides slowly by as much does not take the movement's place. Strapping
the sensor on another way, or facing another direction, turns R^4 as a whole and so changes nothing; a slow drift of
heading is forgotten with the window.
"""

from collections.abc import Iterable, Sequence
from math import acos, atan2, exp, sqrt

import numpy as np
from numpy.typing import NDArray

from kinetens.motion.quaternion import Quaternions

WINDOW_S = 8.0
"""Time constant with which past orientations are forgotten."""
SWEEP_WEIGHT = 2.0
"""How much being swept through counts beside spread."""
_AT_REST_RAD = 1e-7
"""Weight of a resting step, so that a sensor that never moved has a plane, too."""

Vector4 = tuple[float, float, float, float]


class MovementPlane:
    """The plane of R^4 in which the sensor's orientation has moved lately, and angles along it.

    Orientations are weighted by the path they travel: a long hold does not hide the movement around it.
    """

    def __init__(self) -> None:
        self._spread = [0.0] * 16  # sum of path * q q', row by row
        self._sweep = [0.0] * 16  # sum of dq dq'
        self._centre: Vector4 = (1.0, 0.0, 0.0, 0.0)
        self._along: Vector4 = (0.0, 1.0, 0.0, 0.0)
        self._last: Vector4 | None = None

    @property
    def axes(self) -> tuple[Vector4, Vector4]:
        """Centre and direction of the movement, orthonormal."""
        return self._centre, self._along

    def learn(self, quaternions: Iterable[Sequence[float]], lasting_s: float) -> None:
        """Take orientations (N, 4) of consecutive samples that together lasted `lasting_s`."""
        fading = exp(-lasting_s / WINDOW_S)
        spread = [fading * entry for entry in self._spread]
        sweep = [fading * entry for entry in self._sweep]
        for w, x, y, z in quaternions:
            lw, lx, ly, lz = self._last or (w, x, y, z)
            cosine = w * lw + x * lx + y * ly + z * lz
            path = 2.0 * acos(min(abs(cosine), 1.0)) + _AT_REST_RAD
            spread = _with_outer(spread, path, w, x, y, z)
            if cosine < 0.0:
                lw, lx, ly, lz = -lw, -lx, -ly, -lz
            sweep = _with_outer(sweep, 1.0, w - lw, x - lx, y - ly, z - lz)
            self._last = w, x, y, z
        self._spread, self._sweep = spread, sweep
        values, vectors = np.linalg.eigh(np.array(spread).reshape(4, 4))
        greatest = float(values[3])
        centre: Vector4 = tuple(vectors[:, 3].tolist())
        # Each moment outside the centre, made to have trace 1, so that they can be compared.
        spread_outside = sum(spread[::5]) - greatest
        sweep_outside = sum(sweep[::5]) - _dot(centre, _times(sweep, centre))
        if spread_outside <= 0.0:
            return
        swept = SWEEP_WEIGHT * spread_outside / sweep_outside if sweep_outside > 0.0 else 0.0
        both = [a + swept * b for a, b in zip(spread, sweep, strict=True)]
        # Where two directions move alike (a circling pendulum) either will do: two power iterations lead to the
        # one that moves most, but stay with the one there is if it moves as much.
        along = _outside(centre, self._along)
        for _ in range(2):
            along = _outside(centre, _times(both, along))
        length = sqrt(_dot(along, along))
        if length == 0.0:
            return
        # The new plane is gone through in the sense of the old one.
        if self._area(centre, along) < 0.0:
            length = -length
        self._centre, self._along = (
            centre,
            (
                along[0] / length,
                along[1] / length,
                along[2] / length,
                along[3] / length,
            ),
        )

    def likeness(self, axes: tuple[Vector4, Vector4]) -> float:
        """How much this plane is that of other axes: 1 the same, 0 at right angles."""
        return abs(self._area(*axes))

    def angle(self, quaternion: Sequence[float]) -> float:
        """Angle along the plane in rad, -pi to pi from its centre, of an orientation (4,)."""
        w, x, y, z = quaternion
        cw, cx, cy, cz = self._centre
        aw, ax, ay, az = self._along
        cosine = cw * w + cx * x + cy * y + cz * z
        sine = aw * w + ax * x + ay * y + az * z
        return 2.0 * (atan2(sine, cosine) if cosine >= 0.0 else atan2(-sine, -cosine))

    def angles(self, quaternions: Quaternions) -> NDArray[np.float64]:
        """The same of orientations (N, 4): (N,)."""
        along = quaternions @ np.array(self.axes).T
        return 2.0 * np.arctan2(np.copysign(1.0, along[:, 0]) * along[:, 1], np.abs(along[:, 0]))

    def _area(self, centre: Vector4, along: Vector4) -> float:
        """The area that two orthonormal axes span within this plane, signed."""
        return _dot(self._centre, centre) * _dot(self._along, along) - _dot(self._centre, along) * _dot(
            self._along, centre
        )


def _dot(a: Vector4, b: Vector4) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2] + a[3] * b[3]


def _times(matrix: list[float], v: Vector4) -> Vector4:
    a, b, c, d = v
    m = matrix
    return (
        m[0] * a + m[1] * b + m[2] * c + m[3] * d,
        m[4] * a + m[5] * b + m[6] * c + m[7] * d,
        m[8] * a + m[9] * b + m[10] * c + m[11] * d,
        m[12] * a + m[13] * b + m[14] * c + m[15] * d,
    )


def _outside(centre: Vector4, v: Vector4) -> Vector4:
    """What of a vector is at right angles to the centre."""
    inside = _dot(centre, v)
    return (
        v[0] - inside * centre[0],
        v[1] - inside * centre[1],
        v[2] - inside * centre[2],
        v[3] - inside * centre[3],
    )


def _with_outer(m: list[float], weight: float, a: float, b: float, c: float, d: float) -> list[float]:
    """A symmetric matrix, row by row, with weight * v v' added."""
    wa, wb, wc = weight * a, weight * b, weight * c
    ab, ac, ad, bc, bd, cd = wa * b, wa * c, wa * d, wb * c, wb * d, wc * d
    return [
        m[0] + wa * a, m[1] + ab, m[2] + ac, m[3] + ad,
        m[4] + ab, m[5] + wb * b, m[6] + bc, m[7] + bd,
        m[8] + ac, m[9] + bc, m[10] + wc * c, m[11] + cd,
        m[12] + ad, m[13] + bd, m[14] + cd, m[15] + weight * d * d,
    ]  # fmt: skip
