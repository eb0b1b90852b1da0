"""What the senses say about pads and skin: impedance, share of the pad in contact, open, short."""

from kinetens_protocol import limits, stimulation

MEASURABLE_UA = 1_000
"""Below this the senses are too coarse to trip on."""
_REFERENCE_UA = 2_000
_OPEN_OHM = 1_000_000
_CONFIRMED = 2
"""Readings in a row, 50 ms apart, before a fault: one may be noise."""


class Contact:
    """Judges readings of current (µA) and voltage (mV) against the effective limits."""

    def __init__(self):
        self.forget()

    def forget(self):
        """Start over: the pads may have been moved."""
        self.current_ua = 0
        self.impedance_ohm = 0
        self.permille = 1000
        self._reference_ohm = _OPEN_OHM
        self._suspected = 0

    def check(self, sense, bounds):
        """The cause that forbids to arm after the test pulses, or NOT_STOPPED."""
        self._read(sense, limits.TEST_CURRENT_UA)
        if self.impedance_ohm > bounds[limits.IMPEDANCE].value:
            return stimulation.CONTACT_OPEN
        if self.impedance_ohm < bounds[limits.IMPEDANCE_LEAST].value:
            return stimulation.CONTACT_SHORT
        return stimulation.NOT_STOPPED

    def watch(self, sense, asked_ua, plan):
        """The fault of the running output, or NO_FAULT. asked_ua: amplitude of the last train."""
        self._read(sense, asked_ua)
        fault = self._fault(asked_ua, plan.limits, plan.least_permille)
        self._suspected = self._suspected + 1 if fault else 0
        return fault if self._suspected >= _CONFIRMED else stimulation.NO_FAULT

    def _read(self, sense, asked_ua):
        self.current_ua, voltage_mv = sense
        if self.current_ua * 4 < asked_ua:
            self.impedance_ohm = _OPEN_OHM
        else:
            self.impedance_ohm = min(voltage_mv * 1000 // max(self.current_ua, 1), _OPEN_OHM)

    def _fault(self, asked_ua, bounds, least_permille):
        if self.current_ua > asked_ua + asked_ua // 5 + 500:
            return stimulation.WRONG_CURRENT
        if asked_ua < MEASURABLE_UA:
            return stimulation.NO_FAULT
        if self.impedance_ohm > bounds[limits.IMPEDANCE].value:
            return stimulation.LEAD_OFF
        if self.impedance_ohm < bounds[limits.IMPEDANCE_LEAST].value:
            return stimulation.SHORT
        if self.current_ua < asked_ua - asked_ua // 8 - 200:
            return stimulation.WRONG_CURRENT
        if asked_ua >= _REFERENCE_UA:
            self._reference_ohm = min(self._reference_ohm, self.impedance_ohm)
            self.permille = self._reference_ohm * 1000 // self.impedance_ohm
            if self.permille < least_permille:
                return stimulation.PAD_PARTLY_OFF
        return stimulation.NO_FAULT
