"""Write a session's report."""

from pathlib import Path

import rich_click as click

from kinetens.cli.common import force_option, json_option, open_intact_session, print_json, session_argument


@click.command()
@session_argument
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The file to write.  [default: the session's name with .html, here]",
)
@force_option
@json_option
def report(session: str, folder: Path | None, out: Path | None, force: bool, as_json: bool) -> None:
    """Write a session's report as one page to read, print or send.

    SESSION is a session's name, the beginning of it, a path, or `last`.

    Example:  kinetens report last --out monday.html
    """
    from kinetens.report import write_report

    with open_intact_session(session, folder) as opened:
        path = out or Path(f"{opened.name}.html")
        write_report(opened, path, force)
        name = opened.name
    if as_json:
        print_json({"session": name, "report": path})
    else:
        click.echo(f"wrote {path}")
