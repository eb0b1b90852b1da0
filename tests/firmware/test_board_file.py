"""The board file is checked to its last entry before any pin is touched."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from kinetens.resources import boards_dir
from tests.firmware.cpython_viper import load_firmware_module

board_file = load_firmware_module("system.board_file")
BOARDS = sorted(boards_dir().glob("*/board.json"))
VIRTUAL: dict[str, Any] = json.loads((boards_dir() / "virtual" / "board.json").read_text())


def entries(value: Any, path: str = "") -> list[str]:
    """The paths of all that is no object."""
    if not isinstance(value, dict):
        return [path]
    return [found for key, inner in value.items() for found in entries(inner, f"{path}.{key}".lstrip("."))]


def changed(path: str, value: Any = None, *, without: bool = False) -> dict[str, Any]:
    """The virtual board's file with another value at a path, or with nothing there."""
    board = copy.deepcopy(VIRTUAL)
    *way, last = path.split(".")
    inner = board
    for key in way:
        inner = inner[key]
    if without:
        del inner[last]
    else:
        inner[last] = value
    return board


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.parent.name)
def test_every_board_of_ours_is_right(path: Path):
    board_file.check(json.loads(path.read_text()))


NEEDED = [path for path in entries(VIRTUAL) if path != "description"]


@pytest.mark.parametrize("path", NEEDED)
def test_every_entry_is_needed(path: str):
    with pytest.raises(board_file.BoardFileError, match=f"^board.json has no {path}$"):
        board_file.check(changed(path, without=True))


@pytest.mark.parametrize("path", NEEDED)
@pytest.mark.parametrize("value", [None, True, -1, 1e9, {}, [1], "nonsense", ""])
def test_every_entry_is_checked(path: str, value: Any):
    if path == "name" and value == "nonsense":
        pytest.skip("a name may be anything")
    with pytest.raises(board_file.BoardFileError, match=f"^board.json: {path} is "):
        board_file.check(changed(path, value))


@pytest.mark.parametrize("pin", [22, 25, 26, 32, 34, 49, 99, 5.0])
def test_a_pin_that_the_chip_needs_itself_or_lacks_is_refused(pin: Any):
    with pytest.raises(board_file.BoardFileError, match=f"button.pin is {pin}, no pin that an esp32s3"):
        board_file.check(changed("button.pin", pin))


def test_a_pin_has_one_use():
    with pytest.raises(board_file.BoardFileError, match=r"pulse_pin is 5, which is i2c.scl too"):
        board_file.check(changed("stimulation.pulse_pin", 5))


def test_a_board_without_stimulation_needs_none_of_its_entries():
    board_file.check(changed("stimulation", without=True))


def test_an_empty_battery_is_below_a_full_one():
    with pytest.raises(board_file.BoardFileError, match=r"battery\.empty_mv is not below battery\.full_mv"):
        board_file.check(changed("battery.empty_mv", 4150))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "there is no board.json"),
        ("{", "is no JSON: "),
        ("3", "is no JSON object"),
        ("\xff", "is no JSON"),
    ],
)
def test_a_file_that_is_no_board_file_is_named(
    content: str | None, sentence: str, tmp_path: Path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("board.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(board_file.BoardFileError, match=sentence):
        board_file.load()
