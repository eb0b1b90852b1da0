"""Runs the firmware's orientation filter over a file of samples.

Arguments: the firmware's folder, sample rate (mHz), gyroscope scale (udps/count), accelerometer scale (ug/count), output
rate (mHz), samples (6 x int16 each) in, results out: for each output w, x, y, z (Q30), flags and bias x, y, z (2**-16
count), int32.
"""

import sys

sys.path[:] = [sys.argv[1], ".frozen"]

from array import array

from motion.orientation import Orientation

BLOCK = 16

sample_mhz, gyro_udps, accel_ug, output_mhz = (int(a) for a in sys.argv[2:6])
orientation = Orientation(sample_mhz, gyro_udps, accel_ug, output_mhz)
block = bytearray(12 * BLOCK)
room = 2 + BLOCK * output_mhz // sample_mhz
out = array("i", bytearray(4 * 5 * room))
with open(sys.argv[6], "rb") as samples, open(sys.argv[7], "wb") as results:
    while size := samples.readinto(block):
        outputs = orientation.run(block, size // 12, out, room)
        for i in range(outputs):
            results.write(out[5 * i : 5 * i + 5])
            results.write(orientation.bias)
