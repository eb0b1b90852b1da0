"""What motion says against stimulation: a fall, violence, an exercise going on, or data that cannot be true.

`look` goes over each batch of raw samples, in integers and without allocation; the supervisor asks for the cause.

Thresholds and where they come from:

violence    8 g or 1700 °/s: above all of 84 sets of shoulder exercises recorded on a wrist (7.5 g, 1670 °/s; Burns
            2018) and of 24 physiotherapy sessions (2.9 g, 350 °/s; UCI 730).
free fall   the whole acceleration below 0.35 g for 150 ms, a fall of 11 cm. The LSM6DSOX's own detector offers 156 to
            500 mg on each axis (DS12814, FREE_FALL) for a few samples; ours takes longer, because a wrist that lets an
            arm drop is weightless for a moment too: in 6 of those 84 sets it still is for long enough.
movement    20 °/s for most of 0.8 s. A limb at rest stays below 5 °/s; repetitions have their median at 60 to 210 °/s.
flat        a sensor is never still: the LSM6DSOX's noise at 16 g and 416 Hz is 1.6 mg (110 µg/√Hz over 208 Hz), so that
            three axes span some 25 mg in a quarter of a second. Below 2 mg, or with a gyroscope that does not change at
            all, it does not measure.
stale       nothing for 250 ms, six polls.
"""

from array import array

import micropython
from micropython import const

from kinetens_protocol import stimulation

FALL_UG = 350_000
FALL_MS = 150
VIOLENT_UG = 8_000_000
VIOLENT_UDPS = 1_700_000_000
MOVING_UDPS = 20_000_000
MOVING_MS = 800
FLAT_UG = 2_000
WINDOW_MS = 250
STALE_MS = 250
HOLD_MS = 1_000
"""A fall, or violence, counts for so long after it was seen."""

# Places in the state.
_FALLING = const(0)  # samples in a row
_FELL = const(1)
_VIOLENT = const(2)
_MOVING = const(3)  # samples above less samples below, at least 0
_MOVES = const(4)
_FLAT = const(5)
_IN_WINDOW = const(6)  # samples
_CHANGED = const(7)  # bits of the gyroscope that changed in the window
_GYRO = const(8)  # 3, its first sample
_LEAST = const(11)  # 3, accelerometer, counts + 2**15
_MOST = const(14)  # 3
_STATE_SIZE = const(17)

# Places in the thresholds; squares are of half counts.
_FALL_SQUARE = const(0)
_FALL_SAMPLES = const(1)
_VIOLENT_SQUARE = const(2)
_VIOLENT_RATE_SQUARE = const(3)
_MOVING_SQUARE = const(4)
_MOVING_SAMPLES = const(5)
_FLAT_COUNTS = const(6)
_WINDOW_SAMPLES = const(7)


class MotionWatch:
    """Looks at a started sensor's raw samples (6 x int16: gyroscope, accelerometer)."""

    def __init__(self, clock, sensor):
        self._clock = clock
        self._state = array("I", [0] * _STATE_SIZE)
        rate_mhz = sensor.sample_rate_mhz
        self._thresholds = array(
            "I",
            (
                _half_square(FALL_UG, sensor.accel_ug_per_count),
                _samples(FALL_MS, rate_mhz),
                _half_square(VIOLENT_UG, sensor.accel_ug_per_count),
                _half_square(VIOLENT_UDPS, sensor.gyro_udps_per_count),
                _half_square(MOVING_UDPS, sensor.gyro_udps_per_count),
                _samples(MOVING_MS, rate_mhz),
                FLAT_UG // sensor.accel_ug_per_count,
                _samples(WINDOW_MS, rate_mhz),
            ),
        )
        self._fresh = False
        self._taken_at = self._seen_at = clock.now_ms()
        self._seen = stimulation.NOT_STOPPED

    def take(self, batch, count):
        """Look at the first samples of a batch, before anything corrects them."""
        look(batch, count, self._state, self._thresholds)
        self._taken_at = self._clock.now_ms()
        self._fresh = True

    def cause(self):
        """The cause for which the output must stop now, or NOT_STOPPED."""
        state = self._state
        for place, cause in ((_FELL, stimulation.FREE_FALL), (_VIOLENT, stimulation.VIOLENT_MOTION)):
            if state[place]:
                state[place] = 0
                self._seen = cause
                self._seen_at = self._clock.now_ms()
        if self._clock.elapsed_ms(self._seen_at) > HOLD_MS:
            self._seen = stimulation.NOT_STOPPED
        if self._clock.elapsed_ms(self._taken_at) > STALE_MS:
            self._fresh = False  # until there are samples: ticks wrap
        if self._seen:
            return self._seen
        if not self._fresh or state[_FLAT]:
            return stimulation.MOTION
        return stimulation.MOVEMENT if state[_MOVES] else stimulation.NOT_STOPPED


