"""Recording: durable within a second, private, and honest about a disk that fails."""

import hashlib
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kinetens.errors import OutputNotWritable
from kinetens.session import Session, SessionWriter
from tests.session import made

RECORD_UNTIL_KILLED = """
import itertools, sys
from pathlib import Path
from kinetens.session import SessionWriter
from tests.session import made

with SessionWriter.create(Path(sys.argv[1]), made.header(), monotonic_s=lambda: 0.0) as writer:
    for received_us, frame in made.motion_frames(1000.0):
        writer.frame("motion", received_us, frame)
        print(received_us, flush=True)
"""


def kill_while_recording(folder: Path, checkout: Path, after_frames: int) -> int:
    """Record in another process and kill it; returns the arrival of the last frame it handed over."""
    with subprocess.Popen(
        [sys.executable, "-c", RECORD_UNTIL_KILLED, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=checkout,
    ) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(after_frames)]
        child.send_signal(signal.SIGKILL)
        lines += [line for line in child.stdout if line.endswith("\n")]
    assert child.returncode == -signal.SIGKILL
    return int(lines[-1])


@pytest.mark.parametrize("after_frames", [7, 200])
def test_a_killed_recording_loses_at_most_a_second_and_verifies(
    tmp_path: Path, checkout: Path, after_frames: int
) -> None:
    kept_us = kill_while_recording(tmp_path, checkout, after_frames)
    (path,) = tmp_path.glob("*.kinetens")
    with Session.open(path) as session:
        assert session.verify().ended is None
        last_us = [frame.received_us for frame in session.frames()][-1]
        assert kept_us - last_us <= 1_000_000
        assert session.samples().missing == ()


def test_after_a_kill_the_next_recording_works(tmp_path: Path, checkout: Path) -> None:
    kill_while_recording(tmp_path, checkout, 30)
    path = made.write_exercise(tmp_path, number=2)
    with Session.open(path) as session:
        assert session.verify().ended == "the member ended it"


def test_a_frame_is_visible_to_a_reader_half_a_second_of_session_time_later(tmp_path: Path) -> None:
    with SessionWriter.create(tmp_path, made.header(), monotonic_s=lambda: 0.0) as writer:
        for tenth in range(6):
            writer.frame("motion", tenth * 100_000, b"x")
        with Session.open(writer.path) as session:
            assert len(list(session.frames())) == 6


def test_a_frame_is_visible_half_a_second_of_wall_time_later_though_session_time_stands_still(
    tmp_path: Path,
) -> None:
    wall_s = iter([0.0, 0.0, 0.1, 0.6, 0.6])
    with SessionWriter.create(tmp_path, made.header(), monotonic_s=lambda: next(wall_s)) as writer:
        for _ in range(2):
            writer.frame("motion", 0, b"x")
        with Session.open(writer.path) as session:
            assert len(list(session.frames())) == 2
        wall_s = iter([1.0])


def test_events_are_kept_at_once(tmp_path: Path) -> None:
    with SessionWriter.create(tmp_path, made.header(), monotonic_s=lambda: 0.0) as writer:
        writer.frame("motion", 0, b"x")
        writer.event(1, "lost", "the link was lost")
        with Session.open(writer.path) as session:
            assert [event.kind for event in session.events()] == ["lost"]
            assert len(list(session.frames())) == 1


def test_while_nothing_arrives_commit_when_due_keeps_what_did(tmp_path: Path) -> None:
    with SessionWriter.create(tmp_path, made.header(), monotonic_s=lambda: 0.0) as writer:
        writer.frame("motion", 0, b"x")
        writer.commit_when_due(500_000)
        with Session.open(writer.path) as session:
            assert len(list(session.frames())) == 1


def test_everything_comes_back_byte_for_byte_and_in_order(tmp_path: Path) -> None:
    arrivals = [
        ("control", 5, b"\x03\x01"),
        ("motion", 7, b""),
        ("stimulation", 7, b"\xff" * 300),
        ("raw", 6, b"r"),
    ]
    with SessionWriter.create(tmp_path, made.header()) as writer:
        for channel, received_us, data in arrivals:
            writer.frame(channel, received_us, data)
        writer.exchange(1, 2, 3, 4)
        writer.finish("done")
    with Session.open(writer.path) as session:
        assert [(f.channel, f.received_us, f.data) for f in session.frames()] == arrivals
        assert [frame.channel for frame in session.frames("raw", "motion")] == ["motion", "raw"]
        (exchange,) = session.exchanges()
        assert (exchange.host_sent_us, exchange.host_received_us) == (1, 4)
        assert session.frames_sha256() == hashlib.sha256(b"" + b"r").hexdigest()
        assert session.header == made.header()
        assert session.ended == "done"


def test_a_session_belongs_to_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "sessions"
    with SessionWriter.create(folder, made.header()) as writer:
        writer.frame("motion", 0, b"x")
        modes = [stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()]
        assert modes == [0o600] * len(modes)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_finished_session_is_one_file_named_by_time_and_identity(tmp_path: Path) -> None:
    path = made.write_exercise(tmp_path, number=0xAB12CD34)
    assert [path.name] == os.listdir(tmp_path)
    assert path.name == "20261123-101512-ab12cd34.kinetens"


def test_a_session_is_not_recorded_over_another(tmp_path: Path) -> None:
    made.write_exercise(tmp_path)
    with pytest.raises(OutputNotWritable, match="already a session"):
        SessionWriter.create(tmp_path, made.header())


def test_a_folder_that_cannot_be_made_or_written_is_named(tmp_path: Path, read_only_folder) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputNotWritable, match=r"file.*choose"):
        SessionWriter.create(tmp_path / "file", made.header())
    with (
        read_only_folder() as folder,
        pytest.raises(OutputNotWritable, match="permission denied; choose a folder"),
    ):
        SessionWriter.create(folder, made.header())


def test_a_full_disk_is_said_and_what_was_kept_stays(tmp_path: Path) -> None:
    writer = SessionWriter.create(tmp_path, made.header(), monotonic_s=lambda: 0.0)
    writer.frame("motion", 0, b"first")
    writer.commit()
    database: sqlite3.Connection = writer._database
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(OutputNotWritable, match=r"full.*free some space"):
        writer.frame("motion", 1, bytes(20_000))
    with pytest.raises(OutputNotWritable):
        writer.frame("motion", 2, b"more")
    writer.close()
    with Session.open(writer.path) as session:
        assert session.verify().frames == 1


def test_five_minutes_are_a_few_hundred_commits(tmp_path: Path) -> None:
    with SessionWriter.create(tmp_path, made.header(), monotonic_s=lambda: 0.0) as writer:
        for tenth in range(3000):
            writer.frame("motion", tenth * 100_000, bytes(104))
        writer.finish("done")
    with Session.open(writer.path) as session:
        assert 590 <= session.verify().seals <= 610
