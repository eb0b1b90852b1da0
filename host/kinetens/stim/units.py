"""Quantities as people write them, "40 mA" or "4 ms", to the envelope's integers and back.

One table says which units a kind of quantity may have. A number without its unit is refused: 40 may be meant in mA
and read in µA.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext

from kinetens_protocol import limits

_NUMBER = re.compile(r"([+-]?)\s*(\d+(?:\.\d+)?|\.\d+|nan|inf(?:inity)?)\s*([^\d.,]*2?)", re.IGNORECASE)
_LONGEST = 40


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of quantity. `units` maps what may be written to how many of the envelope's units it is; the first is
    the envelope's own, `example` is shown where a unit is missing.
    """

    name: str
    units: Mapping[str, int]
    example: str


CURRENT = Kind("current", {"µA": 1, "mA": 1_000}, "15 mA")
WIDTH = Kind("width", {"µs": 1, "ms": 1_000}, "100 us")
FREQUENCY = Kind("frequency", {"mHz": 1, "Hz": 1_000, "kHz": 1_000_000}, "80 Hz")
TIME = Kind("time", {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000}, "20 min")
LENGTH = Kind("length", {"µm": 1, "mm": 1_000, "cm": 10_000}, "5 cm")
AREA = Kind("area", {"mm²": 1, "cm²": 100}, "25 cm2")
SHARE = Kind("share", {"‰": 1, "%": 10}, "100 %")
CHARGE = Kind("charge", {"nC": 1, "µC": 1_000}, "10 uC")
DENSITY = Kind("current density", {"µA/cm²": 1, "mA/cm²": 1_000}, "1 mA/cm2")
POWER_DENSITY = Kind("power density", {"µW/cm²": 1, "mW/cm²": 1_000, "W/cm²": 1_000_000}, "0.25 W/cm2")
SLEW = Kind("slew", {"µA/s": 1, "mA/s": 1_000}, "2 mA/s")
RESISTANCE = Kind("resistance", {"ohm": 1, "kohm": 1_000}, "500 ohm")
COUNT = Kind("count", {"": 1}, "3")

KINDS = (
    CURRENT,
    WIDTH,
    FREQUENCY,
    TIME,
    LENGTH,
    AREA,
    SHARE,
    CHARGE,
    DENSITY,
    POWER_DENSITY,
    SLEW,
    RESISTANCE,
    COUNT,
)
_OF_UNIT = {next(iter(kind.units)): kind for kind in KINDS}
_OF_LIMIT = {limit.code: WIDTH if limit.unit == "µs" else _OF_UNIT[limit.unit] for limit in limits.LIMITS}


class UnitError(ValueError):
    """A quantity that makes no sense. The message says what is wrong and what to write."""


def parse(kind: Kind, written: object) -> int:
    """The quantity in the envelope's unit.

    Raises UnitError: not text, no unit or another one, negative, no number, or finer than the envelope's unit.
    """
    if not isinstance(written, str):
        raise UnitError(_no_text(kind, written))
    match = _NUMBER.fullmatch(written.strip()) if len(written) <= _LONGEST else None
    if match is None:
        comma = written.count(",") == 1 and _NUMBER.fullmatch(written.strip().replace(",", "."))
        also = "; the decimal sign is a point" if comma else ""
        raise UnitError(f'"{written[:_LONGEST]}" is no {kind.name}; write for example "{kind.example}"{also}')
    sign, number, unit = match.groups()
    if number[0].lower() in "ni":
        raise UnitError(f'"{written}" is no number; write for example "{kind.example}"')
    if sign == "-":
        raise UnitError(f'"{written}" is negative; write for example "{kind.example}"')
    factor = {_plain(name): factor for name, factor in kind.units.items()}.get(_plain(unit))
    if factor is None:
        raise UnitError(_no_unit(kind, written, number, unit))
    with localcontext() as exact:
        exact.prec = 2 * _LONGEST
        value = Decimal(number) * factor
        if value != value.to_integral_value():
            smallest = next(iter(kind.units))
            raise UnitError(f'"{written}" is finer than 1 {smallest}, the step of a {kind.name}; round it')
    return int(value)


def text(kind: Kind, value: int) -> str:
    """A quantity as people write it, in the largest unit that it fills and needs no rounding in; `parse` gives the
    value back.
    """
    unit, factor = next(iter(kind.units.items()))
    for larger, its_factor in kind.units.items():
        if value >= its_factor and _is_decimal(value, its_factor):
            unit, factor = larger, its_factor
    with localcontext() as exact:
        exact.prec = 2 * _LONGEST
        return f"{(Decimal(value) / factor).normalize():f} {unit}".strip()


def of_limit(code: int) -> Kind:
    """The kind of quantity of which a limit (limits.LIMITS) is one."""
    return _OF_LIMIT[code]


def _is_decimal(value: int, factor: int) -> bool:
    """Whether value / factor is a finite decimal: 61 s is none in minutes."""
    rest = factor // math.gcd(value, factor)
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def _plain(unit: str) -> str:
    """A unit as it is compared: µ, μ and u are one, so are ² and 2."""
    return unit.strip().replace("μ", "µ").replace("u", "µ").replace("²", "2").replace("Ω", "ohm")


def _no_text(kind: Kind, written: object) -> str:
    if isinstance(written, bool) or not isinstance(written, int | float):
        return f'is no {kind.name}; write for example "{kind.example}"'
    if not math.isfinite(written):
        return f'{written} is no number; write for example "{kind.example}"'
    if written < 0:
        return f'{written} is negative; write for example "{kind.example}"'
    return f'{written} has no unit; write for example "{_with_unit(kind, str(written))}"'


def _no_unit(kind: Kind, written: str, number: str, unit: str) -> str:
    if not unit:
        return f'"{written}" has no unit; write for example "{_with_unit(kind, number)}"'
    return f'"{written}": {unit} is no unit of {kind.name}; it can be {" or ".join(kind.units)}'


def _with_unit(kind: Kind, number: str) -> str:
    """The same number with the example's unit."""
    return f"{number} {kind.example.split()[-1]}"
