"""Register-level model of ST's LSM6DSOX: what the firmware's driver finds on the bus.

Registers and fields as in the datasheet (DS12814, chapters 6, 8 and 9) and ST's `lsm6dsox_reg.h`. Modelled:
both sensors, the thermometer, the FIFO (bypass, FIFO and continuous mode), timestamp, the watermark on
INT1, self-test, start-up. Left out: FIFO compression, embedded functions, sensor hub, OIS, the 1.6 and 6.5
Hz rates, and the phase of the filters (noise has a bandwidth of half the data rate).
"""

import numpy as np

from kinetens.virtual.bus import BusError
from kinetens.virtual.inertial_sampler import Counts, InertialSampler, SensorErrors, Triple
from kinetens.virtual.lsm6dsox_set_up import (
    BYPASS,
    CONTINUOUS,
    CTRL10_C,
    FIFO_CTRL4,
    SHAPES_SAMPLES,
    Lsm6dsoxConfig,
    read_set_up,
)
from kinetens.virtual.lsm6dsox_stream import (
    TAG_ACCEL,
    TAG_GYRO,
    WORD_BYTES,
    Lsm6dsoxStream,
    SetUp,
    temperature_word,
)
from kinetens.virtual.motion_source import MotionSource

FIFO_CTRL1, FIFO_CTRL2 = 0x07, 0x08
INT1_CTRL, WHO_AM_I, CTRL3_C, CTRL9_XL, STATUS_REG = 0x0D, 0x0F, 0x12, 0x18, 0x1E
OUT_TEMP_L, OUTX_L_G, OUTX_L_A, OUTZ_H_A = 0x20, 0x22, 0x28, 0x2D
FIFO_STATUS1, FIFO_STATUS2 = 0x3A, 0x3B
TIMESTAMP0, TIMESTAMP2, TIMESTAMP3 = 0x40, 0x42, 0x43
INTERNAL_FREQ_FINE = 0x63
FIFO_DATA_OUT_TAG, FIFO_DATA_OUT_Z_H = 0x78, 0x7E

IDENTITY = 0x6C
FIFO_WORDS = 512
FREQ_FINE_STEP = 0.0015

_WRITABLE = {*range(0x01, 0x0F), *range(0x10, 0x1A), *range(0x56, 0x63), *range(0x6F, 0x76)}
_RESET_VALUES = {CTRL3_C: 0x04, CTRL9_XL: 0xE0}
_GDA, _XLDA, _TDA = 0x02, 0x01, 0x04


