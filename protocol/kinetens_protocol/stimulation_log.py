"""The device's stimulation log: what it was told, what it did and met, in entries chained to each other. Since 1.2.

No accepted command acts before its entry is in flash (STOP acts first). RENEW, which comes several times a second,
has no entry of its own: the next entry counts how many came and has the counter of the last.

    offset size  entry
    0      4     sequence: 0 is the first of the device's life
    4      2     boot: the boot count's low 16 bits
    6      4     uptime_ms since that boot
    10     1     kind
    11     1     code
    12     4     value
    16     4     counter: of the last command accepted, this one included
    20     4     renewals since the entry before
    24     8     check: the first 8 bytes of SHA-256 over the check of the entry before and the 24 bytes above

The check of no entry is 8 zero bytes. The chain finds loss, damage and mistakes; it is no signature.
"""

from hashlib import sha256
from struct import calcsize, pack, pack_into, unpack_from

from kinetens_protocol import ProtocolError
from kinetens_protocol.records import NamedTuple

# Log kinds (since 1.2).
COMMAND = 1
STATE_ENTERED = 2
FAULT_LATCHED = 3
BOOT = 4
LOST = 5

KINDS = {
    COMMAND: "command",
    STATE_ENTERED: "state",
    FAULT_LATCHED: "fault",
    BOOT: "boot",
    LOST: "lost",
}
"""Code and value of each: COMMAND the operation, and its value (of CONFIGURE the check value of the plan);
STATE_ENTERED the state and the cause of the last stop; FAULT_LATCHED the fault and its detail; BOOT the boot cause
and the boot count; LOST what the flash lost (see Log losses) and how many bytes."""

# Log losses (since 1.2): what the device found of its log when it started.
TORN = 1
DAMAGED = 2

LogEntry = NamedTuple(
    "LogEntry",
    [
        ("sequence", int),
        ("boot", int),
        ("uptime_ms", int),
        ("kind", int),
        ("code", int),
        ("value", int),
        ("counter", int),
        ("renewals", int),
    ],
)

LogPage = NamedTuple(
    "LogPage",
    [
        ("oldest", int),
        ("next", int),
        ("before", bytes),
        ("entries", "tuple[LogEntry, ...]"),
        ("after", bytes),
    ],
)
"""oldest: the first entry that the device still has; next: the one it will write next. before and after: the checks
of the entry before the page's first and of its last, by which pages join."""

_ENTRY = "<IHIBBIII"
_PAGE = "<II"
CHECK_BYTES = 8
NO_CHECK = bytes(CHECK_BYTES)
ENTRY_BYTES = calcsize(_ENTRY) + CHECK_BYTES
PAGE_HEADER_BYTES = calcsize(_PAGE) + CHECK_BYTES
MOST_PAGE_ENTRIES = 5


def pack_entry(before: bytes, entry: LogEntry) -> bytes:
    """An entry that follows the one whose check is `before`."""
    body = pack(_ENTRY, *entry)
    return body + _check(before, body)


def unpack_entry(before: bytes, data: bytes) -> LogEntry:
    """Raises ProtocolError for a wrong length, or an entry that does not follow."""
    if len(data) != ENTRY_BYTES:
        raise ProtocolError("log entry has %d bytes of %d" % (len(data), ENTRY_BYTES))
    body = bytes(data[:-CHECK_BYTES])
    entry = LogEntry(*unpack_from(_ENTRY, body, 0))
    if bytes(data[-CHECK_BYTES:]) != _check(before, body):
        raise ProtocolError("log entry %d does not follow the one before it" % entry.sequence)
    return entry


def pack_page_into(
    buffer: bytearray, offset: int, oldest: int, next_entry: int, before: bytes, entries: bytes
) -> int:
    """Write a page and return the offset after it. entries: whole entries as they lie in flash."""
    pack_into(_PAGE, buffer, offset, oldest, next_entry)
    start = offset + calcsize(_PAGE)
    end = start + CHECK_BYTES + len(entries)
    buffer[start:end] = before + entries
    return end


def unpack_page(payload: bytes) -> LogPage:
    """Raises ProtocolError for bytes that are not whole entries, or a chain that is broken."""
    if len(payload) < PAGE_HEADER_BYTES or (len(payload) - PAGE_HEADER_BYTES) % ENTRY_BYTES:
        raise ProtocolError("log page of %d bytes is not whole entries" % len(payload))
    oldest, next_entry = unpack_from(_PAGE, payload, 0)
    before = after = bytes(payload[calcsize(_PAGE) : PAGE_HEADER_BYTES])
    entries: list[LogEntry] = []
    for start in range(PAGE_HEADER_BYTES, len(payload), ENTRY_BYTES):
        data = payload[start : start + ENTRY_BYTES]
        entries.append(unpack_entry(after, data))
        after = bytes(data[-CHECK_BYTES:])
    return LogPage(oldest, next_entry, before, tuple(entries), after)


def _check(before: bytes, body: bytes) -> bytes:
    return sha256(before + body).digest()[:CHECK_BYTES]
