"""A script on a rig meets the words and floats of a device, and this computer's files, arguments and exit status."""

import os
import select
import time
from pathlib import Path

import pytest

from rigs import HEAP_BYTES, RigError, board, run

pytestmark = pytest.mark.slow

WORDS = """
import gc, micropython, sys

@micropython.viper
def product(one: int, other: int) -> int:
    return one * other

print(sys.maxsize, product(65536, 65536), 1 / 3 == 0.33333334, gc.mem_alloc() + gc.mem_free())
"""

FILES = """
import os, sys

names = sorted(os.listdir("."))
with open("in.bin", "rb") as source, open("out.bin", "wb") as target:
    data = source.read(4)
    while data:
        target.write(bytes(reversed(data)))
        data = source.read(4)
with open("lines.txt") as lines:
    print(sys.argv[1:], names, [line for line in lines])
sys.exit(3)
"""


def test_words_have_32_bits_and_floats_have_24(rig: str):
    biggest, product, single, heap = run(rig, WORDS).lines()[0].split()
    assert (biggest, product, single) == ("2147483647", "0", "True")
    assert 0.9 * HEAP_BYTES < int(heap) <= HEAP_BYTES


def test_files_arguments_and_status_are_this_computers(rig: str, tmp_path: Path):
    (tmp_path / "in.bin").write_bytes(bytes(range(10)))
    (tmp_path / "lines.txt").write_text("one\ntwo\n")
    result = run(rig, FILES, "a", "b c", folder=tmp_path)
    assert result.status == 3
    assert result.output == "['a', 'b c'] ['in.bin', 'lines.txt'] ['one\\n', 'two\\n']\n"
    assert (tmp_path / "out.bin").read_bytes() == bytes([3, 2, 1, 0, 7, 6, 5, 4, 9, 8])


def test_an_exception_is_a_traceback_and_status_1(rig: str):
    result = run(rig, "def f():\n    return 1 // 0\nf()\n")
    assert result.status == 1
    assert "ZeroDivisionError" in result.output
    with pytest.raises(RigError, match="ZeroDivisionError"):
        result.lines()


def test_a_script_that_never_ends_is_ended(rig: str):
    with pytest.raises(RigError, match="did not end within 1 s"):
        run(rig, "while True: pass", timeout_s=1)


def test_instructions_are_counted_to_the_last_one():
    script = """
import micropython, time

@micropython.viper
def loop(count: int):
    while count > 0:
        count -= 1

def cost(count):
    start = time.ticks_cpu()
    loop(count)
    return time.ticks_diff(time.ticks_cpu(), start)

cost(1)
print(cost(2000) - cost(1000), cost(3000) - cost(2000))
"""
    first = run("rv32", script).lines()
    assert first[0].split()[0] == first[0].split()[1]
    assert run("rv32", script).lines() == first


def test_the_board_answers_on_its_serial_line_and_keeps_files_over_a_soft_reset():
    with board() as port:
        line = os.open(port, os.O_RDWR | os.O_NOCTTY)
        try:
            command(line, "with open('kept', 'w') as file: file.write('here')")
            os.write(line, b"\x02\x04")  # friendly REPL, soft reset
            assert command(line, "print(open('kept').read())") == "here"
        finally:
            os.close(line)


def command(line: int, code: str) -> str:
    """Have the board run code in its raw REPL and return what that wrote."""
    os.write(line, b"\r\x01")
    read_until(line, b"raw REPL; CTRL-B to exit\r\n>")
    os.write(line, code.encode() + b"\x04")
    output = read_until(line, b"\x04>")
    assert output.startswith(b"OK")
    printed, error, _ = output[2:].split(b"\x04", 2)
    assert not error, error.decode()
    return printed.decode().strip()


def read_until(line: int, end: bytes) -> bytes:
    data = b""
    give_up = time.monotonic() + 20
    while not data.endswith(end):
        ready, _, _ = select.select([line], [], [], max(0, give_up - time.monotonic()))
        assert ready, f"no {end!r} within 20 s after {data!r}"
        data += os.read(line, 4096)
    return data
