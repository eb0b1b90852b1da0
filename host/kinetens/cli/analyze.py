"""Count and measure a recorded session again."""

from pathlib import Path

import rich_click as click

from kinetens.cli.common import (
    json_option,
    open_intact_session,
    print_json,
    print_table,
    printable,
    session_argument,
)


@click.command()
@session_argument
@json_option
def analyze(session: str, folder: Path | None, as_json: bool) -> None:
    """Count and measure a recorded session again, from its raw frames.

    SESSION is a session's name, the beginning of it, a path, or `last`.

    Example:  kinetens analyze last --json
    """
    from kinetens.session.analysis import analyze as analyze_session
    from kinetens.session.documents import analysis_document

    with open_intact_session(session, folder) as opened:
        document = analysis_document(opened, analyze_session(opened))
    if as_json:
        print_json(document)
        return
    counted = document["repetitions"]["counted"]
    what = f"{counted} repetition{'' if counted == 1 else 's'} of {document['exercise']}"
    click.echo(printable(f"{document['session']}: {what}"))
    if ranges := document["range_of_motion_deg"]:
        click.echo(
            f"range of motion: median {ranges['median']:.1f}°, {ranges['min']:.1f}° to {ranges['max']:.1f}°"
        )
        repetitions = [repetition for one in document["sets"] for repetition in one["repetitions"]]
        print_table(
            ("repetition", "start s", "end s", "range of motion", "peak speed"),
            [
                (
                    str(number),
                    f"{one['start_s']:.1f}",
                    f"{one['end_s']:.1f}",
                    f"{one['range_of_motion_deg']:.1f}° ± {one['range_of_motion_uncertainty_deg']:.1f}°",
                    f"{one['peak_speed_deg_s']:.0f}°/s",
                )
                for number, one in enumerate(repetitions, start=1)
            ],
        )
    samples = document["samples"]
    if samples["missing"]:
        click.echo(
            f"{samples['missing']} of {samples['produced']} samples never arrived; "
            f"{document['unknown_s']:.1f} s are unknown"
        )
