"""A way to reach devices by Bluetooth: the computer's own adapter, or one that a Bumble stack drives."""

from dataclasses import dataclass

from bleak.backends.client import BaseBleakClient
from bleak.backends.scanner import BaseBleakScanner


@dataclass(frozen=True, slots=True)
class Adapter:
    """Bleak's backends to use; None means those of the operating system."""

    name: str
    scanner: type[BaseBleakScanner] | None = None
    client: type[BaseBleakClient] | None = None


def system_adapter() -> Adapter:
    """The computer's own Bluetooth."""
    return Adapter("this computer's Bluetooth")
