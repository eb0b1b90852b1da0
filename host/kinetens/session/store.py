"""Where sessions are, how one is named, and how it is removed."""

import os
from dataclasses import dataclass
from pathlib import Path

from kinetens.errors import KinetensError, OutputNotWritable, SessionNotFound
from kinetens.home import home_dir
from kinetens.session.layout import SIDE_FILES, SUFFIX
from kinetens.session.reader import Session

LAST = "last"


@dataclass(frozen=True, slots=True)
class Problem:
    """A session file that cannot be opened, and the sentence that says why."""

    path: Path
    text: str


def sessions_dir() -> Path:
    """Where sessions go unless told otherwise: `sessions` in KINETENS_HOME or the user's data folder."""
    return home_dir() / "sessions"


def session_paths(folder: Path) -> list[Path]:
    """All session files in a folder, oldest first; a folder that does not exist has none.

    Raises:
        SessionNotFound: the folder cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == SUFFIX)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SessionNotFound(
            f"cannot look for sessions in {folder}: {(error.strerror or str(error)).lower()}"
        ) from error


def find_session(wanted: str, folder: Path) -> Path:
    """The file that a person means: `last`, a path, a session's name, or the beginning of just one name.

    Raises:
        SessionNotFound: none or several match.
    """
    paths = session_paths(folder)
    if wanted == LAST:
        if not paths:
            raise SessionNotFound(
                f"there is no session yet in {folder}; record one first (kinetens record --help)"
            )
        return paths[-1]
    if Path(wanted).is_file() or os.sep in wanted or wanted.endswith(SUFFIX):
        given = Path(wanted)
        in_folder = folder / wanted
        return in_folder if not given.exists() and in_folder.exists() else given
    matching = [path for path in paths if path.name.startswith(wanted)] if wanted else []
    if len(matching) == 1:
        return matching[0]
    if not matching:
        raise SessionNotFound(
            f"there is no session '{wanted}' in {folder}; kinetens sessions list shows what there is"
        )
    raise SessionNotFound(
        f"'{wanted}' may be any of {len(matching)} sessions in {folder}; give more of the name"
    )


def list_sessions(folder: Path) -> list[Session | Problem]:
    """Every session in a folder, oldest first: opened (close it), or the Problem that it has."""
    found: list[Session | Problem] = []
    for path in session_paths(folder):
        try:
            found.append(Session.open(path))
        except KinetensError as error:
            found.append(Problem(path, str(error)))
    return found


def delete_session(path: Path) -> None:
    """Remove a session and what SQLite left beside it. It need not be readable.

    Raises:
        SessionNotFound: there is no such file.
        OutputNotWritable: it cannot be removed.
    """
    if path.suffix != SUFFIX or not path.is_file():
        raise SessionNotFound(f"{path} is not a session file (they end with {SUFFIX}); nothing was deleted")
    try:
        path.unlink()
        for side in SIDE_FILES:
            path.with_name(path.name + side).unlink(missing_ok=True)
    except OSError as error:
        raise OutputNotWritable(f"cannot delete {path}: {(error.strerror or str(error)).lower()}") from error
