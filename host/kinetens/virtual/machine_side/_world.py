"""The wire between the firmware's process and the world that surrounds it.

Each use of hardware is one call: `<operation u8, microseconds of work since the last answer u32, length u16, payload>`,
answered by `<errno u8, world time in µs u64, length u16, first 5 bytes of payload>` and the rest of the payload. The
world lets the process run only while it answers calls; SLEEP is answered when the time has come or, if asked, when an
event has happened.
"""

import sys
from struct import pack_into, unpack_from

from _wire import *

_CALL_US = 2
_LONGEST_BUSY_US = 100_000  # then the world has a look, whose watchdog may have had enough

_WITHIN_ANSWER = 5

_calls = open(int(sys.argv[1]), "wb")
_answers = open(int(sys.argv[2]), "rb")
_head = bytearray(7)
_answer = bytearray(16)
_first = memoryview(_answer)[11:]
_now_us = 0
_busy_us = 0
_handlers = {}


def now_us():
    """World time in µs; each look costs a little, so that a loop that waits for time to pass ends."""
    global _busy_us
    _busy_us += _CALL_US
    if _busy_us > _LONGEST_BUSY_US:
        call(IDENTITY)
    return _now_us + _busy_us


def call(operation, payload=b"", into=None):
    """Ask the world; returns the answer's payload (or fills `into`), raises OSError with the world's errno."""
    global _now_us, _busy_us
    pack_into("<BIH", _head, 0, operation, _busy_us + _CALL_US, len(payload))
    _calls.write(_head + payload if payload else _head)
    _fill(_answer)
    errno, _now_us, length = unpack_from("<BQH", _answer, 0)
    _busy_us = 0
    data = b""
    if length:
        data = bytearray(length) if into is None else into
        if length <= _WITHIN_ANSWER:
            data[:] = _first[:length]
        else:
            data[:_WITHIN_ANSWER] = _first
            _fill(memoryview(data)[_WITHIN_ANSWER:])
    if errno:
        raise OSError(errno)
    return data


def _fill(buffer):
    """Read exactly as many bytes as the buffer has; the world closing its end ends the process."""
    if _answers.readinto(buffer) != len(buffer):
        sys.exit(0)


def on_event(kind, handler):
    """Have `handler(payload)` called for events of a kind."""
    _handlers[kind] = handler


def sleep_us(duration_us, until_event=False):
    """Let the world go on for a time, or until an event; negative: until an event only. Handles what happened."""
    payload = bytearray(9)
    pack_into("<qB", payload, 0, duration_us, until_event)
    events = call(SLEEP, payload)
    offset = 0
    while offset < len(events):
        kind, length = unpack_from("<BH", events, offset)
        offset += 3
        handler = _handlers.get(kind)
        if handler:
            handler(events[offset : offset + length])
        offset += length
