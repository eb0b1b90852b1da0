"""kinetens export."""

from pathlib import Path

import pytest

from tests.session import made


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_an_export_is_two_files(run_json, sessions: Path, file_format: str) -> None:
    made.write_exercise(sessions)
    answer = run_json("export", "last", "--format", file_format, "--out", f"monday.{file_format}")
    assert answer["samples"] == f"monday.{file_format}"
    assert answer["repetitions"] == f"monday-repetitions.{file_format}"
    assert Path(answer["samples"]).stat().st_size > 0
    assert Path(answer["repetitions"]).stat().st_size > 0


def test_files_are_named_when_written_and_kept_unless_forced(run, refused, sessions: Path) -> None:
    made.write_exercise(sessions)
    asked = ("export", "last", "--format", "csv", "--out", "monday.csv")
    assert run(*asked).stdout == "wrote monday.csv and monday-repetitions.csv\n"
    assert "monday.csv exists already" in refused(*asked)
    assert run(*asked, "--force").exit_code == 0


def test_a_folder_that_does_not_exist_is_named(refused, sessions: Path) -> None:
    made.write_exercise(sessions)
    assert "no folder absent" in refused("export", "last", "--format", "csv", "--out", "absent/x.csv")
