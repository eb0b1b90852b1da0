"""What a 95 % interval is made of."""

from math import radians

import numpy as np

from kinetens.motion.quaternion import turn_about
from kinetens.motion.uncertainty import (
    AS_BOUGHT,
    CALIBRATED,
    InclinationError,
    SensorErrors,
    range_half_interval_rad,
)


def half(
    range_deg: float = 60.0,
    duration_s: float = 3.0,
    step_s: float = 0.04,
    unknown_s: float = 0.0,
    sensor: SensorErrors = AS_BOUGHT,
) -> float:
    return range_half_interval_rad(radians(range_deg), duration_s, 1.0, step_s, unknown_s, sensor)


def test_a_usual_repetition_is_known_to_one_or_two_degrees():
    assert radians(1.0) < half() < radians(2.0)
    assert half(sensor=CALIBRATED) < half() / 2.0


def test_every_part_widens_the_interval():
    usual = half()
    assert half(range_deg=120.0) > usual
    assert half(duration_s=20.0) > usual
    assert half(step_s=0.2) > usual
    assert half(unknown_s=0.3) > usual


def test_after_lively_movement_the_inclination_is_known_less_well_for_a_while():
    times_s = np.arange(0.0, 30.0, 0.02)
    angle = np.where((times_s > 5) & (times_s < 10), np.sin(4.0 * (times_s - 5)), 0.0)
    variance = InclinationError().variance(times_s, turn_about([1.0, 0.0, 0.0], angle))
    at_rest = AS_BOUGHT.at_rest_rad**2
    assert np.allclose(variance[times_s < 4], at_rest)
    assert variance[times_s > 10.1][0] > 1.2 * at_rest
    assert variance[-1] < 1.01 * at_rest


def test_the_inclinations_interval_does_not_depend_on_how_the_stream_is_cut():
    times_s = np.arange(0.0, 5.0, 0.02)
    quaternions = turn_about([0.0, 1.0, 0.0], np.sin(times_s))
    cut, whole = InclinationError(), InclinationError().variance(times_s, quaternions)
    parts = [
        cut.variance(times_s[part], quaternions[part])
        for part in (slice(0, 1), slice(1, 90), slice(90, None))
    ]
    assert np.allclose(np.concatenate(parts), whole)
