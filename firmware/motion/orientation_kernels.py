"""Integer kernels of the orientation filter: what runs on every sample and on every window.

All state is one array of int32 (`s` below) whose places are named here, so that a kernel takes small integers for
its operands and nothing is boxed. Angles, quaternions and unit vectors are Q30.

A word has 32 bits on the device and 64 on a PC: every intermediate must stay inside 32 bits. Two Q30 numbers a and b
are multiplied from 15-bit halves,
    (a >> 15) * (b >> 15) + (((a >> 15) * (b & 32767) + (a & 32767) * (b >> 15) + 24576) >> 15)
where each cross product is below 2**30 in size as long as |a|, |b| <= 2**30, so that their sum fits. (24576 is a half and
the quarter that the product of the low halves, left out, has on average: nothing may drift by rounding.)

Where words have 64 bits, ptr32 loads are unsigned. `(s[i] ^ sign) - sign` gives them their sign back: `sign`, from the
state, is -2**31 there and 0 where words have 32 bits, so that it does nothing.
"""

import micropython
from micropython import const

SIGNS = const(0x428E)  # bit 4k + j: in a quaternion product, component k takes a[j] * b[j ^ k] negative
WHOLE = const(1 << 12)  # the fraction of a sample that is all of it

# Places in the state.
GYR = const(0)  # 4, attitude by the gyroscope alone: sensor to the almost-inertial frame, Q30
ACC = const(4)  # 4, inclination correction: almost-inertial frame to earth (z up), Q30
TURNED = const(8)  # 4, GYR carried on by a part of a sample
ATTITUDE = const(12)  # 4, ACC * GYR
STEP = const(16)  # 4, the turn within one sample (less one), or one inclination correction
BIAS = const(20)  # 3, gyroscope bias, 2**-16 count
MIDDLE = const(23)  # 3, what the bias is clipped around: zero or the offset met at the first rest, 2**-16 count
SUM = const(26)  # 6, samples summed over the window, counts
EARTH_SUM = const(32)  # 3, accelerations turned by GYR summed over the window, 1/16 count
EARTH_COUNT = const(35)
STILL = const(36)  # 6, low-passed sensors that a resting one stays close to, 1/16 count
MOVED = const(42)  # 1 if a sample of the window was not close
CLIPPED = const(43)  # samples with a saturated axis since the last output
LOST = const(44)  # samples with a saturated gyroscope axis in the window
MATRIX = const(45)  # 9, rotation matrix, Q30
GRAVITY = const(54)  # 3, low-passed acceleration in earth's frame, unit vector, Q30
P = const(57)  # 9, covariance of the bias, (0.01 deg/s)**2, Q18
ROWS = const(66)  # 9, measurement matrix of the Kalman filter, Q15
ERROR = const(75)  # 3, what it measures: disagreement of bias and measurement, 2**-16 count
PH = const(78)  # 3, P * row
CHANGE = const(81)  # 3, of the bias in this update
# Places that a reset keeps.
SETTINGS = const(84)
TURN_HIGH = const(84)  # half the angle of one count in one sample, Q30 * 2**TURN_SHIFT: integer part
TURN_LOW = const(85)  # ... and its 15-bit fraction
TURN_SHIFT = const(86)
BIAS_CLIP = const(87)  # 2**-16 count
STILL_GYR = const(88)  # how close a resting sensor stays, 1/16 count
STILL_ACC = const(89)
TILT_RATE = const(90)  # rate that turns by 1 rad in a window: 2**-16 count / Q30 rad, Q24
P_INIT = const(91)
P_GROWTH = const(92)  # system noise per window
SIGN = const(93)  # makes words of ptr32 signed, see below
STATE_SIZE = const(94)

# Channels of the low-passes: (input, output, first and second integrator).
CHANNEL = const(4)
CORRECTION_CHANNELS = const(11)  # 3 accelerations, 2 rows of the rotation matrix, 2 of matrix * bias
REST_CHANNELS = const(6)  # gyroscope, accelerometer


