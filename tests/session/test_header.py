"""The header of a session."""

import json

import pytest

from kinetens.errors import InvalidInput
from kinetens.session import SessionHeader
from tests.session import made


def test_a_header_survives_json() -> None:
    header = made.header(exercise="Schulter – ‘Abduktion’", seed=7, limits={"peak current": 30_000})
    assert SessionHeader.from_json(header.to_json()) == header


def test_a_header_from_before_calibrations_were_kept_has_none() -> None:
    old = json.loads(made.header(seed=7).to_json())
    del old["calibration"]
    assert SessionHeader.from_json(json.dumps(old)) == made.header(seed=7)
    assert made.header(seed=7).calibration == {}


@pytest.mark.parametrize("created", ["yesterday", "2026-11-23T10:15:12", "2026-11-23T10:15:12+01:00"])
def test_the_time_of_creation_is_in_utc(created: str) -> None:
    with pytest.raises(InvalidInput, match=created[:9]):
        made.header(created_utc=created)
