from math import degrees, radians

import numpy as np
from scipy.spatial.transform import Rotation

from kinetens.motion.heading import HeadingDrift
from kinetens.motion.quaternion import from_rotation, to_rotation


def test_drift_seen_while_standing_is_taken_off() -> None:
    times_s = np.arange(0.0, 30.0, 0.04)
    leaning = Rotation.from_euler("y", 30, degrees=True)
    drifting = from_rotation(Rotation.from_rotvec(np.outer(times_s * radians(1.0), [0, 0, 1])) * leaning)
    drift = HeadingDrift()
    steadied = np.empty_like(drifting)
    for k in range(0, len(times_s), 5):
        steps = range(k, min(k + 5, len(times_s)))
        for n in steps:
            steadied[n] = drift.steady(times_s[n], drifting[n])
        drift.learn(times_s[steps[-1]] - times_s[k], steadied[k], steadied[steps[-1]])
    last_ten_seconds = to_rotation(steadied[-1]) * to_rotation(steadied[-250]).inv()
    assert degrees(last_ten_seconds.magnitude()) < 0.1


def test_turning_round_is_not_drift() -> None:
    times_s = np.arange(0.0, 4.0, 0.04)
    turning = from_rotation(Rotation.from_rotvec(np.outer(times_s * radians(45.0), [0, 0, 1])))
    drift = HeadingDrift()
    for k in range(0, len(times_s), 5):
        steadied = [drift.steady(times_s[n], turning[n]) for n in range(k, k + 5)]
        np.testing.assert_allclose(steadied, turning[k : k + 5])
        drift.learn(times_s[k + 4] - times_s[k], steadied[0], steadied[-1])
