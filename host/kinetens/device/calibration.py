"""A motion sensor's own errors, found from what it reads while it lies still on each of its six faces.

The reading of an accelerometer at rest must be as long as gravity in every position. Six positions give offset and
scale of each axis whatever the table's slope, since a slope turns the reading and hardly changes its length. How far
the axes are from square shows in the readings across, which a slope changes too: these count by how well the positions
agree with one another. A turn of the whole sensor in its case is estimated and left out, as the gyroscope has it too
and both must share one frame; so the matrix is symmetric.

Sources: ST AN4508 (parameters and calibration of a low-g 3-axis accelerometer), appendix A: six positions by least
squares. NXP AN4399 (high-precision calibration of a three-axis accelerometer): a symmetric matrix, and lengths instead
of components where the positions are not exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from math import degrees, radians

import numpy as np
from scipy.optimize import least_squares  # pyright: ignore[reportUnknownVariableType]
from scipy.spatial.transform import Rotation

from kinetens.device.stillness import FACES, STANDARD_GRAVITY_M_S2, StillWindow, Vector, direction
from kinetens.errors import KinetensError
from kinetens_protocol import control

# Standard deviations that the readings are weighed by. That of the placement is found from the positions themselves.
_LENGTH_G = 0.0005
_PLACEMENT_RAD = radians(1.0)
_BEST_PLACEMENT_RAD = radians(0.1)
_CROSS_AXIS = 0.005
_ROUNDS = 4

_MOST_GYRO_OFFSET_RAD_S = radians(control.MOST_GYRO_OFFSET_UDPS * 1e-6)
_MOST_ACCEL_OFFSET_M_S2 = control.MOST_ACCEL_OFFSET_UG * 1e-6 * STANDARD_GRAVITY_M_S2
_MOST_ACCEL_MATRIX = control.MOST_ACCEL_MATRIX_PPM * 1e-6
_MOST_RESIDUAL_M_S2 = radians(5.0) * STANDARD_GRAVITY_M_S2

_DPS_UDPS = 1e6
_G_UG = 1e6
_ONE_PPM = 1e6


class CalibrationFailed(KinetensError):
    """The sensor was not calibrated; what it had before is unchanged. The message says why and what to do."""


class NotStill(CalibrationFailed):
    """The device was moved, or not laid on a face, for too long."""


class FacesMissing(CalibrationFailed):
    """Not every face was up once. The message names those that were not."""


class ImplausibleSensor(CalibrationFailed):
    """No sound sensor reads like this: it is broken, or the positions were not what they seemed."""


@dataclass(frozen=True, slots=True)
class SensorCalibration:
    """corrected = matrix · (reading - offset), in SI units; the gyroscope has an offset only."""

    made_on: date
    gyr_offset_rad_s: Vector
    """(3,)"""
    acc_offset_m_s2: Vector
    """(3,)"""
    acc_matrix: Vector
    """(3, 3), near the identity."""
    residual_m_s2: float
    """Root mean square of what is left of the six positions, mostly that they were not level."""
    temperature_degc: float
    parts: int = control.GYRO_CALIBRATED | control.ACCEL_CALIBRATED

    @property
    def whole(self) -> bool:
        """Whether both sensors were calibrated."""
        return self.parts == control.GYRO_CALIBRATED | control.ACCEL_CALIBRATED

    def corrected_gyr(self, reading_rad_s: Vector) -> Vector:
        """Readings (N, 3) or (3,) in rad/s without the offset."""
        return reading_rad_s - self.gyr_offset_rad_s

    def corrected_acc(self, reading_m_s2: Vector) -> Vector:
        """Readings (N, 3) or (3,) in m/s², corrected."""
        return (reading_m_s2 - self.acc_offset_m_s2) @ self.acc_matrix.T

    def pack(self) -> control.Calibration:
        """As the protocol carries it, rounded to its units."""
        gyro = np.degrees(self.gyr_offset_rad_s) * _DPS_UDPS
        accel = self.acc_offset_m_s2 / STANDARD_GRAVITY_M_S2 * _G_UG
        matrix = (self.acc_matrix - np.eye(3)).ravel() * _ONE_PPM
        return control.Calibration(
            self.made_on.year,
            self.made_on.month,
            self.made_on.day,
            self.parts,
            round(self.temperature_degc * 100),
            round(self.residual_m_s2 / STANDARD_GRAVITY_M_S2 * _G_UG),
            *(int(value) for value in np.rint(np.concatenate([gyro, accel, matrix]))),
        )

    @classmethod
    def unpack(cls, packed: control.Calibration) -> "SensorCalibration | None":
        """Read what a device has; None when it has no calibration, or its date is none."""
        if packed.parts == 0:
            return None
        try:
            made_on = date(packed.year, packed.month, packed.day)
        except ValueError:
            return None
        return cls(
            made_on,
            np.radians(np.array(packed[6:9]) / _DPS_UDPS),
            np.array(packed[9:12]) / _G_UG * STANDARD_GRAVITY_M_S2,
            np.eye(3) + np.array(packed[12:21]).reshape(3, 3) / _ONE_PPM,
            packed.accel_residual_ug / _G_UG * STANDARD_GRAVITY_M_S2,
            packed.temperature_cdeg / 100,
            packed.parts,
        )


def fit_gyroscope(windows: Sequence[StillWindow]) -> Vector:
    """The gyroscope's offset (3,) in rad/s: its mean reading at rest.

    Raises NotStill without a window, ImplausibleSensor when the offset is beyond what devices correct.
    """
    if not windows:
        raise NotStill("the device never lay still; lay it on a firm table and let go of it")
    offset = np.average(
        [window.gyr_rad_s for window in windows], axis=0, weights=[w.duration_s for w in windows]
    )
    if np.any(np.abs(offset) > _MOST_GYRO_OFFSET_RAD_S):
        raise ImplausibleSensor(
            f"the gyroscope reads {_listed(np.degrees(offset))} °/s at rest, more than a sound one; "
            "was the device turning all the time?"
        )
    return offset


def fit_accelerometer(windows: Sequence[StillWindow]) -> tuple[Vector, Vector, float]:
    """Offset (3,) in m/s², symmetric matrix (3, 3) and residual in m/s² from still windows on all six faces.

    Windows that are on no face are left out.

    Raises:
        FacesMissing: a face was never up.
        ImplausibleSensor: a correction is beyond what devices apply, or the readings contradict one another.
    """
    placed = [(window, face) for window in windows if (face := window.face) is not None]
    missing = [face for face in FACES if face not in {face for _, face in placed}]
    if missing:
        raise FacesMissing(
            f"these faces were not up yet: {', '.join(missing)}; lay the device on all six sides"
        )
    readings = np.array([window.acc_m_s2 for window, _ in placed]) / STANDARD_GRAVITY_M_S2
    ups = np.array([direction(face) for _, face in placed])

    solution = np.concatenate([np.zeros(3), np.ones(3), np.zeros(6)])
    placement_rad = _PLACEMENT_RAD
    left: Vector = np.zeros_like(ups)
    for _ in range(_ROUNDS):
        weighed = partial(_weighed, readings=readings, ups=ups, placement_rad=placement_rad)
        found = least_squares(weighed, solution)  # pyright: ignore[reportUnknownVariableType]
        solution = np.asarray(found.x, dtype=np.float64)  # pyright: ignore[reportUnknownArgumentType]
        left = _corrected(solution, readings) - ups
        # Two components across each reading, of which the fit has used up three for the matrix and three for the turn.
        freedom = 2 * len(readings) - 6
        placement_rad = max(_BEST_PLACEMENT_RAD, float(np.sqrt(np.sum(left**2) / freedom)))
    offset, matrix = solution[:3], _symmetric(solution[3:9])
    residual_m_s2 = float(np.sqrt(np.sum(left**2) / len(readings))) * STANDARD_GRAVITY_M_S2
    offset_m_s2 = offset * STANDARD_GRAVITY_M_S2
    _check(offset_m_s2, matrix, residual_m_s2)
    return offset_m_s2, matrix, residual_m_s2


def _corrected(unknown: Vector, readings: Vector) -> Vector:
    """Readings (N, 3) in g, turned to the case's frame. unknown: offset (3), matrix (6), turn (3)."""
    turn = Rotation.from_rotvec(unknown[9:])
    return np.asarray(turn.apply((readings - unknown[:3]) @ _symmetric(unknown[3:9])), dtype=np.float64)


