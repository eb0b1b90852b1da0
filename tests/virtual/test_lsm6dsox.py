"""The model against the datasheet (DS12814) and ST's header: what a driver may rely on."""

import numpy as np
import pytest

from kinetens.virtual.bus import BusError
from kinetens.virtual.lsm6dsox import Lsm6dsoxModel
from kinetens.virtual.lsm6dsox_set_up import Lsm6dsoxConfig
from kinetens.virtual.motion_source import StillMotion

IDEAL = Lsm6dsoxConfig(
    gyro_bias_dps=(0.0, 0.0, 0.0),
    accel_bias_mg=(0.0, 0.0, 0.0),
    gyro_scale_error=(0.0, 0.0, 0.0),
    accel_scale_error=(0.0, 0.0, 0.0),
    clock_error=0.0,
    gyro_noise_mdps_per_rthz=0.0,
    accel_noise_gain=0.0,
)
SAMPLE_S = 96 / 40_000
"""Nominal period at 416 Hz."""


class Spin:
    """A steady rate about x."""

    def __init__(self, rate_dps: float) -> None:
        self.rate_rad_s = np.radians(rate_dps)

    def sample(self, times_s):
        rate, force = StillMotion().sample(times_s)
        rate[:, 0] = self.rate_rad_s
        return rate, force


def chip(config=IDEAL, motion=None, seed=1):
    return Lsm6dsoxModel(motion or StillMotion(), np.random.default_rng(seed), config)


def batching(config=IDEAL, motion=None, seed=1, fifo_ctrl4=0x06, timestamp=False, watermark=0):
    """Both sensors at 416 Hz, 2000 dps and 16 g, into the FIFO from time 0."""
    model = chip(config, motion, seed)
    model.write(0x10, bytes([0x64, 0x6C]), 0.0)
    model.write(0x19, bytes([0x20 if timestamp else 0x00]), 0.0)
    model.write(0x07, bytes([watermark, 0x00, 0x66, fifo_ctrl4]), 0.0)
    model.write(0x0D, b"\x08", 0.0)
    return model


def level(model, time_s):
    low, high = model.read(0x3A, 2, time_s)
    return low | (high & 3) << 8


def words(model, count, time_s):
    return np.frombuffer(model.read(0x78, 7 * count, time_s), np.uint8).reshape(-1, 7)


def axes(model, register, time_s):
    return np.frombuffer(model.read(register, 6, time_s), "<i2")


@pytest.mark.parametrize(
    ("up", "force"), [("x", (9.80665, 0, 0)), ("-y", (0, -9.80665, 0)), ("z", (0, 0, 9.80665))]
)
def test_still_motion_feels_one_g_upwards(up, force):
    rate, specific_force = StillMotion(up).sample(np.arange(3.0))
    assert not rate.any()
    assert specific_force.tolist() == [list(force)] * 3


def test_identity_and_reset_values():
    model = chip()
    assert model.read(0x0F, 1, 0.0) == b"\x6c"
    assert model.read(0x12, 1, 0.0) == b"\x04"
    assert model.read(0x18, 1, 0.0) == b"\xe0"


def test_reset_returns_every_register_and_empties_the_fifo():
    model = batching()
    assert level(model, 1.0) > 0
    model.write(0x12, b"\x01", 1.0)
    assert model.read(0x10, 2, 1.0) == b"\x00\x00"
    assert model.read(0x12, 1, 1.0) == b"\x04"
    assert level(model, 2.0) == 0


def test_read_only_registers_keep_their_value():
    model = chip()
    model.write(0x0F, b"\x55", 0.0)
    assert model.read(0x0F, 1, 0.0) == b"\x6c"


@pytest.mark.parametrize(("field", "ug_per_count"), [(0x00, 61), (0x08, 122), (0x0C, 244), (0x04, 488)])
def test_one_g_in_each_accelerometer_range(field, ug_per_count):
    model = chip()
    model.write(0x10, bytes([0x60 | field]), 0.0)
    assert axes(model, 0x28, 1.0).tolist() == [0, 0, round(1e6 / ug_per_count)]


@pytest.mark.parametrize(
    ("field", "udps_per_count"),
    [(0x02, 4_375), (0x00, 8_750), (0x04, 17_500), (0x08, 35_000), (0x0C, 70_000)],
)
def test_100_dps_in_each_gyroscope_range(field, udps_per_count):
    model = chip(motion=Spin(100.0))
    model.write(0x11, bytes([0x60 | field]), 0.0)
    assert axes(model, 0x22, 1.0).tolist() == [round(100e6 / udps_per_count), 0, 0]


