import numpy as np
import pytest

from kinetens.virtual.everyday import SITES, EverydayMember, Site

TIMES_S = np.arange(0.0, 60.0, 0.01)


@pytest.mark.parametrize("site", SITES)
def test_rates_and_forces_are_those_of_a_body(site: Site) -> None:
    gyr, acc = EverydayMember(site, 3).sample(TIMES_S)
    force = np.linalg.norm(acc, axis=1)
    assert np.median(force) == pytest.approx(9.8, abs=0.3)
    assert force.max() < 40.0
    assert np.linalg.norm(gyr, axis=1).max() < 10.0


def test_one_seed_is_one_history_however_it_is_asked_for() -> None:
    member = EverydayMember("wrist", 5)
    whole = np.concatenate(member.sample(TIMES_S), axis=1)
    part = np.concatenate(EverydayMember("wrist", 5).sample(TIMES_S[2000:2100]), axis=1)
    np.testing.assert_allclose(whole[2000:2100], part, atol=1e-9)
    assert not np.allclose(whole, np.concatenate(EverydayMember("wrist", 6).sample(TIMES_S), axis=1))


def test_the_gyroscope_turns_as_the_pose_does() -> None:
    member = EverydayMember("thigh", 2)
    gyr, _ = member.sample(TIMES_S + 0.005)
    turned = (member.orientation(TIMES_S).inv() * member.orientation(TIMES_S + 0.01)).as_rotvec()
    np.testing.assert_allclose(gyr * 0.01, turned, atol=2e-4)
