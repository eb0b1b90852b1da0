"""To which member the device belongs: the tag of the first plan that it accepted, kept in flash until released.

`state/member.bin`: magic, tag, CRC-32; written aside and renamed. A file that is not whole means a member whom
nobody knows any more: every plan is refused until the device is released.
"""

import os
from binascii import crc32
from struct import pack, unpack

_LAYOUT = "<4sII"
_MAGIC = b"mem1"
_BYTES = 12


class Member:
    """bound: whether the device belongs to somebody. Raises OSError when flash fails."""

    def __init__(self, folder="state"):
        self._folder = folder
        self._path = folder + "/member.bin"
        self._tag = None
        self.bound = False
        self._load()

    def admits(self, tag):
        """Whether a plan may be this member's."""
        return not self.bound or tag == self._tag

    def bind(self, tag):
        """Belong to a member from now on, if to nobody yet."""
        if self.bound:
            return
        if self._folder not in os.listdir():
            os.mkdir(self._folder)
        record = pack("<4sI", _MAGIC, tag)
        aside = self._folder + "/member.new"
        with open(aside, "wb") as file:
            file.write(record + pack("<I", crc32(record)))
        os.rename(aside, self._path)
        self._tag = tag
        self.bound = True

    def release(self):
        """Belong to nobody."""
        if self.bound:
            os.remove(self._path)
            self._tag = None
            self.bound = False

    def _load(self):
        try:
            with open(self._path, "rb") as file:
                record = file.read()
        except OSError:
            return
        self.bound = True
        if len(record) == _BYTES:
            magic, tag, crc = unpack(_LAYOUT, record)
            if magic == _MAGIC and crc == crc32(record[:-4]):
                self._tag = tag
