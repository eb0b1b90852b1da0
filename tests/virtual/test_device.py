"""What the real firmware does on the virtual device, seen from the host."""

import asyncio
import itertools
from pathlib import Path

import numpy as np
import pytest
from bleak import BleakClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinetens.device.discovery import find, scan
from kinetens.device.link import connect
from kinetens.errors import DeviceNotFound, LinkLost, RequestRefused, VirtualDeviceError
from kinetens.motion.quaternion import to_rotation
from kinetens.virtual import process
from kinetens.virtual.flash import deploy
from kinetens.virtual.machine_side import _wire as wire
from kinetens.virtual.member import GeneratedMember
from kinetens.virtual.radio import RadioConditions
from kinetens.virtual.world import DeviceOptions, World
from kinetens_protocol import control, faults, messages, motion, stimulation, uuids
from tests.virtual.worlds import Heard, in_world, index_follows_time, linked, still_device

HELLO = control.pack_hello(control.Hello(1, 1, 0))


# Boot, advertising, connection


def test_it_boots_and_advertises_its_name_and_service():
    async def work(world: World):
        device = await still_device(world)
        async with world.host() as adapter:
            found = await scan(adapter, 2.0)
        return device.log[-1].text, [(one.name, one.address) for one in found], device.settings.address

    line, found, address = in_world(work)
    assert "starts, boot 1" in line
    assert found == [(f"kinetens-{address.replace(':', '')[-4:]}", address)]


def test_a_device_that_is_off_is_not_heard():
    async def work(world: World):
        device = await still_device(world)
        await asyncio.sleep(1.0)
        device.power_off()
        async with world.host() as adapter:
            return await scan(adapter, 2.0)

    assert in_world(work) == []


def test_battery_and_information_are_read_by_their_standard_uuids():
    async def work(world: World):
        device = await still_device(world)
        await asyncio.sleep(1.5)
        async with world.host() as adapter:
            found = await find(adapter, "")
            async with BleakClient(found.handle, backend=adapter.client) as client:
                level = await client.read_gatt_char("00002a19-0000-1000-8000-00805f9b34fb")
                texts = [
                    bytes(await client.read_gatt_char(f"0000{uuid:04x}-0000-1000-8000-00805f9b34fb")).decode()
                    for uuid in (uuids.MANUFACTURER_NAME, uuids.MODEL_NUMBER, uuids.SERIAL_NUMBER)
                ]
        return level[0], texts, device.settings.unique_id.hex()

    level, texts, serial = in_world(work)
    assert 78 <= level <= 80
    assert texts == ["kinetens", "virtual", serial]


def test_nothing_is_answered_before_the_greeting_but_that_it_is_missing():
    async def work(world: World):
        await still_device(world)
        answers: list[bytes] = []
        async with world.host() as adapter:
            found = await find(adapter, "")
            async with BleakClient(found.handle, backend=adapter.client) as client:
                for uuid in (uuids.CONTROL, uuids.STIMULATION):
                    await client.start_notify(uuid, lambda _, data: answers.append(bytes(data)))
                requests = [(uuids.CONTROL, code) for code in range(2, 12)]
                requests += [(uuids.STIMULATION, code) for code in range(1, 10)]
                for number, (uuid, code) in enumerate(requests, 1):
                    await client.write_gatt_char(uuid, messages.pack_request(code, number), response=True)
                    await asyncio.sleep(0.1)
        return len(requests), answers

    count, answers = in_world(work)
    assert len(answers) == count
    assert {answer[0] for answer in answers} == {messages.RESPONSE}
    assert {answer[4] for answer in answers} == {messages.NOT_GREETED}


def test_after_a_disconnection_it_advertises_and_a_second_host_works():
    async def work(world: World):
        await still_device(world)
        platforms: list[str] = []
        for _ in range(2):
            async with linked(world) as link:
                await link.start_stream(100)
                heard = Heard(link)
                await asyncio.sleep(1.0)
                platforms.append((await link.info()).platform)
                assert heard.motion().headers[0].first_index == 0
        return platforms

    assert len(in_world(work)) == 2


