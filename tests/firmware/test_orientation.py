"""The device's orientation filter against VQF in double precision, on the same recordings, sample by sample."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from vqf import VQF, BasicVQF

from kinetens.virtual.filter import counts, run_filter
from kinetens.virtual.process import find_micropython

CHECKOUT = Path(__file__).resolve().parents[2]


def multiply(a, b):
    w, x, y, z = np.asarray(a).T
    v = np.asarray(b).T
    return np.stack(
        [
            w * v[0] - x * v[1] - y * v[2] - z * v[3],
            w * v[1] + x * v[0] + y * v[3] - z * v[2],
            w * v[2] - x * v[3] + y * v[0] + z * v[1],
            w * v[3] + x * v[2] - y * v[1] + z * v[0],
        ],
        axis=-1,
    )


def inclination_deg(quaternions, reference):
    """Angle between the two verticals, in degrees (N,)."""
    error = multiply(quaternions, reference * [1, -1, -1, -1])
    return np.degrees(2 * np.arccos(np.clip(np.hypot(error[:, 0], error[:, 3]), 0, 1)))


def heading_deg(quaternions, reference):
    error = multiply(quaternions, reference * [1, -1, -1, -1])
    return np.degrees(np.unwrap(2 * np.arctan2(error[:, 3], error[:, 0])))


def drift_deg_a_minute(quaternions, reference, rate_hz: float) -> float:
    """Slope of the heading error over the movement, as a straight line."""
    heading = heading_deg(quaternions, reference)
    return abs(float(np.polyfit(np.arange(len(heading)) / rate_hz / 60, heading, 1)[0]))


def rms(values) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def broad(data_dir: Path) -> list[dict[str, Any]]:
    trials: list[dict[str, Any]] = []
    for path in sorted((data_dir / "broad").glob("*.npz")):
        trial = np.load(path)
        moving = trial["movement"].astype(bool) & np.isfinite(trial["opt_quat"]).all(axis=1)
        trials.append(
            {
                "gyr": trial["gyr"].astype(float),
                "acc": trial["acc"].astype(float),
                "rate_hz": float(trial["fs"]),
                "reference": trial["opt_quat"],
                "moving": moving,
            }
        )
    return trials


def vqf(gyr, acc, rate_hz: float):
    return VQF(1 / rate_hz).updateBatch(np.ascontiguousarray(gyr), np.ascontiguousarray(acc))["quat6D"]


@pytest.mark.parametrize("every", [1, 3], ids=["full rate", "a third of the rate"])
def test_inclination_is_vqf_s_on_every_broad_trial(every: int, data_dir: Path):
    ours: list[float] = []
    theirs: list[float] = []
    for trial in broad(data_dir):
        gyr, acc, rate_hz = trial["gyr"], trial["acc"], trial["rate_hz"] / every
        # A sensor at a lower rate averages: its own filter passes half of its data rate.
        whole = len(gyr) // every * every
        gyr = gyr[:whole].reshape(-1, every, 3).mean(axis=1)
        acc = acc[:whole].reshape(-1, every, 3).mean(axis=1)
        reference, moving = trial["reference"][every - 1 :: every], trial["moving"][every - 1 :: every]
        quaternions = run_filter(counts(gyr, acc), rate_hz).quaternion
        size = min(len(quaternions), len(reference))
        mask = moving[:size]
        ours.append(rms(inclination_deg(quaternions[:size], reference[:size])[mask]))
        theirs.append(rms(inclination_deg(vqf(gyr, acc, rate_hz)[:size], reference[:size])[mask]))
    assert np.mean(ours) <= (0.55 if every == 1 else 1.05 * np.mean(theirs))
    assert np.all(np.array(ours) <= 1.05 * np.array(theirs)), list(zip(ours, theirs, strict=True))


def test_heading_drifts_no_more_than_vqf_s(data_dir: Path):
    ours: list[float] = []
    theirs: list[float] = []
    for trial in broad(data_dir):
        quaternions = run_filter(counts(trial["gyr"], trial["acc"]), trial["rate_hz"]).quaternion
        mask, reference = trial["moving"], trial["reference"]
        reference_filter = vqf(trial["gyr"], trial["acc"], trial["rate_hz"])
        ours.append(drift_deg_a_minute(quaternions[mask], reference[mask], trial["rate_hz"]))
        theirs.append(drift_deg_a_minute(reference_filter[mask], reference[mask], trial["rate_hz"]))
    assert np.mean(ours) <= 1.05 * np.mean(theirs), list(zip(ours, theirs, strict=True))


def mpu6050(folder: Path):
    def table(name: str, key: str):
        with h5py.File(folder / f"mpu6050_{name}.mat") as file:
            return np.asarray(file[key]).T

    acc, gyr = table("accelerometer", "accelBuffer"), table("gyroscope", "gyroBuffer")
    rate_hz = (len(gyr) - 1) / (gyr[-1, 0] - gyr[0, 0])
    return np.radians(gyr[:, 1:]), acc[:, 1:] * 9.80665, float(rate_hz)


def test_a_large_offset_is_learnt_within_three_seconds_of_rest(data_dir: Path):
    gyr, acc, rate_hz = mpu6050(data_dir / "mpu6050/set-2/unmoved-with-x-pointing-forward-10min")
    assert np.degrees(abs(gyr[:100].mean(axis=0)).max()) > 4
    quaternions = run_filter(counts(gyr, acc, 61_035), rate_hz, gyro_udps=61_035).quaternion
    minute = round(60 * rate_hz)
    for start in range(round(3 * rate_hz), len(quaternions) - minute, minute):
        turned = multiply(quaternions[start + minute], quaternions[start] * [1, -1, -1, -1])
        assert np.degrees(2 * np.arccos(min(1.0, abs(turned[0])))) < 1.0


@pytest.mark.parametrize("output_hz", [25, 50, 100, 200])
def test_outputs_are_uniform_whatever_the_sensor_s_rate(output_hz: int):
    rate_hz = 417.3
    seconds = 20
    samples = np.zeros((round(seconds * rate_hz), 6), dtype="<i2")
    samples[:, 2] = 500  # 35 degrees a second about z
    samples[:, 5] = 2049
    quaternions = run_filter(samples, rate_hz, output_hz).quaternion
    assert abs(len(quaternions) - seconds * output_hz) <= 1
    heading = np.degrees(np.unwrap(2 * np.arctan2(quaternions[:, 3], quaternions[:, 0])))
    assert np.allclose(np.diff(heading), 35.0 / output_hz, atol=0.002)


EXTREMES = {
    "minimum everywhere": [-32768] * 6,
    "maximum everywhere": [32767] * 6,
    "no acceleration": [100, -200, 300, 0, 0, 0],
    "alternating": [-32768, 32767, -32768, 32767, -32768, 32767],
    "free fall, spinning": [32767, 0, 0, 1, -1, 0],
}


@pytest.mark.parametrize("name", EXTREMES)
def test_extreme_inputs_leave_a_unit_quaternion_and_are_forgotten(name: str):
    rate_hz = 416
    still = np.tile(np.array([0, 0, 0, 0, 0, 2049], dtype="<i2"), (8 * rate_hz, 1))
    extreme = np.tile(np.array(EXTREMES[name], dtype="<i2"), (3 * rate_hz, 1))
    extreme[1::2] = -(extreme[1::2] + 1) if name == "alternating" else extreme[1::2]
    done = run_filter(np.vstack([still, extreme, still, still]), rate_hz, 100)
    quaternions, bias = done.quaternion, done.bias_counts
    assert np.allclose(np.linalg.norm(quaternions, axis=1), 1, atol=1e-3)
    tilt = np.degrees(2 * np.arccos(np.clip(np.hypot(quaternions[:, 0], quaternions[:, 3]), 0, 1)))
    assert tilt[-1] < 1.0
    assert np.abs(bias[-1]).max() < 3


def test_nothing_is_allocated_while_it_runs(tmp_path: Path):
    script = tmp_path / "allocate.py"
    script.write_text(
        """
