"""Operations and events of the stimulation characteristic, its states, stop causes and faults. Since 1.0 unless a
line says otherwise.

Framing, request identifiers and reasons are those of messages.py; limits are those of limits.py. What moves
the output is a command: it carries a counter that must rise from command to command for as long as the device
remembers (a host begins above the counter of its State), and ends with a CRC-32 of its operation and all bytes
before. A command whose length or CRC is wrong is refused as malformed, one whose counter does not rise as
stale. STOP is never refused: its payload is not looked at.

    operation       request                   answer
    LIMITS          1 byte: first row wanted  effective limits (see pack_bounds_into)
    CONFIGURE       Configure                 -; the effective limits now count plan and pads
    ARM             Command                   -; the contact check begins, a state event tells its end
    START           Command                   -; the output runs at zero, the lease begins
    SET_LEVEL       Command, value: peak µA   -; the device moves there within the slew limit
    RENEW           Command                   -; the lease lasts its full length again from now
    STOP            anything                  -; ramp to zero
    CLEAR_FAULT     Command, value: fault     -
    STATE           -                         State
    RELEASE_MEMBER  Command                   -; the next plan may be another member's
    READ_LOG        4 bytes: first entry      a page of the log (stimulation_log.py)
"""

from binascii import crc32
from struct import calcsize, pack, pack_into, unpack_from

from kinetens_protocol import ProtocolError
from kinetens_protocol.limits import LIMITS as TABLE
from kinetens_protocol.limits import Bound, Program
from kinetens_protocol.records import NamedTuple

# Operations.
LIMITS = 1
CONFIGURE = 2
ARM = 3
START = 4
SET_LEVEL = 5
RENEW = 6
STOP = 7
CLEAR_FAULT = 8
STATE = 9
RELEASE_MEMBER = 10  # since 1.2
READ_LOG = 11  # since 1.2

# Events (since 1.0).
STATE_EVENT = 1
"""At every change and at least every 200 ms while not idle: a State."""
FAULT_EVENT = 2
"""When a fault latches: a FaultReport."""

TELEMETRY_MS = 200

# States (since 1.0).
IDLE = 0
CHECKING_CONTACT = 1
ARMED = 2
RUNNING = 3
RAMPING_DOWN = 4
FAULT = 5

STATES = {
    IDLE: "idle",
    CHECKING_CONTACT: "checking contact",
    ARMED: "armed",
    RUNNING: "running",
    RAMPING_DOWN: "ramping down",
    FAULT: "fault",
}

# Stop causes: why the output last returned to zero.
NOT_STOPPED = 0
BY_HOST = 1
BY_BUTTON = 2
LEASE_LAPSED = 3
LINK_LOST = 4
SESSION_OVER = 5
CHARGER = 6
BATTERY_LOW = 7
TOO_HOT = 8
MOTION = 9
CONTACT_OPEN = 10
CONTACT_SHORT = 11
ARM_EXPIRED = 12
BY_FAULT = 13
FREE_FALL = 14  # since 1.2
VIOLENT_MOTION = 15  # since 1.2
MOVEMENT = 16  # since 1.2

CAUSES = {
    NOT_STOPPED: "not stopped yet",
    BY_HOST: "stopped by the host",
    BY_BUTTON: "stopped by the device's button",
    LEASE_LAPSED: "the host did not renew the lease",
    LINK_LOST: "the link was lost",
    SESSION_OVER: "the session's time is over",
    CHARGER: "the charger was connected",
    BATTERY_LOW: "the battery is low",
    TOO_HOT: "the device is too hot",
    MOTION: "the motion data is missing, frozen or too flat to be true",
    CONTACT_OPEN: "the contact check found a pad off",
    CONTACT_SHORT: "the contact check found a short between the pads",
    ARM_EXPIRED: "not started within 30 s of arming",
    BY_FAULT: "stopped by a fault",
    FREE_FALL: "the device was falling",
    VIOLENT_MOTION: "the device was moved more violently than any exercise does",
    MOVEMENT: "the member moved, which the plan does not permit",
}

# Faults: latched until cleared.
NO_FAULT = 0
LEAD_OFF = 1
SHORT = 2
PAD_PARTLY_OFF = 3
WRONG_CURRENT = 4
STALLED = 5
OUTPUT_BUS = 6
STORAGE = 7
INTERNAL = 8
RESIDUAL = 9  # since 1.2

