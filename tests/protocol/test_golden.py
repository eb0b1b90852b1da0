"""The golden vectors hold on CPython and on MicroPython, and no codec meets bytes that surprise it."""

import importlib.util
import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinetens.virtual.process import find_micropython
from kinetens_protocol import ProtocolError, control, limits, messages, motion, stimulation, stimulation_log

GOLDEN = Path(__file__).resolve().parents[2] / "protocol" / "golden"

# Payloads to which a later version may append fields.
GROWING = [
    "refusal",
    "hello",
    "info",
    "stream_request",
    "stream",
    "stream_end",
    "status",
    "time_exchange",
    "calibration",
    "state",
    "fault_report",
]


def load_check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden_check", GOLDEN / "check.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    path = list(sys.path)
    spec.loader.exec_module(module)
    sys.path[:] = path
    return module


CODECS: dict[str, tuple[Any, Any, Any]] = load_check().CODECS
READABLE = sorted(name for name, (_, _, read) in CODECS.items() if read and name != "fault_names")
VECTORS: list[dict[str, Any]] = [
    json.loads(line)
    for path in sorted(GOLDEN.glob("*.jsonl"))
    for line in path.read_text(encoding="utf-8").splitlines()
]


def read(codec: str, data: bytes) -> Any:
    return CODECS[codec][2](data)


@pytest.mark.parametrize("interpreter", ["CPython", "MicroPython"])
def test_all_vectors_hold(interpreter: str):
    """On a heap as small as a device's, plus what compiling from source takes: a device has compiled modules."""
    command = [sys.executable] if interpreter == "CPython" else [find_micropython(), "-X", "heapsize=160k"]
    answer = subprocess.run([*command, str(GOLDEN / "check.py")], capture_output=True, text=True)
    assert answer.stdout == f"{len(VECTORS)} vectors ok\n", answer.stdout + answer.stderr
    assert answer.returncode == 0


@pytest.mark.parametrize("interpreter", ["CPython", "MicroPython"])
def test_a_wrong_vector_is_found(interpreter: str, tmp_path: Path):
    checker = tmp_path / "golden" / "check.py"
    checker.parent.mkdir()
    checker.write_bytes((GOLDEN / "check.py").read_bytes())
    (tmp_path / "kinetens_protocol").symlink_to(GOLDEN.parent / "kinetens_protocol", target_is_directory=True)
    fields = {"newest_major": 1, "oldest_major": 1, "minor": 1}
    vector = {"codec": "hello", "about": "wrong", "fields": fields, "hex": "010100"}
    (checker.parent / "wrong.jsonl").write_text(json.dumps(vector) + "\n", encoding="utf-8")
    command = sys.executable if interpreter == "CPython" else find_micropython()
    answer = subprocess.run([command, str(checker)], capture_output=True, text=True)
    assert "wrong.jsonl: hello, wrong: writes 010101 instead of 010100" in answer.stdout
    assert "1 of 1 vectors wrong" in answer.stdout
    assert answer.returncode == 1


def test_every_codec_has_vectors():
    assert {vector["codec"] for vector in VECTORS} == CODECS.keys()


def test_every_function_of_the_package_has_a_codec():
    used = {
        name
        for module in (messages, control, motion, limits, stimulation, stimulation_log)
        for name in vars(module)
        if name.startswith(("pack_", "unpack_")) and name not in ("pack_into",)
    } - {"unpack_from"}
    source = (GOLDEN / "check.py").read_text(encoding="utf-8")
    assert {name for name in used if name not in source} == set()


def test_vectors_name_what_they_show():
    names = [(vector["codec"], vector["about"]) for vector in VECTORS]
    assert len(names) == len(set(names))
    assert all(("error" in vector) != ("fields" in vector) for vector in VECTORS)


@pytest.mark.parametrize("codec", READABLE)
@given(data=st.binary(max_size=260))
def test_any_bytes_are_read_or_refused(codec: str, data: bytes):
    with suppress(ProtocolError):
        read(codec, data)


@pytest.mark.parametrize("codec", READABLE)
def test_every_beginning_of_a_vector_is_read_or_refused(codec: str):
    for vector in VECTORS:
        if vector["codec"] == codec:
            data = bytes.fromhex(vector["hex"])
            for end in range(len(data)):
                with suppress(ProtocolError):
                    read(codec, data[:end])


@pytest.mark.parametrize("codec", READABLE)
@given(data=st.data())
def test_every_damaged_vector_is_read_or_refused(codec: str, data: st.DataObject):
    vector = data.draw(
        st.sampled_from([vector for vector in VECTORS if vector["codec"] == codec and vector["hex"]])
    )
    damaged = bytearray.fromhex(vector["hex"])
    for place in data.draw(st.lists(st.integers(0, len(damaged) - 1), min_size=1, max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    with suppress(ProtocolError):
        read(codec, bytes(damaged))


@pytest.mark.parametrize("codec", GROWING)
@given(data=st.data(), more=st.binary(min_size=1, max_size=20))
def test_bytes_of_a_later_version_are_left_alone(codec: str, data: st.DataObject, more: bytes):
    complete = [v for v in VECTORS if v["codec"] == codec and "fields" in v and v.get("only") != "read"]
    payload = bytes.fromhex(data.draw(st.sampled_from(complete))["hex"])
    assert read(codec, payload + more) == read(codec, payload)
