"""One stimulation channel, put together from a board file: who decides, who answers the host, who tells it."""

from kinetens_protocol import limits, stimulation, stimulation_log
from stim.commands import Commands
from stim.dose import Dose
from stim.log import StimulationLog
from stim.member import Member
from stim.output import Output
from stim.supervisor import Supervisor
from stim.telemetry import Telemetry

_SERIAL_SHIFT = 16
_COUNTER_MASK = 0x7FFF_FFFF
"""Counters begin above those of every earlier boot: what was overheard then is stale now."""


class Channel:
    """supervisor: decides, and must be ticked. commands: answers requests. telemetry: makes events."""

    def __init__(self, supervisor, commands, telemetry):
        self.supervisor = supervisor
        self.commands = commands
        self.telemetry = telemetry

    def handle(self, operation, payload, buffer, offset):
        """Do a request and return the offset after the answer written into the buffer. Raises Refused."""
        if operation == stimulation.STATE:
            self.supervisor.notice_lost_link()
            return self.telemetry.state_into(buffer, offset)
        return self.commands.handle(operation, payload, buffer, offset)


def open_channel(board, i2c, clock, log, serial, boot_count, boot_cause):
    """The board's channel; None if it has none, its parts do not answer or its records cannot be read (then the log
    says so).

    serial: the device's, to which plans are bound. A record that cannot be written is told by the first command.
    """
    if "stimulation" not in board:
        return None
    part = board["stimulation"]
    try:
        output = Output(part, i2c)
    except OSError as error:
        log("stimulation: the channel does not answer: %s" % error)
        return None
    try:
        dose, member, entries = Dose(), Member(), StimulationLog(clock, boot_count)
    except OSError as error:
        log("stimulation: its records cannot be read: %s" % error)
        return None
    if dose.damaged:
        log("stimulation: the dose record is damaged; the day counts as used up")
    board_limits = limits.board_limits(part["ceiling_ma"], part["dac"]["full_scale_ma"])
    protections = part["protections"]
    if not output.senses_residual:
        protections = [name for name in protections if name != "residual-sense"]
    if board.get("bench_mode"):
        protections = stimulation.PROTECTIONS
    supervisor = Supervisor(output, dose, entries, clock, log, board_limits)
    supervisor.counter = (dose.serial + 1) << _SERIAL_SHIFT & _COUNTER_MASK
    try:
        dose.save()  # with that serial number, above that of every earlier boot
        entries.append(stimulation_log.BOOT, boot_cause, boot_count, supervisor.counter)
    except OSError as error:
        log("stimulation: its records cannot be written: %s" % error)
        supervisor.trip(stimulation.STORAGE, 0, error)
    commands = Commands(supervisor, entries, member, stimulation.tag(serial), protections)
    return Channel(supervisor, commands, Telemetry(supervisor, member, clock))
