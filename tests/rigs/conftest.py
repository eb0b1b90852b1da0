"""Rigs for tests: built when they are not, and a reason to skip where they cannot be."""

import pytest

from rigs import RigError, build


@pytest.fixture(scope="session", params=["twin", "rv32"])
def rig(request: pytest.FixtureRequest) -> str:
    """A rig that has the words and floats of a device, by name."""
    try:
        build([request.param])
    except RigError as error:
        pytest.skip(str(error))
    return request.param
