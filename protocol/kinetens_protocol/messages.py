"""Requests, responses and events: the framing shared by the control and the stimulation characteristic.

    offset size
    0      1    kind: 1 request, 2 response, 3 event
    1      1    operation (request, response) or event code
    2      2    request identifier (request, response) or event sequence number, wrapping
    4      …    request or event payload; a response has its reason code (1 byte) first

A host gives each request the identifier after the last one's (0 is never used). A device that sees the
identifier it answered last answers the same bytes again and does nothing, so that a request whose answer was
lost can be repeated.
A refused request (reason other than OK) has a Refusal for its payload.
"""

from struct import pack, pack_into, unpack_from

from kinetens_protocol import ProtocolError
from kinetens_protocol.records import NamedTuple

REQUEST = 1
RESPONSE = 2
EVENT = 3

HEADER_BYTES = 4
RESPONSE_HEADER_BYTES = 5
LONGEST_REQUEST_BYTES = 128
SMALLEST_ATT_MTU = 185
"""Every message fits this MTU (182 bytes), the smallest that computers and phones of today agree on;
greetings and refusals fit any MTU."""

OK = 0
UNKNOWN_OPERATION = 1
MALFORMED = 2
NOT_GREETED = 3
VERSION_UNSUPPORTED = 4
OUT_OF_RANGE = 5
WRONG_STATE = 6
SENSOR_UNAVAILABLE = 7
STIMULATION_UNAVAILABLE = 8
LIMIT_EXCEEDED = 9
STALE = 10
FAULT_LATCHED = 11
NO_CONTACT = 12
BUTTON_NEEDED = 13
REST_NEEDED = 14
DOSE_SPENT = 15
PROTECTION_MISSING = 16
CHARGER_CONNECTED = 17
BATTERY_LOW = 18
BUSY = 19
STORAGE_FAILED = 20
WRONG_DEVICE = 21
MTU_TOO_SMALL = 22
WRONG_MEMBER = 23  # since 1.2

REASONS = {
    OK: "done",
    UNKNOWN_OPERATION: "the device does not know this operation",
    MALFORMED: "the request has the wrong length or layout",
    NOT_GREETED: "the first request of a connection must be the greeting",
    VERSION_UNSUPPORTED: "host and device speak different protocol versions",
    OUT_OF_RANGE: "a value is outside what the device offers",
    WRONG_STATE: "not possible in the device's present state",
    SENSOR_UNAVAILABLE: "the motion sensor does not work",
    STIMULATION_UNAVAILABLE: "this board has no stimulation channel",
    LIMIT_EXCEEDED: "a limit of the stimulation envelope would be exceeded",
    STALE: "the counter is not newer than the last one",
    FAULT_LATCHED: "a fault is latched and must be cleared first",
    NO_CONTACT: "the pads have no good contact",
    BUTTON_NEEDED: "hold the device's button for half a second first",
    REST_NEEDED: "the rest time since the last session is not over",
    DOSE_SPENT: "the day's sessions or minutes are used up",
    PROTECTION_MISSING: "the board lacks a hardware protection",
    CHARGER_CONNECTED: "the charger is connected",
    BATTERY_LOW: "the battery is too low",
    BUSY: "the device is busy with another request",
    STORAGE_FAILED: "the device could not write its memory",
    WRONG_DEVICE: "the plan is bound to another device",
    MTU_TOO_SMALL: "the link's MTU is too small for the answer",
    WRONG_MEMBER: "the device belongs to another member until it is released",
}

Message = NamedTuple("Message", [("kind", int), ("code", int), ("identifier", int), ("payload", bytes)])

Refusal = NamedTuple("Refusal", [("subject", int), ("source", int), ("value", int), ("bound", int)])
"""What bound: for LIMIT_EXCEEDED a limit's code and source (limits.py), the value asked for and the bound;
for VERSION_UNSUPPORTED the device's newest and oldest major version as value and bound; else a detail of the
operation."""

_REFUSAL = "<BBII"
NO_DETAIL = Refusal(0, 0, 0, 0)


def pack_request(operation: int, identifier: int, payload: bytes = b"") -> bytes:
    return pack("<BBH", REQUEST, operation, identifier) + payload


def pack_header_into(buffer: bytearray, kind: int, code: int, identifier: int, reason: int = OK) -> int:
    """Write the header of a response or event and return where its payload begins."""
    pack_into("<BBH", buffer, 0, kind, code, identifier)
    if kind != RESPONSE:
        return HEADER_BYTES
    buffer[HEADER_BYTES] = reason
    return RESPONSE_HEADER_BYTES


def pack_refusal_into(buffer: bytearray, offset: int, refusal: Refusal) -> int:
    """Write a refusal and return the offset after it."""
    pack_into(_REFUSAL, buffer, offset, *refusal)
    return offset + 10


def unpack_message(data: bytes) -> Message:
    """Split a request, response or event; a response's payload still begins with its reason.

    Raises ProtocolError for fewer bytes than the header or a kind that does not exist.
    """
    if len(data) < HEADER_BYTES:
        raise ProtocolError("message of %d bytes is shorter than its header" % len(data))
    kind, code, identifier = unpack_from("<BBH", data, 0)
    if kind not in (REQUEST, RESPONSE, EVENT):
        raise ProtocolError("message kind %d does not exist" % kind)
    if kind == RESPONSE and len(data) < RESPONSE_HEADER_BYTES:
        raise ProtocolError("response without a reason code")
    return Message(kind, code, identifier, bytes(data[HEADER_BYTES:]))


def unpack_refusal(payload: bytes) -> Refusal:
    """Read a refusal behind the reason code; a device that gives no detail sends nothing there."""
    if len(payload) < 10:
        return NO_DETAIL
    return Refusal(*unpack_from(_REFUSAL, payload, 0))


class Refused(Exception):
    """A request that is not done, and why: a reason code and the Refusal that travels with it."""

    def __init__(self, reason: int, refusal: Refusal = NO_DETAIL) -> None:
        super().__init__(REASONS.get(reason, "refused for reason %d" % reason))
        self.reason = reason
        self.refusal = refusal
