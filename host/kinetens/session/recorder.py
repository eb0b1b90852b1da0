"""Record a device's stream to a session file and measure it as it comes."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import kinetens
from kinetens.device.decode import decode_frames
from kinetens.device.link import Frame, Link
from kinetens.errors import KinetensError, LinkLost, OutputNotWritable, RequestTimeout
from kinetens.motion.measurement import MovementMeter
from kinetens.motion.repetitions import RepetitionEvent
from kinetens.session.header import SessionHeader
from kinetens.session.writer import SessionWriter
from kinetens_protocol import VERSION_MAJOR, ProtocolError, control, messages

_FIRST_EXCHANGES = 8
_EXCHANGE_EVERY_S = 5.0
_COMMIT_EVERY_S = 0.25
_LAST_FRAMES_S = 1.0
_TICK_S = 0.1
_CALIBRATION_SINCE_MINOR = 1


@dataclass(slots=True)
class LiveState:
    """What a person watching wants to know now."""

    meter: MovementMeter = field(default_factory=MovementMeter)
    received: int = 0
    missing: int = 0
    next_index: int = 0
    latest_frame_us: int = 0
    status: control.Status | None = None


class Recorder:
    """Made by `recording`. `live` changes as frames come; `on_repetition` is called for each event at
    once.
    """

    def __init__(
        self,
        link: Link,
        writer: SessionWriter,
        on_repetition: Callable[[RepetitionEvent], None] | None = None,
    ) -> None:
        self.link = link
        self.writer = writer
        self.live = LiveState()
        self.failure: Exception | None = None
        self._on_repetition = on_repetition
        self._stream: control.Stream | None = None

    async def start(self, rate_hz: int, *, raw: bool = False) -> control.Stream:
        """Place the device's clock and start its stream. Raises as `Link.request` does."""
        for _ in range(_FIRST_EXCHANGES):
            await self._exchange_time()
        self._stream = await self.link.start_stream(rate_hz, raw=raw)
        self.note("stream", f"started at {rate_hz} Hz")
        return self._stream

    async def stop(self) -> None:
        """Stop the stream and wait for what is on its way. Raises as `Link.request` does, and what kept
        the last frames from being recorded.
        """
        if self._stream is None:
            return
        status = await self.link.stop_stream()
        self.live.status = status
        with contextlib.suppress(asyncio.TimeoutError):
            async with asyncio.timeout(_LAST_FRAMES_S):
                while self.live.next_index < status.produced:
                    await asyncio.sleep(0.05)
        self.live.missing += status.produced - self.live.next_index
        self.live.next_index = status.produced
        self._measured(self.live.meter.finish())
        self._stream = None
        if self.failure is not None:
            raise self.failure

    async def keep_time(self) -> None:
        """Exchange times and commit until cancelled; raises LinkLost when the link is."""
        loop = asyncio.get_running_loop()
        next_exchange_s = loop.time() + _EXCHANGE_EVERY_S
        while True:
            await asyncio.sleep(_COMMIT_EVERY_S)
            self.writer.commit_when_due(self.link.now_us())
            if self.failure is not None:
                raise self.failure
            if self.link.lost.is_set():
                raise LinkLost(f"the connection to {self.link.name} was lost; what arrived is kept")
            if loop.time() >= next_exchange_s:
                next_exchange_s = loop.time() + _EXCHANGE_EVERY_S
                with contextlib.suppress(RequestTimeout):
                    await self._exchange_time()

    def note(self, kind: str, text: str) -> None:
        """Keep a fact that the host knows."""
        self.writer.event(self.link.now_us(), kind, text)

    def receive(self, frame: Frame) -> None:
        """Keep a frame, then look at what is in it."""
        if self.failure is not None:
            return
        try:
            self.writer.frame(frame.channel, frame.received_us, frame.data)
            if frame.channel == "motion":
                self._take_motion(frame)
            elif frame.channel == "control":
                self._take_control(frame.data)
        except Exception as error:  # a full disk, say: stop recording; `keep_time` and `stop` raise it
            self.failure = error

    async def _exchange_time(self) -> None:
        exchange = await self.link.exchange_time()
        self.writer.exchange(
            exchange.host_sent_us,
            exchange.device_received_us,
            exchange.device_sent_us,
            exchange.host_received_us,
        )

    def _take_motion(self, frame: Frame) -> None:
        decoded = decode_frames([frame.data])
        if not decoded.headers or (self._stream and decoded.headers[0].session_id != self._stream.session_id):
            return
        live = self.live
        fresh = decoded.valid & (decoded.index >= live.next_index)
        if not np.any(fresh):
            return
        indexes = decoded.index[fresh]
        live.missing += int(indexes[-1]) + 1 - live.next_index - len(indexes)
        live.received += len(indexes)
        live.next_index = int(indexes[-1]) + 1
        live.latest_frame_us = frame.received_us
        times_s = decoded.device_time_us[fresh] / 1e6
        self._measured(live.meter.update(times_s, decoded.quaternion[fresh], decoded.rest[fresh]))

    def _take_control(self, data: bytes) -> None:
        with contextlib.suppress(ProtocolError):  # a malformed event is kept in the record as it came
            message = messages.unpack_message(data)
            if message.kind == messages.EVENT and message.code == control.STATUS_EVENT:
                self.live.status = control.unpack_status(message.payload)

    def _measured(self, events: list[RepetitionEvent]) -> None:
        if self._on_repetition is not None:
            for event in events:
                self._on_repetition(event)