class Lsm6dsoxModel:
    """The chip behind its bus. Times are virtual seconds and never go back.

    Faults that a test may set:
        fail_next_transfers: so many transfers raise BusError.
        failures_lose_words: a failed read of the FIFO has still emptied half of what it asked for.
        absent: nothing answers.
        frozen_data: the FIFO's samples repeat one, while time, its level and the output registers go on.
        saturated: the gyroscope's x axis is at the end of its scale.
        wrong_identity: WHO_AM_I reads 0x6B.
    """

    def __init__(
        self, motion: MotionSource, rng: np.random.Generator, config: Lsm6dsoxConfig | None = None
    ) -> None:
        self.config = config or Lsm6dsoxConfig()
        self.errors = SensorErrors(
            gyro_bias_dps=_given_or_drawn(self.config.gyro_bias_dps, rng, 0.5),
            accel_bias_mg=_given_or_drawn(self.config.accel_bias_mg, rng, 10.0),
            gyro_scale_error=_given_or_drawn(self.config.gyro_scale_error, rng, 0.003),
            accel_scale_error=_given_or_drawn(self.config.accel_scale_error, rng, 0.003),
        )
        drawn = float(rng.uniform(-0.01, 0.01))
        self.clock_error = drawn if self.config.clock_error is None else self.config.clock_error
        self.fail_next_transfers = 0
        self.failures_lose_words = False
        self.absent = False
        self.frozen_data = False
        self.saturated = False
        self.wrong_identity = False
        self._stream = Lsm6dsoxStream(
            InertialSampler(motion, rng, self.errors, self.config.settling),
            self.clock_error,
            self.config.temperature_degc,
            self.config.timestamp_first,
        )
        self._now_s = 0.0
        self._frozen: Counts = np.zeros(6, np.int16)
        self._reset()

    @property
    def sample_period_s(self) -> float:
        """True seconds from one sample of the faster sensor to the next; 0 when both are off."""
        return self._stream.sample_period_s

    def read(self, register: int, count: int, time_s: float) -> bytes:
        """`count` bytes from `register` on. Raises BusError when the transfer fails."""
        self._advance(time_s)
        self._maybe_fail(register, count)
        if register == FIFO_DATA_OUT_TAG and self._increments:
            return self._read_fifo(register, count)
        data = bytearray()
        for _ in range(count):
            data.append(self._read_one(register))
            register = self._next(register)
        return bytes(data)

    def write(self, register: int, data: bytes, time_s: float) -> None:
        """Write `data` from `register` on; what is read-only keeps its value. Raises BusError like `read`."""
        self._advance(time_s)
        self._maybe_fail(register, 0)
        for value in data:
            self._write_one(register, value)
            register = self._next(register)

    def interrupt_level(self, time_s: float) -> bool:
        """Whether INT1 is high."""
        self._advance(time_s)
        return self._watermark_reached and bool(self._registers[INT1_CTRL] & 0x08)

    def next_interrupt_s(self, time_s: float) -> float | None:
        """When INT1 will rise if nobody touches the chip; None when it is high already or never will."""
        self._advance(time_s)
        if not self._registers[INT1_CTRL] & 0x08 or self._watermark == 0 or self._watermark_reached:
            return None
        return self._stream.time_of_word(self._watermark - self._level)

    # The bus

    @property
    def _increments(self) -> bool:
        return bool(self._registers[CTRL3_C] & 0x04)

    def _next(self, register: int) -> int:
        """Address after `register` in one transfer (IF_INC); the FIFO's seven go round."""
        if not self._increments:
            return register
        return FIFO_DATA_OUT_TAG if register == FIFO_DATA_OUT_Z_H else (register + 1) & 0x7F

    def _maybe_fail(self, register: int, count: int) -> None:
        if self.absent:
            raise BusError("the sensor does not answer")
        if self.fail_next_transfers > 0:
            self.fail_next_transfers -= 1
            if self.failures_lose_words and register == FIFO_DATA_OUT_TAG:
                self._read_fifo(register, count // 2)
            raise BusError("not acknowledged")

    def _read_one(self, register: int) -> int:
        if FIFO_DATA_OUT_TAG <= register <= FIFO_DATA_OUT_Z_H:
            return self._read_fifo(register, 1)[0]
        if OUTX_L_G <= register <= OUTZ_H_A:
            self._fresh &= ~(_GDA if register < OUTX_L_A else _XLDA)
            return self._newest.astype("<i2").tobytes()[register - OUTX_L_G]
        if OUT_TEMP_L <= register <= OUT_TEMP_L + 1:
            self._fresh &= ~_TDA
            return temperature_word(self.config.temperature_degc)[register - OUT_TEMP_L]
        if TIMESTAMP0 <= register <= TIMESTAMP3:
            ticks = self._stream.ticks(self._now_s) if self._timestamp_on else 0
            return ticks >> 8 * (register - TIMESTAMP0) & 0xFF
        if register == WHO_AM_I:
            return 0x6B if self.wrong_identity else IDENTITY
        if register == STATUS_REG:
            return self._fresh
        if register == FIFO_STATUS1:
            return self._level & 0xFF
        if register == FIFO_STATUS2:
            return self._fifo_status2()
        if register == INTERNAL_FREQ_FINE:
            return round(self.clock_error / FREQ_FINE_STEP) & 0xFF
        return self._registers[register]

    def _write_one(self, register: int, value: int) -> None:
        if register == TIMESTAMP2 and value == 0xAA:
            self._stream.restart_timestamp(self._now_s)
        elif register == CTRL3_C and value & 0x01:
            self._reset()
        elif register in _WRITABLE:
            fifo_was_off = self._fifo_mode == BYPASS
            self._registers[register] = value
            if register in SHAPES_SAMPLES:
                self._set_up(restart_slots=fifo_was_off and self._fifo_mode != BYPASS)

    # The FIFO

    @property
    def _level(self) -> int:
        return len(self._fifo) // WORD_BYTES

    @property
    def _fifo_mode(self) -> int:
        return self._registers[FIFO_CTRL4] & 7

    @property
    def _watermark(self) -> int:
        return self._registers[FIFO_CTRL1] | (self._registers[FIFO_CTRL2] & 1) << 8

    @property
    def _watermark_reached(self) -> bool:
        return 0 < self._watermark <= self._level

    def _fifo_status2(self) -> int:
        full_at_next_slot = self._level + len(self._asked.batches) > FIFO_WORDS
        status = (
            self._watermark_reached << 7
            | self._overrun << 6
            | full_at_next_slot << 5
            | self._overrun_latched << 3
            | self._level >> 8
        )
        self._overrun_latched = False
        return status

    def _read_fifo(self, register: int, count: int) -> bytes:
        """Bytes of the FIFO; a word leaves it when its last byte is read. Empty, it gives zeros: tag 0."""
        offset = register - FIFO_DATA_OUT_TAG
        end = offset + count
        data = bytes(self._fifo[offset:end])
        taken = end // WORD_BYTES * WORD_BYTES
        if taken:
            del self._fifo[:taken]
            self._overrun = False
        return data.ljust(count, b"\0")

    def _advance(self, time_s: float) -> None:
        """Let everything up to `time_s` happen."""
        self._now_s = max(self._now_s, time_s)
        newest, blocks = self._stream.take(self._now_s)
        if newest is None:
            return
        self._newest = newest
        if not self.frozen_data:
            self._frozen = newest
        self._fresh = _TDA | (_GDA if self._asked.gyro else 0) | (_XLDA if self._asked.accel else 0)
        for words in blocks:
            if self.saturated:
                words = words.copy()
                words[words[:, 0] >> 3 == TAG_GYRO, 1:3] = (0xFF, 0x7F)
            if self.frozen_data:
                words = words.copy()
                words[words[:, 0] >> 3 == TAG_GYRO, 1:] = self._frozen[:3].view(np.uint8)
                words[words[:, 0] >> 3 == TAG_ACCEL, 1:] = self._frozen[3:].view(np.uint8)
            self._fifo += words.tobytes()
            surplus = len(self._fifo) - FIFO_WORDS * WORD_BYTES
            if surplus > 0:
                if self._fifo_mode == CONTINUOUS:
                    del self._fifo[:surplus]
                else:
                    del self._fifo[-surplus:]
                self._overrun = self._overrun_latched = True

    # Set-up

    @property
    def _timestamp_on(self) -> bool:
        return bool(self._registers[CTRL10_C] & 0x20)

    def _reset(self) -> None:
        """As after power-up or SW_RESET, which takes no time here (50 µs in the chip)."""
        self._registers = bytearray(128)
        for register, value in _RESET_VALUES.items():
            self._registers[register] = value
        self._fifo = bytearray()
        self._overrun = False
        self._overrun_latched = False
        self._fresh = 0
        self._newest: Counts = np.zeros(6, np.int16)
        self._asked = SetUp()
        self._stream.restart_timestamp(self._now_s)
        self._stream.change(self._asked, self._now_s, restart_slots=True)

    def _set_up(self, restart_slots: bool) -> None:
        """Hand to the stream what the control registers say now."""
        if self._fifo_mode == BYPASS:
            self._fifo.clear()
            self._overrun = False
        self._asked = read_set_up(self._registers, self.config, self._asked, self._now_s)
        self._stream.change(self._asked, self._now_s, restart_slots)


def _given_or_drawn(given: Triple | None, rng: np.random.Generator, sigma: float) -> Triple:
    """Three values within 2 sigma. Draws even when given, so that what is drawn next stays the same."""
    x, y, z = (float(value) for value in np.clip(rng.standard_normal(3), -2, 2) * sigma)
    return given or (x, y, z)
