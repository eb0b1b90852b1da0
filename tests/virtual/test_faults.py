"""Every fault of a whole device goes by its own name in status and log; what the hardware survives, streaming survives.

Each test disturbs the hardware around the real firmware. What is judged is what a host hears and the firmware prints.
"""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from kinetens.device.link import Link
from kinetens.errors import NoMotion, RequestRefused
from kinetens.session.recorder import RecordingPlan, record
from kinetens.stim.channel import LinkChannel
from kinetens.stim.controller import Outcome, StimulationController
from kinetens.stim.plan import default_plan
from kinetens.virtual.device import VirtualDevice
from kinetens.virtual.faults import FaultName
from kinetens.virtual.machine_side import _wire as wire
from kinetens.virtual.motion_source import StillMotion
from kinetens.virtual.pulse_judge import judge
from kinetens.virtual.simulation import DELIVERED
from kinetens.virtual.world import DeviceOptions, World
from kinetens_protocol import control, faults, messages, motion, stimulation
from tests.virtual.worlds import Heard, in_world, index_follows_time, linked, still_device

Disturb = Callable[[VirtualDevice], None]


@dataclass
class Disturbed:
    """What came of a disturbance: the last status, all that was heard, the log, and the sensor's true period."""

    status: control.Status
    heard: Heard
    log: list[str]
    sample_period_s: float

    @property
    def faults(self) -> set[str]:
        """Shown at any time, but for a calibration that these devices never had."""
        return self.heard.faults - {"calibration-missing"}

    @property
    def faults_left(self) -> list[str]:
        """Shown at the end."""
        return faults.names(self.heard.statuses[-1].faults & ~(1 << faults.CALIBRATION_MISSING))

    def logged(self, text: str) -> int:
        """How many lines of the log have a text."""
        return sum(text in line for line in self.log)

    def gap_is_exact(self, least_s: float, most_s: float, to_samples: float = 1.0) -> None:
        """One gap of about so long, the same in indexes, counters and times.

        to_samples: of the sensor. One that was started again begins its samples at another phase, so that the gap has no
        whole number of them; one that ran on has.
        """
        got = self.heard.motion()
        gap = int(np.diff(got.index).max()) - 1
        assert least_s * 100 <= gap <= most_s * 100
        assert gap == self.status.dropped == self.status.produced - len(got.index)
        index_follows_time(self.heard)
        frames = [motion.unpack_header(f.data) for f in self.heard.frames if f.channel == "raw"]
        raw_gaps = [b.first_index - a.first_index - a.count for a, b in itertools.pairwise(frames)]
        assert sum(raw_gaps) == self.status.raw_dropped
        assert max(raw_gaps) == self.status.sensor_lost
        assert frames[-1].first_index + frames[-1].count == self.status.raw_produced
        before, after = next(
            pair for pair in itertools.pairwise(frames) if pair[1].flags & motion.DROPPED_BEFORE
        )
        samples = (after.device_time_us - before.device_time_us) * 1e-6 / self.sample_period_s
        assert abs(samples - (after.first_index - before.first_index)) < to_samples


def disturbed(
    disturb: Disturb,
    *,
    for_s: float = 0.0,
    calm: Disturb | None = None,
    then_s: float = 4.0,
    motion_source: StillMotion | None = None,
) -> Disturbed:
    """Stream, disturb the device, let it be, stream on."""

    async def work(world: World) -> Disturbed:
        device = await world.device(motion_source or StillMotion(), DeviceOptions(clock_ppm=0.0))
        async with linked(world) as link:
            heard = Heard(link)
            await link.start_stream(100, raw=True)
            await asyncio.sleep(3.0)
            disturb(device)
            await asyncio.sleep(for_s)
            if calm is not None:
                calm(device)
            await asyncio.sleep(then_s)
            status = await link.stop_stream()
            await asyncio.sleep(0.5)
        log = [line.text for line in device.log]
        return Disturbed(status, heard, log, device.hardware.sensor.sample_period_s)

    return in_world(work)


# Bus


