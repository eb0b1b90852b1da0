"""What one sample costs (under MicroPython, where `time.ticks_cpu` counts instructions).

Arguments: a file of samples (6 x int16), a file for the costs, an int32 for each sample. What is printed is the heap that
was taken after the first second, and the samples.
"""

import gc
import sys
import time
from array import array

from board import CALIBRATED, RATE_HZ, WARM_UP_SAMPLES, Bus, fifo_words

from kinetens_protocol.motion import ORIENTATION
from motion import frames
from motion.calibration import correct, correction
from motion.lsm6dsox import LSM6DSOX
from motion.orientation import Orientation
from motion.tagged_fifo import WRITTEN, unpack


def measure(source, results):
    """Unpacking, correction, filter and framing of one sample at a time, so that the worst one shows."""
    bus = Bus()
    sensor = LSM6DSOX(bus)
    sensor.start()
    state = sensor.state
    orientation = Orientation(
        sensor.sample_rate_mhz, sensor.gyro_udps_per_count, sensor.accel_ug_per_count, 1000 * RATE_HZ
    )
    corrections = correction(CALIBRATED, sensor.gyro_udps_per_count, sensor.accel_ug_per_count)
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
        correct(batch, 1, corrections)
        if orientation.run(batch, 1, outputs, 2):
            if frame.count == frame.capacity:
                frame.begin(0, words)
            frame.add(outputs, 0, 1)
        cost[0] = time.ticks_diff(time.ticks_cpu(), start)
        results.write(cost)
    return gc.mem_alloc() - before, slot


with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as results:
    print(*measure(source, results))