@micropython.viper
def strapdown(s: ptr32, samples: ptr16, first: int, last: int, fraction: int):
    """Turn the attitude by samples first..last-1 and gather what the next window update needs.

    samples: 6 x int16 each, gyroscope and accelerometer in counts.
    fraction: WHOLE, or the part of the (one) sample to turn by into TURNED, in 1/4096, gathering nothing.

    The increment is exact to the seventh order of the half angle, which full scale on three axes at 25 Hz needs
    (1.4 rad); the caller normalises at every window.
    """
    sign = s[SIGN]
    place = GYR
    if fraction != WHOLE:
        place = TURNED
    high = s[TURN_HIGH]
    low = s[TURN_LOW]
    shift = s[TURN_SHIFT]
    half = (1 << shift) >> 1
    i = 6 * first
    end = 6 * last
    while i < end:
        # Half the angle of this sample on each axis (|h| < 0.82 rad, set up so), and the sum of squares u < 2.
        u = 0
        for axis in range(3):
            x = int(samples[i + axis])
            if x > 32767:
                x -= 65536
            rate = (x << 8) - (((s[BIAS + axis] ^ sign) - sign + 128) >> 8)  # 1/256 count
            whole = rate >> 8
            h = (whole * high + ((whole * low) >> 15) + (((rate & 255) * high) >> 8) + half) >> shift
            if fraction != WHOLE:
                h = (h >> 12) * fraction + (((h & 4095) * fraction) >> 12)
            s[STEP + 1 + axis] = h
            x = (h + 16384) >> 15
            u += x * x
        # cos - 1 and 1 - sin(h)/h by their series
        u2 = (u >> 16) * (u >> 16)  # Q28
        u3 = (u2 >> 15) * (u >> 16)  # Q27
        s[STEP] = u2 // 6 - (u >> 1) - u3 // 90
        short = u // 6 - u2 // 30 + u3 // 630
        for axis in range(3):
            h = (s[STEP + 1 + axis] ^ sign) - sign
            x = h >> 15
            s[STEP + 1 + axis] = h - x * (short >> 15) - ((x * (short & 32767)) >> 15)
        # attitude += attitude * step; component k gets the products of components j and j ^ k
        for k in range(4):
            total = (s[GYR + k] ^ sign) - sign
            for j in range(4):
                a = (s[GYR + j] ^ sign) - sign
                b = (s[STEP + (j ^ k)] ^ sign) - sign
                x = a >> 15
                y = b >> 15
                product = x * y + ((x * (b & 32767) + (a & 32767) * y + 24576) >> 15)
                if (SIGNS >> (4 * k + j)) & 1:
                    total -= product
                else:
                    total += product
            s[ATTITUDE + k] = total
        for k in range(4):
            s[place + k] = s[ATTITUDE + k]
        if fraction == WHOLE:
            clipped = 0
            still = 0
            reading = 0
            for axis in range(6):
                x = int(samples[i + axis])
                if x > 32767:
                    x -= 65536
                if x == 32767 or x == -32768:
                    clipped = 1
                    if axis < 3:
                        s[LOST] += 1
                s[SUM + axis] += x
                if axis == 3:
                    if still > s[STILL_GYR] * s[STILL_GYR]:
                        s[MOVED] = 1
                    still = 0
                limit = s[STILL_GYR]
                if axis > 2:
                    limit = s[STILL_ACC]
                    reading |= x
                x = (x << 4) - ((s[STILL + axis] ^ sign) - sign)
                if x < 0:
                    x = 0 - x
                if x > limit:
                    s[MOVED] = 1
                else:
                    still += x * x
            if still > s[STILL_ACC] * s[STILL_ACC]:
                s[MOVED] = 1
            s[CLIPPED] += clipped
            if reading:  # an accelerometer reading of exactly zero is no reading
                x = int(samples[i + 3])
                if x > 32767:
                    x -= 65536
                y = int(samples[i + 4])
                if y > 32767:
                    y -= 65536
                z = int(samples[i + 5])
                if z > 32767:
                    z -= 65536
                a = ((s[GYR] ^ sign) - sign + 16384) >> 15
                b = ((s[GYR + 1] ^ sign) - sign + 16384) >> 15
                c = ((s[GYR + 2] ^ sign) - sign + 16384) >> 15
                d = ((s[GYR + 3] ^ sign) - sign + 16384) >> 15
                # Rotation matrix in Q15; a turned vector of int16 is below 32768 * sqrt(3) < 2**16 counts.
                s[EARTH_SUM] += (
                    (32768 - ((c * c + d * d + 8192) >> 14)) * x
                    + ((b * c - a * d + 8192) >> 14) * y
                    + ((b * d + a * c + 8192) >> 14) * z
                    + 1024
                ) >> 11
                s[EARTH_SUM + 1] += (
                    ((b * c + a * d + 8192) >> 14) * x
                    + (32768 - ((b * b + d * d + 8192) >> 14)) * y
                    + ((c * d - a * b + 8192) >> 14) * z
                    + 1024
                ) >> 11
                s[EARTH_SUM + 2] += (
                    ((b * d - a * c + 8192) >> 14) * x
                    + ((c * d + a * b + 8192) >> 14) * y
                    + (32768 - ((b * b + c * c + 8192) >> 14)) * z
                    + 1024
                ) >> 11
                s[EARTH_COUNT] += 1
        i += 6


