"""Repetitions and range of motion of a recorded session, computed again from its frames."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kinetens.motion.measurement import MovementMeter
from kinetens.motion.repetitions import RangeOfMotionSummary, Repetition, RepetitionEvent, summarise
from kinetens.session.reader import Session
from kinetens.session.samples import Samples


@dataclass(frozen=True)
class Analysis:
    """What a session's movement came to; all times in s since the session was created.

    `trace_s` (M,) and `angle_rad` (M,) are the movement angle at 25 a second: 0 where repetitions start,
    positive on the way out, NaN where samples are missing.
    """

    samples: Samples
    repetitions: tuple[Repetition, ...]
    abandoned: int
    unknown_s: float
    trace_s: NDArray[np.float64]
    angle_rad: NDArray[np.float64]

    @cached_property
    def range_of_motion(self) -> RangeOfMotionSummary | None:
        return summarise(self.repetitions)


def analyze(session: Session) -> Analysis:
    """Measure a session as it is measured live: each stream by a MovementMeter, in the device's time."""
    samples = session.samples()
    repetitions: list[Repetition] = []
    events: list[RepetitionEvent] = []
    unknown_s = 0.0
    times: list[NDArray[np.float64]] = []
    angles: list[NDArray[np.float64]] = []
    for stream in np.unique(samples.stream):
        mine = samples.stream == stream
        device_s = samples.device_time_us[mine] / 1e6
        host_s = samples.host_time_s[mine]
        meter = MovementMeter()
        events += meter.update(device_s, samples.quaternion[mine], samples.rest[mine])
        trace_s, angle_rad = meter.trace
        events += meter.finish()
        unknown_s += meter.unknown_s
        repetitions += [_in_host_time(repetition, device_s, host_s) for repetition in meter.repetitions]
        times.append(np.interp(trace_s, device_s, host_s))
        angles.append(angle_rad)
    trace_s, angle_rad = _joined(times), _joined(angles)
    unknown_at_s = np.array([(gap.start_s + gap.end_s) / 2 for gap in samples.missing])
    places = np.searchsorted(trace_s, unknown_at_s)
    return Analysis(
        samples=samples,
        repetitions=tuple(repetitions),
        abandoned=sum(event.kind == "abandoned" for event in events),
        unknown_s=unknown_s,
        trace_s=np.insert(trace_s, places, unknown_at_s),
        angle_rad=np.insert(angle_rad, places, np.nan),
    )


def _in_host_time(
    repetition: Repetition, device_s: NDArray[np.float64], host_s: NDArray[np.float64]
) -> Repetition:
    """Its times moved from the device's clock to the session's, through the samples' times on both (N,)."""
    names = ("start_s", "hold_start_s", "turn_s", "hold_end_s", "end_s")
    moved = np.interp([getattr(repetition, name) for name in names], device_s, host_s).tolist()
    return replace(repetition, **dict(zip(names, moved, strict=True)))


def _joined(parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.concatenate(parts) if parts else np.zeros(0)
