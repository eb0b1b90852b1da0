"""The parts of a report that are not pictures."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tile:
    """One number of the headline."""

    label: str
    value: str
    detail: str


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` of texts under `columns`; `numeric` says which columns are aligned as numbers."""

    caption: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    numeric: bool = False
