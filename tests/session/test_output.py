"""Files that appear whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from kinetens.errors import OutputNotWritable
from kinetens.session.output import whole_file


def test_only_their_owner_can_read_them_whatever_the_umask(tmp_path: Path):
    before = os.umask(0)
    try:
        with whole_file(tmp_path / "report.html", force=False) as part:
            part.write_text("a person's data")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "report.html").stat().st_mode) == 0o600


def test_nothing_is_left_of_one_that_was_not_finished(tmp_path: Path):
    def write() -> None:
        with whole_file(tmp_path / "report.html", force=False) as part:
            part.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert list(tmp_path.iterdir()) == []


def test_one_that_exists_is_kept_unless_it_may_be_replaced(tmp_path: Path):
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(OutputNotWritable, match="exists already"), whole_file(path, force=False):
        pass
    assert path.read_text() == "old"
    with whole_file(path, force=True) as part:
        part.write_text("new")
    assert path.read_text() == "new"
