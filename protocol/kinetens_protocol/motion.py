"""Motion frames: numbered orientation samples (or raw sensor counts), as many as a notification takes.

    offset size
    0      1    kind: 0x10 orientation, 0x11 raw counts
    1      1    flags: bit 0 samples before the first one were dropped on the device
    2      1    number of samples, 1 to 255
    3      1    sensor number, 0 on a device with one sensor
    4      4    session identifier: random, new for each stream
    8      4    index of the first sample; a stream's first sample is 0
    12     8    device time of the first sample, µs since the device started
    20     4    sample period as measured by the device's clock, ns
    24     …    samples: orientation 8 bytes, raw 12 bytes (gyroscope x y z, accelerometer x y z, int16 each)

Orientation and raw samples are numbered separately, each kind from 0.

An orientation sample is one 64-bit word, "smallest three" (the largest component is left out and computed
from the unit norm; its sign is made positive, since q and -q are one rotation):

    bits 0-19, 20-39, 40-59   the other three components in order, two's complement, 2**-19 each
    bits 60-61                which component was left out: 0 w, 1 x, 2 y, 3 z
    bit 62                    the sensor was at rest
    bit 63                    the sensor was saturated since the sample before

Rounding each component by half of 2**-19 turns the orientation by at most 0.0004 degrees.
"""

from math import sqrt
from struct import pack_into, unpack_from

from kinetens_protocol import ProtocolError
from kinetens_protocol.records import NamedTuple

ORIENTATION = 0x10
RAW = 0x11

DROPPED_BEFORE = 0x01

HEADER_BYTES = 24
ORIENTATION_SAMPLE_BYTES = 8
RAW_SAMPLE_BYTES = 12
SAMPLE_BYTES = {ORIENTATION: ORIENTATION_SAMPLE_BYTES, RAW: RAW_SAMPLE_BYTES}
MOST_SAMPLES = 255

REST = 0x1
CLIPPED = 0x2

_HEADER = "<BBBBIIQI"
_COMPONENT_SCALE = 1 << 19
_COMPONENT_MASK = (1 << 20) - 1
_COMPONENT_SIGN = 1 << 19

FrameHeader = NamedTuple(
    "FrameHeader",
    [
        ("kind", int),
        ("flags", int),
        ("count", int),
        ("sensor", int),
        ("session_id", int),
        ("first_index", int),
        ("device_time_us", int),
        ("period_ns", int),
    ],
)


def pack_header_into(buffer: bytearray, header: FrameHeader) -> None:
    """Write a frame's first 24 bytes, as firmware/motion/frames.py does without allocating."""
    pack_into(_HEADER, buffer, 0, *header)


def unpack_header(frame: bytes) -> FrameHeader:
    """Read and check a frame's header against the frame's length.

    Raises ProtocolError when the kind does not exist or the length is not that of the samples it states.
    """
    if len(frame) < HEADER_BYTES:
        raise ProtocolError("motion frame of %d bytes is shorter than its header" % len(frame))
    header = FrameHeader(*unpack_from(_HEADER, frame, 0))
    if header.kind not in SAMPLE_BYTES:
        raise ProtocolError("motion frame kind 0x%02x does not exist" % header.kind)
    expected = HEADER_BYTES + header.count * SAMPLE_BYTES[header.kind]
    if header.count == 0 or len(frame) != expected:
        raise ProtocolError(
            "motion frame says %d samples (%d bytes) and has %d bytes" % (header.count, expected, len(frame))
        )
    return header


def pack_orientation(quaternion: tuple[float, float, float, float], flags: int) -> bytes:
    """Pack one unit quaternion (w, x, y, z) and its flags; the reference for the device's integer version."""
    largest = max(range(4), key=lambda i: abs(quaternion[i]))
    sign = -1 if quaternion[largest] < 0 else 1
    word = (largest << 60) | (flags & (REST | CLIPPED)) << 62
    shift = 0
    for i in range(4):
        if i != largest:
            component = int(_floor(sign * quaternion[i] * _COMPONENT_SCALE + 0.5))
            word |= (component & _COMPONENT_MASK) << shift
            shift += 20
    buffer = bytearray(ORIENTATION_SAMPLE_BYTES)
    pack_into("<Q", buffer, 0, word)
    return bytes(buffer)


def unpack_orientation(frame: bytes, offset: int) -> tuple[float, float, float, float, int]:
    """Read one sample: w, x, y, z (unit norm) and its flags.

    Raises ProtocolError when the frame ends within it or its components cannot be those of a unit quaternion.
    """
    if offset + ORIENTATION_SAMPLE_BYTES > len(frame):
        raise ProtocolError("motion frame ends within a sample")
    word = unpack_from("<Q", frame, offset)[0]
    largest = (word >> 60) & 3
    flags = word >> 62
    components = [0.0, 0.0, 0.0, 0.0]
    rest_of_norm = 1.0
    for i in range(4):
        if i != largest:
            component = word & _COMPONENT_MASK
            word >>= 20
            components[i] = ((component ^ _COMPONENT_SIGN) - _COMPONENT_SIGN) / _COMPONENT_SCALE
            rest_of_norm -= components[i] * components[i]
    if rest_of_norm < 0.2:
        raise ProtocolError("orientation sample is not a unit quaternion")
    components[largest] = sqrt(rest_of_norm)
    return (components[0], components[1], components[2], components[3], flags)


def samples_per_frame(kind: int, att_mtu: int) -> int:
    """The most samples of a kind that one notification carries at an ATT MTU; 0 when it carries none."""
    return max(0, min((att_mtu - 3 - HEADER_BYTES) // SAMPLE_BYTES[kind], MOST_SAMPLES))


def _floor(value: float) -> int:
    return int(value) - (1 if value < int(value) else 0)
