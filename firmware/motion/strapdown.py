"""Strapdown integration: the attitude by the gyroscope alone, and what each window of samples sums up for the filter.

Everything here runs for every sample, on one array of int32 (`t`) whose places are named below and nowhere else.
Quaternions and turns are Q30.

A word has 32 bits on the device and 64 on a PC: every intermediate must fit 32 bits. Q30 numbers are multiplied from
halves, x = (high << 15) + low with low in -2**14 .. 2**14: high * high, and the cross products shifted by 15; the
product of the lows is below one unit. Where a cross product is a sum, the bound of the sum is given.

Where words have 64 bits, ptr32 loads are unsigned. `(t[i] ^ sign) - sign` with sign = 2**31 gives a word its sign back
there, and changes nothing where words have 32 bits: both steps then flip the top bit. (`one << 31`, for a literal
beyond 31 bits would be a heap object.)
"""

import micropython
from micropython import const

# Places in the array.
GYR = const(0)  # 4, attitude by the gyroscope alone: sensor to almost-inertial frame
_CARRY = const(4)  # 3, what the steps of GYR have left over, Q30 half angle
_BIAS_TURN = const(7)  # 3, the bias as Q30 half angle a sample
_SUM = const(10)  # 6, samples summed over the window, counts
_EARTH_SUM = const(16)  # 3, accelerations turned by GYR summed over the window, 1/16 count
_EARTH_COUNT = const(19)
_MOVED = const(20)  # 1 if a sample of the window was not close to STILL, and ...
_HAD_MOVED = const(21)  # ... of the window before
_LOST = const(22)  # samples with a saturated gyroscope in the window
_STILL = const(23)  # 6, low-passed sensors that a resting one stays close to, 1/16 count
_STILL_WINDOWS = const(29)  # how long the sensor has been still, up to REST_WINDOWS
FLAGS = const(30)  # of the next output: 1 at rest, 2 a sample since the last output was saturated
WAIT = const(31)  # time to the next output, in a unit of which a sample lasts SAMPLE_TIME
_OUT_AT = const(32)  # where the next output goes, and for how many there is room
_ROOM = const(33)
HAD_ACCELERATION = const(34)  # 1 if the window before had one
LEFT = const(35)  # samples until the next stage of a window's end
STAGE = const(36)  # which one that is
STAGES_AT_ONCE = const(37)
WINDOW_SAMPLES = const(38)
# Places that a reset keeps.
SETTINGS = const(39)
SAMPLE_TIME = const(39)  # the output rate, and ...
OUTPUT_TIME = const(40)  # ... the sample rate, mHz: times in a unit that makes both whole
TURN_HIGH = const(41)  # half the angle of one count in one sample, Q30 * 2**TURN_SHIFT: integer part
TURN_LOW = const(42)  # ... and its 15-bit fraction
TURN_SHIFT = const(43)
STILL_GYR = const(44)  # how close a resting sensor stays, (1/16 count)**2
STILL_ACC = const(45)
REST_WINDOWS = const(46)  # windows of stillness that make a rest
STAGES = const(47)
FIRST_WITH_ACCELERATION = const(48)  # the first stage that is left out after a window without an acceleration
LEFT_AFTER_LAST = const(49)  # LEFT after the last stage
SIZE = const(50)


@micropython.viper
def run(turn, samples, count: int, out, room: int, correction, stages) -> int:
    """Take samples 0..count-1 and run the stages of the windows that end among them. Returns the number of outputs.

    turn: the array `t`. stages: functions without arguments; stage 0 begins the filter, and comes again until it sets
    STAGE and LEFT. A window's end brings the others, STAGES_AT_ONCE after each of the window's next samples.
    room: for outputs; those beyond are dropped. The rest as for `advance`.
    """
    t = ptr32(turn)
    t[_OUT_AT] = 0
    t[_ROOM] = room
    done = 0
    while done < count:
        done = int(advance(turn, samples, out, correction, done, count))
        if t[LEFT] == 0:
            stage = t[STAGE]
            stop = stage + t[STAGES_AT_ONCE]
            t[STAGE] = stop
            t[LEFT] = 1
            if stop >= t[STAGES]:
                stop = t[STAGES]
                t[STAGE] = 1
                t[LEFT] = t[LEFT_AFTER_LAST]
            while stage < stop:
                if stage < t[FIRST_WITH_ACCELERATION] or t[HAD_ACCELERATION]:
                    stages[stage]()
                stage += 1
    return room - t[_ROOM]


