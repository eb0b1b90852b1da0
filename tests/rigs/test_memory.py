"""How much of a device's heap the firmware takes, and that it runs with a device's words."""

from functools import partial
from pathlib import Path

import pytest

from kinetens.virtual import process, simulation
from kinetens.virtual.demonstration import Watcher, demonstrate
from kinetens.virtual.simulation import SimulationOptions
from kinetens.virtual.world import DeviceOptions
from rigs import RigError, build, product, run

pytestmark = pytest.mark.slow

CHECKOUT = Path(__file__).resolve().parents[2]
MACHINE_SIDE = CHECKOUT / "host" / "kinetens" / "virtual" / "machine_side"
MODULES_BYTES = 136 * 1024
"""Most that all modules together may take when they are loaded as .mpy from a file system (frozen: a quarter)."""
SYSTEM_BYTES = 224 * 1024
"""Heap that the whole firmware runs in so, with 16 KiB for the virtual board's stand-ins."""

IMPORT_ALL = """
import gc, sys
sys.path.append(sys.argv[3])
import asyncio, bluetooth, esp32, machine, os, time
gc.collect()
before = gc.mem_alloc()
for name in sys.argv[4:]:
    __import__(name)
gc.collect()
print(gc.mem_alloc() - before)
"""


@pytest.fixture(scope="module")
def twin() -> Path:
    """The interpreter with 32-bit words."""
    try:
        build(["twin"])
    except RigError as error:
        pytest.skip(str(error))
    return product("twin")


def test_all_modules_together(twin: Path):
    """All but main.py, which would start the device, and the board file's checks, which it forgets once they are done;
    beside stand-ins for what the rig's MicroPython lacks.
    """
    firmware = CHECKOUT / "firmware"
    paths = [path.relative_to(firmware).with_suffix("") for path in firmware.rglob("*.py")]
    names = sorted({".".join(path.parts) for path in paths} - {"main", "system.board_file"})
    result = run("twin", IMPORT_ALL, "1", "0", str(MACHINE_SIDE), *names, heap_bytes=1 << 20)
    assert int(result.lines()[0]) <= MODULES_BYTES


def test_the_whole_system_with_a_devices_words(twin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Stimulation, streaming, counting: as on 64 bits, with little heap and none of it lost."""
    monkeypatch.setenv(process.INTERPRETER, str(twin))
    device = partial(DeviceOptions, heap_bytes=SYSTEM_BYTES, instructions="x86")
    monkeypatch.setattr(simulation, "DeviceOptions", device)
    options = SimulationOptions.of(seed=1, repetitions=3)
    shown = demonstrate(options, tmp_path, Watcher(says=lambda text: None, ticks=lambda recorder: None))
    assert shown.counted == shown.performed == 3
    assert shown.samples.missing == shown.samples.dropped_on_device == 0
    assert shown.stimulation.violations == ()
    assert shown.stimulation.pulses > 2000
    assert shown.stimulation.net_charge_uc == 0
