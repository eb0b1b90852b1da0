"""Which of some exercises a set was, from what one sensor sees: range, tempo and hold.

A single sensor of unknown place cannot tell many exercises apart. What it says is therefore a share of belief over the
candidates given, and nothing where no candidate has most of it or all are unlikely.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import degrees, exp, log
from statistics import median

from kinetens.motion.repetitions import Repetition
from kinetens.program.exercise import Exercise

MOST = 0.6
"""A candidate is named from this share of belief on."""
UNLIKELY = exp(-8.0)
"""No candidate that fits worse is named."""
_TEMPO_SPREAD = 0.6
"""Standard deviation of the logarithm of a duration beside the prescribed one."""
_LEAST_HOLD_S = 0.5


@dataclass(frozen=True, slots=True)
class Naming:
    """The exercise, or None where it is not known, and the share of belief in the likeliest."""

    exercise: Exercise | None
    confidence: float


def name_exercise(repetitions: Sequence[Repetition], candidates: Iterable[Exercise]) -> Naming:
    """Name a set (at least one repetition) from candidates."""
    fits = [(exp(-_distance(repetitions, one)), one) for one in candidates if one.kind != "hold"]
    if not fits:
        return Naming(None, 0.0)
    best, exercise = max(fits, key=lambda fit: fit[0])
    share = best / sum(fit for fit, _ in fits) if best > 0.0 else 0.0
    return Naming(exercise if share >= MOST and best >= UNLIKELY else None, share)


def _distance(repetitions: Sequence[Repetition], exercise: Exercise) -> float:
    """Half the sum of squared deviations, each in its spread."""
    range_deg = degrees(median(one.range_of_motion_rad for one in repetitions))
    hold_s = max(_LEAST_HOLD_S, median(one.hold_s for one in repetitions))
    moves_s = median(one.duration_s - one.hold_s for one in repetitions)
    expected, tempo = exercise.range, exercise.tempo
    side = expected.max_deg if range_deg > expected.typical_deg else expected.min_deg
    deviations = (
        (range_deg - expected.typical_deg) / max(3.0, 0.5 * abs(side - expected.typical_deg)),
        log(moves_s / (tempo.out_s + tempo.back_s)) / _TEMPO_SPREAD,
        log(hold_s / max(_LEAST_HOLD_S, tempo.hold_s)) / _TEMPO_SPREAD,
    )
    return 0.5 * sum(deviation**2 for deviation in deviations)
