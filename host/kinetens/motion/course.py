"""How a repetition went: its range and speed, when it was held, how smooth it was, and whether it kept to its plane."""

from collections.abc import Sequence
from dataclasses import replace
from math import radians

import numpy as np
from numpy.typing import NDArray

from kinetens.motion.angle import MovementPlane
from kinetens.motion.quaternion import Quaternions, multiply
from kinetens.motion.repetitions import Repetition, range_from_ways_rad, range_uncertainty_rad

HELD_SPEED_SHARE, HELD_SPEED_RAD_S = 0.1, radians(5.0)
"""Held is what is slower than the greater of these: a share of the peak speed, and sway and tremor."""
HELD_RANGE_SHARE, HELD_RANGE_RAD = 0.15, radians(4.0)
"""and no further from the turn than the greater of these: a share of the range, and sway."""
SMOOTHNESS_UP_TO_HZ = 10.0
"""Nobody moves a limb at will beyond it."""
SMOOTHNESS_FROM_SHARE = 0.05
_SPECTRUM_POINTS = 512
_CONJUGATE = np.array([1.0, -1.0, -1.0, -1.0])
_SPEED_STEPS = 2


def measured(
    found: Repetition, times_s: NDArray[np.float64], quaternions: Quaternions, plane: MovementPlane
) -> Repetition:
    """The repetition, measured along the plane as it is known at its end.

    Args:
        found: what was detected.
        times_s: (N,) s, evenly spaced but for missing samples, from its start to its end.
        quaternions: (N, 4) likewise.
        plane: in which it moved.
    """
    centre, along = (np.array(axis) for axis in plane.axes)
    angles = np.unwrap(plane.angles(quaternions))
    turn = int(np.searchsorted(times_s, found.turn_s))
    angles = (angles - angles[0]) * (1.0 if angles[turn] >= angles[0] else -1.0)
    way_out, way_back = float(angles[turn]), float(angles[turn] - angles[-1])
    range_rad = range_from_ways_rad(way_out, way_back, found.duration_s)
    speeds = np.abs(np.diff(angles) / np.diff(times_s))
    peak_speed = float(np.max(speeds))
    hold_start, hold_end = _held(times_s, angles, turn, range_rad, peak_speed)
    ways = [speeds[:hold_start], speeds[hold_end:]]
    step_s = float(np.median(np.diff(times_s)))
    arcs = [spectral_arc_length(way, 1.0 / step_s) for way in ways if len(way) >= 4]
    outside = quaternions - np.outer(quaternions @ centre, centre) - np.outer(quaternions @ along, along)
    axis = multiply(centre * _CONJUGATE, along)[1:]
    ends = abs(float(quaternions[0] @ quaternions[-1]))
    return replace(
        found,
        range_of_motion_rad=range_rad,
        uncertainty_rad=range_uncertainty_rad(found.duration_s, found.unknown_s, peak_speed),
        peak_speed_rad_s=peak_speed,
        hold_start_s=float(times_s[hold_start]),
        hold_end_s=float(times_s[hold_end]),
        smoothness=float(np.mean(arcs)) if arcs else float("nan"),
        out_of_plane_rad=float(2.0 * np.arcsin(min(1.0, np.max(np.linalg.norm(outside, axis=1))))),
        astray_rad=2.0 * float(np.arccos(min(1.0, ends))),
        axis=(float(axis[0]), float(axis[1]), float(axis[2])),
    )


def spectral_arc_length(speeds: Sequence[float] | NDArray[np.float64], rate_hz: float) -> float:
    """How smooth a movement is: minus the length of its normalised speed spectrum's curve.

    About -1.4 for a minimum-jerk movement, more negative with every submovement (SPARC: Balasubramanian et al. 2015, J.
    NeuroEng. Rehabil. 12:112; adaptive cut at 5 % of the greatest amplitude, up to 10 Hz).
    """
    amplitudes = np.abs(np.fft.rfft(speeds, max(_SPECTRUM_POINTS, 4 * len(speeds))))
    frequencies = np.linspace(0.0, rate_hz / 2.0, len(amplitudes))
    amplitudes = amplitudes[frequencies <= SMOOTHNESS_UP_TO_HZ]
    greatest = float(np.max(amplitudes))
    if greatest == 0.0:
        return float("nan")
    amplitudes = amplitudes / greatest
    amplitudes = amplitudes[: int(np.flatnonzero(amplitudes >= SMOOTHNESS_FROM_SHARE)[-1]) + 1]
    if len(amplitudes) < 2:
        return float("nan")
    return -float(np.sum(np.hypot(1.0 / (len(amplitudes) - 1), np.diff(amplitudes))))


def _held(
    times_s: NDArray[np.float64], angles: NDArray[np.float64], turn: int, range_rad: float, peak_speed: float
) -> tuple[int, int]:
    """First and last sample of the time around the turn in which the angle hardly moves."""
    near = max(HELD_RANGE_SHARE * range_rad, HELD_RANGE_RAD)
    slow = max(HELD_SPEED_SHARE * peak_speed, HELD_SPEED_RAD_S)
    held = angles[turn] - angles <= near
    moved = angles[_SPEED_STEPS:] - angles[:-_SPEED_STEPS]
    speeds = np.abs(moved) / (times_s[_SPEED_STEPS:] - times_s[:-_SPEED_STEPS])
    held[1:-1] &= speeds < slow
    held[[0, -1]] = False
    held[turn] = True
    moving = np.flatnonzero(~held)
    before, after = moving[moving < turn], moving[moving > turn]
    first = int(before[-1]) + 1 if len(before) else turn
    last = int(after[0]) - 1 if len(after) else turn
    return first, last
