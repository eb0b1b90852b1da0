"""The firmware's own orientation filter, run by MicroPython over recorded samples."""

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinetens import resources
from kinetens.errors import InvalidInput, VirtualDeviceError
from kinetens.virtual.motion_source import STANDARD_GRAVITY_M_S2
from kinetens.virtual.process import MACHINE_SIDE, find_micropython

GYRO_UDPS, ACCEL_UG = 70_000, 488
"""LSM6DSOX at 2000 °/s and 16 g: weight of a count."""
FASTEST_HZ = 500.0
"""More samples at full scale than a window of the filter adds up in 32 bits."""
_HEAP = "1m"
_LONGEST_S = 3600.0


@dataclass(frozen=True, slots=True)
class Filtered:
    """One row an output: quaternion (N, 4) sensor to world, flags (N,), gyroscope bias (N, 3) in counts."""

    quaternion: NDArray[np.float64]
    flags: NDArray[np.int32]
    bias_counts: NDArray[np.float64]


def counts(
    gyr_rad_s: NDArray[np.float64],
    acc_m_s2: NDArray[np.float64],
    gyro_udps: int = GYRO_UDPS,
    accel_ug: int = ACCEL_UG,
) -> NDArray[np.int16]:
    """What a sensor would have given (N, 6) for rates (N, 3) and specific forces (N, 3); saturates at full scale.

    Each rounding passes its rest on to the next sample: a sensor's own noise keeps the mean of its counts true, and a
    recording that was smoothed or resampled has lost that noise.
    """
    rates = np.degrees(gyr_rad_s) / (gyro_udps * 1e-6)
    forces = acc_m_s2 / STANDARD_GRAVITY_M_S2 / (accel_ug * 1e-6)
    rounded = np.diff(np.round(np.cumsum(np.hstack([rates, forces]), axis=0)), axis=0, prepend=0)
    return np.clip(rounded, -32768, 32767).astype("<i2")


def run_filter(
    samples: NDArray[np.int16],
    rate_hz: float,
    output_hz: float | None = None,
    gyro_udps: int = GYRO_UDPS,
    accel_ug: int = ACCEL_UG,
) -> Filtered:
    """Filter samples (N, 6) in counts; an output for each sample, or `output_hz` of them a second.

    Raises InvalidInput for a rate above FASTEST_HZ, VirtualDeviceError when MicroPython is missing or fails.
    """
    if round(rate_hz) > FASTEST_HZ:
        raise InvalidInput(
            f"the device's filter takes up to {FASTEST_HZ:g} samples a second, not {rate_hz:.4g}; "
            "resample the recording, or use the engine vqf"
        )
    numbers = (round(rate_hz * 1000), gyro_udps, accel_ug, round((output_hz or rate_hz) * 1000))
    with tempfile.TemporaryDirectory(prefix="kinetens-filter-") as folder:
        source, result = Path(folder) / "samples", Path(folder) / "results"
        samples.astype("<i2").tofile(source)
        script = [str(MACHINE_SIDE / "_filter.py"), str(resources.firmware_dir())]
        command = [find_micropython(), "-X", f"heapsize={_HEAP}", *script, *map(str, numbers)]
        done = subprocess.run(
            [*command, str(source), str(result)], capture_output=True, text=True, timeout=_LONGEST_S
        )
        if done.returncode:
            reason = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[-1]
            raise VirtualDeviceError(f"the firmware's filter failed under MicroPython: {reason}")
        rows = np.fromfile(result, "<i4").reshape(-1, 8)
    return Filtered(rows[:, :4] / (1 << 30), rows[:, 4], rows[:, 5:] / 65536)
