"""The device corrects its sensor's samples, to the same bits on every machine, and keeps its calibration."""

from binascii import crc32
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kinetens_protocol import control
from rigs import builder, scripts
from tests.firmware.cpython_viper import load_firmware_module

CHECKOUT = Path(__file__).resolve().parents[2]
SCRIPT = CHECKOUT / "tests" / "firmware" / "calibration_script.py"
GYRO_UDPS, ACCEL_UG = 70_000, 488
USUAL = control.Calibration(
    *(2026, 11, 23, 3, 3000, 500),
    *(845_000, -338_000, 437_000),
    *(4_640, -14_900, 5_660),
    *(3000, 900, -1600, 900, -1500, 260, -1600, 260, 3200),
)

ALLOCATES = """
import gc
from array import array
from kinetens_protocol import control
from motion.calibration import correct, correction

c = correction(control.Calibration(*range(1, 22)), 70000, 488)
samples = array("h", [-32768, 32767, -1, 2048, 1, 2] * 64)


def run():
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for _ in range(200):
        correct(samples, 64, c)
    return gc.mem_alloc() - before


run()
print(run())
"""


@pytest.fixture
def kernels():
    return load_firmware_module("motion.calibration")


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """motion.calibration_file on an empty flash."""
    monkeypatch.chdir(tmp_path)
    return load_firmware_module("motion.calibration_file")


def corrected(kernels, samples: np.ndarray, calibration: control.Calibration) -> np.ndarray:
    found = samples.astype("<i2")
    kernels.correct(found, len(found), kernels.correction(calibration, GYRO_UDPS, ACCEL_UG))
    return found


def ideal(samples: np.ndarray, calibration: control.Calibration) -> np.ndarray:
    """What the specification says, in real numbers and counts."""
    weights = np.repeat([GYRO_UDPS, ACCEL_UG], 3)
    less = samples - np.array(calibration[6:12]) / weights
    less[:, 3:] = less[:, 3:] @ (np.eye(3) + np.array(calibration[12:21]).reshape(3, 3) / 1e6).T
    return less


def test_corrected_samples_are_within_a_count_and_their_mean_within_a_hundredth(kernels):
    random = np.random.default_rng(1)
    samples = np.rint(random.normal([12, -5, 6, 20, -30, 2048], 2.0, (4000, 6)))
    found, wanted = corrected(kernels, samples, USUAL), ideal(samples, USUAL)
    assert np.abs(found - wanted).max() <= 1.0
    assert np.abs(np.mean(found - wanted, axis=0)).max() < 0.01


def test_a_fraction_of_a_count_shows_in_the_mean_of_samples_that_never_change(kernels):
    """An offset of 0.36 counts, of which each single sample can only show nothing or one count."""
    calibration = control.NO_CALIBRATION._replace(gyro_offset_x_udps=25_000)
    found = corrected(kernels, np.zeros((2800, 6)), calibration)
    assert set(found[:, 0]) == {0, -1}
    assert np.mean(found[:, 0]) == pytest.approx(-25_000 / GYRO_UDPS, abs=0.001)


def test_a_device_without_calibration_changes_nothing(kernels):
    assert kernels.correction(control.NO_CALIBRATION, GYRO_UDPS, ACCEL_UG) is None


def test_a_saturated_count_stays_saturated(kernels):
    """The filter tells saturation by the count."""
    samples = np.array([[32767, -32768, 0, 32767, -32768, 100]])
    found = corrected(kernels, samples, USUAL)
    assert list(found[0, [0, 1, 3, 4]]) == [32767, -32768, 32767, -32768]


def test_an_acceleration_of_zero_stays_no_reading(kernels):
    found = corrected(kernels, np.array([[5, 5, 5, 0, 0, 0], [0, 0, 0, 0, 0, 1]]), USUAL)
    assert list(found[0, 3:]) == [0, 0, 0]
    assert list(found[1, 3:]) != [0, 0, 0]


def test_what_leaves_16_bits_saturates(kernels):
    calibration = control.NO_CALIBRATION._replace(
        gyro_offset_x_udps=-700_000, gyro_offset_y_udps=700_000, accel_zz_ppm=50_000
    )
    found = corrected(kernels, np.array([[32760, -32760, 0, 0, 0, 32000]]), calibration)
    assert list(found[0, [0, 1, 5]]) == [32767, -32768, 32767]


