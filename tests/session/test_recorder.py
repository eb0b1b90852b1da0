"""Recording a device: what arrives is kept, what is missing is counted, and every end leaves a good session."""

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinetens.device.calibration import SensorCalibration
from kinetens.errors import LinkLost, NoMotion, OutputNotWritable, RequestRefused
from kinetens.motion.repetitions import RepetitionEvent
from kinetens.session import Session, writer
from kinetens.session.recorder import Recorder, RecordingPlan, record
from kinetens.virtual.faults import FaultName
from kinetens.virtual.member import GeneratedMember
from kinetens.virtual.radio import RadioConditions
from kinetens.virtual.world import DeviceOptions, World
from kinetens_protocol import control
from tests.virtual.worlds import in_world, linked, still_device


def plan_for(folder: Path, **changes: object) -> RecordingPlan:
    return replace(RecordingPlan(folder, "shoulder abduction", seconds=5.0), **changes)  # type: ignore[arg-type]


def recorded(
    plan: RecordingPlan, conditions: RadioConditions | None = None, repetitions: int = 0
) -> tuple[Recorder, int]:
    """Record; returns the recorder and how many notifications the radio lost."""

    async def work(world: World):
        if repetitions:
            await world.device(GeneratedMember(repetitions, 1.0, 3, start_delay_s=8.0))
        else:
            await still_device(world)
        async with linked(world) as link:
            return await record(link, plan), len(world.radio.lost)

    return in_world(work, conditions=conditions)


def test_a_session_lasts_as_long_as_planned_and_is_whole(tmp_path: Path):
    recorder, _ = recorded(plan_for(tmp_path))
    with Session.open(recorder.writer.path) as session:
        samples = session.samples()
        assert session.ended == "completed"
        assert session.verify().frames > 50
        assert session.header.exercise == "shoulder abduction"
        assert len(session.exchanges()) in (8, 9)
    assert len(samples) == recorder.live.received == pytest.approx(500, abs=15)
    assert samples.counts.missing == recorder.live.missing == 0


def test_the_header_has_what_corrects_the_raw_counts(tmp_path: Path):
    """The device corrects what it computes orientation from; raw frames stay as the sensor gave them."""
    calibration = control.NO_CALIBRATION._replace(
        year=2026,
        month=11,
        day=25,
        parts=3,
        gyro_offset_x_udps=840_000,
        accel_offset_z_ug=-14_900,
        accel_yx_ppm=900,
    )

    async def work(world: World):
        await still_device(world, DeviceOptions(calibration=calibration))
        async with linked(world) as link:
            return await record(link, plan_for(tmp_path, raw=True, seconds=1.0))

    with Session.open(in_world(work).writer.path) as session:
        kept = control.Calibration(**session.header.calibration)
    assert kept == calibration
    found = SensorCalibration.unpack(kept)
    assert found is not None
    assert np.degrees(found.corrected_gyr(np.zeros(3))) == pytest.approx([-0.84, 0, 0])


def test_a_device_that_was_never_calibrated_says_so_in_the_header(tmp_path: Path):
    recorder, _ = recorded(plan_for(tmp_path, seconds=1.0))
    assert recorder.writer.path.exists()
    with Session.open(recorder.writer.path) as session:
        assert control.Calibration(**session.header.calibration) == control.NO_CALIBRATION


@pytest.mark.parametrize("fault", ["sensor-missing", "sensor-wrong-identity", "sensor-bus", "board-file"])
def test_a_device_without_motion_is_refused_before_anything_is_written(tmp_path: Path, fault: FaultName):
    async def work(world: World):
        await still_device(world, DeviceOptions(fault=fault))
        async with linked(world) as link:
            await record(link, plan_for(tmp_path / "out"))

    with pytest.raises(NoMotion, match=rf"gives no motion: {fault} \(.*\); if that stays"):
        in_world(work)
    assert not (tmp_path / "out").exists()


def test_times_are_compared_every_few_seconds(tmp_path: Path):
    recorder, _ = recorded(plan_for(tmp_path, seconds=21.0))
    with Session.open(recorder.writer.path) as session:
        assert len(session.exchanges()) == 8 + 4


@pytest.mark.parametrize("rate_hz", [25, 200])
def test_the_rate_and_raw_counts_are_as_asked_for(tmp_path: Path, rate_hz: int):
    recorder, _ = recorded(plan_for(tmp_path, rate_hz=rate_hz, raw=True))
    assert recorder.live.received == pytest.approx(5 * rate_hz, rel=0.05)
    with Session.open(recorder.writer.path) as session:
        assert sum(frame.data[2] for frame in session.frames("raw")) == pytest.approx(416 * 5, rel=0.05)


def test_what_the_session_says_is_missing_is_what_was_counted_live(tmp_path: Path):
    recorder, lost = recorded(plan_for(tmp_path, seconds=20.0), RadioConditions(loss=0.1))
    with Session.open(recorder.writer.path) as session:
        samples = session.samples()
    assert lost > 5
    assert samples.counts.missing == recorder.live.missing > 0
    assert recorder.live.missing + recorder.live.received == samples.counts.produced


