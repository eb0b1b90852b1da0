"""Motion frames as the device writes them: integers into one buffer made at the start, nothing allocated.

The layout is kinetens_protocol.motion's; its pack_orientation is the reference for every bit written here. A
frame's header is six 32-bit words, the last five copied from the stream's own array (STREAM_WORDS): on the
target a word above 2**30 would be a heap object as soon as Python code touched it.
"""

from array import array

import micropython

from kinetens_protocol.motion import HEADER_BYTES, MOST_SAMPLES, ORIENTATION, SAMPLE_BYTES

# Where the words of a stream stand in its array, in the header's order.
SESSION = 0
INDEX = 1  # of the frame's first sample
TIME_LOW = 2  # device time of the frame's first sample, µs, 64 bits in two words
TIME_HIGH = 3
PERIOD_NS = 4
STREAM_WORDS = 5

# The words of one orientation: w, x, y, z in Q30, then kinetens_protocol.motion's REST and CLIPPED.
ORIENTATION_WORDS = 5


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
def add_orientation(frame: ptr32, samples: ptr32, which: int) -> int:
    """Pack one orientation behind those in the frame and return the number of samples now in it.

    samples: n x ORIENTATION_WORDS x int32; which: 0 to n - 1. The quaternion's norm is 1 within 2**-20.

    Any input gives the same bits with 32-bit and 64-bit words: magnitudes are compared as negative numbers,
    which exist for -2**31 too, and of each rounded component only bits 11 to 30 are kept, below any overflow.
    """
    at = which * 5
    largest = 0
    negative = 0
    lowest = 1
    for i in range(4):
        value = samples[at + i]
        # A 64-bit word was loaded without its sign: extend it. A 32-bit word stays what it is.
        value = ((((value >> 16) & 0xFFFF) ^ 0x8000) - 0x8000) << 16 | (value & 0xFFFF)
        below = value >> 31 & 1
        if not below:
            value = 0 - value
        if value < lowest:
            lowest = value
            largest = i
            negative = below
    # The three others in order, 20 bits each, rounded half up from Q30 to Q19.
    first = 0
    second = 0
    third = 0
    for i in range(4):
        if i != largest:
            value = samples[at + i]
            if negative:
                value = 0 - value
            first = second
            second = third
            third = (value + 1024) >> 11 & 0xFFFFF
    count = (frame[0] >> 16 & 0xFF) + 1
    word = 4 + 2 * count  # 6 words of header, 2 words a sample
    frame[word] = first | second << 20
    frame[word + 1] = second >> 12 | third << 8 | largest << 28 | (samples[at + 4] & 3) << 30
    frame[0] = (frame[0] & 0xFFFF) | count << 16 | (frame[0] >> 24 & 0xFF) << 24
    return count


@micropython.viper
def add_raw(frame: ptr32, samples: ptr16, which: int) -> int:
    """Copy one sample of six counts behind those in the frame and return the number of samples now in it.

    samples: n x 6 x int16 (gyroscope x y z, accelerometer x y z); which: 0 to n - 1.
    """
    at = which * 6
    count = (frame[0] >> 16 & 0xFF) + 1
    word = 3 + 3 * count  # 6 words of header, 3 words a sample
    for i in range(3):
        frame[word + i] = samples[at + 2 * i] | samples[at + 2 * i + 1] << 16
    frame[0] = (frame[0] & 0xFFFF) | count << 16 | (frame[0] >> 24 & 0xFF) << 24
    return count


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
        self._add = add_orientation if kind == ORIENTATION else add_raw
        # One view for each length: a slice made while streaming would be garbage.
        whole = memoryview(self._buffer)
        self._views = [whole[: HEADER_BYTES + n * sample_bytes] for n in range(self.capacity + 1)]

    def begin(self, flags, stream):
        """Start over: the next sample is the one whose index and time `stream` holds."""
        begin(self._buffer, self.kind, flags, self.sensor, stream)
        self.count = 0

    def add(self, samples, which):
        """Take one sample; True when the frame is full now. Raises IndexError when it was full before."""
        if self.count == self.capacity:
            raise IndexError("frame is full")
        self.count = self._add(self._buffer, samples, which)
        return self.count == self.capacity

    def view(self):
        """The frame's bytes, to be notified before the frame begins anew."""
        return self._views[self.count]
