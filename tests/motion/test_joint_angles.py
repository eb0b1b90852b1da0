"""Angles as clinicians name them."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from kinetens.motion.joint_angles import (
    CLINICAL,
    clinical_angles,
    hinge_angle,
    swung_from,
    three_angles,
    two_axis_angles,
)
from kinetens.motion.quaternion import from_rotation

ANY = Rotation.random(200, rng=np.random.default_rng(4))


def wrapped(angles):
    return np.mod(angles + np.pi, 2.0 * np.pi) - np.pi


def test_three_angles_turn_in_their_order():
    angles = three_angles(from_rotation(ANY), "zxy")
    assert np.abs(wrapped(angles - ANY.as_euler("ZXY"))).max() < 1e-9
    again = Rotation.from_euler("YXY", three_angles(from_rotation(ANY), "yxy"))
    assert (again.inv() * ANY).magnitude().max() < 1e-7


def test_two_axes_are_told_apart_whatever_the_angle_between_them():
    first, second = np.array([0.0, 0.0, 1.0]), np.array([0.0, 0.8, 0.6])
    angles = np.random.default_rng(2).uniform(-2.5, 2.5, (100, 2))
    swung = Rotation.from_rotvec(angles[:, :1] * first) * Rotation.from_rotvec(angles[:, 1:] * second)
    found = two_axis_angles(from_rotation(swung), np.tile(first, (100, 1)), np.tile(second, (100, 1)))
    assert np.abs(wrapped(found - angles)).max() < 1e-9


def test_a_hinge_turns_about_its_axis():
    axis = np.array([0.6, 0.0, 0.8])
    angles = np.linspace(-3.0, 3.0, 50)
    swung = from_rotation(Rotation.from_rotvec(angles[:, None] * axis))
    assert np.allclose(hinge_angle(swung, np.tile(axis, (50, 1))), angles)


def test_the_neutral_posture_is_no_turn():
    relative = from_rotation(ANY)
    segment = from_rotation(Rotation.random(rng=np.random.default_rng(5)))
    assert np.allclose(np.abs(swung_from(relative, relative, segment)[:, 0]), 1.0)


@pytest.mark.parametrize(
    ("joint", "side", "turn_deg", "names"),
    [
        ("knee", "right", [-90, 0, 0], "flexion"),
        ("knee", "left", [-90, 0, 0], "flexion"),
        ("hip", "right", [30, 0, 0], "flexion"),
        ("hip", "right", [0, 20, 0], "adduction"),
        ("hip", "left", [0, -20, 0], "adduction"),
        ("hip", "left", [0, 0, -20], "internal rotation"),
        ("elbow", "right", [120, 0, 0], "flexion"),
        ("ankle", "left", [15, 0, 0], "dorsiflexion"),
    ],
)
def test_clinical_names_and_signs(joint: str, side, turn_deg, names: str):
    swung = from_rotation(Rotation.from_euler("ZXY", [turn_deg], degrees=True))
    angles = np.degrees(clinical_angles(swung, joint, side)[0])
    assert np.allclose(angles[CLINICAL[joint].names.index(names)], np.abs(turn_deg).max())


@pytest.mark.parametrize(("side", "about_x_deg"), [("right", -80.0), ("left", 80.0)])
def test_an_arm_lifted_sideways_is_elevated_in_the_plane_of_abduction(side, about_x_deg: float):
    swung = from_rotation(Rotation.from_euler("XYZ", [[about_x_deg, 0.0, 0.0]], degrees=True))
    elevation = np.degrees(clinical_angles(swung, "shoulder", side)[0, 1])
    assert np.isclose(elevation, 80.0)