def test_two_failed_transfers_are_a_bus_fault_and_the_gap_shows():
    def fail(device: VirtualDevice) -> None:
        device.hardware.sensor.fail_next_transfers = 2

    done = disturbed(fail)
    assert done.faults == {"sensor-bus"}
    assert not done.faults_left
    assert done.logged("fault: sensor-bus: LSM6DSOX: register 0x3a failed twice") == 1
    assert done.logged("fault over: sensor-bus") == 1
    assert done.status.bus_errors == 2
    done.gap_is_exact(0.9, 1.4)


def test_one_failed_transfer_is_repeated_and_costs_nothing():
    def fail(device: VirtualDevice) -> None:
        device.hardware.sensor.fail_next_transfers = 1

    done = disturbed(fail)
    assert done.status.bus_errors == 1
    assert not done.faults
    assert np.array_equal(done.heard.motion().index, np.arange(done.status.produced))


@pytest.mark.parametrize("clocks", [1, 5, 9])
def test_a_part_that_holds_sda_in_the_midst_of_a_byte_is_clocked_free(clocks: int):
    def hold(device: VirtualDevice) -> None:
        device.hardware.bus.sda_held_clocks = clocks

    done = disturbed(hold)
    assert done.faults == {"sensor-bus"}
    assert not done.faults_left
    assert done.logged(f"bus: SDA was held low, {clocks} clocks freed it") == 1
    done.gap_is_exact(0.9, 1.5)


@pytest.mark.parametrize("line", ["scl", "sda"])
def test_a_bus_that_stays_low_is_named_until_somebody_repairs_it(line: str):
    def short(device: VirtualDevice) -> None:
        setattr(device.hardware.bus, f"{line}_shorted", True)

    def repair(device: VirtualDevice) -> None:
        setattr(device.hardware.bus, f"{line}_shorted", False)

    done = disturbed(short, for_s=5.0, calm=repair)
    assert done.faults == {"sensor-bus"}
    assert not done.faults_left
    assert done.logged("fault: sensor-bus") == 1
    assert (
        done.logged(
            f"bus: {line.upper()} is held low, and {9 if line == 'sda' else 0} clocks did not free it"
        )
        == 1
    )
    assert done.logged("fault over: sensor-bus") == 1
    done.gap_is_exact(4.9, 6.4)


def test_a_bus_that_is_held_since_a_reset_is_freed_before_its_first_use():
    async def work(world: World):
        device = await still_device(world)
        device.hardware.bus.sda_held_clocks = 9
        device.reset()
        async with linked(world) as link:
            return (await link.status()).faults, [line.text for line in device.log], await link.info()

    word, log, info = in_world(work)
    assert faults.names(word) == ["calibration-missing"]
    assert any("bus: SDA was held low, 9 clocks freed it" in line for line in log)
    assert info.hardware_flags & control.HAS_STIMULATION


PLAN = default_plan(1.0, answers_ok=True)
RUNNING_S = 12.0
"""When the stimulation has come to its level: after contact check, button and ramp."""


def begin_stimulation(link: Link, device: VirtualDevice) -> "asyncio.Task[Outcome]":
    """Give the plan to somebody who holds the button when asked to."""
    pressing: list[asyncio.Task[None]] = []

    def hold_button() -> None:
        pressing.append(asyncio.ensure_future(device.hold_button(0.7)))

    controller = StimulationController(
        LinkChannel(link),
        PLAN,
        serial=device.settings.unique_id.hex(),
        member="member-7",
        on_button_needed=hold_button,
    )
    return asyncio.ensure_future(controller.run())


def last_pulse_s(device: VirtualDevice) -> float:
    """When the last pulse ended, of a record that holds to the envelope."""
    stage = device.hardware.output_stage
    assert stage is not None
    assert len(stage.record) > 300
    assert judge(stage.record, PLAN.effective(), PLAN.program.pad_area_mm2) == []
    return stage.record.time_s[-1] + stage.record.width_s[-1]


