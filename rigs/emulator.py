"""The emulated microcontroller: qemu, in which an instruction takes one nanosecond."""

import re
import shutil
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager

from rigs.builder import build, product
from rigs.recipes import RigError

_PORT = re.compile(r"char device redirected to (\S+)")
_START_S = 20
_BOARD = "board"  # what rv32/_boot.py is told


def command(serial: str, order: str = _BOARD) -> list[str]:
    """The command that starts it. serial: where its serial line goes; order: the file that says what to run.

    Raises RigError when the emulator is not installed.
    """
    emulator = shutil.which("qemu-system-riscv32")
    if not emulator:
        raise RigError("rv32 needs qemu-system-riscv32; run: apt-get install qemu-system-misc")
    machine = (
        "-machine virt -bios none -display none -monitor none -nic none -icount shift=0,sleep=off,align=off"
    )
    semihosting = "enable=on,target=native,arg=" + order.replace(",", ",,")
    image = str(product("rv32"))
    return [
        emulator,
        *machine.split(),
        "-semihosting-config",
        semihosting,
        "-serial",
        serial,
        "-kernel",
        image,
    ]


@contextmanager
def board() -> Generator[str]:
    """A board with an empty flash, by the name of its serial port, as long as the context lasts.

    mpremote and tests that run on boards take it for a real one. Raises RigError when it cannot be built or started.
    """
    build(["rv32"])
    with subprocess.Popen(
        command("pty"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        watchdog = threading.Timer(_START_S, process.kill)
        watchdog.start()
        try:
            assert process.stdout
            said = ""
            for line in process.stdout:
                said += line
                if found := _PORT.search(line):
                    break
            else:
                raise RigError(f"the emulator did not start: {said.strip()}")
            watchdog.cancel()
            yield found[1]
        finally:
            watchdog.cancel()
            process.kill()
