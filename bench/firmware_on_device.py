"""What a motion sample costs (under MicroPython, where `time.ticks_cpu` counts instructions).

Arguments: what to measure (path, kernels or madgwick), a file of samples (6 x int16), a file for the costs. The costs are
an int32 for each poll (path) or sample; what is printed is the heap that was taken after the first second, and the
samples.
"""

import gc
import struct
import sys
import time
from array import array

import micropython

from kinetens_protocol.motion import ORIENTATION
from motion import frames
from motion.lsm6dsox import LSM6DSOX
from motion.orientation import Orientation
from motion.stream import MotionStream
from motion.tagged_fifo import WRITTEN, unpack
from system.clock import Clock, add_us

POLL_SAMPLES = 17  # what 40 ms bring
PERIOD_US = 2400
RATE_HZ = 100
MTU = 247
WARM_UP_SAMPLES = 416  # objects get their last attributes meanwhile


@micropython.viper
def fifo_words(words: ptr8, samples: ptr8, count: int, slot: int, period_ticks: int) -> int:
    """Write samples as the sensor's FIFO holds them, a timestamp in every eighth slot; returns the number of words."""
    at = 0
    for i in range(count):
        tag = (slot & 3) << 1
        if slot & 7 == 0:
            ticks = slot * period_ticks
            words[at] = 4 << 3 | tag
            for byte in range(4):
                words[at + 1 + byte] = ticks >> (8 * byte)
            at += 7
        for kind in range(1, 3):
            words[at] = kind << 3 | tag
            for byte in range(6):
                words[at + 1 + byte] = samples[12 * i + 6 * (kind - 1) + byte]
            at += 7
        slot += 1
    return at // 7


@micropython.viper
def copy_bytes(target: ptr8, source: ptr8, at: int, count: int):
    for i in range(count):
        target[i] = source[at + i]


class Bus:
    """An I2C bus whose sensor has the words it was given; `spent`: instructions that are the bus's own."""

    def __init__(self):
        self.words = bytearray(7 * 3 * 64)
        self.spent = 0
        self._count = self._at = 0

    def give(self, samples, count, slot, period_ticks):
        self._count = fifo_words(self.words, samples, count, slot, period_ticks)
        self._at = 0

    def readfrom_mem_into(self, address, register, into):
        start = time.ticks_cpu()
        if register == 0x78:
            copy_bytes(into, self.words, self._at, len(into))
            self._at += len(into)
            self._count -= len(into) // 7
        elif register == 0x3A:
            into[0] = self._count
            into[1] = 0
        else:
            into[0] = 0x6C if register == 0x0F else 0
        self.spent += time.ticks_diff(time.ticks_cpu(), start)

    def writeto_mem(self, address, register, data):
        pass


class PacedClock(Clock):
    """Costs what the real one costs, and shows the sensor's time instead of the computer's."""

    def update(self):
        ticks = time.ticks_us()
        add_us(self.words, time.ticks_diff(ticks, ticks))
        self._ticks = ticks


def taken(frame):
    """Notify at once."""
    return True


def uncalibrated():
    return (0,) * 24


def measure_path(source, results):
    """Driver, unpacking, time base, filter, framing and handing over, as the app's sample task does it."""
    bus = Bus()
    sensor = LSM6DSOX(bus)
    sensor.start()
    clock = PacedClock()
    stream = MotionStream(sensor, clock, uncalibrated())
    stream.start(RATE_HZ, False, 200, MTU)
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
        cost[0] = time.ticks_diff(time.ticks_cpu(), start) - bus.spent
        results.write(cost)
        count = source.readinto(samples) // 12
    return gc.mem_alloc() - before, slot


def measure_kernels(source, results):
    """Unpacking, filter and framing of one sample at a time, so that the worst one shows."""
    bus = Bus()
    sensor = LSM6DSOX(bus)
    sensor.start()
    state = sensor.state
    orientation = Orientation(
        sensor.sample_rate_mhz, sensor.gyro_udps_per_count, sensor.accel_ug_per_count, 1000 * RATE_HZ
    )
    frame = frames.FrameBuffer(ORIENTATION, 0, 244)
    words = frames.stream_words()
    sample = bytearray(12)
    raw = bytearray(12 + 7 * 3)
    batch = bytearray(12)
    outputs = array("i", [0] * 10)
    cost = array("i", [0])
    period_ticks = sensor.period_ticks
    slot = 0
    gc.collect()
    gc.disable()
    before = 0
    while source.readinto(sample):
        if slot < WARM_UP_SAMPLES:
            before = gc.mem_alloc()
        count = fifo_words(bus.words, sample, 1, slot, period_ticks)
        slot += 1
        for i in range(7 * count):
            raw[12 + i] = bus.words[i]
        state[WRITTEN] = 0
        start = time.ticks_cpu()
        unpack(raw, count, batch, state)
        if orientation.run(batch, 1, outputs, 0, 2):
            if frame.count == frame.capacity:
                frame.begin(0, words)
            frame.add(outputs, 0)
        cost[0] = time.ticks_diff(time.ticks_cpu(), start)
        results.write(cost)
    return gc.mem_alloc() - before, slot


def measure_madgwick(source, results):
    """The float filter alone: no unpacking, no framing."""
    from madgwick_float import Madgwick

    madgwick = Madgwick(416.0)
    sample = bytearray(12)
    cost = array("i", [0])
    allocated = slot = 0
    scale = 0.07 * 3.14159265 / 180
    while source.readinto(sample):
        gx, gy, gz, ax, ay, az = struct.unpack("<hhhhhh", sample)
        gx *= scale
        gy *= scale
        gz *= scale
        gc.collect()
        before = gc.mem_alloc()
        start = time.ticks_cpu()
        madgwick.update(gx, gy, gz, ax, ay, az)
        cost[0] = time.ticks_diff(time.ticks_cpu(), start)
        allocated += gc.mem_alloc() - before
        results.write(cost)
        slot += 1
    return allocated, slot


measures = {"path": measure_path, "kernels": measure_kernels, "madgwick": measure_madgwick}
with open(sys.argv[2], "rb") as source, open(sys.argv[3], "wb") as results:
    print(*measures[sys.argv[1]](source, results))
