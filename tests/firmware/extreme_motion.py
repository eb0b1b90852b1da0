"""Motion that no limb makes, and the firmware's whole sample path driven by it: FIFO words to finished frames.

A `Motion` is a sensor (rate, scales, calibration) and stretches of waves and dropouts. `STANDING` has those one would
write down; `search` begins with them and changes what made some expression larger than ever before, again and again:
the extremes of each expression are the hills that it climbs.
"""

import random
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinetens_protocol import control
from tests.firmware.checked_viper import Words, viper_modules

LEAST, MOST = -32768, 32767
GYRO_UDPS = {
    "LSM6DSOX": (70_000, 35_000, 17_500, 8_750, 4_375),
    "ICM-42688, MPU6050": (61_035, 30_518, 15_259, 7_629, 3_815, 1_907),
}
ACCEL_UG = (488, 244, 122, 61)
OUTPUT_HZ = (25, 50, 100, 200)
SAMPLE_MHZ = (25_000, 26_042, 52_083, 100_000, 104_000, 208_000, 416_687, 500_000)
_TICKS_A_SAMPLE = 96
_FIFO_SAMPLES = 60


@dataclass(frozen=True, slots=True)
class Stretch:
    """Samples that go between two levels (6 counts each, gyroscope and accelerometer).

    shape: square and sine of `half_period` samples, impulse (one sample high every half_period), noise. Each axis
    comes `delay` samples after the one before it. lost: samples that the FIFO lost before the stretch.
    """

    samples: int
    low: tuple[int, ...]
    high: tuple[int, ...]
    half_period: int = 1
    shape: str = "square"
    delay: int = 0
    lost: int = 0

    def counts(self) -> NDArray[np.int16]:
        """(samples, 6)."""
        at = np.arange(self.samples)[:, None] + self.delay * np.arange(6)
        if self.shape == "sine":
            share = 0.5 - 0.5 * np.cos(np.pi * at / self.half_period)
        elif self.shape == "impulse":
            share = (at % self.half_period == 0).astype(float)
        elif self.shape == "noise":
            share = np.random.default_rng(self.half_period).random(at.shape)
        else:
            share = (at // self.half_period % 2).astype(float)
        low, high = np.array(self.low), np.array(self.high)
        return np.clip(np.rint(low + share * (high - low)), LEAST, MOST).astype("<i2")


@dataclass(frozen=True, slots=True)
class Motion:
    """What a sensor goes through. first_tick: where its clock begins, to have it wrap."""

    stretches: tuple[Stretch, ...]
    sample_mhz: int = 416_687
    gyro_udps: int = 70_000
    accel_ug: int = 488
    output_hz: int = 100
    calibration: tuple[int, ...] = tuple(control.NO_CALIBRATION)
    first_tick: int = 0


class SensorBus:
    """The I2C bus of an LSM6DSOX whose FIFO holds what it is given."""

    def __init__(self, first_tick: int) -> None:
        self._tick = first_tick
        self._slot = 0
        self._words = b""

    def give(self, counts: NDArray[np.int16], lost: int) -> None:
        self._skip(lost)
        words: list[bytes] = []
        for sample in counts:
            tag = (self._slot & 3) << 1
            if not self._slot & 7:
                words.append(
                    bytes([4 << 3 | tag]) + (self._tick & 0xFFFF_FFFF).to_bytes(4, "little") + bytes(2)
                )
            raw = sample.tobytes()
            words += [bytes([1 << 3 | tag]) + raw[:6], bytes([2 << 3 | tag]) + raw[6:]]
            self._skip(1)
        self._words += b"".join(words)

    def _skip(self, slots: int) -> None:
        self._slot += slots
        self._tick += slots * _TICKS_A_SAMPLE

    def readfrom_mem_into(self, address: int, register: int, into: Any) -> None:
        if register == 0x78:  # FIFO_DATA_OUT_TAG
            into[:] = self._words[: len(into)]
            self._words = self._words[len(into) :]
        elif register == 0x3A:  # FIFO_STATUS1
            into[:] = (len(self._words) // 7).to_bytes(2, "little")
        else:
            into[:] = bytes([0x6C if register == 0x0F else 0]) * len(into)  # WHO_AM_I

    def writeto_mem(self, address: int, register: int, data: Any) -> None:
        pass


class SteppedTime:
    """MicroPython's time, whose microseconds the test sets."""

    now_us = 0

    def ticks_us(self) -> int:
        return self.now_us & 0x3FFF_FFFF

    def ticks_ms(self) -> int:
        return self.now_us // 1000 & 0x3FFF_FFFF

    def ticks_diff(self, ticks: int, before: int) -> int:
        return ((ticks - before + 0x2000_0000) & 0x3FFF_FFFF) - 0x2000_0000

    def sleep_ms(self, ms: int) -> None:
        self.now_us += 1000 * ms


class SamplePath:
    """The firmware's sample path, all of its viper code watched by `words`."""

    def __init__(self, words: Words) -> None:
        self.words = words
        names = [
            "motion.stream",
            "motion.lsm6dsox",
            "system.clock",
            "motion.orientation",
            *viper_modules(words.folder),
        ]
        self.modules: dict[str, Any] = dict(zip(names, words.load(*names), strict=True))
        self.time = SteppedTime()
        for module in self.modules.values():
            if hasattr(module, "time"):
                module.time = self.time

    def follows(self, motion: Motion) -> bool:
        """Whether the filter takes this sensor; it refuses one that turns too far in a sample or has too fine counts."""
        try:
            self._filter(motion)
        except ValueError:
            return False
        return True

    def _filter(self, motion: Motion) -> Any:
        return self.modules["motion.orientation"].Orientation(
            motion.sample_mhz, motion.gyro_udps, motion.accel_ug, motion.output_hz * 1000
        )

    def run(self, motion: Motion) -> list[bytes]:
        """Frames that the motion makes, orientations and raw samples."""
        frames: list[bytes] = []
        bus = SensorBus(motion.first_tick)
        sensor = self.modules["motion.lsm6dsox"].LSM6DSOX(bus)
        sensor.start()
        sensor.sample_rate_mhz = motion.sample_mhz
        sensor.gyro_udps_per_count, sensor.accel_ug_per_count = motion.gyro_udps, motion.accel_ug
        clock = self.modules["system.clock"].Clock()
        stream = self.modules["motion.stream"].MotionStream(sensor, clock, motion.calibration)
        stream.start(motion.output_hz, True, 200, 247)

        def poll(samples: int) -> None:
            self.time.now_us += samples * 10**9 // motion.sample_mhz
            stream.poll()
            for numbered in (stream.orientation, stream.raw):
                numbered.outbox.send(lambda view: frames.append(bytes(view)) or True)

        for stretch in motion.stretches:
            counts = stretch.counts()
            for at in range(0, len(counts), _FIFO_SAMPLES):
                part = counts[at : at + _FIFO_SAMPLES]
                lost = 0 if at else stretch.lost
                bus.give(part, lost)
                poll(len(part) + lost)
        assert 0 <= sensor.newest_ticks < 1 << 30
        stream.stop()
        poll(0)
        return frames

    def outputs(self, counts: NDArray[np.int16], motion: Motion) -> NDArray[np.int32]:
        """The filter alone: outputs (N, 5) for counts (M, 6), given 16 at a time."""
        filter = self._filter(motion)
        room = 2 + 16 * motion.output_hz * 1000 // motion.sample_mhz
        out = array("i", [0] * 5 * room)
        rows: list[NDArray[np.int32]] = []
        for at in range(0, len(counts), 16):
            block = counts[at : at + 16]
            count = filter.run(bytearray(block.tobytes()), len(block), out, 0, room)
            rows.append(np.array(out, dtype="<i4").reshape(-1, 5)[:count])
        return np.vstack(rows)


REST = (0, 0, 0, 0, 0, 2049)
_ZERO = (0,) * 6
_ALL_LEAST, _ALL_MOST = (LEAST,) * 6, (MOST,) * 6
_OPPOSED = (LEAST, MOST, LEAST, MOST, LEAST, MOST)
_AGAINST = (MOST, LEAST, MOST, LEAST, MOST, LEAST)
_FALLING = (MOST, 0, 0, 1, -1, 0)
_JUST_BELOW = (MOST - 1,) * 6
_LEVELS = (
    (_ALL_LEAST, _ALL_LEAST),
    (_ALL_MOST, _ALL_MOST),
    (_ALL_LEAST, _ALL_MOST),
    (_OPPOSED, _AGAINST),
    (_ZERO, _ALL_LEAST),
    (REST, _JUST_BELOW),
    (_FALLING, _ZERO),
    ((LEAST, 0, 0, 0, 0, LEAST), (MOST, 0, 0, 0, 0, MOST)),
    ((140, -140, 140, 0, 0, LEAST), (140, -140, 140, 0, 0, LEAST)),
)


def _still(samples: int, counts: tuple[int, ...]) -> Stretch:
    return Stretch(samples, counts, counts)


def _standing() -> Iterator[Motion]:
    """Every pair of levels as a square wave of several periods, after rest and before it, over sensors in turn."""
    scales = ((70_000, 488), (61_035, 61), (4_375, 61), (3_815, 488), (17_500, 122))
    sensors = [Motion((), mhz, udps, ug) for mhz, (udps, ug) in product(SAMPLE_MHZ, scales)]
    waves = list(product(_LEVELS, (1, 3, 40)))
    for at, ((low, high), half_period) in enumerate(waves):
        sensor = sensors[at * 7 % len(sensors)]
        a_window = sensor.sample_mhz // 13_000
        half_period *= a_window if half_period > 1 else 1
        violent = Stretch(22 * a_window, low, high, half_period, delay=at % 3, lost=(0, 3, 20_000)[at % 3])
        rest = _still(26 * a_window, (at - 9, 5, 9 - at, *REST[3:]))
        calibration = (*_ZERO, *extreme_calibration(at))
        yield replace(
            sensor,
            stretches=(rest, violent, replace(rest, lost=at * 50), violent),
            output_hz=OUTPUT_HZ[at % 4],
            calibration=calibration if at % 2 else tuple(control.NO_CALIBRATION),
            first_tick=(0, (1 << 31) - 4000, (1 << 32) - 4000)[at % 3],
        )


def extreme_calibration(number: int) -> tuple[int, ...]:
    """Every correction at its bound, the signs by the bits of a number."""
    bounds = [control.MOST_GYRO_OFFSET_UDPS] * 3
    bounds += [control.MOST_ACCEL_OFFSET_UG] * 3 + [control.MOST_ACCEL_MATRIX_PPM] * 9
    signs = random.Random(number)
    return tuple(signs.choice((-1, 1)) * bound for bound in bounds)


def _resting_with_an_offset(offset_mdps: int) -> Motion:
    """Rest with more than the filter's bias can be: it becomes the middle that the bias is clipped around."""
    offset = offset_mdps * 1000 // 61_035
    rest = _still(200, (offset, -offset, offset, *REST[3:]))
    further = _still(300, (offset + 31, -offset - 31, offset + 31, *REST[3:]))
    return Motion((rest, further), 100_000, 61_035)


def _turning_unseen(quarters: int) -> Motion:
    """Gravity turns about x in 8 s while the gyroscope only trembles: more than the bias may be would explain it."""
    quarter = 50
    low, high = (-200, -200, 0, 0, -2049, -2049), (200, 200, 0, 0, 2049, 2049)
    return Motion((Stretch(1500, low, high, 2 * quarter, "sine", quarters * quarter),), 25_000)


STANDING = (
    *_standing(),
    *map(_resting_with_an_offset, (1_900, 5_000, 9_900, -9_900)),
    *map(_turning_unseen, (1, 3)),
)


@dataclass
class Search:
    """What a search has found: the motions that widened what some expression held, and the first to exceed each."""

    path: SamplePath
    useful: list[Motion] = field(default_factory=list)
    culprits: dict[str, Motion] = field(default_factory=dict)

    def run(self, motion: Motion) -> None:
        words = self.path.words
        known, excesses = words.news, len(words.excesses)
        self.path.run(motion)
        if words.news > known:
            self.useful.append(motion)
        for excess in list(words.excesses.values())[excesses:]:
            self.culprits[str(excess)] = motion

    def climb(self, rounds: Iterable[int], seed: int) -> None:
        """Change motions that were useful, the latest most often, and keep what is."""
        source = random.Random(seed)
        for _ in rounds:
            newest = self.useful[-40:] if source.random() < 0.6 else self.useful
            changed = _changed(source.choice(newest), source)
            if self.path.follows(changed):
                self.run(changed)


def _changed(motion: Motion, source: random.Random) -> Motion:
    changes = [_change_stretch] * 6 + [
        _change_sensor,
        _add_stretch,
        _drop_stretch,
        _calibrate,
        _change_output,
    ]
    for _ in range(source.randint(1, 3)):
        motion = source.choice(changes)(motion, source)
    return motion


def _change_stretch(motion: Motion, source: random.Random) -> Motion:
    at = source.randrange(len(motion.stretches))
    before = motion.stretches[at]
    what = source.randrange(6)
    if what == 0:
        after = replace(before, samples=_length(motion, source))
    elif what == 1:
        after = replace(before, half_period=max(1, int(source.lognormvariate(2, 1.5))))
    elif what == 2:
        after = replace(before, shape=source.choice(("square", "square", "sine", "impulse", "noise")))
    elif what == 3:
        after = replace(before, delay=source.choice((0, 0, 1, 2, 5, before.half_period)))
    elif what == 4:
        after = replace(before, lost=source.choice((0, 0, 1, 30, 3_000, 200_000)))
    else:
        levels = [list(before.low), list(before.high)]
        level, axis = source.choice(levels), source.randrange(6)
        level[axis] = source.choice(
            (
                *(LEAST, LEAST + 1, MOST, MOST - 1, 0, -level[axis] - 1, source.randint(LEAST, MOST)),
                *[max(LEAST, min(MOST, level[axis] + source.randint(-300, 300)))] * 3,
            )
        )
        after = replace(before, low=tuple(levels[0]), high=tuple(levels[1]))
    stretches = (*motion.stretches[:at], after, *motion.stretches[at + 1 :])
    return replace(motion, stretches=stretches)


def _length(motion: Motion, source: random.Random) -> int:
    """Samples of 1 to 80 windows, as the filter has them."""
    return max(1, int(min(80, source.lognormvariate(2.5, 1)) * motion.sample_mhz / 13_000))


def _change_sensor(motion: Motion, source: random.Random) -> Motion:
    near = min(max(motion.sample_mhz + source.randint(-200, 200), 25_000), 500_000)
    mhz = source.choice((*SAMPLE_MHZ, source.randint(25_000, 500_000), *[near] * 8))
    udps = source.choice(source.choice(list(GYRO_UDPS.values())))
    return replace(motion, sample_mhz=mhz, gyro_udps=udps, accel_ug=source.choice(ACCEL_UG))


def _change_output(motion: Motion, source: random.Random) -> Motion:
    return replace(motion, output_hz=source.choice(OUTPUT_HZ))


def _add_stretch(motion: Motion, source: random.Random) -> Motion:
    if len(motion.stretches) > 5:
        return motion
    low, high = source.choice((*_LEVELS, (REST, REST), (REST, REST)))
    stretch = Stretch(_length(motion, source), low, high, source.choice((1, 2, 7, 30)))
    at = source.randint(0, len(motion.stretches))
    return replace(motion, stretches=(*motion.stretches[:at], stretch, *motion.stretches[at:]))


def _drop_stretch(motion: Motion, source: random.Random) -> Motion:
    if len(motion.stretches) == 1:
        return motion
    at = source.randrange(len(motion.stretches))
    return replace(motion, stretches=motion.stretches[:at] + motion.stretches[at + 1 :])


def _calibrate(motion: Motion, source: random.Random) -> Motion:
    if source.random() < 0.3:
        return replace(motion, calibration=tuple(control.NO_CALIBRATION))
    return replace(motion, calibration=(*_ZERO, *extreme_calibration(source.randrange(1 << 15))))
