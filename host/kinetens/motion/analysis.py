"""Measure a whole track: a file is a stream replayed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinetens.motion.measurement import MovementMeter
from kinetens.motion.repetitions import Repetition
from kinetens.motion.tracks import Track

_AT_ONCE = 30_000


@dataclass(frozen=True, slots=True)
class TrackAnalysis:
    """What a track's movement came to, in its own time.

    `trace_s` (M,) and `angle_rad` (M,) are the movement angle at 25 a second.
    """

    repetitions: tuple[Repetition, ...]
    abandoned: int
    unknown_s: float
    walked_s: float
    trace_s: NDArray[np.float64]
    angle_rad: NDArray[np.float64]


def analyze_track(track: Track, progress: Callable[[float], None] | None = None) -> TrackAnalysis:
    """Measure a track; `progress` hears the share that is done."""
    meter = MovementMeter()
    traces: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    abandoned = 0
    for begin in range(0, len(track.time_s), _AT_ONCE):
        part = slice(begin, begin + _AT_ONCE)
        force = None if track.force_m_s2 is None else track.force_m_s2[part]
        events = meter.update(track.time_s[part], track.quaternion[part], force_m_s2=force)
        abandoned += sum(event.kind == "abandoned" for event in events)
        traces.append(meter.trace)
        if progress:
            progress(min(1.0, (begin + _AT_ONCE) / len(track.time_s)))
    meter.finish()
    known = track.time_s[np.isfinite(track.quaternion).all(axis=1)]
    # What is missing before the first and after the last known sample the meter never heard of.
    at_the_ends_s = float(known[0] - track.time_s[0] + track.time_s[-1] - known[-1])
    return TrackAnalysis(
        repetitions=tuple(meter.repetitions),
        abandoned=abandoned,
        unknown_s=meter.unknown_s + at_the_ends_s,
        walked_s=meter.walked_s,
        trace_s=np.concatenate([times for times, _ in traces]),
        angle_rad=np.concatenate([angles for _, angles in traces]),
    )
