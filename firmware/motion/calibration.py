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
SIGN = const(27)  # makes words of ptr32 signed where they have 64 bits, as in motion.strapdown
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

    Counts are handled with 2**15 added, 0 to 65535: 0 and 65535 are saturated, and a shift tells what leaves the range.
    Words of 32 bits suffice: by the protocol's bounds an entry of the matrix is at most 16253 and an accelerometer's
    offset 3279 counts (200 mg at 2 g), so that three products with counts and three with offsets are below 1.76e9; what
    is left of the sample before and a fraction are below 2**18 each. The sum stays below 2**31.
    """
    sign = c[SIGN]
    end = 6 * count
    for axis in range(3):
        offset = (c[OFFSET + axis] ^ sign) - sign
        fraction = c[FRACTION + axis]
        part = c[LEFT + axis]
        at = axis
        while at < end:
            value = int(samples[at]) ^ 32768
            if (value + 1) & 65534:
                part -= fraction
                value += (part >> 18) - offset
                part &= 262143
                if value >> 16:
                    value = 65535 if value > 0 else 0
                samples[at] = value ^ 32768
            at += 6
        c[LEFT + axis] = part
    offset_x = (c[OFFSET + 3] ^ sign) - sign
    offset_y = (c[OFFSET + 4] ^ sign) - sign
    offset_z = (c[OFFSET + 5] ^ sign) - sign
    xx = (c[MATRIX] ^ sign) - sign
    xy = (c[MATRIX + 1] ^ sign) - sign
    xz = (c[MATRIX + 2] ^ sign) - sign
    yx = (c[MATRIX + 3] ^ sign) - sign
    yy = (c[MATRIX + 4] ^ sign) - sign
    yz = (c[MATRIX + 5] ^ sign) - sign
    zx = (c[MATRIX + 6] ^ sign) - sign
    zy = (c[MATRIX + 7] ^ sign) - sign
    zz = (c[MATRIX + 8] ^ sign) - sign
    less_x = c[FRACTION + 3] + xx * offset_x + xy * offset_y + xz * offset_z
    less_y = c[FRACTION + 4] + yx * offset_x + yy * offset_y + yz * offset_z
    less_z = c[FRACTION + 5] + zx * offset_x + zy * offset_y + zz * offset_z
    left_x = c[LEFT + 3]
    left_y = c[LEFT + 4]
    left_z = c[LEFT + 5]
    at = 3
    while at < end:
        u = int(samples[at]) ^ 32768
        v = int(samples[at + 1]) ^ 32768
        w = int(samples[at + 2]) ^ 32768
        x = u - 32768
        y = v - 32768
        z = w - 32768
        if x | y | z:
            if (u + 1) & 65534:
                left_x += xx * x + xy * y + xz * z - less_x
                u += (left_x >> 18) - offset_x
                left_x &= 262143
                if u >> 16:
                    u = 65535 if u > 0 else 0
                samples[at] = u ^ 32768
            if (v + 1) & 65534:
                left_y += yx * x + yy * y + yz * z - less_y
                v += (left_y >> 18) - offset_y
                left_y &= 262143
                if v >> 16:
                    v = 65535 if v > 0 else 0
                samples[at + 1] = v ^ 32768
            if (w + 1) & 65534:
                left_z += zx * x + zy * y + zz * z - less_z
                w += (left_z >> 18) - offset_z
                left_z &= 262143
                if w >> 16:
                    w = 65535 if w > 0 else 0
                samples[at + 2] = w ^ 32768
        at += 6
    c[LEFT + 3] = left_x
    c[LEFT + 4] = left_y
    c[LEFT + 5] = left_z
