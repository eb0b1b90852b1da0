"""Whether a sensor still lies on its limb as it was calibrated."""

from math import radians
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from kinetens.errors import CalibrationDoubtful
from kinetens.motion.body_calibration import BodyCalibration, BodyCalibrator
from kinetens.motion.joint_evidence import Floats
from kinetens.motion.quaternion import Quaternions, turn_about, turn_vector

SLIP_RAD = radians(20.0)
"""A strap has slipped when the sensor is turned further than this against the limb; members' own variation is
about half."""
TURNED_OVER_RAD = radians(120.0)
"""A sensor that is turned further than this was put on upside down or back to front."""
OTHER_RAD = radians(25.0)
"""A movement that leans so much otherwise against the vertical is another one, or another limb's."""
PAUSE_S = 0.3
"""So long a member stands between repetitions; those without such a pause are not looked at."""
_FAR_END_SHARE = 0.4, 1.6
AGREEING = 2
"""So many movements in a row must say so: one alone may have been another movement."""

Doubt = Literal["turned over", "slipped", "other limb"]
_SENTENCES: dict[Doubt, str] = {
    "turned over": "the sensor is turned by {off:.0f}° against its calibration: it was put on upside down or "
    "back to front; put it on as before, or calibrate again.",
    "slipped": "the sensor has turned by {off:.0f}° on the limb, or the movement begins from another posture; "
    "tighten the strap and calibrate again.",
    "other limb": "the movement leans by {lean:.0f}° otherwise against the vertical: the sensor is on another limb, or "
    "this is another movement; check the place and calibrate again.",
}


def mounting_turn_rad(calibrated: BodyCalibration, now: BodyCalibration) -> float:
    """By how much the sensor was turned against the limb between two calibrations."""
    before, after = (np.array([each.up, each.axis]) for each in (calibrated, now))
    return float(Rotation.align_vectors(after, before)[0].magnitude())


def doubt_about(calibrated: BodyCalibration, now: BodyCalibration) -> Doubt | None:
    """What is wrong with a sensor that now moves like this; None if nothing is."""
    lean = abs(now.lean_rad - calibrated.lean_rad)
    if lean > OTHER_RAD:
        return "other limb"
    turned = mounting_turn_rad(calibrated, now)
    if turned > TURNED_OVER_RAD:
        return "turned over"
    return "slipped" if turned > SLIP_RAD else None


def seen_from_far_end(calibrated: BodyCalibration, now: BodyCalibration) -> bool:
    """Whether a movement is the way back and out again of one who paused where the calibration movement turned."""
    if now.axis @ calibrated.axis > -np.cos(SLIP_RAD):
        return False
    turns = turn_about(calibrated.axis, -calibrated.range_rad * np.linspace(*_FAR_END_SHARE, 25))
    return bool(np.max(turn_vector(turns, np.tile(calibrated.up, (25, 1))) @ now.up) > np.cos(SLIP_RAD))


def check(calibrated: BodyCalibration, now: BodyCalibration) -> None:
    """Raises CalibrationDoubtful if the sensor does not lie as it was calibrated."""
    doubt = doubt_about(calibrated, now)
    if doubt is not None:
        raise CalibrationDoubtful(
            doubt,
            _SENTENCES[doubt].format(
                off=np.degrees(mounting_turn_rad(calibrated, now)),
                lean=np.degrees(abs(now.lean_rad - calibrated.lean_rad)),
            ),
        )


class StrapWatch:
    """Looks at every movement out of a pause and back, and raises when the sensor no longer lies as calibrated."""

    def __init__(self, calibrated: BodyCalibration) -> None:
        self._calibrated = calibrated
        self._reader = BodyCalibrator(PAUSE_S)
        self._doubts = 0

    def update(self, times_s: Floats, quaternions: Quaternions) -> None:
        """Take samples at times (N,) in s, orientations (N, 4).

        Raises CalibrationDoubtful: the latest movements agree that the sensor has slipped, was turned over, or is
        on another limb.
        """
        for number in range(len(times_s)):
            one = slice(number, number + 1)
            try:
                now = self._reader.update(times_s[one], quaternions[one])
            except CalibrationDoubtful:
                continue  # no movement to compare with
            if now is None or seen_from_far_end(self._calibrated, now):
                continue
            self._doubts = self._doubts + 1 if doubt_about(self._calibrated, now) else 0
            if self._doubts >= AGREEING:
                self._doubts = 0
                check(self._calibrated, now)
