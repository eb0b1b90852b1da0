"""The constraint of a joint with two axes: one is fixed in either segment, and the angle between them never changes.

An elbow bends about an axis in the upper arm and turns about one in the forearm. For the axes j in the first and k in the
second segment, and the cosine c of the angle between them,

    j' R1' R(heading) R2 k = c

at all times (Laidig et al. 2019, IEEE/RAS-EMBS; Muller et al. 2017, IEEE TBME 64(8) for the axes). The left side is
linear in 27 products of j, k and the heading's cosine and sine, so the squared misfit over everything that was
ever seen is a quadratic form of 28 numbers, which forgets as it grows.
"""

from math import radians

import numpy as np

from kinetens.motion.joint_evidence import (
    QUARTER_TURN,
    Candidate,
    Expected,
    Floats,
    JointStep,
    about_vertical,
    across,
    moved,
    turned_a_quarter,
    wrapped,
)

_STARTS = 24
_DESCENTS = 30
_SAME_RAD = radians(5.0)
_VAGUEST_RAD = radians(60.0)
_CALIBRATED_RAD = radians(3.0)
"""Standard deviations of an axis nobody knows, and of one from a calibration."""


class TwoAxes:
    """The parameters are the unit axes in the first and the second sensor and the cosine between them (7,).

    They have five degrees of freedom. Both axes must have been moved about, or any second axis would do.

    Args:
        axes: (2, 3) the axis in the first and in the second sensor, where they are known; they are where the
            search begins.
    """

    size = 5
    sure = radians(15.0)
    """Standard deviation of each degree of freedom with which the axes can be followed."""
    noise = radians(0.9)
    repeats_s = 1.0
    """The inclination's errors last about so long."""
    wander = np.full(5, radians(0.05))
    """rad in a second's square root: how soft tissue lets the axes wander."""

    def __init__(self, axes: Floats | None = None) -> None:
        self._known = None if axes is None else axes / np.linalg.norm(axes, axis=1, keepdims=True)
        self._seen = np.zeros((28, 28))

    def learn(self, step: JointStep, keep: float) -> None:
        """Take a step into account for `candidates`."""
        one, two = step.first, step.second
        row = np.empty(28)
        row[:9] = np.outer(one[2], two[2]).ravel()
        row[9:18] = (one[:2].T @ two[:2]).ravel()
        row[18:27] = (one[:2].T @ QUARTER_TURN @ two[:2]).ravel()
        row[27] = -1.0
        self._seen *= keep
        self._seen += np.outer(row, row)

    def candidates(self, repeats: float, expected: Expected) -> list[Candidate]:
        """What explains the steps so far, the best first: descents from all over, always the same ones.

        repeats: how many steps in a row count as one.
        """
        random = np.random.default_rng(1)
        found: list[Candidate] = []
        for number in range(_STARTS):
            axes = random.normal(size=(2, 3)) if self._known is None else self._known
            axes = axes / np.linalg.norm(axes, axis=1, keepdims=True)
            heading = 2.0 * np.pi * number / _STARTS - np.pi
            found.append(self._descended(heading, np.array([*axes.ravel(), 0.0]), repeats, expected))
        distinct: list[Candidate] = []
        for candidate in sorted(found, key=lambda candidate: candidate.misfit):
            away = [abs(wrapped(candidate.heading_rad - other.heading_rad)) for other in distinct]
            if not away or min(away) > _SAME_RAD:
                distinct.append(candidate)
        return distinct

    def residual(
        self, heading_rad: float, parameters: Floats, step: JointStep
    ) -> tuple[Floats, Floats, Floats]:
        """In rad (1,), with its derivatives with respect to heading (1,) and the five degrees of freedom (1, 5)."""
        one, two = step.first @ parameters[:3], about_vertical(heading_rad) @ step.second @ parameters[3:6]
        by_first = two @ step.first @ across(parameters[:3])
        by_second = one @ about_vertical(heading_rad) @ step.second @ across(parameters[3:6])
        misfit = np.array([one @ two - parameters[6]])
        by_heading = np.array([one @ turned_a_quarter(two)])
        return misfit, by_heading, np.concatenate([by_first, by_second, [-1.0]])[None]

    def moved(self, parameters: Floats, change: Floats) -> Floats:
        """Parameters after a small change (5,)."""
        return np.concatenate(
            [
                moved(parameters[:3], change[:2]),
                moved(parameters[3:6], change[2:4]),
                [np.clip(parameters[6] + change[4], -1.0, 1.0)],
            ]
        )

    def _descended(
        self, heading_rad: float, parameters: Floats, repeats: float, expected: Expected
    ) -> Candidate:
        """By Gauss and Newton, in steps of at most 0.5 rad."""
        variance = self.noise**2 * repeats
        vague = _VAGUEST_RAD if self._known is None else _CALIBRATED_RAD
        prior = variance * np.diag([0.0, *[1.0 / vague**2] * 4, 1.0])
        for _ in range(_DESCENTS):
            products, derivatives = _products(heading_rad, parameters)
            normal = derivatives.T @ self._seen @ derivatives + prior
            slope = derivatives.T @ self._seen @ products
            normal[0, 0] += variance * expected.information
            slope[0] += variance * np.sin(heading_rad - expected.heading_rad) / expected.sd_rad**2
            change = -np.asarray(np.linalg.solve(normal, slope), dtype=np.float64)
            change *= min(1.0, 0.5 / max(float(np.max(np.abs(change))), 1e-12))
            heading_rad += float(change[0])
            parameters = self.moved(parameters, change[1:])
            if float(np.max(np.abs(change))) < 1e-7:
                break
        products, derivatives = _products(heading_rad, parameters)
        normal = derivatives.T @ self._seen @ derivatives + prior
        normal[0, 0] += variance * expected.information
        misfit = float(products @ self._seen @ products) / variance + expected.misfit(heading_rad)
        covariance = variance * np.asarray(np.linalg.inv(normal), dtype=np.float64)
        return Candidate(wrapped(heading_rad), parameters, covariance, misfit)


def _products(heading_rad: float, parameters: Floats) -> tuple[Floats, Floats]:
    """The 28 numbers, and their derivatives with respect to heading and the five degrees of freedom (28, 6)."""
    first, second = parameters[:3], parameters[3:6]
    cosine, sine = np.cos(heading_rad), np.sin(heading_rad)

    def spread(pair: Floats, weights: tuple[float, float, float] = (1.0, cosine, sine)) -> Floats:
        return np.concatenate([*(weight * pair.ravel() for weight in weights), [0.0]])

    pair = np.outer(first, second)
    products = spread(pair)
    products[27] = parameters[6]
    columns = [spread(pair, (0.0, -sine, cosine))]
    columns += [spread(np.outer(direction, second).astype(np.float64)) for direction in across(first).T]
    columns += [spread(np.outer(first, direction).astype(np.float64)) for direction in across(second).T]
    columns.append(np.eye(28)[27])
    return products, np.stack(columns, axis=1)
