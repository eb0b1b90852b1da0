"""From the sensor's FIFO to numbered frames: the sample path. Integers in buffers made at the start."""

import os
from array import array

import micropython

from kinetens_protocol.motion import ORIENTATION, RAW
from motion.calibration import correct, correction
from motion.frames import ORIENTATION_WORDS
from motion.numbered import NumberedSamples
from motion.orientation import Orientation
from motion.timebase import Timebase
from motion.watch import look, nothing_seen

_BATCH_SAMPLES = 64
_LAST_BATCH_SAMPLES = 32  # a batch with fewer has emptied the FIFO; a full one has some 60, and timestamps
_SAMPLE_BYTES = 12
_BATCH_OUTPUTS = 40  # of 64 samples at 416 Hz, at 200 Hz


class MotionStream:
    """Drains a started sensor, corrects its samples, runs the filter, fills frames. Raw frames have what the sensor gave.

    The filter runs from the sensor's start, streaming or not, so that a stream begins with a settled attitude.
    orientation, raw: the numbered samples of each kind. lost: samples that the sensor itself lost. seen: what is odd
    about them (motion.watch), until somebody sets it to 0. watcher: is shown every batch as the sensor gave it
    (`take(batch, count)`), or None.
    """

    def __init__(self, sensor, clock, calibration):
        self._sensor = sensor
        # Methods bound once: looking one up costs as much as four attributes.
        self._drain = sensor.drain
        self._update_clock = clock.update
        self._take_batch = self._take
        self._batch = bytearray(_BATCH_SAMPLES * _SAMPLE_BYTES)
        self._outputs = array("i", [0] * (_BATCH_OUTPUTS * ORIENTATION_WORDS))
        self.orientation = NumberedSamples(ORIENTATION)
        self._number = self.orientation.add
        self.raw = NumberedSamples(RAW)
        self.watcher = None
        self.streaming = False
        self.with_raw = False
        self.rate_hz = 100
        self._sensor_mhz = sensor.sample_rate_mhz
        self.session_id = 0
        self.lost = 0
        self.seen = 0
        self._watched = nothing_seen()
        self.timebase = Timebase(clock, sensor.sample_rate_mhz)
        self._advance = self.timebase.advance
        self._lost_before = 0
        self._last = None
        self.calibrate(calibration)

    def sensor_restarted(self):
        """The sensor was started again: what it would have measured meanwhile is lost."""
        self._lost_before = 0
        self._watched = nothing_seen()
        if self._last is None:
            self._last = array("I", self.timebase.newest)
            self._last_period_ns = self.timebase.period_ns  # learnt until now; the timebase begins anew
        self.timebase.restart()

    def calibrate(self, calibration):
        """Correct samples by another control.Calibration from now on, in a filter that begins anew."""
        sensor = self._sensor
        self._correction = correction(calibration, sensor.gyro_udps_per_count, sensor.accel_ug_per_count)
        self._new_filter()

    def start(self, rate_hz, with_raw, latency_ms, mtu):
        """Begin a new stream with a random identifier; samples count from 0."""
        if rate_hz != self.rate_hz:
            self.rate_hz = rate_hz
            self._filter.set_output_rate(self.rate_hz * 1000)
            self._skipped = 0
        self._period_ns = 0  # of the samples, that _output_ns was made from
        self.session_id = int.from_bytes(os.urandom(4), "little")
        self.orientation.start(self.session_id, mtu, latency_ms * rate_hz // 1000)
        self.raw.start(self.session_id, mtu, latency_ms * self._sensor_mhz // 1000000)
        self.lost = 0
        self.with_raw = with_raw
        self.streaming = True

    def stop(self):
        """End the stream; the samples at hand are finished to a frame."""
        if self.streaming:
            self.orientation.finish()
            self.raw.finish()
        self.streaming = False

    @micropython.native
    def poll(self):
        """Fetch what the sensor has and turn it into frames. Raises the sensor's errors."""
        while True:
            self._update_clock()  # before the transfer, which takes longer than a sample
            count = self._drain(self._batch)
            if not count:
                return
            lost = self._sensor.lost_samples - self._lost_before
            emptied = count < _LAST_BATCH_SAMPLES
            self._advance(count + lost, emptied)
            if lost:
                self._lost_before += lost
            if self._last is not None:
                lost = self._outage_samples() - count
            if lost > 0:
                self._skip(lost)
            self._take_batch(count)
            if emptied:
                return

    def _outage_samples(self):
        """Sample periods since the sensor failed, to the nearest: its restart begins them anew."""
        before, self._last = self._last, None
        now = self.timebase.newest
        us = (now[0] | now[1] << 32) - (before[0] | before[1] << 32)
        return (us * 1000 + self._last_period_ns // 2) // self._last_period_ns

    @micropython.native
    def _take(self, count):
        batch = self._batch
        seen = look(batch, count, self._watched)
        if seen:
            self.seen |= seen
        if self.watcher:
            self.watcher.take(batch, count)
        streaming = self.streaming
        if streaming and self.with_raw:
            self._add_raw(count)
        if self._correction:
            correct(batch, count, self._correction)
        outputs = self._run(batch, count, self._outputs, _BATCH_OUTPUTS)
        if streaming:
            numbered = self.orientation
            which = 0
            while which < outputs:
                if not numbered.frame.count:
                    self._begin_frame(outputs - 1 - which)
                which = self._number(self._outputs, which, outputs)

    @micropython.native
    def _begin_frame(self, before_last):
        """Begin a frame with an output so many before the last one.

        An output comes half a sample period after its sample: a rate is taken to hold until halfway to the next one.
        """
        rate_hz = self.rate_hz
        # How long before the newest sample it lies, in parts of a sample period of 1 / (1000 rate_hz).
        lag = self._filter.since_output - rate_hz * 500 + before_last * self._sensor_mhz
        period_ns = self.timebase.period_ns
        age_us = lag // rate_hz * (period_ns // 1000) // 1000
        if period_ns != self._period_ns:
            self._period_ns = period_ns
            self._output_ns = self._output_period_ns(period_ns)
        self.orientation.begin(self.timebase.newest, age_us, self._output_ns)

    @micropython.native
    def _add_raw(self, count):
        numbered = self.raw
        which = 0
        while which < count:
            if not numbered.frame.count:
                period_ns = self.timebase.period_ns
                age_us = (count - 1 - which) * (period_ns // 100) // 10
                numbered.begin(self.timebase.newest, age_us, period_ns)
            which = numbered.add(self._batch, which, count)

    @micropython.native
    def _output_period_ns(self, period_ns):
        """Sample period times samples an output, in parts that stay below 2**30."""
        whole = self._sensor_mhz // self.rate_hz  # thousandths of a sample
        rest = self._sensor_mhz % self.rate_hz
        return (
            whole * (period_ns // 1000)
            + whole * (period_ns % 1000) // 1000
            + rest * (period_ns // 1000) // self.rate_hz
        )

    def _skip(self, lost):
        """The sensor lost samples: the indexes show the gap.

        The filter's next output comes when it would have come without the gap, so the indexes are out by up to half an
        output, which the next gap takes into account.
        """
        self.lost += lost
        self._filter.gap(lost)
        self._skipped += lost * self.rate_hz * 1000
        outputs = (self._skipped + self._sensor_mhz // 2) // self._sensor_mhz
        self._skipped -= outputs * self._sensor_mhz
        if not self.streaming:
            return
        self.orientation.skip(outputs)
        if self.with_raw:
            self.raw.skip(lost)

    def _new_filter(self):
        sensor = self._sensor
        self._filter = Orientation(
            sensor.sample_rate_mhz,
            sensor.gyro_udps_per_count,
            sensor.accel_ug_per_count,
            self.rate_hz * 1000,
        )
        self._run = self._filter.run
        self._skipped = 0

    @property
    def at_rest(self):
        return self._filter.at_rest
