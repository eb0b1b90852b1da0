"""kinetens sessions list, show, verify, delete."""

import json
import sqlite3
from pathlib import Path

import pytest

from tests.session import made


def damage(path: Path) -> None:
    database = sqlite3.connect(path)
    with database:
        database.execute("UPDATE frames SET data = zeroblob(length(data)) WHERE number = 5")
    database.close()


def test_an_empty_home_has_no_sessions(run, run_json, sessions: Path) -> None:
    assert run("sessions", "list").stdout == f"no sessions in {sessions}\n"
    assert run_json("sessions", "list") == []


def test_the_list_shows_what_was_done_how_it_ended_and_what_cannot_be_read(
    run, run_json, sessions: Path
) -> None:
    made.write_exercise(sessions)
    made.write_session(sessions, [], number=2, ended=None, exercise="bridge")
    (sessions / "broken.kinetens").write_text("no")
    shown = run("sessions", "list").stdout
    assert "shoulder-abduction  left wrist" in shown
    assert "cut off" in shown
    assert "not a session file" in shown
    listed = run_json("sessions", "list")
    assert [one["exercise"] for one in listed[:2]] == ["shoulder-abduction", "bridge"]
    assert listed[0]["duration_s"] == pytest.approx(22.0, abs=0.1)
    assert "not a session file" in listed[2]["problem"]


def test_another_folder_can_be_named(run_json, tmp_path: Path) -> None:
    made.write_exercise(tmp_path / "elsewhere")
    (listed,) = run_json("sessions", "list", "--folder", str(tmp_path / "elsewhere"))
    assert listed["exercise"] == "shoulder-abduction"


def test_show_tells_what_a_session_holds(run, run_json, sessions: Path) -> None:
    made.write_exercise(sessions, seed=7, notes="after breakfast")
    shown = run("sessions", "show", "last").stdout
    for said in (
        "20261123-101512-00000001",
        "2200 produced",
        "kinetens-4F2A",
        "after breakfast",
        "connected",
    ):
        assert said in shown
    document = run_json("sessions", "show", "last")
    assert document["header"]["seed"] == 7
    assert document["samples"]["produced"] == 2200
    assert len(document["frames_sha256"]) == 64


def test_an_intact_session_verifies(run, run_json, sessions: Path) -> None:
    made.write_exercise(sessions)
    assert "is intact" in run("sessions", "verify", "last").stdout
    assert run_json("sessions", "verify", "last")["intact"] is True


def test_a_damaged_session_does_not(run, refused, sessions: Path) -> None:
    damage(made.write_exercise(sessions))
    assert "was changed" in refused("sessions", "verify", "last")
    result = run("sessions", "verify", "last", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["intact"] is False


def test_delete_asks_first(run, refused, sessions: Path) -> None:
    path = made.write_exercise(sessions)
    for answer in ("n\n", ""):
        assert "nothing was deleted" in refused("sessions", "delete", "last", answer=answer)
    assert path.exists()
    assert run("sessions", "delete", "last", answer="y\n").exit_code == 0
    assert not path.exists()


def test_delete_takes_several_and_needs_no_answer_when_told_yes(run_json, sessions: Path) -> None:
    paths = [made.write_exercise(sessions, number=number) for number in (1, 2, 3)]
    answer = run_json("sessions", "delete", paths[0].stem, str(paths[2]), "--yes")
    assert answer == {"deleted": [paths[0].stem, paths[2].stem]}
    assert [path.exists() for path in paths] == [False, True, False]


@pytest.mark.parametrize("command", [["show"], ["verify"], ["delete", "--yes"]])
def test_a_session_that_does_not_exist_is_named(refused, command: list[str]) -> None:
    assert "no session 'lost'" in refused("sessions", *command, "lost")
    assert "no session yet" in refused("sessions", *command, "last")