def test_while_connected_it_is_not_heard():
    async def work(world: World):
        await still_device(world)
        async with linked(world), world.host() as other:
            return await scan(other, 2.0)

    assert in_world(work) == []


def test_two_devices_in_one_world_both_stream():
    async def work(world: World):
        first, second = await still_device(world), await still_device(world)
        async with (
            linked(world, first.settings.address) as one,
            linked(world, second.settings.address) as two,
        ):
            heards = Heard(one), Heard(two)
            for link in (one, two):
                await link.start_stream(100)
            await asyncio.sleep(3.0)
            return [len(heard.motion().index) for heard in heards], [
                heard.motion().headers[0].session_id for heard in heards
            ]

    counts, sessions = in_world(work)
    assert min(counts) > 270
    assert sessions[0] != sessions[1]


# Requests


def test_a_repeated_identifier_is_answered_from_memory_and_not_done_twice():
    async def work(world: World):
        await still_device(world)
        answers: list[bytes] = []
        async with linked(world) as link:
            link.listeners.append(
                lambda frame: answers.append(frame.data) if frame.data[0] == messages.RESPONSE else None
            )
            request = messages.pack_request(
                control.START_STREAM, 1000, control.pack_stream_request(control.StreamRequest(100, 0, 100))
            )
            for _ in range(3):
                await link._client.write_gatt_char(uuids.CONTROL, request, response=True)
                await asyncio.sleep(0.3)
            status = await link.status()
        return answers[:3], status.session_id

    answers, session_id = in_world(work)
    assert answers[0] == answers[1] == answers[2]
    assert control.unpack_stream(answers[0][5:]).session_id == session_id


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (control.StreamRequest(99, 0, 100), messages.OUT_OF_RANGE),
        (control.StreamRequest(0, 0, 100), messages.OUT_OF_RANGE),
        (control.StreamRequest(100, 0, 0), messages.OUT_OF_RANGE),
        (control.StreamRequest(100, 0, 65535), messages.OUT_OF_RANGE),
    ],
)
def test_a_stream_that_it_does_not_offer_is_refused(request_: control.StreamRequest, reason: int):
    async def work(world: World):
        await still_device(world)
        async with linked(world) as link:
            with pytest.raises(RequestRefused) as refused:
                await link.request("control", control.START_STREAM, control.pack_stream_request(request_))
            return refused.value.reason

    assert in_world(work) == reason


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([uuids.CONTROL, uuids.STIMULATION, uuids.BULK]),
            st.one_of(
                st.binary(max_size=240),
                st.builds(
                    messages.pack_request,
                    st.integers(0, 12),
                    st.integers(0, 65535),
                    st.binary(max_size=100),
                ),
            ),
        ),
        min_size=20,
        max_size=40,
    )
)
def test_whatever_is_written_it_lives_on(writes: list[tuple[str, bytes]]):
    async def work(world: World):
        device = await still_device(world)
        async with linked(world) as link:
            for uuid, data in writes:
                await link._client.write_gatt_char(uuid, data, response=True)
            await asyncio.sleep(0.2)
            status = await link.status()
        assert device.boots == 1
        assert status.faults & ~(1 << faults.CALIBRATION_MISSING | 1 << faults.CALIBRATION_DAMAGED) == 0
        assert device.hardware.output_stage is not None
        assert len(device.hardware.output_stage.record) == 0

    in_world(work)


def test_a_write_longer_than_its_buffer_is_dropped_and_logged():
    async def work(world: World):
        device = await still_device(world)
        async with linked(world) as link:
            answers = Heard(link)
            await link._client.write_gatt_char(
                uuids.CONTROL, messages.pack_request(control.STATUS, 7, bytes(230)), response=True
            )
            await asyncio.sleep(0.5)
            assert not [f for f in answers.frames if f.data[0] == messages.RESPONSE]
            await link.status()
        return [line.text for line in device.log]

    assert any("dropped a write: request of 160 bytes is too long" in line for line in in_world(work))


