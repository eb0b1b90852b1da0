"""One device with its member and its host, on whom a story is played."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kinetens.stim.plan import StimulationPlan, make_plan
from kinetens.virtual import clock
from kinetens.virtual.battery import Battery
from kinetens.virtual.campaign.host import HostProgram
from kinetens.virtual.campaign.movement import StagedMotion, Stretch
from kinetens.virtual.campaign.story import Story
from kinetens.virtual.campaign.witness import Span, Witness
from kinetens.virtual.device import VirtualDevice
from kinetens.virtual.output_stage import DRY_SKIN, SKIN, Load, OutputStage
from kinetens.virtual.world import DeviceOptions, World

_HELD_S = 0.7
_REACTION_S = 0.4
MEMBER = "the member"


@dataclass(frozen=True, slots=True)
class Spent:
    """A session of earlier that day: how long, and how long before the story it ended."""

    used_s: float
    ended_ago_s: float


@dataclass(slots=True)
class Setting:
    """What holds from the start."""

    plan: StimulationPlan
    skin: Load
    ticks_start_us: int = 0
    spent: tuple[Spent, ...] = ()
    board: Mapping[int, int] | None = None
    """The host's idea of what the board narrows; None: it takes the device's word."""
    serial: str | None = None
    """Of the device for which the host's plan is, if it is another one."""
    owner: str | None = None
    """The member to whom the device belongs already."""
    exercises: list[Stretch] = field(default_factory=list[Stretch])
    falls: list[Stretch] = field(default_factory=list[Stretch])
    violence: list[Stretch] = field(default_factory=list[Stretch])
    nobody_may: bool = False
    """Whether the host must refuse to stimulate, or the device to do it for this host."""


_EVEN = {"phase_us": 100, "frequency_hz": 80.0}
_SLOW = {"phase_us": 60, "frequency_hz": 10.0}
_FAST = {"phase_us": 80, "frequency_hz": 120.0}
_BURSTS = {
    "phase_us": 100,
    "gap_us": 0,
    "frequency_hz": 5000.0,
    "burst_pulses": 8,
    "burst_frequency_hz": 50.0,
}
_PROGRAMMES = (_EVEN, _EVEN, _EVEN, _SLOW, _FAST, _BURSTS)


def usual_setting(story: Story) -> Setting:
    """A plan and a skin drawn from the seed."""
    rng = story.random("setting")
    plan = make_plan(
        {
            "name": "campaign",
            "current_ma": rng.choice((6.0, 10.0, 15.0)),
            "minutes": 30.0,
            "pad_area_cm2": 25.0,
            "answers_ok": True,
            **rng.choice(_PROGRAMMES),
        }
    )
    return Setting(plan, rng.choice((SKIN, SKIN, DRY_SKIN)))


class Scene:
    """Boots the device, runs the host, and gives faults what they need. All times are the world's."""

    def __init__(
        self,
        world: World,
        story: Story,
        setting: Setting,
        folder: Path,
        alter: Callable[[Path], None],
    ) -> None:
        self.world = world
        self.story = story
        self.setting = setting
        self.witness = Witness(world.now_s)
        self.device: VirtualDevice
        self.host: HostProgram
        self.motion: StagedMotion
        self.hosts: list[HostProgram] = []
        self._folder = folder
        self._alter = alter
        self._holds: Counter[str] = Counter()
        self._pressed = False
        self._name = ""
        self._timers: list[asyncio.TimerHandle] = []

    @property
    def stage(self) -> OutputStage:
        stage = self.device.hardware.output_stage
        assert stage is not None
        return stage

    async def begin(self) -> None:
        """Boot the device and start the host program."""
        setting = self.setting
        self.motion = StagedMotion(self.story.seed, setting.exercises, setting.falls, setting.violence)
        options = DeviceOptions(
            load=setting.skin,
            battery=Battery(),
            ticks_start_us=setting.ticks_start_us,
            alter=self._alter,
            overseer=self.witness,
        )
        self.device = await self.world.device(self.motion, options)
        self._name = json.loads((self.device.flash / "identity.json").read_text())["name"]
        self.device.on_power_off = lambda: self.facts.resets.append(self.device.firmware_s)
        if setting.nobody_may:
            self.facts.forbidden.append(Span(0.0))
        self.host = self.start_host(self.press)

    @property
    def facts(self):
        return self.witness.facts

    def start_host(self, on_button_needed: Callable[[], None] | None, member: str = MEMBER) -> HostProgram:
        """Start the host program on a new computer."""
        host = HostProgram(
            self.world,
            self._name,
            self.setting.plan,
            member,
            self._folder,
            on_button_needed,
            lambda operation, counter: self.facts.accepted.append((operation, counter)),
            self.setting.board,
            self.setting.serial,
        )
        self.hosts.append(host)
        return host

    def press(self, held_s: float = _HELD_S, after_s: float = _REACTION_S) -> None:
        """The member presses the button for a time, unless a finger is on it already."""
        clock.spawn(self._press(held_s, after_s))

    async def _press(self, held_s: float, after_s: float) -> None:
        await asyncio.sleep(after_s)
        if self._pressed:
            return
        self._pressed = True
        span = Span(self.world.now_s())
        self.facts.presses.append(span)
        await self.device.hold_button(held_s)
        span.end_s = self.world.now_s()
        self._pressed = False

    def for_a_while(
        self, condition: str, lasts_s: float, begin: Callable[[], None], end: Callable[[], None]
    ) -> None:
        """A condition that forbids the output holds for a time; several of a kind may overlap."""
        spans = self.facts.unfit.setdefault(condition, [])
        self._holds[condition] += 1
        if self._holds[condition] == 1:
            spans.append(Span(self.world.now_s()))
            begin()

        def over() -> None:
            self._holds[condition] -= 1
            if self._holds[condition] == 0:
                spans[-1].end_s = self.world.now_s()
                end()

        self.later(lasts_s, over)

    def attach(self, load: Load) -> None:
        """The pads meet something else."""
        now_s = self.world.now_s()
        self.facts.loads.append((now_s, load))
        self.stage.attach(load, now_s)

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do something after a time."""
        self._timers.append(asyncio.get_running_loop().call_later(delay_s, action))

    def end(self) -> None:
        """The story is over: nothing more happens."""
        for timer in self._timers:
            timer.cancel()
        for host in self.hosts:
            host.kill()
