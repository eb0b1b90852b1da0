"""ST LSM6DSOX six-axis inertial sensor on I2C, read through its FIFO.

Register names are those of ST's datasheet (DS12814, chapters 8 and 9). The formulas for the real data rate
are from the application note AN5272; the self-test is that of ST's `lsm6dsox_self_test.c`.
"""

import struct
import time
from array import array

import micropython
from micropython import const

from motion.sensor import SelfTestFailed, SensorFault, SensorMissing, SensorWrongIdentity
from motion.tagged_fifo import (
    LOST,
    NEWEST_TICKS,
    PERIOD_TICKS,
    SAMPLE_BYTES,
    STATE_CELLS,
    WORD_BYTES,
    WRITTEN,
    low_30_bits,
    unpack,
)

_FIFO_CTRL1 = const(0x07)
_FIFO_CTRL2 = const(0x08)
_FIFO_CTRL3 = const(0x09)
_FIFO_CTRL4 = const(0x0A)
_INT1_CTRL = const(0x0D)
_WHO_AM_I = const(0x0F)
_CTRL1_XL = const(0x10)
_CTRL2_G = const(0x11)
_CTRL3_C = const(0x12)
_CTRL5_C = const(0x14)
_CTRL9_XL = const(0x18)
_CTRL10_C = const(0x19)
_STATUS_REG = const(0x1E)
_OUT_TEMP_L = const(0x20)
_OUTX_L_G = const(0x22)
_OUTX_L_A = const(0x28)
_FIFO_STATUS1 = const(0x3A)
_TIMESTAMP2 = const(0x42)
_INTERNAL_FREQ_FINE = const(0x63)
_FIFO_DATA_OUT_TAG = const(0x78)

_IDENTITY = const(0x6C)
_SW_RESET = const(0x01)
_BDU_AND_IF_INC = const(0x44)
_I3C_DISABLE = const(0xE2)  # the reset value 0xE0 with bit 1
_TIMESTAMP_EN = const(0x20)
_TIMESTAMP_RESET = const(0xAA)
_INT1_FIFO_TH = const(0x08)
_CONTINUOUS_TIMESTAMP_8 = const(0x86)  # continuous mode, a timestamp with every 8th sample
_FIFO_OVR_LATCHED = const(0x08)  # FIFO_STATUS2; cleared by reading it

_GYRO_TURN_ON_MS = const(100)  # the datasheet has 70 ms; ST's examples wait 100
_BURST_WORDS = const(64)  # one transfer: 30 samples, 10 ms at 400 kHz

# Nominal rate in Hz: code for ODR and BDR fields, divider of the 6667 Hz base rate (AN5272, "ODR_coeff").
_RATES = {
    26: (2, 256),
    52: (3, 128),
    104: (4, 64),
    208: (5, 32),
    416: (6, 16),
    833: (7, 8),
    1666: (8, 4),
}
# Full scale: field in the control register, weight of one count.
_GYRO_RANGES = {
    125: (0x02, 4_375),
    250: (0x00, 8_750),
    500: (0x04, 17_500),
    1000: (0x08, 35_000),
    2000: (0x0C, 70_000),
}
_ACCEL_RANGES = {2: (0x00, 61), 4: (0x08, 122), 8: (0x0C, 244), 16: (0x04, 488)}
_TICKS_PER_BASE_PERIOD = const(6)  # one clock makes the 6667 Hz and the 40 kHz of the timestamp


