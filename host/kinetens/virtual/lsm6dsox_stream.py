"""The LSM6DSOX's samples and FIFO words, made ahead of time in blocks: the chip without its registers.

Data rates, timestamp and the FIFO's time slots as in ST's application note AN5272; the format of a word as in
chapter 9 of the datasheet (DS12814).
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kinetens.virtual.inertial_sampler import Channel, Counts, InertialSampler
from kinetens.virtual.motion_source import Array

WORD_BYTES = 7
TAG_GYRO, TAG_ACCEL, TAG_TEMPERATURE, TAG_TIMESTAMP = 1, 2, 3, 4
TIMESTAMP_RATE_HZ = 40_000
BASE_RATE_HZ = TIMESTAMP_RATE_HZ / 6
"""6667 Hz in the datasheet. One clock makes both, so a sample lasts a whole number of timestamp ticks."""

_BLOCK_S = 0.5
_GYRO_SETTLING_S = 0.07
_ACCEL_SETTLING_S = 0.01


def _tag_byte(sensor: int, count: int) -> int:
    """TAG_SENSOR, TAG_CNT and TAG_PARITY, taken as even."""
    tag = sensor << 3 | count << 1
    return tag | tag.bit_count() & 1


_TAG_BYTES = np.array([[_tag_byte(sensor, count) for count in range(4)] for sensor in range(5)], np.uint8)


def temperature_word(temperature_degc: float) -> bytes:
    """256 counts a degree, zero at 25 °C (datasheet, temperature sensor characteristics)."""
    return round((temperature_degc - 25.0) * 256).to_bytes(2, "little", signed=True)


@dataclass(frozen=True)
class SetUp:
    """What the control registers ask for.

    divider: of the base rate, for the faster of the two sensors; 0 when both are off.
    batches: what the FIFO takes: TAG_SENSOR to the samples of the faster sensor from one word to the next.
    mask_unsettled: DRDY_MASK.
    """

    gyro: Channel | None = None
    accel: Channel | None = None
    divider: int = 0
    batches: Mapping[int, int] = field(default_factory=dict[int, int])
    mask_unsettled: bool = False


@dataclass
class _Block:
    """One row a sample of the faster sensor; `words_before` (N + 1,) counts the words before each."""

    times_s: Array
    counts: Counts
    words: NDArray[np.uint8]
    words_before: NDArray[np.int64]
    used: int = 0


class Lsm6dsoxStream:
    """Samples at the true rate of a clock that is off by `clock_error`, and their words.

    timestamp_first: whether a slot's timestamp word stands before its data or behind.
    """

    def __init__(
        self, sampler: InertialSampler, clock_error: float, temperature_degc: float, timestamp_first: bool
    ) -> None:
        self._sampler = sampler
        self._clock_gain = 1.0 + clock_error
        self._temperature_word = temperature_word(temperature_degc)
        self._timestamp_first = timestamp_first
        self._blocks: deque[_Block] = deque()
        self._set_up = SetUp()
        self._grid_s = 0.0
        self._made = 0
        self._first_slot = 0
        self._timestamp_zero_s = 0.0

    @property
    def sample_period_s(self) -> float:
        """True seconds from one sample of the faster sensor to the next; 0 when both are off."""
        return self._set_up.divider / (BASE_RATE_HZ * self._clock_gain)

    def ticks(self, time_s: float) -> int:
        """The timestamp counter, 32 bits."""
        return int(self._ticks(np.array([time_s]))[0])

    def restart_timestamp(self, now_s: float) -> None:
        """Count from zero again."""
        self._timestamp_zero_s = now_s
        self._forget_ahead()

    def change(self, set_up: SetUp, now_s: float, restart_slots: bool) -> None:
        """Take over a set-up. All samples up to `now_s` must have been taken.

        restart_slots: the FIFO begins now: TAG_CNT starts at 0, and a timestamp is due at once.
        """
        self._forget_ahead()
        if set_up.divider != self._set_up.divider:
            self._grid_s = now_s
            self._made = 0
            self._first_slot = 0
        if restart_slots:
            self._first_slot = self._made
        self._set_up = set_up

    def take(self, until_s: float) -> tuple[Counts | None, list[NDArray[np.uint8]]]:
        """The newest sample (6,), None if there is no new one, and the words (N, 7) of all new ones."""
        newest: Counts | None = None
        words: list[NDArray[np.uint8]] = []
        while self._set_up.divider:
            if not self._blocks:
                self._make_block()
            block = self._blocks[0]
            due = int(np.searchsorted(block.times_s, until_s, side="right"))
            if due > block.used:
                words.append(block.words[block.words_before[block.used] : block.words_before[due]])
                newest = block.counts[due - 1]
                block.used = due
            if due < len(block.times_s):
                break
            self._blocks.popleft()
        return newest, words

    def time_of_word(self, number: int) -> float | None:
        """When the `number`th word from now (1 is the next) will be written; None when none will."""
        if not self._set_up.batches:
            return None
        index = 0
        while True:
            if index == len(self._blocks):
                self._make_block()
            block = self._blocks[index]
            before = int(block.words_before[block.used])
            left = int(block.words_before[-1]) - before
            if left >= number:
                return float(block.times_s[int(np.searchsorted(block.words_before, before + number)) - 1])
            number -= left
            index += 1

    def _forget_ahead(self) -> None:
        self._made -= sum(len(block.times_s) - block.used for block in self._blocks)
        self._blocks.clear()

    def _ticks(self, times_s: Array) -> NDArray[np.uint32]:
        # A sample falls on a whole tick; rounding must not push it to the tick before.
        ticks = (times_s - self._timestamp_zero_s) * (TIMESTAMP_RATE_HZ * self._clock_gain) + 1e-3
        return (np.floor(ticks).astype(np.int64) & 0xFFFFFFFF).astype(np.uint32)

    def _make_block(self) -> None:
        set_up = self._set_up
        size = max(1, round(_BLOCK_S / self.sample_period_s))
        rows = np.arange(self._made, self._made + size)
        self._made += size
        times_s: Array = self._grid_s + (rows + 1).astype(np.float64) * self.sample_period_s
        counts = self._sampler.counts(times_s, set_up.gyro, set_up.accel)
        if set_up.mask_unsettled:
            self._mark_unsettled(times_s, counts)
        rows_of_fifo = rows - self._first_slot
        slots = rows_of_fifo // min(set_up.batches.values(), default=1)
        order = sorted(set_up.batches, key=lambda tag: (tag == TAG_TIMESTAMP) != self._timestamp_first)
        words = np.zeros((size, len(order), WORD_BYTES), np.uint8)
        present = np.zeros((size, len(order)), np.bool_)
        for column, tag in enumerate(order):
            present[:, column] = rows_of_fifo % set_up.batches[tag] == 0
            words[:, column, 0] = _TAG_BYTES[tag][slots & 3]
            self._fill_payload(words[:, column, 1:], tag, counts, times_s)
        words_before = np.zeros(size + 1, np.int64)
        np.cumsum(present.sum(axis=1), out=words_before[1:])
        self._blocks.append(_Block(times_s, counts, words[present], words_before))

    def _fill_payload(self, payload: NDArray[np.uint8], tag: int, counts: Counts, times_s: Array) -> None:
        """Write the six bytes (N, 6) that a word of this kind has for each sample."""
        if tag == TAG_GYRO:
            payload[:] = np.ascontiguousarray(counts[:, :3], "<i2").view(np.uint8)
        elif tag == TAG_ACCEL:
            payload[:] = np.ascontiguousarray(counts[:, 3:], "<i2").view(np.uint8)
        elif tag == TAG_TEMPERATURE:
            payload[:, :2] = np.frombuffer(self._temperature_word, np.uint8)
        else:
            payload[:, :4] = self._ticks(times_s).astype("<u4").view(np.uint8).reshape(-1, 4)

    def _mark_unsettled(self, times_s: Array, counts: Counts) -> None:
        """With DRDY_MASK, samples from before a sensor has settled read 7FFFh."""
        if self._set_up.gyro:
            counts[times_s < self._set_up.gyro.on_since_s + _GYRO_SETTLING_S, :3] = 0x7FFF
        if self._set_up.accel:
            counts[times_s < self._set_up.accel.on_since_s + _ACCEL_SETTLING_S, 3:] = 0x7FFF
