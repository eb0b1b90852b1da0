"""The specification says what the package does: its tables are compared with the code, both ways."""

import re
from pathlib import Path
from struct import calcsize
from types import ModuleType

import pytest

import kinetens_protocol as protocol
from kinetens_protocol import control, faults, limits, messages, motion, stimulation, stimulation_log, uuids

TYPES = {"B": "u8", "b": "i8", "H": "u16", "h": "i16", "I": "u32", "i": "i32", "Q": "u64"}
TYPE_BYTES = {name: calcsize("<" + letter) for letter, name in TYPES.items()}

# heading -> fields, their struct layout, and the fields of the table that follow with a length of their own
LAYOUTS: dict[str, tuple[tuple[str, ...], str, list[str]]] = {
    "Refusal": (messages.Refusal._fields, messages._REFUSAL, []),
    "Hello": (control.Hello._fields, control._HELLO, []),
    "Info": (control.Info._fields[:8], control._INFO, list(control.Info._fields[8:])),
    "StreamRequest": (control.StreamRequest._fields, control._STREAM_REQUEST, []),
    "Stream": (control.Stream._fields, control._STREAM, []),
    "Status": (control.Status._fields, control._STATUS, []),
    "TimeExchange": (control.TimeExchange._fields, control._TIME, []),
    "Calibration": (control.Calibration._fields, control._CALIBRATION, []),
    "Frame": (motion.FrameHeader._fields, motion._HEADER, ["samples"]),
    "Command": (stimulation.Command._fields, stimulation._COMMAND, ["check"]),
    "Configure": (
        (*stimulation.Configure._fields[:5], *limits.Program._fields, "rows"),
        stimulation._CONFIGURE,
        ["plan_rows", "check"],
    ),
    "State": (stimulation.State._fields, stimulation._STATE, []),
    "LogPage": (
        ("oldest", "next"),
        stimulation_log._PAGE,
        ["before", "entries"],
    ),
    "LogEntry": (stimulation_log.LogEntry._fields, stimulation_log._ENTRY, ["check"]),
    "FaultReport": (stimulation.FaultReport._fields, stimulation._FAULT_REPORT, []),
    "Limit rows": (("code", "source", "value"), stimulation._ROW, []),
}

# heading -> the module and the first of a block of constants in it
NUMBERS: dict[str, tuple[ModuleType, str]] = {
    "Kinds": (messages, "REQUEST"),
    "Reasons": (messages, "OK"),
    "Control operations": (control, "HELLO"),
    "Control events": (control, "STATUS_EVENT"),
    "Hardware flags": (control, "HAS_STIMULATION"),
    "Stream flags": (control, "STREAM_RAW"),
    "Status flags": (control, "STREAMING"),
    "Calibration parts": (control, "GYRO_CALIBRATED"),
    "Frame kinds": (motion, "ORIENTATION"),
    "Frame flags": (motion, "DROPPED_BEFORE"),
    "Sample flags": (motion, "REST"),
    "Stimulation operations": (stimulation, "LIMITS"),
    "Stimulation events": (stimulation, "STATE_EVENT"),
    "Wrong states": (stimulation, "NOT_CONFIGURED"),
    "Configure flags": (stimulation, "ANSWERS_OK"),
    "State flags": (stimulation, "BUTTON_PRESSED"),
    "States": (stimulation, "IDLE"),
    "Stop causes": (stimulation, "NOT_STOPPED"),
    "Log kinds": (stimulation_log, "COMMAND"),
    "Log losses": (stimulation_log, "TORN"),
    "Sources": (limits, "TABLE"),
    "Modulations": (limits, "STEADY"),
    "Limits": (limits, "PEAK_CURRENT"),
}

# Faults go by the names that statuses and logs show.
FAULTS = {"Faults": (faults, "SENSOR_MISSING"), "Stimulation faults": (stimulation, "NO_FAULT")}

