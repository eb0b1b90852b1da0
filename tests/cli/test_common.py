"""The frame of the command line: help, errors in one sentence, and answers for programs."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import rich_click as click
from click.testing import CliRunner

from kinetens.cli import COMMANDS, main
from kinetens.cli import common as cli_common
from kinetens.errors import KinetensError
from tests.session import made

BUILT_HERE = ("sessions", "analyze", "report", "export")


def test_help_lists_every_command_without_importing_any() -> None:
    listed = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from kinetens.cli import main\n"
            "try: main(['--help'])\n"
            "finally: print([name for name in ('numpy', 'bleak', 'matplotlib') if name in sys.modules])",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert all(command in listed for command in COMMANDS)
    assert listed.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "arguments",
    [[], *[[name] for name in BUILT_HERE], *[["sessions", n] for n in ("list", "show", "verify", "delete")]],
)
def test_help_shows_an_example_and_answers_come_as_json(run, arguments: list[str]) -> None:
    shown = run(*arguments, "--help")
    assert shown.exit_code == 0
    assert f"Example:  {' '.join(['kinetens', *arguments])}" in shown.stdout
    if arguments not in ([], ["sessions"]):
        assert "--json" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nonsense"], "No such command 'nonsense'; see kinetens --help"),
        (["report"], "Missing argument 'SESSION'; see kinetens report --help"),
        (["export", "last", "--format", "xlsx", "--out", "x"], "'xlsx' is not one of 'csv', 'parquet'"),
        (["sessions", "list", "--bogus"], "--bogus"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(refused, arguments: list[str], sentence: str) -> None:
    assert sentence in refused(*arguments, code=2)


def run_raising(monkeypatch: pytest.MonkeyPatch, error: BaseException):
    @click.command()
    def report() -> None:
        raise error

    monkeypatch.setattr("kinetens.cli.report.report", report)
    return CliRunner().invoke(main, ["report"])


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (KinetensError("the sensor\nis gone"), 1, "error: the sensor is gone"),
        (KeyboardInterrupt(), 130, "error: stopped"),
        (ZeroDivisionError("division by zero"), 1, "error: unexpected ZeroDivisionError: division by zero"),
    ],
)
def test_every_error_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, sentence: str
) -> None:
    monkeypatch.delenv("KINETENS_DEBUG", raising=False)
    result = run_raising(monkeypatch, error)
    assert result.exit_code == code
    assert result.stderr.strip().splitlines()[-1].startswith(sentence)
    assert result.stdout == ""


def test_debug_lets_errors_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINETENS_DEBUG", "1")
    result = run_raising(monkeypatch, KinetensError("the sensor is gone"))
    assert isinstance(result.exception, KinetensError)


def test_a_reader_that_leaves_early_is_no_error(home: Path, sessions: Path) -> None:
    made.write_exercise(sessions)
    child = subprocess.Popen(
        [sys.executable, "-c", "from kinetens.cli import main; main()", "sessions", "show", "last"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ),
    )
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    assert child.wait() == 0
    assert child.stderr.read() == b""
    child.stderr.close()


def test_numbers_that_json_does_not_know_are_null(capsys: pytest.CaptureFixture[str]) -> None:
    cli_common.print_json({"a": [math.nan, 1.5], "b": {"c": math.inf}, "path": Path("x"), "ok": True})
    assert json.loads(capsys.readouterr().out) == {
        "a": [None, 1.5],
        "b": {"c": None},
        "path": "x",
        "ok": True,
    }


def test_control_characters_do_not_reach_the_terminal(run, sessions: Path) -> None:
    made.write_session(sessions, [], exercise="\x1b[31mred\x07", notes="a\nb")
    for command in (["sessions", "list"], ["sessions", "show", "last"], ["analyze", "last"]):
        result = run(*command)
        assert "\x1b" not in result.stdout
        assert "red" in result.stdout


def test_the_version_is_told(run) -> None:
    assert run("--version").stdout.startswith("kinetens, version ")
