"""A sensor's errors are found from still readings on six faces, and a device that is given them corrects by them."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from kinetens.device.calibrating import (
    Progress,
    calibrate,
    erase_calibration,
    measure,
    read_calibration,
    write_calibration,
)
from kinetens.device.calibration import (
    CalibrationFailed,
    FacesMissing,
    ImplausibleSensor,
    NotStill,
    SensorCalibration,
    fit_accelerometer,
    fit_gyroscope,
)
from kinetens.device.link import Link
from kinetens.device.stillness import FACES, StillnessWatch, StillWindow, direction, face_up
from kinetens.errors import RequestRefused
from kinetens.virtual.motion_source import StillMotion
from kinetens.virtual.six_positions import SixPositions, errors_left
from kinetens.virtual.world import DeviceOptions, World
from kinetens_protocol import control, faults, messages, motion
from tests.virtual.worlds import Heard, in_world, linked

G = 9.80665
MG = G / 1000
GYRO_COUNT, ACCEL_COUNT = np.radians(0.07), 0.488 * MG
RATE_HZ = 416.0
TODAY = date(2026, 11, 23)
OFFSET_M_S2 = np.array([12.0, -18.0, 7.0]) * MG
MATRIX = np.array([[1.004, 0.0, 0.0], [0.0, 0.997, 0.0], [0.0, 0.0, 1.002]])


def windows(
    slope_deg: float = 0.0, matrix: np.ndarray = MATRIX, offset: np.ndarray = OFFSET_M_S2, seed: int = 1
) -> list[StillWindow]:
    """What a sensor of these errors reads on each face of a table that slopes by so much, another way each time."""
    random = np.random.default_rng(seed)
    found: list[StillWindow] = []
    for face in FACES:
        slope = random.standard_normal(3)
        slope *= np.radians(slope_deg) / np.linalg.norm(np.cross(slope, direction(face)))
        force = G * Rotation.from_rotvec(slope).apply(direction(face))
        gyr = np.radians([0.8, -0.3, 0.4]) + random.normal(0, 1e-5, 3)
        found.append(StillWindow(gyr, np.linalg.solve(matrix, force) + offset, 2.0))
    return found


def usual(**changes) -> SensorCalibration:
    made = SensorCalibration(TODAY, np.radians([0.8, -0.3, 0.4]), OFFSET_M_S2, MATRIX, 0.02, 31.25)
    return replace(made, **changes)


@pytest.mark.parametrize("slope_deg", [0.0, 0.5, 2.0])
def test_offset_and_scale_are_found_on_a_table_that_is_not_level(slope_deg: float):
    offset, matrix, _ = fit_accelerometer(windows(slope_deg))
    assert np.abs(offset - OFFSET_M_S2).max() < 2 * MG
    assert np.abs(np.diag(matrix) / np.diag(MATRIX) - 1).max() < 0.001


def test_axes_that_are_not_square_are_found_on_a_level_table():
    skewed = MATRIX + 0.01 * np.array([[0.0, 1.0, -0.5], [1.0, 0.0, 0.3], [-0.5, 0.3, 0.0]])
    _, matrix, residual = fit_accelerometer(windows(0.0, skewed))
    assert np.abs(matrix - skewed).max() < 0.001
    assert residual < 2 * MG


def test_a_slope_is_not_taken_for_axes_that_are_not_square():
    """On a sloping table the positions contradict each other, and what crosses the axes counts for less."""
    crossings = [fit_accelerometer(windows(1.0, seed=seed))[1][np.triu_indices(3, 1)] for seed in range(10)]
    assert np.sqrt(np.mean(np.square(crossings))) < 0.004


def test_a_turn_of_the_sensor_in_its_case_is_left_out():
    """The gyroscope is turned with it: both must go on sharing one frame."""
    turn = Rotation.from_rotvec(np.radians([2.0, -3.0, 1.0])).as_matrix()
    turned = [
        replace(window, acc_m_s2=turn @ (window.acc_m_s2 - OFFSET_M_S2) + OFFSET_M_S2)
        for window in windows(0.0, np.eye(3))
    ]
    _, matrix, residual = fit_accelerometer(turned)
    assert np.abs(matrix - np.eye(3)).max() < 0.0005
    assert residual < MG


def test_the_gyroscopes_offset_is_what_it_reads_at_rest():
    assert np.degrees(fit_gyroscope(windows())) == pytest.approx([0.8, -0.3, 0.4], abs=0.001)


def test_faces_that_were_never_up_are_named():
    some = [window for window in windows() if window.face not in ("-x", "z")]
    with pytest.raises(FacesMissing, match="-x, z"):
        fit_accelerometer(some)


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        (windows(offset=np.array([0.0, 0.25 * G, 0.0])), "the accelerometer is off by"),
        (windows(matrix=np.diag([1.0, 1.0, 1.1])), "scale is off by"),
        (windows(9.0), r"contradict each other by \d+°"),
    ],
)
def test_a_sensor_that_cannot_be_sound_is_not_calibrated(spoilt: Sequence[StillWindow], words: str):
    with pytest.raises(ImplausibleSensor, match=words):
        fit_accelerometer(spoilt)


def test_a_turntable_is_no_rest():
    turning = [replace(window, gyr_rad_s=np.radians([0.0, 0.0, 40.0])) for window in windows()]
    with pytest.raises(ImplausibleSensor, match="turning all the time"):
        fit_gyroscope(turning)
    with pytest.raises(NotStill):
        fit_gyroscope([])


def test_a_calibration_survives_the_protocol_within_its_units():
    kept = SensorCalibration.unpack(usual().pack())
    assert kept is not None
    assert kept.pack() == usual().pack()
    assert kept.made_on == TODAY
    assert kept.whole
    np.testing.assert_allclose(kept.acc_offset_m_s2, OFFSET_M_S2, atol=G * 1e-6)
    np.testing.assert_allclose(kept.acc_matrix, MATRIX, atol=1e-6)
    assert SensorCalibration.unpack(control.NO_CALIBRATION) is None
    assert SensorCalibration.unpack(usual().pack()._replace(month=13)) is None


@pytest.mark.parametrize("face", FACES)
def test_a_face_is_up_when_gravity_says_so(face: str):
    assert face_up(G * direction(face)) == face
    assert face_up(G * Rotation.from_rotvec([0.2, 0.1, 0.0]).apply(direction("z"))) == "z"


def test_between_two_faces_none_is_up():
    assert face_up(G * np.array([0.7, 0.0, 0.7])) is None
    assert face_up(np.zeros(3)) is None


def readings(seconds: float, gyr_dps: float = 0.0, shake_m_s2: float = 0.0, seed: int = 1) -> np.ndarray:
    """Counts (N, 6) of a sensor with z up that turns about it and is shaken."""
    random = np.random.default_rng(seed)
    count = round(seconds * RATE_HZ)
    gyr = np.radians([0.5, 0.0, gyr_dps]) + random.normal(0.0, np.radians(0.055), (count, 3))
    acc = np.array([0.0, 0.0, G]) + random.normal(0.0, max(1.6 * MG, shake_m_s2), (count, 3))
    return np.rint(np.hstack([gyr / GYRO_COUNT, acc / ACCEL_COUNT])).astype(np.int16)


def watched(*parts: np.ndarray) -> list[StillWindow]:
    watch = StillnessWatch(RATE_HZ, GYRO_COUNT, ACCEL_COUNT)
    return [window for part in parts for window in watch.update(part) if window is not None]


def test_two_seconds_at_rest_make_a_window():
    (window,) = watched(readings(2.5))
    assert window.face == "z"
    assert np.degrees(window.gyr_rad_s) == pytest.approx([0.5, 0.0, 0.0], abs=0.02)
    assert window.acc_m_s2 == pytest.approx([0.0, 0.0, G], abs=0.5 * MG)


@pytest.mark.parametrize(
    "disturbance", [readings(0.3, gyr_dps=5.0, seed=2), readings(0.3, shake_m_s2=0.4, seed=2)]
)
def test_a_rest_that_is_broken_off_begins_anew(disturbance: np.ndarray):
    assert watched(readings(1.6), disturbance, readings(1.6, seed=3)) == []
    assert len(watched(readings(1.6), disturbance, readings(2.6, seed=3))) == 1


def test_a_hand_is_no_table():
    assert watched(readings(10.0, shake_m_s2=0.3)) == []


def test_a_whole_device_is_calibrated_and_corrects_by_it():
    """Errors as drawn for the virtual sensor, positions as a person makes them; the restarted device still knows."""
    seen: list[Progress] = []

    async def work(world: World):
        device = await world.device(SixPositions(3))
        async with linked(world) as link:
            before = await link.status()
            report = await calibrate(link, today=TODAY, watcher=seen.append)
            after = await link.status()
        device.reset()
        async with linked(world) as link:
            return device, before, report, after, await read_calibration(link), await link.info()

    device, before, report, after, kept, info = in_world(work, seed=3)
    errors = device.hardware.sensor.errors
    left = errors_left(errors, report.calibration)
    assert errors_left(errors).accel_offset_mg > 5
    assert left.gyro_offset_dps < 0.02
    assert left.accel_offset_mg < 2
    assert left.accel_scale < 0.001
    assert report.gyr_error_after_rad_s < np.radians(0.02) < report.gyr_error_before_rad_s
    assert report.gravity_error_after_m_s2 < MG < report.gravity_error_before_m_s2
    assert faults.names(before.faults) == ["calibration-missing"]
    assert faults.names(after.faults) == []
    assert kept is not None
    assert kept.pack() == report.calibration.pack()
    assert info.calibrated_on == "2026-11-23"
    events = [progress.event for progress in seen]
    assert events.count("measured") == 6
    assert "moved" in events


def with_link(work, options: DeviceOptions | None = None):
    """Do something with a link to a device that lies still."""

    async def in_its_world(world: World):
        device = await world.device(StillMotion(), options)
        async with linked(world) as link:
            return await work(device, link)

    return in_world(in_its_world)


async def refusal(link: Link, operation: int, payload: bytes = b"") -> tuple[int, messages.Refusal]:
    with pytest.raises(RequestRefused) as caught:
        await link.request("control", operation, payload)
    return caught.value.reason, caught.value.refusal


def test_nothing_is_written_while_a_stream_runs():
    async def work(_device, link: Link):
        await link.start_stream(100)
        written = await refusal(link, control.WRITE_CALIBRATION, control.pack_calibration(usual().pack()))
        erased = await refusal(link, control.ERASE_CALIBRATION)
        await link.stop_stream()
        return written[0], erased[0], await read_calibration(link)

    assert with_link(work) == (messages.WRONG_STATE, messages.WRONG_STATE, None)


def test_a_correction_out_of_range_is_refused_with_its_bound():
    async def work(_device, link: Link):
        packed = usual().pack()._replace(accel_offset_y_ug=-300_000)
        return await refusal(link, control.WRITE_CALIBRATION, control.pack_calibration(packed))

    place = control.Calibration._fields.index("accel_offset_y_ug")
    wanted = messages.Refusal(place, 0, 300_000, control.MOST_ACCEL_OFFSET_UG)
    assert with_link(work) == (messages.OUT_OF_RANGE, wanted)


def test_an_erased_calibration_is_missing_again():
    async def work(_device, link: Link):
        await write_calibration(link, usual())
        calibrated = (await link.info()).calibrated_on
        await erase_calibration(link)
        status = await link.status()
        return calibrated, await read_calibration(link), faults.names(status.faults)

    assert with_link(work) == ("2026-11-23", None, ["calibration-missing"])


def test_a_gyroscope_alone_is_only_part_of_a_calibration():
    async def work(_device, link: Link):
        report = await calibrate(link, today=TODAY, gyro_only=True)
        status = await link.status()
        return report, (await link.info()).calibrated_on, faults.names(status.faults)

    report, calibrated_on, named = with_link(work)
    assert report.gyr_error_after_rad_s < np.radians(0.02)
    assert not report.calibration.whole
    assert (calibrated_on, named) == ("", ["calibration-missing"])


def test_a_gyroscope_alone_leaves_the_accelerometers_calibration():
    async def work(_device, link: Link):
        await write_calibration(link, usual())
        return await calibrate(link, today=TODAY, gyro_only=True)

    report = with_link(work)
    assert report.calibration.whole
    np.testing.assert_allclose(report.calibration.acc_matrix, MATRIX, atol=1e-6)


def test_a_damaged_calibration_is_reported_and_not_used():
    async def work(device, link: Link):
        await write_calibration(link, usual())
        path = device.flash / "state" / "calibration.bin"
        record = bytearray(path.read_bytes())
        record[60] ^= 1
        path.write_bytes(record)
        device.reset()

    async def whole(world: World):
        device = await world.device(StillMotion())
        async with linked(world) as link:
            await work(device, link)
        async with linked(world) as link:
            status = await link.status()
            said = [line.text for line in device.log if "calibration" in line.text]
            return await read_calibration(link), faults.names(status.faults), said

    calibration, named, said = in_world(whole)
    assert calibration is None
    assert named == ["calibration-damaged"]
    assert any("wrong checksum" in text for text in said)


def test_raw_frames_stay_as_the_sensor_gave_them():
    """Gravity is off by the sensor's own error in the record, calibrated or not."""

    async def work(_device, link: Link):
        means: list[np.ndarray] = []
        for calibration in (None, usual(acc_offset_m_s2=np.array([0.0, 0.0, 0.15 * G]))):
            if calibration is not None:
                await write_calibration(link, calibration)
            heard = Heard(link)
            (window,) = await measure(link, ())
            raw = [frame for frame in heard.frames if frame.channel == "raw"]
            assert all(motion.unpack_header(frame.data).kind == motion.RAW for frame in raw)
            means.append(window.acc_m_s2)
        return means

    first, second = with_link(work)
    np.testing.assert_allclose(first, second, atol=0.5 * MG)


