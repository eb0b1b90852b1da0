"""Faults that a virtual device has from its start, by the names that its status shows them under."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from kinetens.virtual import clock
from kinetens.virtual.device import VirtualDevice
from kinetens.virtual.flash import CALIBRATION_FILE, STATE_FOLDER

FaultName = Literal[
    "sensor-missing",
    "sensor-wrong-identity",
    "sensor-bus",
    "sensor-overrun",
    "sensor-saturated",
    "sensor-self-test",
    "sensor-frozen",
    "calibration-missing",
    "calibration-damaged",
    "storage",
    "battery-low",
    "too-hot",
    "board-file",
]

_BOOTED_S = 1.0
_BUSY_EVERY_S = 4.0
_BUSY_S = 0.8
"""Longer than the sensor's FIFO lasts."""
_HOT_DEGC = 65.0


def cause(fault: FaultName, device: VirtualDevice) -> None:
    """Give a device that has not booted yet what makes its firmware report this fault."""
    _CAUSES[fault](device)


def _leave_out_sensor(device: VirtualDevice) -> None:
    device.hardware.sensor.absent = True


def _swap_sensor(device: VirtualDevice) -> None:
    device.hardware.sensor.wrong_identity = True


def _short_bus(device: VirtualDevice) -> None:
    device.hardware.bus.sda_shorted = True


def _be_busy(device: VirtualDevice) -> None:
    async def now_and_then() -> None:
        await asyncio.sleep(_BOOTED_S)
        while True:
            device.hold_up(_BUSY_S)
            await asyncio.sleep(_BUSY_EVERY_S)

    clock.spawn(now_and_then())


def _saturate_sensor(device: VirtualDevice) -> None:
    device.hardware.sensor.saturated = True


def _break_self_test(device: VirtualDevice) -> None:
    sensor = device.hardware.sensor
    sensor.config = replace(sensor.config, self_test_gyro_dps=(0.0, 0.0, 0.0))


def _freeze_sensor(device: VirtualDevice) -> None:
    device.hardware.sensor.frozen_data = True


def _remove_calibration(device: VirtualDevice) -> None:
    (device.flash / CALIBRATION_FILE).unlink(missing_ok=True)


def _damage_calibration(device: VirtualDevice) -> None:
    file = device.flash / CALIBRATION_FILE
    file.write_bytes(file.read_bytes()[:-1] if file.exists() else b"kcal")


def _block_storage(device: VirtualDevice) -> None:
    """Where the folder of what is kept should be there is a file, so that nothing can be written."""
    shutil.rmtree(device.flash / STATE_FOLDER)
    (device.flash / STATE_FOLDER).touch()


def _empty_battery(device: VirtualDevice) -> None:
    device.hardware.battery.level = 0.05


def _heat(device: VirtualDevice) -> None:
    sensor = device.hardware.sensor
    sensor.config = replace(sensor.config, temperature_degc=_HOT_DEGC)


def _remove_board_file(device: VirtualDevice) -> None:
    (device.flash / "board.json").unlink()


_CAUSES: dict[FaultName, Callable[[VirtualDevice], None]] = {
    "sensor-missing": _leave_out_sensor,
    "sensor-wrong-identity": _swap_sensor,
    "sensor-bus": _short_bus,
    "sensor-overrun": _be_busy,
    "sensor-saturated": _saturate_sensor,
    "sensor-self-test": _break_self_test,
    "sensor-frozen": _freeze_sensor,
    "calibration-missing": _remove_calibration,
    "calibration-damaged": _damage_calibration,
    "storage": _block_storage,
    "battery-low": _empty_battery,
    "too-hot": _heat,
    "board-file": _remove_board_file,
}
