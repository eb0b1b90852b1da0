"""The stimulation firmware does on MicroPython, byte for byte, what it does on CPython."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("stim_on_micropython.py")


def output_of(interpreter: str, folder: Path) -> list[str]:
    folder.mkdir()
    done = subprocess.run(
        [interpreter, str(SCRIPT), str(ROOT / "firmware"), str(ROOT / "protocol")],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout.splitlines()


def test_micropython_and_cpython_agree(tmp_path: Path):
    beside = Path(sys.executable).with_name("micropython")
    micropython = str(beside) if beside.exists() else shutil.which("micropython")
    if micropython is None:
        pytest.skip("no micropython on this computer")
    lines = output_of(micropython, tmp_path / "micropython")
    assert lines == output_of(sys.executable, tmp_path / "cpython")
    assert any(line.startswith("train") for line in lines)
    assert any("did not renew the lease" in line for line in lines)
    assert lines[-1] == "over 0"
