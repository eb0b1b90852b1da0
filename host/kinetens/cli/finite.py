"""A number in a range, as click's FloatRange, which lets "nan" through."""

from math import isfinite
from typing import Any

import rich_click as click


class FiniteRange(click.FloatRange):
    """Refuses what is no number or no end."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if not isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number
