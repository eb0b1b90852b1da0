"""The heading between two sensors on either side of a joint, kept from drifting by what the joint cannot do.

First it is searched for all round the compass (kinetens.motion.joint_evidence); once one heading explains what was seen
clearly better than any other, an extended Kalman filter follows the heading, the rate at which it drifts and what the
joint's constraints do not know (axes, lever arms) together, so that neither is held for true while the other is learnt.
"""

from itertools import pairwise
from math import exp, radians
from typing import Protocol

import numpy as np

from kinetens.motion.joint_evidence import Candidate, Expected, Floats, JointStep, wrapped

DRIFT_RAD_S = radians(0.12)
"""Standard deviation of the rate at which the heading between two 6-axis orientations drifts.

VQF without a magnetometer drifts 3 degrees a minute on average and 10 at worst on BROAD."""
_DRIFT_CHANGES = radians(0.01)
"""rad/s in a second's square root."""
_HEADING_WANDERS = radians(0.1)
"""rad in a second's square root."""
SURE_RAD = radians(8.0)
"""A heading is settled when its standard deviation is below this ..."""
SURE_LIKELIHOOD = 20.0
"""... and every other is so much less likely (in units of -2 log-likelihood, 1 in 20,000)."""
OTHER_RAD = radians(40.0)
"""What is further off is another heading."""
MEMORY_S = 30.0
"""While it is searched for, what was seen is forgotten with this time constant."""
_LOOKS_S = 1.0
_OWN = 3
"""Heading, drift, neutral heading: what the filter has besides the constraints' parameters."""
_STAYS_RAD = 0.3
_UNKNOWN = np.pi**2 / 3.0
_TYPICAL = 2.0
"""Residuals up to so many standard deviations count in full."""
_NOISE_LEARNT_S = 4.0


class Constraint(Protocol):
    """What a joint cannot do: see HingeAxis, TwoAxes, JointCentre."""

    size: int
    sure: float
    noise: float
    repeats_s: float
    wander: Floats

    def learn(self, step: JointStep, keep: float) -> None: ...

    def candidates(self, repeats: float, expected: Expected) -> list[Candidate]: ...

    def residual(
        self, heading_rad: float, parameters: Floats, step: JointStep
    ) -> tuple[Floats, Floats, Floats]: ...

    def moved(self, parameters: Floats, change: Floats) -> Floats: ...


class SecondConstraint(Constraint, Protocol):
    """One that can be asked for any heading, and so helps another to choose between its candidates."""

    def at(self, heading_rad: float, repeats: float) -> Candidate: ...