def test_what_exceeds_16_bits_is_cut():
    model = chip(motion=Spin(-3000.0))
    model.write(0x11, b"\x6c", 0.0)
    assert axes(model, 0x22, 1.0).tolist() == [-32768, 0, 0]


@pytest.mark.parametrize(("code", "rate_hz"), [(1, 12.5), (2, 26), (4, 104), (6, 416), (8, 1666)])
def test_data_rate(code, rate_hz):
    model = chip()
    model.write(0x10, bytes([code << 4, code << 4]), 0.0)
    model.write(0x09, bytes([code << 4 | code, 0x06]), 0.0)
    taken = sum(level(model, t) and len(words(model, level(model, t), t)) for t in np.arange(0.1, 10.05, 0.1))
    assert taken == pytest.approx(2 * 10 * rate_hz, rel=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_true_rate_is_what_internal_freq_fine_says(seed):
    model = batching(Lsm6dsoxConfig(), seed=seed)
    fine = np.frombuffer(model.read(0x63, 1, 0.0), np.int8)[0]
    said_hz = (6667 + 0.0015 * fine * 6667) / 16
    assert 1 / model.sample_period_s == pytest.approx(said_hz, rel=0.0008)
    assert abs(model.clock_error) <= 0.01


def test_a_slot_is_gyroscope_then_accelerometer_with_one_count_and_even_parity():
    read = words(batching(), 12, 10.5 * SAMPLE_S)
    assert (read[:, 0] >> 3).tolist() == [1, 2] * 6
    assert (read[:, 0] >> 1 & 3).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 0, 0, 1, 1]
    assert all(int(tag).bit_count() % 2 == 0 for tag in read[:, 0])


def test_batch_rate_below_data_rate():
    model = chip()
    model.write(0x10, b"\x64\x6c", 0.0)
    model.write(0x09, b"\x46\x06", 0.0)  # gyroscope 104 Hz, accelerometer 416 Hz
    tags = words(model, 10, 9.5 * SAMPLE_S)[:, 0] >> 3
    assert tags.tolist() == [1, 2, 2, 2, 2, 1, 2, 2, 2, 2]


@pytest.mark.parametrize(("code", "decimation"), [(1, 1), (2, 8), (3, 32)])
def test_timestamps_in_the_fifo_step_with_the_samples(code, decimation):
    model = batching(Lsm6dsoxConfig(), fifo_ctrl4=code << 6 | 6, timestamp=True)
    read = words(model, level(model, 0.4), 0.4)
    stamps = read[read[:, 0] >> 3 == 4]
    ticks = stamps[:, 1:5].copy().view("<u4").ravel().astype(int)
    assert len(ticks) > 1
    assert set(np.diff(ticks)) == {96 * decimation}
    at = int(np.argmax(read[:, 0] >> 3 == 4))
    assert read[at, 0] >> 1 & 3 == read[at - 1, 0] >> 1 & 3


def test_timestamp_counts_25_us_and_aa_restarts_it():
    model = chip()
    model.write(0x19, b"\x20", 0.0)
    assert int.from_bytes(model.read(0x40, 4, 1.0), "little") == 40_000
    model.write(0x42, b"\xaa", 1.0)
    assert int.from_bytes(model.read(0x40, 4, 1.5), "little") == 20_000


def test_timestamp_runs_with_the_clock_error_and_wraps_at_32_bits():
    model = chip(Lsm6dsoxConfig(clock_error=0.01))
    model.write(0x19, b"\x20", 0.0)
    assert int.from_bytes(model.read(0x40, 4, 10.0), "little") == 404_000
    wrap_s = 2**32 / 40_400
    assert int.from_bytes(model.read(0x40, 4, wrap_s + 1.0), "little") == pytest.approx(40_400, abs=1)


def test_temperature_word_when_batched():
    model = batching(fifo_ctrl4=0x36)  # thermometer at 52 Hz: every 8th sample
    read = words(model, 18, 8.5 * SAMPLE_S)
    warm = read[read[:, 0] >> 3 == 3]
    assert len(warm) == 1
    assert warm[0, 1:3].view("<i2")[0] == 5 * 256


