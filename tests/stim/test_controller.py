"""The controller against the real supervisor, in virtual time: what it does, and what happens when it cannot."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from kinetens.errors import LinkLost, RequestRefused, StimulationRefused
from kinetens.stim.channel import EventHandler, LinkChannel
from kinetens.stim.controller import StimulationController
from kinetens.stim.plan import StimulationPlan, default_plan
from kinetens.virtual.output_stage import OPEN, SKIN
from kinetens.virtual.pulse_judge import Stop, judge, summary
from kinetens_protocol import limits, messages, stimulation
from kinetens_protocol.stimulation import FaultReport, State
from tests.stim.bench import MEMBER, SERIAL, TICK_S, Bench

ANSWER_S = 0.03


@pytest.fixture(autouse=True)
def flash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop that does not wait: its clock jumps to what is due."""

    _now_s = 0.0

    def time(self) -> float:
        return self._now_s

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self._now_s = max(self._now_s, self._scheduled[0].when())  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


class Device:
    """A bench behind a channel with delay, ticked by the loop, with a member who holds the button when asked."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.connected = True
        self.handlers: list[EventHandler] = []
        self.requests: list[int] = []

    async def request(self, operation: int, payload: bytes = b"") -> bytes:
        self.requests.append(operation)
        await asyncio.sleep(ANSWER_S)
        if not self.connected:
            raise LinkLost("the connection was lost")
        try:
            answer = self.bench.request(operation, payload)
        except messages.Refused as refused:
            raise RequestRefused(refused.reason, refused.refusal) from refused
        await asyncio.sleep(ANSWER_S)
        return answer

    def on_event(self, handler: EventHandler) -> Callable[[], None]:
        self.handlers.append(handler)
        return lambda: self.handlers.remove(handler)

    async def live(self) -> None:
        supervisor, telemetry, buffer = self.bench.supervisor, self.bench.channel.telemetry, bytearray(64)
        while True:
            self.bench.world.pass_time(max(0.0, asyncio.get_running_loop().time() - self.bench.world.now_s))
            supervisor.tick()
            while event := telemetry.take_event():
                end = telemetry.event_into(event, buffer, 0)
                for handler in list(self.handlers):
                    handler(event, bytes(buffer[:end]))
            await asyncio.sleep(TICK_S)

    def press(self, held_s: float = 0.7) -> None:
        self.bench.supervisor.button(True)
        asyncio.get_running_loop().call_later(held_s, self.bench.supervisor.button, False)


def run(scene: Callable[[Device], Coroutine[Any, Any, Any]]) -> Device:
    device = Device()

    async def whole() -> None:
        living = asyncio.create_task(device.live())
        try:
            await scene(device)
            await asyncio.sleep(1)
        finally:
            living.cancel()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(whole())
    assert judge(device.bench.record) == []
    assert device.handlers == []
    return device


def controller(device: Device, plan: StimulationPlan | None = None, **more: Any) -> StimulationController:
    more.setdefault("on_button_needed", device.press)
    more = {"serial": SERIAL, "member": MEMBER, **more}
    return StimulationController(device, plan or default_plan(0.2, answers_ok=True), **more)


@pytest.mark.parametrize("late_ms", range(0, 60, 5))
def test_a_start_at_any_moment_between_two_looks_of_the_device_is_given_to_its_end(late_ms: int):
    async def scene(device: Device) -> None:
        await asyncio.sleep(late_ms / 1000)
        outcome = await controller(device).run()
        assert outcome.sentence == "the session's time is over"
        assert device.bench.supervisor.state == stimulation.IDLE

    run(scene)


def test_a_plan_is_given_from_button_to_end():
    states: list[State] = []

    async def scene(device: Device) -> None:
        outcome = await controller(device, on_state=states.append).run()
        assert outcome.sentence == "the session's time is over"

    device = run(scene)
    found = summary(device.bench.record)
    assert 9 < found.peak_current_ma <= 15
    assert found.net_charge_uc == 0
    assert stimulation.RUNNING in {state.state for state in states}


def test_renewals_come_from_the_loop_that_decides():
    async def scene(device: Device) -> None:
        control = controller(device)
        running = asyncio.create_task(control.run())
        await asyncio.sleep(4)
        assert device.bench.state().state == stimulation.RUNNING
        real = control._fresh_state

        async def stuck() -> State:
            await asyncio.sleep(5)
            return await real()

        control._fresh_state = stuck  # type: ignore[method-assign]
        stuck_s = device.bench.world.now_s
        await asyncio.sleep(3)
        assert device.bench.state().cause == stimulation.LEASE_LAPSED
        assert judge(device.bench.record, stops=[Stop("hang", stuck_s, 0.5 + 1.0 + 0.3)]) == []
        await running

    run(scene)


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.2, 0.5, 1.0, 1.2, 1.3, 1.4, 1.6, 3.0])
def test_stop_is_safe_at_any_time(seconds: float):
    async def scene(device: Device) -> None:
        control = controller(device)
        running = asyncio.create_task(control.run())
        await asyncio.sleep(seconds)
        stop_s = device.bench.world.now_s
        await control.stop()
        await running
        await asyncio.sleep(0.5)
        assert not device.bench.supervisor.active
        assert judge(device.bench.record, stops=[Stop("stop", stop_s, 0.4)]) == []
        await control.stop()

    run(scene)


def test_cancelling_stops_the_device():
    async def scene(device: Device) -> None:
        running = asyncio.create_task(controller(device).run())
        await asyncio.sleep(4)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await asyncio.sleep(0.5)
        assert device.bench.state().cause == stimulation.BY_HOST

    run(scene)


def test_a_lost_link_is_told_and_the_lease_ends_the_output():
    async def scene(device: Device) -> None:
        running = asyncio.create_task(controller(device).run())
        await asyncio.sleep(4)
        device.connected = False
        with pytest.raises(LinkLost):
            await running
        await asyncio.sleep(2)
        assert not device.bench.supervisor.active

    run(scene)


def test_nobody_at_the_button():
    async def scene(device: Device) -> None:
        with pytest.raises(StimulationRefused, match="button"):
            await controller(device, on_button_needed=None).run()

    assert len(run(scene).bench.record) == 0


def test_a_pad_off_is_told():
    async def scene(device: Device) -> None:
        device.bench.world.stage.attach(OPEN, device.bench.world.now_s)
        with pytest.raises(StimulationRefused, match="pad off"):
            await controller(device).run()

    run(scene)


def test_a_fault_while_running_is_the_outcome():
    reports: list[FaultReport] = []

    async def scene(device: Device) -> None:
        running = asyncio.create_task(controller(device, on_fault=reports.append).run())
        await asyncio.sleep(4)
        device.bench.world.stage.attach(OPEN, device.bench.world.now_s)
        outcome = await running
        device.bench.world.stage.attach(SKIN, device.bench.world.now_s)
        assert outcome.sentence == "a pad came off"

    run(scene)
    assert [report.fault for report in reports] == [stimulation.LEAD_OFF]


def test_unanswered_questions_are_refused_in_words():
    async def scene(device: Device) -> None:
        with pytest.raises(StimulationRefused, match="contraindications"):
            await controller(device, default_plan(0.2)).run()

    run(scene)


def test_a_plan_outside_the_envelope_never_reaches_the_device():
    async def scene(device: Device) -> None:
        plan = default_plan(0.2, answers_ok=True).model_copy(update={"current_ma": 31.0})
        with pytest.raises(StimulationRefused, match="at most 30 mA"):
            await controller(device, plan).run()
        assert device.requests == []

    run(scene)


def test_a_device_with_other_limits_is_refused():
    async def scene(device: Device) -> None:
        real = device.request

        async def other(operation: int, payload: bytes = b"") -> bytes:
            answer = await real(operation, payload)
            if operation == stimulation.LIMITS:
                _total, rows = stimulation.unpack_bounds(answer)
                bounds = {row.code: row for row in rows}
                bounds[limits.PHASE_CHARGE] = limits.Bound(limits.PHASE_CHARGE, 99_000, limits.TABLE)
                buffer = bytearray(len(answer))
                stimulation.pack_bounds_into(buffer, 0, bounds, 0)
                return bytes(buffer)
            return answer

        device.request = other  # type: ignore[method-assign]
        with pytest.raises(StimulationRefused, match="disagree on the phase charge: 10 µC here, 99 µC there"):
            await controller(device).run()

    run(scene)


def test_a_board_that_allows_less_is_believed_and_its_limit_named():
    async def scene(device: Device) -> None:
        device.bench.supervisor.board_limits = {limits.PEAK_CURRENT: 9_000}
        with pytest.raises(StimulationRefused, match="the board allows at most 9 mA"):
            await controller(device).run()

    run(scene)


def test_a_link_becomes_a_channel():
    class Frame:
        def __init__(self, channel: str, data: bytes) -> None:
            self.channel, self.data = channel, data

    class Link:
        def __init__(self) -> None:
            self.listeners: list[Callable[[Any], None]] = []

        async def request(self, channel: str, operation: int, payload: bytes = b"") -> bytes:
            return b"%s %d %s" % (channel.encode(), operation, payload)

    link = Link()
    channel = LinkChannel(link)
    events: list[tuple[int, bytes]] = []
    take_off = channel.on_event(lambda code, payload: events.append((code, payload)))
    for frame in (
        Frame("stimulation", b"\x03\x01\x05\x00state"),
        Frame("stimulation", b"\x02\x01\x05\x00\x00answer"),
        Frame("control", b"\x03\x01\x05\x00status"),
        Frame("stimulation", b""),
    ):
        for listener in list(link.listeners):
            listener(frame)
    take_off()
    assert events == [(1, b"state")]
    assert link.listeners == []
    assert asyncio.run(channel.request(7, b"x")) == b"stimulation 7 x"


def test_the_output_rises_to_the_plan_s_start_and_the_member_goes_on_from_there():
    async def scene(device: Device) -> None:
        plan = default_plan(0.5, answers_ok=True).model_copy(update={"start_ma": 3.0})
        control = controller(device, plan)
        running = asyncio.create_task(control.run())
        await asyncio.sleep(8)
        assert device.bench.state().level_ua == 3_000
        assert control.change_level(2 * control.step_ua) == 4_000
        await asyncio.sleep(3)
        assert device.bench.state().level_ua == 4_000
        control.change_level(-2_500)
        await asyncio.sleep(0.6)
        assert device.bench.state().level_ua == 1_500
        assert control.change_level(99_000) == plan.program.current_ua
        assert control.change_level(-99_000) == 0
        await control.stop()
        await running

    run(scene)