# What follows from the layouts.
DERIVED = {
    "HEADER_BYTES",
    "RESPONSE_HEADER_BYTES",
    "STATUS_BYTES",
    "CALIBRATION_BYTES",
    "STATE_BYTES",
    "ROW_BYTES",
    "ENTRY_BYTES",
    "PAGE_HEADER_BYTES",
    "ORIENTATION_SAMPLE_BYTES",
    "RAW_SAMPLE_BYTES",
    "MOST_SAMPLES",
}


@pytest.fixture(scope="module")
def specification(checkout: Path) -> str:
    return (checkout / "protocol" / "specification.md").read_text(encoding="utf-8")


def table(specification: str, heading: str) -> list[list[str]]:
    """The rows of the first table under a heading."""
    section = re.search(rf"^##+ {heading}\n(.*?)(?=^##|\Z)", specification, re.MULTILINE | re.DOTALL)
    assert section, f"no section {heading!r}"
    rows = re.search(r"(?:^\|.*\n)+", section[1], re.MULTILINE)
    assert rows, f"no table under {heading!r}"
    return [cells(line) for line in rows[0].splitlines()[2:]]


def cells(line: str) -> list[str]:
    return [cell.strip().strip("`") for cell in line.strip("|").split("|")]


def constants(module: ModuleType, first: str) -> dict[str, int]:
    """A block of constants of a module: from the first one to the next empty line."""
    assert module.__file__
    source = Path(module.__file__).read_text(encoding="utf-8")
    block = re.search(rf"^{first} = .*?(?=\n\n)", source, re.MULTILINE | re.DOTALL)
    assert block
    return {name: getattr(module, name) for name in re.findall(r"^([A-Z_]+) = ", block[0], re.MULTILINE)}


def test_it_is_of_this_version(specification: str):
    title = specification.splitlines()[0]
    assert title.endswith(f"version {protocol.VERSION_MAJOR}.{protocol.VERSION_MINOR}")


@pytest.mark.parametrize("heading", LAYOUTS)
def test_every_field_has_its_offset_and_type(specification: str, heading: str):
    fields, layout, behind = LAYOUTS[heading]
    letters = layout.removeprefix("<")
    assert len(letters) == len(fields)
    offsets = [calcsize("<" + letters[:i]) for i in range(len(letters))]
    expected = [
        [str(offset), TYPES[letter], field]
        for offset, letter, field in zip(offsets, letters, fields, strict=True)
    ]
    rows = table(specification, heading)
    assert [row[:3] for row in rows[: len(fields)]] == expected
    assert [row[2] for row in rows[len(fields) :]] == behind
    if behind:
        assert rows[len(fields)][0] in (str(calcsize(layout)), "…")


@pytest.mark.parametrize("heading", NUMBERS)
def test_every_number_has_its_name(specification: str, heading: str):
    expected = constants(*NUMBERS[heading])
    assert {row[1]: int(row[0], 0) for row in table(specification, heading)} == expected


@pytest.mark.parametrize("heading", FAULTS)
def test_every_fault_has_its_number_and_sentence(specification: str, heading: str):
    module, first = FAULTS[heading]
    assert set(module.FAULTS) == set(constants(module, first).values())
    expected = [[str(number), name, sentence] for number, (name, sentence) in module.FAULTS.items()]
    assert table(specification, heading) == expected


@pytest.mark.parametrize(
    ("heading", "sentences"),
    [
        ("Reasons", messages.REASONS),
        ("States", stimulation.STATES),
        ("Stop causes", stimulation.CAUSES),
        ("Sources", limits.SOURCES),
    ],
)
def test_every_sentence_is_the_packages(specification: str, heading: str, sentences: dict[int, str]):
    assert {int(row[0]): row[2] for row in table(specification, heading)} == sentences


def test_every_boot_cause_has_its_number(specification: str):
    assert {int(row[0]): row[1] for row in table(specification, "Boot causes")} == control.BOOT_CAUSES


def test_every_protection_has_its_number(specification: str):
    named = {int(row[0]): row[1] for row in table(specification, "Protections")}
    assert named == dict(enumerate(stimulation.PROTECTIONS))


