"""An engineer who lays the virtual device on its six faces, one after the other, as a calibration asks for."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from kinetens.device.calibration import SensorCalibration
from kinetens.virtual.inertial_sampler import SensorErrors
from kinetens.virtual.motion_source import STANDARD_GRAVITY_M_S2, Array

HOLD_S = 4.0
TURN_S = 1.5
_NUDGED = 2
"""One position is disturbed soon after it was taken, so that the guide has to ask for patience."""
_NUDGE_AFTER_S = 1.2
_NUDGE_S = 0.5
_TABLE_SLOPE_RAD = np.radians(0.5)
_CASE_RAD = np.radians(0.3)
_UPS = np.array([[0, 0, 1], [0, 0, -1], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Move:
    """From begin_s until end_s, from one orientation by a turn (rotation vector, sensor frame)."""

    begin_s: float
    end_s: float
    start: Rotation
    turn_rad: Array


class SixPositions:
    """Holds each of the six positions for some seconds and turns to the next, again and again, from `start_delay_s` on.

    The table is not level and the case not square: each position is off by about half a degree, drawn from `seed`.
    Moves are of minimum jerk, without any acceleration of their own.
    """

    def __init__(self, seed: int, start_delay_s: float = 6.0) -> None:
        random = np.random.default_rng(seed)
        slopes = random.normal(0.0, np.hypot(_TABLE_SLOPE_RAD, _CASE_RAD), (len(_UPS), 3))
        placed = [
            Rotation.from_rotvec(slope) * Rotation.align_vectors([[0.0, 0.0, 1.0]], [up])[0]
            for slope, up in zip(slopes, _UPS, strict=True)
        ]
        self._moves: list[_Move] = []
        now_s = 0.0
        for number, here in enumerate(placed):
            if number == _NUDGED:
                now_s += self._nudge(now_s + _NUDGE_AFTER_S, here)
            there = placed[(number + 1) % len(placed)]
            turn = (here.inv() * there).as_rotvec()
            self._moves.append(_Move(now_s + HOLD_S, now_s + HOLD_S + TURN_S, here, turn))
            now_s += HOLD_S + TURN_S
        self._round_s = now_s
        self._first = placed[0]
        self.start_s = start_delay_s
        self.end_s = start_delay_s + self._round_s

    def _nudge(self, at_s: float, here: Rotation) -> float:
        """Turn a little and back; returns how much longer the position is held."""
        there = here * Rotation.from_rotvec([0.0, 0.0, 0.2])
        middle_s = at_s + _NUDGE_S / 2
        self._moves.append(_Move(at_s, middle_s, here, np.array([0.0, 0.0, 0.2])))
        self._moves.append(_Move(middle_s, at_s + _NUDGE_S, there, np.array([0.0, 0.0, -0.2])))
        return _NUDGE_AFTER_S + _NUDGE_S

    def sample(self, times_s: Array) -> tuple[Array, Array]:
        """Angular rate in rad/s (N, 3) and specific force in m/s² (N, 3), sensor frame, at `times_s` (N,)."""
        times = np.asarray(times_s, dtype=np.float64) - self.start_s
        within = np.where(times > 0.0, times % self._round_s, 0.0)
        rate = np.zeros((len(within), 3))
        up = np.tile(self._first.inv().apply([0.0, 0.0, 1.0]), (len(within), 1))
        for move in self._moves:
            since = within >= move.begin_s
            if not np.any(since):
                continue
            lasts_s = move.end_s - move.begin_s
            along = np.clip((within[since] - move.begin_s) / lasts_s, 0.0, 1.0)
            part = along**3 * (10.0 - 15.0 * along + 6.0 * along**2)
            speed = 30.0 * along**2 * (1.0 - along) ** 2 / lasts_s
            orientation = move.start * Rotation.from_rotvec(part[:, None] * move.turn_rad)
            rate[since] = speed[:, None] * move.turn_rad
            up[since] = orientation.inv().apply([0.0, 0.0, 1.0])
        return rate, STANDARD_GRAVITY_M_S2 * up


@dataclass(frozen=True, slots=True)
class ErrorsLeft:
    """The largest error of any axis; the scale's is relative."""

    gyro_offset_dps: float
    accel_offset_mg: float
    accel_scale: float


def errors_left(errors: SensorErrors, calibration: SensorCalibration | None = None) -> ErrorsLeft:
    """What a virtual sensor of known errors is off by once a calibration corrects it."""
    gyro = np.array(errors.gyro_bias_dps)
    accel_mg = np.array(errors.accel_bias_mg)
    gain = 1.0 + np.array(errors.accel_scale_error)
    if calibration is not None:
        gyro -= np.degrees(calibration.gyr_offset_rad_s)
        accel_mg -= calibration.acc_offset_m_s2 / STANDARD_GRAVITY_M_S2 * 1000
        gain *= np.diag(calibration.acc_matrix)
    largest = [float(np.max(np.abs(values))) for values in (gyro, accel_mg, gain - 1.0)]
    return ErrorsLeft(*(round(value, 6) for value in largest))
