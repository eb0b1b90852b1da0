"""Runs the firmware's orientation filter over a file of samples (under MicroPython).

Arguments: sample rate (mHz), gyroscope scale (udps/count), accelerometer scale (ug/count), output rate (mHz), file of
samples (6 x int16 each), file for the outputs (5 x int32 each), then for each gap: the sample it is before and how many
samples are missing. The last output is followed by the bias (3 x int32).
"""

import sys
from array import array

from motion.orientation import Orientation

BLOCK = 64

sample_mhz, gyro_udps, accel_ug, output_mhz = [int(word) for word in sys.argv[1:5]]
numbers = [int(word) for word in sys.argv[7:]]
gaps = {numbers[i]: numbers[i + 1] for i in range(0, len(numbers), 2)}
orientation = Orientation(sample_mhz, gyro_udps, accel_ug, output_mhz)
samples = bytearray(12 * BLOCK)
room = 2 + BLOCK * output_mhz // sample_mhz
outputs = array("i", bytearray(20 * room))
at = 0
with open(sys.argv[5], "rb") as source, open(sys.argv[6], "wb") as results:
    while True:
        size = source.readinto(samples)
        if not size:
            break
        if at in gaps:
            orientation.gap(gaps[at])
        at += size // 12
        count = orientation.run(samples, size // 12, outputs, room)
        results.write(memoryview(outputs)[: 5 * count])
    results.write(orientation.bias)