def test_thermometer_is_zero_at_25_degrees():
    assert chip().read(0x20, 2, 0.0) == (5 * 256).to_bytes(2, "little")


def test_continuous_mode_keeps_the_newest_512_words():
    model = batching()
    low, high = model.read(0x3A, 2, 2.0)
    assert low | (high & 3) << 8 == 512
    assert high & 0x48 == 0x48  # FIFO_OVR_IA, FIFO_OVR_LATCHED
    assert model.read(0x3B, 1, 2.0)[0] & 0x48 == 0x40  # the latch was read
    oldest = words(model, 1, 2.0)[0, 0] >> 1 & 3
    assert oldest == (int(2.0 / SAMPLE_S) - 256) % 4
    assert model.read(0x3B, 1, 2.0)[0] & 0x40 == 0


def test_fifo_mode_stops_when_full():
    model = batching(fifo_ctrl4=0x01)
    assert level(model, 2.0) == 512
    assert words(model, 1, 2.0)[0, 0] >> 1 & 3 == 0


def test_full_flag_one_slot_ahead():
    model = batching()
    assert not model.read(0x3B, 1, 255.5 * SAMPLE_S)[0] & 0x20
    assert model.read(0x3B, 1, 256.5 * SAMPLE_S)[0] & 0x20


def test_bypass_empties_the_fifo_and_a_new_start_counts_from_zero():
    model = batching()
    assert level(model, 0.1) > 0
    model.write(0x0A, b"\x00", 0.1)
    assert level(model, 0.2) == 0
    model.write(0x0A, b"\x06", 0.2)
    assert words(model, 1, 0.3)[0, 0] >> 1 & 3 == 0


def test_an_empty_fifo_reads_tag_zero():
    assert words(chip(), 2, 0.0).any() == np.False_


def test_tag_and_data_may_be_read_apart():
    together, apart = batching(), batching()
    expected = together.read(0x78, 14, 0.1)
    got = b"".join(apart.read(0x78, 1, 0.1) + apart.read(0x79, 6, 0.1) for _ in range(2))
    assert got == expected


def test_address_stands_still_without_if_inc():
    model = chip()
    model.write(0x12, b"\x00", 0.0)
    assert model.read(0x0F, 3, 0.0) == b"\x6c\x6c\x6c"


def test_watermark_flag_and_interrupt():
    model = batching(watermark=40)
    rise_s = model.next_interrupt_s(0.0) or 0.0
    assert rise_s == pytest.approx(20 * SAMPLE_S)
    assert not model.interrupt_level(rise_s - 1e-6)
    assert model.interrupt_level(rise_s)
    assert model.read(0x3B, 1, rise_s)[0] & 0x80
    assert model.next_interrupt_s(rise_s) is None
    words(model, 40, rise_s)
    assert not model.interrupt_level(rise_s)
    assert model.next_interrupt_s(rise_s) == pytest.approx(40 * SAMPLE_S)


def test_interrupt_far_ahead_and_never():
    model = batching(watermark=250)
    assert model.next_interrupt_s(0.0) == pytest.approx(125 * SAMPLE_S)
    model.write(0x10, b"\x14\x1c", 0.0)  # 12.5 Hz
    assert model.next_interrupt_s(0.0) == pytest.approx(125 * SAMPLE_S * 32)
    model.write(0x0D, b"\x00", 0.0)
    assert model.next_interrupt_s(0.0) is None
    assert chip().next_interrupt_s(0.0) is None


def test_data_ready_until_read():
    model = chip()
    model.write(0x10, b"\x64\x6c", 0.0)
    assert model.read(0x1E, 1, 0.001) == b"\x00"
    assert model.read(0x1E, 1, 0.003) == b"\x07"
    axes(model, 0x28, 0.003)
    assert model.read(0x1E, 1, 0.003) == b"\x06"
    axes(model, 0x22, 0.003)
    assert model.read(0x1E, 1, 0.003) == b"\x04"


@pytest.mark.parametrize(("bits", "sign"), [(0x05, 1), (0x0E, -1)])
def test_self_test_deflects_within_the_limits(bits, sign):
    model = chip()
    model.write(0x10, b"\x64\x6c", 0.0)
    rest = np.concatenate([axes(model, 0x22, 1.0), axes(model, 0x28, 1.0)]).astype(float)
    model.write(0x14, bytes([bits]), 1.0)
    change = sign * (np.concatenate([axes(model, 0x22, 1.1), axes(model, 0x28, 1.1)]) - rest)
    assert np.all((change[:3] * 0.07 > 150) & (change[:3] * 0.07 < 700))
    assert np.all((change[3:] * 0.488 > 50) & (change[3:] * 0.488 < 1700))


