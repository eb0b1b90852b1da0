"""Starts the firmware in its flash folder. Arguments: the two pipes, the flash folder, where the ticks begin (µs)."""

import sys

sys.path[:] = [sys.path[0], sys.argv[3], ".frozen"]

import builtins
import io
import os
import time

import _world

os.chdir(sys.argv[3])
time.TICKS_START_US = int(sys.argv[4])


def _log(*values, sep=" ", end="\n", file=None):
    _world.call(_world.LOG, (sep.join(str(value) for value in values) + end).encode()[:60000])


builtins.print = _log

import _flash

_flash.install()

import virtual_asyncio

virtual_asyncio.install()

try:
    import main
except SystemExit:
    pass
except BaseException as error:
    text = io.StringIO()
    sys.print_exception(error, text)
    _log("the firmware ended with an exception:\n" + text.getvalue())
    while True:
        _world.sleep_us(1000000)
