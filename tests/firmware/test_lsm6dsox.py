"""The LSM6DSOX driver on the register-level model; its sample path also under real MicroPython."""

import json
import shutil
import subprocess
import sys
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinetens.virtual.bus import BusError
from kinetens.virtual.inertial_sampler import Settling
from kinetens.virtual.lsm6dsox import Lsm6dsoxModel
from kinetens.virtual.lsm6dsox_set_up import Lsm6dsoxConfig
from kinetens.virtual.motion_source import StillMotion
from tests.firmware.cpython_viper import FIRMWARE, load_firmware_module

SAMPLE_S = 96 / 40_000
ZERO = (0.0, 0.0, 0.0)


class Numbered:
    """Motion that numbers its samples at 416 Hz: the gyroscope's x axis reads 0, 1, 2 … counts."""

    def __init__(self) -> None:
        self.start_s = 0.0

    def sample(self, times_s):
        rate, force = StillMotion().sample(times_s)
        rate[:, 0] = np.radians(0.07) * np.rint((times_s - self.start_s) / SAMPLE_S)
        return rate, force


class Bus:
    """The I2C bus as the driver sees it; transfers take their time at 400 kHz. `log` keeps what was read."""

    def __init__(self, model) -> None:
        self.model = model
        self.now_s = 0.0
        self.log = []

    def _spend(self, count: int) -> None:
        self.now_s += (count + 3) * 9 / 400_000

    def readfrom_mem_into(self, address, register, buffer) -> None:
        if address != 0x6A:
            raise OSError(19)
        try:
            data = self.model.read(register, len(buffer), self.now_s)
        except BusError as error:
            raise OSError(error.errno) from error
        buffer[:] = data
        self.log.append(data)
        self._spend(len(buffer))

    def writeto_mem(self, address, register, buffer) -> None:
        if address != 0x6A:
            raise OSError(19)
        try:
            self.model.write(register, bytes(buffer), self.now_s)
        except BusError as error:
            raise OSError(error.errno) from error
        self._spend(len(buffer))

    def sleep_ms(self, duration_ms: int) -> None:
        self.now_s += duration_ms / 1000


def ideal(**changes: Any) -> Lsm6dsoxConfig:
    settings: dict[str, Any] = {
        "gyro_bias_dps": ZERO,
        "accel_bias_mg": ZERO,
        "gyro_scale_error": ZERO,
        "accel_scale_error": ZERO,
        "clock_error": 0.0,
        "gyro_noise_mdps_per_rthz": 0.0,
        "accel_noise_gain": 0.0,
        "settling": Settling(gyro_offset_dps=0.0),
        **changes,
    }
    return Lsm6dsoxConfig(**settings)


class Rig:
    """A driver on a model, with a count of what was drained."""

    def __init__(self, config=None, motion=None) -> None:
        self.model = Lsm6dsoxModel(motion or Numbered(), np.random.default_rng(1), config or ideal())
        self.bus = Bus(self.model)
        self.module = load_firmware_module("motion.lsm6dsox", time=self.bus)
        self.driver = self.module.LSM6DSOX(self.bus)
        self.buffer = bytearray(12 * 256)

    def drain(self, after_s: float = 0.0, room: int = 256):
        """Samples (N, 6) that one call gives, `after_s` later."""
        self.bus.now_s += after_s
        buffer = bytearray(12 * room)
        count = self.driver.drain(buffer)
        return np.frombuffer(buffer, "<i2").reshape(-1, 6)[:count]


@pytest.fixture
def rig():
    rig = Rig()
    rig.driver.start()
    return rig


def test_start_reads_the_identity_and_sets_up_the_chip(rig):
    assert rig.model.read(0x10, 3, rig.bus.now_s) == bytes([0x64, 0x6C, 0x44])
    assert rig.model.read(0x07, 4, rig.bus.now_s) == bytes([42, 0, 0x66, 0x86])
    assert rig.model.read(0x0D, 1, rig.bus.now_s) == b"\x08"
    assert rig.driver.gyro_udps_per_count == 70_000
    assert rig.driver.accel_ug_per_count == 488
    assert rig.driver.sample_rate_mhz == 416_687


@pytest.mark.parametrize("fine", [-6, -1, 0, 3, 6])
def test_sample_rate_follows_internal_freq_fine(fine):
    rig = Rig(ideal(clock_error=fine * 0.0015))
    rig.driver.start()
    assert rig.driver.sample_rate_mhz == pytest.approx(1000 / rig.model.sample_period_s, rel=1e-4)


