"""Runs a script of the computer's as MicroPython on that computer would, with the computer's own files."""

import gc
import json
import os
import sys

import rig
import vfs

_FOLDER = 0x4000
_FILE = 0x8000


class _Files:
    """The computer's files. Semihosting lists no folders: `listings` has the names in those that may be asked for."""

    def __init__(self, listings):
        self._listings = listings
        self._folder = "/"

    def _path(self, path):
        if path in ("", "."):
            return self._folder
        return path if path.startswith("/") else self._folder.rstrip("/") + "/" + path

    def mount(self, readonly, mkfs):
        pass

    def umount(self):
        pass

    def open(self, path, mode):
        return rig.open(self._path(path), mode)

    def stat(self, path):
        size = rig.size(self._path(path))
        return (_FOLDER if size is None else _FILE, 0, 0, 0, 0, 0, size or 0, 0, 0, 0)

    def ilistdir(self, path):
        folder = self._path(path)
        for name in self._listings[folder.rstrip("/")]:
            yield name, self.stat(folder + "/" + name)[0], 0

    def chdir(self, path):
        self._folder = self._path(path)

    def getcwd(self):
        return self._folder

    def remove(self, path):
        rig.remove(self._path(path))

    def rename(self, old, new):
        rig.rename(self._path(old), self._path(new))


def run(order):
    """Do what the file `order` says; returns the exit status."""
    with rig.open(order, "r") as file:
        order = json.load(file)
    vfs.mount(_Files(order["listings"]), "/")
    os.chdir(order["folder"])
    script = order["script"]
    sys.path[:] = [script.rpartition("/")[0]] + order["modules"] + [".frozen"]
    sys.argv[:] = [script] + order["arguments"]
    order = None
    try:
        with open(script) as file:
            code = compile(file.read(), script, "exec")
        gc.collect()
        exec(code, {"__name__": "__main__", "__file__": script})
    except SystemExit as end:
        status = end.args[0] if end.args else 0
        return status if isinstance(status, int) else 1 if status is None else 0
    except BaseException as error:
        sys.print_exception(error)
        return 1
    return 0
