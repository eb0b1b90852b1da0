"""Loads a firmware module into CPython, so that tests can call it directly: viper code runs as plain Python.

Stores through ptr8, ptr16 and ptr32 are cut to their width and loads are unsigned, as on the device;
arithmetic is not limited to 32 bits.
"""

import builtins
import importlib
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Literal

FIRMWARE = Path(__file__).resolve().parents[2] / "firmware"


class Pointer:
    """A buffer seen as unsigned words."""

    code: Literal["B", "H", "I"] = "B"
    mask = 0xFF

    def __init__(self, buffer: Any) -> None:
        whole = memoryview(buffer).cast("B")
        width = memoryview(bytes(8)).cast(self.code).itemsize
        self._words = whole[: len(whole) // width * width].cast(self.code)

    def __getitem__(self, index: int) -> int:
        return self._words[index]

    def __setitem__(self, index: int, value: int) -> None:
        self._words[index] = value & self.mask


class ptr8(Pointer):  # noqa: N801 (MicroPython's name, as the next two)
    pass


class ptr16(Pointer):  # noqa: N801
    code = "H"
    mask = 0xFFFF


class ptr32(Pointer):  # noqa: N801
    code = "I"
    mask = 0xFFFF_FFFF


def viper(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn the arguments that are annotated as pointers into pointers."""
    wraps = [
        kind if isinstance(kind, type) and issubclass(kind, Pointer) else None
        for name, kind in function.__annotations__.items()
        if name != "return"
    ]

    def call(*arguments: Any) -> Any:
        return function(*(wrap(it) if wrap else it for wrap, it in zip(wraps, arguments, strict=True)))

    return call


def load_firmware_module(name: str, **replacements: Any) -> ModuleType:
    """Import `name` ("motion.lsm6dsox") afresh and set `replacements` (time, …) in its namespace."""
    stub = SimpleNamespace(const=lambda value: value, viper=viper, native=lambda function: function)
    with micropython_in_reach(stub):
        module = importlib.import_module(name)
    for key, value in replacements.items():
        setattr(module, key, value)
    return module


@contextmanager
def micropython_in_reach(stub: Any):
    """The firmware's folder on the path and MicroPython's names defined; all gone again afterwards."""
    names = {"ptr8": ptr8, "ptr16": ptr16, "ptr32": ptr32, "uint": int}
    modules = dict(sys.modules)
    sys.modules["micropython"] = stub
    sys.path.insert(0, str(FIRMWARE))
    for key, value in names.items():
        setattr(builtins, key, value)
    try:
        yield
    finally:
        for key in names:
            delattr(builtins, key)
        sys.path.remove(str(FIRMWARE))
        for key, module in list(sys.modules.items()):
            ours = module is stub or str(getattr(module, "__file__", "") or "").startswith(str(FIRMWARE))
            if key not in modules and (
                ours or key.split(".")[0] in {path.stem for path in FIRMWARE.iterdir()}
            ):
                del sys.modules[key]
        if "micropython" in modules:
            sys.modules["micropython"] = modules["micropython"]
        else:
            sys.modules.pop("micropython", None)
