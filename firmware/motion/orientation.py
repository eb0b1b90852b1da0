"""Orientation from gyroscope and accelerometer: VQF (Laidig and Seel 2023) in 32-bit integers.

The gyroscope is integrated at the sensor's full rate. Accelerations, turned into the almost-inertial frame sample by
sample, are averaged over windows of about 1/9 s; low-pass, inclination correction, rest detection and bias
estimation run once a window, which keeps the precision of their 32-bit words and costs little.

Source: D. Laidig, T. Seel, "VQF: Highly accurate IMU orientation estimation with bias estimation and magnetic
disturbance rejection", Information Fusion 91 (2023), and its implementation vqf 2.1.
"""

from array import array

import micropython

from motion import bias, strapdown
from motion.bias import end_update, learn_offset, measure, near_offset, take_measurement, turn_bias
from motion.inclination import level
from motion.low_pass import LowPass, step
from motion.strapdown import close_window, judge_rest, restore_norm, run, set_bias

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
REST = 1  # in the flags of an output
_FIRST_WITH_ACCELERATION = 3  # of the stages of a window's end
WINDOW_RATE_HZ = 9  # at least 8: sums of 62 samples at 500 Hz are all that motion.strapdown's words hold
ONE = 1 << 30
GRAVITY_UM_S2 = 9_806_650
PI = 3_141_592_653_589_793  # in PARTS, as the next
ROOT_2 = 1_414_213_562_373_095
PARTS = 10**15