class HeadingCorrection:
    """Heading, its drift, and the parameters of one or two constraints, step by step.

    Args:
        first: the constraint whose candidates are looked at.
        second: another, which must agree.
        step_s: how long a step lasts, in s.

    Attributes:
        heading_rad: what the second sensor's world is turned by to become the first's, at `time_s`.
        neutral_heading_rad: the same at the moment of `remember`, better known with all that came later.
        parameters: of each constraint; empty as long as nothing was seen.
        covariance: of heading, drift, neutral heading, and the degrees of freedom of each constraint (see `places`).
        settled: False while more than one heading may be true.
    """

    def __init__(self, first: Constraint, second: SecondConstraint | None, step_s: float) -> None:
        self._constraints: list[Constraint] = [first] if second is None else [first, second]
        self._first, self._second = first, second
        self._step_s = step_s
        self._keep = exp(-step_s / MEMORY_S)
        self._unlooked_s = 0.0
        self._expected = Expected(0.0, np.inf)
        self._variances = [constraint.noise**2 for constraint in self._constraints]
        sizes = np.cumsum([_OWN, *(constraint.size for constraint in self._constraints)])
        self.places = [slice(int(a), int(b)) for a, b in pairwise(sizes)]
        self._count = int(sizes[-1])
        self._wander = np.concatenate(
            [
                [_HEADING_WANDERS, _DRIFT_CHANGES, 0.0],
                *(constraint.wander for constraint in self._constraints),
            ]
        )
        self.settled = False
        self.time_s = 0.0
        self.heading_rad = self.drift_rad_s = self.neutral_heading_rad = 0.0
        self.parameters: list[Floats] = []
        self.covariance = np.diag([_UNKNOWN, DRIFT_RAD_S**2, _UNKNOWN, *np.ones(self._count - _OWN)])

    @property
    def constraint(self) -> Constraint:
        """The first constraint, to which the first parameters belong."""
        return self._first

    @property
    def heading_sd_rad(self) -> float:
        """Standard deviation of the heading."""
        return float(np.sqrt(self.covariance[0, 0]))

    @property
    def neutral_heading_sd_rad(self) -> float:
        """Standard deviation of the neutral heading."""
        return float(np.sqrt(self.covariance[2, 2]))

    @property
    def misfit(self) -> float:
        """How badly the joint keeps to its first constraint, in the constraint's unit (standard deviation)."""
        return float(np.sqrt(self._variances[0]))

    def expect(self, heading_rad: float, sd_rad: float) -> None:
        """The heading is known from elsewhere, as from a posture, to a standard deviation."""
        self._expected = Expected(heading_rad, sd_rad)
        self.heading_rad = heading_rad
        self.covariance[0, 0] = sd_rad**2
        self.remember()

    def remember(self) -> None:
        """The posture now is neutral."""
        self.neutral_heading_rad = self.heading_rad
        self.covariance[2, :] = self.covariance[0, :]
        self.covariance[:, 2] = self.covariance[:, 0]

    def take(self, time_s: float, step: JointStep) -> None:
        """Take the next step, of which `time_s` is the middle."""
        lasts_s = time_s - self.time_s if self.parameters else self._step_s
        self.time_s = time_s
        if self.settled:
            self._follow(step, lasts_s)
            return
        for constraint in self._constraints:
            constraint.learn(step, self._keep)
        self._unlooked_s += lasts_s
        if self._unlooked_s >= _LOOKS_S or not self.parameters:
            self._unlooked_s = 0.0
            self._search()

    def _repeats(self, constraint: Constraint) -> float:
        return max(1.0, constraint.repeats_s / self._step_s)

    def _search(self) -> None:
        candidates = self._first.candidates(self._repeats(self._first), self._expected)
        misfits = [self._misfit_of(candidate) for candidate in candidates]
        least = min(misfits)
        best = candidates[misfits.index(least)]
        away = [abs(wrapped(candidate.heading_rad - best.heading_rad)) for candidate in candidates]
        others = [misfit for misfit, far in zip(misfits, away, strict=True) if far > OTHER_RAD]
        unlike = not others or min(others) - least > SURE_LIKELIHOOD
        sds = np.sqrt(np.diag(best.covariance))
        self.settled = unlike and sds[0] < SURE_RAD and bool(np.all(sds[1:] < self._first.sure))
        self._believe(best if self.settled else self._near(best))

    def _near(self, best: Candidate) -> Candidate:
        """As long as many headings will do, the one believed so far is kept, or the angles would jump about."""
        staying = Expected(self.heading_rad, _STAYS_RAD)
        near = self._first.candidates(self._repeats(self._first), staying)[0]
        return Candidate(near.heading_rad, near.parameters, best.covariance, near.misfit)

    def _believe(self, candidate: Candidate) -> None:
        self.heading_rad = candidate.heading_rad
        self.parameters = [candidate.parameters]
        inside = [0, *range(_OWN, _OWN + self._first.size)]
        self.covariance[np.ix_(inside, inside)] = candidate.covariance
        if self._second is not None:
            also = self._second.at(candidate.heading_rad, self._repeats(self._second))
            self.parameters.append(also.parameters)
            self.covariance[self.places[1], self.places[1]] = also.covariance[1:, 1:]
        self.remember()

    def _misfit_of(self, candidate: Candidate) -> float:
        misfit = candidate.misfit
        if self._second is not None:
            misfit += self._second.at(candidate.heading_rad, self._repeats(self._second)).misfit
        return misfit

    def _follow(self, step: JointStep, lasts_s: float) -> None:
        self.heading_rad += self.drift_rad_s * lasts_s
        pushed = np.eye(self._count)
        pushed[0, 1] = lasts_s
        self.covariance = pushed @ self.covariance @ pushed.T
        self.covariance += np.diag(self._wander**2 * lasts_s)
        for number in range(len(self._constraints)):
            self._correct(number, step, lasts_s)

    def _correct(self, number: int, step: JointStep, lasts_s: float) -> None:
        constraint = self._constraints[number]
        misfit, by_heading, by_parameters = constraint.residual(
            self.heading_rad, self.parameters[number], step
        )
        by_all = np.zeros((len(misfit), self._count))
        by_all[:, 0] = by_heading
        by_all[:, self.places[number]] = by_parameters
        size = float(misfit @ misfit) / len(misfit)
        known = self._variances[number]
        untypical = max(1.0, (size / known) ** 0.5 / _TYPICAL)
        noise = known * self._repeats(constraint) * untypical * np.eye(len(misfit))
        gain = np.linalg.solve(by_all @ self.covariance @ by_all.T + noise, by_all @ self.covariance).T
        change = -gain @ misfit
        left = np.eye(self._count) - gain @ by_all
        self.covariance = left @ self.covariance @ left.T + gain @ noise @ gain.T
        self.heading_rad += float(change[0])
        self.drift_rad_s += float(change[1])
        self.neutral_heading_rad += float(change[2])
        self.parameters = [
            other.moved(parameters, change[place])
            for other, parameters, place in zip(self._constraints, self.parameters, self.places, strict=True)
        ]
        least = (constraint.noise / 3.0) ** 2
        share = min(1.0, lasts_s / _NOISE_LEARNT_S)
        self._variances[number] += share * (max(min(size, 9.0 * known), least) - known)