@asynccontextmanager
async def recording(
    link: Link,
    writer: SessionWriter,
    on_repetition: Callable[[RepetitionEvent], None] | None = None,
) -> AsyncGenerator[Recorder]:
    """Record everything that arrives on a link while the block runs; ends the session with its reason."""
    recorder = Recorder(link, writer, on_repetition)
    link.listeners.append(recorder.receive)
    try:
        yield recorder
    except LinkLost:
        writer.finish("the link was lost")
        raise
    except OutputNotWritable:
        raise
    except KinetensError as error:
        writer.finish(str(error))
        raise
    except asyncio.CancelledError:
        writer.finish("stopped by the user")
        raise
    else:
        writer.finish("completed")
    finally:
        link.listeners.remove(recorder.receive)
        writer.close()


@dataclass(frozen=True, slots=True)
class RecordingPlan:
    """What to record, where to, and until when: whichever of seconds, repetitions and stop_requested comes first."""

    folder: Path
    exercise: str
    side: str = ""
    placement: str = ""
    rate_hz: int = 100
    raw: bool = False
    seconds: float | None = None
    repetitions: int | None = None
    stop_requested: Callable[[], bool] | None = None
    """Asked ten times a second whether the user wants to end."""
    seed: int | None = None
    on_repetition: Callable[[RepetitionEvent], None] | None = None
    on_tick: Callable[[Recorder], None] | None = None
    """Called ten times a second, to show what goes on."""
    before: Callable[[Recorder], Awaitable[None]] | None = None
    """Done first, while everything that arrives is recorded already: stimulation, for one."""
    movement: bool = True
    """Whether the sensor is recorded at all; without it the session is what is done before."""
    stimulation: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The plan of stimulation that is given, as plain JSON values, for the header."""


async def record(link: Link, plan: RecordingPlan) -> Recorder:
    """Record one session as planned; its file is complete and closed when this returns or raises.

    Raises NoMotion before anything is written. Raises OutputNotWritable, LinkLost, RequestRefused, RequestTimeout; what
    arrived until then is kept.
    """
    info = await link.info()
    await link.require_motion()
    calibration = await link.calibration() if link.minor_version >= _CALIBRATION_SINCE_MINOR else None
    writer = SessionWriter.create(plan.folder, _header(link, info, calibration, plan))
    async with recording(link, writer, plan.on_repetition) as recorder:
        recorder.note("connected", f"{info.name}, {info.board} board, firmware {info.firmware}")
        keeping = asyncio.ensure_future(recorder.keep_time())
        try:
            if plan.before is not None:
                await _unless_fails(keeping, plan.before(recorder))
            if plan.movement:
                await _record_movement(recorder, plan, keeping)
        finally:
            keeping.cancel()
    return recorder


async def _record_movement(recorder: Recorder, plan: RecordingPlan, keeping: asyncio.Future[None]) -> None:
    await recorder.start(plan.rate_hz, raw=plan.raw)
    try:
        await _unless_fails(keeping, _until_done(recorder, plan))
    finally:
        if not recorder.link.lost.is_set():
            await recorder.stop()


async def _until_done(recorder: Recorder, plan: RecordingPlan) -> None:
    loop = asyncio.get_running_loop()
    end_s = loop.time() + plan.seconds if plan.seconds is not None else None
    while end_s is None or loop.time() < end_s:
        await asyncio.sleep(_TICK_S if end_s is None else min(_TICK_S, max(0.0, end_s - loop.time())))
        if plan.on_tick is not None:
            plan.on_tick(recorder)
        if plan.stop_requested is not None and plan.stop_requested():
            return
        if plan.repetitions is not None and len(recorder.live.meter.repetitions) >= plan.repetitions:
            return


async def _unless_fails(keeping: asyncio.Future[None], work: Awaitable[None]) -> None:
    """Do some work; if keeping the record fails meanwhile, stop and raise that."""
    doing = asyncio.ensure_future(work)
    try:
        await asyncio.wait((keeping, doing), return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not doing.done():
            doing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await doing
    if keeping.done():
        await keeping
    await doing


def _header(
    link: Link, info: control.Info, calibration: control.Calibration | None, plan: RecordingPlan
) -> SessionHeader:
    return SessionHeader(
        session_uuid=str(uuid.uuid4()),
        created_utc=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        host_time_zero_us=link.now_us(),
        exercise=plan.exercise,
        side=plan.side,
        placement=plan.placement,
        software_version=kinetens.__version__,
        protocol_version=f"{VERSION_MAJOR}.{link.minor_version}",
        device=info._asdict(),
        calibration=calibration._asdict() if calibration else {},
        stream={"rate_hz": plan.rate_hz, "raw": plan.raw} if plan.movement else {},
        stimulation=plan.stimulation,
        seed=plan.seed,
    )
