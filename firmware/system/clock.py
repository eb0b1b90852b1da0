"""The device's clock: microseconds since boot in 64 bits, from ticks that wrap at 30."""

import time
from array import array

import micropython


@micropython.viper
def add_us(words: ptr32, us: int):
    """Add to a 64-bit time (low word, high word); us: signed, below 2**30. The same bits with 32- and 64-bit words."""
    low = (words[0] & 0xFFFF) + (us & 0xFFFF)
    high = ((words[0] >> 16) & 0xFFFF) + ((us >> 16) & 0xFFFF) + (low >> 16)
    words[0] = (low & 0xFFFF) | (high & 0xFFFF) << 16
    words[1] = words[1] + (high >> 16) + (us >> 31)


@micropython.viper
def difference_us(words: ptr32, other: ptr32) -> int:
    """words - other in µs, right when it is within ±2**29 (9 minutes)."""
    return ((words[0] - other[0] + 0x20000000) & 0x3FFFFFFF) - 0x20000000


@micropython.viper
def copy(words: ptr32, source: ptr32):
    words[0] = source[0]
    words[1] = source[1]


class Clock:
    """words: the time at the last `update()`, low and high word. Call `update()` at least every 8 minutes."""

    def __init__(self):
        self.words = array("I", [0, 0])
        self._ticks_us, self._ticks_diff = time.ticks_us, time.ticks_diff
        self._ticks = time.ticks_us()

    @micropython.native
    def update(self):
        """Take the ticks that have passed; allocates nothing."""
        ticks = self._ticks_us()
        add_us(self.words, self._ticks_diff(ticks, self._ticks))
        self._ticks = ticks

    def now_us(self):
        """Time since boot in µs, as one integer (a heap object after 18 minutes)."""
        self.update()
        return self.words[0] | self.words[1] << 32

    def now_ms(self):
        """Ticks in ms, which wrap: compare with `elapsed_ms` only."""
        return time.ticks_ms()

    def elapsed_ms(self, since_ms):
        """Time since `since_ms`, right up to 6 days."""
        return time.ticks_diff(time.ticks_ms(), since_ms)
