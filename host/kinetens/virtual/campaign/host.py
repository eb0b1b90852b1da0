"""The host program of a story: connects, records, stimulates, and begins again whatever happened."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from kinetens.device.discovery import find
from kinetens.device.link import Link, connect
from kinetens.errors import KinetensError, RequestRefused, RequestTimeout, StimulationRefused
from kinetens.session.recorder import RecordingPlan, record
from kinetens.stim import controller as host_controller
from kinetens.stim.channel import EventHandler, LinkChannel, StimulationChannel
from kinetens.stim.plan import StimulationPlan
from kinetens.virtual import clock
from kinetens.virtual.computer import Computer
from kinetens.virtual.world import World
from kinetens_protocol import messages, stimulation

_SCAN_S = 1.5
_LOOKS_AGAIN_S = 1.0
_BEGINS_AGAIN_S = 1.5
_HEALTH_S = 3.3


class Greed(Enum):
    """How a host program that has gone wrong asks for more than it may."""

    TOO_HIGH = 1
    """Step by step above the programme's current."""
    TOO_BIG_A_STEP = 2
    TOO_FAST = 3
    """Step after step, as fast as the radio takes them."""
    TOO_STRONG = 4
    """A programme beyond the envelope."""


_STEP_UA = 500
_PUSHES = {
    Greed.TOO_HIGH: (1, _STEP_UA),
    Greed.TOO_BIG_A_STEP: (1, 5 * _STEP_UA),
    Greed.TOO_FAST: (4, _STEP_UA),
}
"""With each renewal: how many steps of what size."""
_COMMANDS = (
    stimulation.ARM,
    stimulation.START,
    stimulation.SET_LEVEL,
    stimulation.RENEW,
    stimulation.CLEAR_FAULT,
)


class _GreedyChannel:
    """A channel that adds to requests what greed wants. It numbers commands itself, so that one more makes none stale."""

    def __init__(self, channel: StimulationChannel, program: "HostProgram") -> None:
        self._channel = channel
        self._program = program
        self._added = 0

    async def request(self, operation: int, payload: bytes = b"") -> bytes:
        """The answer's payload. Raises RequestRefused, RequestTimeout, LinkLost."""
        greed = self._program.greed
        if operation == stimulation.CONFIGURE:
            configure = stimulation.unpack_configure(payload)
            configure = configure._replace(counter=configure.counter + self._added)
            if greed is Greed.TOO_STRONG:
                program = configure.program
                stronger = program._replace(current_ua=program.current_ua * 5, phase_us=program.phase_us * 4)
                configure = configure._replace(program=stronger)
            payload = stimulation.pack_configure(configure)
        elif operation in _COMMANDS:
            command = stimulation.unpack_command(operation, payload)
            if operation == stimulation.RENEW and greed in _PUSHES:
                await self._push(command, *_PUSHES[greed])
            command = command._replace(counter=command.counter + self._added)
            payload = stimulation.pack_command(operation, command)
        return await self._accepted(operation, payload)

    async def _accepted(self, operation: int, payload: bytes) -> bytes:
        """Ask; a command that the device says it has done is noted."""
        answer = await self._channel.request(operation, payload)
        if operation in _COMMANDS or operation == stimulation.CONFIGURE:
            self._program.on_accepted(operation, int.from_bytes(payload[:4], "little"))
        return answer

    async def _push(self, command: stimulation.Command, steps: int, step_ua: int) -> None:
        """Before a command, some that raise the level."""
        for _ in range(steps):
            state = stimulation.unpack_state(await self._channel.request(stimulation.STATE))
            higher = stimulation.Command(command.counter + self._added, state.level_ua + step_ua)
            self._added += 1
            await self._accepted(
                stimulation.SET_LEVEL, stimulation.pack_command(stimulation.SET_LEVEL, higher)
            )

    def on_event(self, handler: EventHandler) -> Callable[[], None]:
        """Have a handler called for every event from now on; the result takes it off again."""
        return self._channel.on_event(handler)


