"""Exports: every sample in its row, units in names and metadata, never half a file."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from kinetens.errors import InvalidInput, OutputNotWritable
from kinetens.session import Session
from kinetens.session.export import export
from kinetens.session.output import whole_file
from tests.session import made


@pytest.fixture
def session(tmp_path: Path):
    frames = made.motion_frames(20.0, made.raises(8, 70.0))
    with Session.open(made.write_session(tmp_path / "sessions", frames[:50] + frames[53:])) as opened:
        yield opened


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_csv_has_a_row_for_every_sample_missing_ones_too(session: Session, tmp_path: Path) -> None:
    out, _ = export(session, "csv", tmp_path / "out.csv")
    table = rows(out)
    assert [int(row["index"]) for row in table] == list(range(2000))
    assert [int(row["index"]) for row in table if row["missing"] == "true"] == list(range(500, 530))
    lost, known = table[510], table[499]
    assert lost["quaternion_w"] == lost["angle_deg"] == lost["rest"] == ""
    assert float(lost["host_time_s"]) - float(known["host_time_s"]) == pytest.approx(0.11, abs=0.001)
    assert known["rest"] == "false"
    norm = sum(float(known[f"quaternion_{axis}"]) ** 2 for axis in "wxyz")
    assert norm == pytest.approx(1.0)
    assert max(float(row["angle_deg"] or 0) for row in table) == pytest.approx(70.0, abs=2.0)


def test_repetitions_are_a_second_file(session: Session, tmp_path: Path) -> None:
    _, beside = export(session, "csv", tmp_path / "out.csv")
    assert beside.name == "out-repetitions.csv"
    table = rows(beside)
    assert [row["repetition"] for row in table] == [str(n) for n in range(1, len(table) + 1)]
    assert float(table[0]["range_of_motion_deg"]) == pytest.approx(70.0, abs=2.0)


def test_parquet_holds_the_same_with_units_and_the_header(session: Session, tmp_path: Path) -> None:
    from_csv = rows(export(session, "csv", tmp_path / "out.csv")[0])
    out, beside = export(session, "parquet", tmp_path / "out.parquet")
    table: Any = pyarrow.parquet.read_table(out)
    assert table.column_names == list(from_csv[0])
    assert table.num_rows == len(from_csv)
    assert table["quaternion_x"].null_count == 30
    assert table.schema.field("angle_deg").metadata == {b"unit": b"deg"}
    assert table.schema.field("device_time_us").metadata == {b"unit": b"us"}
    assert json.loads(table.schema.metadata[b"kinetens.header"])["exercise"] == "shoulder-abduction"
    repetitions: Any = pyarrow.parquet.read_table(beside)
    assert repetitions.schema.field("peak_speed_deg_s").metadata == {b"unit": b"deg/s"}


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_an_empty_session_exports_empty_tables(tmp_path: Path, file_format: str) -> None:
    with Session.open(made.write_session(tmp_path, [])) as session:
        out, beside = export(session, file_format, tmp_path / "empty")
    assert out.stat().st_size > 0
    assert beside.stat().st_size > 0


def test_files_are_replaced_only_when_forced(session: Session, tmp_path: Path) -> None:
    out, beside = export(session, "csv", tmp_path / "out.csv")
    out.unlink()
    before = beside.read_bytes()
    with pytest.raises(OutputNotWritable, match=r"repetitions.csv exists already.*--force"):
        export(session, "csv", out)
    assert not out.exists()
    assert export(session, "csv", out, force=True) == (out, beside)
    assert beside.read_bytes() == before


def test_a_place_that_cannot_be_written_is_named(session: Session, tmp_path: Path, read_only_folder) -> None:
    with pytest.raises(OutputNotWritable, match="it is a folder"):
        export(session, "csv", tmp_path)
    with pytest.raises(OutputNotWritable, match=r"no folder .*absent"):
        export(session, "csv", tmp_path / "absent" / "out.csv")
    with read_only_folder() as folder, pytest.raises(OutputNotWritable, match="permission denied"):
        export(session, "csv", folder / "out.csv")


def test_another_format_is_refused_with_those_that_exist(session: Session, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="choose one of csv, parquet"):
        export(session, "xlsx", tmp_path / "out.xlsx")


def test_a_file_that_fails_half_way_leaves_nothing_behind(tmp_path: Path) -> None:
    out = tmp_path / "out.txt"
    out.write_text("before")

    def interrupted() -> None:
        with whole_file(out, force=True) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]
    assert out.read_text() == "before"
