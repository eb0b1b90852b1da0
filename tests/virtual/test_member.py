from math import degrees, radians

import numpy as np
import pytest

from kinetens.errors import InvalidInput
from kinetens.virtual.member import (
    SHIPPED_RATE_HZ,
    SHIPPED_RECORDING,
    GeneratedMember,
    RecordedMember,
    read_recording,
    shipped_member,
)
from kinetens.virtual.motion_source import STANDARD_GRAVITY_M_S2


def test_generated_rate_and_force_belong_to_one_trajectory() -> None:
    member = GeneratedMember(2, radians(80.0), seed=4, lever_m=0.3)
    h = 1e-3
    times_s = np.arange(0.0, member.end_s + 1.0, h)
    gyr, acc = member.sample(times_s)
    orientations = member.orientation(times_s)
    by_difference = (orientations[:-2].inv() * orientations[2:]).as_rotvec() / (2 * h)
    np.testing.assert_allclose(by_difference, gyr[1:-1], atol=2e-3)
    outward = np.linalg.norm(acc - orientations.inv().apply([0.0, 0.0, STANDARD_GRAVITY_M_S2]), axis=1)
    angle, rate, acceleration = member.angle_rad(times_s)
    assert np.max(outward) <= 0.3 * np.max(np.hypot(rate**2, acceleration)) + 1e-9
    assert np.max(outward) > 0.2
    assert degrees(np.ptp(angle)) == pytest.approx(80.0, abs=3.0)


def test_truth_says_what_was_performed() -> None:
    member = GeneratedMember(5, radians(40.0), seed=2, range_variation=0.0)
    assert [degrees(repetition.range_rad) for repetition in member.truth] == pytest.approx([40.0] * 5)
    for repetition in member.truth:
        at = np.array([repetition.start_s, repetition.turn_s, repetition.end_s])
        np.testing.assert_allclose(np.degrees(member.angle_rad(at)[0]), [0.0, 40.0, 0.0], atol=0.06)
    assert member.truth[0].start_s == 3.0
    assert member.truth[-1].end_s == member.end_s


def test_one_seed_one_history_in_whatever_order_it_is_asked() -> None:
    times_s = np.linspace(0.0, 10.0, 500)
    gyr, acc = GeneratedMember(3, radians(60.0), seed=9).sample(times_s)
    again = GeneratedMember(3, radians(60.0), seed=9).sample(times_s[::-1])
    np.testing.assert_array_equal(gyr, again[0][::-1])
    np.testing.assert_array_equal(acc, again[1][::-1])
    assert np.any(gyr != GeneratedMember(3, radians(60.0), seed=10).sample(times_s)[0])


def test_recorded_member_is_still_before_and_after_and_plays_the_recording_between() -> None:
    member = shipped_member(start_delay_s=2.0)
    for still_s in (0.0, 1.9, member.end_s + 0.1, member.end_s + 60.0):
        gyr, acc = member.sample(np.array([still_s]))
        assert np.linalg.norm(gyr) < 1e-6
        assert np.linalg.norm(acc) == pytest.approx(STANDARD_GRAVITY_M_S2, rel=1e-6)
    recorded_gyr, recorded_acc = read_recording(SHIPPED_RECORDING)
    times_s = member.recording_start_s + np.arange(len(recorded_gyr)) / SHIPPED_RATE_HZ
    gyr, acc = member.sample(times_s)
    np.testing.assert_allclose(gyr, recorded_gyr, atol=1e-6)
    np.testing.assert_allclose(acc, recorded_acc, atol=1e-6)


def test_nonsense_is_refused_in_a_sentence() -> None:
    with pytest.raises(InvalidInput, match="at least 1 repetition"):
        GeneratedMember(0, radians(60.0), seed=0)
    with pytest.raises(InvalidInput, match="1 to 175 degrees"):
        GeneratedMember(5, radians(200.0), seed=0)
    with pytest.raises(InvalidInput, match="at least 4 samples"):
        RecordedMember(np.zeros((2, 3)), np.zeros((2, 3)), 50.0)
