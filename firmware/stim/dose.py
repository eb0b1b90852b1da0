"""The day's dose: how long and how often the output ran, kept through resets and power cuts.

There is no clock that a host or a flat battery could not turn, so a day is 24 h of the device's own running
time, which only ever grows: a device that was off believes that less time has passed than has, never more. A
session's whole time is on record before its first pulse and what was not used is given back at its end: a
power cut takes rest from the record, not dose, and nothing is written while the output is on.

`state/dose.bin` and `state/dose.old` hold the same: magic, serial number of the write, age of the device in
s, three sessions of (age at the end in s, time used in ms), CRC-32. Each is written aside and renamed.
"""

import os
from binascii import crc32
from struct import calcsize, pack, unpack_from

from kinetens_protocol import limits, messages
from kinetens_protocol.messages import Refusal, Refused

DAY_S = 86_400
KEPT = 3
"""Sessions remembered: as many as a day may have."""
RESUME_S = 120
"""A session that was interrupted may be taken up again this long; its time goes on counting."""

_SAVE_EVERY_S = 600
_LAYOUT = "<4sII" + "II" * KEPT
_MAGIC = b"dos1"
_NAMES = ("dose.bin", "dose.old")
_NEVER = (0, 0)


class Dose:
    """Sessions within the last day. Raises OSError when the record cannot be written."""

    def __init__(self, folder="state"):
        self._folder = folder
        self.serial = 0
        """Of the last write; rises with every boot and every session."""
        self._age_s = DAY_S
        self._sessions = [_NEVER] * KEPT
        self._part_ms = 0
        self._saved_age_s = self._age_s
        self._spent_ms = 0
        self._resumable = False
        self.open = False
        self.damaged = False
        self._load()

    def advance(self, elapsed_ms):
        """Let the device's own time pass."""
        self._part_ms += elapsed_ms
        self._age_s += self._part_ms // 1000
        self._part_ms %= 1000
        if not self.open and self._age_s - self._saved_age_s >= _SAVE_EVERY_S:
            self.save()

    def allow(self, session_ms, bounds):
        """What a session of at most session_ms may last in all, counting what it has used if it was interrupted.

        Raises Refused when the day's sessions or minutes are used up, or rest is needed.
        """
        if not self.resumable():
            for reason, code, value in (
                (messages.DOSE_SPENT, limits.DAY_SESSIONS, self.sessions() + 1),
                (messages.REST_NEEDED, limits.REST, self._rested_ms()),
            ):
                refusal = limits.passes(bounds[code], value)
                if refusal:
                    raise Refused(reason, refusal)
        allowed_ms = min(session_ms, self.session_ms() + self.day_left_ms(bounds))
        if allowed_ms <= self.session_ms():
            bound = bounds[limits.DAY_TIME]
            raise Refused(messages.DOSE_SPENT, Refusal(bound.code, bound.source, self.used_ms(), bound.value))
        return allowed_ms

    def used_ms(self):
        """Time used within the last day."""
        closed = self._sessions[:-1] if self.open else self._sessions
        used_ms = sum([used for end_s, used in closed if self._within_day(end_s)])
        return used_ms + self._spent_ms if self.open else used_ms

    def day_left_ms(self, bounds):
        return max(0, bounds[limits.DAY_TIME].value - self.used_ms())

    def rest_left_ms(self, bounds):
        if self.open or self.resumable():
            return 0
        return max(0, bounds[limits.REST].value - self._rested_ms())

    def sessions(self):
        """Sessions within the last day."""
        return len([1 for end_s, used in self._sessions if used and self._within_day(end_s)])

    def session_ms(self):
        """Time used by the session that is open or may be taken up again, else 0."""
        return self._spent_ms if self.open or self.resumable() else 0

    def resumable(self):
        """Whether the last session was interrupted a moment ago."""
        return self._resumable and self._age_s - self._sessions[-1][0] <= RESUME_S

    def begin(self, most_ms):
        """Open a session of at most most_ms, or the last one again for as much as it still may take.

        On return all of it is on record.
        """
        if not self.resumable():
            self._sessions = self._sessions[1:] + [_NEVER]
            self._spent_ms = 0
        self._sessions[-1] = (self._age_s, self._spent_ms + most_ms)
        self.save()
        self.open = True

    def spend(self, elapsed_ms):
        """Count time with the output on."""
        self._spent_ms += elapsed_ms

    def end(self, completed):
        """Close the session and give back what it did not use; one that was not completed may be taken up
        again.
        """
        self._sessions[-1] = (self._age_s, max(self._spent_ms, 1))
        self.open = False
        self._resumable = not completed
        self.save()

    def save(self):
        """Write both copies."""
        self.serial += 1
        numbers = [number for session in self._sessions for number in session]
        record = pack(_LAYOUT, _MAGIC, self.serial, self._age_s, *numbers)
        record += pack("<I", crc32(record))
        if self._folder not in os.listdir():
            os.mkdir(self._folder)
        for name in _NAMES:
            aside = self._path("dose.new")
            with open(aside, "wb") as file:
                file.write(record)
            os.rename(aside, self._path(name))
        self._saved_age_s = self._age_s

    def _rested_ms(self):
        """Time since the last session's end, at most a day."""
        return min(self._age_s - self._sessions[-1][0], DAY_S) * 1000

    def _within_day(self, end_s):
        return self._age_s - end_s < DAY_S

    def _load(self):
        """Take the newest whole record. Without any, but with remains of one, believe in a day that is used
        up.
        """
        found = 0
        for name in _NAMES:
            try:
                with open(self._path(name), "rb") as file:
                    record = file.read()
            except OSError:
                continue
            found += 1
            fields = _unpack(record)
            if fields and fields[0] > self.serial:
                self.serial, self._age_s, self._sessions = fields
        if found and not self.serial:
            self.damaged = True
            self._sessions = [(self._age_s, DAY_S * 1000 // KEPT)] * KEPT
        self._saved_age_s = self._age_s

    def _path(self, name):
        return self._folder + "/" + name


def _unpack(record):
    """Serial number, age and sessions of a whole record, else None."""
    size = calcsize(_LAYOUT)
    if len(record) != size + 4 or unpack_from("<I", record, size)[0] != crc32(record[:size]):
        return None
    magic, serial, age_s, *numbers = unpack_from(_LAYOUT, record, 0)
    if magic != _MAGIC:
        return None
    return serial, age_s, list(zip(numbers[::2], numbers[1::2]))
