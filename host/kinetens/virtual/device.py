"""A virtual device: the firmware in its process, its hardware, its flash and its Bluetooth, in world time."""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from errno import ENODEV
from pathlib import Path
from struct import pack, unpack_from
from typing import Any, Protocol

from kinetens.errors import VirtualDeviceError
from kinetens.virtual import clock
from kinetens.virtual.bus import BusError
from kinetens.virtual.hardware import Hardware
from kinetens.virtual.machine_side import _wire as wire
from kinetens.virtual.peripheral import BluetoothError, Overseer, Peripheral
from kinetens.virtual.process import (
    LONGEST_PAYLOAD,
    Call,
    FirmwareEnded,
    FirmwareHung,
    FirmwareProcess,
)
from kinetens.virtual.radio import Radio

POWER_ON = 1
HARD_RESET = 2
WATCHDOG_RESET = 3
SOFT_RESET = 5

_BOOT_S = 0.3
_FLASH_S = 1e-3
"""A write of a page, or a change of the file system's table."""
_TEXT_LIMIT = 2000


class Air(Protocol):
    """What a device needs of the world."""

    radio: Radio

    def now_s(self) -> float: ...


@dataclass(slots=True)
class LogLine:
    time_s: float
    text: str


@dataclass(slots=True)
class _Sleep:
    until_s: float | None
    until_event: bool


@dataclass(slots=True)
class _Trap:
    calls_left: int
    operations: Collection[int]
    spring: Callable[[], None]


@dataclass(slots=True)
class DeviceSettings:
    """What distinguishes one virtual device from another."""

    address: str
    unique_id: bytes
    clock_ppm: float = 0.0
    heap_bytes: int = 512 * 1024
    ticks_start_us: int = 0
    """Where the device's tick counters begin, to see them wrap."""
    log: list[LogLine] = field(default_factory=list[LogLine])


