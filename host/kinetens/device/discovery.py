"""Find kinetens devices on the air."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from kinetens.device.adapter import Adapter
from kinetens.errors import BluetoothUnavailable, DeviceNotFound
from kinetens_protocol import uuids

SCAN_S = 10.0
_OTHERS_S = 1.0
"""When any device will do: how long to listen for others after the first."""
_NAMESAKES_S = 0.3
"""When a name will do: how long to listen for others of that name, some three advertisements."""


@dataclass(frozen=True, slots=True)
class Found:
    """An advertising device."""

    name: str
    address: str
    rssi_dbm: int
    handle: BLEDevice


async def scan(
    adapter: Adapter,
    duration_s: float = SCAN_S,
    enough: Callable[[Found], float | None] | None = None,
) -> list[Found]:
    """All kinetens devices heard in a time, strongest first.

    Args:
        adapter: what to listen with.
        duration_s: how long at most.
        enough: for each device heard, after how many seconds more to end early, or None.

    Raises BluetoothUnavailable when this computer's Bluetooth cannot be used.
    """
    seen: dict[str, Found] = {}
    loop = asyncio.get_running_loop()
    ending = asyncio.Event()

    def hear(device: BLEDevice, data: AdvertisementData) -> None:
        is_new = device.address not in seen
        name = data.local_name or device.name or device.address
        found = seen[device.address] = Found(name, device.address, data.rssi, device)
        wait_s = enough(found) if enough is not None else None
        if wait_s is not None and (is_new or wait_s == 0):
            loop.call_later(wait_s, ending.set)

    try:
        async with BleakScanner(hear, service_uuids=[uuids.SERVICE], backend=adapter.scanner):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ending.wait(), duration_s)
    except (BleakError, OSError) as error:
        raise BluetoothUnavailable(
            f"{adapter.name} cannot be used ({error}); is it plugged in, switched on, and allowed for this user?"
        ) from error
    return sorted(seen.values(), key=lambda found: (-found.rssi_dbm, found.address))


async def find(adapter: Adapter, wanted: str, duration_s: float = SCAN_S) -> Found:
    """The device with a name or address, or the only one there is when `wanted` is empty.

    Raises DeviceNotFound, naming what was heard, and BluetoothUnavailable.
    """

    def enough(found: Found) -> float | None:
        if not wanted:
            return _OTHERS_S
        if not _is(found, wanted):
            return None
        return 0.0 if found.address.lower() == wanted.lower() else _NAMESAKES_S

    seen = await scan(adapter, duration_s, enough)
    matching = [found for found in seen if not wanted or _is(found, wanted)]
    if len(matching) == 1:
        return matching[0]
    if len(matching) > 1:
        which = ", ".join(f"{found.name} ({found.address}, {found.rssi_dbm} dBm)" for found in matching)
        raise DeviceNotFound(f"more than one device is near: {which}; say which by its name or address")
    heard = ", ".join(f"{found.name} ({found.rssi_dbm} dBm)" for found in seen) or "nothing"
    raise DeviceNotFound(
        f"no device '{wanted or 'of any name'}' in {duration_s:g} s; heard: {heard}; "
        "is it charged, switched on and not connected elsewhere?"
    )


def _is(found: Found, wanted: str) -> bool:
    return wanted.lower() in (found.name.lower(), found.address.lower())
