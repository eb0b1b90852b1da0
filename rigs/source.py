"""Debian's source package of MicroPython, fetched with apt and its checks but without touching apt's settings."""

import re
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from rigs.recipes import SUITE, VERSION, RigError

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_RELEASE_FILE = re.compile(r"'(?P<archive>[^']+?)/dists/(?P<suite>[^/']+)/InRelease'")


def tarball(cache: Path) -> Path:
    """MicroPython's source, from the cache if it is there.

    Raises RigError when this machine's apt does not reach a Debian archive that has it.
    """
    kept = cache / f"micropython-{VERSION}.orig.tar.xz"
    if not kept.exists():
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            _fetch(Path(folder)).replace(kept)
    return kept


def unpack(source: Path, folder: Path) -> Path:
    """Unpack the tarball into an empty folder and return the root of the tree."""
    # Pythons before 3.11.4 have no filters and later ones ask for one.
    options: dict[str, Any] = {"filter": "tar"} if hasattr(tarfile, "tar_filter") else {}
    with tarfile.open(source) as archive:
        archive.extractall(folder, **options)
    (tree,) = folder.iterdir()
    # Debian leaves this library out, and the build only asks whether it is there.
    library = tree / "lib" / "micropython-lib"
    library.mkdir(exist_ok=True)
    (library / "README.md").touch()
    return tree


def _fetch(folder: Path) -> Path:
    folder.chmod(0o755)  # apt downloads as a user of its own
    sources = folder / "sources.list"
    lists = folder / "lists"
    downloads = folder / "cache"
    (lists / "partial").mkdir(parents=True)
    (downloads / "archives" / "partial").mkdir(parents=True)
    signed = f"[signed-by={_KEYRING}] " if _KEYRING.exists() else ""
    sources.write_text(f"deb-src {signed}{_debian_archive()} {SUITE} main\n")
    private = [
        f"Dir::Etc::SourceList={sources}",
        "Dir::Etc::SourceParts=-",
        f"Dir::State::Lists={lists}",
        f"Dir::Cache={downloads}",
        "APT::Sandbox::User=root",
    ]
    options = [word for setting in private for word in ("-o", setting)]
    _apt(*options, "update")
    _apt(*options, "source", "--download-only", f"micropython/{SUITE}", folder=folder)
    found = list(folder.glob(f"micropython_{VERSION}*.orig.tar.*"))
    if not found:
        raise RigError(
            f"Debian {SUITE} no longer has MicroPython {VERSION}; set VERSION in rigs/recipes.py to what it has"
        )
    return found[0]


def _debian_archive() -> str:
    """The archive that this machine installs its own release of Debian from."""
    release = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line
    )
    codename = release.get("VERSION_CODENAME", "").strip('"')
    for found in _RELEASE_FILE.finditer(_apt("update", "--print-uris")):
        if found["suite"] in (codename, "stable", "testing", "unstable", "sid"):
            return found["archive"]
    raise RigError(
        f"the rigs are built from Debian's source package, and none of this machine's apt sources is "
        f"a Debian archive ({release.get('PRETTY_NAME', 'unknown system')}); build them on Debian"
    )


def _apt(*arguments: str, folder: Path | None = None) -> str:
    try:
        done = subprocess.run(["apt-get", *arguments], cwd=folder, capture_output=True, text=True)
    except FileNotFoundError:
        raise RigError("the rigs need Debian's apt-get, which this machine does not have") from None
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise RigError(
            f"apt-get could not fetch MicroPython's source: {said[0] if said else done.returncode}"
        )
    return done.stdout
