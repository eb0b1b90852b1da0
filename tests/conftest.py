"""What all tests share."""

from pathlib import Path

import pytest
from hypothesis import settings

from kinetens.errors import InvalidInput

# No test measures the wall clock; whatever else a profile asks for stays.
settings.register_profile("kinetens", parent=settings(), deadline=None)
settings.load_profile("kinetens")

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The folder that holds README.md, host/, firmware/ and the rest."""
    return CHECKOUT


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Recordings with ground truth: KINETENS_DATA, or `../shared/data` beside the checkout."""
    from bench.recorded import data_folder

    try:
        return data_folder()
    except InvalidInput as none:
        pytest.skip(str(none))
