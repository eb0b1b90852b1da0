"""The device's files of settings: who the device is, how often it has started."""

import json
import os

NO_BOARD = {"name": "", "watchdog_ms": 5_000}
"""What is known without a board file: no pin and no part."""

_BOOTS = "state/boots"


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


def count_boot():
    """Count this boot in flash and return the count. Raises OSError when flash cannot be written."""
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


def make_state_folder():
    """The folder of what outlives a restart. Raises OSError when it cannot be made."""
    try:
        os.mkdir("state")
    except OSError:
        os.stat("state")
