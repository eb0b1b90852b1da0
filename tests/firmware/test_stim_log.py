"""The stimulation log: every accepted command is on record before it acts, and no loss of power breaks the chain."""

import sys
from collections.abc import Generator
from pathlib import Path
from struct import pack
from typing import Any

import pytest

from kinetens_protocol import messages, stimulation, stimulation_log
from kinetens_protocol.messages import Refused
from kinetens_protocol.stimulation_log import ENTRY_BYTES, LogEntry
from tests.firmware.flash import FailingFlash, PowerCut
from tests.stim.bench import FIRMWARE, MEMBER, Bench


class StoppedClock:
    """Firmware ticks that a test sets."""

    now = 0

    def now_ms(self) -> int:
        return self.now & ((1 << 30) - 1)

    def elapsed_ms(self, since: int) -> int:
        half = 1 << 29
        return ((self.now_ms() - since + half) & (2 * half - 1)) - half


@pytest.fixture(autouse=True)
def flash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Generator[Any]:
    monkeypatch.syspath_prepend(str(FIRMWARE))
    sys.modules.pop("stim.log", None)
    import stim.log  # pyright: ignore

    return stim.log  # pyright: ignore


def whole(read: Any) -> list[LogEntry]:
    """All entries, page by page as a host reads them; pages must join."""
    entries: list[LogEntry] = []
    start, check = 0, None
    while True:
        page = stimulation_log.unpack_page(read(start))
        assert check is None or page.before == check
        if not page.entries:
            assert start in (0, page.next)
            return entries
        entries += page.entries
        assert page.entries[0].sequence == max(start, page.oldest)
        start, check = page.entries[-1].sequence + 1, page.after


def entries_of(log: Any) -> list[LogEntry]:
    def read(start: int) -> bytes:
        buffer = bytearray(200)
        return bytes(buffer[: log.page_into(start, buffer, 0)])

    return whole(read)


def log_of(bench: Bench) -> list[LogEntry]:
    return whole(lambda start: bench.request(stimulation.READ_LOG, pack("<I", start)))


def commands(entries: list[LogEntry]) -> list[int]:
    return [entry.code for entry in entries if entry.kind == stimulation_log.COMMAND]


def test_entries_come_back_in_pages_after_a_restart(module):
    log = module.StimulationLog(StoppedClock(), 7)
    for value in range(13):
        log.append(stimulation_log.COMMAND, stimulation.SET_LEVEL, value * 500, value)
    again = module.StimulationLog(StoppedClock(), 8)
    again.append(stimulation_log.BOOT, 1, 8, 0)
    entries = entries_of(again)
    assert [entry.sequence for entry in entries] == list(range(14))
    assert [entry.value for entry in entries[:13]] == list(range(0, 6_500, 500))
    assert [entry.boot for entry in entries] == [7] * 13 + [8]


def test_renewals_are_counted_by_the_next_entry(module):
    log = module.StimulationLog(StoppedClock(), 1)
    for _ in range(3):
        log.renewed()
    log.append(stimulation_log.STATE_ENTERED, stimulation.RAMPING_DOWN, 1, 9)
    log.append(stimulation_log.STATE_ENTERED, stimulation.IDLE, 1, 9)
    assert [entry.renewals for entry in entries_of(log)] == [3, 0]


def test_time_goes_on_when_the_ticks_wrap(module):
    clock = StoppedClock()
    clock.now = (1 << 30) - 2_000
    log = module.StimulationLog(clock, 1)
    clock.now += 5_000
    log.append(stimulation_log.BOOT, 1, 1, 0)
    assert entries_of(log)[0].uptime_ms == 5_000


def test_the_oldest_segments_go_and_the_chain_stays(module, monkeypatch):
    monkeypatch.setattr(module, "SEGMENT_ENTRIES", 8)
    monkeypatch.setattr(module, "KEPT_SEGMENTS", 3)
    log = module.StimulationLog(StoppedClock(), 1)
    for value in range(50):
        log.append(stimulation_log.COMMAND, stimulation.SET_LEVEL, value, value)
    assert len(list(Path("state").iterdir())) == 3
    for kept in (log, module.StimulationLog(StoppedClock(), 2)):
        assert [entry.value for entry in entries_of(kept)] == list(range(32, 50))
        assert (kept.oldest, kept.next) == (32, 50)