@pytest.mark.parametrize(("clocks", "into_s"), [(9, 0.0), (None, 0.0), (None, 0.017), (None, 0.034)])
def test_a_bus_that_is_held_while_stimulating_ends_the_pulses_in_an_output_fault(
    clocks: int | None, into_s: float
):
    """Whether the bus can be freed or not: the pulses end first."""

    async def work(world: World):
        device = await still_device(world)
        bus = device.hardware.bus
        async with linked(world) as link:
            heard = Heard(link)
            giving = begin_stimulation(link, device)
            await asyncio.sleep(RUNNING_S + into_s)
            held_s = world.now_s()
            bus.sda_shorted, bus.sda_held_clocks = clocks is None, clocks or 0
            outcome = await giving
            await asyncio.sleep(3.0)
            bus.sda_shorted = False
            await asyncio.sleep(5.0)
            state = stimulation.unpack_state(await link.request("stimulation", stimulation.STATE))
            command = stimulation.Command(state.counter + 1, stimulation.OUTPUT_BUS)
            clear = stimulation.pack_command(stimulation.CLEAR_FAULT, command)
            await link.request("stimulation", stimulation.CLEAR_FAULT, clear)
        return outcome, last_pulse_s(device) - held_s, heard, [line.text for line in device.log]

    outcome, lasted_s, heard, log = in_world(work)
    assert outcome.fault == stimulation.OUTPUT_BUS
    assert lasted_s < 0.110, (
        "a tick, two transfers of the sensor and one of the converter that wait for the bus"
    )
    assert any("stimulation: fault output-bus" in line for line in log)
    assert "sensor-bus" in heard.faults
    assert "sensor-bus" not in faults.names(heard.statuses[-1].faults)


def test_the_button_ends_the_pulses_as_fast_while_the_bus_is_held():
    async def work(world: World):
        device = await still_device(world)
        async with linked(world) as link:
            giving = begin_stimulation(link, device)
            await asyncio.sleep(RUNNING_S)
            device.hardware.bus.sda_shorted = True
            await asyncio.sleep(0.002)
            pressed_s = world.now_s()
            await device.hold_button(0.2)
            await giving
        return last_pulse_s(device) - pressed_s

    assert in_world(work) < 0.050


# The sensor itself


def test_a_sensor_that_is_gone_for_a_while_is_missed_and_streaming_goes_on_when_it_is_back():
    def remove(device: VirtualDevice) -> None:
        device.hardware.sensor.absent = True

    def bring_back(device: VirtualDevice) -> None:
        device.hardware.sensor.absent = False

    done = disturbed(remove, for_s=4.0, calm=bring_back)
    assert done.faults == {"sensor-bus", "sensor-missing"}
    assert not done.faults_left
    assert done.logged("fault: sensor-missing: LSM6DSOX: nothing answers at I2C address 0x6a") == 1
    assert done.logged("fault over: sensor-missing") == 1
    done.gap_is_exact(3.9, 5.4)


def booted_with(fault: FaultName, mend: Disturb, then_s: float = 2.0):
    """Boot with a fault, ask, be refused a stream, mend it, stream; returns names, refusal, log, samples, names."""

    async def work(world: World):
        device = await still_device(world, DeviceOptions(fault=fault, calibration=DELIVERED))
        async with linked(world) as link:
            before = faults.names((await link.status()).faults)
            with pytest.raises(RequestRefused) as refused:
                await link.start_stream(100)
            await asyncio.sleep(5.0)
            mend(device)
            await asyncio.sleep(then_s)
            heard = Heard(link)
            await link.start_stream(100)
            await asyncio.sleep(1.0)
            after = faults.names((await link.status()).faults)
        log = [line.text for line in device.log]
        return before, refused.value, log, len(heard.motion().index), after

    return in_world(work)


def test_a_missing_sensor_is_looked_for_until_it_is_there():
    def plug_in(device: VirtualDevice) -> None:
        device.hardware.sensor.absent = False

    before, refused, log, samples, after = booted_with("sensor-missing", plug_in)
    assert before == ["sensor-missing"]
    assert refused.reason == messages.SENSOR_UNAVAILABLE
    assert "sensor-missing (the motion sensor does not answer)" in str(refused)
    assert sum("fault: sensor-missing" in line for line in log) == 1
    assert samples > 80
    assert after == []


