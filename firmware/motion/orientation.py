"""Orientation from gyroscope and accelerometer: VQF (Laidig and Seel 2023) in 32-bit integers.

The gyroscope is integrated at the sensor's full rate. Accelerations, turned into the almost-inertial frame sample by
sample, are averaged over windows of about 1/13 s; low-pass, inclination correction, rest detection and bias
estimation run once a window, which keeps the precision of their 32-bit words and costs little.

Source: D. Laidig, T. Seel, "VQF: Highly accurate IMU orientation estimation with bias estimation and magnetic
disturbance rejection", Information Fusion 91 (2023), and its implementation vqf 2.1.
"""

import sys
from array import array

from motion import orientation_kernels as k
from motion.orientation_kernels import advance

# VQF's parameters by the paper's names, in thousandths: ms, 0.001 degrees a second, mm/s². Integers here and in what
# is made of them, since floats are single on a device and double on a PC: both must filter alike to the last bit.
PARAMETERS = {
    "tauAcc": 3_000,
    "biasSigmaInit": 500,
    "biasForgettingTime": 100_000,
    "biasClip": 2_000,
    "biasSigmaMotion": 100,
    "biasSigmaRest": 30,
    "restMinT": 1_500,
    "restFilterTau": 500,
    "restThGyr": 2_000,
    "restThAcc": 500,
}
# Not in the paper: a sensor's own offset may be beyond biasClip. What the first rest shows up to this limit becomes
# the middle that the bias is clipped around.
FIRST_REST_CLIP_MDPS = 10_000
# After a gap or a saturated gyroscope: the turn that makes what was known worth one window, the least rate to expect
# in a gap, how many counts a saturated gyroscope is beyond its range, and what always stays of what was known.
DOUBT_MRAD = 400
DOUBT_RATE_MRAD_S = 300
LOST_RATE = 8192
DOUBT_MIN_MS = 150
CLIPPED = 2  # REST = 1, CLIPPED: the flags of an output
WINDOW_RATE_HZ = 13
ONE = 1 << 30
REST_PRECISION = 15  # Q of the Kalman gain, at rest below 0.8 and in motion below 0.022
MOTION_PRECISION = 20
GRAVITY_UM_S2 = 9_806_650
PI = 3_141_592_653_589_793  # in PARTS, as the next
ROOT_2 = 1_414_213_562_373_095
PARTS = 10**15


