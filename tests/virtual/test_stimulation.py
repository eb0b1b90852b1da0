"""Stimulation on a whole virtual device: what motion ends, and what its log keeps. Judged on the pulses."""

import asyncio
from struct import pack

import numpy as np
import pytest

from kinetens.device.link import Link
from kinetens.stim.channel import LinkChannel
from kinetens.stim.controller import Outcome, StimulationController
from kinetens.stim.plan import StimulationPlan, default_plan
from kinetens.virtual.device import VirtualDevice
from kinetens.virtual.motion_source import STANDARD_GRAVITY_M_S2, Array, MotionSource, StillMotion
from kinetens.virtual.pulse_judge import Stop, judge
from kinetens.virtual.world import World
from kinetens_protocol import stimulation, stimulation_log
from kinetens_protocol.stimulation_log import LogEntry
from tests.virtual.worlds import in_world, linked, still_device

BEGINS_S = 12.0
"""World time of what happens to the member, well after the output began to run."""


class Scene:
    """Lies still, then turns at rate_dps about x and feels force_g along z for a while."""

    def __init__(self, rate_dps: float, force_g: float, lasts_s: float) -> None:
        self._rate_rad_s = np.radians(rate_dps)
        self._force_m_s2 = force_g * STANDARD_GRAVITY_M_S2
        self._lasts_s = lasts_s

    def sample(self, times_s: Array) -> tuple[Array, Array]:
        """See MotionSource."""
        rates, forces = StillMotion().sample(times_s)
        on = (times_s >= BEGINS_S) & (times_s < BEGINS_S + self._lasts_s)
        rates[on, 0] = self._rate_rad_s
        forces[on, 2] = self._force_m_s2
        return rates, forces


async def give(device: VirtualDevice, link: Link, plan: StimulationPlan) -> Outcome:
    """Run a plan; the member holds the button when asked."""
    presses: list[asyncio.Task[None]] = []

    def press() -> None:
        presses.append(asyncio.get_running_loop().create_task(device.hold_button(0.7)))

    serial = (await link.info()).serial
    controller = StimulationController(
        LinkChannel(link), plan, serial=serial, member="member-7", on_button_needed=press
    )
    outcome = await controller.run()
    await asyncio.gather(*presses)
    return outcome


async def read_log(link: Link) -> list[LogEntry]:
    """All of the log; each page verifies by itself and joins the one before."""
    entries: list[LogEntry] = []
    start, check = 0, stimulation_log.NO_CHECK
    while True:
        answer = await link.request("stimulation", stimulation.READ_LOG, pack("<I", start))
        page = stimulation_log.unpack_page(answer)
        assert page.before == check
        if not page.entries:
            return entries
        entries += page.entries
        start, check = page.entries[-1].sequence + 1, page.after


def given(motion: MotionSource, plan: StimulationPlan) -> tuple[Outcome, VirtualDevice]:
    async def work(world: World):
        device = await world.device(motion)
        async with linked(world) as link:
            outcome = await give(device, link, plan)
        stage = device.hardware.output_stage
        assert stage is not None
        stage.finish(world.now_s())
        return outcome, device

    return in_world(work)


PLAN = default_plan(0.4, answers_ok=True)


@pytest.mark.parametrize(
    ("rate_dps", "force_g", "lasts_s", "cause", "seen_s"),
    [
        (5.0, 0.05, 0.4, stimulation.FREE_FALL, 0.15),
        (0.0, 10.0, 0.05, stimulation.VIOLENT_MOTION, 0.0),
        (60.0, 1.0, 5.0, stimulation.MOVEMENT, 0.8),
        (0.0, 1.0, 1.0, stimulation.SESSION_OVER, 99.0),
    ],
)
def test_motion_ends_the_output(rate_dps: float, force_g: float, lasts_s: float, cause: int, seen_s: float):
    """Two polls of the sensor, 40 ms each, lie between the movement and the supervisor."""
    outcome, device = given(Scene(rate_dps, force_g, lasts_s), PLAN)
    assert outcome.cause in (cause, stimulation.BY_HOST if cause == stimulation.SESSION_OVER else cause)
    stage = device.hardware.output_stage
    assert stage is not None
    stops = [Stop("motion", BEGINS_S + seen_s, 0.3 + 0.1)]
    assert judge(stage.record, PLAN.effective(), stops=stops) == []


def test_a_plan_that_permits_movement_goes_on_through_an_exercise():
    outcome, _ = given(Scene(60.0, 1.0, 5.0), PLAN.model_copy(update={"during_movement": True}))
    assert outcome.cause in (stimulation.SESSION_OVER, stimulation.BY_HOST)


def test_the_log_tells_the_session_and_outlives_a_restart():
    async def work(world: World):
        device = await still_device(world)
        async with linked(world) as link:
            await give(device, link, PLAN)
            before = await read_log(link)
        device.power_off()
        await device.boot()
        async with linked(world) as link:
            return before, await read_log(link)

    before, after = in_world(work)
    commands = [entry.code for entry in before if entry.kind == stimulation_log.COMMAND]
    assert commands[:3] == [stimulation.CONFIGURE, stimulation.ARM, stimulation.START]
    assert sum(entry.renewals for entry in before) > 50
    assert after[: len(before)] == before
    assert [entry.kind for entry in after[len(before) :]] == [stimulation_log.BOOT]
    assert after[-1].boot == before[0].boot + 1


def test_a_device_cut_off_while_running_keeps_what_it_was_told():
    async def work(world: World):
        device = await still_device(world)
        async with linked(world) as link:
            running = asyncio.ensure_future(give(device, link, PLAN))
            await asyncio.sleep(8.0)
            device.power_off()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        await device.boot()
        async with linked(world) as link:
            state = stimulation.unpack_state(await link.request("stimulation", stimulation.STATE))
            return state, await read_log(link)

    state, entries = in_world(work)
    assert state.state == stimulation.IDLE
    assert state.day_left_ms <= 7_200_000 - 24_000, "the whole session counts"
    codes = [entry.code for entry in entries if entry.kind == stimulation_log.COMMAND]
    assert codes[:3] == [stimulation.CONFIGURE, stimulation.ARM, stimulation.START]
    assert stimulation.SET_LEVEL in codes
    assert entries[-1].kind == stimulation_log.BOOT