FAULTS = {
    NO_FAULT: ("none", "no fault"),
    LEAD_OFF: ("lead-off", "a pad came off"),
    SHORT: ("short", "the pads touch each other"),
    PAD_PARTLY_OFF: ("pad-partly-off", "a pad has come off in part"),
    WRONG_CURRENT: ("wrong-current", "the current measured is not the current asked for"),
    STALLED: ("stalled", "the device's program was held up while the output was on"),
    OUTPUT_BUS: ("output-bus", "the output converter does not answer"),
    STORAGE: ("storage", "the device cannot keep the day's dose or its log"),
    INTERNAL: ("internal", "a program error on the device; its log says which"),
    RESIDUAL: ("residual", "the pulses leave direct current behind"),
}

# Subject of a refusal with reason WRONG_STATE.
NOT_CONFIGURED = 1
ANSWERS_MISSING = 2
HOT = 3
MOVING = 4  # since 1.2

WRONG_STATES = {
    NOT_CONFIGURED: "the device has no plan",
    ANSWERS_MISSING: "the questions about contraindications are not answered, or an answer forbids the plan",
    HOT: "the device is too hot",
    MOVING: "the member moves, which the plan does not permit",
}

PROTECTIONS = (
    "toggled-high-voltage-enable",
    "outputs-safe-at-reset",
    "zero-volt-zero-current",
    "series-capacitor",
    "output-fuse",
    "residual-sense",
)
"""Hardware protections that a board must have; a refusal with reason PROTECTION_MISSING has the index for its
subject."""

# Flags of a Configure.
ANSWERS_OK = 0x01
"""The member has answered the plan's contraindication questions and none of the answers forbids it."""
DURING_MOVEMENT = 0x02  # since 1.2
"""The plan permits stimulation while the member moves; falls and violent motion end it all the same."""

# Flags of a State.
BUTTON_PRESSED = 0x01
BUTTON_READY = 0x02
"""The button was held long enough, recently enough, for ARM and START."""
CONFIGURED = 0x04
MEMBER_BOUND = 0x08  # since 1.2
"""The device belongs to a member: to the one of the first plan it accepted, until released."""

Configure = NamedTuple(
    "Configure",
    [
        ("counter", int),
        ("flags", int),
        ("lease_ms", int),
        ("device_tag", int),
        ("member_tag", int),
        ("program", Program),
        ("limits", "tuple[tuple[int, int], ...]"),
    ],
)
"""A plan: for which device and member (`tag` of the serial number and of the member's identifier, since 1.2), the
programme (limits.Program), and the limits it narrows as (code, value) pairs, at most 13."""

Command = NamedTuple(
    "Command",
    [
        ("counter", int),
        ("value", int),
    ],
)

State = NamedTuple(
    "State",
    [
        ("state", int),
        ("cause", int),
        ("fault", int),
        ("flags", int),
        ("level_ua", int),
        ("target_ua", int),
        ("measured_ua", int),
        ("impedance_ohm", int),
        ("contact_permille", int),
        ("pulses", int),
        ("session_ms", int),
        ("day_left_ms", int),
        ("day_sessions_left", int),
        ("rest_left_ms", int),
        ("lease_left_ms", int),
        ("counter", int),
    ],
)
"""cause: why the output last stopped. level: the output now; target: where it is moving. pulses and
session_ms: handed to the hardware and spent in this session. day_left_ms and rest_left_ms by the device's own
clock. counter: the last one accepted."""

FaultReport = NamedTuple(
    "FaultReport",
    [
        ("fault", int),
        ("detail", int),
    ],
)

_CONFIGURE = "<IBHIIIHHIHIIIHBHHB"
_COMMAND = "<II"
_CHECK = "<I"
_ROW = "<BBI"
_PLAN_ROW = "<BI"
_STATE = "<BBBBIIIIHIIIBIHI"
_FAULT_REPORT = "<BI"

MOST_PLAN_ROWS = 13
ROW_BYTES = calcsize(_ROW)
STATE_BYTES = calcsize(_STATE)


def tag(text: str) -> int:
    """What a plan names a device (its serial number) or a member (the identifier) by."""
    return crc32(text.encode())


def pack_configure(configure: Configure) -> bytes:
    rows = b"".join([pack(_PLAN_ROW, code, value) for code, value in configure.limits])
    head = pack(
        _CONFIGURE,
        configure.counter,
        configure.flags,
        configure.lease_ms,
        configure.device_tag,
        configure.member_tag,
        *configure.program,
        len(configure.limits),
    )
    return _seal(CONFIGURE, head + rows)


