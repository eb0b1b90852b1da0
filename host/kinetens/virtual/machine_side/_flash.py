"""The virtual flash: what changes it takes time, may fail, and may be cut off in the middle, as the world has it."""

import builtins

import _world

_open = builtins.open


class _Written:
    """A file open for writing. Half of what is written is there before the world is asked about the rest."""

    def __init__(self, path, *arguments):
        _world.call(_world.FLASH, path.encode())
        self._path = path
        self._file = _open(path, *arguments)

    def write(self, data):
        half = len(data) // 2
        self._file.write(data[:half])
        self._file.flush()
        _world.call(_world.FLASH, self._path.encode())
        self._file.write(data[half:])
        return len(data)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()

    def __getattr__(self, name):
        return getattr(self._file, name)


def _open_file(path, mode="r", *more):
    if mode in ("r", "rb", "rt"):
        return _open(path, mode, *more)
    return _Written(path, mode, *more)


def install():
    """From now on files are the virtual flash's."""
    builtins.open = _open_file
