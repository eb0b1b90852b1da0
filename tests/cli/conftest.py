"""What the tests of the command line share."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from kinetens.cli import main

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's kinetens folder, empty; the working folder is a fresh one beside it."""
    monkeypatch.setenv("KINETENS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KINETENS_DEBUG", raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "home"


@pytest.fixture
def sessions(home: Path) -> Path:
    """The folder of this user's sessions."""
    return home / "sessions"


@pytest.fixture
def run(home: Path) -> Run:
    """Run kinetens with arguments; `answer` is typed at its questions."""

    def kinetens(*arguments: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(main, list(arguments), input=answer, catch_exceptions=False)

    return kinetens


@pytest.fixture
def run_json(run: Run) -> Callable[..., Any]:
    """Run kinetens with --json and return its answer."""

    def kinetens(*arguments: str) -> Any:
        result = run(*arguments, "--json")
        assert result.exit_code == 0, result.stderr
        return json.loads(result.stdout)

    return kinetens


@pytest.fixture
def refused(run: Run) -> Callable[..., str]:
    """Run kinetens, which must refuse with one sentence on stderr; returns the sentence."""

    def kinetens(*arguments: str, code: int = 1, answer: str | None = None) -> str:
        result = run(*arguments, answer=answer)
        assert result.exit_code == code
        sentence = result.stderr.splitlines()[-1]
        assert sentence.startswith("error: ")
        assert "Traceback" not in result.output
        return sentence

    return kinetens