@micropython.viper
def advance(t: ptr32, samples: ptr16, out: ptr32, correction: ptr32, first: int, last: int) -> int:
    """Turn the attitude by samples first..last-1, write the outputs in their time, gather what the window needs.

    samples: 6 x int16 each, gyroscope and accelerometer in counts.
    out: outputs of w, x, y, z (correction * attitude) and flags, from t[_OUT_AT] on while t[_ROOM] lasts.
    correction: quaternion, almost-inertial frame to earth, Q30.
    Stops early after the sample that a stage of a window's end follows. Returns the number of the next sample.

    A sample is turned by in parts where an output falls into its time. A part's half angle (Q30) becomes a step of
    Q18, and what that leaves over is carried on. A step is below 2**14 on an axis (0.11 rad in all), for which two
    terms of sine and cosine do to 1e-6; a bigger turn is made in equal steps. |attitude| strays by less than 1e-5
    until the window's end restores it.
    """
    i = t[LEFT]
    if last - first > i:
        last = first + i
    t[LEFT] = i - (last - first)
    if first == last:
        return last
    one = 1
    sign = one << 31
    high = t[TURN_HIGH]
    low = t[TURN_LOW]
    shift = t[TURN_SHIFT]
    half = (1 << shift) >> 1
    bias1 = (t[_BIAS_TURN] ^ sign) - sign
    bias2 = (t[_BIAS_TURN + 1] ^ sign) - sign
    bias3 = (t[_BIAS_TURN + 2] ^ sign) - sign
    wait = t[WAIT]
    sample_time = t[SAMPLE_TIME]
    moved = t[_MOVED]
    h1 = (t[_CARRY] ^ sign) - sign
    h2 = (t[_CARRY + 1] ^ sign) - sign
    h3 = (t[_CARRY + 2] ^ sign) - sign
    q0 = (t[GYR] ^ sign) - sign
    q1 = (t[GYR + 1] ^ sign) - sign
    q2 = (t[GYR + 2] ^ sign) - sign
    q3 = (t[GYR + 3] ^ sign) - sign
    # Sums over a window may wrap as unsigned words do.
    sum1 = t[_SUM]
    sum2 = t[_SUM + 1]
    sum3 = t[_SUM + 2]
    sum4 = t[_SUM + 3]
    sum5 = t[_SUM + 4]
    sum6 = t[_SUM + 5]
    earth1 = t[_EARTH_SUM]
    earth2 = t[_EARTH_SUM + 1]
    earth3 = t[_EARTH_SUM + 2]
    earth_count = t[_EARTH_COUNT]
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
        h1 += ((x * high + ((x * low) >> 15) + half) >> shift) - bias1
        h2 += ((y * high + ((y * low) >> 15) + half) >> shift) - bias2
        h3 += ((z * high + ((z * low) >> 15) + half) >> shift) - bias3
        sum1 += x
        sum2 += y
        sum3 += z
        flags = 0
        if ((x ^ (x >> 31)) | (y ^ (y >> 31)) | (z ^ (z >> 31))) == 32767:  # worth a closer look
            if x == 32767 or x == -32768 or y == 32767 or y == -32768 or z == 32767 or z == -32768:
                flags = 2
                t[_LOST] += 1
        if moved == 0:
            x = (x << 4) - ((t[_STILL] ^ sign) - sign)
            y = (y << 4) - ((t[_STILL + 1] ^ sign) - sign)
            z = (z << 4) - ((t[_STILL + 2] ^ sign) - sign)
            if ((x ^ (x >> 31)) | (y ^ (y >> 31)) | (z ^ (z >> 31))) >> 14:
                moved = 1
            elif x * x + y * y + z * z > t[STILL_GYR]:
                moved = 1

        left = sample_time
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
                wait = t[OUTPUT_TIME]
                if t[_ROOM]:
                    # ACC * attitude; each sum of four: |highs| = 2**15 times |lows| <= 2**15
                    w0 = (correction[0] ^ sign) - sign
                    x0 = (correction[1] ^ sign) - sign
                    y0 = (correction[2] ^ sign) - sign
                    z0 = (correction[3] ^ sign) - sign
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
                    at = t[_OUT_AT]
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
                    out[at + 4] = t[FLAGS] | flags
                    t[FLAGS] &= 1
                    t[_OUT_AT] = at + 5
                    t[_ROOM] -= 1
                    flags = 0

        x = (int(samples[i + 3]) ^ 32768) - 32768
        y = (int(samples[i + 4]) ^ 32768) - 32768
        z = (int(samples[i + 5]) ^ 32768) - 32768
        if x | y | z:  # a reading of exactly zero is no reading
            # Rotation matrix in Q15; a vector of int16 is shorter than 2**16 counts.
            earth1 += (
                (32768 - ((c * c + d * d) >> 14)) * x
                + ((b * c - a * d) >> 14) * y
                + ((b * d + a * c) >> 14) * z
                + 1024
            ) >> 11
            earth2 += (
                ((b * c + a * d) >> 14) * x
                + (32768 - ((b * b + d * d) >> 14)) * y
                + ((c * d - a * b) >> 14) * z
                + 1024
            ) >> 11
            earth3 += (
                ((b * d - a * c) >> 14) * x
                + ((c * d + a * b) >> 14) * y
                + (32768 - ((b * b + c * c) >> 14)) * z
                + 1024
            ) >> 11
            earth_count += 1
        sum4 += x
        sum5 += y
        sum6 += z
        if ((x ^ (x >> 31)) | (y ^ (y >> 31)) | (z ^ (z >> 31))) == 32767:
            if x == 32767 or x == -32768 or y == 32767 or y == -32768 or z == 32767 or z == -32768:
                flags = 2
        if flags:
            t[FLAGS] |= flags
        if moved == 0:
            x = (x << 4) - ((t[_STILL + 3] ^ sign) - sign)
            y = (y << 4) - ((t[_STILL + 4] ^ sign) - sign)
            z = (z << 4) - ((t[_STILL + 5] ^ sign) - sign)
            if ((x ^ (x >> 31)) | (y ^ (y >> 31)) | (z ^ (z >> 31))) >> 14:
                moved = 1
            elif x * x + y * y + z * z > t[STILL_ACC]:
                moved = 1
        i += 6
    t[WAIT] = wait
    t[_MOVED] = moved
    t[_CARRY] = h1
    t[_CARRY + 1] = h2
    t[_CARRY + 2] = h3
    t[GYR] = q0
    t[GYR + 1] = q1
    t[GYR + 2] = q2
    t[GYR + 3] = q3
    t[_SUM] = sum1
    t[_SUM + 1] = sum2
    t[_SUM + 2] = sum3
    t[_SUM + 3] = sum4
    t[_SUM + 4] = sum5
    t[_SUM + 5] = sum6
    t[_EARTH_SUM] = earth1
    t[_EARTH_SUM + 1] = earth2
    t[_EARTH_SUM + 2] = earth3
    t[_EARTH_COUNT] = earth_count
    return last


