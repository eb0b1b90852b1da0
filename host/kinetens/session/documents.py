"""Sessions and analyses as plain data, as the command line gives them to other programs."""

from collections.abc import Sequence
from dataclasses import asdict
from math import degrees
from pathlib import Path
from typing import Any

from kinetens.motion.analysis import TrackAnalysis
from kinetens.motion.repetitions import RangeOfMotionSummary, Repetition, summarise
from kinetens.motion.sets import RepetitionSet, in_sets
from kinetens.program.exercise import HOLD_FROM_S, Exercise
from kinetens.program.grading import grade_set
from kinetens.program.library import library
from kinetens.program.naming import Naming, name_exercise
from kinetens.session.analysis import Analysis
from kinetens.session.reader import Session

_DIGITS = 4


def session_document(session: Session) -> dict[str, Any]:
    """What a session is, without looking at its samples."""
    header = session.header
    return {
        "session": session.name,
        "path": str(session.path),
        "created_utc": header.created_utc,
        "exercise": header.exercise,
        "side": header.side,
        "placement": header.placement,
        "duration_s": _rounded(session.duration_s()),
        "ended": session.ended,
    }


def details_document(session: Session) -> dict[str, Any]:
    """All that is known of a session but its movement."""
    header = session.header
    samples = session.samples()
    return {
        **session_document(session),
        "samples": asdict(samples.counts),
        "duplicates": samples.duplicates,
        "malformed": samples.malformed,
        "missing": [asdict(gap) for gap in samples.missing],
        "frames_sha256": session.frames_sha256(),
        "events": [
            {"time_s": _rounded(session.host_s(event.time_us)), "kind": event.kind, "text": event.text}
            for event in session.events()
        ],
        "header": asdict(header),
    }


def analysis_document(session: Session, analysis: Analysis) -> dict[str, Any]:
    """Repetitions and range of motion; times in s since the session was created."""
    exercise = library().get(session.header.exercise)
    return {
        "session": session.name,
        "exercise": session.header.exercise,
        "repetitions": {"counted": len(analysis.repetitions), "abandoned": analysis.abandoned},
        "range_of_motion_deg": range_document(analysis.range_of_motion),
        "sets": [
            set_document(one, exercise, session.header.exercise, 1.0) for one in in_sets(analysis.repetitions)
        ],
        "holds": holds_document(analysis.repetitions),
        "unknown_s": _rounded(analysis.unknown_s),
        "samples": asdict(analysis.samples.counts),
        "frames_sha256": session.frames_sha256(),
    }


def track_document(
    path: Path, analysis: TrackAnalysis, exercise: Exercise | None, candidates: Sequence[Exercise]
) -> dict[str, Any]:
    """What a recording of any device came to; each set is named from candidates where no exercise is given."""
    sets: list[dict[str, Any]] = []
    for one in in_sets(analysis.repetitions):
        naming = Naming(exercise, 1.0) if exercise else name_exercise(one.repetitions, candidates)
        slug = naming.exercise.slug if naming.exercise else None
        sets.append(set_document(one, naming.exercise, slug, naming.confidence))
    return {
        "file": str(path),
        "exercise": exercise.slug if exercise else None,
        "repetitions": {"counted": len(analysis.repetitions), "abandoned": analysis.abandoned},
        "range_of_motion_deg": range_document(summarise(analysis.repetitions)),
        "sets": sets,
        "holds": holds_document(analysis.repetitions),
        "unknown_s": _rounded(analysis.unknown_s),
        "walked_s": _rounded(analysis.walked_s),
    }


def set_document(
    one: RepetitionSet, exercise: Exercise | None, name: str | None, confidence: float
) -> dict[str, Any]:
    """One set with its graded repetitions; `exercise` is None where it is not known."""
    grades = grade_set(one.repetitions, exercise)
    return {
        "exercise": name,
        "exercise_confidence": _rounded(confidence),
        "start_s": _rounded(one.start_s),
        "end_s": _rounded(one.end_s),
        "repetitions": [
            repetition_document(repetition)
            | {"grade": grade.name, "reason": grade.reason, "confidence": _rounded(grade.confidence)}
            for repetition, grade in zip(one.repetitions, grades, strict=True)
        ],
    }


def holds_document(repetitions: Sequence[Repetition]) -> list[dict[str, float]]:
    """The holds at the turns of repetitions."""
    return [
        {
            "start_s": _rounded(one.hold_start_s),
            "end_s": _rounded(one.hold_end_s),
            "duration_s": _rounded(one.hold_s),
        }
        for one in repetitions
        if one.hold_s >= HOLD_FROM_S
    ]


def repetition_document(repetition: Repetition) -> dict[str, float]:
    """One repetition in s and degrees."""
    return {
        "start_s": _rounded(repetition.start_s),
        "turn_s": _rounded(repetition.turn_s),
        "end_s": _rounded(repetition.end_s),
        "range_of_motion_deg": _rounded(degrees(repetition.range_of_motion_rad)),
        "range_of_motion_uncertainty_deg": _rounded(degrees(repetition.uncertainty_rad)),
        "peak_speed_deg_s": _rounded(degrees(repetition.peak_speed_rad_s)),
        "out_s": _rounded(repetition.hold_start_s - repetition.start_s),
        "hold_s": _rounded(repetition.hold_s),
        "back_s": _rounded(repetition.end_s - repetition.hold_end_s),
        "smoothness": _rounded(repetition.smoothness),
        "out_of_plane_deg": _rounded(degrees(repetition.out_of_plane_rad)),
        "unknown_s": _rounded(repetition.unknown_s),
    }


def range_document(summary: RangeOfMotionSummary | None) -> dict[str, float] | None:
    """Median, least and greatest range of motion in degrees; None where there is no repetition."""
    if summary is None:
        return None
    return {
        "median": _rounded(degrees(summary.median_rad)),
        "min": _rounded(degrees(summary.min_rad)),
        "max": _rounded(degrees(summary.max_rad)),
    }


def _rounded(value: float) -> float:
    return round(value, _DIGITS)
