"""The gyroscope's bias: VQF's Kalman filter, fed by the inclination correction in motion and by the rates at rest.

One array of int32 (`b`), whose places are named below and nowhere else. Words and halves as in motion.strapdown.
"""

import micropython
from micropython import const

# Places in the array.
BIAS = const(0)  # 3, 2**-16 count
_MIDDLE = const(
    3
)  # 3, what the bias is clipped around: zero or the offset met at the first rest, 2**-16 count
P = const(6)  # 6, covariance of the bias, (0.01 deg/s)**2, Q18: xx, xy, yy, xz, yz, zz
_ROWS = const(12)  # 9, measurement matrix, Q15
_ERROR = const(21)  # 3, disagreement of measurement and bias, 2**-16 count
_CHANGE = const(24)  # 3, of the bias in this update
_AT_REST = const(27)
_OFFSET_KNOWN = const(28)  # 1 from the first rest on
# Places that a reset keeps.
SETTINGS = const(29)
CLIP = const(29)  # 2**-16 count
FIRST_CLIP = const(30)  # the same until an offset is known
TILT_RATE = const(31)  # rate that makes a tilt in one window: 2**-16 count / Q30 half angle, Q24
P_INIT = const(32)
P_GROWTH = const(33)  # system noise of a window
MOTION_NOISE = const(34)  # variance of a measurement in motion, Q2
REST_NOISE = const(35)
SIZE = const(36)

# Q of the Kalman gain, at rest below 0.8 and in motion below 0.022.
_REST_PRECISION = const(15)
_MOTION_PRECISION = const(20)


@micropython.viper
def near_offset(b: ptr32, mean: ptr32) -> int:
    """Whether a mean rate can be a resting sensor's: near its offset, or small if that is not known.

    mean: 3 words, 2**-13 count. Returns 0 if not, 1 if so, 2 if it is but beyond where the bias is clipped.
    """
    one = 1
    sign = one << 31
    result = 1
    clip = b[CLIP] >> 3
    first_clip = clip
    if b[_OFFSET_KNOWN] == 0:
        first_clip = b[FIRST_CLIP] >> 3
    for i in range(3):
        x = (mean[i] ^ sign) - sign - (((b[_MIDDLE + i] ^ sign) - sign) >> 3)
        if x < 0:
            x = 0 - x
        if x > first_clip:
            result = 0
        elif x > clip:
            if result:
                result = 2
    return result


@micropython.viper
def learn_offset(b: ptr32, mean: ptr32, at_rest: int, near: int) -> int:
    """Note whether the sensor is at rest. The first rest shows its offset: 1 if the bias is clipped around that now."""
    b[_AT_REST] = at_rest
    if at_rest == 0 or b[_OFFSET_KNOWN]:
        return 0
    b[_OFFSET_KNOWN] = 1
    if near != 2:
        return 0
    for i in range(3):
        b[_MIDDLE + i] = mean[i] << 3
        b[BIAS + i] = mean[i] << 3
    return 1


@micropython.viper
def turn_bias(b: ptr32, correction: ptr32, attitude: ptr32, rows: ptr32):
    """What is low-passed for `measure`: the rows x and y of the rotation to earth (Q29), and the bias along them.

    correction, attitude: quaternions, almost-inertial frame to earth and sensor to almost-inertial frame, Q30.
    rows: receives 8 words.
    """
    one = 1
    sign = one << 31
    w = ((correction[0] ^ sign) - sign) >> 15
    x = ((correction[1] ^ sign) - sign) >> 15
    y = ((correction[2] ^ sign) - sign) >> 15
    z = ((correction[3] ^ sign) - sign) >> 15
    q0 = ((attitude[0] ^ sign) - sign) >> 15
    q1 = ((attitude[1] ^ sign) - sign) >> 15
    q2 = ((attitude[2] ^ sign) - sign) >> 15
    q3 = ((attitude[3] ^ sign) - sign) >> 15
    a = (w * q0 - x * q1 - y * q2 - z * q3) >> 15
    b1 = (w * q1 + x * q0 + y * q3 - z * q2) >> 15
    c = (w * q2 - x * q3 + y * q0 + z * q1) >> 15
    d = (w * q3 + x * q2 - y * q1 + z * q0) >> 15
    rows[0] = 536870912 - c * c - d * d
    rows[1] = b1 * c - a * d
    rows[2] = b1 * d + a * c
    rows[3] = b1 * c + a * d
    rows[4] = 536870912 - b1 * b1 - d * d
    rows[5] = c * d - a * b1
    at = 0
    for row in range(2):
        total = 0
        for i in range(3):
            y = (b[BIAS + i] ^ sign) - sign
            x = ((rows[at] ^ sign) - sign) >> 14
            total += (y >> 15) * x + (((y & 32767) * x) >> 15)
            at += 1
        rows[6 + row] = total


