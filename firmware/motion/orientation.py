"""Orientation from gyroscope and accelerometer: VQF (Laidig and Seel 2023) in 32-bit integers.

The gyroscope is integrated at the sensor's full rate. Accelerations, turned into the almost-inertial frame sample by
sample, are averaged over windows of about 1/26 s; low-pass, inclination correction, rest detection and bias
estimation run once a window, which keeps the precision of their 32-bit words and costs little.

Source: D. Laidig, T. Seel, "VQF: Highly accurate IMU orientation estimation with bias estimation and magnetic
disturbance rejection", Information Fusion 91 (2023), and its implementation vqf 2.1.
"""

import math
import sys
from array import array

from motion import orientation_kernels as k

# VQF's parameters by the paper's names: seconds, degrees a second, m/s².
PARAMETERS = {
    "tauAcc": 3.0,
    "biasSigmaInit": 0.5,
    "biasForgettingTime": 100.0,
    "biasClip": 2.0,
    "biasSigmaMotion": 0.1,
    "biasSigmaRest": 0.03,
    "restMinT": 1.5,
    "restFilterTau": 0.5,
    "restThGyr": 2.0,
    "restThAcc": 0.5,
}
# Not in the paper: a sensor's own offset may be beyond biasClip. What the first rest shows up to this limit becomes
# the middle that the bias is clipped around.
FIRST_REST_CLIP_DPS = 10.0
# After a gap or a saturated gyroscope: the turn that makes what was known worth one window, the least rate to expect
# in a gap, how many counts a saturated gyroscope is beyond its range, and what always stays of what was known.
DOUBT_RAD = 0.4
DOUBT_RATE_RAD_S = 0.3
LOST_RATE = 4096
DOUBT_MIN_S = 0.15
WINDOW_RATE_HZ = 26
ONE = 1 << 30
REST, CLIPPED = 1, 2  # output flags

GRAVITY_M_S2 = 9.80665


