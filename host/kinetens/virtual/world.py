"""The world of the virtual devices: time, air, and everything random drawn from one seed."""

import asyncio
import json
import random
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from kinetens.device.adapter import Adapter
from kinetens.device.bumble_backend import bumble_adapter
from kinetens.virtual.battery import Battery
from kinetens.virtual.computer import Computer, Gate
from kinetens.virtual.device import DeviceSettings, VirtualDevice
from kinetens.virtual.faults import FaultName, cause
from kinetens.virtual.flash import claim_protocol, deploy, keep_calibration
from kinetens.virtual.hardware import Hardware
from kinetens.virtual.lsm6dsox import Lsm6dsoxModel
from kinetens.virtual.motion_source import MotionSource
from kinetens.virtual.output_stage import SKIN, Load, OutputStage
from kinetens.virtual.peripheral import Overseer
from kinetens.virtual.radio import Radio, RadioConditions
from kinetens.virtual.unpainted import unpaint
from kinetens_protocol.control import Calibration

_HOST_ADDRESS = "C0:00:00:00:00:%02X"
CLOCK_SPREAD_PPM = 20.0
"""Crystals of ESP32 modules are specified to ±10 ppm, and age and warm up by as much again."""


@dataclass(frozen=True, slots=True)
class DeviceOptions:
    """How a virtual device differs from the usual one."""

    board: str = "virtual"
    name: str | None = None
    load: Load | None = None
    battery: Battery = field(default_factory=Battery)
    flash: Path | None = None
    """Where its flash lies, to outlive the world; a temporary folder otherwise."""
    clock_ppm: float | None = None
    ticks_start_us: int = 0
    heap_bytes: int = 512 * 1024
    instructions: str | None = None
    """What the firmware is compiled for (mpy-cross's -march); None leaves that to the device, from the sources."""
    protocol_major: int | None = None
    """Protocol version to claim instead of the firmware's own."""
    calibration: Calibration | None = None
    """What it keeps as its sensor's calibration from the start; it is uncalibrated otherwise."""
    fault: FaultName | None = None
    """What is wrong with it from its start."""
    alter: Callable[[Path], None] | None = None
    """Changes the flash after the firmware is on it and before it starts."""
    overseer: Overseer | None = None


class World:
    """One seed, one history. Use it with `async with`; its devices end with it."""

    def __init__(
        self, seed: int, conditions: RadioConditions | None = None, scratch: Path | None = None
    ) -> None:
        unpaint()
        self.seed = seed
        self.devices: list[VirtualDevice] = []
        self.radio = Radio(conditions or RadioConditions(), self.rng("radio"))
        self._temporary = tempfile.TemporaryDirectory(prefix="kinetens-world-", dir=scratch)
        self._hosts = 0

    def rng(self, purpose: str) -> random.Random:
        """A stream of randomness of its own for each purpose, so that drawing more for one changes no other."""
        return random.Random(f"{self.seed}/{purpose}")

    def now_s(self) -> float:
        """Seconds on the running loop's clock."""
        return asyncio.get_running_loop().time()

    async def device(self, motion: MotionSource, options: DeviceOptions | None = None) -> VirtualDevice:
        """Make and boot a device whose sensor feels `motion`."""
        options = options or DeviceOptions()
        number = len(self.devices)
        rng = self.rng(f"device {number}")
        unique_id = rng.randbytes(6)
        flash = options.flash or Path(self._temporary.name) / f"flash-{number}"
        name = options.name or f"kinetens-{unique_id[4:].hex().upper()}"
        deploy(options.board, {"name": name, "serial": unique_id.hex()}, flash, options.instructions)
        if options.protocol_major is not None:
            claim_protocol(flash, options.protocol_major)
        if options.calibration is not None:
            keep_calibration(flash, options.calibration)
        if options.alter is not None:
            options.alter(flash)
        board = json.loads((flash / "board.json").read_text())
        wiring = board.get("stimulation")
        stage = OutputStage(wiring, options.load or SKIN) if wiring else None
        sensor = Lsm6dsoxModel(motion, np.random.default_rng(rng.getrandbits(64)))
        clock_ppm = rng.uniform(-CLOCK_SPREAD_PPM, CLOCK_SPREAD_PPM)
        settings = DeviceSettings(
            address=_static_address(unique_id),
            unique_id=unique_id,
            clock_ppm=clock_ppm if options.clock_ppm is None else options.clock_ppm,
            heap_bytes=options.heap_bytes,
            ticks_start_us=options.ticks_start_us,
        )
        hardware = Hardware(board, sensor, stage, options.battery)
        device = VirtualDevice(self, settings, board, hardware, flash, rng)
        device.overseer = options.overseer
        self.devices.append(device)
        if options.fault is not None:
            cause(options.fault, device)
        await device.boot()
        return device

    @asynccontextmanager
    async def host(self) -> AsyncGenerator[Adapter]:
        """A computer's Bluetooth in this world."""
        async with self.computer() as computer:
            yield computer.adapter

    @asynccontextmanager
    async def computer(self) -> AsyncGenerator[Computer]:
        """A computer in this world whose program can be frozen and killed."""
        self._hosts += 1
        address = _HOST_ADDRESS % self._hosts
        controller = self.radio.controller(f"host {self._hosts}", address)
        try:
            gate = Gate(controller)
            async with bumble_adapter(gate, gate, address) as adapter:
                yield Computer(adapter, controller, gate)
        finally:
            self.radio.silence(controller)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as ending:
            ending.callback(self._temporary.cleanup)
            for device in self.devices:
                ending.callback(device.power_off)


def _static_address(unique_id: bytes) -> str:
    """A random static address has its two highest bits set (Core specification, volume 6, part B, 1.3.2.1)."""
    return ":".join(f"{byte:02X}" for byte in bytes([unique_id[0] | 0xC0]) + unique_id[1:])
