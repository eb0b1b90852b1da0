"""The device time of sensor samples: the sensor's clock followed by a slow second-order loop.

When a batch has emptied the FIFO its newest sample is at most one period old, and the batches with the youngest one
show the sensor's clock best. So once a second the smallest age seen corrects the newest sample's time and the period.
Everything is integer and allocates nothing.
"""

from array import array

import micropython
from micropython import const

from system.clock import add_us, copy, difference_us

_BATCHES = const(25)  # about a second
_YOUNGEST_US = const(-50)  # age of a sample that comes while the fetch asks for the FIFO's level
_LOST_US = const(50_000)  # an age that no jitter explains: start over
_SLEWS = const(2)  # part of the error that the time takes up at once, 1 / _SLEWS
_DRIFTS = const(8)  # part of it that changes the period

# Places in the loop's array.
_PERIOD_NS = const(0)
_REST_NS = const(1)  # what the time, in whole µs, has left over
_LEAST_AGE_US = const(2)  # of the batches of this window
_WINDOW_BATCHES = const(3)
_PLACES = const(4)


@micropython.viper
def follow(newest: ptr32, now: ptr32, loop: ptr32, samples: int, emptied: int) -> int:
    """Move the newest sample's time on by so many samples; note its age if the sensor has no more.

    newest, now: times of two words. Returns 1 when the window is over, 2 when no jitter explains the age, else 0.
    """
    period_ns = loop[_PERIOD_NS]
    ns = loop[_REST_NS]
    low = newest[0] & 0xFFFF
    high = (newest[0] >> 16) & 0xFFFF
    while samples > 0:  # by parts, so that no product leaves 30 bits
        part = samples
        if part > 16:
            part = 16
        ns += part * period_ns
        us = ns // 1000
        ns -= us * 1000
        low += us & 0xFFFF
        high += (us >> 16) + (low >> 16)
        low &= 0xFFFF
        samples -= part
    loop[_REST_NS] = ns
    newest[0] = low | (high & 0xFFFF) << 16
    newest[1] = newest[1] + (high >> 16)
    if emptied == 0:
        return 0
    age_us = ((now[0] - newest[0] + 0x20000000) & 0x3FFFFFFF) - 0x20000000
    if age_us <= 0 - _LOST_US or age_us >= _LOST_US:
        return 2
    one = 1
    sign = one << 31
    if age_us < (loop[_LEAST_AGE_US] ^ sign) - sign:
        loop[_LEAST_AGE_US] = age_us
    loop[_WINDOW_BATCHES] += 1
    if loop[_WINDOW_BATCHES] < _BATCHES:
        return 0
    return 1


class Timebase:
    """newest: device time of the newest sample in µs (low and high word)."""

    def __init__(self, clock, sample_rate_mhz):
        self._now = clock.words
        self._nominal_ns = (10**12 + sample_rate_mhz // 2) // sample_rate_mhz
        self._loop = array("i", bytearray(4 * _PLACES))
        self._loop[_PERIOD_NS] = self._nominal_ns
        self.newest = array("I", [0, 0])
        self._since = array("I", [0, 0])
        self.restart()

    @property
    def period_ns(self):
        """Sample period by the device's clock."""
        return self._loop[_PERIOD_NS]

    def restart(self):
        """Forget: the next batch sets the time."""
        self._known = False

    def _begin(self):
        self._loop[_PERIOD_NS] = self._nominal_ns
        self._loop[_REST_NS] = 0
        self._windows = 0
        self._begin_window()
        copy(self.newest, self._now)
        add_us(self.newest, -_YOUNGEST_US)
        self._known = True

    @micropython.native
    def advance(self, samples, emptied):
        """A batch of so many samples (with those lost before them) has been fetched just now.

        emptied: the sensor has no more of them.
        """
        if not self._known:
            self._begin()
            return
        due = follow(self.newest, self._now, self._loop, samples, emptied)
        if due == 1:
            self._correct(self._loop[_LEAST_AGE_US] - _YOUNGEST_US)
        elif due:
            self._begin()

    def _correct(self, error_us):
        """Once in a window: time and period by the age of its youngest batch."""
        add_us(self.newest, error_us // _SLEWS)
        elapsed_us = difference_us(self._now, self._since)
        if elapsed_us > 0 and self._windows > 2:
            samples = elapsed_us // (self.period_ns // 1000)
            self._loop[_PERIOD_NS] += error_us * 1000 // _DRIFTS // max(1, samples)
        self._windows += 1
        self._begin_window()

    def _begin_window(self):
        self._loop[_WINDOW_BATCHES] = 0
        self._loop[_LEAST_AGE_US] = _LOST_US
        copy(self._since, self._now)
