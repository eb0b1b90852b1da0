"""Sessions and analyses as plain data, as the command line gives them to other programs."""

from dataclasses import asdict
from math import degrees
from typing import Any

from kinetens.motion.repetitions import RangeOfMotionSummary, Repetition
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
    repetitions = [repetition_document(repetition) for repetition in analysis.repetitions]
    one_set = {
        "exercise": session.header.exercise,
        "start_s": min((repetition["start_s"] for repetition in repetitions), default=0.0),
        "end_s": max((repetition["end_s"] for repetition in repetitions), default=0.0),
        "repetitions": repetitions,
    }
    return {
        "session": session.name,
        "exercise": session.header.exercise,
        "repetitions": {"counted": len(repetitions), "abandoned": analysis.abandoned},
        "range_of_motion_deg": range_document(analysis.range_of_motion),
        "sets": [one_set] if repetitions else [],
        "unknown_s": _rounded(analysis.unknown_s),
        "samples": asdict(analysis.samples.counts),
        "frames_sha256": session.frames_sha256(),
    }


def repetition_document(repetition: Repetition) -> dict[str, float]:
    """One repetition in s and degrees."""
    return {
        "start_s": _rounded(repetition.start_s),
        "turn_s": _rounded(repetition.turn_s),
        "end_s": _rounded(repetition.end_s),
        "range_of_motion_deg": _rounded(degrees(repetition.range_of_motion_rad)),
        "range_of_motion_uncertainty_deg": _rounded(degrees(repetition.uncertainty_rad)),
        "peak_speed_deg_s": _rounded(degrees(repetition.peak_speed_rad_s)),
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
