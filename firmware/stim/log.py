"""The stimulation log in flash: append-only, each entry chained to the one before, whole after any loss of power.

Entries (kinetens_protocol.stimulation_log) lie in segments `state/stim-NNNN.log`, numbered as they were begun:

    offset size  segment
    0      4     magic
    4      4     sequence of its first entry
    8      4     CRC-32 of the 8 bytes before and the 8 behind
    12     8     check of the entry before its first, so that the chain outlives the segments before it
    20     32 n  entries

A segment is never written again behind something that is not whole: after a torn write a new one begins, with the
check of the last whole entry, and says what was lost. The oldest whole segment is dropped when there are too many.
"""

import os
from binascii import crc32
from struct import calcsize, pack, unpack_from

from kinetens_protocol import ProtocolError, stimulation_log
from kinetens_protocol.stimulation_log import CHECK_BYTES, ENTRY_BYTES, NO_CHECK, LogEntry

SEGMENT_ENTRIES = 256
KEPT_SEGMENTS = 16
"""With 8 KB each: some 40 sessions."""

_MAGIC = b"slg1"
_HEAD = "<4sI"
_HEADER_BYTES = calcsize(_HEAD) + 4 + CHECK_BYTES
_MASK = 0xFFFF_FFFF


class StimulationLog:
    """Raises OSError when flash fails; what was to be appended then counts as not written.

    next: the sequence of the entry that comes next.
    """

    def __init__(self, clock, boot_count, folder="state"):
        self._clock = clock
        self._folder = folder
        self._boot = boot_count & 0xFFFF
        self._at = clock.now_ms()
        self._uptime_ms = 0
        self._renewals = 0
        self._segments = []
        """(number, first sequence) of each, oldest first."""
        self._last_number = 0
        self._nothing_whole = []
        """Numbers of segments in which nothing is whole, until what they lost is on record."""
        self.next = 0
        self._check = NO_CHECK
        self._appendable = False
        self._lost = self._load()

    @property
    def oldest(self):
        """The first entry still kept."""
        return self._segments[0][1] if self._segments else self.next

    def advance(self):
        """Let time pass; call at least every few days."""
        now = self._clock.now_ms()
        self._uptime_ms = self._uptime_ms + self._clock.elapsed_ms(self._at) & _MASK
        self._at = now

    def renewed(self):
        """A lease was renewed: the next entry counts it."""
        self._renewals += 1

    def append(self, kind, code, value, counter):
        """On return the entry is in flash. What an earlier run lost is said before it."""
        if self._lost:
            self._write(stimulation_log.LOST, *self._lost, counter)
            self._lost = None
            while self._nothing_whole:
                os.remove(self._path(self._nothing_whole.pop()))
        self._write(kind, code, value & _MASK, counter)

    def page_into(self, start, buffer, offset):
        """Write the page from an entry on, or from the oldest one; returns the offset after it."""
        start = min(max(start, self.oldest), self.next)
        before, entries = NO_CHECK, b""
        for place in range(len(self._segments) - 1, -1, -1):
            number, first = self._segments[place]
            if first <= start:
                behind = self._segments[place + 1][1] if place + 1 < len(self._segments) else self.next
                count = min(stimulation_log.MOST_PAGE_ENTRIES, behind - start)
                with open(self._path(number), "rb") as file:
                    file.seek(_HEADER_BYTES - CHECK_BYTES + (start - first) * ENTRY_BYTES)
                    before = file.read(CHECK_BYTES)
                    entries = file.read(count * ENTRY_BYTES)
                break
        return stimulation_log.pack_page_into(buffer, offset, self.oldest, self.next, before, entries)

    def _write(self, kind, code, value, counter):
        self.advance()
        entry = LogEntry(
            self.next, self._boot, self._uptime_ms, kind, code, value, counter, self._renewals & _MASK
        )
        data = stimulation_log.pack_entry(self._check, entry)
        if self._appendable and self.next - self._segments[-1][1] < SEGMENT_ENTRIES:
            self._appendable = False  # until it is known to be whole
            with open(self._path(self._segments[-1][0]), "ab") as file:
                file.write(data)
        else:
            self._begin_segment(data)
        self._appendable = True
        self.next += 1
        self._check = data[-CHECK_BYTES:]
        self._renewals = 0

    def _begin_segment(self, data):
        """Header and first entry in one write."""
        self._last_number = number = self._last_number + 1
        if self._folder not in os.listdir():
            os.mkdir(self._folder)
        head = pack(_HEAD, _MAGIC, self.next)
        with open(self._path(number), "wb") as file:
            file.write(head + pack("<I", crc32(head + self._check)) + self._check + data)
        self._segments.append((number, self.next))
        while len(self._segments) > KEPT_SEGMENTS:
            os.remove(self._path(self._segments[0][0]))
            self._segments.pop(0)

    def _load(self):
        """Find the segments and the end of the chain. Returns what was lost (see Log losses, bytes), or None."""
        lost = None
        for number in self._numbers():
            self._last_number = number
            with open(self._path(number), "rb") as file:
                header = file.read(_HEADER_BYTES)
                first = _first_sequence(header)
                if first is not None:
                    self._segments.append((number, first))
                    continue
                lost = _loss(len(header) + len(file.read()), _HEADER_BYTES + ENTRY_BYTES)
                self._nothing_whole.append(number)
        if self._segments:
            lost = self._follow(*self._segments[-1]) or lost
            self._appendable = not lost
        return lost

    def _follow(self, number, first):
        """Walk the newest segment to its last whole entry. Returns what lies behind that, or None."""
        self.next = first
        with open(self._path(number), "rb") as file:
            self._check = file.read(_HEADER_BYTES)[-CHECK_BYTES:]
            while True:
                data = file.read(ENTRY_BYTES)
                if not data:
                    return None
                try:
                    whole = stimulation_log.unpack_entry(self._check, data).sequence == self.next
                except ProtocolError:
                    whole = False
                if not whole:
                    return _loss(len(data) + len(file.read()), ENTRY_BYTES)
                self.next += 1
                self._check = data[-CHECK_BYTES:]

    def _numbers(self):
        if self._folder not in os.listdir():
            return []
        names = [name for name in os.listdir(self._folder) if name.startswith("stim-")]
        return sorted([int(name[5:-4]) for name in names])

    def _path(self, number):
        return "%s/stim-%04d.log" % (self._folder, number)


def _loss(count, whole):
    """A write that a loss of power cut short leaves fewer bytes than a whole one; what is more was damaged."""
    return stimulation_log.TORN if count < whole else stimulation_log.DAMAGED, count


def _first_sequence(header):
    """The sequence of a segment's first entry; None when its header is not whole."""
    if len(header) < _HEADER_BYTES or header[:4] != _MAGIC:
        return None
    head, check = header[: calcsize(_HEAD)], header[-CHECK_BYTES:]
    sealed, crc = unpack_from("<I", header, calcsize(_HEAD))[0], crc32(head + check)
    return unpack_from(_HEAD, head, 0)[1] if sealed == crc else None