@pytest.mark.parametrize("left", [1, 16, 31])
def test_a_torn_entry_is_told_and_the_chain_goes_on_from_the_last_whole_one(module, left: int):
    log = module.StimulationLog(StoppedClock(), 1)
    for value in range(3):
        log.append(stimulation_log.COMMAND, stimulation.SET_LEVEL, value, value)
    path = Path("state/stim-0001.log")
    path.write_bytes(path.read_bytes()[: left - ENTRY_BYTES])
    again = module.StimulationLog(StoppedClock(), 2)
    again.append(stimulation_log.BOOT, 1, 2, 0)
    kinds = [(entry.kind, entry.code, entry.value) for entry in entries_of(again)]
    assert kinds[1] == (stimulation_log.COMMAND, stimulation.SET_LEVEL, 1)
    assert kinds[2:] == [
        (stimulation_log.LOST, stimulation_log.TORN, left),
        (stimulation_log.BOOT, 1, 2),
    ]


@pytest.mark.parametrize("where", [20, 40, 60, 90])
def test_an_altered_entry_is_told_as_damage(module, where: int):
    log = module.StimulationLog(StoppedClock(), 1)
    for value in range(4):
        log.append(stimulation_log.COMMAND, stimulation.SET_LEVEL, value, value)
    path = Path("state/stim-0001.log")
    data = bytearray(path.read_bytes())
    data[where] ^= 4
    path.write_bytes(data)
    again = module.StimulationLog(StoppedClock(), 2)
    again.append(stimulation_log.BOOT, 1, 2, 0)
    kept = (where - 20) // ENTRY_BYTES
    lost = entries_of(again)[kept]
    assert (lost.kind, lost.code) == (stimulation_log.LOST, stimulation_log.DAMAGED)
    assert lost.value == (4 - kept) * ENTRY_BYTES


def test_a_damaged_header_is_told_and_begins_a_new_segment(module):
    log = module.StimulationLog(StoppedClock(), 1)
    log.append(stimulation_log.BOOT, 1, 1, 0)
    path = Path("state/stim-0001.log")
    path.write_bytes(b"?" + path.read_bytes()[1:])
    again = module.StimulationLog(StoppedClock(), 2)
    again.append(stimulation_log.BOOT, 1, 2, 0)
    assert [entry.kind for entry in entries_of(again)] == [stimulation_log.LOST, stimulation_log.BOOT]
    assert not path.exists()


def test_a_session_is_on_record_from_boot_to_its_end():
    bench = Bench()
    bench.start()
    bench.command(stimulation.SET_LEVEL, 500)
    bench.run(0.5, bench.renew)
    bench.request(stimulation.STOP)
    bench.run(1)
    entries = log_of(bench)
    assert commands(entries) == [
        stimulation.CONFIGURE,
        stimulation.ARM,
        stimulation.START,
        stimulation.SET_LEVEL,
        stimulation.STOP,
    ]
    assert entries[0].kind == stimulation_log.BOOT
    states = [entry.code for entry in entries if entry.kind == stimulation_log.STATE_ENTERED]
    assert states == [
        stimulation.CHECKING_CONTACT,
        stimulation.ARMED,
        stimulation.RUNNING,
        stimulation.RAMPING_DOWN,
        stimulation.IDLE,
    ]
    assert sum(entry.renewals for entry in entries) == 10
    assert entries[-1].value == stimulation.BY_HOST


def test_a_fault_is_on_record_with_its_detail():
    bench = Bench()
    bench.start()
    bench.world.pass_time(0.4)
    bench.run(0.2)
    (fault,) = [entry for entry in log_of(bench) if entry.kind == stimulation_log.FAULT_LATCHED]
    assert fault.code == stimulation.STALLED
    assert fault.value >= 400


def test_a_refused_command_has_no_entry():
    bench = Bench()
    bench.start()
    with pytest.raises(Refused):
        bench.command(stimulation.SET_LEVEL, 9_000)
    bench.request(stimulation.STOP)
    bench.run(1)
    assert stimulation.SET_LEVEL not in commands(log_of(bench))


