"""A flash that fails: the plug is pulled, or it refuses, at a chosen use of it.

A use is one boundary of what the firmware does with files: before a file is opened for writing, after half of a
write, after all of it, before and after a rename or a removal.
"""

import builtins
import os
from collections.abc import Callable
from typing import Any

import pytest


class PowerCut(BaseException):
    """The plug was pulled."""


class FailingFlash:
    """Counts uses until `step`, then raises: once for a power cut, from then on for a flash that is broken."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, step: int, error: Callable[[], BaseException] = PowerCut
    ):
        self.uses = 0
        self._step = step
        self._error = error
        self._open = builtins.open
        monkeypatch.setattr(builtins, "open", self._open_file)
        for name in ("rename", "remove", "mkdir"):
            monkeypatch.setattr(os, name, self._around(getattr(os, name)))

    def use(self) -> None:
        self.uses += 1
        if self.uses > self._step:
            raise self._error()

    def _around(self, change: Callable[..., None]) -> Callable[..., None]:
        def changed(*arguments: Any) -> None:
            self.use()
            change(*arguments)
            self.use()

        return changed

    def _open_file(self, path: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if "w" not in mode and "a" not in mode:
            return self._open(path, mode, *rest, **more)
        self.use()
        return _Written(self._open(path, mode, *rest, **more), self.use)


class _Written:
    """A file of which half a write reaches the flash first."""

    def __init__(self, file: Any, use: Callable[[], None]) -> None:
        self._file = file
        self._use = use

    def __enter__(self) -> "_Written":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        self._file.write(data[: len(data) // 2])
        self._file.flush()
        self._use()
        self._file.write(data[len(data) // 2 :])
        self._file.flush()
        self._use()
