"""Recordings with ground truth from the data folder: KINETENS_DATA, or `../shared/data` beside the checkout."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from kinetens.errors import InvalidInput
from kinetens.virtual.filter import GYRO_UDPS
from kinetens.virtual.motion_source import STANDARD_GRAVITY_M_S2

Floats = NDArray[np.float64]

MPU6050_UDPS = 61_035
ROBOT_HZ = 125.0


@dataclass(frozen=True, slots=True)
class Sensed:
    """What a six-axis sensor measured: rad/s (N, 3), m/s² (N, 3). gyro_udps: weight of a count in which to count it."""

    gyr: Floats
    acc: Floats
    rate_hz: float
    gyro_udps: int = GYRO_UDPS


@dataclass(frozen=True, slots=True)
class Trial:
    """A recording of one sensor. reference: quaternions (N, 4), sensor to world; moving: the samples that count (N,)."""

    name: str
    sensed: Sensed
    reference: Floats
    moving: NDArray[np.bool_]

    def at_a_part_of_the_rate(self, every: int) -> "Trial":
        """As a sensor gives it at a lower rate: its own filter passes half of its data rate, so it averages."""
        if every == 1:
            return self
        whole = len(self.moving) // every * every
        gyr, acc = (
            values[:whole].reshape(-1, every, 3).mean(axis=1) for values in (self.sensed.gyr, self.sensed.acc)
        )
        return replace(
            self,
            sensed=Sensed(gyr, acc, self.sensed.rate_hz / every),
            reference=self.reference[:whole][every - 1 :: every],
            moving=self.moving[:whole][every - 1 :: every],
        )


@dataclass(frozen=True, slots=True)
class Pair:
    """A recording of two sensors on neighbouring segments, with the quaternions (N, 4) of both."""

    name: str
    sensed: tuple[Sensed, Sensed]
    reference: tuple[Floats, Floats]


def data_folder() -> Path:
    """Where the recordings are. Raises InvalidInput where there are none."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("KINETENS_DATA") or beside)
    if not folder.is_dir():
        raise InvalidInput(f"no recordings in {folder}; set KINETENS_DATA to the folder that holds them")
    return folder


def broad(folder: Path) -> list[Trial]:
    """Trials of BROAD (Laidig et al. 2021, doi 10.3390/data6070072)."""
    trials: list[Trial] = []
    for path in _some(folder / "broad", "*.npz"):
        with np.load(path) as arrays:
            gyr, acc, reference = (
                np.asarray(arrays[it], dtype=np.float64) for it in ("gyr", "acc", "opt_quat")
            )
            moving = np.asarray(arrays["movement"], dtype=np.bool_) & np.isfinite(reference).all(axis=1)
            trials.append(Trial(path.stem, Sensed(gyr, acc, float(arrays["fs"])), reference, moving))
    return trials


def mpu6050(folder: Path, name: str) -> Sensed:
    """A recording of a real MPU6050, whose gyroscope has an offset of 4.7 °/s (sunsided/sensor-fusion)."""
    import h5py

    def table(sensor: str, key: str) -> Floats:
        (path,) = _some(folder / "mpu6050" / "set-2" / name, f"mpu6050_{sensor}.mat")
        with h5py.File(path) as file:
            values: Any = file[key]
            return np.asarray(values, dtype=np.float64).T

    acc, gyr = table("accelerometer", "accelBuffer"), table("gyroscope", "gyroBuffer")
    rate_hz = (len(gyr) - 1) / float(gyr[-1, 0] - gyr[0, 0])
    return Sensed(np.radians(gyr[:, 1:]), acc[:, 1:] * STANDARD_GRAVITY_M_S2, rate_hz, MPU6050_UDPS)


def robot_arm(folder: Path) -> list[Pair]:
    """Forearm and hand of a robot (OpenAXES example robot dataset, doi 10.25835/psqqs9w0)."""
    pairs: list[Pair] = []
    for run in _some(folder / "robot_arm", "circle-*"):
        tables = {path.stem: np.loadtxt(path, delimiter=",", skiprows=1) for path in _some(run, "*.csv")}
        radius, carpus = (
            Sensed(tables[it][:, 4:7], tables[it][:, 1:4], ROBOT_HZ) for it in ("imu_radius", "imu_carpus")
        )
        reference = tables["radius"][:, 1:5], tables["carpus"][:, 1:5]
        pairs.append(Pair(run.name, (radius, carpus), reference))
    return pairs


def joint_rig(folder: Path) -> list[Pair]:
    """Two segments of a mechanical joint (dfjimu)."""
    from scipy.io import loadmat  # pyright: ignore[reportUnknownVariableType]

    read = cast(Callable[..., Any], loadmat)
    pairs: list[Pair] = []
    for path in _some(folder / "joint_rig", "*.mat"):
        data = read(path, squeeze_me=True, struct_as_record=False)["data"]
        values = np.asarray(data.sensorData, dtype=np.float64)
        rate_hz = float(data.rate)
        first, second = (
            Sensed(values[:, 3:6], values[:, :3], rate_hz),
            Sensed(values[:, 9:], values[:, 6:9], rate_hz),
        )
        pairs.append(
            Pair(path.stem.removeprefix("data_"), (first, second), (data.ref[:, :4], data.ref[:, 4:8]))
        )
    return pairs


def _some(folder: Path, pattern: str) -> list[Path]:
    found = sorted(folder.glob(pattern))
    if not found:
        raise InvalidInput(f"no recordings {folder / pattern}; see README.md of the data folder")
    return found
