"""Integer kernels of the orientation filter: what runs on every sample, every output and every window.

The state is one array of int32 (`s`), whose places are named here. Quaternions and turns are Q30.

A word has 32 bits on the device and 64 on a PC: every intermediate must fit 32 bits. Q30 numbers are multiplied from
halves, x = (high << 15) + low with low in -2**14 .. 2**14: high * high, and the cross products shifted by 15; the
product of the lows is below one unit. Where a cross product is a sum, the bound of the sum is given.

Where words have 64 bits, ptr32 loads are unsigned. `(s[i] ^ sign) - sign` gives a word its sign back: `sign`, from
the state, is -2**31 there, and 0 where words have 32 bits, so that it does nothing.
"""

import micropython
from micropython import const

# Places in the state.
GYR = const(0)  # 4, attitude by the gyroscope alone: sensor to almost-inertial frame
ACC = const(4)  # 4, inclination correction: almost-inertial frame to earth (z up)
CARRY = const(8)  # 3, what the steps of GYR have left over, Q30 half angle
BIAS = const(11)  # 3, gyroscope bias, 2**-16 count
MIDDLE = const(
    14
)  # 3, what the bias is clipped around: zero or the offset met at the first rest, 2**-16 count
BIAS_TURN = const(17)  # 3, the bias as Q30 half angle a sample
SUM = const(20)  # 6, samples summed over the window, counts
EARTH_SUM = const(26)  # 3, accelerations turned by GYR summed over the window, 1/16 count
EARTH_COUNT = const(29)
MOVED = const(30)  # 1 if a sample of the window was not close to STILL
LOST = const(31)  # samples with a saturated gyroscope in the window
STILL = const(32)  # 6, low-passed sensors that a resting one stays close to, 1/16 count
TILT = const(38)  # 2, half the turn about x and y that this window's inclination correction made, Q30
P = const(40)  # 9, covariance of the bias, (0.01 deg/s)**2, Q18
ROWS = const(49)  # 9, measurement matrix of the Kalman filter, Q15
ERROR = const(58)  # 3, disagreement of measurement and bias, 2**-16 count
PH = const(61)  # 3, P times a row, Q3
CHANGE = const(64)  # 3, of the bias in this update
FLAGS = const(67)  # of the next output: 1 at rest, 2 a sample since the last output was saturated
WAIT = const(68)  # time to the next output, in a unit of which a sample lasts SAMPLE_TIME
OUT_AT = const(69)  # where the next output goes, and for how many there is room
ROOM = const(70)
# Places that a reset keeps.
SETTINGS = const(71)
SIGN = const(71)
SAMPLE_TIME = const(72)  # the output rate, and ...
OUTPUT_TIME = const(73)  # ... the sample rate, mHz: times in a unit that makes both whole
TURN_HIGH = const(74)  # half the angle of one count in one sample, Q30 * 2**TURN_SHIFT: integer part
TURN_LOW = const(75)  # ... and its 15-bit fraction
TURN_SHIFT = const(76)
STILL_GYR = const(77)  # how close a resting sensor stays, (1/16 count)**2
STILL_ACC = const(78)
BIAS_CLIP = const(79)  # 2**-16 count
FIRST_CLIP = const(80)  # the same until an offset is known
TILT_RATE = const(81)  # rate that makes a tilt in one window: 2**-16 count / Q30 half angle, Q24
P_INIT = const(82)
P_GROWTH = const(83)  # system noise of a window
STATE_SIZE = const(84)

# A bank of low-passes: words of a channel, and the channels.
INPUT = const(0)
OUTPUT = const(1)
SLOPE = const(2)  # the output's slope, scaled by the cut-off frequency
CHANNEL = const(3)
ROW_CHANNEL = const(3)  # after 3 accelerations: 6 of the rotation matrix's rows x and y
BIAS_CHANNEL = const(9)  # 2 of those rows times the bias
CORRECTION_CHANNELS = const(11)
REST_CHANNELS = const(6)  # gyroscope, accelerometer


