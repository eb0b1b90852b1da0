"""Calibrate a connected device: watch its raw samples until it has lain still as needed, fit, write, read back."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import radians
from typing import Literal

import numpy as np

from kinetens.device.calibration import (
    CalibrationFailed,
    NotStill,
    SensorCalibration,
    fit_accelerometer,
    fit_gyroscope,
)
from kinetens.device.link import Frame, Link
from kinetens.device.stillness import FACES, STANDARD_GRAVITY_M_S2, StillnessWatch, StillWindow
from kinetens.errors import LinkLost
from kinetens_protocol import ProtocolError, control, motion

_SLOWEST_S = 180.0
"""Without a new position for so long, nobody is there."""
_SILENT_S = 5.0

Event = Literal["moving", "holding", "moved", "measured", "measured before", "no face"]


@dataclass(frozen=True, slots=True)
class Progress:
    """What goes on now. `moved` is movement that broke off a rest; `held` the part of the needed rest, 0 to 1."""

    event: Event
    face: str | None
    held: float
    missing: tuple[str, ...]
    """Faces still to be measured."""


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """What was found and written. Errors are the largest of any axis over the rests, before and after."""

    calibration: SensorCalibration
    windows: tuple[StillWindow, ...]
    gyr_error_before_rad_s: float
    gyr_error_after_rad_s: float
    gravity_error_before_m_s2: float
    gravity_error_after_m_s2: float


async def read_calibration(link: Link) -> SensorCalibration | None:
    """What the device corrects its sensor by; None when it has no calibration. Raises as `Link.request` does."""
    return SensorCalibration.unpack(await link.calibration())


async def write_calibration(link: Link, calibration: SensorCalibration) -> SensorCalibration:
    """Have the device keep a calibration, read it back, and return it as the device has it.

    Raises CalibrationFailed when what comes back differs, and as `Link.request` does.
    """
    packed = calibration.pack()
    await link.request("control", control.WRITE_CALIBRATION, control.pack_calibration(packed))
    if await link.calibration() != packed:
        raise CalibrationFailed(f"{link.name} did not keep the calibration as it was written; try again")
    kept = SensorCalibration.unpack(packed)
    assert kept is not None
    return kept


async def erase_calibration(link: Link) -> None:
    """Have the device forget its calibration. Raises as `Link.request` does."""
    await link.request("control", control.ERASE_CALIBRATION)


async def calibrate(
    link: Link,
    *,
    today: date,
    gyro_only: bool = False,
    watcher: Callable[[Progress], None] | None = None,
) -> CalibrationReport:
    """Measure the sensor at rest (gyro_only) or on its six faces in any order, and have the device keep the result.

    With gyro_only the accelerometer keeps what the device has for it. On any error the device keeps what it had.

    Raises NoMotion, NotStill, FacesMissing, ImplausibleSensor, CalibrationFailed, LinkLost, and as `Link.request` does.
    """
    _needs_calibration_in_protocol(link)
    before = await read_calibration(link) or _uncorrected(today)
    windows = await measure(link, () if gyro_only else FACES, watcher)
    temperature_degc = (await link.status()).temperature_cdeg / 100
    found = replace(
        before,
        made_on=today,
        temperature_degc=temperature_degc,
        gyr_offset_rad_s=fit_gyroscope(windows),
        parts=before.parts | control.GYRO_CALIBRATED,
    )
    if not gyro_only:
        offset, matrix, residual = fit_accelerometer(windows)
        found = replace(
            found,
            acc_offset_m_s2=offset,
            acc_matrix=matrix,
            residual_m_s2=residual,
            parts=control.GYRO_CALIBRATED | control.ACCEL_CALIBRATED,
        )
    kept = await write_calibration(link, found)
    return CalibrationReport(
        kept,
        tuple(windows),
        _gyr_error(before, windows),
        _gyr_error(kept, windows),
        _gravity_error(before, windows),
        _gravity_error(kept, windows),
    )


async def measure(
    link: Link, faces: Sequence[str], watcher: Callable[[Progress], None] | None = None
) -> list[StillWindow]:
    """Stream raw samples until the device has lain still on each of `faces`, in any order; without faces, anywhere.

    Raises NoMotion, NotStill, LinkLost, and as `Link.request` does.
    """
    await link.require_motion()
    info = await link.info()
    watch = StillnessWatch(
        info.sensor_rate_mhz / 1000,
        radians(info.gyro_udps_per_count * 1e-6),
        info.accel_ug_per_count * 1e-6 * STANDARD_GRAVITY_M_S2,
    )
    guide = _Guide(faces, watch, watcher)
    frames: asyncio.Queue[Frame] = asyncio.Queue()

    def take(frame: Frame) -> None:
        if frame.channel == "raw":
            frames.put_nowait(frame)

    link.listeners.append(take)
    try:
        stream = await link.start_stream(control.RATES_HZ[0], raw=True)
        await _until_done(link, guide, frames, stream.session_id)
    finally:
        link.listeners.remove(take)
        if not link.lost.is_set():
            await link.stop_stream()
    return guide.windows


async def _until_done(link: Link, guide: "_Guide", frames: asyncio.Queue[Frame], session_id: int) -> None:
    loop = asyncio.get_running_loop()
    progress_s, measured = loop.time(), 0
    while not guide.done:
        try:
            async with asyncio.timeout(_SILENT_S):
                frame = await frames.get()
        except TimeoutError as error:
            if link.lost.is_set():
                raise LinkLost(f"the connection to {link.name} was lost; nothing was changed") from error
            raise NotStill(
                f"{link.name} sends no sensor readings; see what is wrong: kinetens info"
            ) from error
        counts = _counts(frame, session_id)
        if counts is not None:
            guide.update(counts)
        if len(guide.windows) > measured:
            progress_s, measured = loop.time(), len(guide.windows)
        if loop.time() - progress_s > _SLOWEST_S:
            missing = f"; missing: {', '.join(guide.missing)}" if guide.missing else ""
            raise NotStill(
                f"the device did not lie still on a new side for {_SLOWEST_S / 60:g} minutes{missing}"
            )


class _Guide:
    """Collects windows until every wanted face has one, and tells the watcher."""

    def __init__(
        self, faces: Sequence[str], watch: StillnessWatch, watcher: Callable[[Progress], None] | None
    ) -> None:
        self.windows: list[StillWindow] = []
        self._faces = tuple(faces)
        self._watch = watch
        self._watcher = watcher
        self._held = 0.0
        self._done_here = False

    @property
    def missing(self) -> tuple[str, ...]:
        have = {window.face for window in self.windows}
        return tuple(face for face in self._faces if face not in have)

    @property
    def done(self) -> bool:
        return bool(self.windows) and not self.missing

    def update(self, counts: np.ndarray[tuple[int, ...], np.dtype[np.int16]]) -> None:
        for window in self._watch.update(counts):
            if window is not None:
                self._finish(window)
            else:
                self._follow()
            if self.done:
                return

    def _finish(self, window: StillWindow) -> None:
        face = window.face
        if not self._faces or face in self.missing:
            self.windows.append(window)
            self._tell("measured", face, 1.0)
        elif not self._done_here:
            self._tell("no face" if face is None else "measured before", face, 1.0)
        self._done_here = True
        self._held = 0.0

    def _follow(self) -> None:
        held = self._watch.held_s
        if held and not self._done_here:
            self._tell("holding", self._watch.face, min(1.0, held / self._watch.needed_s))
        elif not held and self._held:
            self._tell("moved" if not self._done_here else "moving", None, 0.0)
        if not held:
            self._done_here = False
        self._held = held

    def _tell(self, event: Event, face: str | None, held: float) -> None:
        if self._watcher is not None:
            self._watcher(Progress(event, face, held, self.missing))


def _counts(frame: Frame, session_id: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]] | None:
    """The raw samples (N, 6) of a frame of this stream."""
    try:
        header = motion.unpack_header(frame.data)
    except ProtocolError:
        return None
    if header.kind != motion.RAW or header.session_id != session_id:
        return None
    return np.frombuffer(frame.data, "<i2", offset=motion.HEADER_BYTES).reshape(-1, 6).astype(np.int16)


def _needs_calibration_in_protocol(link: Link) -> None:
    if link.minor_version < 1:
        raise CalibrationFailed(f"the firmware of {link.name} knows no calibration; update the device")


def _uncorrected(today: date) -> SensorCalibration:
    return SensorCalibration(today, np.zeros(3), np.zeros(3), np.eye(3), 0.0, 0.0, 0)


def _gyr_error(calibration: SensorCalibration, windows: Sequence[StillWindow]) -> float:
    return max(float(np.max(np.abs(calibration.corrected_gyr(window.gyr_rad_s)))) for window in windows)


def _gravity_error(calibration: SensorCalibration, windows: Sequence[StillWindow]) -> float:
    lengths = [float(np.linalg.norm(calibration.corrected_acc(window.acc_m_s2))) for window in windows]
    return max(abs(length - STANDARD_GRAVITY_M_S2) for length in lengths)
