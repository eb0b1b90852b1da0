"""Promises of the repository as a whole: its documents, its version, which way imports point, the wheel."""

import ast
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

import kinetens
from kinetens.resources import boards_dir, firmware_dir, protocol_dir

CHECKOUT = Path(__file__).resolve().parent.parent
HOST = CHECKOUT / "host" / "kinetens"
DOCUMENTS = [CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md", *sorted(CHECKOUT.glob("docs/**/*.md"))]

# What each room may not import; a room is a folder of host/kinetens.
FORBIDDEN_IMPORTS = {
    "motion": {"bleak", "bumble", "kinetens.device", "kinetens.stim", "kinetens.session", "kinetens.report"},
    "device": {"kinetens.motion", "kinetens.stim", "kinetens.session", "kinetens.report"},
    "stim": {"bleak", "bumble", "kinetens.motion", "kinetens.session", "kinetens.report"},
    "session": {"bleak", "bumble", "kinetens.report"},
    "report": {"bleak", "bumble", "kinetens.device"},
    "virtual": set[str](),
}
ABOVE_ALL_ROOMS = {"kinetens.cli", "kinetens.virtual"}

# Paths and hosts that mean something on one machine only.
PRIVATE = re.compile(r"(?<![\w.])/(?:home|root|Users|work)/\w|pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)")


def code_of(document: Path) -> Iterator[str]:
    """The lines of a document's fenced blocks and its inline code."""
    text = document.read_text(encoding="utf-8")
    fenced = re.compile(r"^```.*?\n(.*?)^```", re.MULTILINE | re.DOTALL)
    for block in fenced.findall(text):
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", fenced.sub("", text))


def commands(program: str) -> list[tuple[str, ...]]:
    """What the documents tell a person to type after `program`, word by word."""
    found: set[tuple[str, ...]] = set()
    for document in DOCUMENTS:
        for line in code_of(document):
            words = line.split("#")[0].split()
            if len(words) > 1 and words[0] == program:
                found.add(tuple(words[1:]))
    return sorted(found)


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def tracked_texts() -> Iterator[tuple[str, str]]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=CHECKOUT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listing.stdout.split("\0")):
        content = (CHECKOUT / name).read_bytes() if (CHECKOUT / name).is_file() else b""
        if b"\0" not in content:
            yield name, content.decode("utf-8")


def test_version_is_the_installed_one_and_in_the_changelog():
    assert importlib.metadata.version("kinetens") == kinetens.__version__
    assert f"## [{kinetens.__version__}]" in (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_make_target_in_the_documents_exists():
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = {command[0] for command in commands("make")}
    assert {"demo", "test"} <= named <= targets


@pytest.mark.parametrize("command", commands("kinetens"), ids=" ".join)
def test_every_command_in_the_documents_exists(command: tuple[str, ...]):
    words = [word for word in command if re.fullmatch("[a-z][a-z-]*", word)]
    words = words[: 3 if words[:2] == ["stim", "plan"] else 2]  # `plan` is a group in a group
    options = {word.split("=")[0] for word in command if word.startswith("--")}
    answer = run_kinetens(sys.executable, *words, "--help")
    assert answer.returncode == 0, answer.stderr
    assert {option for option in options if option not in answer.stdout} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(CHECKOUT).as_posix())
def test_every_link_to_a_file_leads_somewhere(document: Path):
    text = document.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)|(?:src|href)=\"([^\"#]+)\"", text)
    files = [link or source for link, source in links if "://" not in (link or source)]
    assert [name for name in files if not (document.parent / name).exists()] == []


def test_nothing_tracked_names_one_machine():
    assert [f"{name}: {hit[0]}" for name, text in tracked_texts() for hit in PRIVATE.finditer(text)] == []


@pytest.mark.parametrize("room", FORBIDDEN_IMPORTS)
def test_imports_point_one_way(room: str):
    forbidden = (FORBIDDEN_IMPORTS[room] | ABOVE_ALL_ROOMS) - {f"kinetens.{room}"}
    wrong = [
        f"{path.relative_to(HOST)}: {module}"
        for path in sorted((HOST / room).rglob("*.py"))
        for module in imports_of(path)
        if any(module == name or module.startswith(f"{name}.") for name in forbidden)
    ]
    assert wrong == []


def test_a_checkout_finds_the_devices_files():
    assert firmware_dir() == CHECKOUT / "firmware"
    assert boards_dir() == CHECKOUT / "boards"
    assert protocol_dir() == CHECKOUT / "protocol"


@pytest.mark.slow
def test_the_wheel_alone_runs_the_demo(tmp_path: Path):
    """Built, installed with its dependencies into a new environment, used away from the checkout."""
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path)]
    subprocess.run([*build, str(CHECKOUT)], check=True)
    (wheel,) = tmp_path.glob("kinetens-*.whl")
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    python = str(environment / ("Scripts" if os.name == "nt" else "bin") / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", str(wheel)], check=True)

    ask = "from kinetens.resources import *; print(firmware_dir(), boards_dir(), protocol_dir(), sep='\\n')"
    answer = subprocess.run([python, "-c", ask], cwd=tmp_path, check=True, capture_output=True, text=True)
    firmware, boards, protocol = map(Path, answer.stdout.splitlines())
    assert all(folder.is_relative_to(environment) for folder in (firmware, boards, protocol))
    assert (firmware / "main.py").is_file()
    assert list(boards.glob("*/board.json"))
    assert (protocol / "kinetens_protocol" / "__init__.py").is_file()

    out = tmp_path / "demo"
    demo = run_kinetens(python, "demo", "--json", "--seed", "7", "--out", str(out), cwd=tmp_path)
    assert demo.returncode == 0, demo.stderr
    result = json.loads(demo.stdout)
    assert result["seed"] == 7
    assert result["repetitions"] == {"counted": 20, "performed": 20}
    assert result["samples"]["produced"] > 0
    assert result["samples"]["missing"] == 0
    assert result["stimulation"]["pulses"] > 0
    assert result["stimulation"]["violations"] == 0
    assert Path(result["report"]).is_relative_to(out)
    assert Path(result["report"]).read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html>")


def run_kinetens(python: str, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    program = str(Path(python).parent / "kinetens")
    wide = os.environ | {"COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run([program, *arguments], cwd=cwd, env=wide, capture_output=True, text=True)