# Statuses


def test_a_status_comes_every_second_and_its_counters_make_sense():
    async def work(world: World):
        await still_device(world)
        async with linked(world) as link:
            heard = Heard(link)
            await link.start_stream(100)
            await asyncio.sleep(10.5)
        return heard.statuses

    statuses = in_world(work)
    times_us = np.array([status.device_time_us for status in statuses])
    assert len(statuses) in (10, 11)
    assert np.all(np.abs(np.diff(times_us) - 1_000_000) < 50_000)
    produced = np.array([status.produced for status in statuses])
    assert np.all(np.abs(np.diff(produced) - 100) <= 8)
    for status in statuses:
        assert (status.dropped, status.refused, status.sensor_lost, status.bus_errors) == (0, 0, 0, 0)
        assert 30_000 < status.worst_loop_gap_us < 150_000
        assert 2_800 < status.temperature_cdeg < 3_300
        assert 3_900 < status.battery_mv < 4_050
        assert status.heap_free_bytes > 20_000
        assert status.flags & control.STREAMING
        assert not faults.names(status.faults & ~(1 << faults.CALIBRATION_MISSING))


def test_button_and_charger_are_seen():
    async def work(world: World):
        device = await still_device(world)
        async with linked(world) as link:
            before = await link.status()
            device.hardware.battery.charging = True
            holding = asyncio.ensure_future(device.hold_button(2.0))
            await asyncio.sleep(1.5)
            during = await link.status()
            await holding
            return before.flags, during.flags, (await link.status()).flags

    before, during, after = in_world(work)
    assert not before & (control.CHARGING | control.BUTTON_HELD)
    assert during & control.CHARGING
    assert during & control.BUTTON_HELD
    assert not after & control.BUTTON_HELD


def test_an_empty_battery_is_a_fault():
    async def work(world: World):
        options = DeviceOptions()
        options.battery.level = 0.1
        await still_device(world, options)
        async with linked(world) as link:
            return faults.names((await link.status()).faults)

    assert "battery-low" in in_world(work)


# Back-pressure


def test_refused_notifications_are_sent_again_and_nothing_is_lost():
    async def work(world: World):
        await still_device(world)
        async with linked(world) as link:
            heard = Heard(link)
            await link.start_stream(200, latency_ms=20)
            await asyncio.sleep(5.0)
            status = await link.stop_stream()
            await asyncio.sleep(1.0)
        return status, heard.motion()

    status, got = in_world(work, conditions=RadioConditions(queue_packets=1, packets_per_event=4))
    assert status.refused > 100
    assert status.dropped == 0
    assert np.array_equal(got.index, np.arange(status.produced))


def test_a_long_stall_drops_samples_which_are_counted_flagged_and_show_as_a_gap():
    async def work(world: World):
        await still_device(world)
        async with linked(world) as link:
            heard = Heard(link)
            await link.start_stream(100, raw=True, latency_ms=100)
            await asyncio.sleep(2.0)
            world.radio.stall(3.9)
            await asyncio.sleep(6.0)
            status = await link.stop_stream()
            await asyncio.sleep(1.0)
        return status, heard

    status, heard = in_world(work, conditions=RadioConditions(queue_packets=4))
    for channel, produced, dropped in (
        ("motion", status.produced, status.dropped),
        ("raw", status.raw_produced, status.raw_dropped),
    ):
        got = heard.motion(channel) if channel == "motion" else None
        headers = [motion.unpack_header(f.data) for f in heard.frames if f.channel == channel]
        after = [
            (before, header)
            for before, header in itertools.pairwise(headers)
            if header.first_index != before.first_index + before.count
        ]
        assert dropped > 20
        assert sum(h.first_index - b.first_index - b.count for b, h in after) == dropped
        assert all(header.flags & motion.DROPPED_BEFORE for _, header in after)
        flagged = [header for header in headers if header.flags & motion.DROPPED_BEFORE]
        assert len(flagged) == len(after)
        assert headers[-1].first_index + headers[-1].count == produced
        if got is not None:
            assert len(got.index) == produced - dropped


