"""Operations and events of the control characteristic: greeting, information, streaming, time, status.

    operation          request           response when done
    HELLO              Hello             Hello
    INFO               -                 Info
    START_STREAM       StreamRequest     Stream
    STOP_STREAM        -                 Status; samples that still wait for the radio follow it
    STATUS             -                 Status
    EXCHANGE_TIME      TimeExchange      TimeExchange; the host leaves the device's times 0
    READ_CALIBRATION   -                 Calibration; zeros when there is none
    WRITE_CALIBRATION  Calibration       -
    ERASE_CALIBRATION  -                 -

Every payload may grow at its end in a later minor version: a reader takes the bytes it knows and leaves the
rest.
"""

from struct import calcsize, pack, pack_into, unpack_from

from kinetens_protocol import ProtocolError
from kinetens_protocol.records import NamedTuple

# Operations (since 1.0).
HELLO = 1
INFO = 2
START_STREAM = 3
STOP_STREAM = 4
STATUS = 5
EXCHANGE_TIME = 6
READ_CALIBRATION = 7  # this and the next two since 1.1
WRITE_CALIBRATION = 8
ERASE_CALIBRATION = 9

# Events (since 1.0).
STATUS_EVENT = 1
"""Every second: a Status."""
STREAM_ENDED_EVENT = 2
"""The device ended the stream by itself: the number of samples it produced (4 bytes)."""

RATES_HZ = (25, 50, 100, 200)
LATENCY_MS = (20, 1000)
"""Least and most that a stream request may ask for."""
STREAM_RAW = 0x01
"""Stream flag: raw counts beside orientation."""

Hello = NamedTuple("Hello", [("newest_major", int), ("oldest_major", int), ("minor", int)])
"""Request and response alike: what this side speaks; minor is newest_major's. This layout never changes."""

Info = NamedTuple(
    "Info",
    [
        ("minor", int),
        ("hardware_flags", int),
        ("heap_bytes", int),
        ("sensor_rate_mhz", int),
        ("gyro_udps_per_count", int),
        ("accel_ug_per_count", int),
        ("boot_count", int),
        ("boot_cause", int),
        ("name", str),
        ("board", str),
        ("serial", str),
        ("firmware", str),
        ("platform", str),
        ("sensor", str),
        ("calibrated_on", str),
    ],
)
"""What the device is. sensor_rate_mhz: nominal rate of the sensor's own samples, thousandths of a hertz. The
last seven are texts of at most 20 bytes UTF-8; calibrated_on is an ISO date or empty."""

HAS_STIMULATION = 0x01
HAS_BATTERY = 0x02
BENCH_MODE = 0x04

BOOT_CAUSES = {0: "unknown", 1: "power-on", 2: "hard-reset", 3: "watchdog", 4: "deep-sleep", 5: "soft-reset"}

StreamRequest = NamedTuple("StreamRequest", [("rate_hz", int), ("flags", int), ("latency_ms", int)])
"""latency_ms: the longest a finished sample waits for others to share its notification."""

Stream = NamedTuple(
    "Stream", [("session_id", int), ("rate_hz", int), ("flags", int), ("device_time_us", int)]
)

Status = NamedTuple(
    "Status",
    [
        ("device_time_us", int),
        ("session_id", int),
        ("faults", int),
        ("produced", int),
        ("dropped", int),
        ("refused", int),
        ("raw_produced", int),
        ("raw_dropped", int),
        ("sensor_lost", int),
        ("bus_errors", int),
        ("worst_loop_gap_us", int),
        ("gc_time_us", int),
        ("gc_count", int),
        ("heap_free_bytes", int),
        ("temperature_cdeg", int),
        ("battery_mv", int),
        ("battery_percent", int),
        ("flags", int),
        ("log_entries", int),
    ],
)
"""Counters run from the stream's start (produced … sensor_lost) or from boot. worst_loop_gap_us, gc_time_us
and gc_count cover the second since the status before. temperature_cdeg: hundredths of a degree Celsius."""

UNKNOWN_PERCENT = 255
"""As battery_percent."""

STREAMING = 0x01
AT_REST = 0x02
CHARGING = 0x04
BUTTON_HELD = 0x08
STIMULATION_ACTIVE = 0x10

TimeExchange = NamedTuple(
    "TimeExchange", [("host_sent_us", int), ("device_received_us", int), ("device_sent_us", int)]
)

Calibration = NamedTuple(
    "Calibration",
    [
        ("year", int),
        ("month", int),
        ("day", int),
        ("parts", int),
        ("temperature_cdeg", int),
        ("accel_residual_ug", int),
        ("gyro_offset_x_udps", int),
        ("gyro_offset_y_udps", int),
        ("gyro_offset_z_udps", int),
        ("accel_offset_x_ug", int),
        ("accel_offset_y_ug", int),
        ("accel_offset_z_ug", int),
        ("accel_xx_ppm", int),
        ("accel_xy_ppm", int),
        ("accel_xz_ppm", int),
        ("accel_yx_ppm", int),
        ("accel_yy_ppm", int),
        ("accel_yz_ppm", int),
        ("accel_zx_ppm", int),
        ("accel_zy_ppm", int),
        ("accel_zz_ppm", int),
    ],
)
"""What a motion sensor's readings are corrected by, since 1.1: offsets are subtracted; then each corrected acceleration
is the reading plus its row of the matrix times the readings. Zeros correct nothing. The date is the host's;
accel_residual_ug: what the fit left of the six positions, root mean square."""