@micropython.viper
def measure(b: ptr32, tilt: ptr32, rows: ptr32, mean: ptr32):
    """What is to be learnt in this window: in motion what the inclination correction tells, at rest the rates.

    tilt: 2 words, half the turn about earth's x and y that the correction made, Q30. rows: 8 words, what `turn_bias`
    gave, low-passed. mean: 3 words, the rates low-passed, 2**-13 count.
    """
    one = 1
    sign = one << 31
    if b[_AT_REST]:
        for i in range(9):
            b[_ROWS + i] = 0
        for i in range(3):
            b[_ERROR + i] = (mean[i] << 3) - b[BIAS + i]
            b[_ROWS + 4 * i] = 32768
        return
    rate = b[TILT_RATE]
    at = 0
    for row in range(2):
        x = 0 - ((tilt[row] ^ sign) - sign)
        if x > 16777215:
            x = 16777215
        if x < -16777215:
            x = -16777215
        x <<= 6
        y = x >> 15
        total = y * (rate >> 15) + ((y * (rate & 32767) + (x & 32767) * (rate >> 15) + 24576) >> 15)
        total += (rows[6 + row] ^ sign) - sign
        for i in range(3):
            y = (b[BIAS + i] ^ sign) - sign
            x = ((rows[at] ^ sign) - sign) >> 14
            total -= (y >> 15) * x + (((y & 32767) * x) >> 15)
            b[_ROWS + at] = x
            at += 1
        b[_ERROR + row] = total


@micropython.viper
def take_measurement(b: ptr32, row: int):
    """One measurement of the Kalman filter: ERROR[row] = ROWS[row] * (bias - BIAS).

    row: below 2 in motion, where there is no third, below 3 at rest.
    The gain has so many bits (precision) that it stays below 2**15.
    """
    one = 1
    sign = one << 31
    precision = _MOTION_PRECISION
    noise = b[MOTION_NOISE]
    if b[_AT_REST]:
        precision = _REST_PRECISION
        noise = b[REST_NOISE]
    elif row == 2:
        return
    error = (b[_ERROR + row] ^ sign) - sign
    clip = b[CLIP]
    if error > clip:
        error = clip
    if error < 0 - clip:
        error = 0 - clip
    row = _ROWS + 3 * row
    x = (b[row] ^ sign) - sign
    y = (b[row + 1] ^ sign) - sign
    z = (b[row + 2] ^ sign) - sign
    xx = (b[P] ^ sign) - sign
    xy = (b[P + 1] ^ sign) - sign
    yy = (b[P + 2] ^ sign) - sign
    xz = (b[P + 3] ^ sign) - sign
    yz = (b[P + 4] ^ sign) - sign
    zz = (b[P + 5] ^ sign) - sign
    change1 = (b[_CHANGE] ^ sign) - sign
    change2 = (b[_CHANGE + 1] ^ sign) - sign
    change3 = (b[_CHANGE + 2] ^ sign) - sign
    # P times the row, Q3, < 2**15
    px = (xy + 16384) >> 15
    py = (xz + 16384) >> 15
    pz = (yz + 16384) >> 15
    ph1 = (((xx + 16384) >> 15) * x + px * y + py * z + 16384) >> 15
    ph2 = (px * x + ((yy + 16384) >> 15) * y + pz * z + 16384) >> 15
    ph3 = (py * x + pz * y + ((zz + 16384) >> 15) * z + 16384) >> 15
    error -= (((change1 >> 10) * x) >> 5) + (((change2 >> 10) * y) >> 5) + (((change3 >> 10) * z) >> 5)
    variance = noise + ((ph1 * x + ph2 * y + ph3 * z) >> 16)
    # 1 / variance as a number of 16 bits
    shift = 31 - precision
    while variance >= 32768:
        variance >>= 1
        shift += 1
    while variance < 16384:
        variance <<= 1
        shift -= 1
    inverse = 1073741823 // variance
    high = error >> 15
    low = error & 32767
    gain1 = (ph1 * inverse) >> shift
    gain2 = (ph2 * inverse) >> shift
    gain3 = (ph3 * inverse) >> shift
    precision -= 15
    half = (1 << precision) >> 1
    b[P] = xx - ((ph1 * gain1) >> precision)
    b[P + 1] = xy - ((ph1 * gain2) >> precision)
    b[P + 2] = yy - ((ph2 * gain2) >> precision)
    b[P + 3] = xz - ((ph1 * gain3) >> precision)
    b[P + 4] = yz - ((ph2 * gain3) >> precision)
    b[P + 5] = zz - ((ph3 * gain3) >> precision)
    b[_CHANGE] = change1 + ((high * gain1 + ((low * gain1 + 16384) >> 15) + half) >> precision)
    b[_CHANGE + 1] = change2 + ((high * gain2 + ((low * gain2 + 16384) >> 15) + half) >> precision)
    b[_CHANGE + 2] = change3 + ((high * gain3 + ((low * gain3 + 16384) >> 15) + half) >> precision)


@micropython.viper
def end_update(b: ptr32):
    """After the measurements: change and clip the bias, which may wander until the next."""
    one = 1
    sign = one << 31
    clip = b[CLIP]
    for i in range(3):
        middle = (b[_MIDDLE + i] ^ sign) - sign
        x = ((b[BIAS + i] ^ sign) - sign) + ((b[_CHANGE + i] ^ sign) - sign)
        if x > middle + clip:
            x = middle + clip
        if x < middle - clip:
            x = middle - clip
        b[BIAS + i] = x
        b[_CHANGE + i] = 0
    most = b[P_INIT]
    growth = b[P_GROWTH]
    if b[P] < most:
        b[P] += growth
    if b[P + 2] < most:
        b[P + 2] += growth
    if b[P + 5] < most:
        b[P + 5] += growth
