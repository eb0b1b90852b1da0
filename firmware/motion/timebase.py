"""The device time of sensor samples: the sensor's clock followed by a slow second-order loop.

When a batch has emptied the FIFO its newest sample is at most one period old, and the batches with the youngest one
show the sensor's clock best. So once a second the smallest age seen corrects the newest sample's time and the period.
Everything is integer and allocates nothing.
"""

from array import array

from system.clock import add_us, copy, difference_us

_BATCHES = 25  # about a second
_YOUNGEST_US = -50  # age of a sample that comes while the fetch asks for the FIFO's level
_LOST_US = 50_000  # an age that no jitter explains: start over
_SLEWS = 2  # part of the error that the time takes up at once, 1 / _SLEWS
_DRIFTS = 8  # part of it that changes the period


class Timebase:
    """newest: device time of the newest sample in µs (low and high word). period_ns: sample period by that clock."""

    def __init__(self, clock, sample_rate_mhz):
        self._clock = clock
        self._nominal_ns = (10**12 + sample_rate_mhz // 2) // sample_rate_mhz
        self.newest = array("I", [0, 0])
        self._since = array("I", [0, 0])
        self.period_ns = self._nominal_ns
        self.restart()

    def restart(self):
        """Forget: the next batch sets the time."""
        self._known = False

    def _begin(self):
        self.period_ns = self._nominal_ns
        self._rest_ns = 0
        self._windows = 0
        self._begin_window()
        copy(self.newest, self._clock.words)
        add_us(self.newest, -_YOUNGEST_US)
        self._known = True

    def advance(self, samples, emptied):
        """A batch of so many samples (with those lost before them) has been fetched just now.

        emptied: the sensor has no more of them.
        """
        if not self._known:
            self._begin()
            return
        ns = self._rest_ns
        while samples:  # by parts, so that no product leaves 30 bits
            part = min(samples, 16)
            ns += part * self.period_ns
            add_us(self.newest, ns // 1000)
            ns %= 1000
            samples -= part
        self._rest_ns = ns
        if emptied:
            self._follow(difference_us(self._clock.words, self.newest))

    def _follow(self, age_us):
        if not -_LOST_US < age_us < _LOST_US:
            self._begin()
            return
        self._youngest_us = min(self._youngest_us, age_us)
        self._batches += 1
        if self._batches < _BATCHES:
            return
        error_us = self._youngest_us - _YOUNGEST_US
        add_us(self.newest, error_us // _SLEWS)
        elapsed_us = difference_us(self._clock.words, self._since)
        if elapsed_us > 0 and self._windows > 2:
            samples = elapsed_us // (self.period_ns // 1000)
            self.period_ns += error_us * 1000 // _DRIFTS // max(1, samples)
        self._windows += 1
        self._begin_window()

    def _begin_window(self):
        self._batches = 0
        self._youngest_us = _LOST_US
        copy(self._since, self._clock.words)
