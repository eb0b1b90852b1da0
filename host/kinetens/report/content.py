"""What a report says, in words and numbers; how it looks is the template's business."""

from math import degrees, isnan
from statistics import median

import numpy as np

from kinetens.report.link import LinkQuality
from kinetens.report.plots import clock_text
from kinetens.report.table import Table, Tile
from kinetens.session.analysis import Analysis
from kinetens.session.reader import Session
from kinetens_protocol import faults

NOTICE = (
    "kinetens is research software, not a medical device. This report does not diagnose, "
    "and it does not replace the judgement of a clinician."
)


def exercise_title(exercise: str) -> str:
    """`shoulder-abduction` as `Shoulder abduction`."""
    words = exercise.replace("-", " ").replace("_", " ").strip()
    return words[:1].upper() + words[1:] if words else "Exercise"


def when_text(session: Session) -> str:
    created = session.header.created
    return f"{created:%A} {created.day} {created:%B %Y}, {created:%H:%M} UTC"


def where_text(session: Session) -> str:
    return " ".join(part for part in (session.header.side, session.header.placement) if part)


def duration_s(analysis: Analysis) -> float:
    """From the first sample to the last, in s."""
    times_s = analysis.samples.host_time_s
    return float(times_s[-1] - times_s[0]) if len(times_s) else 0.0


def tiles(analysis: Analysis) -> list[Tile]:
    """The headline: repetitions, range of motion, pace, and what is unknown."""
    found = [Tile("Repetitions", str(len(analysis.repetitions)), _set_detail(analysis))]
    summary = analysis.range_of_motion
    if summary is not None:
        uncertainty = degrees(median(r.uncertainty_rad for r in analysis.repetitions))
        found.append(
            Tile(
                "Range of motion",
                f"{degrees(summary.median_rad):.0f}°",
                f"median, ± {uncertainty:.1f}° (95 %); "
                f"from {degrees(summary.min_rad):.0f}° to {degrees(summary.max_rad):.0f}°",
            )
        )
        pace = [repetition.duration_s for repetition in analysis.repetitions]
        found.append(
            Tile(
                "Pace", f"{median(pace):.1f} s", f"a repetition; from {min(pace):.1f} s to {max(pace):.1f} s"
            )
        )
    unknown_s = sum(gap.end_s - gap.start_s for gap in analysis.samples.missing)
    if len(analysis.samples) == 0:
        found.append(Tile("Recorded", "0:00", "no movement data arrived"))
    elif unknown_s:
        found.append(Tile("Not received", f"{unknown_s:.1f} s", f"of {clock_text(duration_s(analysis))}"))
    else:
        found.append(Tile("Recorded", clock_text(round(duration_s(analysis))), "minutes; nothing is missing"))
    return found


def summary_text(session: Session, analysis: Analysis) -> str:
    """The session in a few plain sentences."""
    count = len(analysis.repetitions)
    summary = analysis.range_of_motion
    if len(analysis.samples) == 0:
        said = "No movement data arrived in this session, so nothing could be counted."
    elif summary is None:
        said = "No repetition was counted in this session."
    elif count == 1:
        said = f"One repetition was counted; it reached {degrees(summary.median_rad):.0f}°."
    else:
        said = (
            f"{count} repetitions were counted. "
            f"Half of them reached {degrees(summary.median_rad):.0f}° or more; "
            f"the smallest {degrees(summary.min_rad):.0f}°, the largest {degrees(summary.max_rad):.0f}°."
        )
    if analysis.abandoned:
        several = analysis.abandoned > 1
        said += (
            f" {analysis.abandoned} more {'were' if several else 'was'} not counted, because part of "
            f"{'them' if several else 'it'} was not received."
        )
    if session.ended is None:
        said += " The recording was cut off before it was ended; this is what had arrived by then."
    return said


def link_text(analysis: Analysis, link: LinkQuality) -> str:
    """How much was lost and how late it came, in a sentence or two."""
    counts = analysis.samples.counts
    if counts.produced == 0:
        return "The device sent no samples."
    if counts.missing == 0:
        said = f"All {counts.produced} samples arrived."
    else:
        share = 100.0 * counts.missing / counts.produced
        said = f"{counts.missing} of {counts.produced} samples ({_percent(share)}) never arrived."
    if not isnan(link.median_delay_ms):
        those = "The others" if counts.missing else "They"
        said += f" {those} were typically {link.median_delay_ms:.0f} ms old when they arrived."
    if len(link.battery_percent):
        first, last = link.battery_percent[0], link.battery_percent[-1]
        said += (
            f" The battery {'stayed at' if first == last else f'went from {first:.0f} % to'} {last:.0f} %."
        )
    return said


