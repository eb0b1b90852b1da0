"""The main job, end to end: real firmware, two Bluetooth stacks, a session and a report, all in virtual time."""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kinetens.cli import main
from kinetens.errors import SessionDamaged
from kinetens.session import Frame, Session


def demo(out: Path, *options: str) -> dict[str, Any]:
    result = CliRunner().invoke(main, ["demo", "--out", str(out), "--json", *options])
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return demo(tmp_path_factory.mktemp("shipped"), "--seed", "3")


def test_all_twenty_repetitions_of_the_shipped_recording_are_counted(shipped):
    assert shipped["repetitions"] == {"counted": 20, "performed": 20}


def test_a_clean_link_loses_nothing(shipped):
    samples = shipped["samples"]
    assert samples["produced"] > 4000
    assert [samples[kind] for kind in ("dropped_on_device", "refused_by_radio", "missing", "recovered")] == [
        0
    ] * 4


def test_the_pulses_that_flowed_keep_the_envelope_and_balance(shipped):
    stimulation = shipped["stimulation"]
    assert stimulation["violations"] == 0, stimulation["violations_in_words"]
    assert stimulation["pulses"] > 1000
    assert 14 < stimulation["peak_current_ma"] <= 15
    assert stimulation["max_phase_charge_uc"] <= 1.5
    assert stimulation["net_charge_uc"] == 0


def test_report_and_session_are_written_where_asked_and_nowhere_else(shipped):
    out = Path(shipped["report"]).parent
    assert {path.name for path in out.iterdir()} == {"report.html", Path(shipped["session"]).name}
    assert "20 repetitions were counted" in Path(shipped["report"]).read_text(encoding="utf-8")
    with Session.open(Path(shipped["session"])) as session:
        assert session.verify().ended == "completed"
        assert session.frames_sha256() == shipped["frames_sha256"]


def test_one_seed_gives_one_history(shipped, tmp_path):
    again = demo(tmp_path / "again", "--seed", "3")
    other = demo(tmp_path / "other", "--seed", "4")
    assert again["frames_sha256"] == shipped["frames_sha256"]
    assert again["stimulation"] == shipped["stimulation"]
    assert other["frames_sha256"] != shipped["frames_sha256"]


@pytest.mark.parametrize(
    ("seed", "repetitions", "range_deg"), [(1, 12, 60), (2, 12, 60), (5, 5, 25), (6, 8, 120)]
)
def test_generated_repetitions_are_counted_exactly_and_measured_within_two_degrees(
    seed, repetitions, range_deg, tmp_path
):
    done = demo(
        tmp_path, "--seed", f"{seed}", "--repetitions", f"{repetitions}", "--range-deg", f"{range_deg}"
    )
    assert done["repetitions"] == {"counted": repetitions, "performed": repetitions}
    assert abs(done["range_of_motion_deg"]["median"] - range_deg) <= 2


def test_every_lost_sample_is_reported_missing(tmp_path):
    done = demo(tmp_path, "--repetitions", "12", "--range-deg", "60", "--loss", "0.05")
    with Session.open(Path(done["session"])) as session:
        samples = session.samples()
    assert done["samples"]["missing"] > 50
    assert done["samples"]["missing"] == done["samples"]["produced"] - len(samples)
    assert sum(gap.count for gap in samples.missing) == done["samples"]["missing"]


def child(home: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "kinetens", *arguments],
        env={**os.environ, "KINETENS_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def recording_so_far(home: Path, at_least_frames: int) -> tuple[Path, int]:
    """Wait until a recording in progress has so many frames on disk."""
    frames: list[Frame] = []
    for _ in range(600):
        for path in (home / "sessions").glob("*.kinetens"):
            # Damaged: seen in the instant between its file and its header.
            with suppress(SessionDamaged), Session.open(path) as session:
                frames = list(session.frames())
            if len(frames) >= at_least_frames:
                return path, frames[-1].received_us
        time.sleep(0.05)
    raise AssertionError("nothing was recorded in 30 s")


def test_a_killed_recording_opens_verifies_and_lost_at_most_a_second(tmp_path):
    recording = child(tmp_path, "record", "sim:?real-time&start-s=0")
    path, seen_us = recording_so_far(tmp_path, at_least_frames=40)
    recording.send_signal(signal.SIGKILL)
    recording.communicate()
    with Session.open(path) as session:
        frames = list(session.frames())
        assert session.verify().ended is None
        assert frames[-1].received_us >= seen_us
        gaps_us = [later.received_us - earlier.received_us for earlier, later in itertools.pairwise(frames)]
        assert max(gaps_us) < 1_000_000
    result = CliRunner().invoke(
        main, ["record", "sim:", "--seconds", "2", "--out", str(tmp_path / "next"), "--json"]
    )
    assert result.exit_code == 0, result.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_session_cleanly(number, tmp_path):
    recording = child(tmp_path, "record", "sim:?real-time&start-s=0", "--json")
    path, _ = recording_so_far(tmp_path, at_least_frames=10)
    recording.send_signal(number)
    answer, complaint = recording.communicate(timeout=20)
    assert recording.returncode == 0, complaint
    assert json.loads(answer)["path"] == str(path)
    with Session.open(path) as session:
        assert session.verify().ended == "completed"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["info", "sim:nobody"], "no device 'nobody'"),
        (["info", "sim:?protocol=2"], "update this program"),
        (["info", "sim:?protocol=0"], "update the device"),
        (["info", "sim:?colour=red"], "no option 'colour'"),
        (["info", "sim:?loss=2"], "loss=2 makes no sense"),
        (["info", "ftp:x"], "is no device"),
        (["record", "sim:", "--seconds", "1", "--out", "/proc/none"], "cannot record to /proc/none"),
        (["demo", "--out", "/proc/none"], "cannot record to /proc/none"),
        (["demo", "--repetitions", "0"], "--repetitions"),
        (["report", "nothing"], "no session 'nothing'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_done_gets_one_clear_sentence(arguments, words, tmp_path, monkeypatch):
    monkeypatch.setenv("KINETENS_HOME", str(tmp_path))
    result = CliRunner().invoke(main, arguments)
    complaint = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert result.exit_code in (1, 2)
    assert result.stdout == ""
    assert len(complaint) == 1
    assert words in complaint[0]
    assert "Traceback" not in result.stderr
