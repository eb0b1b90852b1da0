"""What the device on the member's body feels during a story: rest, exercises, falls, blows, all from its events."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import radians

import numpy as np

from kinetens.virtual.member import GeneratedMember
from kinetens.virtual.motion_source import Array, MotionSource

FALL_S = 0.45
"""A fall of one metre."""
EXERCISE_RAD_S = radians(20.0)
EXERCISE_S = 0.8
"""A limb exercises once it has turned faster than this for so much longer than slower (docs/decisions.md)."""
_LOOKS_HZ = 208.0
_BLOW_S = 0.08
_BLOW_M_S2 = 90.0
_VIOLENT_RAD_S = 25.0
_VIOLENT_M_S2 = 70.0
_VIOLENT_HZ = 4.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Something that moves the member from a time on."""

    start_s: float
    end_s: float


class StagedMotion:
    """A member who rests, exercises in given stretches, falls and shakes the device violently at given times."""

    def __init__(
        self,
        seed: int,
        exercises: Sequence[Stretch] = (),
        falls: Sequence[Stretch] = (),
        violence: Sequence[Stretch] = (),
    ) -> None:
        self._falls = falls
        self._violence = violence
        self._starts = np.array([-np.inf, *(stretch.start_s for stretch in exercises)])
        still = GeneratedMember(1, radians(60.0), seed, start_delay_s=1e9)
        self._members = [still] + [
            GeneratedMember(
                max(1, round((stretch.end_s - stretch.start_s) / 3.5)),
                radians(60.0),
                seed,
                start_delay_s=stretch.start_s,
            )
            for stretch in exercises
        ]

    def sample(self, times_s: Array) -> tuple[Array, Array]:
        """Angular rate in rad/s and specific force in m/s², (N, 3) each, at `times_s` (N,)."""
        rate, force = np.zeros((len(times_s), 3)), np.zeros((len(times_s), 3))
        playing = np.searchsorted(self._starts, times_s, side="right") - 1
        for number in np.unique(playing):
            rows = playing == number
            rate[rows], force[rows] = self._members[number].sample(times_s[rows])
        for fall in self._falls:
            falling = (times_s >= fall.start_s) & (times_s < fall.start_s + FALL_S)
            force[falling] *= 0.03
            hits = (times_s >= fall.start_s + FALL_S) & (times_s < fall.start_s + FALL_S + _BLOW_S)
            force[hits] += _BLOW_M_S2
        for violent in self._violence:
            shakes = (times_s >= violent.start_s) & (times_s < violent.end_s)
            swing = np.sin(2 * np.pi * _VIOLENT_HZ * (times_s[shakes] - violent.start_s))
            rate[shakes] += (swing * _VIOLENT_RAD_S)[:, np.newaxis]
            force[shakes] += (swing * _VIOLENT_M_S2)[:, np.newaxis]
        return rate, force


def plain_exercise(motion: MotionSource, exercise: Stretch, doubt_s: float = 0.0) -> Stretch | None:
    """From when to when nobody can take an exercise for rest; None if it never comes to that.

    It is plain once the time above EXERCISE_RAD_S exceeds the time below it by EXERCISE_S, until that is used up.
    doubt_s: by how much more, for a sensor with noise; it may take the exercise to be over so much sooner, too.
    """
    times_s = np.arange(exercise.start_s, exercise.end_s, 1.0 / _LOOKS_HZ)
    rate, _ = motion.sample(times_s)
    doubt = round(doubt_s * _LOOKS_HZ)
    most = round(EXERCISE_S * _LOOKS_HZ) + doubt
    count = 0
    start_s: float | None = None
    for time_s, turns in zip(times_s, np.linalg.norm(rate, axis=1) > EXERCISE_RAD_S, strict=True):
        count = min(count + 1, most) if turns else max(count - 1, 0)
        if start_s is None and count == most:
            start_s = float(time_s)
        elif start_s is not None and count <= 2 * doubt:
            return Stretch(start_s, float(time_s))
    return None if start_s is None else Stretch(start_s, exercise.end_s)