def reference(samples: list[int], calibration: control.Calibration, scales: tuple[int, int]) -> list[int]:
    """The kernel once more, in numbers without bounds, which must not leave 32 bits."""
    one = 1 << 18
    weights = [scales[axis // 3] for axis in range(6)]
    offsets = [(o * one + w // 2) // w for o, w in zip(calibration[6:12], weights, strict=True)]
    matrix = [(entry * one + 500_000) // 1_000_000 for entry in calibration[12:21]]
    left = [one >> 1] * 6
    out: list[int] = []
    for at in range(0, len(samples), 6):
        row = samples[at : at + 6]
        less = [value - (offset >> 18) for value, offset in zip(row, offsets, strict=True)]
        for axis in range(6):
            if row[axis] in (32767, -32768) or (axis > 2 and not any(row[3:])):
                out.append(row[axis])
                continue
            part = left[axis] - offsets[axis] % one
            if axis > 2:
                part += sum(matrix[3 * axis - 9 + k] * less[3 + k] for k in range(3))
            # However the kernel orders its sum, no part of it leaves 32 bits.
            sizes = [
                abs(matrix[3 * axis - 9 + k]) * (abs(row[3 + k]) + abs(offsets[3 + k] >> 18))
                for k in range(3)
            ]
            assert axis < 3 or sum(sizes) + 2 * one < 1 << 31
            left[axis] = part % one
            out.append(max(-32768, min(32767, less[axis] + (part >> 18))))
    return out


@pytest.mark.parametrize("rig", scripts.RIGS)
def test_every_machine_gives_the_same_bits(rig: str):
    """Also at the bounds of what a calibration may hold, where most of a 32-bit word is used."""
    if rig != "unix" and not builder.product(rig).exists():
        pytest.skip(f"the rig {rig} is not built (python -m rigs build {rig})")
    blocks = 60
    found = scripts.run(rig, SCRIPT, str(blocks)).lines()
    numbers = generator()
    expected: list[str] = []
    for block in range(blocks):
        calibration = numbers.calibration(block)
        samples = list(numbers.samples())
        right = reference(samples, calibration, numbers.scales[block % 2])
        expected.append(str(crc32(np.array(right, "<i2").tobytes())))
    assert found == expected


def generator():
    """The numbers of calibration_script.py."""
    source = SCRIPT.read_text(encoding="utf-8").replace(
        "from motion.calibration import correct, correction", ""
    )
    names: dict[str, Any] = {"__name__": "calibration_script"}
    exec(source, names)  # its own imports of the firmware are MicroPython's
    numbers = names["Numbers"]()
    numbers.scales = names["SCALES"]
    return numbers


def test_correcting_allocates_nothing():
    assert scripts.run("unix", ALLOCATES).lines() == ["0"]


def keep(keeper, serial: str = "5f6bcd3aad7b") -> None:
    keeper.save(USUAL, "LSM6DSOX", serial)


def load(keeper, serial: str = "5f6bcd3aad7b", log=None) -> control.Calibration:
    return keeper.load("LSM6DSOX", serial, log or (lambda text: pytest.fail(text)))


FILE = Path("state") / "calibration.bin"


def test_a_calibration_is_kept(keeper):
    assert load(keeper) == control.NO_CALIBRATION
    keep(keeper)
    assert load(keeper) == USUAL


def test_an_erased_calibration_is_gone(keeper):
    keep(keeper)
    keeper.erase()
    keeper.erase()
    assert load(keeper) == control.NO_CALIBRATION


def test_every_damaged_byte_is_noticed(keeper):
    keep(keeper)
    whole = FILE.read_bytes()
    for place in range(len(whole)):
        FILE.write_bytes(whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :])
        with pytest.raises(keeper.CalibrationDamaged, match="checksum"):
            load(keeper)


@pytest.mark.parametrize("size", [0, 1, 44, 115, 119])
def test_a_file_cut_short_is_noticed(keeper, size: int):
    keep(keeper)
    FILE.write_bytes(FILE.read_bytes()[:size])
    with pytest.raises(keeper.CalibrationDamaged, match=f"{size} bytes instead of 120"):
        load(keeper)


def test_another_format_is_not_read(keeper):
    keep(keeper)
    record = bytearray(FILE.read_bytes()[:-4])
    record[4] = 2
    FILE.write_bytes(record + crc32(record).to_bytes(4, "little"))
    with pytest.raises(keeper.CalibrationDamaged, match="format"):
        load(keeper)


def test_another_devices_calibration_is_not_used(keeper):
    """A flash that was copied from one device to the next."""
    keep(keeper)
    said: list[str] = []
    assert load(keeper, "another", said.append) == control.NO_CALIBRATION
    assert "another sensor's" in said[0]


def test_a_power_cut_while_writing_leaves_the_old_one(keeper, monkeypatch: pytest.MonkeyPatch):
    keep(keeper)

    def power_cut(*_paths: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(keeper.os, "rename", power_cut)
        with pytest.raises(KeyboardInterrupt):
            keeper.save(control.NO_CALIBRATION, "LSM6DSOX", "5f6bcd3aad7b")
    assert load(keeper) == USUAL
