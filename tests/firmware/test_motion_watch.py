"""What the motion watch calls a fall, violence, movement and data that cannot be true, and what it lets pass."""

import os
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kinetens_protocol import stimulation
from tests.firmware.cpython_viper import load_firmware_module
from tests.firmware.micropython import run_on_micropython

RATE_HZ = 416
UG_PER_COUNT = 488
UDPS_PER_COUNT = 70_000
BATCH = 17
SENSOR = SimpleNamespace(
    sample_rate_mhz=RATE_HZ * 1000, gyro_udps_per_count=UDPS_PER_COUNT, accel_ug_per_count=UG_PER_COUNT
)
GYRO_NOISE_DPS = 3.8e-3 * np.sqrt(RATE_HZ / 2)
ACCEL_NOISE_G = 110e-6 * np.sqrt(RATE_HZ / 2)


class Ticks:
    """A clock that the samples move on."""

    now = (1 << 30) - 5_000

    def now_ms(self) -> int:
        return self.now & ((1 << 30) - 1)

    def elapsed_ms(self, since: int) -> int:
        half = 1 << 29
        return ((self.now_ms() - since + half) & (2 * half - 1)) - half


def counts(rate_dps: Any, force_g: Any, noise: float = 1.0, seed: int = 1) -> NDArray[np.int16]:
    """(N, 6) raw samples of a sensor about x, in a field along z, with its noise."""
    source = np.random.default_rng(seed)
    rate_dps, force_g = np.broadcast_arrays(np.atleast_1d(rate_dps), np.atleast_1d(force_g))
    zeros = np.zeros(len(rate_dps))
    gyro = np.stack([rate_dps, zeros, zeros], 1) + noise * source.normal(0, GYRO_NOISE_DPS, (len(zeros), 3))
    accel = np.stack([zeros, zeros, force_g], 1) + noise * source.normal(0, ACCEL_NOISE_G, (len(zeros), 3))
    scaled = np.hstack([gyro * 1e6 / UDPS_PER_COUNT, accel * 1e6 / UG_PER_COUNT])
    return np.clip(np.round(scaled), -32768, 32767).astype("<i2")


def still(seconds: float, noise: float = 1.0) -> NDArray[np.int16]:
    return counts(np.full(round(seconds * RATE_HZ), 1.0), 1.0, noise)


def seconds_of(rate_dps: float, force_g: float, seconds: float) -> NDArray[np.int16]:
    return counts(np.full(round(seconds * RATE_HZ), rate_dps), force_g)


class Watched:
    """A watch to which samples are shown in polls."""

    def __init__(self) -> None:
        self.clock = Ticks()
        self.module = load_firmware_module("stim.motion_watch")
        self.watch = self.module.MotionWatch(self.clock, SENSOR)

    def show(self, *parts: NDArray[np.int16]) -> list[int]:
        """The causes as they come, each once in a row."""
        causes: list[int] = []
        samples = np.concatenate(parts)
        for at in range(0, len(samples), BATCH):
            batch = samples[at : at + BATCH]
            self.clock.now += round(1000 * len(batch) / RATE_HZ)
            self.watch.take(bytearray(batch.tobytes()), len(batch))
            cause = self.watch.cause()
            if not causes or causes[-1] != cause:
                causes.append(cause)
        return causes


QUIET = [stimulation.NOT_STOPPED]


def test_a_sensor_at_rest_says_nothing_against_it():
    assert Watched().show(still(5)) == QUIET


@pytest.mark.parametrize(("seconds", "falls"), [(0.12, False), (0.2, True)])
def test_a_fall_is_weightlessness_that_lasts(seconds: float, falls: bool):
    causes = Watched().show(still(1), seconds_of(5, 0.1, seconds), still(0.1))
    assert (stimulation.FREE_FALL in causes) == falls


def test_a_fall_counts_for_a_second_after_it():
    watched = Watched()
    watched.show(still(1), seconds_of(0, 0.0, 0.2))
    assert watched.show(still(0.8)) == [stimulation.FREE_FALL]
    assert watched.show(still(0.6))[-1] == stimulation.NOT_STOPPED


@pytest.mark.parametrize(("rate_dps", "force_g"), [(0, 9.0), (1800, 1.0), (0, -16.0), (2294, 16.0)])
def test_one_violent_sample_is_enough(rate_dps: float, force_g: float):
    causes = Watched().show(still(1), counts(rate_dps, force_g), still(0.1))
    assert stimulation.VIOLENT_MOTION in causes


