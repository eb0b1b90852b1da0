from math import degrees

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from kinetens.motion.course import spectral_arc_length
from kinetens.motion.measurement import MovementMeter
from kinetens.motion.quaternion import from_rotation

from .test_detector import path


def test_phases_of_a_repetition_with_a_hold() -> None:
    times_s, angles = path((0, 0), (2, 0), (3, 60), (8, 60), (9.5, 0), (11, 0))
    meter = MovementMeter()
    meter.update(times_s, from_rotation(Rotation.from_rotvec(np.outer(angles, [0.6, 0.8, 0.0]))))
    meter.finish()
    (found,) = meter.repetitions
    assert found.hold_s == pytest.approx(5.0, abs=0.4)
    assert found.hold_start_s == pytest.approx(3.0, abs=0.3)
    assert found.hold_end_s == pytest.approx(8.0, abs=0.3)
    assert degrees(found.astray_rad) < 0.5
    assert degrees(found.out_of_plane_rad) < 0.5
    assert abs(np.dot(found.axis, [0.6, 0.8, 0.0])) == pytest.approx(1.0, abs=1e-3)


def test_a_minimum_jerk_way_is_smoother_than_one_with_a_stop() -> None:
    along = np.arange(0.0, 1.0, 0.04)
    smooth = 30.0 * along**2 * (1.0 - along) ** 2
    assert spectral_arc_length(smooth, 25.0) == pytest.approx(-1.5, abs=0.15)
    assert spectral_arc_length(np.concatenate([smooth, smooth]), 25.0) < -2.0


def test_what_did_not_move_has_no_smoothness() -> None:
    assert np.isnan(spectral_arc_length(np.zeros(10), 25.0))
