"""What the LSM6DSOX's control registers ask for: rates, ranges, self-test, what goes into the FIFO.

Fields as in the datasheet (DS12814, chapter 9) and ST's `lsm6dsox_reg.h`; noise densities from the datasheet.
"""

from dataclasses import dataclass, field, replace
from math import radians, sqrt

from kinetens.virtual.inertial_sampler import Channel, Settling, Triple
from kinetens.virtual.lsm6dsox_stream import (
    BASE_RATE_HZ,
    TAG_ACCEL,
    TAG_GYRO,
    TAG_TEMPERATURE,
    TAG_TIMESTAMP,
    SetUp,
)
from kinetens.virtual.motion_source import STANDARD_GRAVITY_M_S2

FIFO_CTRL3, FIFO_CTRL4 = 0x09, 0x0A
CTRL1_XL, CTRL2_G, CTRL4_C, CTRL5_C, CTRL10_C = 0x10, 0x11, 0x13, 0x14, 0x19
SHAPES_SAMPLES = frozenset({FIFO_CTRL3, FIFO_CTRL4, CTRL1_XL, CTRL2_G, CTRL4_C, CTRL5_C, CTRL10_C})
"""The registers that `read_set_up` looks at."""

BYPASS, FIFO, CONTINUOUS = 0, 1, 6
"""Of FIFO_MODE, bits 2 to 0 of FIFO_CTRL4."""

_DIVIDERS = {code: 1 << (10 - code) for code in range(1, 11)}
"""Code of an ODR or BDR field: divider of the base rate, "ODR_coeff" in AN5272. 0 is off."""
_TEMPERATURE_DIVIDERS = {1: 4096, 2: 512, 3: 128}
_TIMESTAMP_DECIMATION = {1: 1, 2: 8, 3: 32}
_GYRO_UDPS_PER_COUNT = (8_750, 4_375, 17_500, 4_375, 35_000, 4_375, 70_000, 4_375)
"""By bits 3 to 1 of CTRL2_G, FS_G and FS_125; FS_125 wins."""
_ACCEL_UG_PER_COUNT = (61, 488, 122, 244)
_ACCEL_NOISE_UG_PER_RTHZ = (70.0, 110.0, 75.0, 80.0)
_GYRO_TEST_SIGN = (0, 1, 0, -1)
_ACCEL_TEST_SIGN = (0, 1, -1, 0)


@dataclass(frozen=True)
class Lsm6dsoxConfig:
    """One specimen. None: drawn from the seeded generator within the datasheet's typical values."""

    gyro_bias_dps: Triple | None = None
    accel_bias_mg: Triple | None = None
    gyro_scale_error: Triple | None = None
    accel_scale_error: Triple | None = None
    clock_error: float | None = None
    """Relative error of the clock that makes data rate and timestamp; drawn within ±1 %."""
    gyro_noise_mdps_per_rthz: float = 3.8
    accel_noise_gain: float = 1.0
    """Times the datasheet's 70 to 110 µg/√Hz, which depend on the range."""
    temperature_degc: float = 30.0
    self_test_gyro_dps: Triple = (400.0, 380.0, 420.0)
    self_test_accel_mg: Triple = (600.0, 550.0, 700.0)
    timestamp_first: bool = False
    """Whether a slot's timestamp stands before its data in the FIFO; found documented nowhere."""
    settling: Settling = field(default_factory=Settling)


def read_set_up(registers: bytearray, config: Lsm6dsoxConfig, before: SetUp, now_s: float) -> SetUp:
    """What `registers` ask for; a sensor that is off in `before` powers up at `now_s`."""
    gyro = _gyro_channel(registers, config, before.gyro, now_s)
    accel = _accel_channel(registers, config, before.accel, now_s)
    on = [_DIVIDERS.get(registers[control] >> 4) for control in (CTRL1_XL, CTRL2_G)]
    divider = min((divider for divider in on if divider), default=0)
    set_up = SetUp(gyro, accel, divider, mask_unsettled=bool(registers[CTRL4_C] & 0x08))
    if divider and registers[FIFO_CTRL4] & 7 in (FIFO, CONTINUOUS):
        return replace(set_up, batches=_batches(registers, set_up))
    return set_up


def _batches(registers: bytearray, set_up: SetUp) -> dict[int, int]:
    """See SetUp.batches. A batch rate above the data rate counts as the data rate."""
    rates, timing = registers[FIFO_CTRL3], registers[FIFO_CTRL4]
    dividers = {
        TAG_GYRO: _DIVIDERS.get(rates >> 4) if set_up.gyro else None,
        TAG_ACCEL: _DIVIDERS.get(rates & 15) if set_up.accel else None,
        TAG_TEMPERATURE: _TEMPERATURE_DIVIDERS.get(timing >> 4 & 3),
    }
    batches = {tag: max(1, its // set_up.divider) for tag, its in dividers.items() if its}
    decimation = _TIMESTAMP_DECIMATION.get(timing >> 6)
    if decimation and batches and registers[CTRL10_C] & 0x20:
        batches[TAG_TIMESTAMP] = decimation * min(batches.values())
    return batches


def _gyro_channel(
    registers: bytearray, config: Lsm6dsoxConfig, before: Channel | None, now_s: float
) -> Channel | None:
    value = registers[CTRL2_G]
    divider = _DIVIDERS.get(value >> 4)
    if divider is None:
        return None
    sign = _GYRO_TEST_SIGN[registers[CTRL5_C] >> 2 & 3]
    x, y, z = (radians(sign * dps) for dps in config.self_test_gyro_dps)
    noise_dps = config.gyro_noise_mdps_per_rthz * 1e-3 * sqrt(BASE_RATE_HZ / divider / 2)
    return Channel(
        si_per_count=radians(_GYRO_UDPS_PER_COUNT[value >> 1 & 7] * 1e-6),
        noise_si=radians(noise_dps),
        added=(x, y, z),
        on_since_s=before.on_since_s if before else now_s,
    )


def _accel_channel(
    registers: bytearray, config: Lsm6dsoxConfig, before: Channel | None, now_s: float
) -> Channel | None:
    value = registers[CTRL1_XL]
    divider = _DIVIDERS.get(value >> 4)
    if divider is None:
        return None
    sign = _ACCEL_TEST_SIGN[registers[CTRL5_C] & 3]
    x, y, z = (sign * mg * 1e-3 * STANDARD_GRAVITY_M_S2 for mg in config.self_test_accel_mg)
    full_scale = value >> 2 & 3
    density_ug = _ACCEL_NOISE_UG_PER_RTHZ[full_scale] * config.accel_noise_gain
    return Channel(
        si_per_count=_ACCEL_UG_PER_COUNT[full_scale] * 1e-6 * STANDARD_GRAVITY_M_S2,
        noise_si=density_ug * 1e-6 * STANDARD_GRAVITY_M_S2 * sqrt(BASE_RATE_HZ / divider / 2),
        added=(x, y, z),
        on_since_s=before.on_since_s if before else now_s,
    )
