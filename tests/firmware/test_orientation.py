"""The device's orientation filter against VQF in double precision, on the same recordings, sample by sample."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from vqf import VQF, BasicVQF

from bench.attitude_error import drift_deg_a_minute, turned_in_a_minute_deg
from bench.orientation import inclination_rms_deg
from bench.recorded import broad, mpu6050
from kinetens.virtual.filter import counts, run_filter
from kinetens.virtual.process import find_micropython

CHECKOUT = Path(__file__).resolve().parents[2]


def vqf(gyr, acc, rate_hz: float):
    return VQF(1 / rate_hz).updateBatch(np.ascontiguousarray(gyr), np.ascontiguousarray(acc))["quat6D"]


@pytest.mark.parametrize("every", [1, 3], ids=["full rate", "a third of the rate"])
def test_inclination_is_vqf_s_on_every_broad_trial(every: int, data_dir: Path):
    ours: list[float] = []
    theirs: list[float] = []
    for full in broad(data_dir):
        trial = full.at_a_part_of_the_rate(every)
        it = trial.sensed
        ours.append(inclination_rms_deg(trial, run_filter(counts(it.gyr, it.acc), it.rate_hz).quaternion))
        theirs.append(inclination_rms_deg(trial, vqf(it.gyr, it.acc, it.rate_hz)))
    assert np.mean(ours) <= (0.55 if every == 1 else 1.05 * np.mean(theirs))
    assert np.all(np.array(ours) <= 1.05 * np.array(theirs)), list(zip(ours, theirs, strict=True))


def test_heading_drifts_no_more_than_vqf_s(data_dir: Path):
    ours: list[float] = []
    theirs: list[float] = []
    for trial in broad(data_dir):
        it, mask, reference = trial.sensed, trial.moving, trial.reference
        quaternions = run_filter(counts(it.gyr, it.acc), it.rate_hz).quaternion
        reference_filter = vqf(it.gyr, it.acc, it.rate_hz)
        ours.append(drift_deg_a_minute(quaternions[mask], reference[mask], it.rate_hz))
        theirs.append(drift_deg_a_minute(reference_filter[mask], reference[mask], it.rate_hz))
    assert np.mean(ours) <= 1.05 * np.mean(theirs), list(zip(ours, theirs, strict=True))


def test_a_large_offset_is_learnt_within_three_seconds_of_rest(data_dir: Path):
    it = mpu6050(data_dir, "unmoved-with-x-pointing-forward-10min")
    assert np.degrees(abs(it.gyr[:100].mean(axis=0)).max()) > 4
    quaternions = run_filter(
        counts(it.gyr, it.acc, it.gyro_udps), it.rate_hz, gyro_udps=it.gyro_udps
    ).quaternion
    assert turned_in_a_minute_deg(quaternions, it.rate_hz, 3.0).max() < 1.0


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
        it = trial.sensed
        basic = BasicVQF(1 / it.rate_hz).updateBatch(
            np.ascontiguousarray(it.gyr), np.ascontiguousarray(it.acc)
        )["quat6D"]
        full = vqf(it.gyr, it.acc, it.rate_hz)
        errors.append(inclination_rms_deg(trial, basic) - inclination_rms_deg(trial, full))
    assert np.mean(errors) > 0.1
