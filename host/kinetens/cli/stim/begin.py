"""What comes before stimulation on the command line: the plan, the questions, the virtual member."""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import rich_click as click
from rich.console import Console

from kinetens.cli.connection import Reach
from kinetens.cli.stim.ask import ask_questions, keep_answers
from kinetens.cli.stim.panel import LESS, MORE, Lines, Panel
from kinetens.device.link import Link
from kinetens.device.url import DeviceUrl
from kinetens.errors import StimulationRefused
from kinetens.session.recorder import Recorder
from kinetens.stim import questions, units
from kinetens.stim.document import plan_document
from kinetens.stim.giving import Giving, Watcher, board_of, require_bound
from kinetens.stim.plan import StimulationPlan
from kinetens.stim.plan_file import load_plan
from kinetens.stim.written import WrittenPlan

_BUTTON_HELD_S = 0.7
_GET_READY_S = 20.0
"""Connecting, the button, the contact check and the ramp of a virtual member's session."""
_LATEST_START_S = 3600.0


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan whose questions are answered, and what it means today."""

    written: WrittenPlan
    plan: StimulationPlan

    @property
    def title(self) -> str:
        return f"{self.written.plan.name} · {self.written.plan.member}"


def prepare(
    path: Path, *, simulated: bool, minutes: float | None = None, level: str | None = None
) -> Prepared:
    """Load a plan and have its questions answered.

    The member's answers go into the plan's file; a virtual member answers no to all, which goes nowhere.

    Raises PlanInvalid, StimulationRefused: a limit is passed, an answer forbids it, or nobody answers.
    """
    today = date.today()
    written = load_plan(path)
    written.stimulation(today).check()
    if written.verdict(today).unanswered:
        if simulated:
            answers = dict.fromkeys(questions.BY_KEY, "no")
        else:
            answers = ask_questions()
            keep_answers(path, answers, today)
        written = written.answered(answers, today)
    verdict = written.verdict(today)
    if verdict.forbids:
        raise StimulationRefused("; ".join(verdict.forbids))
    plan = written.stimulation(today, minutes)
    if level is not None:
        plan = plan.model_copy(update={"start_ma": _level_ma(level, plan)})
    return Prepared(written, plan)


def starts_after(url: DeviceUrl, plan: StimulationPlan) -> DeviceUrl:
    """A virtual member who keeps still until the stimulation is over, unless the address says otherwise."""
    if not url.simulated or "start-s" in url.options:
        return url
    start_s = min(plan.minutes * 60 + _GET_READY_S, _LATEST_START_S)
    return replace(url, options={**url.options, "start-s": f"{start_s:g}"})


class Stimulation:
    """A prepared plan on its way to one device: what a session's record needs to know, and the giving itself."""

    def __init__(self, prepared: Prepared, reach: Reach, console: Console, as_json: bool = False) -> None:
        self.giving: Giving | None = None
        self._prepared = prepared
        self._reach = reach
        self._console = console
        self._as_json = as_json
        self._stopped_by = ""

    async def document(self, link: Link) -> dict[str, Any]:
        """The plan for the session's header. Raises StimulationRefused: it is another device's, or its board's
        limits forbid it.
        """
        info = await link.info()
        require_bound(self._prepared.written, info)
        board = board_of(info)
        prepared = self._prepared
        prepared.plan.check(prepared.plan.effective(board))
        return plan_document(prepared.written, prepared.plan, date.today(), board, info.board)

    async def give(self, recorder: Recorder) -> None:
        """Give the plan, shown on the terminal if there is one. Raises as `Giving.run` does."""
        info = await recorder.link.info()
        with ExitStack() as stack:
            if self._console.is_terminal and not self._as_json:
                view = stack.enter_context(Panel(self._console, self._prepared.title))
            else:
                view = Lines(self._as_json)
            holding: set[asyncio.Task[None]] = set()
            self.giving = Giving(
                recorder.link,
                info,
                self._prepared.written,
                self._prepared.plan,
                recorder.note,
                Watcher(view.on_state, lambda: self._need_button(view, holding)),
            )
            if self._stopped_by:
                self.giving.stop(self._stopped_by)
            await self.giving.run()
            await asyncio.gather(*holding)
        if not self._as_json:
            click.echo(f"Stimulation ended: {self.giving.ended}.", err=True)

    @property
    def ended(self) -> bool:
        """Whether the plan was given, or will not be."""
        return self.giving is not None and bool(self.giving.ended)

    def press(self, key: str) -> None:
        """A key on the terminal: plus and minus change the level, any other one stops."""
        if key not in MORE + LESS:
            self.stop("the member at the keyboard")
        elif self.giving is not None:
            self.giving.change_level(1 if key in MORE else -1)

    def stop(self, by: str) -> None:
        """Stop at once, or never begin."""
        self._stopped_by = by
        if self.giving is not None:
            self.giving.stop(by)

    def _need_button(self, view: Panel | Lines, holding: set[asyncio.Task[None]]) -> None:
        view.on_button_needed()
        hold_virtual_button(self._reach, holding)


def hold_virtual_button(reach: Reach, holding: set[asyncio.Task[None]]) -> None:
    """Have a virtual member hold the device's button; a real one is asked to."""
    if reach.simulation is not None:
        press = reach.simulation.device.hold_button(_BUTTON_HELD_S)
        holding.add(asyncio.get_running_loop().create_task(press))


def _level_ma(level: str, plan: StimulationPlan) -> float:
    try:
        level_ua = units.parse(units.CURRENT, level)
    except units.UnitError as error:
        raise click.BadParameter(str(error), param_hint="--level") from error
    if level_ua > plan.program.current_ua:
        raise StimulationRefused(f"a level of {level} is above the plan's current, {plan.current_ma:g} mA")
    return level_ua / 1000
