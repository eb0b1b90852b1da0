"""A repetition and what is known of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan, radians
from statistics import median
from typing import Literal

_DRIFT_RAD_S = radians(0.1)


@dataclass(frozen=True, slots=True)
class Repetition:
    """One movement out to its turn and back again.

    Times in s on the samples' clock. `uncertainty_rad` is half the width of the 95 % interval of the range of
    motion; `unknown_s` is how much of the repetition was not received. From `hold_start_s` to `hold_end_s` the sensor
    stood still at the turn.

    Attributes:
        smoothness: spectral arc length of the ways out and back, on average; nearer to 0 is smoother (Balasubramanian et
            al. 2015, J. NeuroEng. Rehabil. 12:112).
        out_of_plane_rad: greatest turn out of the plane of movement.
        astray_rad: how far the orientation at the end is from that at the start.
        axis: (3,) unit, sensor frame: what the movement turned about.
        unfinished: the stream ended within it.
    """

    start_s: float
    turn_s: float
    end_s: float
    range_of_motion_rad: float
    uncertainty_rad: float
    peak_speed_rad_s: float
    unknown_s: float = 0.0
    hold_start_s: float = nan
    hold_end_s: float = nan
    smoothness: float = nan
    out_of_plane_rad: float = nan
    astray_rad: float = nan
    axis: tuple[float, float, float] = (0.0, 0.0, 0.0)
    unfinished: bool = False

    @property
    def hold_s(self) -> float:
        """How long it stood still at the turn."""
        return self.hold_end_s - self.hold_start_s

    @property
    def duration_s(self) -> float:
        """From start to end."""
        return self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class RepetitionEvent:
    """What one sample decided.

    `completed` carries the repetition. `withdrawn` carries one that was counted and turned out to be none: walking, or a
    movement of everyday life. `abandoned` says that a movement under way is not counted because part of it was not
    received.
    """

    kind: Literal["completed", "withdrawn", "abandoned"]
    time_s: float
    repetition: Repetition | None = None


@dataclass(frozen=True, slots=True)
class RangeOfMotionSummary:
    """Range of motion over repetitions, in rad."""

    median_rad: float
    min_rad: float
    max_rad: float


def summarise(repetitions: Sequence[Repetition]) -> RangeOfMotionSummary | None:
    """Median, least and greatest range of motion; None where there is no repetition."""
    ranges = [repetition.range_of_motion_rad for repetition in repetitions]
    return RangeOfMotionSummary(median(ranges), min(ranges), max(ranges)) if ranges else None


def range_from_ways_rad(way_out_rad: float, way_back_rad: float, duration_s: float) -> float:
    """Range of motion from the way out and the way back.

    A difference that drift explains is drift, which the mean of both cancels; a greater one is a return cut
    short (or a start from further off), and the longer way is the range.
    """
    if abs(way_out_rad - way_back_rad) <= 2.0 * _DRIFT_RAD_S * duration_s + radians(1.0):
        return (way_out_rad + way_back_rad) / 2.0
    return max(way_out_rad, way_back_rad)


def range_uncertainty_rad(duration_s: float, unknown_s: float, peak_speed_rad_s: float) -> float:
    """Half the 95 % interval of a range of motion from one sensor's orientation without a magnetometer.

    Inclination is good to 0.5 degrees; heading drifts 3 degrees a minute on average and 10 at worst (VQF on
    BROAD); where samples are missing at a turn, the turn may lie beyond what was seen.
    """
    seen = radians(0.5) ** 2 + (_DRIFT_RAD_S * duration_s) ** 2
    return float((seen + (0.25 * unknown_s * peak_speed_rad_s) ** 2) ** 0.5)
