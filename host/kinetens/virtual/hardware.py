"""What surrounds the virtual microcontroller: buses, pins, analogue inputs, the sensor, the output stage, the battery.

Each method answers one use of hardware by the firmware, at the firmware's local time in seconds since the world began.
"""

from collections.abc import Mapping
from struct import pack, unpack_from
from typing import Any

from kinetens.virtual.battery import Battery
from kinetens.virtual.bus import BusError, I2cBus
from kinetens.virtual.lsm6dsox import Lsm6dsoxModel
from kinetens.virtual.output_stage import OutputStage

_BITS_A_BYTE = 9
_I2C_OVERHEAD_S = 30e-6


class Hardware:
    """The parts that a board file names, wired as it says."""

    def __init__(
        self,
        board: Mapping[str, Any],
        sensor: Lsm6dsoxModel,
        output_stage: OutputStage | None,
        battery: Battery,
    ) -> None:
        self.sensor = sensor
        self.output_stage = output_stage
        self.battery = battery
        self.watched_pins: set[int] = set()
        self.bus = I2cBus(board["i2c"]["scl"], board["i2c"]["sda"])
        self.dead_addresses: set[int] = set()
        """I2C addresses that answer nothing for now."""
        self._board = board
        self._levels: dict[int, int] = {}
        self._i2c_byte_s = _BITS_A_BYTE / board["i2c"]["frequency_hz"]
        self._rmt_ends_s: dict[int, float] = {}
        stimulation = board.get("stimulation")
        self._stimulation_pins: set[int] = set()
        self._stimulation_adcs: set[int] = set()
        self._dac_address: int | None = None
        if output_stage is not None and stimulation:
            self._stimulation_pins = {
                stimulation[name] for name in ("pulse_pin", "polarity_reset_pin", "high_voltage_pin")
            }
            self._stimulation_adcs = {
                part["adc"] for name, part in stimulation.items() if name.endswith("_sense")
            }
            self._dac_address = stimulation["dac"]["address"]
        self.release_button()

    def reset(self, time_s: float) -> None:
        """The chip was reset: pins float, which the board's resistors pull to safe; trains stop."""
        self.watched_pins.clear()
        self.bus.reset()
        if self.output_stage is not None:
            self.output_stage.reset(time_s)
        self._rmt_ends_s.clear()

    def i2c_seconds(self, bytes_on_bus: int) -> float:
        """How long a transfer keeps the bus (and the firmware) busy."""
        return _I2C_OVERHEAD_S + bytes_on_bus * self._i2c_byte_s

    def i2c_open(self, payload: bytes, time_s: float) -> bytes:
        self.bus.open(unpack_from("<I", payload)[0] * 1e-6)
        return b""

    def i2c_read(self, payload: bytes, time_s: float) -> bytes:
        """Raises BusError when nothing answers."""
        self.bus.check()
        address, has_register, register, count = unpack_from("<BBBH", payload)
        if address in self.dead_addresses:
            raise BusError(f"nothing answers at I2C address 0x{address:02x}")
        if address == self._board["sensor"]["address"] and has_register:
            return self.sensor.read(register, count, time_s)
        if address == self._dac_address and self.output_stage is not None:
            return self.output_stage.i2c_read(count, time_s)
        raise BusError(f"nothing answers at I2C address 0x{address:02x}")

    def i2c_write(self, payload: bytes, time_s: float) -> bytes:
        """Raises BusError when nothing answers."""
        self.bus.check()
        address, data = payload[0], payload[1:]
        if address in self.dead_addresses:
            raise BusError(f"nothing answers at I2C address 0x{address:02x}")
        if address == self._board["sensor"]["address"]:
            if data:
                self.sensor.write(data[0], data[1:], time_s)
            return b""
        if address == self._dac_address and self.output_stage is not None:
            self.output_stage.i2c_write(data, time_s)
            return b""
        raise BusError(f"nothing answers at I2C address 0x{address:02x}")

    def pin_set(self, payload: bytes, time_s: float) -> bytes:
        pin, level = payload[0], payload[1]
        self._levels[pin] = level
        if pin in self.bus.pins:
            self.bus.drive(pin, bool(level))
        if pin in self._stimulation_pins and self.output_stage is not None:
            self.output_stage.pin(pin, level, time_s)
        return b""

    def pin_by_hand(self, payload: bytes, time_s: float) -> bytes:
        """A pin is made an open-drain output."""
        if payload[0] in self.bus.pins:
            self.bus.take_by_hand()
        return b""

    def pin_get(self, payload: bytes, time_s: float) -> bytes:
        pin = payload[0]
        battery = self._board["battery"]
        if pin == battery["charging_pin"]:
            level = battery["charging_level"] if self.battery.charging else 1 - battery["charging_level"]
        elif pin == self._board["sensor"]["interrupt"]:
            level = int(self.sensor.interrupt_level(time_s))
        elif pin in self.bus.pins:
            level = self.bus.level(pin)
        else:
            level = self._levels.get(pin, 0)
        return bytes([level])

    def pin_watch(self, payload: bytes, time_s: float) -> bytes:
        (self.watched_pins.add if payload[1] else self.watched_pins.discard)(payload[0])
        return b""

    def adc_read(self, payload: bytes, time_s: float) -> bytes:
        adc = payload[0]
        if adc == self._board["battery"]["adc"]:
            volts = self.battery.voltage_v(time_s) / self._board["battery"]["divider"]
        elif adc in self._stimulation_adcs and self.output_stage is not None:
            volts = self.output_stage.adc_volts(adc, time_s)
        else:
            volts = 0.0
        return pack("<i", round(min(max(volts, 0.0), 3.3) * 1e6))

    def rmt_write(self, payload: bytes, time_s: float) -> bytes:
        pin, level, resolution_hz = unpack_from("<BBI", payload)
        ticks = unpack_from(f"<{(len(payload) - 6) // 2}H", payload, 6)
        durations_us = [count * 1e6 / resolution_hz for count in ticks]
        self._rmt_ends_s[pin] = time_s + sum(durations_us) * 1e-6
        if pin in self._stimulation_pins and self.output_stage is not None:
            self.output_stage.rmt(pin, time_s, durations_us, level)
        return b""

    def rmt_stop(self, payload: bytes, time_s: float) -> bytes:
        self._rmt_ends_s.pop(payload[0], None)
        if payload[0] in self._stimulation_pins and self.output_stage is not None:
            self.output_stage.rmt_stop(payload[0], time_s)
        return b""

    def temperature(self, _payload: bytes, time_s: float) -> bytes:
        return bytes([41])

    @property
    def button_pin(self) -> int:
        return self._board["button"]["pin"]

    @property
    def sensor_pin(self) -> int:
        return self._board["sensor"]["interrupt"]

    def press_button(self) -> int:
        """Returns the pin's new level."""
        level = self._board["button"]["pressed_level"]
        self._levels[self.button_pin] = level
        return level

    def release_button(self) -> int:
        """Returns the pin's new level."""
        level = 1 - self._board["button"]["pressed_level"]
        self._levels[self.button_pin] = level
        return level
