"""What all tests share."""

import os
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The folder that holds README.md, host/, firmware/ and the rest."""
    return CHECKOUT


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Recordings with ground truth: KINETENS_DATA, or `../shared/data` beside the checkout."""
    folder = Path(os.environ.get("KINETENS_DATA") or CHECKOUT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no recordings in {folder}; set KINETENS_DATA to the folder that holds them")
    return folder