class VirtualDevice:
    """Starts with `await boot()`; lives on the running loop until `power_off()`."""

    def __init__(
        self,
        world: Air,
        settings: DeviceSettings,
        board: Mapping[str, Any],
        hardware: Hardware,
        flash: Path,
        rng: random.Random,
    ) -> None:
        self.settings = settings
        self.hardware = hardware
        self.flash = flash
        self.boots = 0
        self.overseer: Overseer | None = None
        """Who sees, and may change, what reaches the firmware by radio; set before `boot`."""
        self.on_power_off: Callable[[], None] | None = None
        """Told when the processor stops, by whatever reset."""
        self.flash_errno = 0
        """What every change of the flash fails with; 0 for a flash that works."""
        self.board = board
        self._world = world
        self._rng = rng
        self._process: FirmwareProcess | None = None
        self._peripheral: Peripheral | None = None
        self._boot_cause = POWER_ON
        self._booted_s = 0.0
        self._local_s = 0.0
        self._sleep: _Sleep | None = None
        self._events: deque[bytes] = deque()
        self._wake: asyncio.TimerHandle | None = None
        self._sensor_wake: asyncio.TimerHandle | None = None
        self._sensor_edge_s = -1.0
        self._watchdog_s: float | None = None
        self._reboot: asyncio.Task[None] | None = None
        self._trap: _Trap | None = None
        self._plain_calls: dict[int, Callable[[bytes, float], bytes]] = {
            wire.PIN_SET: hardware.pin_set,
            wire.PIN_BY_HAND: hardware.pin_by_hand,
            wire.PIN_GET: hardware.pin_get,
            wire.PIN_WATCH: hardware.pin_watch,
            wire.I2C_OPEN: hardware.i2c_open,
            wire.ADC_READ: hardware.adc_read,
            wire.RMT_WRITE: hardware.rmt_write,
            wire.RMT_STOP: hardware.rmt_stop,
            wire.TEMPERATURE: hardware.temperature,
            wire.RANDOM: self._random,
            wire.IDENTITY: self._identity,
            wire.WATCHDOG: self._feed_watchdog,
            wire.LOG: self._log,
        }

    @property
    def log(self) -> list[LogLine]:
        """What the firmware printed on its serial line."""
        return self.settings.log

    @property
    def running(self) -> bool:
        """Whether it has power and its firmware runs."""
        return self._process is not None

    @property
    def peripheral(self) -> Peripheral:
        """The device's Bluetooth. Raises VirtualDeviceError while the device is off."""
        if self._peripheral is None:
            raise VirtualDeviceError("the virtual device is off")
        return self._peripheral

    async def boot(self, cause: int = POWER_ON) -> None:
        """Start the firmware; returns when it sleeps for the first time."""
        self._boot_cause = cause
        self.boots += 1
        self._booted_s = self._local_s = self._world.now_s()
        self._events.clear()
        self._peripheral = Peripheral(
            self._world.radio, self.settings.address, self._bluetooth_event, self.overseer
        )
        await self._peripheral.power_on()
        self._process = FirmwareProcess(self.flash, self.settings.heap_bytes, self.settings.ticks_start_us)
        self._serve()

    def power_off(self) -> None:
        """Pull the plug: the process, the radio and every output stop at once."""
        if self._process is not None and self.on_power_off is not None:
            self.on_power_off()
        if self._reboot is not None and self._reboot is not asyncio.current_task():
            self._reboot.cancel()
        for timer in (self._wake, self._sensor_wake):
            if timer is not None:
                timer.cancel()
        self._sleep = None
        self._watchdog_s = None
        if self._process is not None:
            errors = self._process.end()
            if errors.strip():
                self._log(errors.encode()[-_TEXT_LIMIT:], self._local_s)
            self._process = None
        if self._peripheral is not None:
            self._peripheral.power_off()
            self._peripheral = None
        self.hardware.reset(max(self._local_s, self._world.now_s()))

    def reset(self, cause: int = HARD_RESET) -> None:
        """Reset the chip; it boots again by itself."""
        self.power_off()
        self._reboot = clock.spawn(self._boot_later(cause))

    def hold_up(self, duration_s: float) -> None:
        """Keep the processor from its program for a while, as an erase of flash does; everything else goes on."""
        self._local_s = max(self._local_s, self._world.now_s()) + duration_s
        self._schedule_wake()

    def trap(
        self, calls: int, spring: Callable[[], None], operations: Collection[int] = tuple(wire.OPERATIONS)
    ) -> None:
        """Let `spring` act in the midst of the firmware's work, when it hands the `calls`th call (of these
        operations) to a driver. It may stall or reset the device.
        """
        self._trap = _Trap(calls, operations, spring)

    def stall(self, duration_s: float) -> None:
        """Keep the processor busy for a time from where the firmware is now. For use in a trap."""
        self._local_s += duration_s

    async def hold_button(self, duration_s: float) -> None:
        """Press the device's button for a while."""
        self._pin_event(self.hardware.button_pin, self.hardware.press_button())
        await asyncio.sleep(duration_s)
        self._pin_event(self.hardware.button_pin, self.hardware.release_button())

    @property
    def firmware_s(self) -> float:
        """How far the firmware has come: a little ahead of the world when it is at work."""
        return max(self._local_s, self._world.now_s())

    def device_time_us(self, world_s: float) -> int:
        """The device's own clock at a world time: runs from boot, at its own rate."""
        return round((world_s - self._booted_s) * (1e6 + self.settings.clock_ppm))

    def _world_s(self, device_us: float) -> float:
        return self._booted_s + device_us / (1e6 + self.settings.clock_ppm)

    async def _boot_later(self, cause: int) -> None:
        await asyncio.sleep(max(0.0, self._local_s - self._world.now_s()) + _BOOT_S)
        await self.boot(cause)

    def _serve(self, payload: bytes | None = None) -> None:
        """Let the firmware run until it sleeps, answering its calls; `payload` answers the sleep it is in."""
        firmware = self._process
        if firmware is None:
            return
        try:
            if payload is not None:
                self._local_s = max(self._local_s, self._world.now_s())
                firmware.answer(self.device_time_us(self._local_s), payload)
            while True:
                call = firmware.next_call()
                self._local_s += call.busy_us / (1e6 + self.settings.clock_ppm)
                if self._trap is not None and call.operation in self._trap.operations:
                    self._step_on_trap(self._trap)
                    if self._process is not firmware:
                        return
                if self._watchdog_s is not None and self._local_s > self._watchdog_s:
                    self._hang()
                    return
                if call.operation == wire.SLEEP:
                    self._fall_asleep(call)
                    return
                if call.operation == wire.RESET:
                    self.reset(call.payload[0])
                    return
                self._answer(firmware, call)
        except FirmwareHung:
            self._hang()
        except FirmwareEnded as error:
            self.power_off()
            text = self.log[-1].text.splitlines()[-1] if self.log else "it wrote nothing"
            raise VirtualDeviceError(f"the firmware's process ended by itself: {text}") from error

    def _step_on_trap(self, trap: _Trap) -> None:
        trap.calls_left -= 1
        if trap.calls_left <= 0:
            self._trap = None
            trap.spring()

    def _answer(self, firmware: FirmwareProcess, call: Call) -> None:
        payload, errno = b"", 0
        try:
            if call.operation == wire.I2C_READ:
                payload = self.hardware.i2c_read(call.payload, self._local_s)
                self._local_s += self.hardware.i2c_seconds(3 + len(payload))
            elif call.operation == wire.I2C_WRITE:
                payload = self.hardware.i2c_write(call.payload, self._local_s)
                self._local_s += self.hardware.i2c_seconds(len(call.payload))
            elif call.operation == wire.BLE:
                payload = self.peripheral.call(call.payload, self._local_s)
            elif call.operation == wire.FLASH:
                errno = self.flash_errno
                self._local_s += _FLASH_S
            else:
                payload = self._plain_calls[call.operation](call.payload, self._local_s)
        except BusError as error:
            errno = error.errno
            self._local_s += error.lasts_s
        except BluetoothError as error:
            errno = error.errno or ENODEV
        firmware.answer(self.device_time_us(self._local_s), payload, errno)

    def _fall_asleep(self, call: Call) -> None:
        duration_us, until_event = unpack_from("<qB", call.payload)
        self._local_s = max(self._local_s, self._world.now_s())
        until_s = None
        if duration_us >= 0:
            until_s = self._world_s(self.device_time_us(self._local_s) + duration_us)
        self._sleep = _Sleep(until_s, bool(until_event))
        self._schedule_sensor()
        self._schedule_wake()

    def _schedule_wake(self) -> None:
        sleep = self._sleep
        if sleep is None:
            return
        times = [time_s for time_s in (sleep.until_s, self._watchdog_s) if time_s is not None]
        if self._events and sleep.until_event:
            times.append(self._local_s)
        if self._wake is not None:
            self._wake.cancel()
            self._wake = None
        if times:
            self._wake = asyncio.get_running_loop().call_at(
                max(min(times), self._local_s), self._wake_up, sleep
            )

    def _wake_up(self, sleep: _Sleep) -> None:
        if self._sleep is not sleep:
            return
        now_s = self._world.now_s()
        if self._watchdog_s is not None and now_s >= self._watchdog_s - 1e-9:
            self._log(b"watchdog: the firmware did not feed it", now_s)
            self.reset(WATCHDOG_RESET)
            return
        self._sleep = None
        self._serve(self._take_events())

    def _take_events(self) -> bytes:
        """What happened since the firmware last asked, as much of it as one answer takes."""
        taken = b""
        while self._events and len(taken) + len(self._events[0]) <= LONGEST_PAYLOAD:
            taken += self._events.popleft()
        return taken

    def _schedule_sensor(self) -> None:
        """Wake the firmware at the sensor's next interrupt edge."""
        if self._sensor_wake is not None:
            self._sensor_wake.cancel()
            self._sensor_wake = None
        pin = self.hardware.sensor_pin
        if pin not in self.hardware.watched_pins:
            return
        edge_s = self.hardware.sensor.next_interrupt_s(self._local_s)
        if edge_s is None or edge_s <= self._sensor_edge_s:
            return
        self._sensor_wake = asyncio.get_running_loop().call_at(edge_s, self._sensor_interrupt, pin, edge_s)

    def _sensor_interrupt(self, pin: int, edge_s: float) -> None:
        self._sensor_edge_s = edge_s
        self._pin_event(pin, 1)

    def _pin_event(self, pin: int, level: int) -> None:
        if pin in self.hardware.watched_pins:
            self._event(wire.EVENT_PIN, bytes([pin, level]))

    def _bluetooth_event(self, payload: bytes) -> None:
        self._event(wire.EVENT_BLE, payload)

    def _event(self, kind: int, payload: bytes) -> None:
        self._events.append(pack("<BH", kind, len(payload)) + payload)
        self._schedule_wake()

    def _hang(self) -> None:
        """The firmware is caught in a loop: only its watchdog helps it, if it has one."""
        if self._watchdog_s is None:
            self.power_off()
            raise VirtualDeviceError("the firmware hangs in an endless loop and started no watchdog")
        self._sleep = _Sleep(None, False)
        self._schedule_wake()

    def _feed_watchdog(self, payload: bytes, time_s: float) -> bytes:
        timeout_ms: int = unpack_from("<I", payload)[0]
        self._watchdog_s = time_s + timeout_ms / 1000
        return b""

    def _random(self, payload: bytes, time_s: float) -> bytes:
        return self._rng.randbytes(unpack_from("<H", payload)[0])

    def _identity(self, payload: bytes, time_s: float) -> bytes:
        return bytes([self._boot_cause]) + self.settings.unique_id

    def _log(self, payload: bytes, time_s: float) -> bytes:
        self.settings.log.append(LogLine(time_s, payload.decode(errors="replace").rstrip()))
        return b""