@pytest.mark.parametrize("rate_hz", [26, 52, 104, 208, 833, 1666])
def test_every_rate_gives_evenly_spaced_samples(rate_hz):
    rig = Rig()
    rig.driver.start(rate_hz=rate_hz, watermark=1)
    first = rig.drain(after_s=100 / rate_hz)
    assert len(first) == pytest.approx(100, abs=5)
    before = rig.driver.newest_ticks
    more = rig.drain(after_s=50 / rate_hz)
    assert (rig.driver.newest_ticks - before) == len(more) * rig.driver.period_ticks
    assert rig.driver.lost_samples == 0


@pytest.mark.parametrize(("range_g", "ug"), [(2, 61), (4, 122), (8, 244), (16, 488)])
def test_every_accelerometer_range(range_g, ug):
    rig = Rig()
    rig.driver.start(accel_range_g=range_g)
    assert rig.driver.accel_ug_per_count == ug
    assert int(rig.drain(after_s=0.05)[-1, 5]) * ug == pytest.approx(1e6, rel=1e-4)


@pytest.mark.parametrize("range_dps", [125, 250, 500, 1000, 2000])
def test_every_gyroscope_range(range_dps):
    rig = Rig()
    rig.driver.start(gyro_range_dps=range_dps)
    rig.bus.now_s += 0.05
    expected_dps = 0.07 * rig.bus.now_s / SAMPLE_S
    rate_dps = int(rig.drain()[-1, 0]) * rig.driver.gyro_udps_per_count * 1e-6
    assert rate_dps == pytest.approx(expected_dps, abs=0.15)