def unpack_configure(payload: bytes) -> Configure:
    """Raises ProtocolError for a wrong length or CRC, or a share of contact above the whole pad."""
    body = _unseal(CONFIGURE, payload, "plan")
    if len(body) < calcsize(_CONFIGURE):
        raise ProtocolError("plan has %d bytes of %d" % (len(body), calcsize(_CONFIGURE)))
    numbers = unpack_from(_CONFIGURE, body, 0)
    offset = calcsize(_CONFIGURE)
    step = calcsize(_PLAN_ROW)
    if len(body) != offset + numbers[-1] * step or numbers[-1] > MOST_PLAN_ROWS:
        raise ProtocolError("plan says %d limits and has %d bytes" % (numbers[-1], len(body)))
    rows = tuple([unpack_from(_PLAN_ROW, body, at) for at in range(offset, len(body), step)])
    program = Program(*numbers[5:-1])
    if program.contact_permille > 1000:
        raise ProtocolError("plan has a contact of %d per mille" % program.contact_permille)
    return Configure(*numbers[:5], program, rows)


def pack_command(operation: int, command: Command) -> bytes:
    return _seal(operation, pack(_COMMAND, *command))


def unpack_command(operation: int, payload: bytes) -> Command:
    """Raises ProtocolError for a wrong length or CRC."""
    body = _unseal(operation, payload, "command")
    if len(body) != calcsize(_COMMAND):
        raise ProtocolError("command has %d bytes of %d" % (len(body), calcsize(_COMMAND)))
    return Command(*unpack_from(_COMMAND, body, 0))


def pack_bounds_into(buffer: bytearray, offset: int, bounds: dict[int, Bound], first: int) -> int:
    """Write the number of rows of the whole table (1 byte), then rows of code, source and value from the
    first one wanted.

    As many rows as the buffer takes; the host asks again from where they end. Returns the offset after them.
    """
    buffer[offset] = len(TABLE)
    offset += 1
    for limit in TABLE[first:]:
        if offset + ROW_BYTES > len(buffer):
            break
        bound = bounds[limit.code]
        pack_into(_ROW, buffer, offset, bound.code, bound.source, bound.value)
        offset += ROW_BYTES
    return offset


def unpack_bounds(payload: bytes) -> tuple[int, list[Bound]]:
    """The number of rows of the whole table and those that came."""
    if not payload or (len(payload) - 1) % ROW_BYTES:
        raise ProtocolError("limits of %d bytes are not whole rows" % len(payload))
    rows = [unpack_from(_ROW, payload, at) for at in range(1, len(payload), ROW_BYTES)]
    return payload[0], [Bound(code, value, source) for code, source, value in rows]


def pack_state_into(buffer: bytearray, offset: int, state: State) -> int:
    """Write a state and return the offset after it."""
    pack_into(_STATE, buffer, offset, *state)
    return offset + STATE_BYTES


def unpack_state(payload: bytes) -> State:
    """A later minor version may append fields."""
    if len(payload) < STATE_BYTES:
        raise ProtocolError("stimulation state has %d bytes of %d" % (len(payload), STATE_BYTES))
    return State(*unpack_from(_STATE, payload, 0))


def pack_fault_report_into(buffer: bytearray, offset: int, report: FaultReport) -> int:
    """Write a fault report and return the offset after it."""
    pack_into(_FAULT_REPORT, buffer, offset, *report)
    return offset + calcsize(_FAULT_REPORT)


def unpack_fault_report(payload: bytes) -> FaultReport:
    if len(payload) < calcsize(_FAULT_REPORT):
        raise ProtocolError("fault report has %d bytes of %d" % (len(payload), calcsize(_FAULT_REPORT)))
    return FaultReport(*unpack_from(_FAULT_REPORT, payload, 0))


def _seal(operation: int, body: bytes) -> bytes:
    return body + pack(_CHECK, crc32(bytes([operation]) + body))


def _unseal(operation: int, payload: bytes, what: str) -> bytes:
    body = bytes(payload[:-4])
    if len(payload) < 4 or unpack_from(_CHECK, payload, len(payload) - 4)[0] != crc32(
        bytes([operation]) + body
    ):
        raise ProtocolError("%s is damaged: its check value is wrong" % what)
    return body