@micropython.viper
def multiply(out: ptr32, place: int, s: ptr32, left: int, right: int):
    """Quaternion product of s[left..] and s[right..] into out[place..]; out may be s where the places differ."""
    sign = s[SIGN]
    for k in range(4):
        total = 0
        for j in range(4):
            a = (s[left + j] ^ sign) - sign
            b = (s[right + (j ^ k)] ^ sign) - sign
            x = a >> 15
            y = b >> 15
            product = x * y + ((x * (b & 32767) + (a & 32767) * y + 24576) >> 15)
            if (SIGNS >> (4 * k + j)) & 1:
                total -= product
            else:
                total += product
        out[place + k] = total


@micropython.viper
def normalise(s: ptr32, place: int, size: int) -> int:
    """Make the vector s[place..] of any length one (Q30). Returns 0 and leaves it if it is too short to tell."""
    sign = s[SIGN]
    biggest = 0
    for i in range(size):
        x = (s[place + i] ^ sign) - sign
        if x < 0:
            x = -1 - x
        biggest |= x
    if biggest < 64:
        return 0
    up = 0
    while biggest >= 1 << 29:
        biggest >>= 1
        up -= 1
    while biggest < 1 << 28:
        biggest <<= 1
        up += 1
    square = 0  # Q30, 1/16 .. 1 as the biggest component is 1/4 .. 1/2
    for i in range(size):
        x = (s[place + i] ^ sign) - sign
        if up < 0:
            x >>= 0 - up
        else:
            x <<= up
        s[place + i] = x
        y = x >> 15
        square += y * y + ((y * (x & 32767)) >> 14)
    up = 0
    while square < 1 << 28:
        square <<= 2
        up += 1
    # 1 / sqrt(square) in Q29 by Newton's method from a line that is within 10 %
    root = (577136230 - (square >> 2) - (square >> 4)) << 1
    for i in range(4):
        x = root >> 15
        y = x * x + ((x * (root & 32767)) >> 14)  # Q28
        x = square >> 15
        k = y >> 15
        y = 805306368 - (x * k + ((x * (y & 32767) + (square & 32767) * k) >> 15))
        x = root >> 15
        k = y >> 15
        root = (x * k + ((x * (y & 32767) + (root & 32767) * k) >> 15)) << 1
    for i in range(size):
        x = ((s[place + i] ^ sign) - sign) << up
        y = x >> 15
        k = root >> 15
        s[place + i] = (y * k + ((y * (root & 32767) + (x & 32767) * k + 24576) >> 15)) << 1
    return 1


@micropython.viper
def matrix(s: ptr32, place: int):
    """Rotation matrix of the quaternion s[place..] into MATRIX, Q30."""
    sign = s[SIGN]
    for i in range(3):
        for j in range(3):
            a = (s[place + 1 + i] ^ sign) - sign
            b = (s[place + 1 + j] ^ sign) - sign
            x = a >> 15
            y = b >> 15
            total = x * y + ((x * (b & 32767) + (a & 32767) * y + 24576) >> 15)
            a = (s[place] ^ sign) - sign
            b = a
            if i != j:
                b = (s[place + 4 - i - j] ^ sign) - sign
            x = a >> 15
            y = b >> 15
            product = x * y + ((x * (b & 32767) + (a & 32767) * y + 24576) >> 15)
            if i == j:
                total += product - 536870912
            elif j - i == 1 or j - i == -2:
                total -= product
            else:
                total += product
            s[MATRIX + 3 * i + j] = total << 1


