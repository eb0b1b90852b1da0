"""From the sensor's FIFO to numbered frames: the sample path. Integers in buffers made at the start."""

import os
from array import array

from kinetens_protocol.motion import ORIENTATION, RAW
from motion.calibration import correct, correction
from motion.frames import ORIENTATION_WORDS
from motion.numbered import NumberedSamples
from motion.orientation import Orientation
from motion.timebase import Timebase

_BATCH_SAMPLES = 64
_LAST_BATCH_SAMPLES = 32  # a batch with fewer has emptied the FIFO; a full one has some 60, and timestamps
_SAMPLE_BYTES = 12
_BATCH_OUTPUTS = 40  # of 64 samples at 416 Hz, at 200 Hz


class MotionStream:
    """Drains a started sensor, corrects its samples, runs the filter, fills frames. Raw frames have what the sensor gave.

    The filter runs from the sensor's start, streaming or not, so that a stream begins with a settled attitude.
    orientation, raw: the numbered samples of each kind. lost: samples that the sensor itself lost. watch: is shown every
    batch as the sensor gave it (`take(batch, count)`), or None.
    """

    def __init__(self, sensor, clock, calibration):
        self._sensor = sensor
        self._clock = clock
        self._batch = bytearray(_BATCH_SAMPLES * _SAMPLE_BYTES)
        self._outputs = array("i", [0] * (_BATCH_OUTPUTS * ORIENTATION_WORDS))
        self.orientation = NumberedSamples(ORIENTATION)
        self.raw = NumberedSamples(RAW)
        self.watch = None
        self.streaming = False
        self.with_raw = False
        self.rate_hz = 100
        self.session_id = 0
        self.lost = 0
        self.timebase = Timebase(self._clock, sensor.sample_rate_mhz)
        self._lost_before = 0
        self._last = None
        self.calibrate(calibration)

    def sensor_restarted(self):
        """The sensor was started again: what it would have measured meanwhile is lost."""
        self._lost_before = 0
        if self._last is None:
            self._last = array("I", self.timebase.newest)
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
            self._filter.set_output_rate(rate_hz * 1000)
            self._begin_outputs()
        self.session_id = int.from_bytes(os.urandom(4), "little")
        self.orientation.start(self.session_id, mtu, latency_ms * rate_hz // 1000)
        self.raw.start(self.session_id, mtu, latency_ms * self._sensor.sample_rate_mhz // 1000000)
        self.lost = 0
        self.with_raw = with_raw
        self.streaming = True

    def stop(self):
        """End the stream; the samples at hand are finished to a frame."""
        if self.streaming:
            self.orientation.finish()
            self.raw.finish()
        self.streaming = False

    def poll(self):
        """Fetch what the sensor has and turn it into frames. Raises the sensor's errors."""
        while True:
            self._clock.update()  # before the transfer, which takes longer than a sample
            count = self._sensor.drain(self._batch)
            if not count:
                return
            lost = self._sensor.lost_samples - self._lost_before
            emptied = count < _LAST_BATCH_SAMPLES
            self.timebase.advance(count + lost, emptied)
            self._lost_before += lost
            if self._last is not None:
                lost = self._outage_samples() - count
            if lost > 0:
                self._skip(lost)
            self._take(count)
            if emptied:
                return

    def _outage_samples(self):
        """Sample periods since the sensor failed."""
        before, self._last = self._last, None
        now = self.timebase.newest
        us = (now[0] | now[1] << 32) - (before[0] | before[1] << 32)
        return us * 1000 // self.timebase.period_ns

    def _take(self, count):
        if self.watch:
            self.watch.take(self._batch, count)
        if self.streaming and self.with_raw:
            for which in range(count):
                self._add_raw(which, count - 1 - which)
        if self._correction:
            correct(self._batch, count, self._correction)
        outputs = self._filter.run(self._batch, count, self._outputs, 0, _BATCH_OUTPUTS)
        self._lag += count * self.rate_hz * 1000
        if not self.streaming:
            self._lag -= outputs * self._sensor.sample_rate_mhz
            return
        for which in range(outputs):
            self._lag -= self._sensor.sample_rate_mhz
            self._add(which)

    def _add(self, which):
        if not self.orientation.frame.count:
            # The output lies _lag before the newest sample, in parts of a sample period of 1 / (1000 rate_hz).
            period_ns = self.timebase.period_ns
            age_us = self._lag // self.rate_hz * (period_ns // 1000) // 1000
            self.orientation.begin(self.timebase.newest, age_us, self._output_period_ns(period_ns))
        self.orientation.add(self._outputs, which)

    def _add_raw(self, which, before_newest):
        if not self.raw.frame.count:
            period_ns = self.timebase.period_ns
            self.raw.begin(self.timebase.newest, before_newest * (period_ns // 100) // 10, period_ns)
        self.raw.add(self._batch, which)

    def _output_period_ns(self, period_ns):
        """Sample period times samples an output, in parts that stay below 2**30."""
        whole = self._sensor.sample_rate_mhz // self.rate_hz  # thousandths of a sample
        rest = self._sensor.sample_rate_mhz % self.rate_hz
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
        rate_mhz = self._sensor.sample_rate_mhz
        self._skipped += lost * self.rate_hz * 1000
        outputs = (self._skipped + rate_mhz // 2) // rate_mhz
        self._skipped -= outputs * rate_mhz
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
        self._begin_outputs()

    def _begin_outputs(self):
        """The next output comes with the next sample, half a sample period after it: a rate is taken to hold until
        halfway to the next one.
        """
        self._lag = self._sensor.sample_rate_mhz - self.rate_hz * 1500
        self._skipped = 0

    @property
    def at_rest(self):
        return self._filter.at_rest