def test_the_log_is_read_while_the_output_is_off_only():
    bench = Bench()
    bench.arm()
    with pytest.raises(Refused) as refused:
        log_of(bench)
    assert refused.value.reason == messages.WRONG_STATE
    with pytest.raises(Refused) as refused:
        bench.request(stimulation.READ_LOG, b"\0")
    assert refused.value.reason == messages.MALFORMED


START_S = 1.0


def broken() -> OSError:
    return OSError(5)


@pytest.mark.parametrize("operation", [stimulation.CONFIGURE, stimulation.ARM, stimulation.START])
def test_a_command_that_cannot_be_put_on_record_is_not_done(monkeypatch, operation: int):
    bench = Bench()
    before = {
        stimulation.CONFIGURE: lambda: None,
        stimulation.ARM: lambda: (bench.configure(), bench.hold_button()),
        stimulation.START: bench.arm,
    }
    before[operation]()
    pulses = len(bench.record)
    with monkeypatch.context() as patch:
        FailingFlash(patch, 0, broken)
        with pytest.raises(Refused) as refused:
            bench.configure() if operation == stimulation.CONFIGURE else bench.command(operation)
        assert refused.value.reason == messages.STORAGE_FAILED
        assert bench.state().fault == stimulation.STORAGE
        bench.run(5)
    assert len(bench.record) == pulses
    bench.run(3.5)
    bench.command(stimulation.CLEAR_FAULT, stimulation.STORAGE)
    assert commands(log_of(bench))[-1] == stimulation.CLEAR_FAULT


def test_a_stop_acts_though_the_flash_is_broken(monkeypatch):
    bench = Bench()
    bench.start()
    bench.raise_to(2_000)
    FailingFlash(monkeypatch, 0, broken)
    bench.request(stimulation.STOP)
    bench.run(0.1)
    assert not bench.supervisor.active
    assert bench.state().fault == stimulation.STORAGE


def scenario(bench: Bench, accepted: list[int]) -> None:
    """A session with every command of the host; what the device accepted is listed as soon as it says so."""

    def note(operation: int, do: Any) -> None:
        do()
        accepted.append(operation)

    note(stimulation.CONFIGURE, bench.configure)
    bench.hold_button()
    note(stimulation.ARM, lambda: bench.command(stimulation.ARM))
    bench.run(0.4)
    note(stimulation.START, lambda: bench.command(stimulation.START))
    note(stimulation.SET_LEVEL, lambda: bench.command(stimulation.SET_LEVEL, 500))
    bench.run(0.4, bench.renew)
    note(stimulation.STOP, lambda: bench.request(stimulation.STOP))
    bench.run(0.5)
    bench.hold_button()
    note(stimulation.RELEASE_MEMBER, lambda: bench.command(stimulation.RELEASE_MEMBER))


def until_the_cut(patch: pytest.MonkeyPatch, step: int, accepted: list[int]) -> Bench:
    """A device that lost power at a use of its flash, as it lies there."""
    bench = Bench.__new__(Bench)
    FailingFlash(patch, step)
    try:
        bench.__init__()
        scenario(bench, accepted)
    except PowerCut:
        return bench
    raise AssertionError("the power was never cut")


def given_ms(bench: Bench) -> float:
    """How long pulses came after the scenario's START (at 1 s), those of zero current too."""
    record = bench.record
    times_s = [t for t, width in zip(record.time_s, record.width_s, strict=True) if width > 0 and t > START_S]
    return (times_s[-1] - times_s[0]) * 1000 if times_s else 0.0


def uses_of_the_flash() -> int:
    """How often a whole session touches the flash, counted by the session itself."""
    with pytest.MonkeyPatch.context() as patch:
        flash = FailingFlash(patch, 1 << 30)
        scenario(Bench(), [])
        return flash.uses