@micropython.viper
def low_pass(s: ptr32, bank: ptr32, start: int, channels: int, coefficients: ptr32, average: int):
    """One step of second-order Butterworth low-passes, the bilinear form that VQF uses.

    bank: CHANNEL words a channel; inputs up to 2**30 / 1.1 in size.
    coefficients: a2, 1 - a1 and g of the trapezoidal state variable filter (Zavalishin 2012; Simper 2013),
        Q18, Q18, Q15; each below 2**15.
    average: 0, or n to take the mean of the first n inputs instead, as VQF starts its filters.
    """
    sign = s[SIGN]
    sign = s[SIGN]
    gain = coefficients[0]
    damping = coefficients[1]
    warp = coefficients[2]
    for i in range(start, start + channels):
        at = CHANNEL * i
        x = (bank[at] ^ sign) - sign
        first = (bank[at + 2] ^ sign) - sign
        second = (bank[at + 3] ^ sign) - sign
        if average:
            second += (x - second) // average
            bank[at + 1] = second
            bank[at + 2] = 0
            bank[at + 3] = second
        else:
            x -= second
            push = (x >> 15) * gain + (((x & 32767) * gain + 16384) >> 15)  # times 8, as all below
            ahead = (push >> 15) * warp + (((push & 32767) * warp + 16384) >> 15)
            ahead += (first >> 15) * gain + (((first & 32767) * gain + 16384) >> 15)
            push -= (first >> 15) * damping + (((first & 32767) * damping + 16384) >> 15)
            bank[at + 1] = second + ((ahead + 4) >> 3)
            bank[at + 2] = first + ((push + 2) >> 2)
            bank[at + 3] = second + ((ahead + 2) >> 2)


