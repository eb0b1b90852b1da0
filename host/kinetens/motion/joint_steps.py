"""Samples of two sensors, averaged into even steps for kinetens.motion.heading_correction."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kinetens.errors import InvalidInput
from kinetens.motion.joint_centre import centre_prediction
from kinetens.motion.joint_evidence import Floats, JointStep
from kinetens.motion.quaternion import Quaternions, to_rotation

STEP_S = 0.04
WIDEST_STEP_S = 0.1
"""Samples further apart than this have a gap between them."""
_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class SensorSamples:
    """Consecutive samples of one sensor: orientation (N, 4), and the raw samples it came from, if there are any.

    gyr_rad_s, acc_m_s2: (N, 3) angular rate and specific force, sensor frame; both or neither.
    """

    quaternions: Quaternions
    gyr_rad_s: Floats | None = None
    acc_m_s2: Floats | None = None

    def table(self, raw: bool) -> Floats:
        """(N, 4), or (N, 10) with the raw samples. Raises InvalidInput where they are missing or do not fit."""
        columns = [np.asarray(self.quaternions, dtype=np.float64)]
        if raw:
            if self.gyr_rad_s is None or self.acc_m_s2 is None:
                raise InvalidInput("raw samples are missing: record both sensors with --raw.")
            columns += [
                np.asarray(self.gyr_rad_s, dtype=np.float64),
                np.asarray(self.acc_m_s2, dtype=np.float64),
            ]
        widths = (4, 3, 3)
        for column, width in zip(columns, widths[: len(columns)], strict=True):
            if column.shape != (len(columns[0]), width):
                raise InvalidInput(f"a sensor's samples must be (N, {width}), not {column.shape}.")
        return np.concatenate(columns, axis=1)


class JointSteps:
    """Cuts the stream into steps of 40 ms. A step is complete with the sample after the first one beyond it:

    the angular acceleration of a sample needs its neighbours. Across a gap there is none, and such samples belong
    to no step.
    """

    def __init__(self, raw: bool) -> None:
        self._raw = raw
        self._times_s = np.zeros(0)
        self._tables = [np.zeros((0, 10 if raw else 4))] * 2
        self._begins_s: float | None = None
        self._number = -1
        self._sum: list[Floats] = []
        self._sum_times_s = 0.0
        self._count = 0

    def take(self, times_s: Floats, first: Floats, second: Floats) -> Iterator[tuple[int, float, JointStep]]:
        """Samples as tables (N, 4) or (N, 10), to steps.

        Yields the number of the sample (in this call) that completed the step, the step's mean time in s, and the step.
        """
        known = len(self._times_s)
        times_s = np.concatenate([self._times_s, times_s])
        tables = [np.concatenate([was, new]) for was, new in zip(self._tables, (first, second), strict=True)]
        self._times_s, self._tables = times_s[-2:], [table[-2:] for table in tables]
        rows = np.arange(1, len(times_s) - 1)
        if len(rows) == 0:
            return
        features = [self._features(times_s, table) for table in tables]
        near = (times_s[2:] - times_s[1:-1] <= WIDEST_STEP_S) & (
            times_s[1:-1] - times_s[:-2] <= WIDEST_STEP_S
        )
        if self._begins_s is None:
            self._begins_s = float(times_s[1])
        numbers = np.floor((times_s[1:-1] - self._begins_s) / STEP_S + _TOLERANCE).astype(int)
        for place in np.flatnonzero(near):
            if numbers[place] != self._number:
                if self._count:
                    yield int(rows[place]) + 1 - known, *self._completed()
                self._number = int(numbers[place])
                self._sum, self._sum_times_s, self._count = [], 0.0, 0
            self._add(float(times_s[rows[place]]), [feature[place] for feature in features])

    def _features(self, times_s: Floats, table: Floats) -> Floats:
        """(N - 2, 3, 3) orientation, or (N - 2, 3, 7) with the centre's prediction, of all samples with two
        neighbours.
        """
        orientation = to_rotation(table[1:-1, :4]).as_matrix()
        if not self._raw:
            return orientation
        gyr, acc = table[:, 4:7], table[1:-1, 7:]
        turn = (gyr[2:] - gyr[:-2]) / (times_s[2:] - times_s[:-2])[:, None]
        return np.concatenate([orientation, centre_prediction(orientation, gyr[1:-1], turn, acc)], axis=2)

    def _add(self, time_s: float, features: list[Floats]) -> None:
        if self._count == 0:
            self._sum = [feature.copy() for feature in features]
        else:
            for sum_, feature in zip(self._sum, features, strict=True):
                sum_ += feature
        self._sum_times_s += time_s
        self._count += 1

    def _completed(self) -> tuple[float, JointStep]:
        first, second = (sum_ / self._count for sum_ in self._sum)
        centres = (first[:, 3:], second[:, 3:]) if self._raw else (None, None)
        return self._sum_times_s / self._count, JointStep(first[:, :3], second[:, :3], *centres)
