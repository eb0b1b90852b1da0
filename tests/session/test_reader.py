"""Opening and verifying: whatever happened to the file, it opens or says in one sentence why not."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from kinetens.errors import SessionDamaged, SessionNotFound
from kinetens.session import Session, SessionWriter
from kinetens.session.layout import SCHEMA_VERSION
from tests.session import made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return made.write_exercise(tmp_path)


def damage(path: Path, statement: str, *parameters: object) -> None:
    """Change a session behind its back."""
    database = sqlite3.connect(path)
    with database:
        database.execute(statement, parameters)
    database.close()


def test_a_session_opens_while_it_is_being_recorded(tmp_path: Path) -> None:
    with SessionWriter.create(tmp_path, made.header()) as writer:
        writer.frame("motion", 0, b"x")
        writer.commit()
        with Session.open(writer.path) as session:
            writer.frame("motion", 1, b"y")
            writer.commit()
            assert session.verify().frames == 1, "a session is what it was when it was opened"
            writer.finish("done")
            assert session.verify().frames == 1
    with Session.open(writer.path) as session:
        assert session.verify().frames == 2


def test_a_finished_session_opens_in_a_folder_that_cannot_be_written(path: Path, read_only_folder) -> None:
    with read_only_folder(path) as folder, Session.open(folder / path.name) as session:
        assert session.verify().ended == "the member ended it"


@pytest.mark.parametrize("side_files", [("-wal", "-shm"), ("-wal",)])
def test_a_session_that_was_cut_off_opens_in_a_folder_that_cannot_be_written(
    tmp_path: Path, read_only_folder, side_files: tuple[str, ...]
) -> None:
    with SessionWriter.create(tmp_path, made.header()) as writer:
        writer.frame("motion", 0, b"x")
        writer.commit()
        files = [writer.path.with_name(writer.path.name + side) for side in ("", *side_files)]
        with read_only_folder(*files) as folder, Session.open(folder / writer.path.name) as session:
            assert session.verify().frames == 1
            assert session.ended is None


def test_every_byte_is_covered(path: Path) -> None:
    changes = [
        "UPDATE frames SET data = zeroblob(length(data)) WHERE number = 9",
        "UPDATE frames SET received_us = received_us + 1 WHERE number = 9",
        "UPDATE frames SET channel = 2 WHERE number = 9",
        "UPDATE frames SET data = 'text' WHERE number = 9",
        "UPDATE events SET text = 'somebody' WHERE number = 1",
        "UPDATE header SET json = replace(json, 'left', 'rite')",
        "UPDATE seals SET digest = zeroblob(32) WHERE number = (SELECT max(number) FROM seals)",
        "INSERT INTO events SELECT max(number) + 1, 0, 'extra', '' FROM events",
    ]
    for change in changes:
        copy = path.with_name("copy.kinetens")
        shutil.copy(path, copy)
        damage(copy, change)
        with Session.open(copy) as session, pytest.raises(SessionDamaged, match="was changed"):
            session.verify()


def test_a_removed_record_is_named(path: Path) -> None:
    damage(path, "DELETE FROM frames WHERE number = 9")
    with Session.open(path) as session, pytest.raises(SessionDamaged, match="record 9 is not there"):
        session.verify()


def test_a_removed_end_is_noticed(path: Path) -> None:
    damage(path, "DELETE FROM events WHERE kind = 'finished'")
    with Session.open(path) as session, pytest.raises(SessionDamaged, match="is not there"):
        session.verify()


def test_a_truncated_file_is_damaged(path: Path) -> None:
    content = path.read_bytes()
    for share in (0.02, 0.3, 0.9):
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(SessionDamaged), Session.open(path) as session:
            session.verify()


def test_a_file_with_overwritten_pages_is_damaged(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for start in range(4096, len(content), 4096):
        content[start : start + 64] = b"\xa5" * 64
    path.write_bytes(content)
    with pytest.raises(SessionDamaged), Session.open(path) as session:
        session.verify()


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(SessionNotFound, match="no session file"):
        Session.open(tmp_path / "none.kinetens")


@pytest.mark.parametrize("content", [b"", b"hello", bytes(4096)])
def test_another_file_is_not_a_session(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other.kinetens").write_bytes(content)
    with pytest.raises(SessionDamaged, match="not a session file"):
        Session.open(tmp_path / "other.kinetens")


def test_another_database_is_not_a_session(tmp_path: Path) -> None:
    other = tmp_path / "other.kinetens"
    damage(other, "CREATE TABLE anything (at INTEGER)")
    with pytest.raises(SessionDamaged, match="not a session of kinetens"):
        Session.open(other)


def test_a_folder_is_not_a_session(tmp_path: Path) -> None:
    with pytest.raises(SessionDamaged, match="is a directory"):
        Session.open(tmp_path)


def test_a_newer_schema_asks_for_a_newer_program(path: Path) -> None:
    damage(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(SessionDamaged, match="newer kinetens"):
        Session.open(path)


def test_a_session_from_before_calibrations_were_kept_opens(path: Path) -> None:
    damage(path, "UPDATE header SET json = json_remove(json, '$.calibration')")
    with Session.open(path) as session:
        assert session.header.calibration == {}
        assert len(session.samples()) > 0


@pytest.mark.parametrize("header", ["{", "{}", "[]", '{"exercise": 1, "colour": "red"}'])
def test_a_header_that_makes_no_sense_is_damage(path: Path, header: str) -> None:
    damage(path, "UPDATE header SET json = ?", header)
    with pytest.raises(SessionDamaged, match="header that cannot be read"):
        Session.open(path)


def test_a_session_without_frames_is_a_session(tmp_path: Path) -> None:
    with SessionWriter.create(tmp_path, made.header()) as writer:
        writer.finish("nothing happened")
    with Session.open(writer.path) as session:
        assert session.verify().frames == 0
        assert len(session.samples()) == 0
