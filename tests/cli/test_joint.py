"""kinetens joint."""

from pathlib import Path

import numpy as np
import pytest

from tests.motion.joints import RATE_HZ, WornJoint, part_of, worn_joint


def written(joint: WornJoint, folder: Path, samples: int | None = None) -> tuple[str, str]:
    paths: list[str] = []
    for name, sensor in (("upper", joint.first), ("lower", joint.second)):
        paths.append(str(folder / f"{name}.npz"))
        part = part_of(sensor, slice(samples))
        assert part.acc_m_s2 is not None
        assert part.gyr_rad_s is not None
        np.savez(paths[-1], acc=part.acc_m_s2, gyr=part.gyr_rad_s, fs=RATE_HZ)
    return paths[0], paths[1]


@pytest.mark.parametrize(("kind", "axes"), [("hinge", 1), ("two-axis", 2), ("three-axis", 3)])
def test_angles_from_the_zero_posture_on_with_their_intervals(kind: str, axes: int, run_json, tmp_path: Path):
    joint = worn_joint(4, axes, lasts_s=30.0)
    out = tmp_path / "angles.csv"
    answer = run_json("joint", *written(joint, tmp_path), "--type", kind, "--zero-at", "2", "--out", str(out))
    assert answer["warnings"] == []
    assert answer["heading_found_after_s"] < 15.0
    table = np.loadtxt(out, delimiter=",", skiprows=1)
    assert table.shape == (answer["samples"], 1 + 2 * axes)
    assert table[0, 0] == pytest.approx(2.02)
    assert np.all(np.abs(table[0, 1::2]) < 4.0)
    assert np.all(table[:, 2::2] > 0.0)
    assert [each["most_deg"] for each in answer["angles"]] == pytest.approx(
        list(table[:, 1::2].max(axis=0)), abs=0.01
    )
    if kind == "hinge":
        turned = np.degrees(joint.angles_rad[-len(table) :, 0] - joint.angles_rad[100, 0])
        assert np.abs(np.abs(table[:, 1]) - np.abs(turned)).max() < 4.0


def test_a_joint_of_another_kind_is_warned_of(run, tmp_path: Path):
    joint = worn_joint(4, 3, lasts_s=30.0)
    result = run("joint", *written(joint, tmp_path), "--type", "hinge", "--out", str(tmp_path / "out.csv"))
    assert "warning: " in result.stderr


def test_recordings_that_do_not_fit_are_refused(refused, tmp_path: Path):
    joint = worn_joint(4, 1, lasts_s=30.0)
    out = str(tmp_path / "out.csv")
    short = written(joint, tmp_path, samples=100)
    assert "in common and need 5" in refused("joint", *short, "--type", "hinge", "--out", out)
    whole = written(joint, tmp_path)
    assert "zero posture cannot be" in refused(
        "joint", *whole, "--type", "hinge", "--zero-at", "99", "--out", out
    )
    assert not Path(out).exists()
