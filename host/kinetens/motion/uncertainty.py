"""How far an angle or a range of motion may be from the truth: what its 95 % interval is made of.

The parts, each of which has a name in `SensorErrors`:

- inclination: at rest (the accelerometer's calibration, and how well the sensor's frame is known), and more after lively
  movement (accelerations that were taken for gravity, rates beyond what the sampling follows);
- timing: a sample belongs to another moment than its stamp says; at speed that is an angle;
- range: a share of itself (the gyroscope's scale, 1 % by data sheet), and the heading's drift while the movement lasts;
- for a joint also the heading between both sensors and the axes, with the covariance that their filter has
  (kinetens.motion.heading_correction).

Calibrated on recordings with a truth, VQF at the recording's rate, by maximum likelihood over equally weighted
trials, then scaled to hold 95 % of the errors; judged on the trial that was left out, over all trials:

    AS_BOUGHT (joint rig 50 Hz without 1D_01, robot's arm 125 Hz: sensors as they come)
        inclination, 22 sensor trials: 95.2 % inside, least trial 79 %, most 100 %
        range between two still moments, 920 of 14 sensor trials: 94.7 % inside, least 74 %, most 100 %
    CALIBRATED (BROAD 286 Hz: one calibrated sensor, aligned with its reference)
        inclination, 12 trials: 95.0 % inside, least trial 83 %, most 99 %
        range, 2,853 of 10 trials: 94.6 % inside, least 82 %, most 100 %

So an interval holds over sensors and days; one sensor on one day errs the same way all along and may be outside
more often.

A joint's angles (`python -m bench joints`; the share of the inclination's error left in them was found on these same
trials): hinge 98 and 95 %, two axes 88 to 98 %, three axes 89 to 96 %, the arm's hinge 97 to 100 % inside.

Not covered: the strap. Skin, muscle and clothing move the sensor against the bone by 2 to 10 degrees in lively
movement, and a sensor's axes are not those of the joint before a calibration; no recording here has bones for its
truth. What is measured is the segment as the sensor feels it.
"""

from dataclasses import dataclass
from math import radians, sqrt

import numpy as np

from kinetens.motion.joint_evidence import Floats
from kinetens.motion.quaternion import Quaternions, angles_between

NORMAL_95 = 1.96
"""Half the 95 % interval in standard deviations."""
_LATELY_S = 3.0
"""VQF's inclination forgets with this time constant."""
_UNSEEN_SHARE = 0.25
"""Of the way that a peak speed would cover while samples are missing: what a turn may lie beyond what was seen."""


@dataclass(frozen=True, slots=True)
class SensorErrors:
    """Standard deviations of one sensor's errors."""

    at_rest_rad: float
    """Inclination when the sensor has not moved lately."""
    lately_s: float
    """Inclination, times the root mean square speed of the last seconds."""
    timing_s: float
    """Times the speed at the moment."""
    range_floor_rad: float
    range_share: float
    range_drift_rad_s: float


AS_BOUGHT = SensorErrors(
    at_rest_rad=radians(0.757),
    lately_s=0.0071,
    timing_s=0.0077,
    range_floor_rad=radians(0.215),
    range_share=0.0087,
    range_drift_rad_s=radians(0.072),
)
CALIBRATED = SensorErrors(
    at_rest_rad=radians(0.194),
    lately_s=0.0007,
    timing_s=0.0019,
    range_floor_rad=radians(0.162),
    range_share=0.0018,
    range_drift_rad_s=radians(0.022),
)


def range_half_interval_rad(
    range_rad: float,
    duration_s: float,
    peak_speed_rad_s: float,
    step_s: float,
    unknown_s: float = 0.0,
    sensor: SensorErrors = AS_BOUGHT,
) -> float:
    """Half the 95 % interval of a range of motion from one sensor.

    Args:
        range_rad: the range measured.
        duration_s: from the start to the end of the movement.
        peak_speed_rad_s: while it lasted.
        step_s: between the samples looked at: the turn lies between two of them.
        unknown_s: how much of it was not received.
        sensor: which sensor; as bought, if nothing is known of it.
    """
    # At a turn the speed passes through 0 and changes by about 2 pi peak speeds in a movement's duration.
    turning_rad_s2 = 2.0 * np.pi * peak_speed_rad_s / max(duration_s, step_s)
    between_samples = turning_rad_s2 * (step_s / 2.0) ** 2 / 2.0
    parts = (
        sensor.range_floor_rad,
        sensor.range_share * range_rad,
        sensor.range_drift_rad_s * duration_s,
        between_samples / NORMAL_95,
        _UNSEEN_SHARE * unknown_s * peak_speed_rad_s / NORMAL_95,
    )
    return NORMAL_95 * sqrt(sum(part**2 for part in parts))


class InclinationError:
    """Follows one sensor's orientations and tells how well each of them is inclined."""

    def __init__(self, sensor: SensorErrors = AS_BOUGHT) -> None:
        self._sensor = sensor
        self._last: tuple[float, Quaternions] | None = None
        self._lately = 0.0
        """Mean square of the speed in the last seconds, (rad/s)²."""

    def variance(self, times_s: Floats, quaternions: Quaternions) -> Floats:
        """Variance (N,) in rad² of the inclination in any direction, at times (N,) of orientations (N, 4)."""
        if len(times_s) == 0:
            return np.zeros(0)
        before_s, before = self._last or (2.0 * times_s[0] - times_s[-1] - 1.0, quaternions[0])
        self._last = float(times_s[-1]), quaternions[-1]
        steps_s = np.diff(times_s, prepend=before_s)
        turns = angles_between(np.concatenate([before[None], quaternions]))
        squares = (turns / steps_s) ** 2
        lately = np.empty(len(squares))
        for number, (square, share) in enumerate(zip(squares, -np.expm1(-steps_s / _LATELY_S), strict=True)):
            self._lately += share * (square - self._lately)
            lately[number] = self._lately
        return (
            self._sensor.at_rest_rad**2
            + self._sensor.lately_s**2 * lately
            + self._sensor.timing_s**2 * squares
        )
