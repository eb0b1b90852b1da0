import numpy as np
from scipy.spatial.transform import Rotation

from kinetens.motion.quaternion import from_rotation, multiply, to_rotation


def test_conversion_keeps_the_scalar_first() -> None:
    quarter_turn_about_z = Rotation.from_euler("z", 90, degrees=True)
    np.testing.assert_allclose(from_rotation(quarter_turn_about_z), [np.sqrt(0.5), 0, 0, np.sqrt(0.5)])
    there_and_back = to_rotation(from_rotation(quarter_turn_about_z))
    assert (there_and_back * quarter_turn_about_z.inv()).magnitude() < 1e-12


def test_product_is_the_composition_of_rotations() -> None:
    left, right = (
        Rotation.random(50, rng=np.random.default_rng(1)),
        Rotation.random(50, rng=np.random.default_rng(2)),
    )
    product = multiply(from_rotation(left), from_rotation(right))
    assert np.max((to_rotation(product) * (left * right).inv()).magnitude()) < 1e-12
