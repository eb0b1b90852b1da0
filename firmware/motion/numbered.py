"""The samples of one kind in a stream: numbered, stamped with the device's time, put into frames for the radio."""

import micropython

from kinetens_protocol.motion import DROPPED_BEFORE, samples_per_frame
from motion.frames import INDEX, SESSION, stamp, stream_words
from motion.outbox import Outbox

_LONGEST_FRAME_BYTES = 244


class NumberedSamples:
    """produced: samples numbered so far, dropped ones with them. dropped: those that found no frame or that the sensor
    lost. frame: the one that is being filled; before its first sample call `begin()`. outbox: those before it. Nothing is
    allocated after `start()`.
    """

    def __init__(self, kind):
        self._kind = kind
        self._words = stream_words()
        self.outbox = Outbox(kind, _LONGEST_FRAME_BYTES)
        self.frame = self.outbox.frame
        self.produced = self.dropped = 0

    def start(self, session_id, mtu, in_time):
        """Count from 0. in_time: samples that become due in the latency asked for; a notification may take fewer."""
        self._words[SESSION] = session_id
        self._words[INDEX] = 0
        self._flags = 0
        self._enough = max(1, min(samples_per_frame(self._kind, mtu), in_time))
        self.produced = self.dropped = 0
        self.outbox.clear()
        self.frame.count = 0

    @micropython.native
    def begin(self, newest, age_us, period_ns):
        """Begin a frame whose first sample is age_us older than `newest` (two words)."""
        words = self._words
        stamp(words, newest, age_us, period_ns)
        self.frame.begin(self._flags, words)

    @micropython.native
    def add(self, samples, first, stop):
        """Number samples from `first` to before `stop`, as many as the frame takes; returns the first that it does not.

        A frame is finished when it has enough; while the radio is congested, when it is full.
        """
        frame = self.frame
        count = stop - first
        room = (frame.capacity if self.outbox.congested else self._enough) - frame.count
        if count >= room:
            count = room if room > 0 else 1
        frame.add(samples, first, count)
        self.produced += count
        if count >= room:
            self.finish()
        return first + count

    @micropython.native
    def finish(self):
        """Give the frame that is being filled to the outbox; if that has no room its samples are dropped."""
        count = self.frame.count
        if not count:
            return
        self._words[INDEX] = self.produced
        frame = self.outbox.finish()
        if frame:
            self.frame = frame
            self._flags = 0
        else:
            self.dropped += count
            self._flags = DROPPED_BEFORE
            frame = self.frame
        frame.count = 0

    def skip(self, count):
        """So many samples do not exist: frames end here, and the indexes show the gap."""
        self.finish()
        self.produced += count
        self.dropped += count
        self._words[INDEX] = self.produced
        self._flags |= DROPPED_BEFORE