@pytest.mark.parametrize("part", range(4))
def test_power_lost_at_any_boundary_of_any_write_forgets_nothing(part: int, tmp_path, monkeypatch):
    """The day's dose is never less than what was given, the log verifies, and no accepted command is missing."""
    uses = uses_of_the_flash()
    assert uses > 60
    for step in range(part, uses, 4):
        folder = tmp_path / f"step-{step}"
        folder.mkdir()
        monkeypatch.chdir(folder)
        accepted: list[int] = []
        with monkeypatch.context() as patch:
            bench = until_the_cut(patch, step, accepted)
        bench.boot()
        assert bench.state().state == stimulation.IDLE, step
        entries = log_of(bench)
        assert commands(entries)[: len(accepted)] == accepted, step
        assert len(commands(entries)) <= len(accepted) + 1, step
        assert [entry.sequence for entry in entries] == list(range(len(entries)))
        assert bench.supervisor.dose.used_ms() >= given_ms(bench), step
        bench.configure()
        assert commands(log_of(bench))[-1] == stimulation.CONFIGURE, step


def test_slow_flash_delays_a_command_and_stops_nothing(monkeypatch):
    """A littlefs append rewrites a block: one erase, typically 45 ms; the output starves meanwhile, safely."""
    bench = Bench()
    bench.start()
    bench.raise_to(2_000)
    append = bench.channel.commands._entries.append

    def slowly(*entry: int) -> None:
        bench.world.pass_time(0.045)
        append(*entry)

    monkeypatch.setattr(bench.channel.commands._entries, "append", slowly)
    bench.command(stimulation.SET_LEVEL, 2_400)
    bench.run(1, bench.renew)
    assert bench.state().state == stimulation.RUNNING
    monkeypatch.setattr(bench.channel.commands._entries, "append", lambda *entry: bench.world.pass_time(0.4))
    bench.command(stimulation.SET_LEVEL, 2_300)
    bench.run(0.1)
    assert bench.state().fault == stimulation.STALLED


def test_the_member_of_the_first_plan_is_kept_and_others_are_refused_until_released():
    bench = Bench()
    assert not bench.state().flags & stimulation.MEMBER_BOUND
    bench.configure()
    assert bench.state().flags & stimulation.MEMBER_BOUND
    bench.boot()
    with pytest.raises(Refused) as refused:
        bench.configure(member="somebody else")
    assert refused.value.reason == messages.WRONG_MEMBER
    bench.configure(member=MEMBER)
    with pytest.raises(Refused) as refused:
        bench.command(stimulation.RELEASE_MEMBER)
    assert refused.value.reason == messages.BUTTON_NEEDED
    bench.hold_button()
    bench.command(stimulation.RELEASE_MEMBER)
    with pytest.raises(Refused) as refused:
        bench.command(stimulation.RELEASE_MEMBER)
    assert refused.value.reason == messages.BUTTON_NEEDED, "one hold serves once"
    bench.configure(member="somebody else")


def test_another_devices_plan_is_refused():
    bench = Bench()
    with pytest.raises(Refused) as refused:
        bench.configure(serial="3c71bf4f2a11")
    assert refused.value.reason == messages.WRONG_DEVICE
    assert not bench.state().flags & stimulation.MEMBER_BOUND


def test_nobody_is_released_while_the_output_is_on():
    bench = Bench()
    bench.start()
    with pytest.raises(Refused) as refused:
        bench.command(stimulation.RELEASE_MEMBER)
    assert refused.value.reason == messages.WRONG_STATE


def test_a_new_member_finds_the_days_dose_as_it_is():
    bench = Bench()
    bench.start()
    bench.run(2, bench.renew)
    bench.request(stimulation.STOP)
    bench.run(1)
    left_ms = bench.state().day_left_ms
    bench.hold_button()
    bench.command(stimulation.RELEASE_MEMBER)
    bench.configure(member="somebody else")
    assert bench.state().day_left_ms == left_ms


@pytest.mark.parametrize("damage", [b"", b"mem1", b"mem1" + bytes(8)])
def test_a_damaged_binding_admits_nobody_until_released(damage: bytes):
    bench = Bench()
    bench.configure()
    Path("state/member.bin").write_bytes(damage)
    bench.boot()
    with pytest.raises(Refused) as refused:
        bench.configure()
    assert refused.value.reason == messages.WRONG_MEMBER
    bench.hold_button()
    bench.command(stimulation.RELEASE_MEMBER)
    bench.configure()
