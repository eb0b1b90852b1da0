"""From motion to the counts of an inertial sensor: errors of its own, noise, rounding, saturation.

Shared by the models of all inertial sensors; what is one chip's own (registers, FIFO) stays with that chip.
"""

from dataclasses import dataclass
from math import radians

import numpy as np
from numpy.typing import NDArray

from kinetens.virtual.motion_source import STANDARD_GRAVITY_M_S2, Array, MotionSource

Counts = NDArray[np.int16]
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class SensorErrors:
    """How one specimen differs from the ideal sensor. Triples are x, y, z; scale errors are relative."""

    gyro_bias_dps: Triple
    accel_bias_mg: Triple
    gyro_scale_error: Triple
    accel_scale_error: Triple


@dataclass(frozen=True)
class Channel:
    """One of the two sensors as it is set up. `added` is in its SI unit: a self-test's deflection."""

    si_per_count: float
    noise_si: float
    """Standard deviation of one sample's noise: density times the root of the bandwidth."""
    added: Triple = (0.0, 0.0, 0.0)
    on_since_s: float = 0.0
    """When it was powered up; it settles from there."""


@dataclass(frozen=True)
class Settling:
    """Start-up: the gyroscope is off by a decaying offset, the accelerometer rises to its value."""

    gyro_offset_dps: float = 50.0
    gyro_time_constant_s: float = 0.012
    accel_time_constant_s: float = 0.003


class InertialSampler:
    """Makes blocks of samples. A block depends only on the seed and on the blocks before it."""

    def __init__(
        self, motion: MotionSource, rng: np.random.Generator, errors: SensorErrors, settling: Settling
    ) -> None:
        self._motion = motion
        self._rng = rng
        self._settling = settling
        self._gyro_bias = np.radians(errors.gyro_bias_dps)
        self._accel_bias = np.asarray(errors.accel_bias_mg) * 1e-3 * STANDARD_GRAVITY_M_S2
        self._gyro_gain = 1.0 + np.asarray(errors.gyro_scale_error)
        self._accel_gain = 1.0 + np.asarray(errors.accel_scale_error)

    def counts(self, times_s: Array, gyro: Channel | None, accel: Channel | None) -> Counts:
        """Counts (N, 6), gx gy gz ax ay az, at `times_s` (N,); zeros for a sensor that is off (None)."""
        rate, force = self._motion.sample(times_s)
        noise = self._rng.standard_normal((len(times_s), 6))
        counts = np.zeros((len(times_s), 6))
        if gyro:
            unsettled = self._unsettled(times_s, gyro, self._settling.gyro_time_constant_s)
            offset = radians(self._settling.gyro_offset_dps) * unsettled
            true = rate * self._gyro_gain + self._gyro_bias + np.asarray(gyro.added) + offset
            counts[:, :3] = (true + noise[:, :3] * gyro.noise_si) / gyro.si_per_count
        if accel:
            unsettled = self._unsettled(times_s, accel, self._settling.accel_time_constant_s)
            true = (force * self._accel_gain + self._accel_bias) * (1.0 - unsettled) + np.asarray(accel.added)
            counts[:, 3:] = (true + noise[:, 3:] * accel.noise_si) / accel.si_per_count
        return np.clip(np.rint(counts), -32768, 32767).astype(np.int16)

    @staticmethod
    def _unsettled(times_s: Array, channel: Channel, time_constant_s: float) -> Array:
        """1 at power-up, falling to 0, as a column (N, 1)."""
        return np.exp(-np.maximum(times_s - channel.on_since_s, 0.0) / time_constant_s)[:, np.newaxis]
