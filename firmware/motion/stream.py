"""From the sensor's FIFO to numbered frames: the sample path. Integers in buffers made at the start."""

import os
from array import array

from kinetens_protocol.motion import DROPPED_BEFORE, ORIENTATION, RAW, samples_per_frame
from motion import frames
from motion.calibration import correct, correction
from motion.orientation import Orientation
from motion.outbox import Outbox
from motion.timebase import Timebase
from system.clock import add_us, copy

_BATCH_SAMPLES = 64
_LAST_BATCH_SAMPLES = 32  # a batch with fewer has emptied the FIFO; a full one has some 60, and timestamps
_SAMPLE_BYTES = 12
_BATCH_OUTPUTS = 40  # of 64 samples at 416 Hz, at 200 Hz
_LONGEST_FRAME_BYTES = 244


class MotionStream:
    """Drains a started sensor, corrects its samples, runs the filter, fills frames. Raw frames have what the sensor gave.

    The filter runs from the sensor's start, streaming or not, so that a stream begins with a settled attitude.
    produced, raw_produced: samples numbered so far, dropped ones with them. dropped: samples that found no frame.
    lost: samples that the sensor itself lost.
    """

    def __init__(self, sensor, clock, calibration):
        self._sensor = sensor
        self._clock = clock
        self._batch = bytearray(_BATCH_SAMPLES * _SAMPLE_BYTES)
        self._outputs = array("i", [0] * (_BATCH_OUTPUTS * frames.ORIENTATION_WORDS))
        self.orientation = Outbox(ORIENTATION, _LONGEST_FRAME_BYTES)
        self.raw = Outbox(RAW, _LONGEST_FRAME_BYTES)
        self._words = frames.stream_words()
        self._raw_words = frames.stream_words()
        # Views of the time words, so that viper code writes them in place.
        self._time = memoryview(self._words)[frames.TIME_LOW : frames.TIME_HIGH + 1]
        self._raw_time = memoryview(self._raw_words)[frames.TIME_LOW : frames.TIME_HIGH + 1]
        self.streaming = False
        self.with_raw = False
        self.rate_hz = 100
        self.session_id = 0
        self._reset_counters()
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
        raw_rate_hz = self._sensor.sample_rate_mhz // 1000
        self._frame_samples = _frame_samples(ORIENTATION, mtu, latency_ms * rate_hz // 1000)
        self._raw_frame_samples = _frame_samples(RAW, mtu, latency_ms * raw_rate_hz // 1000)
        self._words[frames.SESSION] = self._raw_words[frames.SESSION] = self.session_id
        self._words[frames.INDEX] = self._raw_words[frames.INDEX] = 0
        self._reset_counters()
        self.orientation.clear()
        self.raw.clear()
        self._flags = self._raw_flags = 0
        self.orientation.frame.count = self.raw.frame.count = 0
        self.with_raw = with_raw
        self.streaming = True

    def stop(self):
        """End the stream; the samples at hand are finished to a frame."""
        if self.streaming:
            self._finish()
            self._finish_raw()
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
        outbox = self.orientation
        frame = outbox.frame
        if frame.count == 0:
            # The output lies _lag before the newest sample, in parts of a sample period of 1 / (1000 rate_hz).
            period_ns = self.timebase.period_ns
            copy(self._time, self.timebase.newest)
            add_us(self._time, -(self._lag // self.rate_hz * (period_ns // 1000) // 1000))
            self._words[frames.PERIOD_NS] = self._output_period_ns(period_ns)
            frame.begin(self._flags, self._words)
        full = frame.add(self._outputs, which)
        self.produced += 1
        if full or (frame.count >= self._frame_samples and not outbox.congested):
            self._finish()

    def _output_period_ns(self, period_ns):
        """Sample period times samples an output, in parts that stay below 2**30."""
        whole = self._sensor.sample_rate_mhz // self.rate_hz  # thousandths of a sample
        rest = self._sensor.sample_rate_mhz % self.rate_hz
        return (
            whole * (period_ns // 1000)
            + whole * (period_ns % 1000) // 1000
            + rest * (period_ns // 1000) // self.rate_hz
        )

    def _finish(self):
        outbox = self.orientation
        count = outbox.frame.count
        if not count:
            return
        self._words[frames.INDEX] = self.produced
        if outbox.finish():
            self._flags = 0
        else:
            self.dropped += count
            self._flags = DROPPED_BEFORE
        outbox.frame.count = 0

    def _add_raw(self, which, before_newest):
        frame = self.raw.frame
        if frame.count == 0:
            period_ns = self.timebase.period_ns
            copy(self._raw_time, self.timebase.newest)
            add_us(self._raw_time, -(before_newest * (period_ns // 100) // 10))
            self._raw_words[frames.PERIOD_NS] = period_ns
            frame.begin(self._raw_flags, self._raw_words)
        full = frame.add(self._batch, which)
        self.raw_produced += 1
        if full or (frame.count >= self._raw_frame_samples and not self.raw.congested):
            self._finish_raw()

    def _finish_raw(self):
        count = self.raw.frame.count
        if not count:
            return
        self._raw_words[frames.INDEX] = self.raw_produced
        if self.raw.finish():
            self._raw_flags = 0
        else:
            self.raw_dropped += count
            self._raw_flags = DROPPED_BEFORE
        self.raw.frame.count = 0

    def _skip(self, lost):
        """The sensor lost samples: frames end here, and the indexes show the gap.

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
        self._finish()
        self.produced += outputs
        self.dropped += outputs
        self._words[frames.INDEX] = self.produced
        self._flags |= DROPPED_BEFORE
        if self.with_raw:
            self._finish_raw()
            self.raw_produced += lost
            self.raw_dropped += lost
            self._raw_words[frames.INDEX] = self.raw_produced
            self._raw_flags |= DROPPED_BEFORE

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

    def _reset_counters(self):
        self.produced = self.dropped = self.raw_produced = self.raw_dropped = self.lost = 0

    @property
    def at_rest(self):
        return self._filter.at_rest

    @property
    def refused(self):
        return self.orientation.refused + self.raw.refused


def _frame_samples(kind, mtu, in_time):
    """Samples a frame: what is due in the latency asked for, as far as the notification takes them."""
    return max(1, min(samples_per_frame(kind, mtu), in_time))
