"""Sets: repetitions that belong together, told from movements of everyday life that look like one."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import radians

from kinetens.motion.detector import PAUSE_S
from kinetens.motion.repetitions import Repetition

ALIKE_RUN = 3
"""So many alike in a row are an exercise."""
BOUT_PAUSE_S = 30.0
"""What was done is looked at as a whole after so long a pause."""
ALIKE_RANGE, ALIKE_DURATION, ALIKE_AXIS = 0.6, 0.5, 0.8
"""Two repetitions are alike if the smaller range is this share of the greater, the shorter duration this share of the
longer, and their axes point alike by this cosine."""
BESIDE_S = 3.0
"""What begins or ends within this time of a run of alike repetitions belongs to it, alike or not."""
CLEAN_RANGE_RAD = radians(7.0)
CLEAN_ASTRAY, CLEAN_OUT_OF_PLANE = 0.2, 0.35
"""A clean repetition comes back to where it started, and keeps to its plane, within these shares of its range."""


@dataclass(frozen=True, slots=True)
class RepetitionSet:
    """Repetitions (at least one) without a long pause between them."""

    repetitions: tuple[Repetition, ...]

    @property
    def start_s(self) -> float:
        return self.repetitions[0].start_s

    @property
    def end_s(self) -> float:
        return self.repetitions[-1].end_s


def in_sets(repetitions: Sequence[Repetition]) -> list[RepetitionSet]:
    """Repetitions in order of time, parted where there is a long pause."""
    groups: list[list[Repetition]] = []
    for repetition in repetitions:
        if groups and repetition.start_s - groups[-1][-1].end_s <= PAUSE_S:
            groups[-1].append(repetition)
        else:
            groups.append([repetition])
    return [RepetitionSet(tuple(group)) for group in groups]


def of_exercise(bout: Sequence[Repetition], is_first: bool) -> list[Repetition]:
    """Those of a bout that are an exercise: runs of alike ones, with what is beside them.

    A movement by itself is one, too, if it is clean and the stream's first: who records a single repetition means it.
    In everyday life, sipping from a cup is as clean.
    """
    exercised = [run for run in _runs(bout) if len(run) >= ALIKE_RUN]
    if not exercised and is_first:
        exercised = [[repetition] for repetition in bout if is_clean(repetition)]
    return [
        one
        for one in bout
        if any(
            one.end_s >= run[0].start_s - BESIDE_S and one.start_s <= run[-1].end_s + BESIDE_S
            for run in exercised
        )
    ]


def is_clean(repetition: Repetition) -> bool:
    """Whether it could be a repetition all by itself."""
    range_rad = repetition.range_of_motion_rad
    return (
        range_rad >= CLEAN_RANGE_RAD
        and repetition.astray_rad <= CLEAN_ASTRAY * range_rad
        and repetition.out_of_plane_rad <= CLEAN_OUT_OF_PLANE * range_rad
    )


def are_alike(one: Repetition, other: Repetition) -> bool:
    """Whether two repetitions go as far, last as long and turn about the same axis."""
    ranges = sorted((one.range_of_motion_rad, other.range_of_motion_rad))
    durations = sorted((one.duration_s, other.duration_s))
    cosine = sum(a * b for a, b in zip(one.axis, other.axis, strict=True))
    return (
        ranges[0] >= ALIKE_RANGE * ranges[1]
        and durations[0] >= ALIKE_DURATION * durations[1]
        and abs(cosine) >= ALIKE_AXIS
    )


def _runs(bout: Sequence[Repetition]) -> list[list[Repetition]]:
    runs = [[bout[0]]] if bout else []
    for before, one in pairwise(bout):
        near = one.start_s - before.end_s <= PAUSE_S
        if near and are_alike(before, one) and are_alike(runs[-1][0], one):
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs
