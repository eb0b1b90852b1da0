"""Where sessions are and how one is named."""

from pathlib import Path

import pytest

from kinetens.errors import SessionNotFound
from kinetens.session import Session, SessionWriter, delete_session, find_session, list_sessions, sessions_dir
from kinetens.session.store import Problem
from tests.session import made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, created in [
        (1, "2026-11-21T08:00:00Z"),
        (2, "2026-11-23T08:00:00Z"),
        (3, "2026-11-22T08:00:00Z"),
    ]:
        made.write_session(tmp_path, [], created_utc=created, number=number)
    return tmp_path


def test_the_environment_says_where_sessions_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KINETENS_HOME", str(tmp_path))
    assert sessions_dir() == tmp_path / "sessions"
    monkeypatch.delenv("KINETENS_HOME")
    assert "kinetens" in sessions_dir().parts


def test_last_is_the_newest(folder: Path) -> None:
    assert find_session("last", folder).name == "20261123-080000-00000002.kinetens"


def test_a_name_its_beginning_or_a_path_will_do(folder: Path) -> None:
    path = folder / "20261121-080000-00000001.kinetens"
    for wanted in ("20261121-080000-00000001", path.name, "20261121", str(path)):
        assert find_session(wanted, folder) == path


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [("2026", "any of 3 sessions"), ("1999", "no session '1999'"), ("", "no session ''")],
)
def test_a_name_of_none_or_of_several_is_refused(folder: Path, wanted: str, sentence: str) -> None:
    with pytest.raises(SessionNotFound, match=sentence):
        find_session(wanted, folder)


def test_an_empty_or_absent_folder_has_no_last_session(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(SessionNotFound, match="no session yet"):
            find_session("last", folder)
        assert list_sessions(folder) == []


def test_a_list_is_in_order_of_time_and_shows_what_cannot_be_opened(folder: Path) -> None:
    (folder / "20261122-120000-broken.kinetens").write_text("not a session")
    listed = list_sessions(folder)
    assert [type(entry) for entry in listed] == [Session, Session, Problem, Session]
    for entry in listed:
        if isinstance(entry, Session):
            entry.close()


def test_deleting_removes_what_a_killed_recording_left_beside_it(tmp_path: Path) -> None:
    with SessionWriter.create(tmp_path, made.header()) as writer:
        writer.frame("motion", 0, b"x")
        delete_session(writer.path)
        assert list(tmp_path.iterdir()) == []


def test_only_sessions_are_deleted(tmp_path: Path) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("dear")
    for path in (letter, tmp_path, tmp_path / "none.kinetens"):
        with pytest.raises(SessionNotFound, match="nothing was deleted"):
            delete_session(path)
    assert letter.exists()
