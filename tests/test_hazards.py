"""Every hazard has a control, a place, a test and a mutation, and all of them exist."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from kinetens.virtual.campaign.faults import FAULTS
from kinetens.virtual.campaign.mutations import MUTATIONS

ROOT = Path(__file__).parents[1]
NUMBERS = [f"H{number:02}" for number in range(1, 23)]


@dataclass(frozen=True)
class Row:
    number: str
    hazard: str
    control: str
    places: str
    test: str
    mutation: str


def rows() -> list[Row]:
    lines = (ROOT / "docs" / "hazards.md").read_text().splitlines()
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| H")
    ]
    return [Row(*row) for row in cells]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def defines(path: Path, name: str) -> bool:
    return (
        re.search(rf"^\s*(async )?(def|class) {re.escape(name)}\b", path.read_text(), re.MULTILINE)
        is not None
    )


def test_every_hazard_has_its_row():
    assert [row.number for row in rows()] == NUMBERS


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.number)
def test_a_row_names_what_exists(row: Row):
    assert row.hazard
    assert row.control
    places, tests = quoted(row.places), quoted(row.test)
    assert places
    assert tests
    for place in places:
        path, name = place.split(":")
        assert defines(ROOT / path, name), place
    for test in tests:
        path, name = test.split("::")
        assert defines(ROOT / path, name), test


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.number)
def test_a_row_names_the_mutations_of_its_hazard_or_why_there_is_none(row: Row):
    of_hazard = {mutation.name for mutation in MUTATIONS if mutation.hazard == row.number}
    if row.mutation.startswith("none: "):
        assert not of_hazard
    else:
        assert set(quoted(row.mutation)) == of_hazard
        assert of_hazard


@pytest.mark.parametrize("number", [number for number in NUMBERS if number not in ("H02", "H03")])
def test_a_fault_of_the_simulation_tests_each_hazard(number: str):
    """H02 and H03 need none: every pulse and every start is a test of them."""
    assert [fault.name for fault in FAULTS if fault.hazard == number]