class Orientation:
    """The filter. Everything is allocated here; update, run and gap allocate nothing.

    sample_rate_mhz: true rate of the samples, 25 to 500 Hz.
    gyro_udps_per_count, accel_ug_per_count: the sensor's scales.
    output_rate_mhz: rate of run's outputs, up to 262 Hz; by default one for each sample.
    Raises ValueError if a sensor at full scale turns more than 0.8 rad of half angle in a sample, or if its counts are so
    fine that TILT_RATE would not stay below 2**30, which the kernels rely on (2900 udps at 25 Hz, 1500 at 416 Hz).
    """

    def __init__(self, sample_rate_mhz, gyro_udps_per_count, accel_ug_per_count, output_rate_mhz=None):
        p = PARAMETERS
        length = self._length = max(1, sample_rate_mhz // (1000 * WINDOW_RATE_HZ))
        # Windows in a millisecond, and counts in a radian a second, as ratios.
        windows, ms = sample_rate_mhz, 10**6 * length
        counts, rad_s = 180 * 10**6 * PARTS, gyro_udps_per_count * PI
        self._stages = (
            self._end_window,
            self._filter_rest,
            self._detect_rest,
            self._filter_acceleration,
            self._turn_bias,
            self._filter_rotation,
            self._measure,
            self._take_measurement,
            self._end_update,
        )
        self._stages_at_once = -(-len(self._stages) // self._length)
        self._last_stage_left = self._length - (len(self._stages) - 1) // self._stages_at_once
        self._correction = array("i", bytearray(4 * k.CHANNEL * k.CORRECTION_CHANNELS))
        self._rest = array("i", bytearray(4 * k.CHANNEL * k.REST_CHANNELS))
        self._correction_windows = max(1, _round(p["tauAcc"] * windows, ms))
        self._correction_gain = _butterworth(p["tauAcc"], windows, ms)
        self._rest_windows = max(1, _round(p["restFilterTau"] * windows, ms))
        self._rest_gain = _butterworth(p["restFilterTau"], windows, ms)
        self._rest_min = _round(p["restMinT"] * windows, ms)
        self._doubt_turn = DOUBT_MRAD * counts * sample_rate_mhz // (rad_s * 10**6)
        self._doubt_rate = DOUBT_RATE_MRAD_S * counts // (rad_s * 1000)
        self._doubt_windows = max(1, DOUBT_MIN_MS * windows // ms)

        s = self._s = array("i", bytearray(4 * k.STATE_SIZE))
        # Half the angle that one count turns in one sample, Q30 and as many more bits as fit two words of 15.
        turn, parts = 1000 * rad_s << 29, counts * sample_rate_mhz
        shift = 0
        if turn >= 26500 * parts:
            raise ValueError("the sensor can turn too far in a sample: raise its rate or lower its range")
        tilt_rate = _round(2000 * windows * counts * 1024, ms * rad_s)
        if tilt_rate >= ONE:
            raise ValueError("the sensor's counts are too fine: widen its gyroscope's range")
        while turn < 16384 * parts:
            turn *= 2
            shift += 1
        s[k.SIGN] = -(1 << 31) if sys.maxsize > 1 << 31 else 0
        s[k.OUTPUT_TIME] = sample_rate_mhz
        self.set_output_rate(output_rate_mhz or sample_rate_mhz)
        s[k.TURN_HIGH] = turn // parts
        s[k.TURN_LOW] = turn % parts * 32768 // parts
        s[k.TURN_SHIFT] = shift
        s[k.BIAS_CLIP] = _round(p["biasClip"] * 1000 * 65536, gyro_udps_per_count)
        s[k.FIRST_CLIP] = _round(FIRST_REST_CLIP_MDPS * 1000 * 65536, gyro_udps_per_count)
        s[k.STILL_GYR] = _round((p["restThGyr"] * 1000 * 16) ** 2, gyro_udps_per_count**2)
        s[k.STILL_ACC] = _round((p["restThAcc"] * 10**9 * 16) ** 2, (GRAVITY_UM_S2 * accel_ug_per_count) ** 2)
        s[k.TILT_RATE] = tilt_rate
        # Variances in (0.01 deg/s)**2, as VQF has them; they grow by growth / forgetting in a window.
        growth, forgetting = 100 * ms, p["biasForgettingTime"] * windows
        motion = p["biasSigmaMotion"] ** 2
        rest = p["biasSigmaRest"] ** 2
        s[k.P_INIT] = _round(p["biasSigmaInit"] ** 2 * 262144, 100)
        s[k.P_GROWTH] = _round(growth * 262144, forgetting)
        self._motion_noise = _round(4 * motion * (motion * forgetting + 100 * growth), 10000 * growth)
        self._rest_noise = _round(4 * rest * (rest * forgetting + 100 * growth), 10000 * growth)
        self.reset()

    def reset(self):
        """Forget everything but the rates and scales."""
        s = self._s
        for i in range(k.SETTINGS):
            s[i] = 0
        s[k.GYR] = s[k.ACC] = ONE
        for i in range(3):
            s[k.P + 4 * i] = s[k.P_INIT]
        self.at_rest = False
        self._started = False
        self._offset_known = False
        self._has_acceleration = False
        self._moved = True
        self._still_windows = 0
        self._average = 0
        self._correction_count = self._rest_count = 0
        self._stage = 0
        self._left = 1
        s[k.WAIT] = s[k.SAMPLE_TIME]

    def set_output_rate(self, output_rate_mhz):
        """Give outputs at another rate from the next sample on, with the attitude that is known."""
        self._s[k.SAMPLE_TIME] = self._s[k.WAIT] = output_rate_mhz

    @property
    def bias(self):
        """Gyroscope bias: int32 x 3, 2**-16 count."""
        return self._s[k.BIAS : k.BIAS + 3]

    def update(self, samples, count):
        """Run the filter over all samples: count x 6 int16, gyroscope and accelerometer in counts."""
        self.run(samples, count, self._s, 0, 0)

    def run(self, samples, count, out, out_offset, max_out):
        """Run the filter over all samples and write the outputs that fall into their time. Returns how many.

        out: int32 array; each output is w, x, y, z (Q30, sensor to earth, z up) and flags (1: rest, 2: clipped).
        max_out: outputs beyond are dropped; room for 1 + count * output rate / sample rate drops none.

        Outputs are uniform in the sensor's time: one inside a sample's time turns by that part of the sample.
        """
        s = self._s
        left = self._left
        s[k.OUT_AT] = out_offset
        s[k.ROOM] = max_out
        i = 0
        while i < count:
            stop = i + left
            if stop > count:
                stop = count
            advance(s, samples, i, stop, out)
            left -= stop - i
            i = stop
            if not left:
                left = self._next_stage()
        self._left = left
        return max_out - s[k.ROOM]

    def gap(self, missing_samples):
        """Samples are missing: keep the attitude, and let accelerations count for more the further it may have turned."""
        rate = self._doubt_rate
        for i in range(3):
            rate = max(rate, abs((self._rest[k.CHANNEL * i] >> 13) - (self._s[k.BIAS + i] >> 16)))
        self._doubt(rate * missing_samples)
        self._still_windows = 0
        self._set_rest(False)

    def _set_rest(self, at_rest):
        self.at_rest = at_rest
        self._s[k.FLAGS] = self._s[k.FLAGS] & CLIPPED | at_rest

    def _doubt(self, turn):
        """The attitude misses a turn of about `turn` counts of the gyroscope times samples.

        The correction's low-pass goes back to averaging, with what it holds weighing as many windows as it is still
        worth: the square of how precise one window's acceleration is (DOUBT_RAD) to the turn, and at least a few.
        """
        ratio = min(self._doubt_turn // max(turn, 1), 1000)
        self._correction_count = min(self._correction_count, max(self._doubt_windows, ratio * ratio))

    def _next_stage(self):
        """What a window's end brings is done in stages, each after one of the next samples, to spread its cost.

        Returns after how many samples the next stage comes.
        """
        if not self._started:
            self._started = self._start()
            return self._length if self._started else 1
        stage = self._stage
        for _ in range(self._stages_at_once):
            self._stages[stage]()
            stage += 1
            if stage == len(self._stages):
                self._stage = 0
                return self._last_stage_left
        self._stage = stage
        return 1

    def _start(self):
        """The first acceleration gives the first inclination, and what rest is compared with."""
        s = self._s
        if not k.end_window(s, self._correction, self._rest, 1) & 2:
            return False
        for bank in (self._correction, self._rest):
            for i in range(0, len(bank), k.CHANNEL):
                bank[i + k.OUTPUT] = bank[i + k.INPUT]
                bank[i + k.SLOPE] = 0
        k.near_offset(s, self._rest, 0)
        for _ in range(24):
            k.level(s, self._correction)
            k.restore_norm(s, k.ACC)
        return True

    def _end_window(self):
        s = self._s
        if s[k.LOST]:
            self._doubt(s[k.LOST] * LOST_RATE)
        result = k.end_window(s, self._correction, self._rest, self._length)
        self._moved = result & 1
        self._has_acceleration = result & 2
        k.restore_norm(s, k.GYR)

    def _filter_rest(self):
        count = self._rest_count + 1
        average = count
        if count > self._rest_windows:
            average = 0
            count -= 1
        self._rest_count = count
        k.low_pass(self._s, self._rest, 0, k.REST_CHANNELS, self._rest_gain, average)

    def _detect_rest(self):
        near = k.near_offset(self._s, self._rest, self._offset_known)
        if self._moved or not near:
            self._still_windows = 0
            self._set_rest(False)
            return
        self._still_windows = min(self._still_windows + 1, self._rest_min)
        self._set_rest(self._still_windows == self._rest_min)
        if self.at_rest and not self._offset_known:
            self._offset_known = True
            if near == 2:
                k.take_offset(self._s, self._rest)
                self._correction_count = 0  # what was filtered until now turned with the offset

    def _filter_acceleration(self):
        if self._has_acceleration:
            count = self._correction_count + 1
            self._average = count
            if count > self._correction_windows:
                self._average = 0
                count -= 1
            self._correction_count = count
            k.low_pass(self._s, self._correction, 0, k.ROW_CHANNEL, self._correction_gain, self._average)
            k.level(self._s, self._correction)
            k.restore_norm(self._s, k.ACC)

    def _turn_bias(self):
        if self._has_acceleration:
            k.turn_bias(self._s, self._correction)

    def _filter_rotation(self):
        if self._has_acceleration:
            k.low_pass(
                self._s,
                self._correction,
                k.ROW_CHANNEL,
                k.CORRECTION_CHANNELS,
                self._correction_gain,
                self._average,
            )

    def _measure(self):
        if self._has_acceleration:
            k.begin_update(self._s)
            if self.at_rest:
                k.measure_at_rest(self._s, self._rest)
            else:
                k.measure_in_motion(self._s, self._correction)

    def _take_measurement(self):
        if self._has_acceleration:
            if self.at_rest:
                k.take_measurement(self._s, 0, self._rest_noise, REST_PRECISION)
                k.take_measurement(self._s, 1, self._rest_noise, REST_PRECISION)
            else:
                k.take_measurement(self._s, 0, self._motion_noise, MOTION_PRECISION)

    def _end_update(self):
        if self._has_acceleration:
            if self.at_rest:
                k.take_measurement(self._s, 2, self._rest_noise, REST_PRECISION)
            else:
                k.take_measurement(self._s, 1, self._motion_noise, MOTION_PRECISION)
            k.end_update(self._s)


def _round(numerator, denominator):
    return (2 * numerator + denominator) // (2 * denominator)


def _butterworth(tau_ms, windows, ms):
    """The gain of kernels.low_pass for VQF's second-order low-pass with this time constant: 2 sin(period / tau / root 2).

    The sine's series to the fifth power errs by less than 1e-10 where the window is a tenth of the time constant.
    """
    x = ms * PARTS * PARTS // (windows * ROOT_2 * tau_ms)  # in PARTS
    square = x * x // PARTS
    sine = x - x * square // (6 * PARTS) + x * square // PARTS * square // (120 * PARTS)
    return _round(2 * sine * 65536, PARTS)