class LSM6DSOX:
    """The sensor, in FIFO mode: `start()`, then `drain()` at each watermark interrupt.

    The FIFO holds 512 words, 240 samples: 0.58 s at 416 Hz. INT1 stays high, and gives no new edge, until a
    drain has left less than the watermark in it. `drain()` allocates nothing.

    sample_rate_mhz: data rate in mHz, corrected by the chip's own measure of its clock (steps of 0.15 %).
    gyro_udps_per_count, accel_ug_per_count: weight of one count in 1e-6 °/s and in 1e-6 g.
    lost_samples: samples that the sensor made since `start()` and nobody will see; those that a drain adds lie before its
    first sample, if its buffer has room for 9 samples or more.
    overruns: drains that found the FIFO overrun. bus_errors: transfers that failed, the repeated ones too.
    state: see motion.tagged_fifo; state[NEWEST_TICKS] is the sensor time of the newest sample, in ticks of
    nominally 25 µs, 32 bits unsigned.

    Raises SensorMissing when WHO_AM_I does not answer, SensorWrongIdentity when it is another's, SensorFault when a
    transfer fails twice; `start()` may then be tried again.
    """

    def __init__(self, i2c, address=0x6A):
        self._i2c = i2c
        # Methods bound once: looking one up costs as much as four attributes.
        self._transfer = i2c.readfrom_mem_into
        self._fetch = self._read
        self._address = address
        self._one = bytearray(1)
        self._two = bytearray(2)
        self._raw = bytearray(SAMPLE_BYTES + WORD_BYTES * _BURST_WORDS)
        whole = memoryview(self._raw)
        # A slice is a heap object, so there is one for each length that a transfer can have.
        self._bursts = tuple(
            whole[SAMPLE_BYTES : SAMPLE_BYTES + WORD_BYTES * words] for words in range(_BURST_WORDS + 1)
        )
        self.state = array("I", [0] * STATE_CELLS)
        self.lost_samples = 0
        self.overruns = 0
        self.bus_errors = 0
        self.sample_rate_mhz = 0
        self.gyro_udps_per_count = 70_000
        self.accel_ug_per_count = 488

    @property
    def newest_ticks(self):
        """Sensor time of the newest drained sample, nominally 25 µs a tick, modulo 2**30 (no heap object)."""
        return low_30_bits(self.state, NEWEST_TICKS)

    @property
    def period_ticks(self):
        """Sensor ticks from one sample to the next."""
        return self.state[PERIOD_TICKS]

    def start(self, rate_hz=416, gyro_range_dps=2000, accel_range_g=16, watermark=20):
        """Reset the sensor, set it up and begin to fill its FIFO. Blocks for a tenth of a second.

        watermark: INT1 rises when the FIFO holds this many whole samples (1 to 240).
        Raises ValueError for a rate, range or watermark that the sensor does not have.
        """
        for value, table, name in (
            (rate_hz, _RATES, "rate_hz"),
            (gyro_range_dps, _GYRO_RANGES, "gyro_range_dps"),
            (accel_range_g, _ACCEL_RANGES, "accel_range_g"),
        ):
            if value not in table:
                raise ValueError("LSM6DSOX: %s %s is not one of %s" % (name, value, sorted(table)))
        if not 1 <= watermark <= 240:
            raise ValueError("LSM6DSOX: watermark %s is not within 1 to 240 samples" % watermark)
        rate, divider = _RATES[rate_hz]
        gyro_field, self.gyro_udps_per_count = _GYRO_RANGES[gyro_range_dps]
        accel_field, self.accel_ug_per_count = _ACCEL_RANGES[accel_range_g]
        words = watermark * 2 + watermark // 8  # with the timestamps among them
        self._reset()
        fine = self._read_one(_INTERNAL_FREQ_FINE)
        fine -= (fine & 0x80) << 1
        self.sample_rate_mhz = 6_667_000 * (10_000 + 15 * fine) // (10_000 * divider)
        self._write(_CTRL1_XL, rate << 4 | accel_field)
        self._write(_CTRL2_G, rate << 4 | gyro_field)
        time.sleep_ms(_GYRO_TURN_ON_MS)
        self._write(_FIFO_CTRL1, words & 0xFF)
        self._write(_FIFO_CTRL2, words >> 8)
        self._write(_FIFO_CTRL3, rate << 4 | rate)
        self._write(_INT1_CTRL, _INT1_FIFO_TH)
        self._write(_CTRL10_C, _TIMESTAMP_EN)
        self._write(_TIMESTAMP2, _TIMESTAMP_RESET)
        self.lost_samples = self.overruns = 0
        for cell in range(len(self.state)):
            self.state[cell] = 0
        self.state[PERIOD_TICKS] = _TICKS_PER_BASE_PERIOD * divider
        self._write(_FIFO_CTRL4, _CONTINUOUS_TIMESTAMP_8)

    @micropython.native
    def drain(self, buffer):
        """Move samples from the FIFO to `buffer`, oldest first; return how many.

        buffer: bytearray; each sample is 6 x int16 little endian: gx gy gz ax ay az, in counts. What does not
        fit stays in the FIFO for the next call.
        """
        state = self.state
        level = self._two
        state[WRITTEN] = 0
        self._fetch(_FIFO_STATUS1, level)
        status2 = level[1]
        if status2 & _FIFO_OVR_LATCHED:
            self.overruns += 1
        words = level[0] | (status2 & 3) << 8
        if words * (SAMPLE_BYTES // 2) > len(buffer):
            words = len(buffer) // SAMPLE_BYTES * 2
        while words > 0:
            burst = words if words < _BURST_WORDS else _BURST_WORDS
            self._fetch(_FIFO_DATA_OUT_TAG, self._bursts[burst])
            unpack(self._raw, burst, buffer, state)
            words -= burst
        self.lost_samples = state[LOST]
        return state[WRITTEN]

    def temperature_cdeg(self):
        """Temperature of the chip in hundredths of a degree Celsius; it can be 15 degrees off."""
        self._read(_OUT_TEMP_L, self._two)
        raw = self._two[0] | self._two[1] << 8
        raw -= (raw & 0x8000) << 1
        return 2500 + raw * 25 // 64

    def self_test(self):
        """Deflect both sensors electrically and compare with the datasheet's limits.

        The device must lie still. Takes 0.7 s and leaves the sensors off: call `start()` afterwards.
        Raises SelfTestFailed naming the axis and by how much it moved.
        """
        self._reset()
        self._deflect("accelerometer", _CTRL1_XL, 0x38, 0x01, 0x01, _OUTX_L_A, 122, 50_000, 1_700_000, "ug")
        self._deflect(
            "gyroscope", _CTRL2_G, 0x5C, 0x04, 0x02, _OUTX_L_G, 70_000, 150_000_000, 700_000_000, "udps"
        )

    def _deflect(self, name, control, setting, test_bit, fresh_bit, output, weight, least, most, unit):
        """Compare an axis at rest with itself deflected; `least` and `most` are in the unit of `weight`."""
        self._write(control, setting)  # accelerometer: 52 Hz, 4 g; gyroscope: 208 Hz, 2000 dps
        time.sleep_ms(_GYRO_TURN_ON_MS)
        rest = self._sum_of_five(fresh_bit, output)
        self._write(_CTRL5_C, test_bit)
        time.sleep_ms(_GYRO_TURN_ON_MS)
        deflected = self._sum_of_five(fresh_bit, output)
        self._write(_CTRL5_C, 0)
        self._write(control, 0)
        for axis in range(3):
            change = abs(deflected[axis] - rest[axis]) * weight // 5
            if not least <= change <= most:
                raise SelfTestFailed(
                    "LSM6DSOX self-test: %s %s moved by %d %s, must be %d to %d"
                    % (name, "xyz"[axis], change, unit, least, most)
                )

    def _sum_of_five(self, fresh_bit, output):
        """Sum of five samples a channel, after one that is thrown away."""
        sums = [0, 0, 0]
        six = bytearray(6)
        for sample in range(6):
            waited_ms = 0
            while not self._read_one(_STATUS_REG) & fresh_bit:
                if waited_ms == 100:
                    raise SelfTestFailed("LSM6DSOX self-test: no new sample within 100 ms")
                waited_ms += 1
                time.sleep_ms(1)
            self._read(output, six)
            if sample:
                sums = [a + b for a, b in zip(sums, struct.unpack("<hhh", six))]
        return sums

    def _reset(self):
        """Make sure that it is an LSM6DSOX, and bring it to its reset state with the bus set up."""
        try:
            identity = self._read_one(_WHO_AM_I)
        except SensorFault:
            raise SensorMissing("LSM6DSOX: nothing answers at I2C address 0x%02x" % self._address)
        if identity != _IDENTITY:
            raise SensorWrongIdentity(
                "LSM6DSOX: WHO_AM_I at I2C address 0x%02x reads 0x%02x, not 0x%02x"
                % (self._address, identity, _IDENTITY)
            )
        self._write(_CTRL3_C, _SW_RESET)
        for _ in range(20):
            time.sleep_ms(1)
            if not self._read_one(_CTRL3_C) & _SW_RESET:
                break
        else:
            raise SensorFault("LSM6DSOX: still in reset after 20 ms")
        self._write(_CTRL9_XL, _I3C_DISABLE)
        self._write(_CTRL3_C, _BDU_AND_IF_INC)

    def _read_one(self, register):
        self._read(register, self._one)
        return self._one[0]

    @micropython.native
    def _read(self, register, into):
        """Read from `register` on; a transfer that fails is tried once more."""
        try:
            self._transfer(self._address, register, into)
        except OSError:
            self.bus_errors += 1
            try:
                self._transfer(self._address, register, into)
            except OSError as error:
                self._fail(register, error)

    def _write(self, register, value):
        self._one[0] = value
        try:
            self._i2c.writeto_mem(self._address, register, self._one)
        except OSError:
            self.bus_errors += 1
            try:
                self._i2c.writeto_mem(self._address, register, self._one)
            except OSError as error:
                self._fail(register, error)

    def _fail(self, register, error):
        self.bus_errors += 1
        raise SensorFault("LSM6DSOX: register 0x%02x failed twice: %r" % (register, error))
