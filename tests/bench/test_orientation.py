"""The orientation bench: its arithmetic on motion that was made for it, and the whole of it on one recorded trial."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console
from rich.progress import Progress

from bench.attitude_error import (
    drift_deg_a_minute,
    inclination_deg,
    relative_angle_deg,
    relative_orientation_deg,
    turned_in_a_minute_deg,
)
from bench.complementary import madgwick, mahony
from bench.orientation import MADGWICK, MAHONY, OURS, VQF_6D, measure
from bench.recorded import Pair, Sensed, Trial
from kinetens.motion.quaternion import multiply, to_rotation

CHECKOUT = Path(__file__).resolve().parents[2]
G_M_S2 = 9.80665
RATE_HZ = 120.0


def about(axis: int, angle_deg):
    """Quaternions (N, 4) of turns about x, y or z."""
    half = np.radians(np.atleast_1d(angle_deg)) / 2
    quaternions = np.zeros((len(half), 4))
    quaternions[:, 0], quaternions[:, 1 + axis] = np.cos(half), np.sin(half)
    return quaternions


def swing(seconds: float, phase: float = 0.0):
    """A smooth movement through many attitudes, after two seconds of rest (N, 4)."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    ease = np.clip((time_s - 2) / 2, 0, 1)
    tilt = multiply(
        about(0, 60 * ease * np.sin(2 * time_s + phase)), about(1, 50 * ease * np.sin(1.3 * time_s))
    )
    return multiply(about(2, 40 * ease * np.sin(0.9 * time_s)), tilt)


def sensed(quaternions, offset_dps: float = 0.0) -> Sensed:
    """What an ideal sensor in this attitude, at one place, would have measured; each rate leads to its attitude."""
    rotation = to_rotation(quaternions)
    gyr = np.vstack([np.zeros(3), (rotation[:-1].inv() * rotation[1:]).as_rotvec() * RATE_HZ])
    return Sensed(gyr + np.radians(offset_dps), rotation.inv().apply([0, 0, G_M_S2]), RATE_HZ)


def test_inclination_and_heading_are_told_apart():
    true = swing(3)
    turned = multiply(about(2, 30), multiply(about(0, 7), true))
    assert inclination_deg(turned, true) == pytest.approx(np.full(len(true), 7.0))
    assert inclination_deg(multiply(about(2, 30), true), true) == pytest.approx(np.zeros(len(true)), abs=1e-5)


def test_drift_is_the_slope_of_the_heading_error():
    true = swing(30)
    minutes = np.arange(len(true)) / RATE_HZ / 60
    assert drift_deg_a_minute(multiply(about(2, -500 * minutes + 20), true), true, RATE_HZ) == pytest.approx(
        500
    )


def test_a_sensor_at_rest_is_measured_by_the_minute_once_it_has_settled():
    seconds = np.arange(10 * 150) / 10
    turning = about(1, np.where(seconds < 3, 40 * seconds, 120 + (seconds - 3) / 30))
    assert turned_in_a_minute_deg(turning, 10, first_s=3) == pytest.approx([2, 2])


def test_relative_orientation_forgives_the_heading_at_the_start_only():
    first, bend = swing(5), about(1, np.linspace(0, 90, 600))
    second = multiply(first, bend)
    assert relative_angle_deg(first, second) == pytest.approx(np.linspace(0, 90, 600), abs=1e-5)
    turned = multiply(about(2, 25 + np.linspace(-0.5, 9.5, 600)), second)
    error = relative_orientation_deg(first, turned, (first, second), start=60)
    assert error[-1] == pytest.approx(9.5, abs=0.1)
    assert error[30] < 0.1


def test_a_lower_rate_averages_and_keeps_the_reference_of_the_last_sample():
    true = swing(1)[:7]
    values = np.arange(21.0).reshape(7, 3)
    trial = Trial("made", Sensed(values, -values, RATE_HZ), true, np.arange(7) > 2).at_a_part_of_the_rate(3)
    assert trial.sensed.rate_hz == RATE_HZ / 3
    assert trial.sensed.gyr.tolist() == [[3, 4, 5], [12, 13, 14]]
    assert trial.sensed.acc.tolist() == [[-3, -4, -5], [-12, -13, -14]]
    assert trial.reference.tolist() == true[[2, 5]].tolist()
    assert trial.moving.tolist() == [False, True]