def test_it_ends_after_so_many_repetitions_and_tells_each(tmp_path: Path):
    told: list[RepetitionEvent] = []
    plan = plan_for(tmp_path, seconds=None, repetitions=3, on_repetition=told.append)
    recorder, _ = recorded(plan, repetitions=6)
    assert 3 <= len(recorder.live.meter.repetitions) <= 4
    assert len([event for event in told if event.repetition is not None]) >= 3


def test_it_ends_when_asked_to_and_is_shown_meanwhile(tmp_path: Path):
    ticks: list[int] = []
    plan = plan_for(
        tmp_path,
        seconds=None,
        on_tick=lambda recorder: ticks.append(recorder.live.received),
        stop_requested=lambda: len(ticks) == 30,
    )
    recorder, _ = recorded(plan)
    assert ticks == sorted(ticks)
    assert recorder.live.received == pytest.approx(300, abs=15)


def test_what_comes_first_is_recorded_too_and_a_failure_in_it_ends_the_session(tmp_path: Path):
    async def before(recorder: Recorder) -> None:
        await asyncio.sleep(3.0)
        await recorder.link.request("control", 200)

    with pytest.raises(RequestRefused):
        recorded(plan_for(tmp_path, before=before))
    with Session.open(next(tmp_path.glob("*.kinetens"))) as session:
        assert session.ended == "the device refused: the device does not know this operation"
        assert len(session.statuses()) in (2, 3, 4)


def interrupted(plan: RecordingPlan, disturb, error: type[BaseException]) -> Session:
    """Record while something happens after 3 s of streaming; the error must come through."""

    async def work(world: World) -> None:
        device = await still_device(world)
        async with linked(world) as link:
            recording = asyncio.ensure_future(record(link, plan))
            await asyncio.sleep(4.0)
            disturb(device, recording)
            with pytest.raises(error):
                await recording

    in_world(work)
    return Session.open(next(plan.folder.glob("*.kinetens")))


def test_a_lost_link_ends_the_session_with_what_arrived(tmp_path: Path):
    plan = plan_for(tmp_path, seconds=100.0)
    with interrupted(plan, lambda device, _: device.power_off(), LinkLost) as session:
        assert session.ended == "the link was lost"
        assert len(session.samples()) > 250
        session.verify()


def test_a_recording_that_is_cancelled_is_finished(tmp_path: Path):
    plan = plan_for(tmp_path, seconds=100.0)
    with interrupted(plan, lambda _, task: task.cancel(), asyncio.CancelledError) as session:
        assert session.ended == "stopped by the user"
        session.verify()


def test_a_full_disk_ends_the_recording_with_its_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    kept = 0
    frame = writer.SessionWriter.frame

    def full(self: writer.SessionWriter, channel: str, received_us: int, data: bytes) -> None:
        nonlocal kept
        kept += 1
        if kept > 30:
            raise OutputNotWritable("the disk is full")
        frame(self, channel, received_us, data)

    monkeypatch.setattr(writer.SessionWriter, "frame", full)
    with pytest.raises(OutputNotWritable, match="the disk is full"):
        recorded(plan_for(tmp_path, seconds=100.0))
    with Session.open(next(tmp_path.glob("*.kinetens"))) as session:
        assert session.verify().frames == 30


def test_a_frame_that_breaks_the_measurement_is_kept_and_ends_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def broken(*_arguments: object) -> None:
        raise ArithmeticError("a broken measure")

    monkeypatch.setattr(Recorder, "_take_motion", broken)
    with pytest.raises(ArithmeticError, match="a broken measure"):
        recorded(plan_for(tmp_path, seconds=100.0))
    with Session.open(next(tmp_path.glob("*.kinetens"))) as session:
        assert session.verify().frames > 0


def test_frames_of_another_stream_and_damaged_ones_are_kept_and_not_measured(tmp_path: Path):
    async def work(world: World):
        await still_device(world)
        async with linked(world) as link:

            def inject(recorder: Recorder) -> None:
                frames = [b"", b"\x10", bytes(24), bytes([0x10, 0, 1, 0]) + bytes(28)]
                for data in frames:
                    link._received("motion", bytearray(data))

            return await record(link, plan_for(tmp_path, on_tick=inject))

    recorder = in_world(work)
    assert recorder.live.received == pytest.approx(500, abs=15)
    assert recorder.live.missing == 0
    with Session.open(recorder.writer.path) as session:
        samples = session.samples()
        assert samples.malformed > 50
        ours = samples.index[samples.stream == 0]
        assert np.array_equal(ours, np.arange(recorder.live.received))


def test_a_failure_while_the_last_frames_come_is_not_taken_for_a_complete_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The task that watches for failures is gone by then."""
    monkeypatch.setattr("kinetens.session.recorder._COMMIT_EVERY_S", 1e6)
    keep = writer.SessionWriter.frame

    def fail_late(self: writer.SessionWriter, channel: str, received_us: int, data: bytes) -> None:
        if channel == "motion" and ended:
            raise OutputNotWritable("the disk is full")
        keep(self, channel, received_us, data)

    monkeypatch.setattr(writer.SessionWriter, "frame", fail_late)
    ended: list[bool] = []

    def end() -> bool:
        ended.append(True)
        return True

    with pytest.raises(OutputNotWritable, match="the disk is full"):
        recorded(plan_for(tmp_path, stop_requested=end))
