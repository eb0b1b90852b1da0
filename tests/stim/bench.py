"""A bench for the stimulation firmware on CPython: its real files, the output-stage model behind stub
drivers, virtual time.
"""

import json
import sys
import time as real_time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from kinetens.virtual.output_stage import SKIN, Load, OutputStage
from kinetens_protocol import limits, messages, stimulation

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "firmware"
BOARD: dict[str, Any] = json.loads((ROOT / "boards/virtual/board.json").read_text())

TICK_S = 0.05
SERIAL = "3c71bf4f2a10"
MEMBER = "member-7"
_TICKS_MASK = (1 << 30) - 1

CONVENTIONAL = limits.Program(15_000, 100, 50, 80_000, 0, 0, 1_800_000, 2500, 1000, 0, 0, 0)
BURSTS = limits.Program(25_000, 100, 0, 5_000_000, 20, 50_000, 1_800_000, 2500, 1000, 0, 0, 0)


@dataclass
class World:
    """Time and the parts around the firmware. Interrupts due are delivered whenever time passes."""

    stage: OutputStage
    now_s: float = 0.0
    ticks_offset_ms: int = 0
    bus_works: bool = True
    call_s: float = 20e-6
    due: list[tuple[float, Callable[[], object]]] = field(default_factory=lambda: [])
    lines: list[str] = field(default_factory=lambda: [])
    rmt_ends_s: float = -1.0
    delivering: bool = False

    def pass_time(self, seconds: float) -> None:
        """Let time pass; what is due happens on the way, unless it is already happening."""
        end_s = self.now_s + seconds
        while self.due and self.due[0][0] <= end_s and not self.delivering:
            at_s, happen = self.due.pop(0)
            self.now_s = max(self.now_s, at_s)
            self.delivering = True
            try:
                happen()
            finally:
                self.delivering = False
        self.now_s = max(self.now_s, end_s)

    def at(self, time_s: float, happen: Callable[[], object]) -> None:
        """Let something happen at a time, in the midst of whatever the firmware does then."""
        self.due.append((time_s, happen))
        self.due.sort(key=lambda item: item[0])

    def driver_call(self) -> float:
        """A driver was called: it costs a little time."""
        self.pass_time(self.call_s)
        return self.now_s

    # the firmware's clock

    def now_ms(self) -> int:
        return (round(self.now_s * 1e3) + self.ticks_offset_ms) & _TICKS_MASK

    def elapsed_ms(self, since: int) -> int:
        return _difference(self.now_ms(), since)

    def ticks_us(self) -> int:
        return round(self.now_s * 1e6) & _TICKS_MASK

    def log(self, text: str) -> None:
        self.lines.append(f"{self.now_s:9.4f} {text}")


def _difference(end: int, start: int) -> int:
    half = (_TICKS_MASK + 1) // 2
    return ((end - start + half) & _TICKS_MASK) - half


def _machine(world: World) -> ModuleType:
    class Pin:
        OUT = 3

        def __init__(self, number: int, mode: int = -1, value: int | None = None) -> None:
            self.number = number
            self.init(mode, value)

        def init(self, mode: int = -1, value: int | None = None) -> None:
            if value is not None:
                self.value(value)

        def value(self, level: int) -> None:
            world.stage.pin(self.number, level, world.driver_call())

    class ADC:
        ATTN_11DB = 3

        def __init__(self, pin: Pin, atten: int = 0) -> None:
            self._pin = pin

        def read_uv(self) -> int:
            return round(world.stage.adc_volts(self._pin.number, world.driver_call()) * 1e6)

    module = ModuleType("machine")
    module.__dict__.update(Pin=Pin, ADC=ADC)
    return module


class _Rmt:
    """The RMT of MicroPython 1.27 and newer; before 1.27 a train could only be ended by deinit."""

    world: World

    def __init__(self, *, pin: Any, resolution_hz: int, idle_level: bool) -> None:
        assert resolution_hz == 1_000_000
        self._pin = pin

    def write_pulses(self, durations: Sequence[int], levels: int | Sequence[int]) -> None:
        assert all(0 < duration <= 32767 for duration in durations)
        world = self.world
        if world.now_s < world.rmt_ends_s:
            world.pass_time(world.rmt_ends_s - world.now_s)
        now_s = world.driver_call()
        world.rmt_ends_s = now_s + sum(durations) / 1e6
        world.stage.rmt(self._pin.number, now_s, durations, levels)

    def wait_done(self) -> bool:
        return self.world.driver_call() >= self.world.rmt_ends_s

    def active(self, on: bool) -> None:
        assert not on
        self.deinit()

    def deinit(self) -> None:
        now_s = self.world.driver_call()
        self.world.rmt_ends_s = now_s
        self.world.stage.rmt_stop(self._pin.number, now_s)


class _Bus:
    def __init__(self, world: World) -> None:
        self._world = world

    def writeto(self, address: int, data: bytes) -> None:
        now_s = self._call(address)
        self._world.stage.i2c_write(bytes(data), now_s)

    def readfrom(self, address: int, count: int) -> bytes:
        return self._world.stage.i2c_read(count, self._call(address))

    def _call(self, address: int) -> float:
        now_s = self._world.driver_call()
        if not self._world.bus_works or address != BOARD["stimulation"]["dac"]["address"]:
            raise OSError(19)
        return now_s


