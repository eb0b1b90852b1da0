"""From a relative orientation to the angles a clinician knows.

All functions take `swung` (N, 4): the relative orientation times the inverse of the one in the neutral posture, in
the first segment's frame. It is the identity in the neutral posture.

Names and signs follow the International Society of Biomechanics: x forward, y up, z to the right (Wu et al. 2002,
J. Biomech.
35(4); Wu et al. 2005, J. Biomech. 38(5)); flexion about the first segment's z, rotation about the second's long axis y,
abduction about the line at right angles to both (Grood & Suntay 1983, J. Biomech. Eng. 105(2)).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kinetens.motion.joint_evidence import Floats
from kinetens.motion.quaternion import Quaternions, conjugate, multiply, turn_about, turn_vector

Side = Literal["left", "right"]
Order = Literal["zxy", "yxy"]


@dataclass(frozen=True, slots=True)
class ClinicalJoint:
    """How a joint's three angles are called and which way they are positive.

    names: of the positive direction of the first, second and third angle, for a right and a left limb alike.
    signs: of each mathematical angle of a right limb; a left limb is looked at in a mirror.
    order: the axes turned about, one after the other, each fixed in what was turned before.
    """

    names: tuple[str, str, str]
    signs: tuple[float, float, float]
    order: Order = "zxy"


CLINICAL: dict[str, ClinicalJoint] = {
    "hip": ClinicalJoint(("flexion", "adduction", "internal rotation"), (1.0, 1.0, 1.0)),
    "knee": ClinicalJoint(("flexion", "adduction", "internal rotation"), (-1.0, 1.0, 1.0)),
    "ankle": ClinicalJoint(("dorsiflexion", "inversion", "internal rotation"), (1.0, 1.0, 1.0)),
    "elbow": ClinicalJoint(("flexion", "varus", "pronation"), (1.0, 1.0, 1.0)),
    "wrist": ClinicalJoint(("flexion", "ulnar deviation", "pronation"), (1.0, 1.0, 1.0)),
    "shoulder": ClinicalJoint(
        ("plane of elevation", "elevation", "internal rotation"), (1.0, -1.0, 1.0), order="yxy"
    ),
}
"""Flexion of the hip brings the thigh forward: a right-hand turn about z. That of the knee brings the shank back:
a left-hand one.

In the wrist's and elbow's neutral posture the palm faces forward."""


def clinical_angles(swung: Quaternions, joint: str, side: Side) -> Floats:
    """The angles of CLINICAL[joint] in rad (N, 3), of a swing in the first segment's frame."""
    clinical = CLINICAL[joint]
    mirrored = swung * [1.0, -1.0, -1.0, 1.0] if side == "left" else swung
    return three_angles(mirrored, clinical.order) * clinical.signs


def hinge_angle(swung: Quaternions, axis: Floats) -> Floats:
    """How far it is turned about an axis (N, 3) of the first segment, in rad (N,), -pi to pi."""
    sign = np.copysign(1.0, swung[:, 0])
    return 2.0 * np.arctan2(sign * _dot(swung[:, 1:], axis), sign * swung[:, 0])


def two_axis_angles(swung: Quaternions, first_axis: Floats, second_axis: Floats) -> Floats:
    """Turns about the first segment's axis and, in that turned frame, about the second's, in rad (N, 2).

    Both axes (N, 3) are given in the first segment's frame, the second as it lies in the neutral posture.
    """
    there = turn_vector(swung, second_axis)
    level = second_axis - first_axis * _dot(first_axis, second_axis)[:, None]
    about_first = np.arctan2(_dot(there, np.cross(first_axis, level)), _dot(there, level))
    rest = multiply(turn_about(first_axis, -about_first), swung)
    return np.stack([about_first, hinge_angle(rest, second_axis)], axis=1)


def three_angles(swung: Quaternions, order: Order) -> Floats:
    """Turns about the axes of `order`, one after the other, each fixed in what was turned before, in rad (N, 3)."""
    w, x, y, z = swung.T
    if order == "zxy":
        first = np.arctan2(2.0 * (w * z - x * y), 1.0 - 2.0 * (x * x + z * z))
        second = np.arcsin(np.clip(2.0 * (w * x + y * z), -1.0, 1.0))
        third = np.arctan2(2.0 * (w * y - x * z), 1.0 - 2.0 * (x * x + y * y))
    else:
        # Of the two ways to say it, the one with a second angle below 0, as ISB has the arm's elevation.
        both, apart = np.arctan2(y, w), np.arctan2(-z, x)
        first, third = (_wrapped(angle + np.pi) for angle in (both + apart, both - apart))
        second = -2.0 * np.arctan2(np.hypot(x, z), np.hypot(w, y))
    return np.stack([first, second, third], axis=1)


def swung_from(relative: Quaternions, neutral: Quaternions, segment: Quaternions) -> Quaternions:
    """The relative orientation (N, 4), second sensor to first, as `swung`.

    neutral: (N, 4) the relative orientation in the neutral posture.
    segment: (4,) the first sensor's frame to its segment's.
    """
    return multiply(multiply(segment, multiply(relative, conjugate(neutral))), conjugate(segment))


def _dot(left: Floats, right: Floats) -> Floats:
    return np.einsum("ij,ij->i", left, right)


def _wrapped(angle_rad: Floats) -> Floats:
    return (angle_rad + np.pi) % (2.0 * np.pi) - np.pi
