"""What the rigs are made from."""

from dataclasses import dataclass
from pathlib import Path

from kinetens.errors import KinetensError

SUITE = "trixie"
"""The Debian release whose source package is built; older and newer machines fetch the same."""

VERSION = "1.25.0"
"""MicroPython's version in it."""

HEAP_BYTES = 128 * 1024
"""The heap of the emulated microcontroller, and by default of the others: about what an ESP32 leaves to Python."""


class RigError(KinetensError):
    """A rig cannot be built or cannot run."""


@dataclass(frozen=True, slots=True)
class Patch:
    """A place in MicroPython's source, and what stands there instead."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one rig is built in an unpacked source tree.

    product: what is kept, a path in the tree. files: our folder, copied to `rigs/<its name>` in the tree.
    """

    name: str
    title: str
    packages: tuple[str, ...]
    port: str
    make: tuple[str, ...]
    product: str
    files: Path
    patches: tuple[Patch, ...] = ()


_HERE = Path(__file__).parent
_COMPILER = ("gcc", "libc6-dev", "make")

TWIN = Recipe(
    name="twin",
    title="MicroPython with 32-bit words and single-precision floats",
    packages=(*_COMPILER, "gcc-multilib"),
    port="ports/unix",
    make=(
        "BUILD=build-twin",
        "FROZEN_MANIFEST=../../rigs/twin/manifest.py",
        "MICROPY_FORCE_32BIT=1",
        "MICROPY_PY_BTREE=0",
        "MICROPY_PY_FFI=0",
        "MICROPY_PY_SSL=0",
        "MICROPY_SSL_MBEDTLS=0",
        "CFLAGS_EXTRA=-DMICROPY_FLOAT_IMPL=MICROPY_FLOAT_IMPL_FLOAT",
    ),
    product="ports/unix/build-twin/micropython",
    files=_HERE / "twin",
)

_PORT_SETTINGS = "ports/qemu/mpconfigport.h"

RV32 = Recipe(
    name="rv32",
    title="MicroPython for an emulated RV32IMAC microcontroller",
    packages=(*_COMPILER, "gcc-riscv64-unknown-elf", "picolibc-riscv64-unknown-elf", "qemu-system-misc"),
    port="ports/qemu",
    make=(
        "BUILD=build-rv32",
        "BOARD=VIRT_RV32",
        "FROZEN_MANIFEST=../../rigs/rv32/manifest.py",
        "USER_C_MODULES=../../rigs",
        f"MICROPY_HEAP_SIZE={HEAP_BYTES}",
        "MICROPY_VFS_LFS2=1",
        # Debian 12's linker has a 32-bit libgcc for rv32imac, and takes the 64-bit one for rv32imac_zicsr.
        "RV32_ARCH=rv32imac",
        "AFLAGS=-mabi=ilp32 -march=rv32imac_zicsr",
    ),
    product="ports/qemu/build-rv32/firmware.elf",
    files=_HERE / "rv32",
    patches=(
        Patch(_PORT_SETTINGS, "MICROPY_PY_SELECT           (0)", "MICROPY_PY_SELECT (1)"),
        Patch(_PORT_SETTINGS, "MICROPY_PY_TIME             (0)", "MICROPY_PY_TIME (1)"),
        Patch(_PORT_SETTINGS, "MICROPY_PY_ASYNCIO          (0)", "MICROPY_PY_ASYNCIO (1)"),
        Patch(
            _PORT_SETTINGS,
            "#define MICROPY_PY_MACHINE          (1)\n",
            "#define MICROPY_PY_MACHINE          (1)\n"
            "#define MICROPY_PY_OS_URANDOM (1)\n"
            '#define MICROPY_PY_OS_INCLUDEFILE "os_random.c"\n',
        ),
        # As a board does: a boot script of its own, then the user's program.
        Patch(
            "ports/qemu/main.c",
            "        mp_init();\n",
            "        mp_init();\n"
            '        pyexec_frozen_module("_boot.py", false);\n'
            '        pyexec_file_if_exists("main.py");\n',
        ),
    ),
)

RECIPES = {recipe.name: recipe for recipe in (TWIN, RV32)}
