"""Two dips that are one repetition: told from what the whole orientation repeats, not from one angle.

In some movements (a row at the wrist) the principal angle goes out and back twice in each repetition. The dips
look alike along the angle, but the orientation comes back to what it was only after both: at the repetition's
true period it differs far less from its own past than at half of it. (The average magnitude difference
function's test for a doubled pitch: Ross et al. 1974, IEEE Trans. ASSP 22(5).)
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from kinetens.motion.detector import PAUSE_S
from kinetens.motion.quaternion import Quaternions
from kinetens.motion.repetitions import Repetition

LONGEST_DIP_S = 3.0
"""Slower dips are repetitions: nobody dips twice in so slow a movement."""
DIPS_COMPARED = 4
"""The orientation over so many of the latest dip's durations is compared with its past."""
UNLIKE_RATIO = 1.7
"""How much more the orientation must differ from one dip ago than from two dips ago."""
_ONE_DIP = 0.6, 1.3
_TWO_DIPS = 1.6, 2.6
VOTES, VOTES_NEEDED = 5, 3
"""Of so many latest dips, so many must say so: one alone may be chance."""
_LASTING = 1.3
"""In true periods: what dips within so long a time belong together."""


def whole_period_s(quaternions: Quaternions, dip_s: float, step_s: float) -> float | None:
    """The period of repetitions that have two dips each, or None if a dip is a repetition.

    Args:
        quaternions: (N, 4) the orientations up to the latest dip's end, one every `step_s`, oldest first.
        dip_s: from the end of the dip before to the end of the latest.
        step_s: s.
    """
    dip = round(dip_s / step_s)
    compared = DIPS_COMPARED * dip
    if dip_s > LONGEST_DIP_S or dip < 2 or len(quaternions) < compared + int(_TWO_DIPS[1] * dip):
        return None
    unlike = _unlike_its_past(quaternions[-compared - int(_TWO_DIPS[1] * dip) :], compared)
    after_one = float(np.min(unlike[_lags(_ONE_DIP, dip)]))
    two_dips = _lags(_TWO_DIPS, dip)
    period = two_dips.start + int(np.argmin(unlike[two_dips]))
    # A period that is no whole number of steps is half a step off: squared, a quarter of one step's; twice that is safe.
    explained = float(unlike[1]) / 2.0
    return period * step_s if after_one - explained > UNLIKE_RATIO * float(unlike[period]) else None


def _unlike_its_past(quaternions: Quaternions, compared: int) -> NDArray[np.float64]:
    """How much the last `compared` orientations differ from those so many steps before: (N - compared + 1,).

    It is 1 - |cos(angle / 2)|, on average over those compared.
    """
    turned_over = np.sum(quaternions[1:] * quaternions[:-1], axis=1) < 0.0
    smooth = quaternions.copy()
    smooth[1:] *= np.where(np.cumsum(turned_over) % 2 == 1, -1.0, 1.0)[:, None]
    flat = smooth.ravel()
    windows = np.lib.stride_tricks.sliding_window_view(flat, 4 * compared)[::-4]
    return 1.0 - np.abs(windows @ flat[-4 * compared :]) / compared


def joined(repetitions: Sequence[Repetition], period_s: float) -> list[Repetition]:
    """The repetitions in a row, with those that fall into one true period made one."""
    whole: list[Repetition] = []
    for repetition in repetitions:
        if whole and repetition.end_s - whole[-1].start_s <= _LASTING * period_s:
            whole[-1] = _one(whole[-1], repetition)
        else:
            whole.append(repetition)
    return whole


class DipJoiner:
    """Finds out, dip by dip, that a set's repetitions have two dips each, and joins them from then on."""

    def __init__(self) -> None:
        self._votes: deque[float | None] = deque(maxlen=VOTES)
        self._set_begins = 0
        self._period_s: float | None = None

    def join(self, repetitions: list[Repetition], before: Quaternions, step_s: float) -> bool:
        """Look at the latest of `repetitions`; if dips of its set belong together, join them in place.

        Args:
            repetitions: all so far, the latest just completed.
            before: (N, 4) the orientations up to its end, one every `step_s`, oldest first.
            step_s: s.

        Returns whether the latest was joined to the one before.
        """
        latest = repetitions[-1]
        last_end_s = repetitions[-2].end_s if len(repetitions) > 1 else -np.inf
        if latest.start_s - last_end_s > PAUSE_S:
            self._votes.clear()
            self._set_begins, self._period_s = len(repetitions) - 1, None
            return False
        self._votes.append(whole_period_s(before, latest.end_s - last_end_s, step_s))
        periods = [period for period in self._votes if period is not None]
        if len(periods) >= VOTES_NEEDED:
            self._period_s = median(periods)
        if self._period_s is None:
            return False
        repetitions[self._set_begins :] = joined(repetitions[self._set_begins :], self._period_s)
        return repetitions[-1] is not latest


def _one(first: Repetition, second: Repetition) -> Repetition:
    greater = max(first, second, key=lambda repetition: repetition.range_of_motion_rad)
    return replace(
        greater,
        start_s=first.start_s,
        end_s=second.end_s,
        peak_speed_rad_s=max(first.peak_speed_rad_s, second.peak_speed_rad_s),
        unknown_s=first.unknown_s + second.unknown_s,
    )


def _lags(share: tuple[float, float], dip: int) -> slice:
    return slice(max(1, int(share[0] * dip)), int(share[1] * dip))
