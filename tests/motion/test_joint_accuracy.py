"""Joint angles and intervals on recordings with a truth (python -m bench joints tells more)."""

import numpy as np
import pytest

from bench.joint_recordings import ARM, RIG, arm_trial, rig_trial, single_recordings
from bench.joints import inclination_coverage, joint_accuracy, range_coverage
from kinetens.motion.uncertainty import AS_BOUGHT, CALIBRATED

pytestmark = pytest.mark.usefixtures("data_dir")


@pytest.mark.parametrize("trial", ["1D_02", "1D_03"])
def test_a_hinges_angle_is_within_1_3_degrees_and_does_not_drift(trial: str):
    found = joint_accuracy(rig_trial(trial), "hinge", peers=False)
    assert found.settled_s < 5.0
    assert found.angle_rmse_deg is not None
    assert found.angle_rmse_deg < 1.3
    assert found.second_half_deg < found.first_half_deg + 0.2
    assert found.covered >= 0.9


@pytest.mark.parametrize("trial", [name for name in RIG if name.startswith("2D")])
def test_a_two_axis_joints_orientation_is_within_2_5_degrees(trial: str):
    found = joint_accuracy(rig_trial(trial), "two-axis", peers=False)
    assert found.relative_rmse_deg is not None
    assert found.relative_rmse_deg < 2.5
    assert found.second_half_deg < found.first_half_deg + 0.2
    assert found.covered > 0.85


def test_three_axes_are_within_3_degrees_on_average_and_do_not_drift():
    found = [
        joint_accuracy(rig_trial(name), "three-axis", peers=False) for name in RIG if name.startswith("3D")
    ]
    errors = [each.relative_rmse_deg for each in found if each.relative_rmse_deg is not None]
    assert np.mean(errors) < 3.0
    assert max(errors) < 3.3
    assert all(each.second_half_deg < each.first_half_deg + 0.2 for each in found)
    assert np.mean([each.covered for each in found]) > 0.9


@pytest.mark.parametrize("trial", ARM)
def test_the_robots_arm_is_within_1_degree(trial: str):
    found = joint_accuracy(arm_trial(trial), "hinge", peers=False)
    assert found.angle_rmse_deg is not None
    assert found.angle_rmse_deg < 1.0
    assert found.covered > 0.9


def test_intervals_of_one_sensor_hold_what_they_say_over_sensors_and_days():
    singles = single_recordings()
    for name, sensor in (("as bought", AS_BOUGHT), ("calibrated", CALIBRATED)):
        assert 0.90 < inclination_coverage(singles[name], sensor, name).covered < 0.99
        assert 0.90 < range_coverage(singles[name], sensor, name).covered < 0.99