@contextmanager
def firmware(world: World) -> Generator[SimpleNamespace]:
    """The firmware's stimulation modules, bound to a world."""
    esp32 = ModuleType("esp32")
    esp32.__dict__["RMT"] = type("RMT", (_Rmt,), {"world": world})
    time = ModuleType("time")
    time.__dict__.update(
        ticks_us=world.ticks_us,
        ticks_diff=_difference,
        ticks_add=lambda ticks, delta: (ticks + delta) & _TICKS_MASK,
        sleep_us=lambda us: world.pass_time(us / 1e6),
        sleep_ms=lambda ms: world.pass_time(ms / 1e3),
        monotonic=real_time.monotonic,
    )
    replaced = {"machine": _machine(world), "esp32": esp32, "time": time}
    before = {name: sys.modules.get(name) for name in replaced}
    sys.path.insert(0, str(FIRMWARE))
    sys.modules.update(replaced)
    try:
        for name in [name for name in sys.modules if name == "stim" or name.startswith("stim.")]:
            del sys.modules[name]
        import stim.channel  # pyright: ignore

        yield SimpleNamespace(channel=stim.channel)  # pyright: ignore
    finally:
        sys.path.remove(str(FIRMWARE))
        for name, module in before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module


class Bench:
    """One device's stimulation channel, a finger on its button, a host that types commands."""

    def __init__(self, load: Load = SKIN, board: dict[str, Any] | None = None, **world: Any) -> None:
        self.board = board or BOARD
        self.world = World(OutputStage(self.board["stimulation"], load), **world)
        self.counter = 0
        self.boots = 0
        self.supervisor: Any = None
        self.started_s: float | None = None
        self.boot()

    def boot(self) -> None:
        """Power up: the state folder in the present directory is the flash."""
        world = self.world
        world.stage.reset(world.now_s)
        world.rmt_ends_s = world.now_s
        with firmware(world) as modules:
            self.boots += 1
            self.channel = modules.channel.open_channel(
                self.board, _Bus(world), world, world.log, SERIAL, self.boots, 1
            )
        self.supervisor = self.channel.supervisor if self.channel else None
        self.counter = self.state().counter if self.channel else 0

    @property
    def record(self) -> Any:
        self.world.stage.finish(self.world.now_s)
        return self.world.stage.record

    def run(self, seconds: float, each_tick: Callable[[], None] | None = None) -> None:
        """Ticks for a while."""
        end_s = self.world.now_s + seconds
        while self.world.now_s < end_s - 1e-6:
            next_s = self.world.now_s + TICK_S
            self.supervisor.tick()
            if each_tick:
                each_tick()
            self.world.pass_time(max(0.0, min(next_s, end_s) - self.world.now_s))

    def request(self, operation: int, payload: bytes = b"") -> bytes:
        buffer = bytearray(244)
        end = self.channel.handle(operation, payload, buffer, 0)
        return bytes(buffer[:end])

    def command(self, operation: int, value: int = 0) -> None:
        self.counter += 1
        self.request(operation, stimulation.pack_command(operation, stimulation.Command(self.counter, value)))

    def configure(
        self,
        program: limits.Program = CONVENTIONAL,
        plan: dict[int, int] | None = None,
        flags: int = stimulation.ANSWERS_OK,
        lease_ms: int = 1000,
        serial: str = SERIAL,
        member: str = MEMBER,
    ) -> None:
        self.counter += 1
        plan = limits.default_plan() if plan is None else plan
        tags = (stimulation.tag(serial), stimulation.tag(member))
        configure = stimulation.Configure(self.counter, flags, lease_ms, *tags, program, tuple(plan.items()))
        self.request(stimulation.CONFIGURE, stimulation.pack_configure(configure))

    def state(self) -> stimulation.State:
        return stimulation.unpack_state(self.request(stimulation.STATE))

    def hold_button(self, seconds: float = 0.6) -> None:
        self.supervisor.button(True)
        self.run(seconds)
        self.supervisor.button(False)

    def arm(self, program: limits.Program = CONVENTIONAL, plan: dict[int, int] | None = None) -> None:
        """Configure, hold the button, arm, and wait for the contact check."""
        self.configure(program, plan)
        self.hold_button()
        self.command(stimulation.ARM)
        self.run(0.4)

    def start(self, program: limits.Program = CONVENTIONAL, plan: dict[int, int] | None = None) -> None:
        self.arm(program, plan)
        self.command(stimulation.START)

    def renew(self) -> None:
        if self.state().state == stimulation.RUNNING:
            self.command(stimulation.RENEW)

    def raise_to(self, level_ua: int) -> None:
        """Raise step by step as fast as the envelope allows, renewing the lease."""

        def step() -> None:
            state = self.state()
            if state.state != stimulation.RUNNING:
                return
            self.command(stimulation.RENEW)
            if state.target_ua < level_ua and state.level_ua == state.target_ua:
                self.command(stimulation.SET_LEVEL, min(state.level_ua + 500, level_ua))

        self.run(level_ua / 2000 * 1.4 + 0.5, step)


def refused(error: messages.Refused) -> tuple[int, int]:
    """Reason and subject, to compare."""
    return error.reason, error.refusal.subject
