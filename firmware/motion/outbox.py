"""Finished motion frames that wait for the radio. A refused notification is counted and tried again."""

from motion.frames import FrameBuffer

_FRAMES = 16
_CONGESTED = 3


class Outbox:
    """A ring of frames made at the start: one is being filled, those before it wait to be sent.

    refused: samples whose notification was refused at least once.
    """

    def __init__(self, kind, longest_bytes):
        self._ring = [FrameBuffer(kind, 0, longest_bytes) for _ in range(_FRAMES)]
        self._filling = 0
        self._waiting = 0
        self._was_refused = False
        self.refused = 0

    @property
    def frame(self):
        """The frame that is being filled."""
        return self._ring[self._filling]

    @property
    def congested(self):
        """Frames wait longer than one poll: fewer and fuller ones get more through."""
        return self._waiting >= _CONGESTED

    def clear(self):
        self._waiting = 0
        self.refused = 0
        self._was_refused = False

    def finish(self):
        """The frame is full. False when no other is free: its samples are lost, and it is filled anew."""
        if self._waiting == _FRAMES - 1:
            return False
        self._waiting += 1
        self._filling = (self._filling + 1) % _FRAMES
        return True

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
            self._waiting -= 1
