"""The device's files of settings: what the board is, who the device is, how often it has started."""

import json
import os

_BOOTS = "state/boots"


class BoardFileError(Exception):
    """The board file is missing or lacks something."""


def load_board():
    """The board file. Raises BoardFileError naming what is wrong."""
    try:
        with open("board.json") as file:
            board = json.load(file)
    except (OSError, ValueError) as error:
        raise BoardFileError("board.json cannot be read: %r" % error)
    for key in ("name", "i2c", "sensor", "button", "battery", "watchdog_ms"):
        if key not in board:
            raise BoardFileError("board.json has no '%s'" % key)
    return board


def load_identity(unique_id):
    """Name and serial number given when the device was provisioned; else made from the chip's own identifier."""
    serial = "".join("%02x" % byte for byte in unique_id)
    try:
        with open("identity.json") as file:
            identity = json.load(file)
    except (OSError, ValueError):
        identity = {}
    return {
        "name": identity.get("name") or "kinetens-" + serial[-4:].upper(),
        "serial": identity.get("serial") or serial,
    }


def count_boot(log):
    """Count this boot in flash and return the count; 0 when flash cannot be written."""
    try:
        make_state_folder()
        try:
            with open(_BOOTS) as file:
                boots = int(file.read())
        except (OSError, ValueError):
            boots = 0
        boots += 1
        with open(_BOOTS + ".new", "w") as file:
            file.write(str(boots))
        os.rename(_BOOTS + ".new", _BOOTS)
        return boots
    except OSError as error:
        log("the boot could not be counted: %r" % error)
        return 0


def make_state_folder():
    """The folder of what outlives a restart. Raises OSError when it cannot be made."""
    try:
        os.mkdir("state")
    except OSError:
        os.stat("state")
