"""Measuring a recorded session again."""

from pathlib import Path

import numpy as np
import pytest

from kinetens.device.decode import decode_frames
from kinetens.motion.measurement import MovementMeter
from kinetens.session import Session
from kinetens.session.analysis import Analysis, analyze
from kinetens.session.documents import analysis_document
from tests.session import made


def analysis_of(path: Path) -> Analysis:
    with Session.open(path) as session:
        return analyze(session)


def test_repetitions_and_range_are_those_of_the_movement(tmp_path: Path) -> None:
    analysis = analysis_of(made.write_exercise(tmp_path, repetitions=8, range_deg=70.0))
    assert len(analysis.repetitions) == 8
    assert analysis.range_of_motion is not None
    assert np.degrees(analysis.range_of_motion.median_rad) == pytest.approx(70.0, abs=1.0)
    assert np.degrees(np.nanmax(analysis.angle_rad)) == pytest.approx(70.0, abs=2.0)


def test_the_result_is_that_of_measuring_frame_by_frame_as_they_came(tmp_path: Path) -> None:
    frames = made.motion_frames(30.0, made.raises(12, 65.0))
    frames = [frame for number, frame in enumerate(frames) if number % 23 != 5]
    meter = MovementMeter()
    for _, data in frames:
        decoded = decode_frames([data])
        meter.update(decoded.device_time_us / 1e6, decoded.quaternion, decoded.rest)
    meter.finish()
    analysis = analysis_of(made.write_session(tmp_path, frames))
    assert len(analysis.repetitions) == len(meter.repetitions) > 0
    for again, live in zip(analysis.repetitions, meter.repetitions, strict=True):
        assert again.range_of_motion_rad == live.range_of_motion_rad
        assert again.uncertainty_rad == live.uncertainty_rad


def test_times_are_on_the_sessions_clock(tmp_path: Path) -> None:
    first = analysis_of(made.write_exercise(tmp_path)).repetitions[0]
    assert first.start_s == pytest.approx(2.0, abs=0.3)
    assert first.turn_s == pytest.approx(3.0, abs=0.2)


def test_missing_samples_break_the_angle_and_are_not_bridged(tmp_path: Path) -> None:
    frames = made.motion_frames(20.0, made.raises(8, 70.0))
    analysis = analysis_of(made.write_session(tmp_path, frames[:60] + frames[80:]))
    assert np.count_nonzero(np.isnan(analysis.angle_rad)) == 1
    inside = (analysis.trace_s > 6.2) & (analysis.trace_s < 7.8)
    assert np.isnan(analysis.angle_rad[inside]).all()
    assert analysis.unknown_s == pytest.approx(2.0, abs=0.1)


def test_a_restarted_device_goes_on_counting(tmp_path: Path) -> None:
    first = made.motion_frames(12.0, made.raises(4, 60.0), stream=1)
    second = [
        (at + 15_000_000, frame) for at, frame in made.motion_frames(12.0, made.raises(4, 60.0), stream=2)
    ]
    analysis = analysis_of(made.write_session(tmp_path, first + second))
    assert len(analysis.repetitions) == 8
    assert np.all(np.diff([repetition.start_s for repetition in analysis.repetitions]) > 0)


def test_nothing_gives_nothing(tmp_path: Path) -> None:
    path = made.write_session(tmp_path, [])
    analysis = analysis_of(path)
    assert analysis.repetitions == ()
    assert analysis.range_of_motion is None
    with Session.open(path) as session:
        document = analysis_document(session, analysis)
    assert document["sets"] == []
    assert document["range_of_motion_deg"] is None


def test_a_document_holds_counts_ranges_and_times(tmp_path: Path) -> None:
    with Session.open(made.write_exercise(tmp_path)) as session:
        document = analysis_document(session, analyze(session))
    assert document["repetitions"] == {"counted": 8, "abandoned": 0}
    (only,) = document["sets"]
    assert only["exercise"] == "shoulder-abduction"
    assert len(only["repetitions"]) == 8
    assert only["start_s"] < only["end_s"]
    assert document["range_of_motion_deg"]["median"] == pytest.approx(70.0, abs=1.0)