def test_an_exercise_is_movement_and_a_gesture_is_not():
    assert Watched().show(still(1), seconds_of(90, 1.0, 0.5), still(1)) == QUIET
    causes = Watched().show(still(1), seconds_of(90, 1.0, 1.2), still(2))
    assert causes == [stimulation.NOT_STOPPED, stimulation.MOVEMENT, stimulation.NOT_STOPPED]


def test_a_slow_repetition_with_its_turning_points_is_one_movement():
    time_s = np.arange(round(8 * RATE_HZ)) / RATE_HZ
    repetitions = counts(60 * np.sin(2 * np.pi * time_s / 4), 1.0)
    causes = Watched().show(still(1), repetitions)
    assert causes == [stimulation.NOT_STOPPED, stimulation.MOVEMENT]


def test_no_samples_for_a_quarter_of_a_second_are_no_motion_data():
    watched = Watched()
    watched.show(still(1))
    watched.clock.now += 240
    assert watched.watch.cause() == stimulation.NOT_STOPPED
    watched.clock.now += 20
    assert watched.watch.cause() == stimulation.MOTION
    watched.clock.now += 1 << 30
    assert watched.watch.cause() == stimulation.MOTION, "not fresh again when the ticks have wrapped"
    assert watched.show(still(0.1)) == QUIET


def test_before_the_first_samples_there_is_no_motion_data():
    assert Watched().watch.cause() == stimulation.MOTION


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_frozen_and_flat_data_cannot_be_true(noise: float):
    causes = Watched().show(still(1), still(1, noise))
    assert causes == [stimulation.NOT_STOPPED, stimulation.MOTION]


def test_a_frozen_gyroscope_beside_a_living_accelerometer_is_noticed():
    samples = still(1)
    samples[:, :3] = samples[0, :3]
    assert Watched().show(still(1), samples)[-1] == stimulation.MOTION


def recordings() -> Iterable[tuple[str, NDArray[np.int16]]]:
    """Sets of shoulder exercises on a wrist, at the device's rate."""
    folder = Path(os.environ.get("KINETENS_DATA", "../shared/data")) / "shoulder_watch"
    path = folder / "spar_subjects_1_to_6.npz"
    if not path.is_file():
        pytest.skip("no recordings of shoulder exercises")
    data = np.load(path)
    for index in range(0, len(data["exercise"]), 6):
        part = data["samples"][data["offsets"][index] : data["offsets"][index + 1]]
        at = np.arange(0, len(part) - 1, 50 / RATE_HZ)
        fine = np.stack([np.interp(at, np.arange(len(part)), part[:, axis]) for axis in range(6)], 1)
        scaled = np.hstack([np.degrees(fine[:, 3:]) * 1e6 / UDPS_PER_COUNT, fine[:, :3] * 1e6 / UG_PER_COUNT])
        yield str(index), np.clip(np.round(scaled), -32768, 32767).astype("<i2")


def test_recorded_exercises_are_movement_and_never_violence():
    moved = violent = sets = 0
    for _, samples in recordings():
        causes = Watched().show(samples[: 12 * RATE_HZ])
        sets += 1
        moved += stimulation.MOVEMENT in causes
        violent += stimulation.VIOLENT_MOTION in causes
    assert violent == 0
    assert moved == sets


SCRIPT = """
from array import array
from stim.motion_watch import look
state = array("I", [0] * 17)
thresholds = array("I", %r)
samples = bytearray(%r)
look(samples, len(samples) // 12, state, thresholds)
print(list(state))
"""


@pytest.mark.parametrize("seed", range(3))
def test_the_kernel_is_the_same_on_micropython(seed: int):
    source = np.random.default_rng(seed)
    samples = np.concatenate(
        [source.integers(-32768, 32768, (30, 6)).astype("<i2"), still(0.4), seconds_of(400, 0.1, 0.3)]
    )
    watched = Watched()
    state = watched.watch._state
    watched.module.look(bytearray(samples.tobytes()), len(samples), state, watched.watch._thresholds)
    lines = run_on_micropython(SCRIPT % (list(watched.watch._thresholds), samples.tobytes()))
    assert lines == [str(list(state))]
