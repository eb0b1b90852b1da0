"""kinetens record: its answer, its errors, and what is left when it is interrupted or killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kinetens.session import Session

LONG_S = 20.0


def test_it_records_and_answers(run_json, tmp_path: Path):
    done = run_json("record", "sim:?repetitions=3&range-deg=60", "--out", str(tmp_path / "out"))
    assert done["repetitions"] == 3
    assert done["range_of_motion_deg"]["median"] == pytest.approx(60, abs=3)
    assert done["samples"]["missing"] == 0
    with Session.open(Path(done["path"])) as session:
        assert session.ended == "completed"
        session.verify()


def test_without_a_folder_it_goes_to_the_usual_place(run, sessions: Path):
    shown = run("record", "sim:", "--seconds", "3", "--exercise", "seated knee extension", "--side", "left")
    assert shown.exit_code == 0
    (path,) = sessions.glob("*.kinetens")
    assert path.stem in shown.stdout
    with Session.open(path) as session:
        assert (session.header.exercise, session.header.side) == ("seated knee extension", "left")


def test_it_ends_after_so_many_repetitions(run_json, tmp_path: Path):
    done = run_json("record", "sim:?repetitions=5", "--repetitions", "2", "--out", str(tmp_path))
    assert done["repetitions"] == 2


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["sim:", "--rate", "99"], 2, "'99' is not one of"),
        (["sim:", "--seconds", "nan"], 2, "nan is not a finite number"),
        (["sim:", "--seconds", "inf"], 2, "inf is not a finite number"),
        (["sim:", "--repetitions", "0"], 2, "not in the range"),
        (["sim:", "--side", "up"], 2, "'up' is not one of"),
        (["sim:nobody"], 1, "no device 'nobody'"),
        (
            ["sim:?fault=board-file"],
            1,
            "gives no motion: board-file (the device's board file is missing or wrong)",
        ),
        (
            ["sim:?fault=rain"],
            1,
            "fault=rain makes no sense: input should be 'sensor-missing', 'sensor-wrong-identity'",
        ),
    ],
)
def test_nonsense_is_refused_in_one_sentence(refused, arguments: list[str], code: int, sentence: str):
    assert sentence in refused("record", *arguments, code=code)


def test_a_file_in_the_place_of_the_folder_is_one_sentence(refused, tmp_path: Path):
    (tmp_path / "file").write_text("")
    assert "cannot record to" in refused("record", "sim:", "--out", str(tmp_path / "file"))


@pytest.fixture
def name(run_json) -> str:
    """The virtual device's; asked for by name it is connected to sooner."""
    return run_json("scan", "sim:", "--seconds", "1")[0]["name"]


@contextmanager
def recording(name: str, out: Path) -> Generator[subprocess.Popen[str]]:
    """A `kinetens record` in real time, once its session has several frames on disk."""
    child = subprocess.Popen(
        [
            *(sys.executable, "-c", "from kinetens.cli import main; main()"),
            *("record", f"sim:{name}?real-time&start-s=0", "--seconds", "60", "--json", "--out", str(out)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": os.fspath(out)},  # a world that is killed leaves its flash behind
    )
    overdue = threading.Timer(LONG_S, child.kill)
    overdue.start()
    try:
        while frames_in(out) < 5 and child.poll() is None:
            time.sleep(0.05)
        yield child
    finally:
        overdue.cancel()
        child.kill()
        child.communicate()


def frames_in(out: Path) -> int:
    """Motion frames on disk in the newest session."""
    for path in out.glob("*.kinetens"):
        try:
            with Session.open(path) as session:
                return sum(1 for _ in session.frames("motion"))
        except Exception:
            return 0
    return 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_to_end_ends_the_session_cleanly(name: str, tmp_path: Path, number: signal.Signals):
    with recording(name, tmp_path) as child:
        child.send_signal(number)
        output, errors = child.communicate(timeout=LONG_S)
    assert (child.returncode, errors) == (0, "")
    done = json.loads(output)
    with Session.open(Path(done["path"])) as session:
        assert session.ended == "completed"
        assert len(session.samples()) == done["samples"]["received"]
        session.verify()


def test_a_recording_that_is_killed_loses_at_most_a_second_and_leaves_no_process(
    name: str, tmp_path: Path, run_json
):
    with recording(name, tmp_path) as child:
        seen = frames_in(tmp_path)
        devices = children_of(child.pid)
        child.kill()
        child.wait()
    with Session.open(next(tmp_path.glob("*.kinetens"))) as session:
        assert session.ended is None
        assert session.verify().frames >= seen
        assert session.samples().counts.missing <= 100
    assert len(devices) == 1
    assert not [pid for pid in devices if is_alive(pid)]
    assert run_json("sessions", "verify", str(next(tmp_path.glob("*.kinetens"))))
    assert run_json("record", "sim:", "--seconds", "2", "--out", str(tmp_path))["samples"]["missing"] == 0


def children_of(pid: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    """Whether it still runs a second from now."""
    for _ in range(20):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if state == "Z":
            return False
        time.sleep(0.05)
    return True