@micropython.viper
def look(samples: ptr16, count: int, state: ptr32, thresholds: ptr32):
    """Look at `count` samples. Half counts are within ±2**14, so that a sum of three squares stays below 2**30."""
    for sample in range(count):
        at = 6 * sample
        p = samples[at] ^ 32768
        q = samples[at + 1] ^ 32768
        r = samples[at + 2] ^ 32768
        x = (p - 32768) >> 1
        y = (q - 32768) >> 1
        z = (r - 32768) >> 1
        rate = x * x + y * y + z * z
        a = samples[at + 3] ^ 32768
        b = samples[at + 4] ^ 32768
        c = samples[at + 5] ^ 32768
        x = (a - 32768) >> 1
        y = (b - 32768) >> 1
        z = (c - 32768) >> 1
        force = x * x + y * y + z * z

        if force < thresholds[_FALL_SQUARE]:
            state[_FALLING] += 1
            if state[_FALLING] >= thresholds[_FALL_SAMPLES]:
                state[_FELL] = 1
        else:
            state[_FALLING] = 0
            if force > thresholds[_VIOLENT_SQUARE]:
                state[_VIOLENT] = 1
        if rate > thresholds[_VIOLENT_RATE_SQUARE]:
            state[_VIOLENT] = 1

        if rate > thresholds[_MOVING_SQUARE]:
            if state[_MOVING] < thresholds[_MOVING_SAMPLES]:
                state[_MOVING] += 1
            else:
                state[_MOVES] = 1
        elif state[_MOVING] > 0:
            state[_MOVING] -= 1
        else:
            state[_MOVES] = 0

        if state[_IN_WINDOW] == 0:
            state[_CHANGED] = 0
            state[_GYRO] = p
            state[_GYRO + 1] = q
            state[_GYRO + 2] = r
            state[_LEAST] = state[_MOST] = a
            state[_LEAST + 1] = state[_MOST + 1] = b
            state[_LEAST + 2] = state[_MOST + 2] = c
        state[_CHANGED] |= (p ^ state[_GYRO]) | (q ^ state[_GYRO + 1]) | (r ^ state[_GYRO + 2])
        if a < state[_LEAST]:
            state[_LEAST] = a
        elif a > state[_MOST]:
            state[_MOST] = a
        if b < state[_LEAST + 1]:
            state[_LEAST + 1] = b
        elif b > state[_MOST + 1]:
            state[_MOST + 1] = b
        if c < state[_LEAST + 2]:
            state[_LEAST + 2] = c
        elif c > state[_MOST + 2]:
            state[_MOST + 2] = c
        state[_IN_WINDOW] += 1
        if state[_IN_WINDOW] == thresholds[_WINDOW_SAMPLES]:
            state[_IN_WINDOW] = 0
            span = state[_MOST] - state[_LEAST] + state[_MOST + 1] - state[_LEAST + 1]
            span += state[_MOST + 2] - state[_LEAST + 2]
            state[_FLAT] = 1 if state[_CHANGED] == 0 or span < thresholds[_FLAT_COUNTS] else 0


def _half_square(value, weight):
    """The square of a quantity in half counts, at most what three axes can show."""
    half = value // (2 * weight)
    return min(half * half, 3 << 28)


def _samples(duration_ms, rate_mhz):
    return max(1, duration_ms * rate_mhz // 1_000_000)
