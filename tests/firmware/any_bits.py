"""Arbitrary bits for the functions of the sample path that must take any: clock words, frames, FIFO words, samples."""

from __future__ import annotations

import random
from array import array

from tests.firmware.extreme_motion import ACCEL_UG, GYRO_UDPS, LEAST, MOST, SamplePath, extreme_calibration

_EDGES = (0, 1, 2, 1023, 1024, 0x7FFF, 0x8000, 0xFFFF, 0x1_0000, 0x3FFF_FFFF, 0x4000_0000, 0x7FFF_FC00)
_WORDS = (*_EDGES, *(0xFFFF_FFFF - edge for edge in _EDGES), 0x8000_0000, 0x7FFF_FFFF)
_PERIODS_TICKS = (24, 96, 1536)  # of 1666, 416 and 26 Hz
_FIFO_TAGS = (0, 1, 1, 1, 2, 2, 2, 4, 4, 31)


def give_any_bits(path: SamplePath, rounds: int, seed: int) -> None:
    source = random.Random(seed)
    for _ in range(rounds):
        _clock(path, source)
        _frames(path, source)
        _fifo(path, source)
        _calibration(path, source)


def _word(source: random.Random) -> int:
    return source.choice(_WORDS) if source.random() < 0.7 else source.getrandbits(32)


def _words(count: int, source: random.Random) -> array[int]:
    return array("I", [_word(source) for _ in range(count)])


def _clock(path: SamplePath, source: random.Random) -> None:
    clock = path.modules["system.clock"]
    words, other = _words(2, source), _words(2, source)
    us = source.choice((-(1 << 30), -1, 0, 1, (1 << 30) - 1, source.randint(-(1 << 30), (1 << 30) - 1)))
    clock.add_us(words, us)
    clock.difference_us(words, other)
    clock.copy(other, words)


def _frames(path: SamplePath, source: random.Random) -> None:
    frames = path.modules["motion.frames"]
    for samples, add in ((_words(5, source), frames.add_orientation), (_words(3, source), frames.add_raw)):
        frame = bytearray(24 + 3 * 12)
        frames.begin(
            frame, source.randrange(256), source.randrange(256), source.randrange(256), _words(5, source)
        )
        for _ in range(3):
            add(frame, samples, 0)


def _fifo(path: SamplePath, source: random.Random) -> None:
    fifo = path.modules["motion.tagged_fifo"]
    state = array("I", [0] * fifo.STATE_CELLS)
    state[fifo.PERIOD_TICKS] = source.choice(_PERIODS_TICKS)
    slot, stamp = source.randrange(4), _word(source)
    for _ in range(3):
        words = bytearray(fifo.SAMPLE_BYTES)
        for _ in range(20):
            slot += source.choice((0, 0, 0, 1, 1, 2, 3))
            stamp = (
                stamp + source.choice((0, 96, 1 << 31, (1 << 31) - source.randrange(100), _word(source)))
            ) & 0xFFFF_FFFF
            words += bytes([source.choice(_FIFO_TAGS) << 3 | (slot & 3) << 1])
            words += stamp.to_bytes(4, "little") + bytes([_word(source) & 0xFF, 0xFF])
        state[fifo.WRITTEN] = 0
        fifo.unpack(words, 20, bytearray(fifo.SAMPLE_BYTES * 20), state)


def _calibration(path: SamplePath, source: random.Random) -> None:
    calibration = path.modules["motion.calibration"]
    values = (0,) * 6 + extreme_calibration(source.getrandbits(15))
    udps, ug = source.choice(source.choice(list(GYRO_UDPS.values()))), source.choice(ACCEL_UG)
    corrections = calibration.correction(values, udps, ug)
    levels = (LEAST, LEAST + 1, -1, 0, 1, MOST - 1, MOST)
    calibration.correct(array("h", source.choices(levels, k=6 * 40)), 40, corrections)
