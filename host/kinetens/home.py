"""Where what belongs to a user is kept."""

import os
from pathlib import Path

import platformdirs


def home_dir() -> Path:
    """KINETENS_HOME, or kinetens in the user's data folder."""
    named = os.environ.get("KINETENS_HOME")
    return Path(named) if named else platformdirs.user_data_path("kinetens", appauthor=False)
