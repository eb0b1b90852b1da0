"""The firmware gives the same bytes with 64-bit words, with 32-bit words and on a microcontroller's instructions."""

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rigs import run

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).resolve().parents[2]
FILTER = Path(__file__).parent / "filter_script.py"
GYRO_UDPS, ACCEL_UG = 70_000, 488
GRAVITY_M_S2 = 9.80665
SAMPLES = int(os.environ.get("KINETENS_RIG_SAMPLES", "1000000"))
"""Random and extreme samples over all runs."""

RATES_MHZ = [(416_000, 100_000), (416_000, 200_000), (208_000, 50_000), (104_000, 25_000)]
"""Of samples and outputs."""

FRAMES = """
from array import array
from motion import frames
from kinetens_protocol.motion import ORIENTATION

stream = frames.stream_words()
with open("quaternions.bin", "rb") as source, open("{rig}.bin", "wb") as target:
    block = bytearray(20 * 25)
    while source.readinto(block):
        frame = frames.FrameBuffer(ORIENTATION, 1, 244)
        frame.begin(3, stream)
        frame.add(block, 0, 25)
        target.write(frame.view())
"""


def extreme_samples(count: int, seed: int) -> NDArray[np.int16]:
    """Stretches of noise, of full scale, of nothing, and of plausible motion with rests; (count, 6), in counts."""
    source = np.random.default_rng(seed)
    edges = np.array([-32768, -32767, -1, 0, 1, 32766, 32767])
    stretches: list[NDArray[np.int16]] = []
    made = 0
    while made < count:
        length = int(source.integers(1, 3000))
        kind = source.integers(6)
        if kind == 0:
            stretch = source.integers(-32768, 32768, (length, 6))
        elif kind == 1:
            stretch = source.choice(edges, (length, 6))
        elif kind == 2:  # one extreme all the while
            stretch = np.tile(source.choice(edges, 6), (length, 1))
        else:
            gravity = source.normal(size=3)
            rate = source.normal(0, 3000 * (kind - 3), 3) + source.normal(0, 4, 3)
            middle = np.concatenate([rate, gravity / np.linalg.norm(gravity) * 2049])
            stretch = middle + source.normal(0, 2 + 100 * (kind - 3), (length, 6))
        stretches.append(np.clip(np.round(stretch), -32768, 32767).astype("<i2"))
        made += length
    return np.concatenate(stretches)[:count]


def filtered(rig: str, samples: NDArray[np.int16], rates_mhz: tuple[int, int], gaps: list[int], folder: Path):
    """The filter's outputs on a rig, (N, 5), and its bias behind them."""
    (folder / "samples.bin").write_bytes(samples.tobytes())
    (folder / "out.bin").unlink(missing_ok=True)
    numbers = [rates_mhz[0], GYRO_UDPS, ACCEL_UG, rates_mhz[1]]
    result = run(rig, FILTER, *map(str, numbers), "samples.bin", "out.bin", *map(str, gaps), folder=folder)
    assert result.status == 0, result.output
    return np.fromfile(folder / "out.bin", "<i4")


def assert_same(one: NDArray[np.int32], other: NDArray[np.int32], what: str) -> None:
    assert len(one) == len(other), what
    different = np.flatnonzero(one != other)
    assert not len(different), f"{what}: {len(different)} words differ, first word {different[0]}"


def test_golden_vectors(rig: str):
    result = run(rig, CHECKOUT / "protocol" / "golden" / "check.py")
    assert result.status == 0, result.output


def test_frames(rig: str, tmp_path: Path):
    source = np.random.default_rng(4)
    directions = source.normal(size=(2500, 4))
    near_edges = source.choice([-1.0, 0.0, 1.0], (2500, 4)) + source.normal(0, 1e-6, (2500, 4))
    quaternions = np.concatenate([directions, near_edges])
    quaternions /= np.linalg.norm(quaternions, axis=1)[:, None]
    words = np.empty((len(quaternions), 5), "<i4")
    words[:, :4] = np.round(quaternions * 2**30)
    words[:, 4] = source.integers(0, 4, len(quaternions))
    words[::100, :4] = source.choice([-(2**31), 2**31 - 1, -(2**30), 0], (50, 4))
    (tmp_path / "quaternions.bin").write_bytes(words.tobytes())
    for name in ("unix", rig):
        assert run(name, FRAMES.format(rig=name), folder=tmp_path).lines() == []
    assert (tmp_path / "unix.bin").read_bytes() == (tmp_path / f"{rig}.bin").read_bytes()


@pytest.mark.parametrize("rates_mhz", RATES_MHZ, ids=str)
def test_the_filter_on_random_and_extreme_samples(rig: str, rates_mhz: tuple[int, int], tmp_path: Path):
    seed = sum(rates_mhz)
    samples = extreme_samples(SAMPLES // len(RATES_MHZ), seed)
    gaps = [640, 1, 64_000, 500, 128_000, 100_000]  # before these samples are so many missing
    expected = filtered("unix", samples, rates_mhz, gaps, tmp_path)
    assert_same(expected, filtered(rig, samples, rates_mhz, gaps, tmp_path), f"seed {seed}")


def test_the_filter_on_recordings(rig: str, data_dir: Path, tmp_path: Path):
    for path in sorted((data_dir / "broad").glob("*.npz")):
        recording = np.load(path)
        rates = np.degrees(recording["gyr"]) * 1e6 / GYRO_UDPS
        forces = recording["acc"] / GRAVITY_M_S2 * 1e6 / ACCEL_UG
        counts = np.nan_to_num(np.round(np.hstack([rates, forces])))
        samples = np.clip(counts, -32768, 32767).astype("<i2")
        sample_mhz = round(1000 * float(recording["fs"]))
        expected = filtered("unix", samples, (sample_mhz, 100_000), [], tmp_path)
        assert_same(expected, filtered(rig, samples, (sample_mhz, 100_000), [], tmp_path), path.name)
