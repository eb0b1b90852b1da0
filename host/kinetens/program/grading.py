"""How well a repetition was done, in a word and a sentence, beside its exercise and beside its set."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import degrees
from statistics import median
from typing import Literal

from kinetens.motion.repetitions import Repetition
from kinetens.program.exercise import HOLD_FROM_S, Exercise

GradeName = Literal["good", "fair", "poor", "unfinished"]

SMOOTH = -2.2
"""Spectral arc length of a way without stops; healthy reaching is -1.4 to -1.8."""
OUT_OF_PLANE_SHARE = 0.35
SMALL_SHARE = 0.7
"""Of the set's median: a repetition that goes less far is smaller than the others."""
HURRIED_SHARE = 0.5
"""Of the time that the exercise gives to it."""
HELD_SHARE = 0.7


@dataclass(frozen=True, slots=True)
class Grade:
    """One word, why, and how sure (0 to 1) it is that the movement was a repetition of the set."""

    name: GradeName
    reason: str
    confidence: float


def grade_set(repetitions: Sequence[Repetition], exercise: Exercise | None) -> list[Grade]:
    """A grade for each repetition of a set; without an exercise it is compared with the set alone."""
    usual_rad = median(repetition.range_of_motion_rad for repetition in repetitions) if repetitions else 0.0
    return [_grade(repetition, usual_rad, exercise) for repetition in repetitions]


def _grade(repetition: Repetition, usual_rad: float, exercise: Exercise | None) -> Grade:
    confidence = _confidence(repetition, usual_rad)
    if repetition.unfinished:
        return Grade("unfinished", "the recording ended within it", confidence)
    faults = _faults(repetition, usual_rad, exercise)
    name: GradeName = "good" if not faults else "fair" if len(faults) == 1 else "poor"
    return Grade(name, "; ".join(faults) or "full range, smooth and steady", confidence)


def _faults(repetition: Repetition, usual_rad: float, exercise: Exercise | None) -> list[str]:
    range_rad, faults = repetition.range_of_motion_rad, list[str]()
    if range_rad < SMALL_SHARE * usual_rad:
        faults.append(f"{degrees(range_rad):.0f}° where the set's median is {degrees(usual_rad):.0f}°")
    if exercise is not None:
        tempo = exercise.tempo
        if degrees(range_rad + repetition.uncertainty_rad) < exercise.range.min_deg:
            faults.append(f"less than the exercise's {exercise.range.min_deg:g}°")
        if repetition.duration_s - repetition.hold_s < HURRIED_SHARE * (tempo.out_s + tempo.back_s):
            faults.append("faster than the exercise's tempo")
        if tempo.hold_s >= HOLD_FROM_S and repetition.hold_s < HELD_SHARE * tempo.hold_s:
            faults.append(f"held {repetition.hold_s:.1f} s of {tempo.hold_s:g} s")
    if repetition.smoothness < SMOOTH:
        faults.append("not smooth: it stops or trembles on the way")
    if repetition.out_of_plane_rad > OUT_OF_PLANE_SHARE * range_rad:
        faults.append(f"{degrees(repetition.out_of_plane_rad):.0f}° out of its plane")
    return faults


def _confidence(repetition: Repetition, usual_rad: float) -> float:
    """Lower for what is unlike its set, does not come back, is cut off, or was received in part."""
    alike = min(repetition.range_of_motion_rad, usual_rad) / max(repetition.range_of_motion_rad, usual_rad)
    returned = 1.0 - min(1.0, repetition.astray_rad / repetition.range_of_motion_rad)
    known = 1.0 - min(1.0, repetition.unknown_s / repetition.duration_s)
    return (0.4 + 0.35 * alike + 0.25 * returned) * known * (0.5 if repetition.unfinished else 1.0)