@micropython.viper
def advance(s: ptr32, samples: ptr16, first: int, last: int, out: ptr32):
    """Turn the attitude by samples first..last-1, write the outputs in their time, gather what the window needs.

    samples: 6 x int16 each, gyroscope and accelerometer in counts.
    out: outputs of w, x, y, z and flags, from s[OUT_AT] on while s[ROOM] lasts.

    A sample is turned by in parts where an output falls into its time. A part's half angle (Q30) becomes a step of
    Q18, and what that leaves over is carried on. A step is below 2**14 on an axis (0.11 rad in all), for which two
    terms of sine and cosine do to 1e-6; a bigger turn is made in equal steps. |attitude| strays by less than 1e-5
    until the window's end restores it.
    """
    sign = s[SIGN]
    high = s[TURN_HIGH]
    low = s[TURN_LOW]
    shift = s[TURN_SHIFT]
    half = (1 << shift) >> 1
    wait = s[WAIT]
    h1 = (s[CARRY] ^ sign) - sign
    h2 = (s[CARRY + 1] ^ sign) - sign
    h3 = (s[CARRY + 2] ^ sign) - sign
    q0 = (s[GYR] ^ sign) - sign
    q1 = (s[GYR + 1] ^ sign) - sign
    q2 = (s[GYR + 2] ^ sign) - sign
    q3 = (s[GYR + 3] ^ sign) - sign
    a = (q0 + 16384) >> 15
    b = (q1 + 16384) >> 15
    c = (q2 + 16384) >> 15
    d = (q3 + 16384) >> 15
    i = 6 * first
    end = 6 * last
    while i < end:
        # |count * high| < 2**30, as high < 2**15; the bias is below 2 % of full scale.
        x = (int(samples[i]) ^ 32768) - 32768
        y = (int(samples[i + 1]) ^ 32768) - 32768
        z = (int(samples[i + 2]) ^ 32768) - 32768
        h1 += ((x * high + ((x * low) >> 15) + half) >> shift) - ((s[BIAS_TURN] ^ sign) - sign)
        h2 += ((y * high + ((y * low) >> 15) + half) >> shift) - ((s[BIAS_TURN + 1] ^ sign) - sign)
        h3 += ((z * high + ((z * low) >> 15) + half) >> shift) - ((s[BIAS_TURN + 2] ^ sign) - sign)
        s[SUM] += x
        s[SUM + 1] += y
        s[SUM + 2] += z
        flags = 0
        if x == 32767 or x == -32768 or y == 32767 or y == -32768 or z == 32767 or z == -32768:
            flags = 2
            s[LOST] += 1
        if s[MOVED] == 0:
            x = (x << 4) - ((s[STILL] ^ sign) - sign)
            y = (y << 4) - ((s[STILL + 1] ^ sign) - sign)
            z = (z << 4) - ((s[STILL + 2] ^ sign) - sign)
            if ((x ^ (x >> 31)) | (y ^ (y >> 31)) | (z ^ (z >> 31))) >> 14:
                s[MOVED] = 1
            elif x * x + y * y + z * z > s[STILL_GYR]:
                s[MOVED] = 1

        left = s[SAMPLE_TIME]
        while left:
            time = left
            rest1 = 0
            rest2 = 0
            rest3 = 0
            if wait < left:
                time = (wait << 12) // left
                rest1 = h1
                rest2 = h2
                rest3 = h3
                h1 = (h1 >> 12) * time
                h2 = (h2 >> 12) * time
                h3 = (h3 >> 12) * time
                rest1 -= h1
                rest2 -= h2
                rest3 -= h3
                time = wait
            d1 = h1 >> 12
            d2 = h2 >> 12
            d3 = h3 >> 12
            steps = 0
            x = (d1 ^ (d1 >> 31)) | (d2 ^ (d2 >> 31)) | (d3 ^ (d3 >> 31))
            while x > 16383:
                x >>= 1
                d1 >>= 1
                d2 >>= 1
                d3 >>= 1
                steps += 1
            u = d1 * d1 + d2 * d2 + d3 * d3  # Q36, < 3 * 2**28
            z = u >> 15  # sin(h) = h - h * u / 6, where 5461 / 2**15 is 1/6
            x = (((d1 * z) >> 14) * 5461) >> 10
            d1 = ((h1 >> steps) - x + 2048) >> 12
            h1 += rest1 - ((x + (d1 << 12)) << steps)
            x = (((d2 * z) >> 14) * 5461) >> 10
            d2 = ((h2 >> steps) - x + 2048) >> 12
            h2 += rest2 - ((x + (d2 << 12)) << steps)
            x = (((d3 * z) >> 14) * 5461) >> 10
            d3 = ((h3 >> steps) - x + 2048) >> 12
            h3 += rest3 - ((x + (d3 << 12)) << steps)
            u = (u + 32768) >> 16  # cos(h) = 1 - u / 2
            steps = 1 << steps
            while steps:
                # Q33: |attitude| * |step| < 2**15 * 2**15
                q0 += (4 - b * d1 - c * d2 - d * d3 - ((a * u) >> 3)) >> 3
                q1 += (4 + a * d1 + c * d3 - d * d2 - ((b * u) >> 3)) >> 3
                q2 += (4 + a * d2 + d * d1 - b * d3 - ((c * u) >> 3)) >> 3
                q3 += (4 + a * d3 + b * d2 - c * d1 - ((d * u) >> 3)) >> 3
                a = (q0 + 16384) >> 15
                b = (q1 + 16384) >> 15
                c = (q2 + 16384) >> 15
                d = (q3 + 16384) >> 15
                steps -= 1
            left -= time
            wait -= time
            if wait == 0:
                wait = s[OUTPUT_TIME]
                if s[ROOM]:
                    # ACC * attitude; each sum of four: |highs| = 2**15 times |lows| <= 2**15
                    w0 = (s[ACC] ^ sign) - sign
                    x0 = (s[ACC + 1] ^ sign) - sign
                    y0 = (s[ACC + 2] ^ sign) - sign
                    z0 = (s[ACC + 3] ^ sign) - sign
                    w = (w0 + 16384) >> 15
                    x = (x0 + 16384) >> 15
                    y = (y0 + 16384) >> 15
                    z = (z0 + 16384) >> 15
                    w0 -= w << 15
                    x0 -= x << 15
                    y0 -= y << 15
                    z0 -= z << 15
                    a0 = q0 - (a << 15)
                    b0 = q1 - (b << 15)
                    c0 = q2 - (c << 15)
                    d0 = q3 - (d << 15)
                    at = s[OUT_AT]
                    u = ((w * a0 - x * b0 - y * c0 - z * d0) >> 15) + (
                        (w0 * a - x0 * b - y0 * c - z0 * d) >> 15
                    )
                    out[at] = w * a - x * b - y * c - z * d + u
                    u = ((w * b0 + x * a0 + y * d0 - z * c0) >> 15) + (
                        (w0 * b + x0 * a + y0 * d - z0 * c) >> 15
                    )
                    out[at + 1] = w * b + x * a + y * d - z * c + u
                    u = ((w * c0 - x * d0 + y * a0 + z * b0) >> 15) + (
                        (w0 * c - x0 * d + y0 * a + z0 * b) >> 15
                    )
                    out[at + 2] = w * c - x * d + y * a + z * b + u
                    u = ((w * d0 + x * c0 - y * b0 + z * a0) >> 15) + (
                        (w0 * d + x0 * c - y0 * b + z0 * a) >> 15
                    )
                    out[at + 3] = w * d + x * c - y * b + z * a + u
                    out[at + 4] = s[FLAGS] | flags
                    s[FLAGS] &= 1
                    s[OUT_AT] = at + 5
                    s[ROOM] -= 1
                    flags = 0

        x = (int(samples[i + 3]) ^ 32768) - 32768
        y = (int(samples[i + 4]) ^ 32768) - 32768
        z = (int(samples[i + 5]) ^ 32768) - 32768
        if x | y | z:  # a reading of exactly zero is no reading
            # Rotation matrix in Q15; a vector of int16 is shorter than 2**16 counts.
            s[EARTH_SUM] += (
                (32768 - ((c * c + d * d) >> 14)) * x
                + ((b * c - a * d) >> 14) * y
                + ((b * d + a * c) >> 14) * z
                + 1024
            ) >> 11
            s[EARTH_SUM + 1] += (
                ((b * c + a * d) >> 14) * x
                + (32768 - ((b * b + d * d) >> 14)) * y
                + ((c * d - a * b) >> 14) * z
                + 1024
            ) >> 11
            s[EARTH_SUM + 2] += (
                ((b * d - a * c) >> 14) * x
                + ((c * d + a * b) >> 14) * y
                + (32768 - ((b * b + c * c) >> 14)) * z
                + 1024
            ) >> 11
            s[EARTH_COUNT] += 1
        s[SUM + 3] += x
        s[SUM + 4] += y
        s[SUM + 5] += z
        if x == 32767 or x == -32768 or y == 32767 or y == -32768 or z == 32767 or z == -32768:
            flags = 2
        s[FLAGS] |= flags
        if s[MOVED] == 0:
            x = (x << 4) - ((s[STILL + 3] ^ sign) - sign)
            y = (y << 4) - ((s[STILL + 4] ^ sign) - sign)
            z = (z << 4) - ((s[STILL + 5] ^ sign) - sign)
            if ((x ^ (x >> 31)) | (y ^ (y >> 31)) | (z ^ (z >> 31))) >> 14:
                s[MOVED] = 1
            elif x * x + y * y + z * z > s[STILL_ACC]:
                s[MOVED] = 1
        i += 6
    s[WAIT] = wait
    s[CARRY] = h1
    s[CARRY + 1] = h2
    s[CARRY + 2] = h3
    s[GYR] = q0
    s[GYR + 1] = q1
    s[GYR + 2] = q2
    s[GYR + 3] = q3


