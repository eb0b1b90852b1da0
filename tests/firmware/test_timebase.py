"""The device time of samples: right within a fraction of a sample, whatever the sensor's clock does."""

import pytest

from tests.firmware.micropython import CLOCK, run_on_micropython

SENSOR = (
    CLOCK
    + """
from system.clock import Clock
from motion.timebase import Timebase
Time.now_us = 1000
clock = Clock()
timebase = Timebase(clock, 416_000)

class Sensor:
    '''Samples at a rate of its own; a poll takes those that are due, at most 60 at once.'''
    def __init__(self, rate_hz):
        self.rate_hz = rate_hz
        self.made = 0
    def poll(self, lost=0):
        due = int((Time.now_us - 1000) * self.rate_hz / 1e6) - self.made
        while due > 0:
            count = min(due, 60)
            self.made += count
            clock.update()
            timebase.advance(count, count < 32)
            due -= count
    def error_us(self):
        newest = timebase.newest[0] | timebase.newest[1] << 32
        return newest - self.made / self.rate_hz * 1e6

def run(sensor, seconds, poll_us=40_000):
    worst = 0
    for step in range(int(seconds * 1e6 / poll_us)):
        Time.now_us += poll_us + (step * 7919) % 900
        sensor.poll()
        worst = max(worst, abs(sensor.error_us()))
    return worst
"""
)


@pytest.mark.parametrize("rate_hz", [416.0, 415.2, 416.8])
def test_it_settles_on_the_sensors_own_rate(rate_hz: float):
    (line,) = run_on_micropython(
        SENSOR
        + f"""
sensor = Sensor({rate_hz})
run(sensor, 30)
print(run(sensor, 60), timebase.period_ns)
"""
    )
    worst_us, period_ns = map(float, line.split())
    assert worst_us < 600
    assert period_ns == pytest.approx(1e9 / rate_hz, rel=2e-4)


def test_a_late_poll_with_a_full_fifo_does_not_shift_it():
    (line,) = run_on_micropython(
        SENSOR
        + """
sensor = Sensor(416.0)
run(sensor, 30)
Time.now_us += 500_000
sensor.poll()
late = abs(sensor.error_us())
print(late, run(sensor, 10))
"""
    )
    late_us, worst_us = map(float, line.split())
    assert late_us < 2500
    assert worst_us < 2500


def test_after_a_restart_the_next_batch_sets_it():
    (line,) = run_on_micropython(
        SENSOR
        + """
sensor = Sensor(416.0)
run(sensor, 5)
timebase.restart()
Time.now_us += 3_000_000
sensor.made = int((Time.now_us - 1000) * sensor.rate_hz / 1e6)
Time.now_us += 40_000
sensor.poll()
print(abs(timebase.newest[0] + 1000 - Time.now_us), timebase.period_ns)
"""
    )
    age_us, period_ns = map(float, line.split())
    assert age_us < 200 + 1000
    assert period_ns == pytest.approx(1e9 / 416, abs=1)


def test_the_period_stays_that_of_the_sensor_for_hours_with_jitter():
    (line,) = run_on_micropython(
        SENSOR
        + """
sensor = Sensor(416.7)
run(sensor, 60)
least = most = timebase.period_ns
for _ in range(60):
    run(sensor, 10)
    least = min(least, timebase.period_ns)
    most = max(most, timebase.period_ns)
print(least, most)
"""
    )
    least_ns, most_ns = map(float, line.split())
    assert least_ns == pytest.approx(1e9 / 416.7, rel=3e-4)
    assert most_ns == pytest.approx(1e9 / 416.7, rel=3e-4)