GYRO_CALIBRATED = 0x01
ACCEL_CALIBRATED = 0x02

MOST_GYRO_OFFSET_UDPS = 20_000_000
MOST_ACCEL_OFFSET_UG = 200_000
MOST_ACCEL_MATRIX_PPM = 62_000
"""Sizes beyond which a sensor is broken rather than off, which the device's integers rely on."""

NO_CALIBRATION = Calibration(*[0] * 21)
_FIRST_CORRECTION = 6
_BOUNDS = (MOST_GYRO_OFFSET_UDPS,) * 3 + (MOST_ACCEL_OFFSET_UG,) * 3 + (MOST_ACCEL_MATRIX_PPM,) * 9

_HELLO = "<BBB"
_INFO = "<BBIIIIIB"
_TEXTS = 7
LONGEST_TEXT_BYTES = 20  # seven of them, the numbers and a response's header fit SMALLEST_ATT_MTU
_STREAM_REQUEST = "<HBH"
_STREAM = "<IHBQ"
_STATUS = "<QIIIIIIIIIIIHIhHBBI"
_STREAM_END = "<I"
_TIME = "<QQQ"
_CALIBRATION = "<HBBBhIiiiiiiiiiiiiiii"

STATUS_BYTES = calcsize(_STATUS)
CALIBRATION_BYTES = calcsize(_CALIBRATION)


def _unpack(layout: str, payload: bytes, what: str):
    if len(payload) < calcsize(layout):
        raise ProtocolError("%s has %d bytes of %d" % (what, len(payload), calcsize(layout)))
    return unpack_from(layout, payload, 0)


def pack_hello(hello: Hello) -> bytes:
    return pack(_HELLO, *hello)


def unpack_hello(payload: bytes) -> Hello:
    return Hello(*_unpack(_HELLO, payload, "greeting"))


def pack_info(info: Info) -> bytes:
    """Pack the numbers and texts; a text that is too long loses whole characters at its end."""
    parts = [pack(_INFO, *info[:-_TEXTS])]
    for text in info[-_TEXTS:]:
        encoded = text.encode()
        end = min(len(encoded), LONGEST_TEXT_BYTES)
        while end < len(encoded) and encoded[end] & 0xC0 == 0x80:
            end -= 1  # byte `end` continues a character that began before it
        parts.append(bytes([end]) + encoded[:end])
    return b"".join(parts)


def unpack_info(payload: bytes) -> Info:
    numbers = _unpack(_INFO, payload, "device information")
    offset = calcsize(_INFO)
    texts: list[str] = []
    for _ in range(_TEXTS):
        if offset >= len(payload) or offset + 1 + payload[offset] > len(payload):
            raise ProtocolError("device information ends within a text")
        end = offset + 1 + payload[offset]
        try:
            texts.append(bytes(payload[offset + 1 : end]).decode())
        except UnicodeError:
            raise ProtocolError("device information has a text that is not UTF-8")
        offset = end
    return Info(*numbers, *texts)


def pack_stream_request(request: StreamRequest) -> bytes:
    return pack(_STREAM_REQUEST, *request)


def unpack_stream_request(payload: bytes) -> StreamRequest:
    return StreamRequest(*_unpack(_STREAM_REQUEST, payload, "stream request"))


def pack_stream(stream: Stream) -> bytes:
    return pack(_STREAM, *stream)


def unpack_stream(payload: bytes) -> Stream:
    return Stream(*_unpack(_STREAM, payload, "stream"))


def pack_status_into(buffer: bytearray, offset: int, status: Status) -> int:
    """Write a status and return the offset after it."""
    pack_into(_STATUS, buffer, offset, *status)
    return offset + STATUS_BYTES


def unpack_status(payload: bytes) -> Status:
    return Status(*_unpack(_STATUS, payload, "status"))


def pack_stream_end(produced: int) -> bytes:
    """Pack what STREAM_ENDED_EVENT says: how many samples the stream produced."""
    return pack(_STREAM_END, produced)


def unpack_stream_end(payload: bytes) -> int:
    return _unpack(_STREAM_END, payload, "stream end")[0]


def pack_time_exchange(exchange: TimeExchange) -> bytes:
    return pack(_TIME, *exchange)


def unpack_time_exchange(payload: bytes) -> TimeExchange:
    return TimeExchange(*_unpack(_TIME, payload, "time exchange"))


def pack_calibration(calibration: Calibration) -> bytes:
    return pack(_CALIBRATION, *calibration)


def unpack_calibration(payload: bytes) -> Calibration:
    return Calibration(*_unpack(_CALIBRATION, payload, "calibration"))


def calibration_excess(calibration: Calibration) -> tuple[int, int, int] | None:
    """The first correction beyond its bound: its place in the layout, its size and the bound; None if all are within."""
    for place, most in enumerate(_BOUNDS, _FIRST_CORRECTION):
        if abs(calibration[place]) > most:
            return place, abs(calibration[place]), most
    return None


def calibration_date(calibration: Calibration) -> str:
    """The ISO date of a whole calibration; empty when gyroscope or accelerometer has none."""
    if calibration.parts != GYRO_CALIBRATED | ACCEL_CALIBRATED:
        return ""
    return "%04d-%02d-%02d" % (calibration.year, calibration.month, calibration.day)
