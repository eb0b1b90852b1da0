"""What a board allows, by its name."""

import json
from pathlib import Path
from typing import Any

from kinetens.errors import InvalidInput
from kinetens.resources import boards_dir
from kinetens_protocol import limits


def board_names() -> list[str]:
    """The boards that this installation knows."""
    return sorted(path.parent.name for path in boards_dir().glob("*/board.json"))


def board_limits(name: str) -> dict[int, int]:
    """The limits that a board narrows, by code.

    Raises InvalidInput: no such board, or it has no stimulation channel.
    """
    known = board_names()
    if name not in known:
        raise InvalidInput(f"there is no board '{name}'; it can be {', '.join(known)}")
    board: dict[str, Any] = json.loads(Path(boards_dir(), name, "board.json").read_text(encoding="utf-8"))
    if "stimulation" not in board:
        raise InvalidInput(f"the board '{name}' has no stimulation channel")
    channel = board["stimulation"]
    return limits.board_limits(channel["ceiling_ma"], channel["dac"]["full_scale_ma"])
