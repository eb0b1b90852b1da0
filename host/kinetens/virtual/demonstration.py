"""The main job in one run: a member has pain relief by stimulation, then does a set of exercises, on a virtual device."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import degrees
from pathlib import Path

from kinetens.device.discovery import find
from kinetens.device.link import connect
from kinetens.errors import StimulationRefused
from kinetens.motion.repetitions import summarise
from kinetens.report import write_report
from kinetens.session.reader import Session
from kinetens.session.recorder import Recorder, RecordingPlan, record
from kinetens.session.samples import SampleCounts
from kinetens.stim.channel import LinkChannel
from kinetens.stim.controller import Outcome, StimulationController
from kinetens.stim.plan import StimulationPlan, default_plan
from kinetens.virtual import clock
from kinetens.virtual.member import GeneratedMember
from kinetens.virtual.pulse_judge import PulseSummary, judge, summary
from kinetens.virtual.simulation import Simulation, SimulationOptions, simulate

STIMULATION_S = 30.0
EXERCISE_AT_S = 50.0
"""When the member begins to exercise: well after the stimulation, which needs a button press, a check and a ramp."""
_BUTTON_HELD_S = 0.7
_MEMBER = "demonstration"
_SCAN_S = 3.0


@dataclass(frozen=True, slots=True)
class Demonstration:
    """What happened. Pulses and charge are the output stage's own record, not what the firmware says."""

    seed: int
    virtual_s: float
    wall_s: float
    counted: int
    performed: int
    range_deg: tuple[float, float, float] | None
    """Median, least, greatest."""
    samples: SampleCounts
    stimulation: PulseSummary
    stimulation_ended: str
    frames_sha256: str
    session: Path
    report: Path

    @property
    def speed(self) -> float:
        """Times real time."""
        return self.virtual_s / self.wall_s


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who wants to see what goes on."""

    says: Callable[[str], None]
    """Takes what begins now, in words."""
    ticks: Callable[[Recorder], None]
    """Called ten times a second while the member exercises."""


def demonstrate(options: SimulationOptions, out: Path, watcher: Watcher) -> Demonstration:
    """Run the demonstration; session and report are written to `out`.

    Raises KinetensError: the folder cannot be written, the virtual device cannot start.
    """
    began_s = time.monotonic()
    options = options.model_copy(update={"start_s": EXERCISE_AT_S})
    recorded = clock.run(_in_world(options, out, watcher), real_time=options.real_time)
    watcher.says("Writing the report.")
    with Session.open(recorded.path) as session:
        report = out / "report.html"
        write_report(session, report, force=True)
        counts = session.samples().counts
        digest = session.frames_sha256()
    return Demonstration(
        seed=options.seed,
        virtual_s=recorded.virtual_s,
        wall_s=time.monotonic() - began_s,
        counted=recorded.counted,
        performed=options.performed,
        range_deg=recorded.range_deg,
        samples=counts,
        stimulation=recorded.pulses,
        stimulation_ended=recorded.stimulation_ended,
        frames_sha256=digest,
        session=recorded.path,
        report=report,
    )


@dataclass(frozen=True, slots=True)
class _Recorded:
    path: Path
    virtual_s: float
    counted: int
    range_deg: tuple[float, float, float] | None
    pulses: PulseSummary
    stimulation_ended: str


class _Stimulation:
    """The stimulation before the exercise, and when it may have given pulses."""

    def __init__(self, simulation: Simulation, watcher: Watcher) -> None:
        self.ended = "not started"
        self.from_s = self.until_s = 0.0
        self._simulation = simulation
        self._watcher = watcher
        self.plan: StimulationPlan = default_plan(STIMULATION_S / 60, answers_ok=True)

    async def run(self, recorder: Recorder) -> None:
        """Give the plan; the member holds the device's button when asked. A refusal does not end the session."""
        self._watcher.says(
            f"Stimulation: up to {self.plan.current_ma:g} mA for {STIMULATION_S:g} s, before the exercise."
        )
        holding: list[asyncio.Task[None]] = []

        def hold_button() -> None:
            press = self._simulation.device.hold_button(_BUTTON_HELD_S)
            holding.append(asyncio.get_running_loop().create_task(press))

        controller = StimulationController(
            LinkChannel(recorder.link),
            self.plan,
            serial=(await recorder.link.info()).serial,
            member=_MEMBER,
            on_button_needed=hold_button,
        )
        self.from_s = self._simulation.world.now_s()
        recorder.note("stimulation", f"plan '{self.plan.name}' begins")
        try:
            outcome: Outcome = await controller.run()
            self.ended = outcome.sentence
        except StimulationRefused as error:
            self.ended = str(error)
        await asyncio.gather(*holding)
        self.until_s = self._simulation.world.now_s()
        recorder.note("stimulation", self.ended)


async def _in_world(options: SimulationOptions, out: Path, watcher: Watcher) -> _Recorded:
    async with simulate(options) as simulation:
        world = simulation.world
        watcher.says("Looking for the device.")
        found = await find(simulation.adapter, "", _SCAN_S)
        async with connect(simulation.adapter, found) as link:
            stimulation = _Stimulation(simulation, watcher)

            async def before(recorder: Recorder) -> None:
                await stimulation.run(recorder)
                watcher.says(f"The member exercises: {options.performed} repetitions.")

            member = simulation.member
            plan = RecordingPlan(
                folder=out,
                exercise="generated movement"
                if isinstance(member, GeneratedMember)
                else "shoulder abduction",
                side="right",
                placement="wrist",
                seed=options.seed,
                before=before,
                on_tick=watcher.ticks,
                stop_requested=simulation.member_has_finished,
            )
            recorder = await record(link, plan)
            virtual_s = world.now_s()
        stage = simulation.device.hardware.output_stage
        assert stage is not None
        stage.finish(world.now_s())
        permitted = [(stimulation.from_s, stimulation.until_s)]
        pad_area_mm2 = stimulation.plan.program.pad_area_mm2
        violations = judge(stage.record, stimulation.plan.effective(), pad_area_mm2, permitted)
        repetitions = recorder.live.meter.repetitions
        ranges = summarise(repetitions)
        return _Recorded(
            path=recorder.writer.path,
            virtual_s=virtual_s,
            counted=len(repetitions),
            range_deg=ranges
            and (degrees(ranges.median_rad), degrees(ranges.min_rad), degrees(ranges.max_rad)),
            pulses=summary(stage.record, violations),
            stimulation_ended=stimulation.ended,
        )
