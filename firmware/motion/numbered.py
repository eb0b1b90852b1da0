"""The samples of one kind in a stream: numbered, stamped with the device's time, put into frames for the radio."""

from kinetens_protocol.motion import DROPPED_BEFORE, samples_per_frame
from motion import frames
from motion.outbox import Outbox
from system.clock import add_us, copy

_LONGEST_FRAME_BYTES = 244


class NumberedSamples:
    """produced: samples numbered so far, dropped ones with them. dropped: those that found no frame or that the sensor
    lost. frame: the one that is being filled; before its first sample call `begin()`. outbox: those before it. Nothing is
    allocated after `start()`.
    """

    def __init__(self, kind):
        self._kind = kind
        self._words = frames.stream_words()
        # A view of the time words, so that viper code writes them in place.
        self._time = memoryview(self._words)[frames.TIME_LOW : frames.TIME_HIGH + 1]
        self.outbox = Outbox(kind, _LONGEST_FRAME_BYTES)
        self.frame = self.outbox.frame
        self.produced = self.dropped = 0

    def start(self, session_id, mtu, in_time):
        """Count from 0. in_time: samples that become due in the latency asked for; a notification may take fewer."""
        self._words[frames.SESSION] = session_id
        self._words[frames.INDEX] = 0
        self._flags = 0
        self._enough = max(1, min(samples_per_frame(self._kind, mtu), in_time))
        self.produced = self.dropped = 0
        self.outbox.clear()
        self.frame.count = 0

    def begin(self, newest, age_us, period_ns):
        """Begin a frame whose first sample is age_us older than `newest` (two words)."""
        copy(self._time, newest)
        add_us(self._time, -age_us)
        self._words[frames.PERIOD_NS] = period_ns
        self.frame.begin(self._flags, self._words)

    def add(self, samples, which):
        """Number a sample. A frame is finished when it has enough; while the radio is congested, when it is full."""
        frame = self.frame
        full = frame.add(samples, which)
        self.produced += 1
        if full or (frame.count >= self._enough and not self.outbox.congested):
            self.finish()

    def finish(self):
        """Give the frame that is being filled to the outbox; if that has no room its samples are dropped."""
        count = self.frame.count
        if not count:
            return
        self._words[frames.INDEX] = self.produced
        if self.outbox.finish():
            self._flags = 0
        else:
            self.dropped += count
            self._flags = DROPPED_BEFORE
        self.frame = self.outbox.frame
        self.frame.count = 0

    def skip(self, count):
        """So many samples do not exist: frames end here, and the indexes show the gap."""
        self.finish()
        self.produced += count
        self.dropped += count
        self._words[frames.INDEX] = self.produced
        self._flags |= DROPPED_BEFORE
