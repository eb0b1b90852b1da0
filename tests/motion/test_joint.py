"""Joint angles from two sensors."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinetens.errors import InvalidInput
from kinetens.motion.joint import JointMeter, JointSamples
from kinetens.motion.joint_steps import SensorSamples
from kinetens.motion.quaternion import from_rotation, to_rotation
from tests.motion.joints import HINGE_AXIS, RATE_HZ, WornJoint, worn_joint


def hinge_errors_deg(joint: WornJoint, samples: JointSamples, over=slice(None)) -> np.ndarray:
    """Without the zero and the sign, which are a matter of the posture and of the first movement."""
    found, truth = samples.angles_rad[over, 0], joint.angles_rad[over, 0]
    sense = np.sign((found - found.mean()) @ (truth - truth.mean()))
    errors = sense * found - truth
    return np.degrees(errors - errors.mean())


def relative_errors_deg(joint: WornJoint, samples: JointSamples) -> np.ndarray:
    return np.degrees((joint.relative.inv() * to_rotation(samples.relative)).magnitude())


def half_intervals_deg(samples: JointSamples) -> np.ndarray:
    return np.degrees(samples.half_interval_rad).max(axis=1)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), drift=st.floats(-0.17, 0.17))
def test_a_hinges_angle_is_right_in_any_mounting_and_for_any_drift(seed: int, drift: float):
    joint = worn_joint(seed, 1, drift_deg_s=drift)
    samples = joint.through(JointMeter("hinge"))
    settled = np.flatnonzero(samples.settled)
    assert len(settled), "the heading was never found"
    assert settled[0] < 12.0 * RATE_HZ
    after = slice(settled[0], None)
    # A joint that hardly moves tells its axis badly, and the interval says so.
    admitted_deg = max(1.0, float(np.median(half_intervals_deg(samples)[after])))
    assert np.sqrt(np.mean(hinge_errors_deg(joint, samples, after) ** 2)) < admitted_deg
    assert relative_errors_deg(joint, samples)[-100:].max() < 1.5


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_two_axes_are_found_with_the_heading(seed: int):
    joint = worn_joint(seed, 2)
    samples = joint.through(JointMeter("two-axis"))
    admitted_deg = half_intervals_deg(samples)
    right = relative_errors_deg(joint, samples) < np.maximum(2.5, admitted_deg)
    assert right[samples.settled][200:].all()
    assert np.any(samples.settled) or admitted_deg[-1] > 10.0, "it neither knows nor admits that it does not"


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_three_axes_are_corrected_by_the_accelerations_of_their_common_centre(seed: int):
    joint = worn_joint(seed, 3)
    samples = joint.through(JointMeter("three-axis", raw=True))
    admitted_deg = half_intervals_deg(samples)
    right = relative_errors_deg(joint, samples) < np.maximum(3.0, admitted_deg)
    assert right[samples.settled][200:].all()
    assert np.any(samples.settled) or admitted_deg[-1] > 10.0, "it neither knows nor admits that it does not"


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("kind", "axes", "raw"), [("two-axis", 2, False), ("three-axis", 3, True)])
def test_the_heading_is_found_and_kept(kind, axes: int, raw: bool, seed: int):
    joint = worn_joint(seed, axes)
    samples = joint.through(JointMeter(kind, raw=raw))
    later = slice(round(24 * RATE_HZ), None)  # of 40 s; the slowest of these takes 23
    assert samples.settled[later].all()
    assert relative_errors_deg(joint, samples)[later].max() < 2.0


@pytest.mark.parametrize(
    ("kind", "axes", "raw"), [("hinge", 1, False), ("two-axis", 2, True), ("three-axis", 3, True)]
)
def test_a_recording_is_a_stream_however_it_is_cut(kind, axes: int, raw: bool):
    joint = worn_joint(3, axes, lasts_s=14.0)
    whole = joint.through(JointMeter(kind, raw=raw))
    meter = JointMeter(kind, raw=raw)
    cuts = [0, 1, 2, 3, 10, 11, 50, 333, 334, 600, 700]
    parts = [meter.update(*joint.part(a, b)) for a, b in pairwise(cuts)]
    for name in ("relative", "angles_rad", "half_interval_rad", "heading_rad"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        assert np.allclose(joined, getattr(whole, name), atol=1e-6), name


def test_who_has_seen_no_acceleration_cannot_tell_a_level_hinges_heading_from_its_opposite():
    joint = worn_joint(5, 1, level=True)
    assert not np.any(joint.through(JointMeter("hinge")).settled)
    told = joint.through(JointMeter("hinge", raw=True))
    assert np.any(told.settled)
    assert relative_errors_deg(joint, told)[-1] < 3.0


def test_a_knee_is_measured_though_the_thigh_rests_and_no_heading_can_be_found():
    joint = worn_joint(6, 1, level=True, first_moves=0.0, drift_deg_s=0.05)
    samples = joint.through(JointMeter("hinge"))
    after = slice(int(8 * RATE_HZ), None)
    assert np.sqrt(np.mean(hinge_errors_deg(joint, samples, after) ** 2)) < 1.0


def test_a_known_start_is_taken_from_the_first_sample_on():
    joint = worn_joint(7, 3)
    meter = JointMeter("three-axis", raw=True)
    meter.start_from(from_rotation(joint.relative[0]), np.radians(3.0))
    samples = joint.through(meter)
    assert samples.settled[10]
    assert relative_errors_deg(joint, samples).max() < 3.0


def test_the_zero_posture_is_where_all_angles_are_0():
    joint = worn_joint(8, 1)
    meter = JointMeter("hinge")
    cut = 1000
    meter.update(*joint.part(0, cut))
    meter.zero()
    samples = meter.update(*joint.part(cut, None))
    assert np.degrees(np.abs(samples.angles_rad[0, 0])) < 2.0
    turned = joint.angles_rad[cut:, 0] - joint.angles_rad[cut - 1, 0]
    errors = np.abs(np.abs(samples.angles_rad[:, 0]) - np.abs(turned))
    assert np.degrees(errors.max()) < 1.5
    assert np.all(errors < samples.half_interval_rad[:, 0])


def test_calibrated_axes_are_kept():
    joint = worn_joint(9, 1)
    axes = np.array([mounting.inv().apply(HINGE_AXIS) for mounting in joint.mountings])
    samples = joint.through(JointMeter("hinge", axes=axes))
    off = samples.angles_rad[samples.settled, 0] - joint.angles_rad[samples.settled, 0]
    assert np.degrees(np.ptp(off)) < 1.5, "the sense of the turn is the calibration's"


def test_a_gap_in_the_stream_costs_no_more_than_itself():
    joint = worn_joint(10, 1)
    meter = JointMeter("hinge")
    meter.update(*joint.part(0, 900))
    samples = meter.update(*joint.part(1000, None))
    assert hinge_errors_deg(replace(joint, angles_rad=joint.angles_rad[1000:]), samples).std() < 0.5


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(InvalidInput, match="corrected by accelerations"):
        JointMeter("three-axis")
    with pytest.raises(InvalidInput, match="no fixed axes"):
        JointMeter("three-axis", raw=True, axes=np.eye(2, 3))
    joint = worn_joint(1, 1, lasts_s=2.0)
    meter = JointMeter("hinge")
    with pytest.raises(InvalidInput, match="no sample has come"):
        meter.zero()
    joint.through(meter)
    with pytest.raises(InvalidInput, match="must increase"):
        joint.through(meter)
    bare = SensorSamples(joint.first.quaternions)
    with pytest.raises(InvalidInput, match="raw samples are missing"):
        JointMeter("hinge", raw=True).update(joint.times_s, bare, bare)
    with pytest.raises(InvalidInput, match="do not fit"):
        JointMeter("hinge").update(joint.times_s[1:], bare, bare)
