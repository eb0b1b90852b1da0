"""Say what a device is and how it does."""

from typing import Any

import rich_click as click

from kinetens.cli.common import json_option, print_facts, print_json
from kinetens.cli.connection import Reach, run_with
from kinetens.device.discovery import find
from kinetens.device.link import connect
from kinetens.device.url import DeviceUrl
from kinetens_protocol import control, faults


@click.command()
@click.argument("device", metavar="DEVICE")
@json_option
def info(device: str, as_json: bool) -> None:
    """Say what a device is, how it does, and what is wrong with it.

    DEVICE is a name or address (kinetens scan lists them), or sim: for the virtual one.

    Example:  kinetens info kinetens-4F2A
    """
    described, word = run_with(DeviceUrl.parse(device), _ask)
    if as_json:
        print_json(described)
    else:
        words = {name: _in_words(name, value) for name, value in described.items()}
        words["faults"] = ", ".join(faults.explained(word)) or "none"
        print_facts([(name.replace("_", " "), text) for name, text in words.items()])


async def _ask(reach: Reach) -> tuple[dict[str, Any], int]:
    """What a device is and how it does, and its fault word."""
    found = await find(reach.adapter, reach.wanted)
    async with connect(reach.adapter, found) as link:
        about = await link.info()
        status = await link.status()
        described = {
            "name": about.name,
            "address": found.address,
            "serial": about.serial,
            "board": about.board,
            "firmware": about.firmware,
            "platform": about.platform,
            "protocol_minor": link.minor_version,
            "sensor": about.sensor,
            "sensor_rate_hz": about.sensor_rate_mhz / 1000,
            "calibrated_on": about.calibrated_on or None,
            "stimulation": bool(about.hardware_flags & control.HAS_STIMULATION),
            "boots": about.boot_count,
            "last_boot": control.BOOT_CAUSES.get(about.boot_cause, "unknown"),
            "faults": faults.names(status.faults),
            "battery_percent": None
            if status.battery_percent == control.UNKNOWN_PERCENT
            else status.battery_percent,
            "charging": bool(status.flags & control.CHARGING),
            "temperature_degc": status.temperature_cdeg / 100,
            "heap_free_bytes": status.heap_free_bytes,
            "worst_loop_gap_ms": status.worst_loop_gap_us / 1000,
            "mtu": link.mtu,
        }
        return described, status.faults


def _in_words(name: str, value: object) -> str:
    if value is None:
        return "not calibrated" if name == "calibrated_on" else "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
