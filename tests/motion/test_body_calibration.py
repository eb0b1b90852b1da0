"""How a sensor lies on its limb, and whether it still does."""

from math import radians

import numpy as np
import pytest

from bench.joint_recordings import fused
from kinetens.errors import CalibrationDoubtful
from kinetens.motion.body_calibration import BodyCalibration, BodyCalibrator, paired
from kinetens.motion.quaternion import Quaternions, multiply, turn_about, turn_vector
from kinetens.motion.strap import StrapWatch, check, doubt_about
from kinetens.virtual.member import GeneratedMember, shipped_member

PIECE = 10


def calibrate(times_s, quaternions) -> BodyCalibration:
    """As a stream, in short pieces."""
    calibrator = BodyCalibrator()
    for begin in range(0, len(times_s), PIECE):
        piece = slice(begin, begin + PIECE)
        calibration = calibrator.update(times_s[piece], quaternions[piece])
        if calibration is not None:
            return calibration
    pytest.fail(f"not calibrated; still wanted: {calibrator.wanted}")


def watched(calibration: BodyCalibration, times_s, quaternions) -> tuple[float, str] | None:
    """When a watch raised its doubt, and which; None if it never did."""
    watch = StrapWatch(calibration)
    for begin in range(0, len(times_s), PIECE):
        piece = slice(begin, begin + PIECE)
        try:
            watch.update(times_s[piece], quaternions[piece])
        except CalibrationDoubtful as doubtful:
            return float(times_s[piece][-1]), doubtful.doubt
    return None


def angle_deg(one, other) -> float:
    return float(np.degrees(np.arccos(np.clip(one @ other, -1.0, 1.0))))


@pytest.mark.parametrize("seed", range(6))
def test_any_mounting_is_found_from_one_slow_repetition(seed: int, worn):
    member = GeneratedMember(2, radians(60.0), seed)
    calibration = calibrate(*worn(member, member.end_s + 1.0, seed))
    to_sensor = member._mounting.inv()
    assert angle_deg(calibration.axis, to_sensor.apply(member._hinge)) < 1.0
    assert angle_deg(calibration.up, to_sensor.apply([0.0, 0.0, 1.0])) < 1.0
    assert abs(np.degrees(calibration.range_rad) - 60.0) < 2.0
    upwards = turn_vector(calibration.to_segment, calibration.up)
    assert angle_deg(upwards, np.array([0.0, 1.0, 0.0])) < 0.1


def test_a_recorded_member_is_calibrated(worn):
    member = shipped_member()
    assert calibrate(*worn(member, member.end_s, 1)).range_rad > radians(60.0)


def slipped(quaternions: Quaternions, times_s, at_s: float, turn: Quaternions) -> Quaternions:
    """The sensor as it sits turned by `turn` from some time on."""
    return np.where((times_s >= at_s)[:, None], multiply(quaternions, turn), quaternions)


@pytest.mark.parametrize(
    ("by_deg", "doubt"), [(0.0, None), (10.0, None), (35.0, "slipped"), (175.0, "turned over")]
)
@pytest.mark.parametrize("seed", range(4))
def test_a_strap_that_slips_midway_is_noticed_within_two_repetitions(seed: int, by_deg: float, doubt, worn):
    member = GeneratedMember(6, radians(60.0), seed)
    times_s, quaternions = worn(member, member.end_s + 1.0, seed)
    calibration = calibrate(times_s, quaternions)
    axis = np.random.default_rng(seed).normal(size=3)
    turn = turn_about(axis / np.linalg.norm(axis), radians(by_deg))
    at_s = member.truth[2].end_s - 0.05
    found = watched(calibration, times_s, slipped(quaternions, times_s, at_s, turn))
    if doubt is None:
        assert found is None
        return
    assert found is not None
    assert found[1] == doubt
    assert at_s < found[0] < member.truth[4].end_s + 0.5


