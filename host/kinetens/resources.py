"""Where the device's own files are: beside this package in a checkout, inside it when installed from a wheel.

Copy `*.py` and `*.json` from these folders; an installer may have left `__pycache__` among them.
"""

import importlib.util
from pathlib import Path

from kinetens.errors import KinetensError

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parent.parent
_WHEEL = _PACKAGE / "_device"


def firmware_dir() -> Path:
    """Folder of the firmware: the files that make up a device's flash root.

    Raises:
        KinetensError: the installation lacks it.
    """
    return _device_folder("firmware")


def boards_dir() -> Path:
    """Folder of the boards, one sub-folder each with its `board.json`.

    Raises:
        KinetensError: the installation lacks it.
    """
    return _device_folder("boards")


def protocol_dir() -> Path:
    """Folder that contains the package `kinetens_protocol`.

    Installed from a wheel this is site-packages: copy the package from it, do not put the folder on a path.

    Raises:
        KinetensError: the installation lacks it.
    """
    spec = importlib.util.find_spec("kinetens_protocol")
    if spec is None or spec.origin is None:
        raise KinetensError("this installation of kinetens lacks kinetens_protocol; install kinetens again")
    return Path(spec.origin).resolve().parent.parent


def _device_folder(name: str) -> Path:
    for root in (_WHEEL, _CHECKOUT):
        if (root / name).is_dir():
            return root / name
    raise KinetensError(f"this installation of kinetens lacks its {name} folder; install kinetens again")
