"""The device's frame encoder writes, under MicroPython, what the protocol says to the bit, and no garbage."""

import json
import math
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kinetens.virtual.process import find_micropython
from kinetens_protocol import motion

CHECKOUT = Path(__file__).resolve().parents[2]
GOLDEN = CHECKOUT / "protocol" / "golden" / "motion.jsonl"
Q30 = 1 << 30
WORD32 = 0xFFFF_FFFF

# A line in, a line out: the frame in hexadecimal, the number of samples.
ENCODE = """
import json, sys
from array import array
from motion import frames
from kinetens_protocol.motion import ORIENTATION, RAW

for line in sys.stdin:
    kind, flags, sensor, words, samples, longest = json.loads(line)
    frame = frames.FrameBuffer(kind, sensor, longest)
    flat = array("i" if kind == ORIENTATION else "h", [value for sample in samples for value in sample])
    stream = frames.stream_words()
    for i in range(frames.STREAM_WORDS):
        stream[i] = words[i]
    frame.begin(255, stream)
    frame.add(flat, len(samples) - 1, 1)
    frame.begin(flags, stream)
    frame.add(flat, 0, 1)
    frame.add(flat, 1, len(samples) - 1)
    print(frame.view().hex(), frame.count)
"""

ALLOCATES = """
import gc
from array import array
from motion import frames
from kinetens_protocol.motion import ORIENTATION, RAW

stream = frames.stream_words()
for i in range(frames.STREAM_WORDS):
    stream[i] = 0xFFFFFFFF
quaternions = array("i", [-(1 << 30), 0, 0, 0, 3, 1 << 29, -(1 << 29), 1 << 29, -(1 << 29), 0])
counts = array("h", [-32768, 32767, -1, 0, 1, 2] * 2)
orientation = frames.FrameBuffer(ORIENTATION, 0, 244)
raw = frames.FrameBuffer(RAW, 0, 244)


def fill(frame, samples):
    frame.begin(1, stream)
    while frame.count < frame.capacity - 1:
        frame.add(samples, 0, 2)
    frame.view()


fill(orientation, quaternions)
gc.collect()
gc.disable()
before = gc.mem_alloc()
before = gc.mem_alloc()
for _ in range(200):
    fill(orientation, quaternions)
    fill(raw, counts)
print(gc.mem_alloc() - before)
"""


def micropython(script: str, lines: list[Any] | None = None) -> list[str]:
    """Run a script with the device's modules and these lines (as JSON) for its input; returns its lines."""
    paths = f"import sys; sys.path[:0] = {[str(CHECKOUT / 'firmware'), str(CHECKOUT / 'protocol')]!r}\n"
    answer = subprocess.run(
        [find_micropython(), "-c", paths + script],
        input="".join(json.dumps(line) + "\n" for line in lines or []),
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.splitlines()


def encode(requests: list[Any]) -> list[bytes]:
    return [bytes.fromhex(line.split()[0]) for line in micropython(ENCODE, requests)]


def reference(sample: list[int]) -> bytes:
    w, x, y, z = (component / Q30 for component in sample[:4])
    return motion.pack_orientation((w, x, y, z), sample[4])


def words_of(fields: dict[str, Any]) -> list[int]:
    time_us = fields["device_time_us"]
    return [
        fields["session_id"],
        fields["first_index"],
        time_us & WORD32,
        time_us >> 32,
        fields["period_ns"],
    ]


def random_quaternion(source: random.Random) -> list[int]:
    """Any orientation, every third where some components are nearly equal and others nearly zero."""
    values = [source.gauss(0, 1) for _ in range(4)]
    if source.random() < 0.33:
        values = [source.choice((-1, 0, 1)) + source.gauss(0, 1e-6) for _ in range(4)]
    norm = math.hypot(*values)
    # The filter keeps the norm within a few units of the last place.
    return [max(-Q30, round(value / norm * Q30) + source.randint(-3, 3)) for value in values]


def test_golden_frames():
    vectors = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]
    vectors = [vector for vector in vectors if vector["codec"] == "frame" and "fields" in vector]
    assert len(vectors) >= 5
    requests: list[Any] = []
    for vector in vectors:
        fields = vector["fields"]
        samples = fields["samples"]
        if fields["kind"] == motion.ORIENTATION:
            samples = [[*(round(value * Q30) for value in sample[:4]), sample[4]] for sample in samples]
        requests.append([fields["kind"], fields["flags"], fields["sensor"], words_of(fields), samples, 512])
    for vector, frame in zip(vectors, encode(requests), strict=True):
        assert frame.hex() == vector["hex"], vector["about"]


def test_golden_orientations():
    vectors = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]
    vectors = [vector for vector in vectors if vector["codec"] == "orientation_q30"]
    assert len(vectors) >= 15
    requests = [[motion.ORIENTATION, 0, 0, [0] * 5, [vector["fields"]], 244] for vector in vectors]
    for vector, frame in zip(vectors, encode(requests), strict=True):
        assert frame[motion.HEADER_BYTES :].hex() == vector["hex"], vector["about"]


@pytest.mark.parametrize("seed", range(3))
def test_random_orientations_are_packed_to_the_bit(seed: int):
    source = random.Random(seed)
    frames: list[list[list[int]]] = [
        [[*random_quaternion(source), source.randint(0, 3)] for _ in range(source.randint(1, 27))]
        for _ in range(200)
    ]
    requests = [[motion.ORIENTATION, 0, 0, [seed] * 5, samples, 244] for samples in frames]
    for samples, frame in zip(frames, encode(requests), strict=True):
        packed = [frame[i : i + 8] for i in range(motion.HEADER_BYTES, len(frame), 8)]
        assert packed == [reference(sample) for sample in samples], f"seed {seed}"