@micropython.viper
def mean(s: ptr32, correction: ptr32, rest: ptr32, length: int) -> int:
    """The mean of the window's `length` samples into the low-passes' inputs. Returns how many had an acceleration."""
    sign = s[SIGN]
    count = s[EARTH_COUNT]
    if count:
        for axis in range(3):
            correction[CHANNEL * axis] = ((((s[EARTH_SUM + axis] ^ sign) - sign) << 6) // count) << 4  # 2**-14 count
    for axis in range(6):
        rest[CHANNEL * axis] = ((((s[SUM + axis] ^ sign) - sign) << 11) // length) << 2  # 2**-13 count
    return count


@micropython.viper
def forget_sums(s: ptr32):
    """Begin a window."""
    for i in range(10):
        s[SUM + i] = 0
    s[LOST] = 0


@micropython.viper
def take_offset(s: ptr32, rest: ptr32) -> int:
    """If a resting gyroscope shows more than the bias may be, clip the bias around that from now on, and return 1."""
    sign = s[SIGN]
    clip = s[BIAS_CLIP]
    found = 0
    for i in range(3):
        rate = ((rest[CHANNEL * i + 1] ^ sign) - sign) << 3
        if rate > clip or rate < 0 - clip:
            s[MIDDLE + i] = rate
            s[BIAS + i] = rate
            found = 1
    return found


@micropython.viper
def watch(s: ptr32, rest: ptr32):
    """Set what the next window's samples must stay close to for the sensor to be at rest."""
    sign = s[SIGN]
    for i in range(6):
        s[STILL + i] = ((rest[CHANNEL * i + 1] ^ sign) - sign) >> 9
    s[MOVED] = 0


@micropython.viper
def point(s: ptr32, correction: ptr32):
    """Low-passed acceleration turned by MATRIX into GRAVITY, not yet of unit length."""
    sign = s[SIGN]
    for i in range(3):
        total = 0
        for j in range(3):
            a = (s[MATRIX + 3 * i + j] ^ sign) - sign
            b = (correction[CHANNEL * j + 1] ^ sign) - sign
            x = a >> 15
            y = b >> 15
            total += x * y + ((x * (b & 32767) + (a & 32767) * y + 24576) >> 15)
        s[GRAVITY + i] = total


@micropython.viper
def halfway(s: ptr32):
    """The shortest turn that brings GRAVITY to z, not yet of unit length, into STEP."""
    sign = s[SIGN]
    s[STEP] = (((s[GRAVITY + 2] ^ sign) - sign) >> 1) + 536870912
    s[STEP + 1] = ((s[GRAVITY + 1] ^ sign) - sign) >> 1
    s[STEP + 2] = 0 - (((s[GRAVITY] ^ sign) - sign) >> 1)
    s[STEP + 3] = 0


@micropython.viper
def copy(s: ptr32, place: int, source: int, size: int):
    for i in range(size):
        s[place + i] = s[source + i]


@micropython.viper
def turn_bias(s: ptr32, correction: ptr32):
    """Inputs of the low-passes that the bias estimation needs: the horizontal rows of MATRIX, and their bias."""
    sign = s[SIGN]
    for row in range(2):
        total = 0
        for j in range(3):
            a = (s[MATRIX + 3 * row + j] ^ sign) - sign
            b = (s[BIAS + j] ^ sign) - sign
            x = a >> 15
            y = b >> 15
            total += x * y + ((x * (b & 32767) + (a & 32767) * y + 24576) >> 15)
            correction[CHANNEL * (3 + 3 * row + j)] = a >> 1
        correction[CHANNEL * (9 + row)] = total


@micropython.viper
def measure_in_motion(s: ptr32, correction: ptr32):
    """What the inclination correction tells about the bias: ERROR and ROWS for two horizontal axes."""
    sign = s[SIGN]
    for row in range(2):
        tilt = (s[GRAVITY] ^ sign) - sign
        if row == 0:
            tilt = 0 - ((s[GRAVITY + 1] ^ sign) - sign)
        if tilt > 16777216:
            tilt = 16777216
        if tilt < -16777216:
            tilt = -16777216
        a = tilt << 6
        b = s[TILT_RATE]
        x = a >> 15
        y = b >> 15
        total = x * y + ((x * (b & 32767) + (a & 32767) * y) >> 15)
        total += (correction[CHANNEL * (9 + row) + 1] ^ sign) - sign
        for j in range(3):
            a = ((correction[CHANNEL * (3 + 3 * row + j) + 1] ^ sign) - sign) << 1
            b = (s[BIAS + j] ^ sign) - sign
            x = a >> 15
            y = b >> 15
            total -= x * y + ((x * (b & 32767) + (a & 32767) * y + 24576) >> 15)
            s[ROWS + 3 * row + j] = x
        s[ERROR + row] = total


@micropython.viper
def measure_at_rest(s: ptr32, rest: ptr32):
    """What rest tells about the bias: the gyroscope shows it."""
    sign = s[SIGN]
    for i in range(3):
        s[ERROR + i] = (((rest[CHANNEL * i + 1] ^ sign) - sign) << 3) - ((s[BIAS + i] ^ sign) - sign)
        for j in range(3):
            s[ROWS + 3 * i + j] = 0
        s[ROWS + 4 * i] = 32768


@micropython.viper
def update_bias(s: ptr32, rows: int, noise: int):
    """Kalman filter update of BIAS and P with the measurements ERROR = ROWS * (bias - BIAS), one after the other.

    noise: measurement variance of each, (0.01 deg/s)**2, Q2, below 2**22.
    """
    sign = s[SIGN]
    clip = s[BIAS_CLIP]
    for i in range(3):
        s[CHANGE + i] = 0
        if s[P + 4 * i] < s[P_INIT]:
            s[P + 4 * i] += s[P_GROWTH]
    for row in range(rows):
        error = (s[ERROR + row] ^ sign) - sign
        if error > clip:
            error = clip
        if error < 0 - clip:
            error = 0 - clip
        variance = 0
        for i in range(3):
            total = 0
            for j in range(3):
                a = (s[P + 3 * i + j] ^ sign) - sign
                b = (s[ROWS + 3 * row + j] ^ sign) - sign
                total += (a >> 15) * b + (((a & 32767) * b) >> 15)
            s[PH + i] = total  # Q18
            b = (s[ROWS + 3 * row + i] ^ sign) - sign
            variance += (total >> 15) * b + (((total & 32767) * b) >> 15)
            error -= ((((s[CHANGE + i] ^ sign) - sign) >> 10) * b) >> 5
        variance = noise + (variance >> 16)  # Q2
        for i in range(3):
            # The gain PH / variance in Q30: long division, as the quotient alone has too few digits.
            total = (s[PH + i] ^ sign) - sign
            gain = total // variance  # Q16
            rest = total - gain * variance
            gain = (gain << 9) + (rest << 9) // variance
            x = gain >> 10
            gain = (gain & 1023) << 5
            y = error >> 15
            s[CHANGE + i] += x * y + ((x * (error & 32767) + gain * y + 24576) >> 15)
            for j in range(i + 1):
                b = (s[PH + j] ^ sign) - sign
                y = b >> 15
                total = (s[P + 3 * i + j] ^ sign) - sign - x * y - ((x * (b & 32767) + gain * y + 24576) >> 15)
                s[P + 3 * i + j] = total
                s[P + 3 * j + i] = total
    for i in range(3):
        x = (s[BIAS + i] ^ sign) - sign + (s[CHANGE + i] ^ sign) - sign
        b = (s[MIDDLE + i] ^ sign) - sign
        if x > b + clip:
            x = b + clip
        if x < b - clip:
            x = b - clip
        s[BIAS + i] = x
