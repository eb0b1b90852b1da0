"""What the tests of stored sessions share."""

import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

NOBODY = 65534

ReadOnlyFolder = Callable[..., AbstractContextManager[Path]]


@pytest.fixture
def read_only_folder() -> ReadOnlyFolder:
    """Call it with files: a context whose folder holds copies and cannot be written, not even by root."""

    @contextmanager
    def holding(*files: Path) -> Generator[Path]:
        folder = Path(tempfile.mkdtemp(prefix="kinetens-test-"))
        is_root = os.geteuid() == 0
        try:
            for file in files:
                shutil.copy(file, folder)
                (folder / file.name).chmod(0o444)
            folder.chmod(0o555)
            if is_root:
                os.seteuid(NOBODY)
            yield folder
        finally:
            if is_root:
                os.seteuid(0)
            folder.chmod(0o700)
            shutil.rmtree(folder)

    return holding
