"""kinetens analyze on recordings of other devices."""

from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from kinetens.virtual.member import GeneratedMember

NAMES = ("time_s", "acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z")


@pytest.fixture(scope="module")
def table() -> np.ndarray:
    member = GeneratedMember(8, np.radians(70.0), seed=4)
    time_s = np.arange(0.0, member.end_s + 2.0, 0.02)
    gyr, acc = member.sample(time_s)
    return np.column_stack([time_s, acc, gyr])


def write(folder: Path, kind: str, table: np.ndarray) -> str:
    path = folder / f"recording.{kind}"
    if kind == "csv":
        np.savetxt(path, table, delimiter=",", header=",".join(NAMES), comments="")
    elif kind == "npz":
        np.savez(path, acc=table[:, 1:4], gyr=table[:, 4:], fs=50.0)
    else:
        pyarrow.parquet.write_table(pyarrow.table(dict(zip(NAMES, table.T, strict=True))), path)
    return str(path)


@pytest.mark.parametrize("kind", ["csv", "npz", "parquet"])
def test_every_kind_of_file_gives_the_same_set(kind: str, table, run_json, tmp_path: Path) -> None:
    answer = run_json("analyze", write(tmp_path, kind, table), "--exercise", "shoulder abduction")
    (only,) = answer["sets"]
    assert only["exercise"] == "shoulder-abduction"
    assert len(only["repetitions"]) == 8
    first = only["repetitions"][0]
    assert first["range_of_motion_deg"] == pytest.approx(70.0, abs=2.0)
    assert first["grade"] in ("good", "fair", "poor")
    assert 0.5 < first["confidence"] <= 1.0
    assert answer["unknown_s"] == 0.0


def test_a_gap_is_unknown_and_no_repetition_lies_in_it(table, run_json, tmp_path: Path) -> None:
    time_s = table[:, 0]
    answer = run_json("analyze", write(tmp_path, "csv", table[(time_s < 8.0) | (time_s > 14.0)]))
    repetitions = [one for each in answer["sets"] for one in each["repetitions"]]
    assert not any(one["start_s"] < 14.0 and one["end_s"] > 8.0 for one in repetitions)
    assert answer["unknown_s"] == pytest.approx(6.0, abs=0.1)


def test_an_exercise_is_named_from_few_candidates_or_not_at_all(table, run_json, tmp_path: Path) -> None:
    path = write(tmp_path, "csv", table)
    named = run_json(
        "analyze", path, "--exercise", "auto", "--candidates", "ankle pumps,seated-knee-extension"
    )
    assert 0.0 <= named["sets"][0]["exercise_confidence"] <= 1.0
    assert run_json("analyze", path, "--exercise", "auto")["sets"][0]["exercise"] is None


def test_what_cannot_be_right_is_said(table, refused, tmp_path: Path) -> None:
    def spoilt(place: slice, factor: float) -> str:
        other = table.copy()
        other[:, place] *= factor
        return write(tmp_path, "csv", other)

    assert "looks like g" in refused("analyze", spoilt(slice(1, 4), 1 / 9.80665))
    assert "looks like degrees" in refused("analyze", spoilt(slice(4, 7), 57.2958))
    assert "does not increase" in refused("analyze", write(tmp_path, "csv", table[::-1]))
    (tmp_path / "empty.csv").write_text("")
    assert "is empty" in refused("analyze", str(tmp_path / "empty.csv"))
    (tmp_path / "one.csv").write_text("a\n1\n1\n")
    assert "no column 'time_s'" in refused("analyze", str(tmp_path / "one.csv"))
