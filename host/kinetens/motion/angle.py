"""The movement angle of one sensor, however it was strapped on, from its orientation alone and causally.

A turn about any fixed axis draws a great circle through the unit quaternions, so a movement that is mostly
about one axis (a hinge, a raise, a swing) lies near the plane of the two principal directions of the recent
orientations in R^4; the position along that circle, doubled, is the movement angle. Strapping the sensor on
another way, or facing another direction, turns R^4 as a whole and so changes nothing; a slow drift of heading
is forgotten with the window. (The great circle that fits best is the maximum-likelihood fit of a Bingham
distribution: Bingham 1974, Ann. Statist. 2(6).)
"""

import numpy as np
from numpy.typing import NDArray

from kinetens.motion.quaternion import Quaternions, angles_between

WINDOW_S = 8.0
"""Time constant with which past orientations are forgotten."""
_AT_REST_RAD = 1e-7
"""Weight of a resting step, so that a sensor that never moved has a plane, too."""


class MovementPlane:
    """The plane of R^4 in which the sensor's orientation has moved lately, and angles along it.

    Orientations are weighted by the path they travel: a long hold does not hide the movement around it.
    """

    def __init__(self) -> None:
        self._moment = np.zeros((4, 4))
        self.axes = np.eye(2, 4)
        """(2, 4): centre and direction of the movement, orthonormal."""
        self._last: NDArray[np.float64] | None = None

    def learn(self, quaternions: Quaternions, lasting_s: float) -> None:
        """Take orientations (N, 4) of consecutive samples that together lasted `lasting_s`."""
        before = quaternions[:1] if self._last is None else self._last
        self._last = quaternions[-1:]
        path = angles_between(np.concatenate([before, quaternions]))
        self._moment *= np.exp(-lasting_s / WINDOW_S)
        self._moment += (quaternions.T * (path + _AT_REST_RAD)) @ quaternions
        centre = np.linalg.eigh(self._moment)[1][:, 3]
        # Where two directions move alike (a circling pendulum) either will do: two power iterations lead to the
        # one that moves most, but stay with the one there is if it moves as much.
        along = self.axes[1]
        for _ in range(2):
            along = self._moment @ (along - centre * (centre @ along))
        along = along - centre * (centre @ along)
        length = float(np.linalg.norm(along))
        if length == 0.0:
            return
        axes = np.stack([centre, along / length])
        # The new plane is gone through in the sense of the old one.
        if np.linalg.det(self.axes @ axes.T) < 0.0:
            axes[1] *= -1.0
        self.axes = axes

    def likeness(self, axes: NDArray[np.float64]) -> float:
        """How much this plane is that of other axes (2, 4): 1 the same, 0 at right angles."""
        return abs(float(np.linalg.det(self.axes @ axes.T)))

    def angles(self, quaternions: Quaternions) -> NDArray[np.float64]:
        """Angles along the plane in rad (N,), -pi to pi from its centre, of orientations (N, 4)."""
        along = quaternions @ self.axes.T
        return 2.0 * np.arctan2(np.copysign(1.0, along[:, 0]) * along[:, 1], np.abs(along[:, 0]))
