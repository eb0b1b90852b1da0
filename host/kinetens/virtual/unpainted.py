"""Keeps Bumble from painting log lines that nobody reads: a quarter of a virtual world's time.

Bumble writes every packet in words and colours before it asks whether anybody logs them.
"""

import logging
import sys
from typing import Any

from bumble import att, colors, hci


def unpaint() -> None:
    """From now on packets are named, not told, in Bumble's debug lines; unless somebody logs those."""
    if logging.getLogger("bumble").isEnabledFor(logging.DEBUG):
        return
    for kind in (hci.HCI_Packet, att.ATT_PDU):
        kind.__format__ = _name  # type: ignore[method-assign]
    painted = colors.color
    for name, module in list(sys.modules.items()):
        if name.startswith("bumble") and getattr(module, "color", None) is painted:
            module.color = _plain  # type: ignore[attr-defined]


def _name(packet: Any, _specification: str) -> str:
    return type(packet).__name__


def _plain(text: str, *_colours: Any, **_styles: Any) -> str:
    return text