def test_another_chip_is_named_with_what_it_says_it_is_and_the_right_one_streams():
    def swap_back(device: VirtualDevice) -> None:
        device.hardware.sensor.wrong_identity = False

    before, refused, log, samples, after = booted_with("sensor-wrong-identity", swap_back)
    assert before == ["sensor-wrong-identity"]
    assert "sensor-wrong-identity" in str(refused)
    line = "fault: sensor-wrong-identity: LSM6DSOX: WHO_AM_I at I2C address 0x6a reads 0x6b, not 0x6c"
    assert sum(line in logged for logged in log) == 1
    assert samples > 80
    assert after == []


def test_a_failed_self_test_names_the_axis_and_does_not_keep_the_sensor_from_streaming():
    async def work(world: World):
        device = await still_device(world, DeviceOptions(fault="sensor-self-test", calibration=DELIVERED))
        async with linked(world) as link:
            before = faults.names((await link.status()).faults)
            heard = Heard(link)
            await link.start_stream(100)
            await asyncio.sleep(1.0)
        device.hardware.sensor.config = replace(
            device.hardware.sensor.config, self_test_gyro_dps=(400.0, 380.0, 420.0)
        )
        await asyncio.sleep(6.0)
        async with linked(world) as link:
            after = faults.names((await link.status()).faults)
        return before, after, [line.text for line in device.log], len(heard.motion().index)

    before, after, log, samples = in_world(work)
    assert before == ["sensor-self-test"]
    assert samples > 80
    assert after == []
    assert (
        sum("fault: sensor-self-test: LSM6DSOX self-test: gyroscope x moved by" in line for line in log) == 1
    )
    assert sum("fault over: sensor-self-test" in line for line in log) == 1


def test_a_self_test_that_fails_for_good_is_given_up_after_three():
    async def work(world: World):
        device = await still_device(world, DeviceOptions(fault="sensor-self-test", calibration=DELIVERED))
        await asyncio.sleep(20.0)
        async with linked(world) as link:
            status = await link.status()
        return faults.names(status.faults), status.worst_loop_gap_us, len(device.log)

    names, worst_gap_us, lines = in_world(work)
    assert names == ["sensor-self-test"]
    assert worst_gap_us < 150_000
    assert lines < 6


def freeze(device: VirtualDevice) -> None:
    device.hardware.sensor.frozen_data = True


def thaw(device: VirtualDevice) -> None:
    device.hardware.sensor.frozen_data = False


def test_a_frozen_sensor_is_named_and_started_again():
    done = disturbed(freeze, for_s=0.5, calm=thaw, then_s=8.0)
    assert done.faults == {"sensor-frozen"}
    assert not done.faults_left
    assert done.logged("fault: sensor-frozen: 104 times the same sample") == 1
    assert done.logged("fault over: sensor-frozen") == 1
    done.gap_is_exact(0.9, 1.4)


def test_a_sensor_that_freezes_again_and_again_is_one_fault_and_one_line():
    done = disturbed(freeze, for_s=8.0, calm=thaw, then_s=8.0)
    assert done.faults == {"sensor-frozen"}
    assert not done.faults_left
    assert done.logged("sensor-frozen") == 2
    index_follows_time(done.heard)


def test_a_sensor_that_lies_still_for_minutes_does_not_look_frozen():
    done = disturbed(lambda device: None, for_s=120.0)
    assert not done.faults
    assert done.logged("fault") == 1  # it was never calibrated


class Jerk(StillMotion):
    """Still, but for a turn and a blow beyond what the sensor measures, a second each."""

    def sample(self, times_s):
        rate, force = super().sample(times_s)
        rate[(times_s > 6.0) & (times_s < 7.0), 1] = np.radians(-2500.0)
        force[(times_s > 6.5) & (times_s < 7.5), 2] = 18 * 9.81
        return rate, force