# Crashes, watchdog, resets


def with_file(path: str, text: str, then_s: float):
    """Boot with a damaged file, restore it, boot again; returns log lines, status, information."""

    async def work(world: World):
        flash = Path(world._temporary.name) / "flash"
        device = await still_device(world, DeviceOptions(flash=flash))
        whole = (flash / path).read_text()
        (flash / path).write_text(text.replace("WHOLE", whole))
        device.reset()
        await asyncio.sleep(then_s)
        (flash / path).write_text(whole)
        await asyncio.sleep(15.0)
        async with linked(world) as link:
            return [line.text for line in device.log], await link.status(), await link.info(), device.boots

    return in_world(work)


def test_a_program_error_is_logged_survived_and_reported():
    log, status, info, boots = with_file("motion/stream.py", "raise ValueError('a damaged file')\n", 0.9)
    assert any("Traceback" in line and "ValueError: a damaged file" in line for line in log)
    assert any(line.startswith("0 ms: fault: unexpected") or "fault: unexpected" in line for line in log)
    assert "unexpected" in faults.names(status.faults)
    assert control.BOOT_CAUSES[info.boot_cause] == "hard-reset"
    assert boots >= 3


def test_a_program_that_hangs_is_restarted_by_the_watchdog():
    hang = "async def _hang(self):\n    while True:\n        time.ticks_ms()\n"
    hung = f"WHOLE\n\n\n{hang}\n\nDevice.sample = _hang\n"
    log, status, info, boots = with_file("app.py", hung, 3.0)
    assert any("watchdog" in line for line in log)
    assert "watchdog-reset" in faults.names(status.faults)
    assert control.BOOT_CAUSES[info.boot_cause] == "watchdog"
    assert boots == 3


def test_a_program_that_sleeps_for_ever_is_restarted_by_the_watchdog():
    asleep = "WHOLE\n\n\nasync def _sleep(self):\n    time.sleep(1000)\n\n\nDevice.report = _sleep\n"
    _log, _, info, boots = with_file("app.py", asleep, 3.0)
    assert control.BOOT_CAUSES[info.boot_cause] == "watchdog"
    assert boots == 3


def test_a_loop_without_any_call_is_ended_by_the_watchdog_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(process, "_HUNG_MS", 1000)

    async def work(world: World):
        flash = Path(world._temporary.name) / "flash"
        device = await still_device(world, DeviceOptions(flash=flash))
        (flash / "main.py").write_text("import machine\nmachine.WDT(timeout=5000)\nwhile True:\n    pass\n")
        device.reset()
        await asyncio.sleep(5.5)
        return [line.text for line in device.log]

    assert "watchdog" in in_world(work)[-1]


def test_a_program_that_ends_by_itself_ends_the_run_with_its_last_words():
    async def work(world: World):
        flash = Path(world._temporary.name) / "flash"
        device = await still_device(world, DeviceOptions(flash=flash))
        (flash / "main.py").write_text("print('out of ideas')\nimport sys\nsys.exit(3)\n")
        device.reset()
        await asyncio.sleep(100)

    with pytest.raises(VirtualDeviceError, match="ended by itself: out of ideas"):
        in_world(work)


def test_a_failure_behind_the_scenes_ends_the_run_with_it():
    async def work(world: World):
        device = await still_device(world)

        def broken(payload: bytes, time_s: float) -> bytes:
            raise ArithmeticError("a broken model")

        device._plain_calls[wire.ADC_READ] = broken
        await asyncio.sleep(1000)

    with pytest.raises(ArithmeticError, match="a broken model"):
        in_world(work)


