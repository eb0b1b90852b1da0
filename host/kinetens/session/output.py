"""Files that appear whole or not at all, and that only their owner can read: they tell of a person."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from kinetens.errors import OutputNotWritable


@contextmanager
def whole_file(path: Path, force: bool) -> Generator[Path]:
    """A path to write to, which becomes `path` when the block ends well and vanishes when it does not.

    Raises:
        OutputNotWritable: `path` exists and `force` is not set, or its folder cannot be written.
    """
    check_output(path, force)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise OutputNotWritable(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error
    finally:
        part.unlink(missing_ok=True)


def check_output(path: Path, force: bool) -> None:
    """Refuse an output path before the work for it is done.

    Raises:
        OutputNotWritable: it is a folder, its folder does not exist, or it exists and `force` is not set.
    """
    if path.is_dir():
        raise OutputNotWritable(f"cannot write {path}: it is a folder; name a file in it")
    if not path.parent.is_dir():
        raise OutputNotWritable(f"cannot write {path}: there is no folder {path.parent}; make it first")
    if path.exists() and not force:
        raise OutputNotWritable(f"{path} exists already; name another file, or add --force to replace it")
