"""Giving a written plan over a link, with what happens noted in the session's record."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from kinetens.device.link import Link
from kinetens.errors import LinkLost, RequestRefused, RequestTimeout, StimulationRefused
from kinetens.stim.boards import board_limits, board_names
from kinetens.stim.channel import LinkChannel
from kinetens.stim.controller import Outcome, StimulationController
from kinetens.stim.plan import StimulationPlan
from kinetens.stim.written import WrittenPlan
from kinetens_protocol import control
from kinetens_protocol.stimulation import State


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who wants to see what goes on."""

    on_state: Callable[["Giving", State], None]
    """Called with every state that the device tells."""
    on_button_needed: Callable[[], None]
    """Called once when the device waits for its button."""


class Giving:
    """One plan given to one device. `stop` and `change_level` act at once; call them in the loop's thread.

    Args:
        link: to the device.
        info: what the device says it is.
        written: the plan as it was written, whose device and member bind it.
        plan: what it means today.
        note: keeps a fact in the session's record.
        watcher: who is told.
    """

    def __init__(
        self,
        link: Link,
        info: control.Info,
        written: WrittenPlan,
        plan: StimulationPlan,
        note: Callable[[str, str], None],
        watcher: Watcher,
    ) -> None:
        self.link = link
        self.plan = plan
        self.ended = ""
        """How it ended, in words; empty until then."""
        self.outcome: Outcome | None = None
        self.given_ms = 0
        """How long the output has been on in this session, by the device's count."""
        self._written = written
        self._note = note
        self._stopped_by = ""
        self._stopping: set[asyncio.Task[None]] = set()
        self._watcher = watcher
        self.controller = StimulationController(
            LinkChannel(link),
            plan,
            serial=info.serial,
            member=written.plan.member,
            board=board_of(info),
            on_state=self._take_state,
            on_button_needed=watcher.on_button_needed,
        )

    async def run(self) -> None:
        """Give the plan and keep how it ended. Raises StimulationRefused, RequestTimeout, LinkLost."""
        if self._stopped_by:
            self._end(f"stopped by {self._stopped_by} before it began")
            return
        self._note("stimulation", f"plan '{self.plan.name}' begins, for {self._written.plan.member}")
        try:
            self.outcome = await self.controller.run()
        except (StimulationRefused, RequestRefused, RequestTimeout, LinkLost) as error:
            if not self._stopped_by:
                self._end(str(error))
                raise
        finally:
            await asyncio.gather(*self._stopping)
        if self._stopped_by:
            self._end(f"stopped by {self._stopped_by}")
        elif self.outcome is not None:
            self._end(self.outcome.sentence)

    def stop(self, by: str) -> None:
        """Ramp to zero at once; `by` says who or what asked."""
        if not self._stopped_by and not self.ended:
            self._stopped_by = by
            self._stopping.add(asyncio.get_running_loop().create_task(self.controller.stop()))

    def change_level(self, steps: int) -> None:
        """More or less by so many of the plan's steps, never above the plan's current."""
        before_ua = self.controller.goal_ua
        goal_ua = self.controller.change_level(steps * self.controller.step_ua)
        if goal_ua != before_ua:
            self._note("stimulation", f"the member asks for {goal_ua / 1000:g} mA")

    def _take_state(self, state: State) -> None:
        self.given_ms = max(self.given_ms, state.session_ms)
        self._watcher.on_state(self, state)

    def _end(self, sentence: str) -> None:
        self.ended = sentence
        self._note("stimulation", sentence)


def require_bound(written: WrittenPlan, info: control.Info) -> None:
    """Raises StimulationRefused unless the plan is for this very device."""
    wanted = written.plan.device
    if not wanted:
        raise StimulationRefused(
            f"the plan '{written.plan.name}' names no device; this one's serial number is {info.serial}: "
            f'put device = "{info.serial}" into its [plan] if this is the member\'s'
        )
    if wanted != info.serial:
        raise StimulationRefused(
            f"the plan '{written.plan.name}' is for the device {wanted}, and this one is {info.serial}; "
            "take the plan's own device"
        )


def board_of(info: control.Info) -> dict[int, int] | None:
    """The limits of a device's board, or None for a board that this installation does not know."""
    return board_limits(info.board) if info.board in board_names() else None