import gc, json
from array import array
from motion.orientation import Orientation

o = Orientation(416000, 70000, 488, 100000)
block = bytearray(12 * 17)
for i in range(17):
    block[12 * i] = i
    block[12 * i + 11] = 8
out = array("i", bytearray(4 * 5 * 40))
for _ in range(300):
    o.run(block, 17, out, 0, 40)
gc.collect()
gc.disable()
before = gc.mem_alloc()
for _ in range(5000):
    o.run(block, 17, out, 0, 40)
print(json.dumps(gc.mem_alloc() - before))
"""
    )
    path = os.pathsep.join([str(CHECKOUT / "firmware"), str(CHECKOUT / "protocol"), ".frozen"])
    done = subprocess.run(
        [find_micropython(), str(script)],
        check=True,
        capture_output=True,
        env={**os.environ, "MICROPYPATH": path},
    )
    assert json.loads(done.stdout) == 0


def test_the_sanity_of_the_comparison_itself(data_dir: Path):
    """Basic VQF, without bias estimation, is clearly worse: the measure tells filters apart."""
    errors: list[float] = []
    for trial in broad(data_dir)[:4]:
        basic = BasicVQF(1 / trial["rate_hz"]).updateBatch(
            np.ascontiguousarray(trial["gyr"]), np.ascontiguousarray(trial["acc"])
        )["quat6D"]
        mask = trial["moving"]
        full = vqf(trial["gyr"], trial["acc"], trial["rate_hz"])
        errors.append(
            rms(inclination_deg(basic, trial["reference"])[mask])
            - rms(inclination_deg(full, trial["reference"])[mask])
        )
    assert np.mean(errors) > 0.1
