from dataclasses import replace
from math import radians

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from kinetens.motion.doubling import joined, whole_period_s
from kinetens.motion.measurement import MovementMeter
from kinetens.motion.quaternion import Quaternions, from_rotation
from kinetens.motion.repetitions import Repetition

STEP_S = 0.04


def pulling(sway_deg: float, until_s: float = 20.0) -> Quaternions:
    """The wrist tilts once in 0.9 s; across that, it sways once in 1.8 s."""
    times_s = np.arange(0.0, until_s, STEP_S)
    tilt = radians(15.0) * (1.0 - np.cos(2.0 * np.pi * times_s / 0.9))
    sway = radians(sway_deg) * (1.0 - np.cos(2.0 * np.pi * times_s / 1.8))
    return from_rotation(Rotation.from_rotvec(np.stack([tilt, sway, 0.0 * times_s], axis=1)))


def test_two_dips_of_one_repetition_are_told_from_two_repetitions() -> None:
    assert whole_period_s(pulling(5.0), 0.9, STEP_S) == pytest.approx(1.8, abs=0.05)
    assert whole_period_s(pulling(0.0), 0.9, STEP_S) is None


def test_nothing_is_concluded_from_a_short_or_a_slow_past() -> None:
    assert whole_period_s(pulling(5.0, until_s=3.0), 0.9, STEP_S) is None
    assert whole_period_s(pulling(5.0), 3.5, STEP_S) is None


def test_dips_within_one_period_are_one_repetition_and_whole_ones_stay() -> None:
    dip = Repetition(0.0, 0.4, 0.9, radians(20.0), radians(1.0), 1.0)
    other = replace(dip, start_s=0.9, turn_s=1.3, end_s=1.8, range_of_motion_rad=radians(25.0))
    whole = replace(dip, start_s=1.8, turn_s=2.7, end_s=3.6)
    first, second = joined([dip, other, whole], 1.8)
    assert (first.start_s, first.turn_s, first.end_s) == (0.0, 1.3, 1.8)
    assert first.range_of_motion_rad == other.range_of_motion_rad
    assert second == whole


def test_the_meter_counts_pulls_however_they_arrive() -> None:
    quaternions = pulling(5.0, until_s=36.0)
    times_s = np.linspace(0.0, STEP_S * (len(quaternions) - 1), len(quaternions))
    counts: list[int] = []
    for chunk in (7, 1000):
        meter = MovementMeter()
        for k in range(0, len(times_s), chunk):
            meter.update(times_s[k : k + chunk], quaternions[k : k + chunk])
        meter.finish()
        counts.append(len(meter.repetitions))
    assert counts[0] == counts[1]
    assert abs(counts[0] - 20) <= 1
