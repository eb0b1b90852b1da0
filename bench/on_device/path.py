"""What a poll of the whole path costs (under MicroPython, where `time.ticks_cpu` counts instructions).

Arguments: a name in VARIANTS, a file of samples (6 x int16), a file for the costs, an int32 for each poll. What is
printed is the heap that was taken after the first second, and the samples.
"""

import gc
import sys
import time
from array import array

from board import CALIBRATED, PERIOD_US, POLL_SAMPLES, RATE_HZ, UNCALIBRATED, WARM_UP_SAMPLES, Bus, PacedClock

from motion.lsm6dsox import LSM6DSOX
from motion.stream import MotionStream
from system.clock import add_us

MTU = 247


def taken(frame):
    """Notify at once."""
    return True


VARIANTS = {"path": (UNCALIBRATED, False), "calibrated": (CALIBRATED, False), "raw": (CALIBRATED, True)}


def measure(source, results, calibration, with_raw):
    """Driver, unpacking, time base, filter, framing and handing over, as the app's sample task does it."""
    bus = Bus()
    sensor = LSM6DSOX(bus)
    sensor.start()
    clock = PacedClock()
    stream = MotionStream(sensor, clock, calibration)
    stream.start(RATE_HZ, with_raw, 200, MTU)
    samples = bytearray(12 * POLL_SAMPLES)
    cost = array("i", [0])
    period_ticks = sensor.period_ticks
    slot = 0
    count = source.readinto(samples) // 12
    gc.collect()
    gc.disable()
    before = 0
    while count:
        if slot < WARM_UP_SAMPLES:
            before = gc.mem_alloc()
        bus.give(samples, count, slot, period_ticks)
        slot += count
        add_us(clock.words, count * PERIOD_US)
        bus.spent = 0
        start = time.ticks_cpu()
        stream.poll()
        stream.orientation.outbox.send(taken)
        if with_raw:
            stream.raw.outbox.send(taken)
        cost[0] = time.ticks_diff(time.ticks_cpu(), start) - bus.spent
        results.write(cost)
        count = source.readinto(samples) // 12
    return gc.mem_alloc() - before, slot


with open(sys.argv[2], "rb") as source, open(sys.argv[3], "wb") as results:
    print(*measure(source, results, *VARIANTS[sys.argv[1]]))