def test_the_error_is_far_below_a_hundredth_of_a_degree():
    source = random.Random(7)
    samples = [[*random_quaternion(source), 0] for _ in range(2000)]
    requests = [[motion.ORIENTATION, 0, 0, [0] * 5, [sample], 244] for sample in samples]
    worst_chord = 0.0
    for sample, frame in zip(samples, encode(requests), strict=True):
        true = [component / Q30 for component in sample[:4]]
        found = motion.unpack_orientation(frame, motion.HEADER_BYTES)[:4]
        sign = 1 if sum(a * b for a, b in zip(true, found, strict=True)) > 0 else -1
        chord = sum((a - sign * b) ** 2 for a, b in zip(true, found, strict=True)) ** 0.5
        worst_chord = max(worst_chord, chord)
    assert math.degrees(2 * worst_chord) < 0.0005  # a small turn moves the quaternion by half its angle


def test_raw_counts_are_copied():
    source = random.Random(3)
    samples = [[source.randint(-32768, 32767) for _ in range(6)] for _ in range(18)]
    (frame,) = encode([[motion.RAW, 1, 2, [1, 2, 3, 4, 5], samples, 244]])
    header = motion.unpack_header(frame)
    assert header == motion.FrameHeader(motion.RAW, 1, 18, 2, 1, 2, 3 | 4 << 32, 5)
    counts = b"".join(value.to_bytes(2, "little", signed=True) for sample in samples for value in sample)
    assert frame[motion.HEADER_BYTES :] == counts


@pytest.mark.parametrize(("kind", "capacity"), [(motion.ORIENTATION, 27), (motion.RAW, 18)])
def test_a_frame_takes_what_a_notification_holds(kind: int, capacity: int):
    sample = [[0] * (5 if kind == motion.ORIENTATION else 6)]
    lines = micropython(ENCODE, [[kind, 0, 0, [0] * 5, sample * capacity, 244]])
    assert [int(line.split()[1]) for line in lines] == [capacity]


def test_a_full_frame_takes_no_more():
    too_many = [motion.RAW, 0, 0, [0] * 5, [[0] * 6] * 19, 244]
    with pytest.raises(AssertionError, match="IndexError: frame is full"):
        micropython(ENCODE, [too_many])


def test_a_notification_too_small_for_a_sample_is_refused():
    with pytest.raises(
        AssertionError, match="ValueError: a notification of 20 bytes carries no motion sample"
    ):
        micropython(ENCODE, [[motion.ORIENTATION, 0, 0, [0] * 5, [[Q30, 0, 0, 0, 0]], 20]])


class Word(int):
    """A machine word of 32 bits: what goes beyond it is lost, as on the device and unlike on a PC."""

    def __new__(cls, value: int) -> "Word":
        return super().__new__(cls, ((value + (1 << 31)) & WORD32) - (1 << 31))


def wrapping(name: str) -> Callable[[int, int], Word]:
    exact = getattr(int, name)
    return lambda one, other: Word(exact(one, other))


for operation in ("add", "sub", "mul", "and", "or", "xor", "lshift", "rshift"):
    for name in (f"__{operation}__", f"__r{operation}__"):
        setattr(Word, name, wrapping(name))


class Words:
    """A buffer of 32-bit words, as viper code sees it."""

    def __init__(self, values: list[int]) -> None:
        self.values = [Word(value) for value in values]

    def __getitem__(self, index: int) -> Word:
        return self.values[index]

    def __setitem__(self, index: int, value: int) -> None:
        self.values[index] = Word(value)

    def bytes(self) -> bytes:
        return b"".join(value.to_bytes(4, "little", signed=True) for value in self.values)


def test_words_of_32_bits_give_the_same():
    """Also for what no filter gives: the encoder's sums may overflow, its result may not depend on it."""
    source = (CHECKOUT / "firmware" / "motion" / "frames.py").read_text(encoding="utf-8")
    source = source.replace("import micropython\n", "").replace("from micropython import const\n", "")
    kernels: dict[str, Any] = {"ptr16": list, "ptr32": list, "const": int}
    kernels["micropython"] = SimpleNamespace(
        viper=lambda function: function, native=lambda function: function
    )
    exec(source, kernels)  # the code alone, so that it takes Words for pointers

    generator = random.Random(5)
    edges = [
        sign * value for value in (0, 1, 1023, 1024, Q30, (1 << 31) - 1024, (1 << 31) - 1) for sign in (-1, 1)
    ]
    edges.append(-(1 << 31))
    samples = [[*(generator.choice(edges) for _ in range(4)), generator.randint(0, 3)] for _ in range(400)]
    samples += [[*random_quaternion(generator), generator.randint(0, 3)] for _ in range(400)]
    requests = [[motion.ORIENTATION, 255, 255, [WORD32] * 5, [sample], 244] for sample in samples]
    for sample, frame in zip(samples, encode(requests), strict=True):
        words = Words([0] * 8)
        kernels["begin"](words, motion.ORIENTATION, 255, 255, [WORD32] * 5)
        kernels["add_orientations"](words, Words(sample), 0, 1)
        assert words.bytes() == frame, sample


def test_filling_frames_allocates_nothing():
    assert micropython(ALLOCATES) == ["0"]
