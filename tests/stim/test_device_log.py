"""The device's log and its member, read and released from the host against the real firmware."""

import asyncio
from pathlib import Path

import pytest

from kinetens.errors import StimulationRefused
from kinetens.stim.button import release_member
from kinetens.stim.device_log import LogBroken, entry_text, read_log
from kinetens_protocol import stimulation, stimulation_log
from kinetens_protocol.stimulation_log import LogEntry
from tests.stim.test_controller import Device, controller, run


@pytest.fixture(autouse=True)
def flash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_log_tells_what_was_given_and_its_chain_holds():
    async def scene(device: Device) -> None:
        await controller(device).run()
        found = await read_log(device)
        said = [entry_text(entry) for entry in found.entries]
        assert found.is_whole
        assert [entry.sequence for entry in found.entries] == list(range(len(found.entries)))
        assert len(found.entries) > 2 * stimulation_log.MOST_PAGE_ENTRIES
        assert said[0].startswith("start number")
        assert any(text.startswith("took a plan") for text in said)
        assert said.index("start") < said.index("running") < said.index("set level 1 mA")
        assert said[-1] == "idle: the session's time is over"
        assert sum(entry.renewals for entry in found.entries) > 20

    run(scene)


@pytest.mark.parametrize("broken", ["altered", "left out"])
def test_a_log_that_was_altered_is_refused(broken: str):
    async def scene(device: Device) -> None:
        await controller(device).run()
        real = device.request
        pages = 0

        async def other(operation: int, payload: bytes = b"") -> bytes:
            nonlocal pages
            answer = bytearray(await real(operation, payload))
            if operation == stimulation.READ_LOG:
                pages += 1
                if pages == 2 and broken == "altered":
                    answer[-20] ^= 1
                elif pages == 2:
                    answer[8] ^= 1
            return bytes(answer)

        device.request = other  # type: ignore[method-assign]
        with pytest.raises(LogBroken, match="the device's log is broken"):
            await read_log(device)

    run(scene)


def test_the_log_is_not_given_while_the_output_runs():
    async def scene(device: Device) -> None:
        running = asyncio.create_task(controller(device).run())
        await asyncio.sleep(4)
        with pytest.raises(StimulationRefused, match="does not give its log"):
            await read_log(device)
        await running

    run(scene)


def test_a_device_is_released_by_its_button_and_then_another_member_s():
    async def scene(device: Device) -> None:
        assert not await release_member(device, device.press)
        await controller(device).run()
        with pytest.raises(StimulationRefused, match="belongs to another member"):
            await controller(device, member="somebody else").run()
        assert await release_member(device, device.press)
        assert not await release_member(device, device.press)

    run(scene)


def test_nobody_at_the_button_leaves_the_device_its_member():
    async def scene(device: Device) -> None:
        await controller(device).run()
        with pytest.raises(StimulationRefused, match="nobody held the device's button"):
            await release_member(device, lambda: None)
        with pytest.raises(StimulationRefused, match="belongs to another member"):
            await controller(device, member="somebody else").run()

    run(scene)


def test_entries_of_a_later_version_are_shown_as_numbers():
    assert entry_text(LogEntry(1, 1, 0, 99, 3, 4, 0, 0)) == "code 3, value 4"
    assert entry_text(LogEntry(1, 1, 0, stimulation_log.COMMAND, 99, 0, 0, 0)) == "operation 99"
