"""Joints whose angles are known, worn sensors mounted and drifting in any way."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from kinetens.motion.joint import JointMeter, JointSamples
from kinetens.motion.joint_steps import SensorSamples
from kinetens.motion.quaternion import from_rotation
from kinetens.virtual.motion_source import STANDARD_GRAVITY_M_S2

Floats = NDArray[np.float64]
RATE_HZ = 50.0
HINGE_AXIS = np.array([0.0, 0.0, 1.0])
SECOND_AXIS = np.array([0.0, 1.0, 0.0])


@dataclass(frozen=True)
class WornJoint:
    """Both sensors' samples, and the truth; angles in rad (N, k)."""

    times_s: Floats
    first: SensorSamples
    second: SensorSamples
    angles_rad: Floats
    relative: Rotation
    mountings: tuple[Rotation, Rotation] = field(repr=False)

    def part(self, begin: int, end: int | None) -> tuple[Floats, SensorSamples, SensorSamples]:
        """Samples from one number to another, as `JointMeter.update` takes them."""
        here = slice(begin, end)
        return self.times_s[here], part_of(self.first, here), part_of(self.second, here)

    def through(self, meter: JointMeter) -> JointSamples:
        """All samples at once."""
        return meter.update(*self.part(0, None))


def part_of(sensor: SensorSamples, here: slice) -> SensorSamples:
    """Some of a sensor's samples."""
    assert sensor.gyr_rad_s is not None
    assert sensor.acc_m_s2 is not None
    return SensorSamples(sensor.quaternions[here], sensor.gyr_rad_s[here], sensor.acc_m_s2[here])


def waves(times_s: Floats, random: np.random.Generator, size: float, count: int) -> Floats:
    """Smooth movements (N, count) within about `size`."""
    pulsations = 2.0 * np.pi * random.uniform(0.15, 0.7, (4, count))
    phases = random.uniform(0.0, 2.0 * np.pi, (4, count))
    return size / 2.0 * np.sin(times_s[:, None, None] * pulsations + phases).sum(axis=1)


def worn_joint(
    seed: int,
    axes: int,
    lasts_s: float = 40.0,
    first_moves: float = 1.0,
    level: bool = False,
    drift_deg_s: float = 0.1,
) -> WornJoint:
    """A joint of 1, 2 or 3 axes.

    first_moves: how lively the first segment is. level: the hinge's axis stays level. drift_deg_s: of the second's
    heading.
    """
    random = np.random.default_rng(seed)
    times_s = np.arange(round(lasts_s * RATE_HZ)) / RATE_HZ
    angles = waves(times_s, random, 0.9, axes)
    if axes == 1:
        joint = Rotation.from_rotvec(angles * HINGE_AXIS)
    elif axes == 2:
        joint = Rotation.from_rotvec(angles[:, :1] * HINGE_AXIS) * Rotation.from_rotvec(
            angles[:, 1:] * SECOND_AXIS
        )
    else:
        joint = Rotation.from_euler("ZXY", angles)
    if level:
        lying = Rotation.from_rotvec([np.pi / 2.0, 0.0, 0.0])
        upper = (
            Rotation.from_rotvec(first_moves * waves(times_s, random, 0.7, 1) * lying.apply(HINGE_AXIS))
            * lying
        )
    else:
        upper = Rotation.from_rotvec(first_moves * waves(times_s, random, 0.9, 3) + random.normal(size=3))
    lower = upper * joint
    mountings = Rotation.random(rng=random), Rotation.random(rng=random)
    centre = waves(times_s, random, 0.12 * first_moves, 3)
    sensors: list[SensorSamples] = []
    for segment, mounting, drift in zip((upper, lower), mountings, (0.0, drift_deg_s), strict=True):
        orientation = segment * mounting
        position = centre + segment.apply(np.array([0.02, -0.15, 0.03]))
        moving = np.gradient(np.gradient(position, times_s, axis=0), times_s, axis=0)
        force = moving + np.array([0.0, 0.0, STANDARD_GRAVITY_M_S2])
        turns = (orientation[:-1].inv() * orientation[1:]).as_rotvec() * RATE_HZ
        gyr = np.concatenate([turns[:1], (turns[1:] + turns[:-1]) / 2.0, turns[-1:]])
        heading = random.uniform(-np.pi, np.pi) + np.radians(drift) * times_s
        seen = Rotation.from_rotvec(heading[:, None] * [0.0, 0.0, 1.0]) * orientation
        sensors.append(SensorSamples(from_rotation(seen), gyr, orientation.inv().apply(force)))
    relative = mountings[0].inv() * joint * mountings[1]
    return WornJoint(times_s, sensors[0], sensors[1], angles, relative, mountings)
