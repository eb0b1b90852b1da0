"""Any joint's constraint: the joint's centre belongs to both segments, so both tell the same acceleration of it."""

from math import radians

import numpy as np

from kinetens.motion.joint_evidence import (
    Candidate,
    Expected,
    Floats,
    JointStep,
    WorldMatch,
    about_vertical,
    lowest_headings,
    turned_a_quarter,
)

_FARTHEST_M = 0.3
"""A sensor is about so far from the joint it helps to measure: prior standard deviation of each lever arm's component."""


def centre_prediction(
    orientation: Floats, gyr_rad_s: Floats, turn_rad_s2: Floats, acc_m_s2: Floats
) -> Floats:
    """[specific force, K] (N, 3, 4), world frame, of samples of one sensor.

    Args:
        orientation: (N, 3, 3) sensor to world.
        gyr_rad_s: (N, 3).
        turn_rad_s2: (N, 3) angular acceleration.
        acc_m_s2: (N, 3) specific force.
    """
    spin = _cross_matrices(gyr_rad_s)
    lever = spin @ spin + _cross_matrices(turn_rad_s2)
    return orientation @ np.concatenate([acc_m_s2[:, :, None], lever], axis=2)


class JointCentre:
    """The parameters are the ways from either sensor to the joint's centre, in m, in its own frame (6,).

    They need not be known: they are estimated with the heading. What moves slowly has little acceleration, so
    this constraint needs lively movement (about 0.5 m/s² of the centre).
    """

    size = 6
    sure = np.inf
    """Lever arms need not be known before the heading is followed: what they do to the misfit is linear."""
    noise = 0.35
    """m/s²: how well both agree on the joint rig; adapted to what is seen."""
    repeats_s = 1.2
    """The errors of steps closer together are alike: they come from the inclination and from soft tissue."""
    wander = np.full(6, 0.0005)
    """m in a second's square root: how soft tissue lets the parameters wander."""

    def __init__(self) -> None:
        self._seen = WorldMatch(4)

    def learn(self, step: JointStep, keep: float) -> None:
        """Take a step into account for `candidates`."""
        first, second = _centres(step)
        self._seen.add(first, second, keep)

    def at(self, heading_rad: float, repeats: float) -> Candidate:
        """The best parameters at a heading."""
        p, q, x = self._seen.own_first, self._seen.own_second, self._seen.cross(heading_rad)
        variance = self.noise**2 * repeats
        normal = np.block([[p[1:, 1:], -x[1:, 1:]], [-x[1:, 1:].T, q[1:, 1:]]])
        normal += variance / _FARTHEST_M**2 * np.eye(6)
        right = np.concatenate([x[1:, 0] - p[1:, 0], x[0, 1:] - q[1:, 0]])
        levers = np.asarray(np.linalg.solve(normal, right), dtype=np.float64)
        misfit = float(p[0, 0] + q[0, 0] - 2.0 * x[0, 0] - right @ levers)
        covariance = np.zeros((7, 7))
        covariance[1:, 1:] = variance * np.linalg.inv(normal)
        return Candidate(heading_rad, levers, covariance, misfit / variance)

    def candidates(self, repeats: float, expected: Expected) -> list[Candidate]:
        """What explains the steps so far, the best first.

        repeats: how many steps in a row count as one.
        """

        def misfit(heading_rad: float) -> float:
            return self.at(heading_rad, repeats).misfit + expected.misfit(heading_rad)

        found = [self._with_covariance(heading, repeats, expected) for heading in lowest_headings(misfit)]
        return sorted(found, key=lambda candidate: candidate.misfit)

    def residual(
        self, heading_rad: float, parameters: Floats, step: JointStep
    ) -> tuple[Floats, Floats, Floats]:
        """In m/s² (3,), with its derivatives with respect to heading (3,) and parameters (3, 6)."""
        first, second = _centres(step)
        turn = about_vertical(heading_rad)
        other = turn @ (second[:, 0] + second[:, 1:] @ parameters[3:])
        misfit = first[:, 0] + first[:, 1:] @ parameters[:3] - other
        return misfit, -turned_a_quarter(other), np.hstack([first[:, 1:], -turn @ second[:, 1:]])

    def moved(self, parameters: Floats, change: Floats) -> Floats:
        """Parameters after a small change (6,)."""
        return parameters + change

    def _with_covariance(self, heading_rad: float, repeats: float, expected: Expected) -> Candidate:
        here = self.at(heading_rad, repeats)
        small = radians(2.0)
        before, after = self.at(heading_rad - small, repeats), self.at(heading_rad + small, repeats)
        bend = (before.misfit + after.misfit - 2.0 * here.misfit) / small**2 / 2.0
        variance = 1.0 / (max(bend, 0.0) + expected.information)
        follows = (after.parameters - before.parameters) / (2.0 * small)
        covariance = here.covariance + variance * np.outer([1.0, *follows], [1.0, *follows])
        return Candidate(heading_rad, here.parameters, covariance, here.misfit + expected.misfit(heading_rad))


def _centres(step: JointStep) -> tuple[Floats, Floats]:
    if step.first_centre is None or step.second_centre is None:
        raise ValueError("the joint's centre is followed by raw samples, and this step has none")
    return step.first_centre, step.second_centre


def _cross_matrices(vectors: Floats) -> Floats:
    x, y, z = vectors.T
    nil = np.zeros(len(vectors))
    return np.array([[nil, -z, y], [z, nil, -x], [-y, x, nil]]).transpose(2, 0, 1)
