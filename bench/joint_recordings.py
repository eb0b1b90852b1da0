"""Recordings of two sensors on either side of a joint, or of one, with the truth (see the folder's README)."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat  # pyright: ignore[reportUnknownVariableType]
from scipy.spatial.transform import Rotation
from vqf import VQF  # pyright: ignore[reportUnknownVariableType]

from bench.recorded import data_folder
from kinetens.motion.joint_steps import SensorSamples
from kinetens.motion.quaternion import Quaternions, to_rotation

Floats = NDArray[np.float64]
RIG = [f"{axes}D_0{number}" for axes in (1, 2, 3) for number in (1, 2, 3)]
ARM = ["circle-100", "circle-150", "circle-250"]


@dataclass(frozen=True, slots=True)
class PairRecording:
    """Two sensors and their segments' true orientations; `levers` are what the rig's file says of the joint's centre."""

    name: str
    rate_hz: float
    first: SensorSamples
    second: SensorSamples
    first_truth: Rotation
    second_truth: Rotation
    levers: tuple[Floats, Floats] | None

    @property
    def times_s(self) -> Floats:
        """(N,)."""
        return np.arange(len(self.first.quaternions)) / self.rate_hz

    @property
    def relative_truth(self) -> Rotation:
        """Second segment to first."""
        return self.first_truth.inv() * self.second_truth


def fused(gyr_rad_s: Floats, acc_m_s2: Floats, rate_hz: float) -> Quaternions:
    """Orientation (N, 4) by VQF, from rates and forces (N, 3) alone."""
    gyr = np.ascontiguousarray(gyr_rad_s, dtype=np.float64)
    acc = np.ascontiguousarray(acc_m_s2, dtype=np.float64)
    return np.asarray(VQF(1.0 / rate_hz).updateBatch(gyr, acc)["quat6D"], dtype=np.float64)


def sensor(gyr_rad_s: Floats, acc_m_s2: Floats, rate_hz: float) -> SensorSamples:
    """Raw samples with their orientation."""
    return SensorSamples(fused(gyr_rad_s, acc_m_s2, rate_hz), gyr_rad_s, acc_m_s2)


def rig_trial(name: str) -> PairRecording:
    """A trial of the joint rig, such as 1D_02."""
    path = data_folder() / "joint_rig" / f"data_{name}.mat"
    data = cast(Any, loadmat)(path, squeeze_me=True, struct_as_record=False)["data"]
    columns = np.asarray(data.sensorData, dtype=np.float64).reshape(-1, 4, 3)
    acc_1, gyr_1, acc_2, gyr_2 = (np.ascontiguousarray(columns[:, part]) for part in range(4))
    rate_hz = float(data.rate)
    return PairRecording(
        name,
        rate_hz,
        sensor(gyr_1, acc_1, rate_hz),
        sensor(gyr_2, acc_2, rate_hz),
        to_rotation(np.asarray(data.ref[:, :4], dtype=np.float64)),
        to_rotation(np.asarray(data.ref[:, 4:8], dtype=np.float64)),
        (np.asarray(data.r_12, dtype=np.float64), np.asarray(data.r_21, dtype=np.float64)),
    )


def arm_trial(name: str) -> PairRecording:
    """A trial of the robot's arm, such as circle-100: radius and carpus."""
    folder = data_folder() / "robot_arm" / name

    def table(file: str) -> Floats:
        return np.loadtxt(folder / f"{file}.csv", delimiter=",", skiprows=1)[:, 1:]

    first, second = table("imu_radius"), table("imu_carpus")
    return PairRecording(
        name,
        125.0,
        sensor(first[:, 3:], first[:, :3], 125.0),
        sensor(second[:, 3:], second[:, :3], 125.0),
        to_rotation(table("radius")),
        to_rotation(table("carpus")),
        None,
    )


@dataclass(frozen=True, slots=True)
class SingleRecording:
    """One sensor's orientation and the truth, where it is known."""

    name: str
    rate_hz: float
    quaternions: Quaternions
    truth: Rotation


def single_recordings() -> dict[str, list[SingleRecording]]:
    """Every sensor of the rig (without 1D_01), the arm and BROAD (every third sample), by the kind of sensor."""
    as_bought: list[SingleRecording] = []
    for trial in [*(rig_trial(name) for name in RIG if name != "1D_01"), *(arm_trial(name) for name in ARM)]:
        for place, samples, truth in (
            ("first", trial.first, trial.first_truth),
            ("second", trial.second, trial.second_truth),
        ):
            mounted = truth if trial.levers else truth * _mounting(samples.quaternions, truth)
            as_bought.append(
                SingleRecording(f"{trial.name} {place}", trial.rate_hz, samples.quaternions, mounted)
            )
    calibrated: list[SingleRecording] = []
    for path in sorted((data_folder() / "broad").glob("*.npz")):
        with np.load(path) as arrays:
            rate_hz = float(arrays["fs"])
            quaternions = fused(arrays["gyr"], arrays["acc"], rate_hz)
            truth = np.asarray(arrays["opt_quat"], dtype=np.float64)
        seen = np.flatnonzero(np.isfinite(truth).all(axis=1))[::3]
        calibrated.append(
            SingleRecording(path.stem, rate_hz / 3.0, quaternions[seen], to_rotation(truth[seen]))
        )
    return {"as bought": as_bought, "calibrated": calibrated}


def _mounting(quaternions: Quaternions, truth: Rotation) -> Rotation:
    """How a sensor is turned on its segment: what lets both agree about gravity."""
    up = np.tile([0.0, 0.0, 1.0], (len(quaternions), 1))
    return Rotation.align_vectors(truth.inv().apply(up), to_rotation(quaternions).inv().apply(up))[0]