def angle_alt(analysis: Analysis) -> str:
    """The angle's picture in words."""
    lowest, highest = (degrees(float(f(analysis.angle_rad))) for f in (np.nanmin, np.nanmax))
    said = (
        f"a curve of {clock_text(round(duration_s(analysis)))} minutes "
        f"between {lowest:.0f}° and {highest:.0f}° "
        f"with {_count(len(analysis.repetitions), 'counted repetition')}"
    )
    gaps = len(analysis.samples.missing)
    return said + (f"; {_count(gaps, 'part')} not received" if gaps else "") + "."


def range_text(analysis: Analysis) -> str:
    """What the picture of the ranges shows."""
    said = "How far each repetition went. The whiskers are 95 % intervals"
    summary = analysis.range_of_motion
    return f"{said}, the line is the median, {degrees(summary.median_rad):.0f}°." if summary else f"{said}."


def range_alt(analysis: Analysis) -> str:
    """The picture of the ranges in words."""
    ranges = ", ".join(
        f"{degrees(repetition.range_of_motion_rad):.0f}" for repetition in analysis.repetitions
    )
    return f"one bar a repetition, in degrees: {ranges}."


def repetition_table(analysis: Analysis) -> Table:
    rows = [
        (
            str(number),
            clock_text(repetition.start_s),
            f"{repetition.duration_s:.1f}",
            f"{degrees(repetition.range_of_motion_rad):.1f}",
            f"± {degrees(repetition.uncertainty_rad):.1f}",
            f"{degrees(repetition.peak_speed_rad_s):.0f}",
        )
        for number, repetition in enumerate(analysis.repetitions, start=1)
    ]
    columns = (
        "Repetition",
        "Start (min:s)",
        "Duration (s)",
        "Range of motion (°)",
        "95 % interval (°)",
        "Peak speed (°/s)",
    )
    return Table("Repetitions", columns, rows, numeric=True)


def sample_table(analysis: Analysis) -> Table:
    counts = analysis.samples.counts
    rows = [
        ("Produced by the device", str(counts.produced)),
        ("Dropped on the device", str(counts.dropped_on_device)),
        ("Refused by the radio, sent again", str(counts.refused_by_radio)),
        ("Missing", str(counts.missing)),
        ("Recovered later", str(counts.recovered)),
        ("Received twice", str(analysis.samples.duplicates)),
        ("Not decodable", str(analysis.samples.malformed)),
    ]
    return Table("Samples", ("What became of them", "Number"), rows, numeric=True)


def event_table(session: Session) -> Table:
    rows = [(clock_text(session.host_s(e.time_us)), e.kind, e.text) for e in session.events()]
    return Table("What happened", ("Time (min:s)", "Event", "Note"), rows)


def origin_table(session: Session, fault_word: int) -> Table:
    """Where the data came from, so that the report can be traced back to it."""
    header = session.header
    device = header.device
    rows = [
        ("Session", session.name),
        ("Recorded with", f"kinetens {header.software_version}, protocol {header.protocol_version}"),
        ("Device", " · ".join(str(device[key]) for key in ("name", "board", "serial") if device.get(key))),
        ("Firmware", str(device.get("firmware", ""))),
        ("Stream", " · ".join(f"{key} {value}" for key, value in header.stream.items())),
        ("Seed", "" if header.seed is None else str(header.seed)),
        ("Device faults", ", ".join(faults.names(fault_word))),
        ("Ended", session.ended or "cut off"),
        ("Notes", header.notes),
        ("SHA-256 of all motion frames", session.frames_sha256()),
    ]
    return Table("Where this comes from", ("What", "Value"), [row for row in rows if row[1]])


def _set_detail(analysis: Analysis) -> str:
    if not analysis.repetitions:
        return "none counted"
    length_s = analysis.repetitions[-1].end_s - analysis.repetitions[0].start_s
    return f"in {clock_text(round(length_s))} minutes"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _percent(share: float) -> str:
    return f"{share:.1f} %" if share >= 0.1 else "less than 0.1 %"
