"""Motion frames as the device writes them: integers into one buffer made at the start, nothing allocated.

The layout is kinetens_protocol.motion's; its pack_orientation is the reference for every bit written here. A
frame's header is six 32-bit words, the last five copied from the stream's own array (STREAM_WORDS): on the
target a word above 2**30 would be a heap object as soon as Python code touched it.
"""

from array import array

import micropython
from micropython import const

from kinetens_protocol.motion import HEADER_BYTES, MOST_SAMPLES, ORIENTATION, SAMPLE_BYTES

# Where the words of a stream stand in its array, in the header's order.
SESSION = 0
INDEX = 1  # of the frame's first sample
_TIME = const(2)  # device time of the frame's first sample, µs, 64 bits in two words
_PERIOD_NS = const(4)
STREAM_WORDS = 5

# The words of one orientation: w, x, y, z in Q30, then kinetens_protocol.motion's REST and CLIPPED.
ORIENTATION_WORDS = 5


@micropython.viper
def stamp(stream: ptr32, newest: ptr32, age_us: int, period_ns: int):
    """Set a stream's time to age_us (below 2**29 in size) before `newest`, two words, and its period."""
    us = 0 - age_us
    low = (newest[0] & 0xFFFF) + (us & 0xFFFF)
    high = ((newest[0] >> 16) & 0xFFFF) + ((us >> 16) & 0xFFFF) + (low >> 16)
    stream[_TIME] = (low & 0xFFFF) | (high & 0xFFFF) << 16
    stream[_TIME + 1] = newest[1] + (high >> 16) + (us >> 31)
    stream[_PERIOD_NS] = period_ns


def stream_words():
    """An array for one stream's session, index, time and period."""
    return array("I", bytes(4 * STREAM_WORDS))


@micropython.viper
def begin(frame: ptr32, kind: int, flags: int, sensor: int, stream: ptr32):
    """Write the header of a frame without samples.

    frame: 24 bytes or more, aligned to 4 (a bytearray is; a slice that begins within one may not be).
    stream: STREAM_WORDS x uint32.
    """
    frame[0] = kind | flags << 8 | sensor << 24
    for i in range(5):
        frame[1 + i] = stream[i]


@micropython.viper
def add_orientations(frame: ptr32, samples: ptr32, first: int, count: int) -> int:
    """Pack so many orientations behind those in the frame and return the number of samples now in it.

    samples: n x ORIENTATION_WORDS x int32, of which those from `first` on. A quaternion's norm is 1 within 2**-20.

    Any input gives the same bits with 32-bit and 64-bit words: magnitudes are compared as negative numbers,
    which exist for -2**31 too, and of each rounded component only bits 11 to 30 are kept, below any overflow.
    """
    one = 1
    sign = one << 31  # gives words their sign back: motion.strapdown
    filled = frame[0] >> 16 & 0xFF
    word = 6 + 2 * filled  # 6 words of header, 2 words a sample
    at = first * 5
    end = at + count * 5
    while at < end:
        w = (samples[at] ^ sign) - sign
        x = (samples[at + 1] ^ sign) - sign
        y = (samples[at + 2] ^ sign) - sign
        z = (samples[at + 3] ^ sign) - sign
        # The largest, and the three others in order.
        largest = 0
        lead = w
        lowest = w
        if w > 0:
            lowest = 0 - w
        first = x
        second = y
        third = z
        below = x
        if x > 0:
            below = 0 - x
        if below < lowest:
            lowest = below
            largest = 1
            lead = x
            first = w
        below = y
        if y > 0:
            below = 0 - y
        if below < lowest:
            lowest = below
            largest = 2
            lead = y
            first = w
            second = x
        below = z
        if z > 0:
            below = 0 - z
        if below < lowest:
            largest = 3
            lead = z
            first = w
            second = x
            third = y
        if lead < 0:
            first = 0 - first
            second = 0 - second
            third = 0 - third
        # 20 bits each, rounded half up from Q30 to Q19.
        first = (first + 1024) >> 11 & 0xFFFFF
        second = (second + 1024) >> 11 & 0xFFFFF
        third = (third + 1024) >> 11 & 0xFFFFF
        frame[word] = first | second << 20
        frame[word + 1] = second >> 12 | third << 8 | largest << 28 | (samples[at + 4] & 3) << 30
        word += 2
        at += 5
    filled += count
    frame[0] = (frame[0] & 0xFFFF) | filled << 16 | (frame[0] >> 24 & 0xFF) << 24
    return filled


@micropython.viper
def add_raw(frame: ptr32, samples: ptr16, first: int, count: int) -> int:
    """Copy so many samples of six counts behind those in the frame and return the number of samples now in it.

    samples: n x 6 x int16 (gyroscope x y z, accelerometer x y z), of which those from `first` on.
    """
    filled = frame[0] >> 16 & 0xFF
    word = 6 + 3 * filled  # 6 words of header, 3 words a sample
    at = first * 6
    end = at + count * 6
    while at < end:
        frame[word] = samples[at] | samples[at + 1] << 16
        word += 1
        at += 2
    filled += count
    frame[0] = (frame[0] & 0xFFFF) | filled << 16 | (frame[0] >> 24 & 0xFF) << 24
    return filled


class FrameBuffer:
    """One frame that is filled, notified and filled again, as large as a notification of longest_bytes.

    Raises ValueError when that carries no sample.
    """

    def __init__(self, kind, sensor, longest_bytes):
        sample_bytes = SAMPLE_BYTES[kind]
        self.kind = kind
        self.sensor = sensor
        self.count = 0
        self.capacity = min((longest_bytes - HEADER_BYTES) // sample_bytes, MOST_SAMPLES)
        if self.capacity < 1:
            raise ValueError("a notification of %d bytes carries no motion sample" % longest_bytes)
        self._buffer = bytearray(HEADER_BYTES + self.capacity * sample_bytes)
        self._add = add_orientations if kind == ORIENTATION else add_raw
        # One view for each length: a slice made while streaming would be garbage.
        whole = memoryview(self._buffer)
        self._views = [whole[: HEADER_BYTES + n * sample_bytes] for n in range(self.capacity + 1)]

    @micropython.native
    def begin(self, flags, stream):
        """Start over: the next sample is the one whose index and time `stream` holds."""
        begin(self._buffer, self.kind, flags, self.sensor, stream)
        self.count = 0

    @micropython.native
    def add(self, samples, first, count):
        """Take so many samples, from `first` on. Raises IndexError when they are more than fit."""
        if self.count + count > self.capacity:
            raise IndexError("frame is full")
        self.count = self._add(self._buffer, samples, first, count)

    @micropython.native
    def view(self):
        """The frame's bytes, to be notified before the frame begins anew."""
        return self._views[self.count]
