"""Walking, told from the vertical acceleration that every step repeats.

A walking body rises and falls by a few centimetres with each step, and so does whatever is strapped to it: its
vertical acceleration repeats itself every half to three quarters of a second (Moe-Nilssen and Helbostad 2004,
J. Biomech. 37(1): the autocorrelation at one step). Exercises, even quick ones, do not: a limb raised once a
second accelerates upwards once.
"""

from math import radians

import numpy as np

WINDOW_STEPS = 100
"""Four seconds at 25 a second: five steps of a slow walker."""
LOOKED_AT_EVERY = 25
LEAST_RMS_M_S2 = 0.7
"""A weaker rise and fall is no walk."""
LEAST_REGULARITY = 0.6
"""Autocorrelation of the vertical acceleration at one step, twice in a row: once may be chance."""
WIDEST_SWING_RAD = radians(95.0)
"""No segment swings further in walking."""
_FROM_STEPS, _TO_STEPS = 8, 20
"""One step takes 0.36 to 0.76 s: within these lags there is a peak."""


class WalkingDetector:
    """Looks at the last four seconds once a second.

    Feed the vertical acceleration 25 times a second. NaN is unknown: it says nothing about walking.
    """

    def __init__(self) -> None:
        self._last: list[float] = []
        self._new = 0
        self.walks = self._was_regular = False

    def update(self, vertical_m_s2: float) -> bool:
        """Take one acceleration, in m/s², without gravity; returns whether walking was looked for just now."""
        self._last.append(vertical_m_s2)
        self._new += 1
        if len(self._last) < WINDOW_STEPS or self._new < LOOKED_AT_EVERY:
            return False
        del self._last[:-WINDOW_STEPS]
        self._new = 0
        regular = step_regularity(np.array(self._last)) >= LEAST_REGULARITY
        self.walks, self._was_regular = regular and self._was_regular, regular
        return True


def step_regularity(vertical_m_s2: np.ndarray) -> float:
    """Greatest autocorrelation of a vertical acceleration (N,) at a step's duration; 0 where there is no peak."""
    moves = vertical_m_s2 - np.mean(vertical_m_s2)
    if not float(np.mean(moves**2)) >= LEAST_RMS_M_S2**2:
        return 0.0
    energy = np.concatenate([[0.0], np.cumsum(moves**2)])
    lags = np.arange(_FROM_STEPS, _TO_STEPS + 1)
    count = len(moves)
    together = np.correlate(moves, moves, "full")[count - 1 + lags]
    alike = together / np.sqrt(energy[count - lags] * (energy[-1] - energy[lags]))
    peak = int(np.argmax(alike))
    return float(alike[peak]) if 0 < peak < len(alike) - 1 else 0.0