def test_a_movement_beyond_the_scale_is_named_while_it_happens_and_for_five_seconds_after():
    done = disturbed(lambda device: None, then_s=14.0, motion_source=Jerk())
    shown = [
        (s.device_time_us / 1e6, bool(s.faults >> faults.SENSOR_SATURATED & 1)) for s in done.heard.statuses
    ]
    times_s = [time_s for time_s, saturated in shown if saturated]
    assert done.faults == {"sensor-saturated"}
    assert times_s[0] == pytest.approx(6.5, abs=0.6)
    assert times_s[-1] == pytest.approx(12.0, abs=1.1)
    assert len(times_s) == pytest.approx(times_s[-1] - times_s[0] + 1, abs=0.5)
    assert not done.faults_left
    assert done.logged("fault: sensor-saturated: gyroscope y") == 1
    assert done.logged("fault over: sensor-saturated") == 1
    assert np.array_equal(done.heard.motion().index, np.arange(done.status.produced))


def test_an_overrun_of_the_fifo_is_named_shows_as_an_exact_gap_and_passes():
    # The processor is held up, as by a long flash erase, while the sensor goes on.
    done = disturbed(lambda device: device.hold_up(1.0), then_s=8.0)
    assert done.faults == {"sensor-overrun"}
    assert not done.faults_left
    assert done.status.sensor_lost > 100
    assert done.logged(f"fault: sensor-overrun: {done.status.sensor_lost} samples") == 1
    assert done.logged("fault over: sensor-overrun") == 1
    assert max(s.worst_loop_gap_us for s in done.heard.statuses) > 900_000
    done.gap_is_exact(0.3, 0.7, to_samples=0.5)


# Files


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda whole: whole[:-1], "fault: calibration-damaged: "),
        (lambda whole: whole[:50] + bytes([whole[50] ^ 1]) + whole[51:], "wrong checksum"),
        (lambda whole: b"", "0 bytes instead of"),
    ],
)
def test_a_damaged_calibration_is_named_not_used_and_replaced_by_a_new_one(damage, line: str):
    async def work(world: World):
        flash = Path(world._temporary.name) / "flash"
        device = await still_device(world, DeviceOptions(flash=flash, calibration=DELIVERED))
        file = flash / "state" / "calibration.bin"
        file.write_bytes(damage(file.read_bytes()))
        device.reset()
        async with linked(world) as link:
            before = faults.names((await link.status()).faults), (await link.info()).calibrated_on
            heard = Heard(link)
            await link.start_stream(100)
            await asyncio.sleep(1.0)
            await link.stop_stream()
            await link.request("control", control.WRITE_CALIBRATION, control.pack_calibration(DELIVERED))
            after = faults.names((await link.status()).faults), (await link.info()).calibrated_on
        return before, after, len(heard.motion().index), [line.text for line in device.log]

    before, after, samples, log = in_world(work)
    assert before == (["calibration-damaged"], "")
    assert after == ([], "2026-11-25")
    assert samples > 80
    assert sum(line in logged for logged in log) == 1
    assert sum("fault over: calibration-damaged" in logged for logged in log) == 1


def test_storage_that_fails_is_named_and_noticed_when_it_works_again():
    async def work(world: World):
        device = await still_device(world, DeviceOptions(fault="storage"))
        async with linked(world) as link:
            before = faults.names((await link.status()).faults)
            heard = Heard(link)
            await link.start_stream(100)
            await asyncio.sleep(1.0)
            await link.stop_stream()
            with pytest.raises(RequestRefused) as refused:
                await link.request("control", control.WRITE_CALIBRATION, control.pack_calibration(DELIVERED))
            (device.flash / "state").unlink()
            await asyncio.sleep(11.0)
            after = faults.names((await link.status()).faults)
            boots = (await link.info()).boot_count
        return (
            before,
            after,
            refused.value.reason,
            boots,
            len(heard.motion().index),
            [x.text for x in device.log],
        )

    before, after, reason, boots, samples, log = in_world(work)
    assert before == ["calibration-missing", "storage"]
    assert after == ["calibration-missing"]
    assert reason == messages.STORAGE_FAILED
    assert boots == 1
    assert samples > 80
    assert sum("fault: storage: the boot could not be counted" in line for line in log) == 1
    assert sum("fault over: storage" in line for line in log) == 1


