"""Where a device is: `sim:` for the virtual one, else a name or address on this computer's Bluetooth."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

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

        Raises InvalidInput for another scheme or for options that are none.
        """
        if text.startswith(_SIMULATED):
            target, _, query = text.removeprefix(_SIMULATED).partition("?")
            try:
                pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
            except ValueError as error:
                raise InvalidInput(
                    f"'{text}' has options that are not name=value pairs joined by &"
                ) from error
            return cls(text, True, target, dict(pairs))
        scheme, colon, _ = text.partition(":")
        if colon and scheme.isalpha() and len(scheme) > 2:
            raise InvalidInput(
                f"'{text}' is no device: use 'sim:' for the virtual one, or the name or address of a real one"
            )
        return cls(text, False, text)
