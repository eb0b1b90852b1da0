"""The board file: which pins and parts a board has. All of it is checked before any pin is touched."""

import json

from kinetens_protocol.stimulation import PROTECTIONS


class BoardFileError(Exception):
    """The board file is missing or wrong. The message names the entry and what is wrong with it."""


class _Whole:
    def __init__(self, least, most):
        self._least = least
        self._most = most

    def check(self, value):
        if type(value) is not int or not self._least <= value <= self._most:
            return "no whole number from %d to %d" % (self._least, self._most)


class _Number:
    """A number above zero."""

    def check(self, value):
        if type(value) not in (int, float) or not 0 < value < 1e6:
            return "no number above 0"


class _Text:
    def check(self, value):
        if not isinstance(value, str) or not value:
            return "no text"


class _OneOf:
    def __init__(self, choices):
        self._choices = choices

    def check(self, value):
        if value not in self._choices:
            return "none of %s" % ", ".join(sorted(self._choices))


class _ListOf(_OneOf):
    def check(self, value):
        if not isinstance(value, list) or any(one not in self._choices for one in value):
            return "no list of %s" % ", ".join(self._choices)


# The pins that a chip's module leaves to the board: those of its flash memory are missing (Espressif's datasheets of the
# ESP32-WROOM-32E, ESP32-S3-WROOM-1, ESP32-C3-WROOM-02 and ESP32-C6-WROOM-1, "pin definitions").
_PINS = {
    "esp32": set(range(6)) | set(range(12, 20)) | {21, 22, 23, 25, 26, 27} | set(range(32, 40)),
    "esp32s3": set(range(22)) | set(range(35, 49)),
    "esp32c3": set(range(11)) | {18, 19, 20, 21},
    "esp32c6": set(range(24)),
}
_PIN = "pin"
_LEVEL = _Whole(0, 1)
_ADDRESS = _Whole(0x08, 0x77)  # the others are reserved (UM10204, 3.1.12)

_ENTRIES = (
    ("name", _Text()),
    ("chip", _OneOf(tuple(_PINS))),
    ("i2c.id", _Whole(0, 1)),
    ("i2c.scl", _PIN),
    ("i2c.sda", _PIN),
    ("i2c.frequency_hz", _Whole(10_000, 1_000_000)),
    ("sensor.part", _OneOf(("LSM6DSOX",))),
    ("sensor.address", _ADDRESS),
    ("sensor.interrupt", _PIN),
    ("button.pin", _PIN),
    ("button.pressed_level", _LEVEL),
    ("battery.adc", _PIN),
    ("battery.divider", _Number()),
    ("battery.empty_mv", _Whole(1, 20_000)),
    ("battery.full_mv", _Whole(1, 20_000)),
    ("battery.low_mv", _Whole(1, 20_000)),
    ("battery.charging_pin", _PIN),
    ("battery.charging_level", _LEVEL),
    ("watchdog_ms", _Whole(1_000, 60_000)),
)
_STIMULATION_ENTRIES = (
    ("stimulation.pulse_pin", _PIN),
    ("stimulation.polarity_reset_pin", _PIN),
    ("stimulation.high_voltage_pin", _PIN),
    ("stimulation.high_voltage_hold_ms", _Whole(1, 1_000)),
    ("stimulation.dac.part", _OneOf(("MCP4725",))),
    ("stimulation.dac.address", _ADDRESS),
    ("stimulation.dac.full_scale_ma", _Number()),
    ("stimulation.current_sense.adc", _PIN),
    ("stimulation.current_sense.ma_per_volt", _Number()),
    ("stimulation.voltage_sense.adc", _PIN),
    ("stimulation.voltage_sense.volt_per_volt", _Number()),
    ("stimulation.compliance_v", _Number()),
    ("stimulation.ceiling_ma", _Number()),
    ("stimulation.protections", _ListOf(PROTECTIONS)),
)
_RESIDUAL_ENTRIES = (
    ("stimulation.residual_sense.adc", _PIN),
    ("stimulation.residual_sense.zero_mv", _Whole(1, 3_300)),
    ("stimulation.residual_sense.nc_per_mv", _Whole(1, 1_000)),
)
"""Of a board that has the protection of this name."""


def load():
    """The board file. Raises BoardFileError."""
    try:
        with open("board.json") as file:
            board = json.load(file)
    except OSError:
        raise BoardFileError("there is no board.json")
    except ValueError as error:
        raise BoardFileError("board.json is no JSON: %s" % error)
    check(board)
    return board


def check(board):
    """Raises BoardFileError for the first entry that is missing, wrong, or a pin that another entry uses too."""
    if not isinstance(board, dict):
        raise BoardFileError("board.json is no JSON object")
    used = {}
    _check_entries(board, _ENTRIES, used)
    if "stimulation" in board:
        _check_entries(board, _STIMULATION_ENTRIES, used)
        if "residual-sense" in board["stimulation"]["protections"]:
            _check_entries(board, _RESIDUAL_ENTRIES, used)
    battery = board["battery"]
    if battery["empty_mv"] >= battery["full_mv"]:
        raise BoardFileError("board.json: battery.empty_mv is not below battery.full_mv")


def _check_entries(board, entries, used):
    for path, kind in entries:
        value = _value(board, path)
        wrong = _wrong_pin(value, board["chip"], used) if kind is _PIN else kind.check(value)
        if wrong:
            raise BoardFileError("board.json: %s is %s, %s" % (path, json.dumps(value), wrong))
        if kind is _PIN:
            used[value] = path


def _value(board, path):
    value = board
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            raise BoardFileError("board.json has no %s" % path)
        value = value[key]
    return value


def _wrong_pin(value, chip, used):
    if type(value) is not int or value not in _PINS[chip]:
        return "no pin that an %s has to offer" % chip
    if value in used:
        return "which is %s too" % used[value]
