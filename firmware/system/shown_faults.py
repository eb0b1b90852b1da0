"""The faults that the status shows. Each is logged when it begins and when it is over, not while it lasts."""

from kinetens_protocol.faults import FAULTS

_PASSING_MS = 5_000
"""What happens and is over at once is shown for so long after the last time: a host asks once a second."""


class ShownFaults:
    """word: bit n is fault n of kinetens_protocol.faults."""

    def __init__(self, log, clock):
        self.word = 0
        self._log = log
        self._clock = clock
        self._passing = {}  # fault: when it happened last, ms

    def begin(self, fault, why=""):
        """It is there from now on. why: what was seen, for the log."""
        if not self.word >> fault & 1:
            self.word |= 1 << fault
            self._log("fault: %s%s" % (FAULTS[fault][0], ": %s" % why if why else ""))

    def end(self, fault):
        if self.word >> fault & 1:
            self.word &= ~(1 << fault)
            self._log("fault over: %s" % FAULTS[fault][0])

    def show(self, fault, present, why=""):
        """It begins or ends, whichever is news."""
        if present:
            self.begin(fault, why)
        else:
            self.end(fault)

    def happened(self, fault, why=""):
        """It is there for a moment, perhaps again and again; `forget_passed()` ends it."""
        self._passing[fault] = self._clock.now_ms()
        self.begin(fault, why)

    def forget_passed(self):
        """End what has not happened for a while. To be called every second or so."""
        for fault, since_ms in list(self._passing.items()):
            if self._clock.elapsed_ms(since_ms) >= _PASSING_MS:
                del self._passing[fault]
                self.end(fault)
