"""What a sound sensor in its range never gives: one sample repeated, and counts at the end of the scale.

A sensor at rest is never quite still: the LSM6DSOX's noise (DS12814: 3.8 mdps/√Hz, 110 µg/√Hz) is 0.8 and 3.2 counts at
416 Hz, so that all six counts repeat once in some 30,000 samples, and a hundred times in a row never.
"""

from array import array

import micropython
from micropython import const

FROZEN_SAMPLES = const(104)
"""The same sample so many times in a row, a quarter of a second at 416 Hz, is no measurement."""

FROZEN = const(1 << 6)
"""What `look` found, as are bits 0 to 5: axis n is at the end of its scale."""

# Places in its state: the three words of the newest sample, and how many of the newest samples are that one.
_LAST = const(0)
_SAME = const(3)
_AXES = ("gyroscope x", "gyroscope y", "gyroscope z", "accelerometer x", "accelerometer y", "accelerometer z")


def nothing_seen():
    """A state for `look` of a sensor that has just started."""
    return array("I", [0] * 4)


@micropython.viper
def look(samples: ptr32, count: int, state: ptr32) -> int:
    """Look at `count` samples (at least one), 6 x int16 each, before anything corrects them; 0 if they are sound.

    Of a count of half the scale or more the two highest bits differ. That is rare, so one test for the whole batch
    decides whether it is looked at count by count. Only bits of words are used, the same in 32- and 64-bit registers.
    """
    end = 3 * count
    a = samples[end - 3]
    b = samples[end - 2]
    c = samples[end - 1]
    at = end - 3
    same = 1
    while at > 0 and samples[at - 1] == c and samples[at - 2] == b and samples[at - 3] == a:
        same += 1
        at -= 3
    if at == 0 and state[_LAST] == a and state[_LAST + 1] == b and state[_LAST + 2] == c:
        same += state[_SAME]
    state[_SAME] = same
    state[_LAST] = a
    state[_LAST + 1] = b
    state[_LAST + 2] = c
    seen = FROZEN if same >= FROZEN_SAMPLES else 0
    large = 0
    at = 0
    while at < end:
        a = samples[at]
        b = samples[at + 1]
        c = samples[at + 2]
        large |= (a ^ a << 1) | (b ^ b << 1) | (c ^ c << 1)
        at += 3
    if (large | large >> 16) & 32768:
        at = 0
        while at < 2 * end:
            value = (samples[at >> 1] >> 16 * (at & 1)) & 65535
            if (value + 1) >> 1 == 16384:  # 32767 or -32768
                seen |= 1 << at % 6
            at += 1
    return seen


def axes(seen):
    """The axes at the end of their scale, in words; empty when there are none."""
    return ", ".join(name for axis, name in enumerate(_AXES) if seen >> axis & 1)