class HostProgram:
    """One run of the program on its own computer.

    Args:
        device: name of the device that it looks for.
        plan: what to give.
        member: for whom the plan is.
        folder: where its sessions go.
        board: the limits that it believes the board to narrow; None to take the device's word.
        on_button_needed: called when the member has to hold the button.
        on_accepted: called with operation and counter of each command that the device has done.
        serial: of the device for which the plan is; None for the one found.
    """

    def __init__(
        self,
        world: World,
        device: str,
        plan: StimulationPlan,
        member: str,
        folder: Path,
        on_button_needed: Callable[[], None] | None,
        on_accepted: Callable[[int, int], None],
        board: Mapping[int, int] | None = None,
        serial: str | None = None,
    ) -> None:
        self.greed: Greed | None = None
        self.on_accepted = on_accepted
        self.failure: BaseException | None = None
        """What ended the program though nothing should."""
        self.computer: Computer | None = None
        self._world = world
        self._device = device
        self._plan = plan
        self._member = member
        self._folder = folder
        self._board = board
        self._serial = serial
        self._on_button_needed = on_button_needed
        self._link: Link | None = None
        self._killed = False
        self._controller: host_controller.StimulationController | None = None
        self._task = asyncio.get_running_loop().create_task(self._watched(self._run()))

    def kill(self) -> None:
        """End the process: nothing of it runs any more, and nobody says goodbye."""
        self._killed = True
        if self.computer is not None:
            self.computer.gate.kill()
            self._world.radio.silence(self.computer.controller)
        self._task.cancel()

    def freeze(self, duration_s: float) -> None:
        """The event loop stands still for a time."""
        if self.computer is not None:
            self.computer.gate.freeze(duration_s)

    def stop(self) -> None:
        """The user ends the stimulation."""
        if self._controller is not None:
            clock.spawn(self._controller.stop())

    def close_link(self) -> None:
        """The user ends the program properly: it begins anew, with a new connection."""
        if self._link is not None:
            self._link.lost.set()

    async def _watched(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if not self._killed:
                self.failure = error

    async def _run(self) -> None:
        async with self._world.computer() as self.computer:
            while not _is_ending():
                try:
                    found = await find(self.computer.adapter, self._device, _SCAN_S)
                    async with connect(self.computer.adapter, found) as link:
                        self._link = link
                        await self._visit(link)
                except KinetensError:
                    await asyncio.sleep(_LOOKS_AGAIN_S)
                finally:
                    self._link = None

    async def _visit(self, link: Link) -> None:
        """Record and stimulate until the link is lost."""
        plan = RecordingPlan(self._folder, exercise="any", side="right", placement="wrist")
        works: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(record(link, plan)),
            asyncio.ensure_future(self._stimulate(link)),
        ]
        try:
            done, _ = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for work in works:
                work.cancel()
            ended = await asyncio.gather(*works, return_exceptions=True)
        for result in ended:
            if isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError):
                raise result
        assert done

    async def _stimulate(self, link: Link) -> None:
        serial = self._serial or (await link.info()).serial
        channel = _GreedyChannel(LinkChannel(link), self)
        while not _is_ending():
            self._controller = host_controller.StimulationController(
                channel,
                self._plan,
                serial=serial,
                member=self._member,
                board=self._board,
                on_button_needed=self._on_button_needed,
            )
            try:
                await self._controller.run()
            except (StimulationRefused, RequestRefused, RequestTimeout):
                await asyncio.sleep(_BEGINS_AGAIN_S)
            await asyncio.sleep(_BEGINS_AGAIN_S)
            await self._clear_fault(channel)

    async def _clear_fault(self, channel: StimulationChannel) -> None:
        state = stimulation.unpack_state(await channel.request(stimulation.STATE))
        if state.state != stimulation.FAULT:
            return
        await asyncio.sleep(_HEALTH_S)
        command = stimulation.Command(state.counter + 1, state.fault)
        try:
            await channel.request(
                stimulation.CLEAR_FAULT, stimulation.pack_command(stimulation.CLEAR_FAULT, command)
            )
        except RequestRefused as error:
            if error.reason not in (messages.FAULT_LATCHED, messages.STALE, messages.OUT_OF_RANGE):
                raise


def _is_ending() -> bool:
    """Whether this task was cancelled. What is cancelled while a link ends may answer with that link's error instead."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