class Orientation:
    """The filter. Everything is allocated here and in reset; update and run allocate nothing.

    sample_rate_mhz: true rate of the samples, 25 to 500 Hz.
    gyro_udps_per_count, accel_ug_per_count: the sensor's scales.
    output_rate_mhz: rate of run's outputs; by default one for each sample.
    Raises ValueError if full scale is more than 0.8 rad of half angle a sample.
    """

    def __init__(self, sample_rate_mhz, gyro_udps_per_count, accel_ug_per_count, output_rate_mhz=None):
        p = PARAMETERS
        rate_hz = sample_rate_mhz / 1000
        dps_per_count = gyro_udps_per_count / 1e6
        self._sample_mhz = sample_rate_mhz
        self._output_mhz = output_rate_mhz or sample_rate_mhz
        self._length = max(1, int(rate_hz / WINDOW_RATE_HZ))
        self._period_s = self._length / rate_hz
        self._correction = array("i", bytearray(4 * k.CHANNEL * k.CORRECTION_CHANNELS))
        self._rest = array("i", bytearray(4 * k.CHANNEL * k.REST_CHANNELS))
        self._correction_windows = max(1, round(p["tauAcc"] / self._period_s))
        self._correction_filter = _butterworth(p["tauAcc"], self._period_s)
        self._rest_windows = max(1, round(p["restFilterTau"] / self._period_s))
        self._rest_filter = _butterworth(p["restFilterTau"], self._period_s)
        self._rest_min = round(p["restMinT"] / self._period_s)
        rad_per_count = math.radians(dps_per_count)
        self._doubt_turn = int(DOUBT_RAD / rad_per_count * rate_hz)
        self._doubt_rate = int(DOUBT_RATE_RAD_S / rad_per_count)
        self._doubt_windows = max(1, int(DOUBT_MIN_S / self._period_s))
        self._first_clip = round(FIRST_REST_CLIP_DPS / dps_per_count * 8192)

        s = self._s = array("i", bytearray(4 * k.STATE_SIZE))
        turn = rad_per_count / rate_hz / 2 * ONE
        shift = 0
        if turn >= 26500:
            raise ValueError("the sensor turns too far in a sample: raise its rate or lower its range")
        while turn < 16384:
            turn *= 2
            shift += 1
        s[k.TURN_HIGH] = int(turn)
        s[k.TURN_LOW] = int((turn - int(turn)) * 32768)
        s[k.TURN_SHIFT] = shift
        s[k.BIAS_CLIP] = round(p["biasClip"] / dps_per_count * 65536)
        s[k.STILL_GYR] = round(p["restThGyr"] / dps_per_count * 16)
        s[k.STILL_ACC] = round(p["restThAcc"] / GRAVITY_M_S2 / (accel_ug_per_count / 1e6) * 16)
        s[k.TILT_RATE] = round(math.degrees(1 / self._period_s) / dps_per_count / 64 * 65536)
        # Variances in (0.01 deg/s)², as VQF has them.
        growth = 100 * self._period_s / p["biasForgettingTime"]
        motion = (100 * p["biasSigmaMotion"]) ** 2
        rest = (100 * p["biasSigmaRest"]) ** 2
        s[k.P_INIT] = round((100 * p["biasSigmaInit"]) ** 2 * 262144)
        s[k.P_GROWTH] = round(growth * 262144)
        self._motion_noise = round((motion**2 / growth + motion) * 4)
        self._rest_noise = round((rest**2 / growth + rest) * 4)
        s[k.SIGN] = -(1 << 31) if sys.maxsize > 1 << 31 else 0
        self.reset()

    def reset(self):
        """Forget everything but the rates and scales."""
        s = self._s
        for i in range(k.SETTINGS):
            s[i] = 0
        s[k.GYR] = s[k.ACC] = ONE
        for i in range(3):
            s[k.P + 4 * i] = s[k.P_INIT]
        self._started = False
        self._left = self._length
        self._wait = self._output_mhz
        self._correction_count = self._rest_count = 0
        self._still_windows = 0
        self._offset_known = False
        self.at_rest = False

    @property
    def bias(self):
        """Gyroscope bias: int32 x 3, 2**-16 count."""
        return self._s[k.BIAS : k.BIAS + 3]

    def update(self, samples, count):
        """Run the filter over all samples: count x 6 int16, gyroscope and accelerometer in counts."""
        self._advance(samples, 0, count)

    def run(self, samples, count, out, out_offset, max_out):
        """Run the filter over all samples and write the outputs that fall into their time. Returns how many.

        out: int32 array; each output is w, x, y, z (Q30, sensor to earth, z up) and a word of flags.
        max_out: outputs beyond are dropped; room for 1 + count * output rate / sample rate drops none.

        Outputs are uniform in the sensor's time: one inside a sample's time turns by that part of the sample.
        """
        s = self._s
        sample = self._output_mhz  # lengths in time: a sample lasts this long where outputs are _sample_mhz apart
        outputs = 0
        i = 0
        while True:
            whole = min((self._wait - 1) // sample, count - i)
            self._advance(samples, i, i + whole)
            i += whole
            self._wait -= whole * sample
            if i == count:
                return outputs
            if self._wait == sample:
                self._advance(samples, i, i + 1)
                i += 1
                self._wait = 0
                place = k.GYR
            else:
                k.strapdown(s, samples, i, i + 1, (self._wait << 12) // sample)
                place = k.TURNED
            self._wait += self._sample_mhz
            if outputs < max_out:
                at = out_offset + 5 * outputs
                k.multiply(out, at, s, k.ACC, place)
                out[at + 4] = (REST if self.at_rest else 0) | (CLIPPED if s[k.CLIPPED] else 0)
                s[k.CLIPPED] = 0
                outputs += 1

    def gap(self, missing_samples):
        """Samples are missing: keep the attitude, and let accelerations count for more the further it may have turned."""
        s = self._s
        rate = self._doubt_rate
        for i in range(3):
            rate = max(rate, abs((self._rest[k.CHANNEL * i] << 3) - s[k.BIAS + i]) >> 16)
        self._doubt(rate * missing_samples)
        self._still_windows = 0
        self.at_rest = False

    def _doubt(self, turn):
        """The attitude misses a turn of about `turn` counts of the gyroscope times samples.

        The correction's low-pass goes back to averaging, with what it holds weighing as many windows as it is still
        worth: the square of how precise one window's acceleration is (DOUBT_RAD) to the turn, and at least a few.
        """
        ratio = self._doubt_turn // max(turn, 1)
        self._correction_count = min(self._correction_count, max(self._doubt_windows, min(ratio, 1000) ** 2))

    def _advance(self, samples, i, end):
        while i < end:
            stop = min(end, i + self._left) if self._started else i + 1
            k.strapdown(self._s, samples, i, stop, k.WHOLE)
            self._left -= stop - i
            if not self._started:
                self._start()
            if self._left == 0:
                self._left = self._length
                self._close_window()
            i = stop

    def _start(self):
        """The first acceleration, as it is, gives the first inclination and what rest is first compared with."""
        s = self._s
        if s[k.EARTH_COUNT]:
            k.mean(s, self._correction, self._rest, self._length - self._left)
            for i in range(k.CORRECTION_CHANNELS):
                self._correction[k.CHANNEL * i + 1] = self._correction[k.CHANNEL * i]
            for i in range(k.REST_CHANNELS):
                self._rest[k.CHANNEL * i + 1] = self._rest[k.CHANNEL * i]
            k.watch(s, self._rest)
            self._level()
            self._started = True

    def _close_window(self):
        s = self._s
        moved = s[k.MOVED]
        if s[k.LOST]:
            self._doubt(s[k.LOST] * LOST_RATE)
        readings = k.mean(s, self._correction, self._rest, self._length)
        k.forget_sums(s)
        k.normalise(s, k.GYR, 4)
        average = self._rest_count + 1 if self._rest_count < self._rest_windows else 0
        k.low_pass(s, self._rest, 0, k.REST_CHANNELS, self._rest_filter, average)
        self._rest_count = min(self._rest_count + 1, self._rest_windows)
        k.watch(s, self._rest)
        self._detect_rest(moved)
        if readings and self._started:
            self._correct()

    def _detect_rest(self, moved):
        s = self._s
        self._still_windows = 0 if moved or not self._near_offset() else self._still_windows + 1
        self.at_rest = self._still_windows >= self._rest_min
        if self.at_rest and not self._offset_known:
            self._offset_known = True
            if k.take_offset(s, self._rest):
                self._correction_count = 0  # what was filtered until now turned with the offset

    def _near_offset(self):
        """Whether the mean rate can be a resting sensor's: within biasClip of its offset, if that is known."""
        for i in range(3):
            rate = self._rest[k.CHANNEL * i + 1]
            if self._offset_known:
                if abs((rate << 3) - self._s[k.MIDDLE + i]) > self._s[k.BIAS_CLIP]:
                    return False
            elif abs(rate) > self._first_clip:
                return False
        return True

    def _correct(self):
        """Inclination and bias from the window's mean acceleration."""
        s = self._s
        bank = self._correction
        average = self._correction_count + 1 if self._correction_count < self._correction_windows else 0
        self._correction_count = min(self._correction_count + 1, self._correction_windows)
        k.low_pass(s, bank, 0, 3, self._correction_filter, average)
        if not self._level():
            return
        k.multiply(s, k.ATTITUDE, s, k.ACC, k.GYR)
        k.matrix(s, k.ATTITUDE)
        k.turn_bias(s, bank)
        k.low_pass(s, bank, 3, 8, self._correction_filter, average)
        if self.at_rest:
            k.measure_at_rest(s, self._rest)
            k.update_bias(s, 3, self._rest_noise)
        else:
            k.measure_in_motion(s, bank)
            k.update_bias(s, 2, self._motion_noise)

    def _level(self):
        """Turn ACC so that the low-passed acceleration points up. Returns false if there is none."""
        s = self._s
        k.matrix(s, k.ACC)
        k.point(s, self._correction)
        if not k.normalise(s, k.GRAVITY, 3):
            return False
        k.halfway(s)
        if not k.normalise(s, k.STEP, 4):
            s[k.STEP] = s[k.STEP + 2] = s[k.STEP + 3] = 0
            s[k.STEP + 1] = ONE
        k.multiply(s, k.ATTITUDE, s, k.STEP, k.ACC)
        k.copy(s, k.ACC, k.ATTITUDE, 4)
        k.normalise(s, k.ACC, 4)
        return True


def _butterworth(tau_s, period_s):
    """Coefficients of kernels.low_pass for VQF's second-order low-pass (tau: 1/e time of its step response)."""
    g = math.tan(period_s / (math.sqrt(2) * tau_s))
    a1 = 1 / (1 + g * (g + math.sqrt(2)))
    return array("i", (round(g * a1 * 262144), round((1 - a1) * 262144), round(g * 32768)))
