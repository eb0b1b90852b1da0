"""Keeps the motion sensor at work: starts it, looks at what it gives, names what is wrong and starts it again.

stream: None until the sensor has started for the first time; then it outlives every outage, which its indexes show.
works: whether the sensor gives samples now. temperature_cdeg: its last measured temperature.
"""

import time

from kinetens_protocol import faults
from motion.sensor import (
    SelfTestFailed,
    SensorError,
    SensorFault,
    SensorFrozen,
    SensorMissing,
    SensorWrongIdentity,
)
from motion.stream import MotionStream
from motion.watch import FROZEN, FROZEN_SAMPLES, axes

_RETRY_MS = 1000
_SELF_TESTS = 3  # it asks for a device at rest, so one failure proves little; the sensor is used meanwhile

_OUTAGES = {  # one at a time; over when the sensor starts
    SensorMissing: faults.SENSOR_MISSING,
    SensorWrongIdentity: faults.SENSOR_WRONG_IDENTITY,
    SensorFault: faults.SENSOR_BUS,
}


class Sensing:
    """One sensor on a bus that may have to be freed first."""

    def __init__(self, sensor, bus, clock, shown_faults):
        self.sensor = sensor
        self.stream = None
        self.works = False
        self.temperature_cdeg = 0
        self._bus = bus
        self._clock = clock
        self._faults = shown_faults
        self._calibration = None
        self._self_tests_left = _SELF_TESTS

    def calibrate(self, calibration):
        """Correct samples by a control.Calibration from now on. To be called before `start()`."""
        self._calibration = calibration
        if self.stream:
            self.stream.calibrate(calibration)

    def start(self):
        """Free the bus, test the sensor unless it has passed, start it. A start that fails is repeated a second later."""
        try:
            if not self._bus.recover():
                raise SensorFault(self._bus.held)
            if self._self_tests_left:
                self._test()
            self.sensor.start()
        except SensorError as error:
            self._fail(error)
            return
        if self.stream is None:
            self.stream = MotionStream(self.sensor, self._clock, self._calibration)
        else:
            self.stream.sensor_restarted()
        self.works = True
        for fault in _OUTAGES.values():
            self._faults.end(fault)

    def poll(self):
        """One look: fetch what the sensor has, or start it again when that is due."""
        if not self.works:
            if time.ticks_diff(time.ticks_us(), self._retry_at) >= 0:
                self.start()
            return
        sensor = self.sensor
        overruns, lost = sensor.overruns, sensor.lost_samples
        try:
            self.stream.poll()
        except SensorError as error:
            self._fail(error)
            return
        if sensor.overruns != overruns:
            self._faults.happened(faults.SENSOR_OVERRUN, "%d samples" % (sensor.lost_samples - lost))
        seen = self.stream.seen
        if seen:
            self.stream.seen = 0
            if axes(seen):
                self._faults.happened(faults.SENSOR_SATURATED, axes(seen))
            if seen & FROZEN:
                self._fail(SensorFrozen("%d times the same sample" % FROZEN_SAMPLES))

    def test_again(self):
        """Repeat a self-test that failed, if the sensor is at rest. It takes 0.8 s; the stream has a gap."""
        if self.works and self._self_tests_left and self.stream.at_rest:
            self.start()

    def measure_temperature(self):
        if self.works:
            try:
                self.temperature_cdeg = self.sensor.temperature_cdeg()
            except SensorError as error:
                self._fail(error)

    def _test(self):
        try:
            self.sensor.self_test()
            self._self_tests_left = 0
            self._faults.end(faults.SENSOR_SELF_TEST)
        except SelfTestFailed as error:
            self._self_tests_left -= 1
            self._faults.begin(faults.SENSOR_SELF_TEST, error)

    def _fail(self, error):
        self.works = False
        self._retry_at = time.ticks_add(time.ticks_us(), _RETRY_MS * 1000)
        if isinstance(error, SensorFrozen):  # it starts, and freezes again: over when it has not for a while
            self._faults.happened(faults.SENSOR_FROZEN, error)
        else:
            for kind, fault in _OUTAGES.items():
                self._faults.show(fault, isinstance(error, kind), error)