def test_orientation_follows_the_calibration():
    """A level device whose calibration says that it reads 100 mg too little along x believes to be tilted."""

    async def work(device, link: Link):
        errors = device.hardware.sensor.errors
        offset = np.array(errors.accel_bias_mg) * MG - [100 * MG, 0.0, 0.0]
        await write_calibration(link, usual(acc_offset_m_s2=offset, acc_matrix=np.eye(3)))
        heard = Heard(link)
        await link.start_stream(100)
        await asyncio.sleep(4.0)
        await link.stop_stream()
        return heard.motion().quaternion[-1]

    w, x, y, z = with_link(work)
    up = Rotation.from_quat([x, y, z, w]).inv().apply([0.0, 0.0, 1.0])
    tilt = up[0] / up[2]
    assert tilt == pytest.approx(0.1, abs=0.005)


def test_firmware_that_knows_no_calibration_is_named(monkeypatch: pytest.MonkeyPatch):
    async def work(_device, link: Link):
        link.minor_version = 0
        with pytest.raises(CalibrationFailed, match="update the device"):
            await calibrate(link, today=TODAY)

    with_link(work)


def test_a_device_that_never_lies_still_is_told_so():
    class Shaken:
        def sample(self, times_s):
            rate, force = StillMotion().sample(times_s)
            rate[:, 0] = np.sin(8.0 * times_s)
            return rate, force

    async def work(world: World):
        await world.device(Shaken())
        async with linked(world) as link:
            with pytest.raises(NotStill, match="did not lie still on a new side for 3 minutes"):
                await calibrate(link, today=TODAY, gyro_only=True)
            return await link.status()

    assert not in_world(work).flags & control.STREAMING
