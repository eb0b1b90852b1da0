"""Write a session's samples and repetitions for other programs."""

from pathlib import Path

import rich_click as click

from kinetens.cli.common import force_option, json_option, open_intact_session, print_json, session_argument


@click.command()
@session_argument
@click.option("--format", "file_format", type=click.Choice(("csv", "parquet")), required=True, help="How.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The file for the samples; the repetitions go beside it, with `-repetitions` in the name.",
)
@force_option
@json_option
def export(
    session: str, folder: Path | None, file_format: str, out: Path, force: bool, as_json: bool
) -> None:
    """Write a session's samples and repetitions for other programs.

    SESSION is a session's name, the beginning of it, a path, or `last`. Times are in seconds since the
    session was created; samples that never arrived have rows of their own, marked missing.

    Example:  kinetens export last --format csv --out monday.csv
    """
    from kinetens.session.export import export as export_session

    with open_intact_session(session, folder) as opened:
        samples, repetitions = export_session(opened, file_format, out, force)
        name = opened.name
    if as_json:
        print_json({"session": name, "samples": samples, "repetitions": repetitions})
    else:
        click.echo(f"wrote {samples} and {repetitions}")
