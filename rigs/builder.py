"""Builds rigs, once for each version of what they are made from, into a cache."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from rigs import source
from rigs.recipes import RECIPES, SUITE, VERSION, Recipe, RigError

CACHE = "KINETENS_RIGS"
"""Set in the environment, it names the folder that keeps the built rigs."""

Report = Callable[[str], None]
"""Takes what is being done, as a sentence."""


def cache_dir() -> Path:
    """Where built rigs are kept."""
    kept = os.environ.get(CACHE) or platformdirs.user_cache_path("kinetens") / "rigs"
    return Path(kept).absolute()


def product(name: str) -> Path:
    """The built interpreter or image of a rig, whether it exists or not."""
    recipe = RECIPES[name]
    return cache_dir() / f"{name}-{_fingerprint(recipe)}" / Path(recipe.product).name


def missing_packages(names: list[str]) -> list[str]:
    """The Debian packages that building these rigs needs and this machine lacks. Raises RigError where not Debian."""
    wanted = sorted({package for name in names for package in RECIPES[name].packages})
    try:
        answer = subprocess.run(
            ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *wanted],
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        raise RigError("the rigs are built on Debian, and this machine has no dpkg-query") from None
    installed = {line.split()[0] for line in answer.stdout.splitlines() if line.endswith(" installed")}
    return [package for package in wanted if package not in installed]


def install_packages(packages: list[str]) -> None:
    """Install Debian packages. Raises RigError when apt-get fails, or this user may not."""
    if os.geteuid() != 0:
        raise RigError(f"only root may install packages; run: sudo apt-get install {' '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", "-qq", *command], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        if done.returncode:
            last = done.stdout.decode(errors="replace").strip().splitlines()[-1:]
            raise RigError(f"apt-get {command[0]} failed: {' '.join(last)}")


def build(names: list[str], report: Report = lambda text: None) -> None:
    """Build those of these rigs that are not built yet; a process that builds keeps others waiting.

    Raises RigError when packages are missing, the source cannot be fetched, or a compiler fails.
    """
    if all(product(name).exists() for name in names):
        return
    cache = cache_dir()
    cache.mkdir(parents=True, exist_ok=True)
    with _lock(cache):
        wanted = [name for name in names if not product(name).exists()]
        missing = missing_packages(wanted)
        if missing:
            raise RigError(
                f"building {' and '.join(wanted)} needs {', '.join(missing)}; "
                f"run: apt-get install {' '.join(missing)}"
            )
        with tempfile.TemporaryDirectory(dir=cache, prefix="building-") as folder:
            report(f"fetching MicroPython {VERSION}")
            tree = source.unpack(source.tarball(cache), Path(folder))
            _make("mpy-cross", tree / "mpy-cross", (), report)
            for name in wanted:
                _build_one(RECIPES[name], tree, report)


def _build_one(recipe: Recipe, tree: Path, report: Report) -> None:
    shutil.copytree(
        recipe.files, tree / "rigs" / recipe.files.name, ignore=shutil.ignore_patterns("__pycache__")
    )
    for patch in recipe.patches:
        file = tree / patch.file
        text = file.read_text()
        if patch.old not in text:
            raise RigError(f"{patch.file} of MicroPython {VERSION} lacks {patch.old!r}; mend rigs/recipes.py")
        file.write_text(text.replace(patch.old, patch.new))
    _make(recipe.name, tree / recipe.port, recipe.make, report)
    finished = tree / "rigs" / "finished"
    finished.mkdir()
    shutil.copy2(tree / recipe.product, finished)
    finished.replace(product(recipe.name).parent)


def _make(name: str, folder: Path, settings: tuple[str, ...], report: Report) -> None:
    """Run make; on failure its log is kept beside the rigs."""
    command = ["make", f"-j{os.cpu_count()}", f"PYTHON={sys.executable}", *settings]
    log = cache_dir() / f"{name}.log"
    compiled = 0
    with (
        log.open("w") as file,
        subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as make,
    ):
        assert make.stdout
        for line in make.stdout:
            text = line.decode(errors="replace")
            file.write(text)
            if text.startswith("CC "):
                compiled += 1
                report(f"compiling {name}: {compiled} files")
    if make.returncode:
        errors = [line for line in log.read_text().splitlines() if "error" in line.lower()]
        raise RigError(f"building {name} failed: {errors[0] if errors else 'see the log'} (all of it: {log})")
    log.unlink()


def _fingerprint(recipe: Recipe) -> str:
    """A digest of all that decides what is built."""
    digest = hashlib.sha256(repr((SUITE, VERSION, recipe.make, recipe.patches)).encode())
    for file in sorted(recipe.files.iterdir()):
        if file.is_file():
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


@contextmanager
def _lock(cache: Path) -> Generator[None]:
    with (cache / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