@pytest.mark.parametrize(
    "wrong", [{"rate_hz": 400}, {"gyro_range_dps": 300}, {"accel_range_g": 3}, {"watermark": 241}]
)
def test_a_setting_that_the_sensor_does_not_have_is_named(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Rig().driver.start(**wrong)


def test_every_sample_arrives_once_and_in_order(rig):
    taken = np.concatenate([rig.drain(after_s=step) for step in [0.001, 0.05, 0.013, 0.4, 0.0, 0.1] * 20])
    assert np.all(np.diff(taken[:, 0]) == 1)
    assert len(taken) > 4000
    assert rig.driver.lost_samples == 0
    assert rig.driver.overruns == 0
    assert taken[-1].tolist() == [taken[-1, 0], 0, 0, 0, 0, 2049]


def test_sensor_time_is_that_of_the_newest_sample(rig):
    for _ in range(30):
        rig.bus.now_s += 0.037
        now_ticks = int.from_bytes(rig.model.read(0x40, 4, rig.bus.now_s), "little")
        rig.drain()
        assert 0 <= now_ticks - rig.driver.newest_ticks < 96
    assert rig.driver.state[rig.module.NEWEST_TICKS] == rig.driver.newest_ticks


def test_a_backlog_is_drained_over_several_calls(rig):
    rig.bus.now_s += 0.55
    parts = [rig.drain(room=50) for _ in range(6)]
    taken = np.concatenate(parts)
    assert [len(part) for part in parts[:4]] == [pytest.approx(48, abs=3)] * 4
    assert np.all(np.diff(taken[:, 0]) == 1)
    assert len(taken) >= 229
    assert rig.driver.lost_samples == 0


def test_a_buffer_for_one_sample_is_enough(rig):
    taken = np.concatenate([rig.drain(after_s=0.002, room=1) for _ in range(300)])
    assert np.all(np.diff(taken[:, 0]) == 1)


@pytest.mark.parametrize("timestamp_first", [False, True])
@pytest.mark.parametrize("pause", range(40))
def test_after_an_overrun_the_gap_is_counted_and_lies_before_the_first_sample(pause, timestamp_first):
    rig = Rig(ideal(timestamp_first=timestamp_first))
    rig.driver.start()
    before = rig.drain(after_s=0.05 + pause * 0.0011)
    after = rig.drain(after_s=0.62 + pause * SAMPLE_S * 1.01)
    assert rig.driver.overruns == 1
    assert np.all(np.diff(after[:, 0]) == 1)
    assert rig.driver.lost_samples == after[0, 0] - before[-1, 0] - 1 > 0
    following = rig.drain(after_s=0.05)
    assert following[0, 0] == after[-1, 0] + 1


def test_each_overrun_is_counted(rig):
    first = rig.drain(after_s=0.1)
    taken = sum(len(rig.drain(after_s=1.3)) for _ in range(5))
    newest = rig.drain(after_s=0.05)
    assert rig.driver.overruns == 5
    total = newest[-1, 0] - first[-1, 0]
    assert taken + len(newest) + rig.driver.lost_samples == total


def test_a_long_pause_in_small_drains_loses_nothing_twice(rig):
    first = rig.drain(after_s=0.1)
    rig.bus.now_s += 2.0
    taken = [rig.drain(after_s=0.01, room=20) for _ in range(60)]
    samples = np.concatenate(taken)
    assert samples[-1, 0] - first[-1, 0] == len(samples) + rig.driver.lost_samples
    jumps = np.diff(samples[:, 0])
    assert np.all(jumps == 1)


@pytest.mark.parametrize("seed", range(12))
def test_any_history_of_pauses_buffers_and_failed_transfers_accounts_for_every_sample(seed):
    random = np.random.default_rng(seed)
    rig = Rig(ideal(timestamp_first=bool(seed & 1)))
    rig.driver.start()
    expected = int(rig.drain(after_s=0.1)[-1, 0]) + 1
    for _ in range(40):
        pause_s = random.uniform(0.0, 0.08) if random.random() < 0.8 else random.uniform(0.3, 2.2)
        rig.model.fail_next_transfers = int(random.random() < 0.1)
        lost_before = rig.driver.lost_samples
        taken = rig.drain(pause_s, room=int(random.integers(9, 250)))[:, 0].tolist()
        first = expected + rig.driver.lost_samples - lost_before
        assert taken == list(range(first, first + len(taken)))
        expected = first + len(taken)


def test_a_transfer_that_fails_once_is_repeated(rig):
    before = rig.drain(after_s=0.05)
    rig.model.fail_next_transfers = 1
    after = rig.drain(after_s=0.05)
    assert after[0, 0] == before[-1, 0] + 1
    assert rig.driver.bus_errors == 1
    assert rig.driver.lost_samples == 0


@pytest.mark.parametrize("pause", range(10))
def test_words_lost_in_a_failed_burst_are_counted(pause):
    rig = Rig()
    rig.driver.start()
    first = rig.drain(after_s=0.1)
    taken = []
    for step in range(20):
        rig.bus.now_s += 0.03 + 0.0007 * pause
        if step == 7:
            rig.model.failures_lose_words = True
            read = rig.model.read

            def fail_in_burst(register, count, time_s, read=read):
                if register == 0x78:
                    rig.model.read = read
                    rig.model.fail_next_transfers = 1
                return read(register, count, time_s)

            rig.model.read = fail_in_burst
        taken.append(rig.drain())
    samples = np.concatenate(taken)
    assert rig.driver.bus_errors == 1
    assert rig.driver.lost_samples > 0
    assert samples[-1, 0] - first[-1, 0] == len(samples) + rig.driver.lost_samples


def test_a_sensor_that_falls_silent_is_a_fault_and_start_recovers(rig):
    rig.drain(after_s=0.05)
    rig.model.absent = True
    with pytest.raises(rig.module.SensorFault, match=r"register 0x3a failed twice.*19"):
        rig.drain(after_s=0.05)
    assert rig.driver.bus_errors == 2
    with pytest.raises(rig.module.SensorMissing, match="nothing answers at I2C address 0x6a"):
        rig.driver.start()
    rig.model.absent = False
    rig.driver.start()
    taken = rig.drain(after_s=0.05)
    assert len(taken) == pytest.approx(20, abs=2)
    assert rig.driver.lost_samples == 0


def test_another_chip_is_named_by_what_it_reads():
    rig = Rig()
    rig.model.wrong_identity = True
    with pytest.raises(rig.module.SensorWrongIdentity, match="reads 0x6b, not 0x6c"):
        rig.driver.start()


def test_watermark_interrupt_comes_with_20_samples(rig):
    rig.drain(after_s=0.05)
    rise_s = rig.model.next_interrupt_s(rig.bus.now_s)
    rig.bus.now_s = rise_s
    assert len(rig.drain()) in (19, 20)
    assert not rig.model.interrupt_level(rig.bus.now_s)


def test_first_samples_are_settled():
    rig = Rig(ideal(settling=Settling()), motion=StillMotion())
    rig.driver.start()
    taken = rig.drain(after_s=0.1)
    assert np.all(np.abs(taken[:, :3]) <= 1)
    assert np.all(taken[:, 5] == 2049)


def test_temperature():
    rig = Rig(ideal(temperature_degc=-10.5))
    rig.driver.start()
    assert rig.driver.temperature_cdeg() == -1050


def test_self_test_passes_on_a_sound_chip():
    rig = Rig(Lsm6dsoxConfig(), motion=StillMotion())
    rig.driver.self_test()
    rig.driver.start()
    assert len(rig.drain(after_s=0.1)) > 30


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"self_test_accel_mg": (600.0, 20.0, 700.0)}, "accelerometer y moved by (19|20)... ug"),
        ({"self_test_accel_mg": (600.0, 550.0, 1800.0)}, "accelerometer z"),
        ({"self_test_gyro_dps": (0.0, 380.0, 420.0)}, "gyroscope x moved by 0 udps"),
        ({"self_test_gyro_dps": (400.0, 380.0, 800.0)}, "gyroscope z"),
    ],
)
def test_self_test_names_the_axis_that_fails(fault, message):
    rig = Rig(ideal(**fault), motion=StillMotion())
    with pytest.raises(rig.module.SelfTestFailed, match=message):
        rig.driver.self_test()


