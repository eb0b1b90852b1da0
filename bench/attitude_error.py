"""How wrong orientations are: quaternions (N, 4), scalar first, sensor to world, against a reference."""

import numpy as np

from bench.recorded import Floats
from kinetens.motion.quaternion import multiply

_CONJUGATE = np.array([1.0, -1.0, -1.0, -1.0])


def rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def inclination_deg(quaternions: Floats, reference: Floats) -> Floats:
    """Angle between the two verticals (N,)."""
    error = multiply(quaternions, reference * _CONJUGATE)
    return np.degrees(2 * np.arccos(np.clip(np.hypot(error[:, 0], error[:, 3]), 0, 1)))


def heading_deg(quaternions: Floats, reference: Floats) -> Floats:
    """How far it is turned about the vertical, without jumps (N,)."""
    error = multiply(quaternions, reference * _CONJUGATE)
    return np.degrees(np.unwrap(2 * np.arctan2(error[:, 3], error[:, 0])))


def drift_deg_a_minute(quaternions: Floats, reference: Floats, rate_hz: float) -> float:
    """Size of the heading error's slope, as a straight line."""
    heading = heading_deg(quaternions, reference)
    return abs(float(np.polyfit(np.arange(len(heading)) / rate_hz / 60, heading, 1)[0]))


def turned_in_a_minute_deg(quaternions: Floats, rate_hz: float, first_s: float) -> Floats:
    """By how much a sensor that lies still seems to turn in each whole minute after `first_s`."""
    minute = round(60 * rate_hz)
    ends = quaternions[round(first_s * rate_hz) :: minute]
    return angle_deg(multiply(ends[1:], ends[:-1] * _CONJUGATE))


def angle_deg(quaternions: Floats) -> Floats:
    """Of each turn, 0 to 180 (N,)."""
    vector = np.linalg.norm(quaternions[:, 1:], axis=1)
    return np.degrees(2 * np.arctan2(vector, np.abs(quaternions[:, 0])))


def relative_angle_deg(first: Floats, second: Floats) -> Floats:
    """Of the turn from one sensor to the other (N,)."""
    return angle_deg(multiply(first * _CONJUGATE, second))


def relative_orientation_deg(
    first: Floats, second: Floats, reference: tuple[Floats, Floats], start: int
) -> Floats:
    """Error of the relative orientation (N,), the heading between the sensors set right over the `start` samples."""
    true = multiply(reference[0] * _CONJUGATE, reference[1])
    between = multiply(multiply(first[:start], true[:start]), second[:start] * _CONJUGATE)
    between = (between * np.sign(between @ between[0])[:, None]).mean(axis=0)
    turn = between * [1, 0, 0, 1] / np.hypot(between[0], between[3])
    relative = multiply(first * _CONJUGATE, multiply(turn, second))
    return angle_deg(multiply(relative, true * _CONJUGATE))
