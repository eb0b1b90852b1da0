"""kinetens report."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.session import made


def test_the_report_is_named_after_its_session(run, sessions: Path) -> None:
    made.write_exercise(sessions)
    assert run("report", "last").stdout == "wrote 20261123-101512-00000001.html\n"
    assert "Shoulder abduction" in Path("20261123-101512-00000001.html").read_text(encoding="utf-8")


def test_the_answer_for_programs_names_the_file(run_json, sessions: Path, tmp_path: Path) -> None:
    made.write_exercise(sessions)
    out = tmp_path / "monday.html"
    assert run_json("report", "last", "--out", str(out)) == {
        "session": "20261123-101512-00000001",
        "report": str(out),
    }
    assert out.exists()


def test_a_report_that_exists_is_replaced_only_when_forced(run, refused, sessions: Path) -> None:
    made.write_exercise(sessions)
    run("report", "last")
    assert "exists already" in refused("report", "last")
    assert run("report", "last", "--force").exit_code == 0


@pytest.mark.parametrize(
    "command",
    [("report",), ("analyze",), ("export", "--format", "csv", "--out", "out.csv")],
    ids=lambda c: c[0],
)
def test_nothing_is_concluded_from_an_altered_session(command, refused, sessions: Path) -> None:
    path = made.write_exercise(sessions)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE frames SET received_us = received_us + 1 WHERE number = 20")
    name, *options = command
    assert "was changed" in refused(name, "last", *options)
