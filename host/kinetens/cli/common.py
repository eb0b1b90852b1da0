"""What commands share: options, how a session is named, and how answers are printed."""

import json
from collections.abc import Callable, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click
from rich.cells import cell_len

from kinetens.errors import KinetensError

if TYPE_CHECKING:
    from kinetens.session import Session

Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(command: Command) -> Command:
    """`--json`: the answer as JSON on stdout, for programs (`as_json`)."""
    return click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")(command)


def force_option(command: Command) -> Command:
    """`--force`: replace output that exists (`force`)."""
    return click.option("--force", is_flag=True, help="Replace files that exist.")(command)


def folder_option(command: Command) -> Command:
    """`--folder`: where sessions are (`folder`); None for the usual place."""
    return click.option(
        "--folder",
        type=click.Path(path_type=Path, file_okay=False),
        help="Where sessions are.  [default: $KINETENS_HOME/sessions, or the user's data folder]",
    )(command)


def session_argument(command: Command) -> Command:
    """`SESSION`: a name or its beginning, a path, or `last` (`session`), with `--folder`."""
    return click.argument("session")(folder_option(command))


def session_path(wanted: str, folder: Path | None) -> Path:
    """The file of the session that was asked for. Raises SessionNotFound."""
    from kinetens.session import find_session, sessions_dir

    return find_session(wanted, folder or sessions_dir())


def open_session(wanted: str, folder: Path | None) -> "Session":
    """Open the session that was asked for. Raises SessionNotFound, SessionDamaged."""
    from kinetens.session import Session

    return Session.open(session_path(wanted, folder))


def open_intact_session(wanted: str, folder: Path | None) -> "Session":
    """Open a session to draw conclusions from it: one that was altered is refused, never half believed.

    Raises SessionNotFound, SessionDamaged.
    """
    session = open_session(wanted, folder)
    try:
        session.verify()
    except KinetensError:
        session.close()
        raise
    return session


def print_json(answer: Any) -> None:
    """Print an answer; a number that JSON does not know (NaN, infinity) becomes null."""
    click.echo(json.dumps(_plain(answer), indent=2, ensure_ascii=False, allow_nan=False))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns that are as wide as their content."""
    table = [headings, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(cell_len(row[column]) for row in table) for column in range(len(headings))]
    for row in table:
        cells = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def print_facts(facts: Sequence[tuple[str, str]]) -> None:
    """Print names and values, one a line; those without a value are left out."""
    width = max(cell_len(name) for name, _ in facts)
    for name, value in facts:
        if value:
            click.echo(f"{name:<{width}}  {printable(value)}")


def printable(text: str) -> str:
    """Without control characters: a name from a device or a file must not steer the terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case list() | tuple():
            return [_plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
        case float():
            return value if isfinite(value) else None
        case Path():
            return str(value)
        case _:
            return value
