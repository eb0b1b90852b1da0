"""A joint's angles from two recordings: the stream's meter, twice.

The first time finds the heading at the beginning and the axes, and the second starts with them, so that what moved before
they were found is measured, too.
"""

from dataclasses import dataclass, fields
from math import radians

import numpy as np
from vqf import VQF  # pyright: ignore[reportUnknownVariableType]

from kinetens.errors import InvalidInput
from kinetens.motion.joint import JointMeter, JointSamples, Kind
from kinetens.motion.joint_evidence import Floats
from kinetens.motion.joint_steps import SensorSamples
from kinetens.motion.recordings import Recording

ANGLE_NAMES: dict[Kind, tuple[str, ...]] = {
    "hinge": ("flexion",),
    "two-axis": ("about_first", "about_second"),
    "three-axis": ("about_z", "about_x", "about_y"),
}
SHORTEST_S = 5.0
"""Shorter than this, two recordings have too little in common to find a heading."""
POOR_FIT = 3.0
"""A joint that keeps so many times worse to its constraint than a good one is of another kind."""


@dataclass(frozen=True, slots=True)
class RecordedJoint:
    """What two recordings tell of a joint.

    samples: from the zero posture on.
    found_after_s: when the heading between the sensors was found, looking from the beginning; None if it never was.
    drift_rad_s: at which the heading drifted on average, and was corrected.
    warnings: sentences.
    """

    samples: JointSamples
    rate_hz: float
    found_after_s: float | None
    drift_rad_s: float
    warnings: tuple[str, ...]


def measure_joint(first: Recording, second: Recording, kind: Kind, zero_at_s: float) -> RecordedJoint:
    """Measure a joint between two sensors that kept one time. `first` is nearer to the trunk.

    zero_at_s: time of the posture in which all angles are 0, from where both recordings have begun.

    Raises InvalidInput: too little time in common, or a zero outside it.
    """
    times_s, sensors = _in_common(first, second)
    if not 0.0 <= zero_at_s < times_s[-1] - times_s[0]:
        raise InvalidInput(
            f"the zero posture cannot be at {zero_at_s:g} s: {times_s[-1] - times_s[0]:.1f} s are in common."
        )
    search = JointMeter(kind, raw=True)
    looked = search.update(times_s, *sensors)
    found = np.flatnonzero(looked.settled)
    meter = JointMeter(kind, raw=True)
    if len(found):
        axes = None if kind == "three-axis" else search.correction.parameters[0][:6].reshape(2, 3)
        meter = JointMeter(kind, raw=True, axes=axes)
        heading, sd = search.correction.neutral_heading_rad, search.correction.neutral_heading_sd_rad
        meter.correction.expect(heading, max(sd, radians(1.0)))
    zero = int(np.count_nonzero(times_s - times_s[0] < zero_at_s)) + 1
    meter.update(times_s[:zero], *(_part(sensor, slice(0, zero)) for sensor in sensors))
    meter.zero()
    samples = meter.update(times_s[zero:], *(_part(sensor, slice(zero, None)) for sensor in sensors))
    headings = np.unwrap(samples.heading_rad)
    drift = float((headings[-1] - headings[0]) / (times_s[-1] - times_s[zero])) if len(found) else 0.0
    found_after_s = float(times_s[found[0]] - times_s[0]) if len(found) else None
    return RecordedJoint(samples, first.rate_hz, found_after_s, drift, _warnings(meter, found_after_s))


def _warnings(meter: JointMeter, found_after_s: float | None) -> tuple[str, ...]:
    warnings: list[str] = []
    correction = meter.correction
    if found_after_s is None:
        warnings.append(
            "the heading between the sensors was never certain: too little movement of both segments; angles about "
            "other axes than level ones may drift."
        )
    elif correction.misfit > POOR_FIT * correction.constraint.noise:
        warnings.append(
            f"the joint does not move like a {meter.kind} joint, or a sensor moved on its segment; "
            "try another type, and look at the straps."
        )
    return tuple(warnings)


def _in_common(first: Recording, second: Recording) -> tuple[Floats, tuple[SensorSamples, SensorSamples]]:
    """Times (N,) of the first while both recorded, and both sensors' samples there."""
    begin, end = max(first.time_s[0], second.time_s[0]), min(first.time_s[-1], second.time_s[-1])
    if end - begin < SHORTEST_S:
        raise InvalidInput(
            f"the recordings have {max(0.0, end - begin):.1f} s in common and need {SHORTEST_S:g}; "
            "are both on one clock?"
        )
    both = (first.time_s >= begin) & (first.time_s <= end)
    times_s = first.time_s[both]
    return times_s, (_fused(first, times_s), _fused(second, times_s))


def _fused(recording: Recording, times_s: Floats) -> SensorSamples:
    def at_times(values: Floats) -> Floats:
        columns = [np.interp(times_s, recording.time_s, values[:, axis]) for axis in range(3)]
        return np.stack(columns, axis=1)

    gyr, acc = at_times(recording.gyr_rad_s), at_times(recording.acc_m_s2)
    step_s = float((times_s[-1] - times_s[0]) / (len(times_s) - 1))
    quaternions = np.asarray(VQF(step_s).updateBatch(gyr, acc)["quat6D"], dtype=np.float64)
    return SensorSamples(quaternions, gyr, acc)


def _part(sensor: SensorSamples, part: slice) -> SensorSamples:
    return SensorSamples(*(getattr(sensor, field.name)[part] for field in fields(SensorSamples)))