class Orientation:
    """The filter. Everything is allocated here; run and gap allocate nothing.

    run(samples, count, out, max_out): takes samples, gives outputs; see `_runner`.

    sample_rate_mhz: true rate of the samples, 25 to 500 Hz.
    gyro_udps_per_count, accel_ug_per_count: the sensor's scales.
    output_rate_mhz: rate of run's outputs, up to 262 Hz; by default one for each sample.
    Raises ValueError if a sensor at full scale turns more than 0.8 rad of half angle in a sample, or if its counts are so
    fine that TILT_RATE would not stay below 2**30, which the kernels rely on (1400 udps at 25 Hz, 1000 at 416 Hz).
    """

    def __init__(self, sample_rate_mhz, gyro_udps_per_count, accel_ug_per_count, output_rate_mhz=None):
        p = PARAMETERS
        length = self._length = max(1, sample_rate_mhz // (1000 * WINDOW_RATE_HZ))
        # Windows in a millisecond, and counts in a radian a second, as ratios.
        windows, ms = sample_rate_mhz, 10**6 * length
        counts, rad_s = 180 * 10**6 * PARTS, gyro_udps_per_count * PI
        self._correction = array("i", bytearray(4 * 4))  # almost-inertial frame to earth, z up
        self._tilt = array("i", bytearray(4 * 2))  # what the last window's correction turned
        self._mean = LowPass(array("i", bytearray(4 * 6)), *_time_constant(p["restFilterTau"], windows, ms))
        slow = _time_constant(p["tauAcc"], windows, ms)
        self._up = LowPass(array("i", bytearray(4 * 3)), *slow)
        self._rows = LowPass(array("i", bytearray(4 * 8)), *slow)
        self._doubt_turn = DOUBT_MRAD * counts * sample_rate_mhz // (rad_s * 10**6)
        self._doubt_rate = DOUBT_RATE_MRAD_S * counts // (rad_s * 1000)
        self._doubt_windows = max(1, DOUBT_MIN_MS * windows // ms)

        t = self._turn = array("i", bytearray(4 * strapdown.SIZE))
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
        t[strapdown.OUTPUT_TIME] = sample_rate_mhz
        self.set_output_rate(output_rate_mhz or sample_rate_mhz)
        t[strapdown.TURN_HIGH] = turn // parts
        t[strapdown.TURN_LOW] = turn % parts * 32768 // parts
        t[strapdown.TURN_SHIFT] = shift
        t[strapdown.STILL_GYR] = _round((p["restThGyr"] * 1000 * 16) ** 2, gyro_udps_per_count**2)
        t[strapdown.STILL_ACC] = _round(
            (p["restThAcc"] * 10**9 * 16) ** 2, (GRAVITY_UM_S2 * accel_ug_per_count) ** 2
        )
        t[strapdown.REST_WINDOWS] = _round(p["restMinT"] * windows, ms)

        b = self._bias = array("i", bytearray(4 * bias.SIZE))
        b[bias.CLIP] = _round(p["biasClip"] * 1000 * 65536, gyro_udps_per_count)
        b[bias.FIRST_CLIP] = _round(FIRST_REST_CLIP_MDPS * 1000 * 65536, gyro_udps_per_count)
        b[bias.TILT_RATE] = tilt_rate
        # Variances in (0.01 deg/s)**2, as VQF has them; they grow by growth / forgetting in a window.
        growth, forgetting = 100 * ms, p["biasForgettingTime"] * windows
        b[bias.P_INIT] = _round(p["biasSigmaInit"] ** 2 * 262144, 100)
        b[bias.P_GROWTH] = _round(growth * 262144, forgetting)
        for place, sigma in ((bias.MOTION_NOISE, "biasSigmaMotion"), (bias.REST_NOISE, "biasSigmaRest")):
            variance = p[sigma] ** 2
            b[place] = _round(4 * variance * (variance * forgetting + 100 * growth), 10000 * growth)

        self._stages = self._window_stages()
        self.run = self._runner()
        t[strapdown.STAGES] = len(self._stages)
        t[strapdown.FIRST_WITH_ACCELERATION] = _FIRST_WITH_ACCELERATION
        self._at_once = -(-(len(self._stages) - 1) // length)
        t[strapdown.LEFT_AFTER_LAST] = length - (len(self._stages) - 2) // self._at_once
        self.reset()

    def reset(self):
        """Forget everything but the rates and scales."""
        t, b = self._turn, self._bias
        for i in range(strapdown.SETTINGS):
            t[i] = 0
        for i in range(bias.SETTINGS):
            b[i] = 0
        for bank in (self._mean, self._up, self._rows):
            bank.restart()
        for quaternion in (t, self._correction):
            quaternion[0] = ONE
            for i in range(1, 4):
                quaternion[i] = 0
        for i in (0, 2, 5):
            b[bias.P + i] = b[bias.P_INIT]
        t[strapdown.LEFT] = t[strapdown.STAGES_AT_ONCE] = t[strapdown.WINDOW_SAMPLES] = 1
        t[strapdown.WAIT] = t[strapdown.SAMPLE_TIME]

    def set_output_rate(self, output_rate_mhz):
        """Give outputs at another rate from the next sample on, with the attitude that is known."""
        self._turn[strapdown.SAMPLE_TIME] = self._turn[strapdown.WAIT] = output_rate_mhz

    @property
    def bias(self):
        """Gyroscope bias: int32 x 3, 2**-16 count."""
        return self._bias[bias.BIAS : bias.BIAS + 3]

    @property
    def at_rest(self):
        return bool(self._turn[strapdown.FLAGS] & REST)

    @property
    def since_output(self):
        """Time from the last output to the newest sample's end, in a unit of which a sample lasts output_rate_mhz."""
        return self._turn[strapdown.OUTPUT_TIME] - self._turn[strapdown.WAIT]

    def _runner(self):
        """The method `run`, which finds all it needs without looking up attributes."""
        turn, correction, stages = self._turn, self._correction, self._stages

        @micropython.native
        def runner(samples, count, out, max_out):
            """Run the filter over all samples and write the outputs that fall into their time. Returns how many.

            samples: count x 6 int16, gyroscope and accelerometer in counts.
            out: int32 array; each output is w, x, y, z (Q30, sensor to earth, z up) and flags (1: rest, 2: clipped).
            max_out: outputs beyond are dropped; room for 1 + count * output rate / sample rate drops none.

            Outputs are uniform in the sensor's time: one inside a sample's time turns by that part of the sample.
            """
            return run(turn, samples, count, out, max_out, correction, stages)

        return runner

    def gap(self, missing_samples):
        """Samples are missing: keep the attitude, and let accelerations count for more the further it may have turned."""
        rate = self._doubt_rate
        for i in range(3):
            rate = max(rate, abs((self._mean.inputs[i] >> 13) - (self._bias[bias.BIAS + i] >> 16)))
        self._doubt(rate * missing_samples)
        strapdown.end_rest(self._turn)

    def _doubt(self, turn):
        """The attitude misses a turn of about `turn` counts of the gyroscope times samples.

        The correction's low-pass goes back to averaging, with what it holds weighing as many windows as it is still
        worth: the square of how precise one window's acceleration is (DOUBT_RAD) to the turn, and at least a few.
        """
        ratio = min(self._doubt_turn // max(turn, 1), 1000)
        windows = max(self._doubt_windows, ratio * ratio)
        self._up.trust(windows)
        self._rows.trust(windows)

    def _begin(self):
        """The first acceleration gives the first inclination, and what rest is compared with."""
        t = self._turn
        close_window(t, self._mean.inputs, self._up.inputs)
        if not t[strapdown.HAD_ACCELERATION]:
            t[strapdown.STAGE] = 0
            return
        t[strapdown.LEFT] = t[strapdown.WINDOW_SAMPLES] = self._length
        t[strapdown.STAGES_AT_ONCE] = self._at_once
        for bank in (self._mean, self._up, self._rows):
            bank.settle()
        judge_rest(t, self._mean.outputs, 0)
        for _ in range(24):
            level(self._correction, self._up.outputs, self._tilt)
            restore_norm(self._correction)

    def _window_stages(self):
        """What a window's end brings, a stage after each of the next samples, to spread its cost.

        The first begins the filter; those from _FIRST_WITH_ACCELERATION on need an acceleration. They are closures, for
        looking up an attribute costs as much as a filter's step on one channel.
        """
        t, b, correction, tilt = self._turn, self._bias, self._correction, self._tilt
        mean, mean_inputs, mean_outputs = self._mean.bank, self._mean.inputs, self._mean.outputs
        up, up_inputs, up_outputs = self._up.bank, self._up.inputs, self._up.outputs
        rows, rows_inputs, rows_outputs = self._rows.bank, self._rows.inputs, self._rows.outputs

        @micropython.native
        def take_window():
            lost = close_window(t, mean_inputs, up_inputs)
            if lost:
                self._doubt(lost * LOST_RATE)
            step(mean, mean_inputs, mean_outputs)

        @micropython.native
        def detect_rest():
            restore_norm(t)
            near = near_offset(b, mean_outputs)
            if learn_offset(b, mean_outputs, judge_rest(t, mean_outputs, near), near):
                self._up.restart()  # what was filtered until now turned with the offset
                self._rows.restart()

        @micropython.native
        def correct_inclination():
            step(up, up_inputs, up_outputs)
            level(correction, up_outputs, tilt)
            restore_norm(correction)

        @micropython.native
        def filter_rotation():
            turn_bias(b, correction, t, rows_inputs)
            step(rows, rows_inputs, rows_outputs)

        @micropython.native
        def learn_bias():
            measure(b, tilt, rows_outputs, mean_outputs)
            take_measurement(b, 0)
            take_measurement(b, 1)

        @micropython.native
        def update_bias():
            take_measurement(b, 2)
            end_update(b)
            set_bias(t, b)

        return (
            self._begin,
            take_window,
            detect_rest,
            correct_inclination,
            filter_rotation,
            learn_bias,
            update_bias,
        )


def _round(numerator, denominator):
    return (2 * numerator + denominator) // (2 * denominator)


def _time_constant(tau_ms, windows, ms):
    """How many windows motion.low_pass averages before it filters with this time constant, and its gain then.

    windows / ms: windows in a millisecond. The gain is 2 sin(period / tau / root 2).

    The sine's series to the fifth power errs by less than 1e-10 where the window is a tenth of the time constant.
    """
    x = ms * PARTS * PARTS // (windows * ROOT_2 * tau_ms)  # in PARTS
    square = x * x // PARTS
    sine = x - x * square // (6 * PARTS) + x * square // PARTS * square // (120 * PARTS)
    return max(1, _round(tau_ms * windows, ms)), _round(2 * sine * 65536, PARTS)