def test_a_reset_while_streaming_loses_the_link_and_a_new_one_begins_anew():
    async def work(world: World):
        device = await still_device(world)
        async with linked(world) as link:
            await link.start_stream(100)
            device.reset()
            await asyncio.wait_for(link.lost.wait(), 10)
            with pytest.raises(LinkLost):
                await link.status()
        async with linked(world) as link:
            info = await link.info()
            assert not (await link.status()).flags & control.STREAMING
            return info.boot_count

    assert in_world(work) == 2


def test_a_cut_link_is_noticed_by_both_sides():
    async def work(world: World):
        device = await still_device(world)
        async with linked(world) as link:
            await link.start_stream(100)
            await asyncio.sleep(1.0)
            heard = Heard(link)
            host = next(c for c in world.radio.controllers if c is not device.peripheral.controller)
            world.radio.cut(device.peripheral.controller, host)
            await asyncio.sleep(3.0)
            assert not heard.frames
            await asyncio.wait_for(link.lost.wait(), 2)
        async with linked(world) as link:
            return (await link.status()).flags

    assert not in_world(work) & control.STREAMING


# Time


@pytest.mark.parametrize("start_us", [2**30 - 6_000_000, 2**30 * 1000 - 6_000_000, 2**30 * 1000 - 4_000_000])
def test_ticks_may_wrap(start_us: int):
    async def work(world: World):
        await still_device(world, DeviceOptions(ticks_start_us=start_us))
        async with linked(world) as link:
            heard = Heard(link)
            await link.start_stream(100)
            await asyncio.sleep(8.0)
            status = await link.stop_stream()
            await asyncio.sleep(5.5)
        return status, heard

    status, heard = in_world(work)
    assert 7.5e6 < status.device_time_us < 13e6
    assert np.array_equal(heard.motion().index, np.arange(status.produced))
    assert len(heard.statuses) >= 7
    index_follows_time(heard)


@pytest.mark.parametrize("rate_hz", [25, 100, 200])
def test_a_sample_says_where_the_limb_was_at_its_time(rate_hz: int):
    member = GeneratedMember(6, 1.0, 5, start_delay_s=7.0)

    async def work(world: World):
        device = await world.device(member)
        async with linked(world) as link:
            heard = Heard(link)
            await link.start_stream(rate_hz)
            await asyncio.sleep(20.0)
        got = heard.motion()
        return got, np.array([device._world_s(float(time_us)) for time_us in got.device_time_us])

    got, times_s = in_world(work)
    measured = to_rotation(got.quaternion)

    def error_rad(delay_s: float) -> float:
        """How far from the member's own motion, but for the heading, which no sensor of gravity knows."""
        turns = measured * member.orientation(times_s - delay_s).inv()
        return float(np.mean((turns.mean().inv() * turns).magnitude()))

    delays_s = np.arange(-0.02, 0.0201, 0.001)
    assert abs(delays_s[np.argmin([error_rad(delay_s) for delay_s in delays_s])]) <= 0.0015
    assert np.degrees(error_rad(0.0)) < 0.5


def test_the_stimulation_channel_answers_its_state():
    async def work(world: World):
        await still_device(world)
        async with linked(world) as link:
            return stimulation.unpack_state(await link.request("stimulation", stimulation.STATE))

    assert in_world(work).state == stimulation.IDLE


def test_an_unknown_board_is_refused_in_a_sentence(tmp_path: Path):
    with pytest.raises(Exception, match="there is no board 'nonsense'; known boards: "):
        deploy("nonsense", {}, tmp_path / "flash")


def test_nobody_is_found_in_an_empty_world():
    async def work(world: World):
        async with world.host() as adapter, connect(adapter, await find(adapter, "", 1.0)):
            pass

    with pytest.raises(DeviceNotFound, match="heard: nothing"):
        in_world(work)
