"""A hinge's constraint: its axis is fixed in both segments, and points the same way in the world for both."""

from math import radians

import numpy as np

from kinetens.motion.joint_evidence import (
    Candidate,
    Expected,
    Floats,
    JointStep,
    WorldMatch,
    about_vertical,
    across,
    lowest_headings,
    moved,
    turned_a_quarter,
)

_VAGUEST_RAD = radians(60.0)
"""Standard deviation of a direction nobody knows."""


class HingeAxis:
    """The parameters are the unit axis in the first and in the second sensor (6,), with four degrees of freedom.

    The axes need no gyroscope and no special movement: at every heading, the axes that fit best are the
    first pair of singular vectors of the mean relative orientation, and the heading that fits best has the greatest
    singular value. (With a known axis this is the correction of Laidig et al. 2017, ICORR.) An axis that stays
    level leaves two headings half a turn apart, with the second axis the other way round; only accelerations or a
    known posture tell them apart.

    Args:
        axes: (2, 3) the axis in the first and in the second sensor, where it is known; then only the heading is sought.
    """

    size = 4
    sure = radians(15.0)
    """Standard deviation of each degree of freedom with which the axes can be followed."""
    noise = radians(1.5)
    repeats_s = 1.0
    """The inclination's errors last about so long."""
    wander = np.full(4, radians(0.05))
    """rad in a second's square root: how soft tissue lets the axes wander."""

    def __init__(self, axes: Floats | None = None) -> None:
        self._known = None if axes is None else (axes / np.linalg.norm(axes, axis=1, keepdims=True)).ravel()
        self._seen = WorldMatch(3)
        self._along: Floats | None = self._known

    def learn(self, step: JointStep, keep: float) -> None:
        """Take a step into account for `candidates`."""
        self._seen.add(step.first, step.second, keep)

    def candidates(self, repeats: float, expected: Expected) -> list[Candidate]:
        """What explains the steps so far, the best first.

        repeats: how many steps in a row count as one.
        """
        variance = self.noise**2 * repeats

        def misfit(heading_rad: float) -> float:
            fit = self._axes_at(heading_rad)[1]
            return 2.0 * (self._seen.weight - fit) / variance + expected.misfit(heading_rad)

        found: list[Candidate] = []
        for heading in lowest_headings(misfit):
            axes = self._axes_at(heading)[0]
            covariance = self._covariance(heading, axes, variance, expected)
            found.append(Candidate(heading, axes, covariance, misfit(heading)))
        best = sorted(found, key=lambda candidate: candidate.misfit)
        self._along = best[0].parameters
        return best

    def residual(
        self, heading_rad: float, parameters: Floats, step: JointStep
    ) -> tuple[Floats, Floats, Floats]:
        """In rad (3,), with its derivatives with respect to heading (3,) and the four degrees of freedom (3, 4)."""
        turn = about_vertical(heading_rad)
        other = turn @ step.second @ parameters[3:]
        derivatives = np.hstack(
            [step.first @ across(parameters[:3]), -turn @ step.second @ across(parameters[3:])]
        )
        return step.first @ parameters[:3] - other, -turned_a_quarter(other), derivatives

    def moved(self, parameters: Floats, change: Floats) -> Floats:
        """Parameters after a small change (4,)."""
        return np.concatenate([moved(parameters[:3], change[:2]), moved(parameters[3:], change[2:])])

    def _axes_at(self, heading_rad: float) -> tuple[Floats, float]:
        """The axes (6,) that fit best at a heading, and how well."""
        cross = self._seen.cross(heading_rad)
        if self._known is not None:
            return self._known, float(self._known[:3] @ cross @ self._known[3:])
        left, size, right = np.linalg.svd(cross)
        axes = np.concatenate([left[:, 0], right[0]])
        # A turn about an axis is the opposite turn about its opposite: the first that was found says which is meant.
        if self._along is not None and axes[:3] @ self._along[:3] < 0.0:
            axes = -axes
        return axes, float(size[0])

    def _covariance(self, heading_rad: float, axes: Floats, variance: float, expected: Expected) -> Floats:
        """Of heading and degrees of freedom (5, 5): the inverse of the misfit's curvature."""
        cross = self._seen.cross(heading_rad)
        by_heading = (
            self._seen.cross(heading_rad + np.pi / 2) - self._seen.cross(heading_rad - np.pi / 2)
        ) / 2.0
        level = (cross - self._seen.cross(heading_rad + np.pi)) / 2.0
        first, second = axes[:3], axes[3:]
        a, b = across(first), across(second)
        fit = float(first @ cross @ second)
        information = np.zeros((5, 5))
        information[0, 0] = first @ level @ second
        information[0, 1:3] = -a.T @ by_heading @ second
        information[0, 3:5] = -b.T @ by_heading.T @ first
        information[1:3, 1:3] = fit * np.eye(2)
        information[3:5, 3:5] = fit * np.eye(2)
        information[1:3, 3:5] = -a.T @ cross @ b
        information = np.triu(information) + np.triu(information, 1).T
        prior = np.diag([expected.information, *[1.0 / _VAGUEST_RAD**2] * 4])
        if self._known is not None:
            prior[1:, 1:] = np.eye(4) / radians(3.0) ** 2
        return np.asarray(np.linalg.inv(information / variance + prior), dtype=np.float64)