def test_every_limit_has_its_values(specification: str):
    expected = [
        [
            str(limit.code),
            ("least: " if limit.is_floor else "") + limit.name,
            limit.unit or "-",
            str(limit.hard),
            str(limit.default),
        ]
        for limit in limits.LIMITS
    ]
    assert [[row[0], *row[2:]] for row in table(specification, "Limits")] == expected


def test_every_characteristic_has_its_uuid(specification: str):
    named = {name: uuid for name, uuid in vars(uuids).items() if name.isupper() and isinstance(uuid, str)}
    assert {row[0]: row[1] for row in table(specification, "Services")} == named


def test_every_other_constant_is_named_with_its_value(specification: str):
    """In a table's row, or in a sentence as: value ... (`NAME`)."""
    listed = {(module, name) for module, first in NUMBERS.values() for name in constants(module, first)}
    listed |= {(module, name) for module, first in FAULTS.values() for name in constants(module, first)}
    missing = [
        f"{name} = {value}"
        for module in (messages, control, motion, limits, stimulation, stimulation_log)
        for name, value in vars(module).items()
        if isinstance(value, int) and name.isupper() and not name.startswith("_")
        if (module, name) not in listed and name not in DERIVED and name != "TYPE_CHECKING"
        if f"| `{name}` | {value} |" not in specification
        if not re.search(rf"\b{value}\b[^|\n]{{0,20}}\(`{name}`\)", specification)
    ]
    assert missing == []


def test_the_rates_are_named(specification: str):
    (rate,) = [row for row in table(specification, "StreamRequest") if row[2] == "rate_hz"]
    assert tuple(map(int, re.findall(r"\d+", rate[3]))) == control.RATES_HZ


def test_every_table_of_offsets_and_numbers_is_checked(specification: str):
    """Nobody adds a table to the specification that no test compares."""
    by_itself = {"Boot causes", "Message", "Orientation", "Protections", "Services"}
    checked = LAYOUTS.keys() | NUMBERS.keys() | FAULTS.keys() | by_itself
    found: set[str] = set()
    heading = ""
    for line in specification.splitlines():
        if line.startswith("##"):
            heading = line.lstrip("# ")
        elif line.startswith("| ---"):
            found.add(heading)
    assert found == checked


def test_the_message_header_is_as_described(specification: str):
    rows = table(specification, "Message")
    assert [(row[0], row[2]) for row in rows] == [
        ("0", "kind"),
        ("1", "code"),
        ("2", "identifier"),
        ("4", "payload"),
    ]
    request = messages.pack_request(0xAB, 0x1234, b"\xff")
    assert request == bytes([messages.REQUEST, 0xAB, 0x34, 0x12, 0xFF])
    assert messages.HEADER_BYTES == 4
    assert messages.HEADER_BYTES + TYPE_BYTES["u8"] == messages.RESPONSE_HEADER_BYTES


def test_the_examples_are_true(specification: str):
    assert bytes.fromhex("010101000202 00") == messages.pack_request(1, 1, bytes([2, 2, 0]))
    assert "01 01 0100 02 02 00 " in specification
    buffer = bytearray(15)
    start = messages.pack_header_into(
        buffer, messages.RESPONSE, control.HELLO, 1, messages.VERSION_UNSUPPORTED
    )
    messages.pack_refusal_into(buffer, start, messages.Refusal(0, 0, 1, 1))
    assert "02 01 0100 04 00 00 01000000 01000000 " in specification
    assert bytes.fromhex("02 01 0100 04 00 00 01000000 01000000") == buffer
    sample = motion.pack_orientation((0.5, -0.5, 0.5, -0.5), motion.REST)
    assert f"on the air {sample.hex(' ')}\n" in specification
    level = stimulation.pack_command(stimulation.SET_LEVEL, stimulation.Command(4, 20_000))
    assert level.hex(" ", 4) in specification
