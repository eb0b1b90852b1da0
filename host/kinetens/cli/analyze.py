"""Count and measure a recorded session again, or a recording of any other device."""

from pathlib import Path
from typing import Any

import rich_click as click

from kinetens.cli.common import (
    folder_option,
    json_option,
    open_intact_session,
    print_json,
    print_table,
    printable,
)
from kinetens.errors import InvalidInput

_BARS = "▁▂▃▄▅▆▇█"


@click.command()
@click.argument("recording", metavar="SESSION|FILE")
@folder_option
@click.option("--exercise", help="What was done in a file: its name, or `auto` to have it named.")
@click.option(
    "--candidates",
    help="With `auto`: exercises that it can have been, with commas.  [default: all there are]",
)
@click.option("--sensor", help="Of a file with several sensors: the one to look at.")
@json_option
def analyze(
    recording: str,
    folder: Path | None,
    exercise: str | None,
    candidates: str | None,
    sensor: str | None,
    as_json: bool,
) -> None:
    """Count and measure again: a recorded session from its raw frames, or a recording of any other device.

    SESSION is a session's name, the beginning of it, a path, or `last`.

    FILE is a .csv or .parquet with a column time_s (s) and quat_w, quat_x, quat_y, quat_z (unit quaternion, sensor to
    world, z up) or acc_x, acc_y, acc_z (m/s²) and gyr_x, gyr_y, gyr_z (rad/s), and a column sensor if there are several;
    or an .npz with quat (N, 4), or acc and gyr (N, 3), and fs (Hz) or time_s (N). 20 to 2000 samples a second.
    Missing samples stay missing: no repetition is made up across them. With acc, walking is told from exercise.

    Example:  kinetens analyze last --json
    """
    from kinetens.motion.tracks import SUFFIXES

    if Path(recording).suffix.lower() in SUFFIXES:
        document = _of_file(Path(recording), exercise, candidates, sensor)
    elif exercise or candidates or sensor:
        raise InvalidInput(
            "a session knows its exercise and sensor; --exercise, --candidates and --sensor are for files"
        )
    else:
        document = _of_session(recording, folder)
    if as_json:
        print_json(document)
    else:
        _print(document)


def _of_session(name: str, folder: Path | None) -> dict[str, Any]:
    from kinetens.session.analysis import analyze as analyze_session
    from kinetens.session.documents import analysis_document

    with open_intact_session(name, folder) as opened:
        return analysis_document(opened, analyze_session(opened))


def _of_file(path: Path, exercise: str | None, candidates: str | None, sensor: str | None) -> dict[str, Any]:
    from rich.console import Console
    from rich.progress import Progress

    from kinetens.motion.analysis import analyze_track
    from kinetens.motion.tracks import read_track
    from kinetens.program import find_exercise, library
    from kinetens.session.documents import track_document

    named = find_exercise(exercise) if exercise and exercise != "auto" else None
    if candidates:
        chosen = [find_exercise(one) for one in candidates.split(",")]
    else:
        chosen = list(library().values()) if exercise == "auto" else []
    track = read_track(path, sensor)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Measuring", total=1.0)
        analysis = analyze_track(track, lambda share: progress.update(task, completed=share))
    return track_document(path, analysis, named, chosen)


def _print(document: dict[str, Any]) -> None:
    counted = document["repetitions"]["counted"]
    what = f"{counted} repetition{'' if counted == 1 else 's'}"
    if document["exercise"]:
        what += f" of {document['exercise']}"
    click.echo(printable(f"{document.get('session') or document['file']}: {what}"))
    if ranges := document["range_of_motion_deg"]:
        click.echo(
            f"range of motion: median {ranges['median']:.1f}°, {ranges['min']:.1f}° to {ranges['max']:.1f}°"
        )
    for number, one in enumerate(document["sets"], start=1):
        _print_set(number, one)
    samples = document.get("samples")
    if samples and samples["missing"]:
        click.echo(
            f"{samples['missing']} of {samples['produced']} samples never arrived; "
            f"{document['unknown_s']:.1f} s are unknown"
        )
    elif document["unknown_s"] > 0.0:
        click.echo(f"{document['unknown_s']:.1f} s are unknown: samples are missing there")
    if document.get("walked_s"):
        click.echo(f"{document['walked_s']:.0f} s were walking and are not counted")


def _print_set(number: int, one: dict[str, Any]) -> None:
    repetitions = one["repetitions"]
    ranges = [repetition["range_of_motion_deg"] for repetition in repetitions]
    bars = "".join(_BARS[round(7 * value / max(ranges))] for value in ranges)
    confidence = one["exercise_confidence"]
    name = one["exercise"] or "unknown exercise" + (f" (likeliest {confidence:.0%})" if confidence else "")
    click.echo()
    click.echo(printable(f"set {number}, {name}, {one['start_s']:.0f} to {one['end_s']:.0f} s: {bars}"))
    print_table(
        ("repetition", "start s", "end s", "range of motion", "peak speed", "hold", "grade"),
        [
            (
                str(place),
                f"{repetition['start_s']:.1f}",
                f"{repetition['end_s']:.1f}",
                f"{repetition['range_of_motion_deg']:.1f}° ± "
                f"{repetition['range_of_motion_uncertainty_deg']:.1f}°",
                f"{repetition['peak_speed_deg_s']:.0f}°/s",
                f"{repetition['hold_s']:.1f} s",
                f"{repetition['grade']}: {repetition['reason']}",
            )
            for place, repetition in enumerate(repetitions, start=1)
        ],
    )
