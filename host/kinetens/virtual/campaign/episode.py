"""Plays one story to its end and judges it."""

import asyncio
import os
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kinetens.errors import VirtualDeviceError
from kinetens.virtual import clock
from kinetens.virtual.campaign.device_log import judge_log
from kinetens.virtual.campaign.faults import BY_NAME
from kinetens.virtual.campaign.invariants import Violation, judge_record, stop_times_s
from kinetens.virtual.campaign.licence import licence
from kinetens.virtual.campaign.past import belong_to, spend
from kinetens.virtual.campaign.scene import Scene, usual_setting
from kinetens.virtual.campaign.story import Story
from kinetens.virtual.device import LogLine
from kinetens.virtual.radio import RadioConditions
from kinetens.virtual.world import World
from kinetens_protocol import limits

_MEMORY = Path("/dev/shm")
"""Files of a story live in memory where there is such a place: a session is synced four times a second."""
_TIMEOUTS_S = (0.5, 2.0, 4.0)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one story."""

    story: Story
    seconds: float
    pulses: int
    faults: Counter[str]
    stops: dict[str, float]
    """Worst time to the last pulse in s, for each cause."""
    violations: tuple[Violation, ...]
    log: tuple[LogLine, ...]
    """What the device printed."""


def play(stories: Sequence[Story], alter: Callable[[Path], None] | None = None) -> list[Verdict]:
    """Play stories side by side in one world, one member each. alter: changes each device's flash before it starts."""
    try:
        return clock.run(_play(stories, alter))
    except Exception as error:
        return [_broken(story, error) for story in stories]


def _broken(story: Story, error: Exception) -> Verdict:
    """A world that could not be played to its end is a finding, of the world if not of the firmware."""
    told = LogLine(story.seconds, "".join(traceback.format_exception(error)))
    violation = Violation(0, story.seconds, f"the world broke: {error!r}")
    return Verdict(story, 0.0, 0, Counter(), {}, (violation,), (told,))


async def _play(stories: Sequence[Story], alter: Callable[[Path], None] | None) -> list[Verdict]:
    first = stories[0]
    rng = first.random("radio")
    conditions = RadioConditions(
        interval_s=rng.choice((0.015, 0.03, 0.05)), supervision_timeout_s=rng.choice(_TIMEOUTS_S)
    )
    memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="kinetens-campaign-", dir=memory) as scratch:
        async with World(first.seed, conditions, Path(scratch)) as world:
            acts = [
                _act(world, story, Path(scratch) / f"sessions-{number}", alter)
                for number, story in enumerate(stories)
            ]
            return list(await asyncio.gather(*acts))


async def _act(world: World, story: Story, folder: Path, alter: Callable[[Path], None] | None) -> Verdict:
    setting = usual_setting(story)
    for event in story.events:
        BY_NAME[event.fault].prepare(setting, event, story.seconds)

    def make_ready(flash: Path) -> None:
        if alter is not None:
            alter(flash)
        spend(flash, setting.spent)
        if setting.owner is not None:
            belong_to(flash, setting.owner)

    scene = Scene(world, story, setting, folder, make_ready)
    await scene.begin()
    injected: Counter[str] = Counter()
    for event in story.events:
        await _until(event.at_s)
        injected[event.fault] += 1
        BY_NAME[event.fault].inject(scene, event)
    await _until(story.seconds)
    verdict = _judge(scene, injected)
    scene.end()
    return verdict


async def _until(time_s: float) -> None:
    await asyncio.sleep(max(0.0, time_s - asyncio.get_running_loop().time()))


def _judge(scene: Scene, injected: Counter[str]) -> Verdict:
    stage = scene.stage
    seconds = scene.world.now_s()
    stage.finish(seconds)
    wiring = scene.device.board["stimulation"]
    board = limits.board_limits(wiring["ceiling_ma"], wiring["dac"]["full_scale_ma"])
    permission = licence(scene.facts, scene.setting, board, stage.record)
    violations = judge_record(stage.record, permission) + _breakdowns(scene)
    violations += judge_log(scene.device.flash, scene.facts.accepted, seconds)
    return Verdict(
        story=scene.story,
        seconds=seconds,
        pulses=sum(charge > 0 for charge in stage.record.charge_c) // 2,
        faults=injected,
        stops=stop_times_s(stage.record, permission),
        violations=tuple(violations),
        log=tuple(scene.device.log),
    )


def _breakdowns(scene: Scene) -> list[Violation]:
    """Programs that ended by themselves, on the host or on the device."""
    found = [
        Violation(0, scene.story.seconds, f"the host program failed: {host.failure!r}")
        for host in scene.hosts
        if host.failure is not None and not isinstance(host.failure, VirtualDeviceError)
    ]
    for line in scene.device.log:
        if "Traceback" in line.text:
            found.append(Violation(0, line.time_s, f"the firmware failed: {line.text.splitlines()[-1]}"))
    return found
