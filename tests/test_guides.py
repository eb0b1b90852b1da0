"""Every command in the guides works as it is written there."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from kinetens.cli import main

DOCS = Path(__file__).parent.parent / "docs"
GUIDES = ("member.md", "therapist.md", "engineer.md")


def commands(guide: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", (DOCS / guide).read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_s_commands_work_in_its_order(guide, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KINETENS_HOME", str(tmp_path / "home"))
    lines = commands(guide)
    assert lines, f"{guide} shows no command"
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "kinetens", line
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, f"{line}\n{result.output}"
        assert result.output.strip(), f"{line} says nothing"
