"""What the pulses leave behind: the charge on the series capacitor, which balanced pulses take back to zero."""

MOST_NC = 1_000
"""Beyond what one phase may carry at the moment of reading. 1 µC on the capacitor twice in a row is 20 µA of direct
current, a few readings before the capacitor itself would block it."""
_CONFIRMED = 2
"""Readings in a row, 50 ms apart: one may fall between a pulse's phases."""


class Balance:
    """Judges readings of the capacitor's charge, in nC of either sign."""

    def __init__(self):
        self.forget()

    def forget(self):
        self.residual_nc = 0
        self._suspected = 0

    def watch(self, residual_nc, fed_ua, phase_us):
        """Whether charge stays. fed_ua, phase_us: of the last train."""
        self.residual_nc = abs(residual_nc)
        beyond = self.residual_nc > MOST_NC + fed_ua * phase_us // 1000
        self._suspected = self._suspected + 1 if beyond else 0
        return self._suspected >= _CONFIRMED
