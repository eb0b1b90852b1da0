"""What the movement of two segments says about the heading between their sensors, added up as it arrives.

Two sensors without magnetometers agree about the vertical and about nothing else: the world of the second is turned
against that of the first by an unknown heading, which drifts. A joint makes both segments predict the same
world vector, F p in the first's world and G s in the second's (F, G known in each sample, p, s unknown constants):

    F p = R(heading) G s,    R(heading): a turn about the vertical

- the axis of a hinge: F, G are the orientations, p, s the axis in each sensor (Seel et al. 2014, Sensors 14(4));
- the specific force at the centre of any joint: F = orientation [a, K], p = (1, r), where r is the way from the sensor to
  the centre and K r the acceleration of the centre relative to the sensor (Seel et al. 2012, IEEE MSC; Weygers & Kok
  2020, IEEE Sensors J. 20(14)).

The squared misfit is p'Pp + s'Qs - 2 p'X(heading)s with X = Z + C cos(heading) + D sin(heading): five small matrices
hold all that was ever seen, so a heading nobody knows can be searched for all round the compass at any time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import radians
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar  # pyright: ignore[reportUnknownVariableType]

Floats = NDArray[np.float64]

QUARTER_TURN = np.array([[0.0, -1.0], [1.0, 0.0]])
_GRID_RAD = radians(6.0)


@dataclass(frozen=True, slots=True)
class JointStep:
    """The mean of both sensors' samples over one step.

    first, second: (3, 3) orientation, each into its sensor's world, z up.
    first_centre, second_centre: (3, 4) [specific force, K] in the same worlds, or None without raw samples.
    """

    first: Floats
    second: Floats
    first_centre: Floats | None
    second_centre: Floats | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A heading in rad that explains what was seen, with what belongs to it.

    covariance: (1 + parameters, 1 + parameters) of heading and parameters.
    misfit: minus twice the log-likelihood, up to a constant that is the same for all candidates.
    """

    heading_rad: float
    parameters: Floats
    covariance: Floats
    misfit: float


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of the heading from elsewhere: a value in rad and its standard deviation, infinite for nothing."""

    heading_rad: float
    sd_rad: float

    def misfit(self, heading_rad: float) -> float:
        """Minus twice the log-likelihood of a heading; smooth all round the compass."""
        return 2.0 * (1.0 - float(np.cos(heading_rad - self.heading_rad))) / self.sd_rad**2

    @property
    def information(self) -> float:
        """At least that of any heading being as likely as any other."""
        return max(1.0 / self.sd_rad**2, 3.0 / np.pi**2)


class WorldMatch:
    """The five matrices for (3, n) predictions by either segment; `weight` is how many steps they hold."""

    def __init__(self, size: int) -> None:
        self.weight = 0.0
        self.own_first, self.own_second = np.zeros((size, size)), np.zeros((size, size))
        self._vertical, self._cosine, self._sine = (np.zeros((size, size)) for _ in range(3))

    def add(self, first: Floats, second: Floats, keep: float) -> None:
        """Take one step's predictions (3, n); of what was before, a share `keep` is kept."""
        self.weight = keep * self.weight + 1.0
        for sum_, new in (
            (self.own_first, first.T @ first),
            (self.own_second, second.T @ second),
            (self._vertical, np.outer(first[2], second[2])),
            (self._cosine, first[:2].T @ second[:2]),
            (self._sine, first[:2].T @ QUARTER_TURN @ second[:2]),
        ):
            sum_ *= keep
            sum_ += new

    def cross(self, heading_rad: float) -> Floats:
        """X at a heading (n, n)."""
        return self._vertical + np.cos(heading_rad) * self._cosine + np.sin(heading_rad) * self._sine


def lowest_headings(misfit: Callable[[float], float]) -> list[float]:
    """The headings, all round the compass, where a smooth misfit is lower than near by."""
    headings = np.arange(-np.pi, np.pi, _GRID_RAD)
    misfits = np.array([misfit(float(heading)) for heading in headings])
    low = (misfits < np.roll(misfits, 1)) & (misfits <= np.roll(misfits, -1))
    low[np.argmin(misfits)] = True
    found: list[float] = []
    for at in headings[low].tolist():
        bounds = (at - _GRID_RAD, at + _GRID_RAD)
        lowest = cast(Any, minimize_scalar(misfit, bounds=bounds, method="bounded"))
        found.append(float(lowest.x))
    return found


def about_vertical(heading_rad: float) -> Floats:
    """(3, 3) turn about the vertical."""
    cosine, sine = np.cos(heading_rad), np.sin(heading_rad)
    return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])


def turned_a_quarter(vector: Floats) -> Floats:
    """The derivative of a world vector (3,) with respect to heading."""
    return np.array([-vector[1], vector[0], 0.0])


def across(axes: Floats) -> Floats:
    """(..., 3, 2): two directions in which unit vectors (..., 3) can move."""
    least = np.eye(3)[np.argmin(np.abs(axes), axis=-1)]
    one = np.cross(axes, least)
    one /= np.linalg.norm(one, axis=-1, keepdims=True)
    return np.stack([one, np.cross(axes, one)], axis=-1).astype(np.float64)


def moved(axis: Floats, change: Floats) -> Floats:
    """A unit vector, moved by (2,) along `across`."""
    there = axis + across(axis) @ change
    return there / np.linalg.norm(there)


def wrapped(angle_rad: float) -> float:
    """Within half a turn of 0."""
    return float((angle_rad + np.pi) % (2.0 * np.pi) - np.pi)
