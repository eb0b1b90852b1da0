"""Runs a plan on a device: configure, compare limits, arm, start, ramp, hold, stop.

One loop decides and, in the same breath, renews the lease: if the loop hangs, the lease lapses. There is no
helper task.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from kinetens.errors import LinkLost, RequestRefused, RequestTimeout, StimulationRefused
from kinetens.stim import words
from kinetens.stim.button import until_button_held
from kinetens.stim.channel import StimulationChannel
from kinetens.stim.plan import StimulationPlan
from kinetens_protocol import ProtocolError, limits, messages, stimulation
from kinetens_protocol.limits import Bound
from kinetens_protocol.stimulation import Command, Configure, FaultReport, State

LOOP_S = 0.25
CONTACT_CHECK_S = 2.0
STOPPED_S = 2.0
STALE_S = 0.6
"""A device that is not idle tells its state every 0.2 s; an older one is asked for again."""

_ACTIVE = (stimulation.CHECKING_CONTACT, stimulation.ARMED, stimulation.RUNNING, stimulation.RAMPING_DOWN)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: the cause (stimulation.CAUSES) and the fault (stimulation.FAULTS), and the last
    state.
    """

    cause: int
    fault: int
    last: State

    @property
    def sentence(self) -> str:
        """For a person."""
        return words.fault(self.fault) if self.fault else words.cause(self.cause)