@micropython.viper
def restore_norm(q: ptr32):
    """One Newton step of a quaternion to length one, from within 3 %."""
    one = 1
    sign = one << 31
    error = 1073741823
    for i in range(4):
        x = (q[i] ^ sign) - sign
        y = x >> 15
        error -= y * y + ((y * (x & 32767)) >> 14)
    coarse = 4
    if error > 262144 or error < -262144:
        coarse = 11
    error >>= coarse
    coarse = 16 - coarse
    for i in range(4):
        x = (q[i] ^ sign) - sign
        q[i] = x + (((x >> 15) * error) >> coarse)


@micropython.viper
def close_window(t: ptr32, mean: ptr32, earth: ptr32) -> int:
    """Write the means of the window's samples, begin the next window, and return in how many the gyroscope saturated.

    mean: 6 words, gyroscope and accelerometer, 2**-13 count. earth: 3 words, acceleration in the almost-inertial
    frame, 2**-14 count; kept when there was none.
    """
    one = 1
    sign = one << 31
    # Up to 63 samples: |sum| << 10 < 63 * 2**15 * 2**10, and an acceleration's is below 2**16 * 2**4 * 2**5 a sample.
    samples = t[WINDOW_SAMPLES]
    count = t[_EARTH_COUNT]
    t[HAD_ACCELERATION] = 0
    if count:
        t[HAD_ACCELERATION] = 1
        for axis in range(3):
            x = (t[_EARTH_SUM + axis] ^ sign) - sign
            earth[axis] = ((x << 5) // count) << 5
    for axis in range(6):
        x = (t[_SUM + axis] ^ sign) - sign
        mean[axis] = ((x << 10) // samples) << 3
        t[_SUM + axis] = 0
    for axis in range(3):
        t[_EARTH_SUM + axis] = 0
    t[_EARTH_COUNT] = 0
    t[_HAD_MOVED] = t[_MOVED]
    t[_MOVED] = 0
    lost = t[_LOST]
    t[_LOST] = 0
    return lost


@micropython.viper
def judge_rest(t: ptr32, mean: ptr32, near: int) -> int:
    """Whether the sensor has been at rest for long enough, which outputs show from now on.

    mean: 6 words, the sensors low-passed, 2**-13 count; the next window's samples are compared with it.
    near: whether the rates in it can be a resting sensor's.
    """
    one = 1
    sign = one << 31
    windows = t[_STILL_WINDOWS] + 1
    if t[_HAD_MOVED] or near == 0:
        windows = 0
    at_rest = 0
    if windows >= t[REST_WINDOWS]:
        windows = t[REST_WINDOWS]
        at_rest = 1
    t[_STILL_WINDOWS] = windows
    t[FLAGS] = t[FLAGS] & 2 | at_rest
    for i in range(6):
        t[_STILL + i] = ((mean[i] ^ sign) - sign) >> 9
    return at_rest


@micropython.viper
def end_rest(t: ptr32):
    """Rest begins anew."""
    t[_STILL_WINDOWS] = 0
    t[FLAGS] &= 2


@micropython.viper
def set_bias(t: ptr32, bias: ptr32):
    """Take this bias (3 words, 2**-16 count) off every sample from now on."""
    one = 1
    sign = one << 31
    high = t[TURN_HIGH]
    shift = t[TURN_SHIFT]
    for i in range(3):
        x = (bias[i] ^ sign) - sign
        # |bias| < 2**11 counts: 2**12 * 2**15, and the rest of the bits after it
        x = (x >> 15) * high + (((x & 32767) * high) >> 15)
        t[_BIAS_TURN + i] = (x + (1 << shift)) >> (shift + 1)