@micropython.viper
def restore_norm(s: ptr32, place: int):
    """One Newton step of the quaternion s[place..] to length one, from within 3 %."""
    sign = s[SIGN]
    error = 1073741823
    for i in range(place, place + 4):
        x = (s[i] ^ sign) - sign
        y = x >> 15
        error -= y * y + ((y * (x & 32767)) >> 14)
    coarse = 4
    if error > 262144 or error < -262144:
        coarse = 11
    error >>= coarse
    coarse = 16 - coarse
    for i in range(place, place + 4):
        x = (s[i] ^ sign) - sign
        s[i] = x + (((x >> 15) * error) >> coarse)


@micropython.viper
def end_window(s: ptr32, correction: ptr32, rest: ptr32, length: int) -> int:
    """Give the means of the window's samples to the low-passes and begin the next.

    Returns bits: 1 if a sample was not close to rest, 2 if there was an acceleration.
    """
    sign = s[SIGN]
    result = s[MOVED]
    count = s[EARTH_COUNT]
    if count:
        result |= 2
    for axis in range(3):
        if count:
            x = (s[EARTH_SUM + axis] ^ sign) - sign
            correction[CHANNEL * axis] = ((x << 5) // count) << 5  # 2**-14 count
        s[EARTH_SUM + axis] = 0
    for axis in range(6):
        x = (s[SUM + axis] ^ sign) - sign
        rest[CHANNEL * axis] = ((x << 10) // length) << 3  # 2**-13 count
        s[SUM + axis] = 0
    s[EARTH_COUNT] = 0
    s[MOVED] = 0
    s[LOST] = 0
    return result


@micropython.viper
def low_pass(s: ptr32, bank: ptr32, start: int, stop: int, gain: int, average: int):
    """One step of second-order Butterworth low-passes, channels start..stop-1 of the bank.

    Inputs up to 2**30 / 1.1 in size. gain: twice the sine of half the cut-off's angle in a step, Q16.
    average: 0, or n to take the mean of the first n inputs instead, as VQF starts its filters.
    """
    sign = s[SIGN]
    damping = (gain * 11585) >> 13  # sqrt(2)
    i = CHANNEL * start
    stop = CHANNEL * stop
    while i < stop:
        x = (bank[i] ^ sign) - sign
        y = (bank[i + 1] ^ sign) - sign
        x -= y
        if average:
            bank[i + 1] = y + x // average
            bank[i + 2] = 0
        else:
            # Products of 2**15-sized highs and lows with factors below 2**15, in halves.
            v = (bank[i + 2] ^ sign) - sign
            high = v >> 15
            low = v & 32767
            v += (
                ((x >> 15) * gain - high * damping) + (((x & 32767) * gain - low * damping + 16384) >> 15) + 1
            ) >> 1
            bank[i + 2] = v
            bank[i + 1] = y + (((v >> 15) * gain + (((v & 32767) * gain + 16384) >> 15) + 1) >> 1)
        i += CHANNEL


@micropython.viper
def near_offset(s: ptr32, rest: ptr32, known: int) -> int:
    """Set STILL; whether the mean rate can be a resting sensor's: near its offset, or small if that is not known.

    Returns 0 if not, 1 if so, 2 if it is but beyond where the bias is clipped.
    """
    sign = s[SIGN]
    result = 1
    clip = s[BIAS_CLIP] >> 3
    first_clip = clip
    if known == 0:
        first_clip = s[FIRST_CLIP] >> 3
    for i in range(6):
        x = (rest[CHANNEL * i + 1] ^ sign) - sign
        s[STILL + i] = x >> 9
        if i < 3:
            x -= ((s[MIDDLE + i] ^ sign) - sign) >> 3
            if x > first_clip or x < 0 - first_clip:
                result = 0
            elif x > clip or x < 0 - clip:
                if result:
                    result = 2
    return result


@micropython.viper
def take_offset(s: ptr32, rest: ptr32):
    """Clip the bias around the resting gyroscope's rate from now on."""
    for i in range(3):
        s[MIDDLE + i] = rest[CHANNEL * i + 1] << 3
        s[BIAS + i] = s[MIDDLE + i]


@micropython.viper
def level(s: ptr32, correction: ptr32):
    """Turn ACC so that the low-passed acceleration points up (all of a small tilt, some of a big one); set TILT."""
    sign = s[SIGN]
    # 2**-11 count, < 2**27
    x = ((correction[OUTPUT] ^ sign) - sign) >> 3
    y = ((correction[CHANNEL + 1] ^ sign) - sign) >> 3
    z = ((correction[2 * CHANNEL + 1] ^ sign) - sign) >> 3
    a = (s[ACC] ^ sign) - sign
    b = (s[ACC + 1] ^ sign) - sign
    c = (s[ACC + 2] ^ sign) - sign
    d = (s[ACC + 3] ^ sign) - sign
    a1 = (a + 16384) >> 15
    b1 = (b + 16384) >> 15
    c1 = (c + 16384) >> 15
    d1 = (d + 16384) >> 15
    a -= a1 << 15
    b -= b1 << 15
    c -= c1 << 15
    d -= d1 << 15
    # v + w * t + q x t with t = 2 * q x v; sums of cross products stay below 1.5 * 2**30
    x1 = (x + 16384) >> 15
    y1 = (y + 16384) >> 15
    z1 = (z + 16384) >> 15
    x0 = x - (x1 << 15)
    y0 = y - (y1 << 15)
    z0 = z - (z1 << 15)
    t = ((c1 * z1 - d1 * y1) + ((c1 * z0 + c * z1 - d1 * y0 - d * y1) >> 15)) << 1
    u = ((d1 * x1 - b1 * z1) + ((d1 * x0 + d * x1 - b1 * z0 - b * z1) >> 15)) << 1
    v = ((b1 * y1 - c1 * x1) + ((b1 * y0 + b * y1 - c1 * x0 - c * x1) >> 15)) << 1
    x1 = (t + 16384) >> 15
    y1 = (u + 16384) >> 15
    z1 = (v + 16384) >> 15
    x0 = t - (x1 << 15)
    y0 = u - (y1 << 15)
    z0 = v - (z1 << 15)
    x += (
        (a1 * x1 + c1 * z1 - d1 * y1)
        + ((a1 * x0 + a * x1) >> 15)
        + ((c1 * z0 + c * z1 - d1 * y0 - d * y1) >> 15)
    )
    y += (
        (a1 * y1 + d1 * x1 - b1 * z1)
        + ((a1 * y0 + a * y1) >> 15)
        + ((d1 * x0 + d * x1 - b1 * z0 - b * z1) >> 15)
    )
    z += (
        (a1 * z1 + b1 * y1 - c1 * x1)
        + ((a1 * z0 + a * z1) >> 15)
        + ((b1 * y0 + b * y1 - c1 * x0 - c * x1) >> 15)
    )
    # Half the tilt, y / 2z and -x / 2z, at most 1/8 rad on an axis; all scaled to z in 2**26 .. 2**27.
    t = (x ^ (x >> 31)) | (y ^ (y >> 31))
    if z < 0 and (t << 4) < 0 - z:
        x = 0 - z  # upside down: any way round
        t = x
    if z < t << 2:
        z = t << 2
    s[TILT] = 0
    s[TILT + 1] = 0
    if z < 1024:
        return
    while z >= 1 << 27:
        x >>= 1
        y >>= 1
        z >>= 1
    while z < 1 << 26:
        x <<= 1
        y <<= 1
        z <<= 1
    z >>= 10
    t = (y << 5) // z
    y = (t << 14) + (((y << 5) - t * z) << 14) // z
    x = 0 - x
    t = (x << 5) // z
    x = (t << 14) + (((x << 5) - t * z) << 14) // z
    s[TILT] = y
    s[TILT + 1] = x
    # ACC += (0, y, x, 0) * ACC
    y1 = (y + 16384) >> 15
    x1 = (x + 16384) >> 15
    y0 = y - (y1 << 15)
    x0 = x - (x1 << 15)
    s[ACC] -= y1 * b1 + x1 * c1 + ((y1 * b + y0 * b1 + x1 * c + x0 * c1 + 16384) >> 15)
    s[ACC + 1] += y1 * a1 + x1 * d1 + ((y1 * a + y0 * a1 + x1 * d + x0 * d1 + 16384) >> 15)
    s[ACC + 2] += x1 * a1 - y1 * d1 + ((x1 * a + x0 * a1 - y1 * d - y0 * d1 + 16384) >> 15)
    s[ACC + 3] += y1 * c1 - x1 * b1 + ((y1 * c + y0 * c1 - x1 * b - x0 * b1 + 16384) >> 15)


@micropython.viper
def turn_bias(s: ptr32, correction: ptr32):
    """Inputs of the low-passes behind bias estimation: the rotation matrix's rows x and y, and their bias."""
    sign = s[SIGN]
    w = ((s[ACC] ^ sign) - sign) >> 15
    x = ((s[ACC + 1] ^ sign) - sign) >> 15
    y = ((s[ACC + 2] ^ sign) - sign) >> 15
    z = ((s[ACC + 3] ^ sign) - sign) >> 15
    a = ((s[GYR] ^ sign) - sign) >> 15
    b = ((s[GYR + 1] ^ sign) - sign) >> 15
    c = ((s[GYR + 2] ^ sign) - sign) >> 15
    d = ((s[GYR + 3] ^ sign) - sign) >> 15
    q0 = (w * a - x * b - y * c - z * d) >> 15
    q1 = (w * b + x * a + y * d - z * c) >> 15
    q2 = (w * c - x * d + y * a + z * b) >> 15
    q3 = (w * d + x * c - y * b + z * a) >> 15
    # Q29
    correction[CHANNEL * ROW_CHANNEL] = 536870912 - q2 * q2 - q3 * q3
    correction[CHANNEL * (ROW_CHANNEL + 1)] = q1 * q2 - q0 * q3
    correction[CHANNEL * (ROW_CHANNEL + 2)] = q1 * q3 + q0 * q2
    correction[CHANNEL * (ROW_CHANNEL + 3)] = q1 * q2 + q0 * q3
    correction[CHANNEL * (ROW_CHANNEL + 4)] = 536870912 - q1 * q1 - q3 * q3
    correction[CHANNEL * (ROW_CHANNEL + 5)] = q2 * q3 - q0 * q1
    at = CHANNEL * ROW_CHANNEL
    for row in range(2):
        total = 0
        for i in range(3):
            y = (s[BIAS + i] ^ sign) - sign
            x = ((correction[at] ^ sign) - sign) >> 14
            total += (y >> 15) * x + (((y & 32767) * x) >> 15)
            at += CHANNEL
        correction[CHANNEL * (BIAS_CHANNEL + row)] = total


@micropython.viper
def measure_in_motion(s: ptr32, correction: ptr32):
    """What the inclination correction tells about the bias: ERROR and ROWS for earth's x and y."""
    sign = s[SIGN]
    rate = s[TILT_RATE]
    at = CHANNEL * ROW_CHANNEL + 1
    for row in range(2):
        x = 0 - ((s[TILT + row] ^ sign) - sign)
        if x > 16777215:
            x = 16777215
        if x < -16777215:
            x = -16777215
        x <<= 6
        y = x >> 15
        total = y * (rate >> 15) + ((y * (rate & 32767) + (x & 32767) * (rate >> 15) + 24576) >> 15)
        total += (correction[CHANNEL * (BIAS_CHANNEL + row) + 1] ^ sign) - sign
        for i in range(3):
            y = (s[BIAS + i] ^ sign) - sign
            x = ((correction[at] ^ sign) - sign) >> 14
            total -= (y >> 15) * x + (((y & 32767) * x) >> 15)
            s[ROWS + 3 * row + i] = x
            at += CHANNEL
        s[ERROR + row] = total


@micropython.viper
def measure_at_rest(s: ptr32, rest: ptr32):
    """What rest tells about the bias: the gyroscope shows it."""
    for i in range(9):
        s[ROWS + i] = 0
    for i in range(3):
        s[ERROR + i] = (rest[CHANNEL * i + 1] << 3) - s[BIAS + i]
        s[ROWS + 4 * i] = 32768


@micropython.viper
def begin_update(s: ptr32):
    """Before the Kalman filter's measurements: the bias may have wandered."""
    for i in range(3):
        s[CHANGE + i] = 0
        if s[P + 4 * i] < s[P_INIT]:
            s[P + 4 * i] += s[P_GROWTH]


@micropython.viper
def take_measurement(s: ptr32, row: int, noise: int, precision: int):
    """One measurement of the Kalman filter: ERROR[row] = ROWS[row] * (bias - BIAS), with variance `noise`, Q2.

    precision: the gain's Q, such that the gain stays below 2**15.
    """
    sign = s[SIGN]
    at = ROWS + 3 * row
    r1 = (s[at] ^ sign) - sign
    r2 = (s[at + 1] ^ sign) - sign
    r3 = (s[at + 2] ^ sign) - sign
    error = (s[ERROR + row] ^ sign) - sign
    clip = s[BIAS_CLIP]
    if error > clip:
        error = clip
    if error < 0 - clip:
        error = 0 - clip
    variance = 0
    for i in range(3):
        at = P + 3 * i
        x = (
            (((s[at] ^ sign) - sign + 16384) >> 15) * r1
            + (((s[at + 1] ^ sign) - sign + 16384) >> 15) * r2
            + (((s[at + 2] ^ sign) - sign + 16384) >> 15) * r3
            + 16384
        ) >> 15
        s[PH + i] = x  # Q3, < 2**15
        y = r1
        if i == 1:
            y = r2
        if i == 2:
            y = r3
        variance += x * y
        error -= ((((s[CHANGE + i] ^ sign) - sign) >> 10) * y) >> 5
    variance = noise + (variance >> 16)
    # 1 / variance as a number of 16 bits
    shift = 0
    while variance >= 32768:
        variance >>= 1
        shift += 1
    while variance < 16384:
        variance <<= 1
        shift -= 1
    inverse = 1073741823 // variance
    shift += 31 - precision
    y = error >> 15
    error &= 32767
    precision -= 15
    half = (1 << precision) >> 1
    for i in range(3):
        gain = (((s[PH + i] ^ sign) - sign) * inverse) >> shift
        s[CHANGE + i] += (y * gain + ((error * gain + 16384) >> 15) + half) >> precision
        for j in range(i + 1):
            x = (s[P + 3 * i + j] ^ sign) - sign - ((((s[PH + j] ^ sign) - sign) * gain) >> precision)
            s[P + 3 * i + j] = x
            s[P + 3 * j + i] = x


@micropython.viper
def end_update(s: ptr32):
    """After the Kalman filter's measurements: change and clip the bias, and turn by it from now on."""
    sign = s[SIGN]
    clip = s[BIAS_CLIP]
    high = s[TURN_HIGH]
    for i in range(3):
        middle = (s[MIDDLE + i] ^ sign) - sign
        x = (s[BIAS + i] ^ sign) - sign + (s[CHANGE + i] ^ sign) - sign
        if x > middle + clip:
            x = middle + clip
        if x < middle - clip:
            x = middle - clip
        s[BIAS + i] = x
        # |bias| < 2**11 counts: 2**12 * 2**15, and the rest of the bits after it
        x = (x >> 15) * high + (((x & 32767) * high) >> 15)
        s[BIAS_TURN + i] = (x + (1 << s[TURN_SHIFT])) >> (s[TURN_SHIFT] + 1)