BOARD_FAULTS = {
    "name = virtual": "board.json is no JSON",
    "[]": "board.json is no JSON object",
    '{"name": "x", "chip": "esp32s3"}': "board.json has no i2c.id",
    "WHOLE:99": "board.json: i2c.scl is 99, no pin that an esp32s3 has to offer",
    'WHOLE:"5"': 'board.json: i2c.scl is "5", no pin',
    "WHOLE:27": "board.json: i2c.scl is 27, no pin",
    "WHOLE:4": "board.json: i2c.sda is 4, which is i2c.scl too",
}


@pytest.mark.parametrize(("content", "line"), BOARD_FAULTS.items())
def test_a_wrong_board_file_is_named_and_no_pin_is_touched(content: str, line: str, tmp_path: Path):
    used: list[int] = []

    async def work(world: World):
        flash = Path(world._temporary.name) / "flash"
        device = await still_device(world, DeviceOptions(flash=flash))
        whole = (flash / "board.json").read_text()
        if content.startswith("WHOLE:"):
            (flash / "board.json").write_text(whole.replace('"scl": 5', f'"scl": {content[6:]}'))
        else:
            (flash / "board.json").write_text(content)
        for operation in (
            wire.PIN_SET,
            wire.PIN_BY_HAND,
            wire.PIN_WATCH,
            wire.ADC_READ,
            wire.RMT_WRITE,
            wire.I2C_OPEN,
        ):
            answer = device._plain_calls[operation]

            def noted(payload, time_s, operation=operation, answer=answer):
                used.append(operation)
                return answer(payload, time_s)

            device._plain_calls[operation] = noted
        device.reset()
        async with linked(world) as link:
            await asyncio.sleep(12.0)  # beyond the watchdog
            info, status = await link.info(), await link.status()
            with pytest.raises(RequestRefused, match="board-file"):
                await link.start_stream(100)
            with pytest.raises(RequestRefused) as refused:
                await link.request("stimulation", stimulation.STATE)
            with pytest.raises(RequestRefused, match="board-file"):
                await link.request("control", control.WRITE_CALIBRATION, control.pack_calibration(DELIVERED))
            with pytest.raises(NoMotion, match="board-file"):
                await record(link, RecordingPlan(tmp_path, "x", seconds=1.0))
            refused_stimulation = refused.value.reason
        (flash / "board.json").write_text(whole)
        log = [x.text for x in device.log]
        device.reset()
        async with linked(world) as link:
            after = faults.names((await link.status()).faults)
        return info, status, refused_stimulation, log, after, device.settings.unique_id.hex(), device.boots

    info, status, refused_stimulation, log, after, serial, boots = in_world(work)
    assert faults.names(status.faults) == ["board-file"]
    assert sum(f"fault: board-file: {line}" in logged for logged in log) == 1
    assert info.serial == serial
    assert (info.board, info.sensor, info.hardware_flags) == ("", "", 0)
    assert (status.battery_percent, status.battery_mv) == (control.UNKNOWN_PERCENT, 0)
    assert refused_stimulation == messages.STIMULATION_UNAVAILABLE
    assert not list(tmp_path.iterdir())
    assert after == ["calibration-missing"]
    assert boots == 3


# From the start


@pytest.mark.parametrize("fault", get_args(FaultName))
def test_a_device_may_have_any_of_these_faults_from_its_start(fault: FaultName):
    async def work(world: World):
        await still_device(world, DeviceOptions(fault=fault, calibration=DELIVERED))
        await asyncio.sleep(4.0)
        async with linked(world) as link:
            await asyncio.sleep(2.0)
            return faults.names((await link.status()).faults)

    names = in_world(work)
    assert fault in names
    assert set(names) - {fault} <= {"calibration-missing"}


def test_a_delivered_device_has_no_fault():
    async def work(world: World):
        await still_device(world, DeviceOptions(calibration=DELIVERED))
        async with linked(world) as link:
            return (await link.status()).faults, (await link.info()).calibrated_on

    assert in_world(work) == (0, "2026-11-25")
