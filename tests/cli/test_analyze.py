"""kinetens analyze."""

from pathlib import Path

import pytest

from tests.session import made


def test_repetitions_and_range_are_told(run, sessions: Path) -> None:
    made.write_exercise(sessions)
    shown = run("analyze", "last").stdout
    assert "8 repetitions of shoulder-abduction" in shown
    assert "range of motion: median" in shown


def test_the_answer_for_programs_has_sets_ranges_and_samples(run_json, sessions: Path) -> None:
    made.write_exercise(sessions)
    answer = run_json("analyze", "last")
    assert answer["repetitions"]["counted"] == 8
    assert answer["range_of_motion_deg"]["median"] == pytest.approx(70.0, abs=1.0)
    assert answer["samples"] == {
        "produced": 2200,
        "dropped_on_device": 0,
        "refused_by_radio": 0,
        "missing": 0,
        "recovered": 0,
    }
    assert len(answer["sets"][0]["repetitions"]) == 8


def test_losses_are_told(run, sessions: Path) -> None:
    frames = made.motion_frames(10.0, made.raises(3, 60.0))
    made.write_session(sessions, frames[:40] + frames[45:])
    assert "50 of 1000 samples never arrived" in run("analyze", "last").stdout


def test_a_session_without_movement_has_no_range(run, run_json, sessions: Path) -> None:
    made.write_session(sessions, [])
    assert run("analyze", "last").stdout == "20261123-101512-00000001: 0 repetitions of shoulder-abduction\n"
    assert run_json("analyze", "last")["range_of_motion_deg"] is None


def test_a_session_in_another_place_is_named_by_its_path(run, refused, tmp_path: Path) -> None:
    path = made.write_exercise(tmp_path / "elsewhere")
    assert run("analyze", str(path)).exit_code == 0
    path.write_bytes(path.read_bytes()[:1000])
    assert "damaged" in refused("analyze", str(path))