def test_many_gains_and_recordings_give_what_each_gives_alone():
    recordings = [sensed(swing(3, phase), offset_dps=1.0) for phase in (0.0, 1.0)]
    gyr, acc = (np.stack([getattr(it, name) for it in recordings], axis=1) for name in ("gyr", "acc"))
    rates_hz = np.array([RATE_HZ, RATE_HZ / 2])
    for run, gains in (
        (madgwick, np.array([[0.02], [0.3]])),
        (mahony, np.array([[0.1, 0], [1, 0.1]])),
    ):
        whole = run(gyr, acc, rates_hz, gains)
        assert whole.shape == (len(gyr), 2, 2, 4)
        for gain in range(2):
            for at in range(2):
                alone = run(
                    gyr[:, at : at + 1], acc[:, at : at + 1], rates_hz[at : at + 1], gains[gain : gain + 1]
                )
                assert np.array_equal(whole[:, gain, at], alone[:, 0, 0])


def test_madgwick_is_the_filter_that_microcontrollers_run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "micropython", SimpleNamespace(native=lambda function: function))
    spec = importlib.util.spec_from_file_location("peer", CHECKOUT / "bench" / "peers" / "madgwick_float.py")
    assert spec
    assert spec.loader
    peer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(peer)
    it = sensed(swing(6), offset_dps=2.0)
    theirs = peer.Madgwick(RATE_HZ, beta=0.1)
    ours = madgwick(it.gyr[:, None], it.acc[:, None], np.array([RATE_HZ]), np.array([[0.1]]))[:, 0, 0]
    for at in range(len(it.gyr)):
        theirs.update(*it.gyr[at], *it.acc[at])
        assert ours[at] == pytest.approx(theirs.q, abs=1e-5)


def test_mahony_learns_an_offset_and_madgwick_does_not():
    it = sensed(np.tile(about(0, 20), (round(40 * RATE_HZ), 1)), offset_dps=5.0)
    given = it.gyr[:, None], it.acc[:, None], np.array([RATE_HZ])
    true = about(0, 20)
    learnt = inclination_deg(mahony(*given, np.array([[1.0, 0.1]]))[-1:, 0, 0].astype(float), true)[0]
    kept = inclination_deg(madgwick(*given, np.array([[0.02]]))[-1:, 0, 0].astype(float), true)[0]
    assert learnt < 0.1
    assert kept > 1.0


def test_the_whole_bench_on_a_made_recording():
    true = swing(15)
    moving = np.arange(len(true)) > 3 * RATE_HZ
    still = sensed(np.tile(about(0, 20), (round(64 * RATE_HZ), 1)), offset_dps=4.7)
    bent = multiply(true, about(1, 30))
    pair = Pair("bent", (sensed(true), sensed(bent)), (true, bent))
    measured = measure(
        [Trial("made", sensed(true, offset_dps=0.3), true, moving)], still, [pair], [pair], silent()
    )
    assert [round(rate.rate_hz) for rate in measured.broad] == [120, 40]
    for rate in measured.broad:
        errors = rate.trials[0].inclination_deg
        assert set(errors) == {OURS, VQF_6D, MADGWICK, MAHONY}
        assert rate.mean.inclination_deg == errors
        assert rate.ratio.inclination_deg[OURS] == errors[OURS] / errors[VQF_6D]
        assert max(errors.values()) < 3
    assert measured.rest_worst_minute_deg[OURS] < 0.5 < measured.rest_worst_minute_deg[VQF_6D]
    assert measured.robot_arm_relative_angle_deg["bent"][OURS] < 1.5
    assert measured.joint_rig_relative_orientation_deg["mean"][OURS] < 2.0


def silent() -> Progress:
    return Progress(console=Console(quiet=True), disable=True)


def run_bench(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:

    command = [sys.executable, "-m", "bench", "orientation", *arguments]
    return subprocess.run(
        command, cwd=CHECKOUT, capture_output=True, text=True, env={**os.environ, **environment}
    )


def test_without_recordings_it_says_so(tmp_path: Path):
    done = run_bench(KINETENS_DATA=str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: no recordings in ")
    assert "KINETENS_DATA" in done.stderr
    assert done.stderr.count("\n") == 1
    done = run_bench(KINETENS_DATA=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_on_a_recorded_trial_the_firmware_is_as_good_as_vqf(data_dir: Path):
    done = run_bench("--trial", "07_undisturbed", "--json", KINETENS_DATA=str(data_dir))
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    full, third = answer["broad"]
    assert full["ratio"]["inclination_deg"][OURS] < 1.02
    assert third["ratio"]["inclination_deg"][OURS] < 1.05
    assert full["mean"]["inclination_deg"][MADGWICK] > full["mean"]["inclination_deg"][OURS]
    assert answer["rest_worst_minute_deg"][OURS] < 0.5
