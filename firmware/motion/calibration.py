"""What is known of the sensor's own errors, taken off its samples before anything else sees them.

Half a count is 0.24 mg or 0.035 °/s, so what rounding takes from one sample is given to the next: the mean, which the
filter integrates, keeps the fraction of a count that no single sample can show.
"""

import sys
from array import array

import micropython
from micropython import const

# Places in the array of corrections; Q18 of a count or, in the matrix, of one.
OFFSET = const(0)  # 6, whole counts, gyroscope and accelerometer
FRACTION = const(6)  # 6, ... and the rest of the offsets, Q18, not negative
MATRIX = const(12)  # 9, the accelerometer's matrix less one, row by row, Q18
LEFT = const(21)  # 6, what rounding left of the sample before, Q18
SIGN = const(27)  # makes words of ptr32 signed where they have 64 bits, as in motion.orientation_kernels
CORRECTION_SIZE = const(28)

_ONE = const(1 << 18)


def correction(calibration, gyro_udps_per_count, accel_ug_per_count):
    """A control.Calibration in counts of a sensor of these scales, for `correct`; None if it corrects nothing."""
    offsets = calibration[6:12]
    matrix = calibration[12:21]
    if not any(offsets) and not any(matrix):
        return None
    c = array("i", bytearray(4 * CORRECTION_SIZE))
    for axis in range(6):
        weight = gyro_udps_per_count if axis < 3 else accel_ug_per_count
        q18 = (offsets[axis] * _ONE + weight // 2) // weight
        c[OFFSET + axis] = q18 >> 18
        c[FRACTION + axis] = q18 & (_ONE - 1)
        c[LEFT + axis] = _ONE >> 1
    for place in range(9):
        c[MATRIX + place] = (matrix[place] * _ONE + 500_000) // 1_000_000
    c[SIGN] = -(1 << 31) if sys.maxsize > 1 << 31 else 0
    return c


@micropython.viper
def correct(samples: ptr16, count: int, c: ptr32):
    """Correct `count` samples (6 x int16 each: gyroscope, accelerometer) in place.

    A saturated count stays what it is, and so does an acceleration of exactly zero, which is no reading: the filter
    looks for both. What a correction carries beyond int16 saturates.

    Words of 32 bits suffice: by the protocol's bounds an accelerometer's offset is at most 3279 counts (200 mg at 2 g),
    an entry of the matrix 16253, so that three products with differences from it are below 1.76e9; what is left of the
    sample before and a fraction are below 2**18 each. The sum stays below 2**31.
    """
    sign = c[SIGN]
    at = 0
    end = 6 * count
    while at < end:
        x = (int(samples[at + 3]) ^ 32768) - 32768
        y = (int(samples[at + 4]) ^ 32768) - 32768
        z = (int(samples[at + 5]) ^ 32768) - 32768
        axes = 6
        if not x | y | z:
            axes = 3
        x -= (c[OFFSET + 3] ^ sign) - sign
        y -= (c[OFFSET + 4] ^ sign) - sign
        z -= (c[OFFSET + 5] ^ sign) - sign
        for axis in range(axes):
            value = (int(samples[at + axis]) ^ 32768) - 32768
            if value != 32767 and value != -32768:
                value -= (c[OFFSET + axis] ^ sign) - sign
                part = c[LEFT + axis] - c[FRACTION + axis]
                if axis > 2:
                    row = MATRIX + 3 * axis - 9
                    part += ((c[row] ^ sign) - sign) * x
                    part += ((c[row + 1] ^ sign) - sign) * y
                    part += ((c[row + 2] ^ sign) - sign) * z
                value += part >> 18
                c[LEFT + axis] = part & 262143
                if value > 32767:
                    value = 32767
                if value < -32768:
                    value = -32768
                samples[at + axis] = value
        at += 6
