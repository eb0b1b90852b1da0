"""Where a device is: `sim:` for the virtual one, else a name or address on this computer's Bluetooth."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from kinetens.errors import InvalidInput

_SIMULATED = "sim:"


@dataclass(frozen=True, slots=True)
class DeviceUrl:
    """A device's name or address (empty: the only one near), or a virtual device with its options."""

    text: str
    simulated: bool
    target: str = ""
    options: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def parse(cls, text: str) -> "DeviceUrl":
        """Read what a person typed.

        An option without a value is switched on: its value is empty. Raises InvalidInput for another scheme, and for
        options that are not there or there twice.
        """
        if text.startswith(_SIMULATED):
            target, _, query = text.removeprefix(_SIMULATED).partition("?")
            return cls(text, True, unquote(target), _options(text, query))
        scheme, colon, _ = text.partition(":")
        if colon and scheme.isalpha() and len(scheme) > 2:
            raise InvalidInput(
                f"'{text}' is no device: use 'sim:' for the virtual one, or the name or address of a real one"
            )
        return cls(text, False, text)


def _options(text: str, query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        if not name or name in options:
            what = f"'{name}' twice" if name else "an option without a name"
            raise InvalidInput(
                f"'{text}' has {what}; options are name=value pairs joined by &, such as sim:?seed=7&real-time"
            )
        options[name] = unquote(value)
    return options
