"""The device's own stimulation log: read page by page, its chain checked, and put into words."""

from dataclasses import dataclass
from itertools import pairwise
from struct import pack

from kinetens.errors import KinetensError, RequestRefused, StimulationRefused
from kinetens.stim import words
from kinetens.stim.channel import StimulationChannel
from kinetens_protocol import ProtocolError, stimulation, stimulation_log
from kinetens_protocol.stimulation_log import LogEntry, LogPage

_OPERATIONS = {
    stimulation.CONFIGURE: "took a plan",
    stimulation.ARM: "arm",
    stimulation.START: "start",
    stimulation.SET_LEVEL: "set level",
    stimulation.STOP: "stop",
    stimulation.CLEAR_FAULT: "clear fault",
    stimulation.RELEASE_MEMBER: "release member",
}
_LOSSES = {
    stimulation_log.TORN: "an entry that was being written when the power went",
    stimulation_log.DAMAGED: "damaged entries",
}


class LogBroken(KinetensError):
    """The device's log is not whole: its chain does not hold from one entry to the next."""


@dataclass(frozen=True, slots=True)
class DeviceLog:
    """A log whose chain holds. first: the sequence of its first entry; whole: from the device's first day on."""

    entries: tuple[LogEntry, ...]
    first: int
    before: bytes
    after: bytes

    @property
    def is_whole(self) -> bool:
        """Whether no entry was dropped for its age."""
        return self.first == 0


async def read_log(channel: StimulationChannel) -> DeviceLog:
    """Read all of a device's log.

    Raises LogBroken: the chain does not hold; StimulationRefused: the device does not give it now; RequestTimeout,
    LinkLost.
    """
    first = await _page(channel, 0)
    entries, after = list(first.entries), first.after
    while entries and entries[-1].sequence + 1 < first.next:
        wanted = entries[-1].sequence + 1
        page = await _page(channel, wanted)
        if page.before != after or not page.entries or page.entries[0].sequence != wanted:
            raise LogBroken(
                f"the device's log is broken: entry {wanted} does not follow the one before it; "
                "entries were lost or altered"
            )
        entries += page.entries
        after = page.after
    for before, entry in pairwise(entries):
        if entry.sequence != before.sequence + 1:
            raise LogBroken(f"the device's log is broken: entry {before.sequence + 1} is not there")
    return DeviceLog(tuple(entries), entries[0].sequence if entries else 0, first.before, after)


def entry_text(entry: LogEntry) -> str:
    """An entry in words."""
    match entry.kind:
        case stimulation_log.COMMAND:
            said = _OPERATIONS.get(entry.code, f"operation {entry.code}")
            if entry.code == stimulation.SET_LEVEL:
                said += f" {entry.value / 1000:g} mA"
            elif entry.code == stimulation.CONFIGURE:
                said += f" (check value {entry.value:08x})"
        case stimulation_log.STATE_ENTERED:
            said = words.state(entry.code)
            if entry.code in (stimulation.IDLE, stimulation.RAMPING_DOWN) and entry.value:
                said += f": {words.cause(entry.value)}"
        case stimulation_log.FAULT_LATCHED:
            said = f"{words.fault(entry.code)} ({entry.value})"
        case stimulation_log.BOOT:
            said = f"start number {entry.value}"
        case stimulation_log.LOST:
            said = f"lost {_LOSSES.get(entry.code, 'entries')}, {entry.value} bytes"
        case _:
            said = f"code {entry.code}, value {entry.value}"
    return said


async def _page(channel: StimulationChannel, wanted: int) -> LogPage:
    try:
        answer = await channel.request(stimulation.READ_LOG, pack("<I", wanted))
    except RequestRefused as error:
        reason = words.refusal(error.reason, error.refusal)
        raise StimulationRefused(f"the device does not give its log: {reason}") from error
    try:
        return stimulation_log.unpack_page(answer)
    except ProtocolError as error:
        raise LogBroken(f"the device's log is broken: {error}; entries were lost or altered") from error