def test_a_recorded_member_who_never_pauses_raises_no_doubt(worn):
    member = shipped_member()
    times_s, quaternions = worn(member, member.end_s, 1)
    assert watched(calibrate(times_s, quaternions), times_s, quaternions) is None


def moving(lean_deg: float, range_deg: float = 60.0) -> BodyCalibration:
    lean = radians(lean_deg)
    axis = np.array([np.sin(lean), np.cos(lean), 0.0])
    return BodyCalibration(np.array([0.0, 1.0, 0.0]), axis, radians(range_deg), 0.01)


def test_another_limb_or_movement_is_told_from_a_slip():
    known = moving(90.0)
    assert doubt_about(known, moving(85.0, 50.0)) is None
    assert doubt_about(known, moving(40.0)) == "other limb"
    with pytest.raises(CalibrationDoubtful, match="another limb") as raised:
        check(known, moving(40.0))
    assert raised.value.doubt == "other limb"


def test_a_movement_that_tells_nothing_is_asked_for_again():
    times_s = np.arange(0.0, 12.0, 0.02)

    def turning(axis, angle) -> Quaternions:
        return turn_about(axis, angle)

    small = radians(15.0) * np.where(
        (times_s > 4) & (times_s < 8), np.sin((times_s - 4) * np.pi / 4) ** 2, 0.0
    )
    with pytest.raises(CalibrationDoubtful, match="hold the starting posture again") as raised:
        BodyCalibrator().update(times_s, turning([1.0, 0.0, 0.0], small))
    assert raised.value.doubt == "too small"
    wide = radians(60.0) * np.where(
        (times_s > 4) & (times_s < 8), np.sin((times_s - 4) * np.pi / 4) ** 2, 0.0
    )
    aside = radians(40.0) * np.where((times_s > 4) & (times_s < 8), np.sin((times_s - 4) * np.pi / 2), 0.0)
    crooked = multiply(turning([1.0, 0.0, 0.0], wide), turning([0.0, 1.0, 0.0], aside))
    with pytest.raises(CalibrationDoubtful, match="in one plane"):
        BodyCalibrator().update(times_s, crooked)
    with pytest.raises(CalibrationDoubtful, match="about the vertical"):
        _ = moving(0.0).to_segment


def test_what_is_wanted_next_is_said():
    calibrator = BodyCalibrator()
    assert "hold still for 2 seconds" in calibrator.wanted
    times_s = np.arange(0.0, 2.5, 0.02)
    calibrator.update(times_s, np.tile([1.0, 0.0, 0.0, 0.0], (len(times_s), 1)))
    assert "one slow repetition" in calibrator.wanted
    calibrator.update(np.array([3.0]), turn_about([1.0, 0.0, 0.0], np.array([radians(40.0)])))
    assert "Come back" in calibrator.wanted


def test_two_sensors_give_the_joints_axes_and_those_on_each_others_place_are_told():
    thigh, shank = moving(90.0, 40.0), moving(90.0, 80.0)
    pair = paired(thigh, shank)
    assert np.allclose(pair.axes[0], thigh.axis)
    assert np.allclose(turn_vector(pair.neutral, pair.axes[1]), pair.axes[0])
    with pytest.raises(CalibrationDoubtful, match="swap them"):
        paired(moving(90.0, 80.0), moving(90.0, 20.0))


@pytest.mark.parametrize("session", ["s1_e1", "s2_e1", "s3_e1"])
def test_a_slip_between_recorded_knee_extensions_is_noticed_and_nothing_else(session: str, data_dir):
    table = np.load(data_dir / "uci_pt" / f"{session}.npz")["test"][1].astype(np.float64)
    quaternions = fused(table[:, 3:6], table[:, :3], 25.0)
    times_s = np.arange(len(quaternions)) / 25.0
    calibration = calibrate(times_s, quaternions)
    assert watched(calibration, times_s, quaternions) is None
    turn = turn_about([0.6, 0.0, 0.8], radians(45.0))
    assert watched(calibration, times_s, slipped(quaternions, times_s, 50.0, turn)) is not None
