"""What a worn sensor sees when nobody exercises: walking, sitting down and standing up, fidgeting.

Poses are pure functions of time and seed; rates and forces follow from the pose by central differences, so that
gyroscope and accelerometer never contradict each other. Figures are those of adults: cadence, vertical travel and
segment ranges of level walking from Perry and Burnfield, Gait Analysis, 2nd ed. 2010; shocks of heel strike from
Lafortune 1991, J. Biomech. 24(10).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, radians
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from kinetens.virtual.member import GRAVITY_M_S2, Samples

Site = Literal["wrist", "thorax", "pelvis", "thigh", "shank"]
Activity = Literal["standing", "walking", "sitting down", "standing up", "fidgeting"]


@dataclass(frozen=True, slots=True)
class SiteMotion:
    """Of a site: what it does in walking and in sitting down.

    swing_deg: first and second harmonic of the stride, amplitude. sway_deg: out of the sagittal plane, at the stride.
    shock_mm: ringing of the strap at heel strike, 15 Hz (1 mm is some 9 m/s²). seated_deg: how far it turns in
    sitting down; leaning_deg: how far it leans on the way and back. restless_deg: usual size of a fidget.
    """

    swing_deg: tuple[float, float]
    sway_deg: float
    shock_mm: float
    seated_deg: float
    leaning_deg: float
    restless_deg: float


SITES: dict[Site, SiteMotion] = {
    "wrist": SiteMotion((20.0, 3.0), 6.0, 0.15, 40.0, 10.0, 25.0),
    "thorax": SiteMotion((1.5, 2.0), 3.0, 0.15, 5.0, 35.0, 8.0),
    "pelvis": SiteMotion((1.0, 2.0), 4.0, 0.25, 8.0, 20.0, 6.0),
    "thigh": SiteMotion((20.0, 5.0), 4.0, 0.5, 85.0, 0.0, 8.0),
    "shank": SiteMotion((32.0, 12.0), 4.0, 1.0, 10.0, 8.0, 10.0),
}
TEN_MINUTES: tuple[tuple[Activity, float], ...] = (
    ("standing", 5.0),
    ("walking", 25.0),
    ("standing", 4.0),
    ("sitting down", 3.0),
    ("fidgeting", 150.0),
    ("standing up", 3.0),
    ("walking", 60.0),
    ("standing", 10.0),
    ("sitting down", 3.0),
    ("fidgeting", 120.0),
    ("standing up", 3.0),
    ("fidgeting", 60.0),
    ("walking", 100.0),
    ("sitting down", 3.0),
    ("fidgeting", 51.0),
)
"""Ten minutes of a day, activity and s."""
_BOUNCE_M = 0.02
_SURGE_M = 0.01
_RINGING_HZ, _RINGING_S = 15.0, 0.05
_DIFFERENCE_S = 1e-3


class EverydayMember:
    """A member who does not exercise, with a sensor at one site, somehow turned.

    Args:
        site: where the sensor is.
        seed: of cadence, strength, fidgets, mounting.
        activities: what is done how long, in s.
    """

    def __init__(
        self, site: Site, seed: int, activities: Sequence[tuple[Activity, float]] = TEN_MINUTES
    ) -> None:
        self._site = SITES[site]
        random = np.random.default_rng(seed)
        self._strength = float(random.uniform(0.8, 1.25))
        self._stride_hz = float(random.uniform(0.8, 1.0))
        self._wander_hz = float(random.uniform(0.05, 0.1))
        self._mounting = Rotation.random(rng=random)
        self._phases = random.uniform(0.0, 2.0 * pi, 4)
        self._walks: list[tuple[float, float]] = []
        # Ways between postures: begin and end in s, and (pitch, roll, yaw) in rad they turn by.
        ways: list[tuple[float, float, Samples]] = []
        now_s = 0.0
        for activity, lasts_s in activities:
            if activity == "walking":
                self._walks.append((now_s, now_s + lasts_s))
                ways.append((now_s, now_s + lasts_s, np.array([0.0, 0.0, random.uniform(-1.5, 1.5)])))
            elif activity in ("sitting down", "standing up"):
                ways += self._seat(now_s, 1.0 if activity == "sitting down" else -1.0, random)
            elif activity == "fidgeting":
                ways += self._fidgets(now_s, now_s + lasts_s, random)
            now_s += lasts_s
        self.end_s = now_s
        ways.sort(key=lambda way: way[0])
        self._begin_s = np.array([way[0] for way in ways])
        self._lasts_s = np.array([way[1] - way[0] for way in ways])
        self._turns = np.array([way[2] for way in ways]).reshape(-1, 3)
        self._turned = np.concatenate([np.zeros((1, 3)), np.cumsum(self._turns, axis=0)])

    def sample(self, times_s: Samples) -> tuple[Samples, Samples]:
        """Angular rate in rad/s (N, 3) and specific force in m/s² (N, 3), sensor frame, at `times_s` (N,)."""
        h = _DIFFERENCE_S
        before, now, after = (self.orientation(times_s + shift) for shift in (-h / 2, 0.0, h / 2))
        moved = self._position(times_s + h) - 2.0 * self._position(times_s) + self._position(times_s - h)
        rate = (before.inv() * after).as_rotvec() / h
        return rate, now.inv().apply(moved / h**2 + GRAVITY_M_S2)

    def orientation(self, times_s: Samples) -> Rotation:
        """The sensor's true orientation, sensor to world (z up), at `times_s` (N,)."""
        angles = self._posture(times_s)
        walking, phase = self._walking(times_s), self._stride(times_s)
        first, second = (radians(amplitude) * self._strength for amplitude in self._site.swing_deg)
        angles[:, 0] += walking * (first * np.sin(phase) + second * np.sin(2.0 * phase + self._phases[0]))
        angles[:, 1] += walking * radians(self._site.sway_deg) * np.sin(phase + self._phases[1])
        angles[:, 0] += radians(0.3) * np.sin(2.0 * pi * 0.31 * times_s + self._phases[2])
        return Rotation.from_euler("ZYX", angles[:, [2, 0, 1]]) * self._mounting

    def _position(self, times_s: Samples) -> Samples:
        walking, steps = self._walking(times_s), 2.0 * self._stride(times_s)
        since_s = np.mod(steps / (2.0 * pi), 1.0) / (2.0 * self._stride_hz)
        ringing = np.exp(-since_s / _RINGING_S) * np.sin(2.0 * pi * _RINGING_HZ * since_s) ** 3
        position = np.zeros((len(times_s), 3))
        position[:, 0] = walking * _SURGE_M * self._strength * np.sin(steps)
        position[:, 2] = (
            walking
            * self._strength
            * (-_BOUNCE_M * np.cos(steps - 0.6) + 1e-3 * self._site.shock_mm * ringing)
        )
        return position

    def _stride(self, times_s: Samples) -> Samples:
        wander = 0.3 * np.sin(2.0 * pi * self._wander_hz * times_s + self._phases[3])
        return 2.0 * pi * self._stride_hz * times_s + wander

    def _walking(self, times_s: Samples) -> Samples:
        """1 while walking, 0 while not, with a second of starting and stopping."""
        strength = np.zeros(len(times_s))
        for begin_s, end_s in self._walks:
            strength += _smooth(times_s - begin_s) * _smooth(end_s - times_s)
        return strength

    def _posture(self, times_s: Samples) -> Samples:
        """Pitch, roll and yaw (N, 3) in rad of the posture between and on ways."""
        # Ways of one activity may follow upon another but never overlap, so the latest begun is the one under way.
        way = np.searchsorted(self._begin_s, times_s, side="right") - 1
        known = np.clip(way, 0, None)
        along = _smooth((times_s - self._begin_s[known]) / self._lasts_s[known])
        return np.where(way[:, None] < 0, 0.0, self._turned[known] + along[:, None] * self._turns[known])

    def _seat(
        self, begin_s: float, sense: float, random: np.random.Generator
    ) -> list[tuple[float, float, Samples]]:
        """Sitting down, or standing up with sense -1: the trunk leans and comes back, the thigh turns once."""
        lean = radians(self._site.leaning_deg) * random.uniform(0.8, 1.2)
        seated = sense * radians(self._site.seated_deg)
        aside = radians(3.0) * random.standard_normal(2)
        middle_s = begin_s + random.uniform(0.9, 1.3)
        end_s = middle_s + random.uniform(0.9, 1.3)
        return [
            (begin_s, middle_s, np.array([lean + 0.5 * seated, aside[0], 0.0])),
            (middle_s, end_s, np.array([-lean + 0.5 * seated, aside[1], 0.0])),
        ]

    def _fidgets(
        self, begin_s: float, end_s: float, random: np.random.Generator
    ) -> list[tuple[float, float, Samples]]:
        """Now and then a turn about any axis; about half of them are taken back after a while."""
        ways: list[tuple[float, float, Samples]] = []
        now_s, home = begin_s, np.zeros(3)
        while True:
            now_s += random.exponential(2.5)
            lasts_s = random.uniform(0.4, 1.8)
            if now_s + lasts_s > end_s - 2.0:
                break
            goes_back = bool(np.any(home)) and random.random() < 0.5
            size = radians(self._site.restless_deg) * random.exponential(1.0)
            direction = random.standard_normal(3)
            turn = -home if goes_back else size * direction / np.linalg.norm(direction)
            ways.append((now_s, now_s + lasts_s, turn))
            home = home + turn
            now_s += lasts_s
        ways.append((end_s - 1.5, end_s - 0.1, -home))
        return ways


def _smooth(along: Samples) -> Samples:
    """From 0 to 1 without a jerk (Flash and Hogan 1985)."""
    s = np.clip(along, 0.0, 1.0)
    return s**3 * (10.0 - 15.0 * s + 6.0 * s**2)
