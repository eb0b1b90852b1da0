from math import radians

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from kinetens.motion.angle import MovementPlane
from kinetens.motion.quaternion import Quaternions, from_rotation

TIMES_S = np.arange(0.0, 6.0, 0.04)
SWING_RAD = radians(50.0) * (1.0 - np.cos(TIMES_S * 2.0))


def learnt(quaternions: Quaternions) -> NDArray[np.float64]:
    plane = MovementPlane()
    for k in range(0, len(quaternions), 5):
        plane.learn(quaternions[k : k + 5], 0.2)
    return plane.angles(quaternions)


def hinge(mounting: Rotation, facing: Rotation) -> Quaternions:
    return from_rotation(facing * Rotation.from_rotvec(np.outer(SWING_RAD, [0.6, 0.8, 0.0])) * mounting)


@pytest.mark.parametrize("seed", range(5))
def test_angle_of_a_hinge_is_exact_whatever_the_mounting_and_the_heading(seed: int) -> None:
    angles = learnt(
        hinge(
            Rotation.random(rng=np.random.default_rng(seed)),
            Rotation.from_euler("z", 70 * seed, degrees=True),
        )
    )
    moved = angles - angles[0]
    np.testing.assert_allclose(moved * np.sign(moved[np.argmax(np.abs(moved))]), SWING_RAD, atol=1e-6)


def test_plane_keeps_to_one_direction_of_a_circling_movement() -> None:
    circling = Rotation.from_rotvec(
        0.3 * np.stack([np.cos(4.0 * TIMES_S), np.sin(4.0 * TIMES_S), 0.0 * TIMES_S], axis=1)
    )
    quaternions = from_rotation(circling)
    plane = MovementPlane()
    likeness: list[float] = []
    for k in range(0, len(quaternions), 5):
        before = plane.axes
        plane.learn(quaternions[k : k + 5], 0.2)
        likeness.append(plane.likeness(before))
    assert min(likeness[len(likeness) // 2 :]) > 0.9


def test_sensor_that_never_moved_has_an_angle() -> None:
    assert np.all(np.isfinite(learnt(np.tile([1.0, 0.0, 0.0, 0.0], (20, 1)))))
