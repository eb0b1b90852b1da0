"""typing.NamedTuple's functional form, which type checkers understand, on MicroPython too."""

from collections import namedtuple

TYPE_CHECKING = False  # what typing calls it; MicroPython has no typing

if TYPE_CHECKING:
    from typing import NamedTuple as NamedTuple
else:

    def NamedTuple(name, fields):
        return namedtuple(name, [field for field, _ in fields])
