"""What the device sees of a sensor that repeats itself or is at the end of its scale, the same on every machine."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigs import builder, scripts
from tests.firmware.cpython_viper import load_firmware_module

watch = load_firmware_module("motion.watch")

ON_A_MACHINE = """
import gc, json, sys
from motion.watch import look, nothing_seen

state = nothing_seen()
seen = []
with open(sys.argv[1], "rb") as file:
    size = file.read(1)[0]
    while size:
        batch = bytearray(file.read(12 * size))
        seen.append(look(batch, size, state))
        size = (file.read(1) or b"\\0")[0]


def allocated():
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for _ in range(100):
        look(batch, len(batch) // 12, state)
    return gc.mem_alloc() - before


allocated()
print(json.dumps([seen, allocated()]))
"""


def noise(count: int, seed: int = 1) -> np.ndarray:
    """Samples of a sensor at rest, with the LSM6DSOX's noise (standard deviations of 0.8 and 3.2 counts)."""
    random = np.random.default_rng(seed)
    return np.rint(random.normal([12, -7, 3, 20, -31, 2049], [0.8] * 3 + [3.2] * 3, (count, 6))).astype("<i2")


def looked_at(samples: np.ndarray, batch: int = 17) -> list[int]:
    """What each batch of so many samples shows."""
    state = watch.nothing_seen()
    parts = [samples[at : at + batch] for at in range(0, len(samples), batch)]
    return [watch.look(bytearray(part.tobytes()), len(part), state) for part in parts]


def test_an_hour_of_a_sensor_at_rest_shows_nothing():
    samples = noise(416 * 3600)
    repeated = np.all(samples[1:] == samples[:-1], axis=1)
    ends = np.flatnonzero(~np.concatenate(([False], repeated, [False])))
    longest = int(np.diff(ends).max())
    assert 2 <= longest < 10 < watch.FROZEN_SAMPLES
    assert not any(looked_at(samples[: 416 * 60]))


@pytest.mark.parametrize("batch", [1, 2, 17, 64, 200])
@pytest.mark.parametrize("repeats", [103, 104, 105, 300])
def test_it_is_frozen_from_the_104th_same_sample_on(batch: int, repeats: int):
    samples = np.concatenate((noise(50), np.tile(noise(1, seed=2), (repeats, 1))))
    seen = looked_at(samples, batch)
    ends = np.minimum(np.arange(1, len(seen) + 1) * batch, len(samples)) - 50
    assert [bool(one & watch.FROZEN) for one in seen] == [bool(end >= 104) for end in ends]
    assert looked_at(np.concatenate((samples, noise(64, seed=3))), batch)[-1] == 0


@pytest.mark.parametrize("axis", range(6))
def test_one_axis_that_changes_is_enough_to_be_alive(axis: int):
    samples = np.tile(noise(1), (400, 1))
    samples[::50, axis] += 1
    assert not any(looked_at(samples))


@pytest.mark.parametrize("axis", range(6))
@pytest.mark.parametrize(
    ("count", "clipped"), [(32767, True), (-32768, True), (32766, False), (-32767, False)]
)
def test_only_the_ends_of_the_scale_are_saturation(axis: int, count: int, clipped: bool):
    samples = noise(17)
    samples[11, axis] = count
    assert looked_at(samples) == [1 << axis if clipped else 0]
    name = ["gyroscope", "accelerometer"][axis // 3] + " " + "xyz"[axis % 3]
    assert watch.axes(1 << axis) == name


COUNTS = st.sampled_from([0, 1, -1, 16384, 32766, 32767, -32767, -32768])


@given(st.lists(st.lists(COUNTS, min_size=6, max_size=6), min_size=1, max_size=40))
def test_every_saturated_axis_is_found(rows: list[list[int]]):
    samples = np.array(rows, "<i2")
    clipped = np.any((samples == 32767) | (samples == -32768), axis=0)
    assert looked_at(samples, len(rows)) == [sum(1 << int(axis) for axis in np.flatnonzero(clipped))]


def test_several_axes_are_named():
    assert watch.axes(0b100010) == "gyroscope y, accelerometer z"
    assert watch.axes(watch.FROZEN) == ""


@pytest.mark.parametrize("rig", scripts.RIGS)
def test_every_machine_sees_the_same_and_allocates_nothing(rig: str, tmp_path: Path):
    if rig != "unix" and not builder.product(rig).exists():
        pytest.skip(f"the rig {rig} is not built (python -m rigs build {rig})")
    random = np.random.default_rng(4)
    edges = random.choice([0, -1, 32767, -32768, 32766, -32767, 16384, -16385], (200, 6)).astype("<i2")
    samples = np.concatenate(
        (edges, noise(200), np.tile(noise(1), (300, 1)), np.full((300, 6), -1, "<i2"), edges)
    )
    content = b"".join(
        bytes([len(part)]) + part.tobytes()
        for part in (samples[at : at + 17] for at in range(0, len(samples), 17))
    )
    (tmp_path / "samples").write_bytes(content)
    (tmp_path / "script.py").write_text(ON_A_MACHINE)
    result = scripts.run(rig, tmp_path / "script.py", "samples", folder=tmp_path)
    assert json.loads(result.lines()[-1]) == [looked_at(samples), 0]
