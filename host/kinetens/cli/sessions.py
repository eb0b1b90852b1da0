"""List, show, verify and delete recorded sessions."""

from pathlib import Path
from typing import Any

import rich_click as click

from kinetens.cli.common import (
    folder_option,
    json_option,
    open_session,
    print_facts,
    print_json,
    print_table,
    printable,
    session_argument,
    session_path,
)
from kinetens.errors import InvalidInput, SessionDamaged


@click.group()
def sessions() -> None:
    """List, show, verify and delete recorded sessions.

    Example:  kinetens sessions list
    """


@sessions.command(name="list")
@folder_option
@json_option
def list_(folder: Path | None, as_json: bool) -> None:
    """List all sessions, oldest first.

    Example:  kinetens sessions list
    """
    from kinetens.session import list_sessions, sessions_dir
    from kinetens.session.documents import session_document
    from kinetens.session.store import Problem

    folder = folder or sessions_dir()
    documents: list[dict[str, Any]] = []
    for entry in list_sessions(folder):
        if isinstance(entry, Problem):
            documents.append({"session": entry.path.stem, "path": str(entry.path), "problem": entry.text})
            continue
        with entry:
            try:
                documents.append(session_document(entry))
            except SessionDamaged as error:
                documents.append({"session": entry.name, "path": str(entry.path), "problem": str(error)})
    if as_json:
        print_json(documents)
    elif documents:
        print_table(("session", "exercise", "sensor", "length", "ended"), [_row(one) for one in documents])
    else:
        click.echo(f"no sessions in {folder}")


@sessions.command()
@session_argument
@json_option
def show(session: str, folder: Path | None, as_json: bool) -> None:
    """Show what a session holds.

    Example:  kinetens sessions show last
    """
    from kinetens.session.documents import details_document

    with open_session(session, folder) as opened:
        document = details_document(opened)
    if as_json:
        print_json(document)
        return
    header, samples = document["header"], document["samples"]
    print_facts(
        [
            ("session", document["session"]),
            ("file", document["path"]),
            ("created", document["created_utc"]),
            ("exercise", document["exercise"]),
            ("sensor", _sensor(document)),
            ("length", f"{document['duration_s']:.1f} s"),
            ("ended", document["ended"] or "cut off, or still being recorded"),
            ("samples", ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in samples.items())),
            ("device", ", ".join(f"{key} {value}" for key, value in header["device"].items() if value != "")),
            ("stream", ", ".join(f"{key} {value}" for key, value in header["stream"].items())),
            ("software", f"kinetens {header['software_version']}, protocol {header['protocol_version']}"),
            ("seed", "" if header["seed"] is None else str(header["seed"])),
            ("notes", header["notes"]),
            ("frames", f"SHA-256 {document['frames_sha256']}"),
        ]
    )
    for event in document["events"]:
        click.echo(f"{event['time_s']:8.1f} s  {printable(event['kind'])}: {printable(event['text'])}")


@sessions.command()
@session_argument
@json_option
def verify(session: str, folder: Path | None, as_json: bool) -> None:
    """Check that a session is as it was recorded.

    Example:  kinetens sessions verify last
    """
    from kinetens.session import Session

    path = session_path(session, folder)
    try:
        with Session.open(path) as opened:
            found = opened.verify()
    except SessionDamaged as error:
        if as_json:
            print_json({"session": path.stem, "intact": False, "problem": str(error)})
        raise
    if as_json:
        print_json(
            {
                "session": path.stem,
                "intact": True,
                "records": found.records,
                "frames": found.frames,
                "seals": found.seals,
                "ended": found.ended,
            }
        )
    else:
        ended = f"ended: {printable(found.ended)}" if found.ended is not None else "it was cut off"
        click.echo(f"{path.stem} is intact: {found.records} records, {found.frames} of them frames; {ended}")


@sessions.command()
@click.argument("session", nargs=-1, required=True)
@folder_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def delete(session: tuple[str, ...], folder: Path | None, yes: bool, as_json: bool) -> None:
    """Delete sessions for good.

    Example:  kinetens sessions delete 20261123-101512-ab12cd34
    """
    from kinetens.session import delete_session

    paths = list(dict.fromkeys(session_path(wanted, folder) for wanted in session))
    if not yes:
        _ask(f"Delete {', '.join(printable(path.stem) for path in paths)} for good?")
    for path in paths:
        delete_session(path)
    if as_json:
        print_json({"deleted": [path.stem for path in paths]})
    else:
        click.echo(f"deleted {', '.join(printable(path.stem) for path in paths)}")


def _ask(question: str) -> None:
    """Raises InvalidInput unless somebody says yes."""
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)
        agreed = False
    if not agreed:
        raise InvalidInput("nothing was deleted; answer y, or add --yes")


def _row(document: dict[str, Any]) -> tuple[str, ...]:
    if "problem" in document:
        return document["session"], "", "", "", document["problem"]
    length, ended = f"{document['duration_s']:.0f} s", document["ended"] or "cut off"
    return document["session"], document["exercise"], _sensor(document), length, ended


def _sensor(document: dict[str, Any]) -> str:
    return f"{document['side']} {document['placement']}".strip()