def _weighed(unknown: Vector, readings: Vector, ups: Vector, placement_rad: float) -> Vector:
    """What a choice of the unknowns leaves, each in its standard deviation: lengths, components across, cross-axis."""
    corrected = _corrected(unknown, readings)
    length = np.linalg.norm(corrected, axis=1) - 1.0
    across = np.cross(corrected, ups).ravel()
    return np.concatenate([length / _LENGTH_G, across / placement_rad, unknown[6:9] / _CROSS_AXIS])


def _symmetric(entries: Vector) -> Vector:
    """xx yy zz xy xz yz as a matrix."""
    xx, yy, zz, xy, xz, yz = entries
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def _check(offset_m_s2: Vector, matrix: Vector, residual_m_s2: float) -> None:
    if np.any(np.abs(offset_m_s2) > _MOST_ACCEL_OFFSET_M_S2):
        raise ImplausibleSensor(
            f"the accelerometer is off by {_listed(offset_m_s2)} m/s², more than a sound one; is it broken?"
        )
    if np.any(np.abs(matrix - np.eye(3)) > _MOST_ACCEL_MATRIX):
        raise ImplausibleSensor(
            f"the accelerometer's scale is off by {_listed(100 * (np.diag(matrix) - 1))} %, more than a sound one; "
            "is it broken?"
        )
    if residual_m_s2 > _MOST_RESIDUAL_M_S2:
        slope_deg = degrees(residual_m_s2 / STANDARD_GRAVITY_M_S2)
        raise ImplausibleSensor(
            f"the six positions contradict each other by {slope_deg:.0f}°; lay the device flat on a level table"
        )


def _listed(values: Vector) -> str:
    return ", ".join(f"{value:.2f}" for value in values)