class StimulationController:
    """One run of a plan. `stop` may be called at any time and from anywhere in the loop's thread.

    Args:
        channel: the stimulation characteristic (LinkChannel for a kinetens.device.Link).
        plan: what to give.
        serial: the device's serial number (control.Info), to which the plan is bound.
        member: the identifier of the member for whom the plan is.
        board: what the device's board narrows, by limit code, when known; else the board's own word is taken.
        on_state: called with every State the device sends.
        on_fault: called with every FaultReport.
        on_button_needed: called once when the device waits for its button.
    """

    def __init__(
        self,
        channel: StimulationChannel,
        plan: StimulationPlan,
        *,
        serial: str,
        member: str,
        board: Mapping[int, int] | None = None,
        on_state: Callable[[State], None] | None = None,
        on_fault: Callable[[FaultReport], None] | None = None,
        on_button_needed: Callable[[], None] | None = None,
    ) -> None:
        self.plan = plan
        self.state: State | None = None
        self.limits: dict[int, Bound] = plan.effective(board)
        self.goal_ua = min(plan.start_ua, plan.program.current_ua)
        """Where the output is to go: the plan's start, then what the member chose."""
        self._channel = channel
        self._device_tag = stimulation.tag(serial)
        self._member_tag = stimulation.tag(member)
        self._board = board
        self._on_state = on_state
        self._on_fault = on_fault
        self._on_button_needed = on_button_needed
        self._counter = 0
        self._state_at_s = 0.0
        self._stopping = False

    async def run(self) -> Outcome:
        """Give the plan and return how it ended; the output is off, or left to its lease, whatever happens.

        Raises StimulationRefused (the plan, the limits, the button, the contact), RequestRefused,
        RequestTimeout, LinkLost.
        """
        self.plan.check(self.limits)
        take_off = self._channel.on_event(self._event)
        try:
            await self._synchronise()
            await self._configure()
            await self._arm()
            await self._hold()
            return await self._outcome()
        except RequestRefused as error:
            if self._stopping:
                return await self._outcome()
            reason = words.refusal(error.reason, error.refusal)
            raise StimulationRefused(f"the device refused: {reason}") from error
        finally:
            take_off()
            if self.state is None or self.state.state in _ACTIVE:
                with suppress(RequestRefused, RequestTimeout, LinkLost):
                    await asyncio.shield(self._channel.request(stimulation.STOP))

    async def stop(self) -> None:
        """Ramp to zero. Asks the device at once and ends the loop; without a link the lease does it."""
        self._stopping = True
        with suppress(RequestRefused, RequestTimeout, LinkLost):
            await self._channel.request(stimulation.STOP)

    def change_level(self, by_ua: int) -> int:
        """Let the member have more or less, never more than the plan's current; returns the new goal in µA.

        The loop goes there: down at once, up within the plan's step and slew.
        """
        self.goal_ua = min(max(0, self.goal_ua + by_ua), self.plan.program.current_ua)
        return self.goal_ua

    @property
    def step_ua(self) -> int:
        """The most by which the output rises at once."""
        return self.limits[limits.STEP].value

    async def _synchronise(self) -> None:
        """Continue the counter of this connection."""
        self._counter = max(self._counter, (await self._ask_state()).counter)

    async def _configure(self) -> None:
        plan = self.plan
        self._counter += 1
        configure = Configure(
            self._counter,
            plan.flags,
            round(plan.lease_s * 1000),
            self._device_tag,
            self._member_tag,
            plan.program,
            tuple(plan.limits.items()),
        )
        await self._channel.request(stimulation.CONFIGURE, stimulation.pack_configure(configure))
        self.limits = _agreed(self.limits, await self._read_limits(), trust_board=self._board is None)
        plan.check(self.limits)

    async def _read_limits(self) -> dict[int, Bound]:
        rows: list[Bound] = []
        while True:
            total, more = stimulation.unpack_bounds(
                await self._channel.request(stimulation.LIMITS, bytes([len(rows)]))
            )
            rows += more
            if len(rows) >= total or not more:
                return {row.code: row for row in rows}

    async def _arm(self) -> None:
        """Wait for the device's button and a good contact."""
        await until_button_held(
            lambda: self._command(stimulation.ARM), self._on_button_needed, lambda: self._stopping
        )
        state = await self._wait_while(stimulation.CHECKING_CONTACT, CONTACT_CHECK_S)
        if state.state != stimulation.ARMED and not self._stopping:
            reason = words.fault(state.fault) if state.fault else words.cause(state.cause)
            raise StimulationRefused(f"not armed: {reason} ({state.impedance_ohm} ohm)")

    async def _hold(self) -> None:
        """Start, then the loop: look, decide, renew."""
        if not self._stopping:
            await self._command(stimulation.START)
            await self._ask_state()  # what is known is from before the start
        ends_s = _now_s() + self.plan.minutes * 60
        while not self._stopping and _now_s() < ends_s:
            state = await self._fresh_state()
            if state.state != stimulation.RUNNING:
                return
            try:
                await self._command(stimulation.RENEW)
                if state.target_ua > self.goal_ua:
                    await self._command(stimulation.SET_LEVEL, self.goal_ua)
                elif state.target_ua < self.goal_ua and state.level_ua >= state.target_ua:
                    await self._command(
                        stimulation.SET_LEVEL, min(state.level_ua + self.step_ua, self.goal_ua)
                    )
            except RequestRefused as error:
                if error.reason not in (messages.WRONG_STATE, messages.FAULT_LATCHED):
                    raise
                return
            await asyncio.sleep(LOOP_S)
        if not self._stopping:
            await self._channel.request(stimulation.STOP)

    async def _outcome(self) -> Outcome:
        state = await self._wait_while(stimulation.RAMPING_DOWN, STOPPED_S)
        return Outcome(state.cause, state.fault, state)

    async def _wait_while(self, state: int, at_most_s: float) -> State:
        give_up_s = _now_s() + at_most_s
        now = await self._ask_state()
        while now.state == state and _now_s() < give_up_s:
            await asyncio.sleep(LOOP_S / 5)
            now = await self._ask_state()
        return now

    async def _fresh_state(self) -> State:
        if self.state is None or _now_s() - self._state_at_s > STALE_S:
            return await self._ask_state()
        return self.state

    async def _ask_state(self) -> State:
        state = stimulation.unpack_state(await self._channel.request(stimulation.STATE))
        self._take_state(state)
        return state

    async def _command(self, operation: int, value: int = 0) -> None:
        self._counter += 1
        await self._channel.request(
            operation, stimulation.pack_command(operation, Command(self._counter, value))
        )

    def _event(self, code: int, payload: bytes) -> None:
        try:
            if code == stimulation.STATE_EVENT:
                self._take_state(stimulation.unpack_state(payload))
            elif code == stimulation.FAULT_EVENT and self._on_fault is not None:
                self._on_fault(stimulation.unpack_fault_report(payload))
        except ProtocolError:
            return

    def _take_state(self, state: State) -> None:
        self.state = state
        self._state_at_s = _now_s()
        if self._on_state is not None:
            self._on_state(state)


def _agreed(ours: dict[int, Bound], theirs: dict[int, Bound], *, trust_board: bool) -> dict[int, Bound]:
    """The device's effective limits, when they are ours, or stricter because of a board that we do not know.

    Raises StimulationRefused naming the first limit on which both sides differ.
    """
    for code, bound in ours.items():
        limit = limits.BY_CODE[code]
        other = theirs.get(code)
        if other is None:
            raise StimulationRefused(f"the device does not know the limit of {limit.name}; update the device")
        by_board = trust_board and other.source == limits.BOARD
        if other.value != bound.value and not (by_board and limits.stricter(limit, other.value, bound.value)):
            raise StimulationRefused(
                f"host and device disagree on the {limit.name}: {words.quantity(code, bound.value)} here, "
                f"{words.quantity(code, other.value)} there; update both"
            )
    return theirs


def _now_s() -> float:
    return asyncio.get_running_loop().time()