def test_noise_has_the_datasheet_density():
    model = batching(Lsm6dsoxConfig(clock_error=0.0))
    words(model, 512, 0.5)
    taken = np.concatenate([words(model, level(model, t), t) for t in np.arange(0.6, 20.0, 0.2)])
    counts = taken[:, 1:].copy().view("<i2").astype(float)
    gyro = counts[taken[:, 0] >> 3 == 1].std(axis=0) * 0.07
    accel = counts[taken[:, 0] >> 3 == 2].std(axis=0) * 488e-6
    bandwidth_hz = 40_000 / 96 / 2
    # Rounding to a count adds a twelfth of its square.
    expected_gyro = np.sqrt((0.0038**2) * bandwidth_hz + 0.07**2 / 12)
    expected_accel = np.sqrt((110e-6**2) * bandwidth_hz + 488e-6**2 / 12)
    assert gyro == pytest.approx([expected_gyro] * 3, rel=0.05)
    assert accel == pytest.approx([expected_accel] * 3, rel=0.05)


def test_specimens_differ_within_the_typical_values():
    errors = [chip(Lsm6dsoxConfig(), seed=seed).errors for seed in range(20)]
    assert len({error.gyro_bias_dps for error in errors}) == 20
    assert all(abs(bias) <= 1.0 for error in errors for bias in error.gyro_bias_dps)
    assert all(abs(bias) <= 20.0 for error in errors for bias in error.accel_bias_mg)
    assert all(abs(gain) <= 0.01 for error in errors for gain in error.gyro_scale_error)


def test_gyroscope_needs_100_ms_to_settle():
    model = batching()
    assert abs(axes(model, 0x22, 1.5 * SAMPLE_S)[0]) > 100
    assert axes(model, 0x22, 0.1).tolist() == [0, 0, 0]


def test_drdy_mask_marks_what_has_not_settled():
    model = chip()
    model.write(0x13, b"\x08", 0.0)
    model.write(0x10, b"\x64\x6c", 0.0)
    assert axes(model, 0x22, 0.05).tolist() == [0x7FFF] * 3
    assert axes(model, 0x22, 0.1).tolist() == [0, 0, 0]


def test_samples_do_not_depend_on_when_they_are_read():
    often, rarely = (batching(Lsm6dsoxConfig(), seed=7) for _ in range(2))
    steps = np.arange(0.01, 0.5, 0.01)
    many = b"".join(often.read(0x78, 7 * level(often, t), t) for t in steps)
    once = rarely.read(0x78, 7 * level(rarely, steps[-1]), steps[-1])
    assert many == once


def test_another_seed_gives_other_noise():
    one, other = (batching(Lsm6dsoxConfig(), seed=seed) for seed in (1, 2))
    assert one.read(0x78, 70, 0.2) != other.read(0x78, 70, 0.2)


def test_failing_transfers():
    model = chip()
    model.fail_next_transfers = 2
    with pytest.raises(BusError):
        model.read(0x0F, 1, 0.0)
    with pytest.raises(BusError):
        model.write(0x10, b"\x60", 0.0)
    assert model.read(0x0F, 2, 0.0) == b"\x6c\x00"
    model.absent = True
    with pytest.raises(BusError):
        model.read(0x0F, 1, 0.0)


def test_a_failed_read_of_the_fifo_may_lose_words():
    model = batching()
    model.fail_next_transfers = 1
    model.failures_lose_words = True
    before = 20
    with pytest.raises(BusError):
        model.read(0x78, 7 * before, 10.5 * SAMPLE_S)
    assert level(model, 10.5 * SAMPLE_S) == before - 10


def test_frozen_data_and_wrong_identity():
    model = batching(Lsm6dsoxConfig(), seed=3)
    level(model, 0.2)
    model.frozen_data = True
    model.write(0x0A, b"\x00", 0.2)
    model.write(0x0A, b"\x06", 0.2)
    read = words(model, level(model, 0.4), 0.4)
    assert len(read) > 100
    assert len(np.unique(read[read[:, 0] >> 3 == 1, 1:], axis=0)) == 1
    model.wrong_identity = True
    assert model.read(0x0F, 1, 0.4) == b"\x6b"
