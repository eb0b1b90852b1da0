"""Finished motion frames that wait for the radio. A refused notification is counted and tried again."""

import micropython

from motion.frames import FrameBuffer

_FRAMES = 16
_CONGESTED = 3


class Outbox:
    """A ring of frames made at the start: one is being filled, those before it wait to be sent.

    refused: samples whose notification was refused at least once.
    congested: frames wait longer than one poll; fewer and fuller ones get more through.
    """

    def __init__(self, kind, longest_bytes):
        self._ring = [FrameBuffer(kind, 0, longest_bytes) for _ in range(_FRAMES)]
        self._filling = 0
        self.clear()

    @property
    def frame(self):
        """The frame that is being filled."""
        return self._ring[self._filling]

    def clear(self):
        self._waiting = 0
        self.congested = False
        self.refused = 0
        self._was_refused = False

    @micropython.native
    def finish(self):
        """The frame is full: the one to fill next, or None when no other is free; it is then to be filled anew."""
        waiting = self._waiting + 1
        if waiting == _FRAMES:
            return None
        self._waiting = waiting
        self.congested = waiting >= _CONGESTED
        filling = (self._filling + 1) % _FRAMES
        self._filling = filling
        return self._ring[filling]

    @micropython.native
    def send(self, notify):
        """Hand waiting frames to the radio, oldest first, until it refuses one."""
        while self._waiting:
            frame = self._ring[(self._filling - self._waiting) % _FRAMES]
            if not notify(frame.view()):
                if not self._was_refused:
                    self._was_refused = True
                    self.refused += frame.count
                return
            self._was_refused = False
            waiting = self._waiting - 1
            self._waiting = waiting
            self.congested = waiting >= _CONGESTED