def test_unpack_across_the_wrap_of_sensor_time():
    fifo = load_firmware_module("motion.tagged_fifo")
    state = array("I", [0] * fifo.STATE_CELLS)
    state[fifo.PERIOD_TICKS] = 96
    raw, out = bytearray(12 + 7 * 64), bytearray(12 * 32)
    start = 2**32 - 96 * 10
    slot = 0
    lost_slots = 0
    for burst in range(4):
        words = bytearray()
        for _ in range(16):
            tag = (slot & 3) << 1
            ticks = (start + slot * 96) & 0xFFFFFFFF
            words += bytes([1 << 3 | tag]) + slot.to_bytes(6, "little")
            words += bytes([2 << 3 | tag]) + slot.to_bytes(6, "little")
            if slot % 8 == 0:
                words += bytes([4 << 3 | tag]) + ticks.to_bytes(4, "little") + b"\0\0"
            slot += 1
        raw[12 : 12 + len(words)] = words
        state[fifo.WRITTEN] = 0
        fifo.unpack(raw, len(words) // 7, out, state)
        assert state[fifo.WRITTEN] == 16
        assert state[fifo.NEWEST_TICKS] == (start + (slot - 1) * 96) & 0xFFFFFFFF
        assert state[fifo.LOST] == lost_slots
        if burst == 1:
            slot += 1000
            lost_slots += 1000


REPLAY = """
import gc, json, sys
firmware, record = sys.argv[1:]
sys.path.insert(0, firmware)
from motion import lsm6dsox

class NoTime:
    def sleep_ms(self, _):
        pass

class Bus:
    def __init__(self, data):
        self.data = data
        self.at = 0
    def readfrom_mem_into(self, address, register, buffer):
        data = self.data
        at = self.at
        for i in range(len(buffer)):
            buffer[i] = data[at + i]
        self.at = at + len(buffer)
    def writeto_mem(self, address, register, buffer):
        pass

lsm6dsox.time = NoTime()
with open(record, "rb") as file:
    drains, = file.read(1)
    bus = Bus(file.read())
driver = lsm6dsox.LSM6DSOX(bus)
driver.start()
buffers = [bytearray(12 * 256) for _ in range(drains)]
counts = [0] * drains
allocated = 0
gc.collect()
gc.disable()
for i in range(drains):
    before = gc.mem_alloc()
    counts[i] = driver.drain(buffers[i])
    allocated += gc.mem_alloc() - before
samples = b"".join(bytes(memoryview(b)[: 12 * n]) for b, n in zip(buffers, counts))
print(json.dumps({"samples": samples.hex(), "counts": counts, "lost": driver.lost_samples,
    "overruns": driver.overruns, "newest_ticks": driver.newest_ticks, "allocated": allocated}))
"""


def test_micropython_drains_the_same_bytes_to_the_same_samples_and_allocates_nothing(rig, tmp_path: Path):
    micropython = shutil.which("micropython", path=Path(sys.executable).parent) or shutil.which("micropython")
    if not micropython:
        pytest.skip("no micropython command beside this Python or on PATH")
    steps = [0.05, 0.02, 0.3, 1.5, 0.05, 0.001, 0.4]
    taken = [rig.drain(after_s=step) for step in steps]
    (tmp_path / "record").write_bytes(bytes([len(steps)]) + b"".join(rig.bus.log))
    (tmp_path / "replay.py").write_text(REPLAY)
    answer = subprocess.run(
        [micropython, tmp_path / "replay.py", FIRMWARE, tmp_path / "record"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert json.loads(answer.stdout) == {
        "samples": np.concatenate(taken).tobytes().hex(),
        "counts": [len(part) for part in taken],
        "lost": rig.driver.lost_samples,
        "overruns": 1,
        "newest_ticks": rig.driver.newest_ticks,
        "allocated": 0,
    }
