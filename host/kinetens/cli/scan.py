"""List the devices in reach."""

import rich_click as click

from kinetens.cli.common import json_option, print_json, print_table
from kinetens.cli.connection import Reach, run_with
from kinetens.cli.finite import FiniteRange
from kinetens.device.discovery import SCAN_S, Found
from kinetens.device.discovery import scan as listen
from kinetens.device.url import DeviceUrl
from kinetens.errors import InvalidInput


@click.command()
@click.argument("adapter", default="", metavar="[sim:]")
@click.option(
    "--seconds",
    type=FiniteRange(0.5, 120),
    default=SCAN_S,
    show_default=True,
    help="How long to listen.",
)
@json_option
def scan(adapter: str, seconds: float, as_json: bool) -> None:
    """List the devices in reach of this computer's Bluetooth, or the virtual one with sim:.

    Example:  kinetens scan --seconds 5
    """
    url = DeviceUrl.parse(adapter)
    if url.target:
        raise InvalidInput(f"scan looks for all devices, not for '{url.target}'; see kinetens info --help")

    async def work(reach: Reach) -> list[Found]:
        return await listen(reach.adapter, seconds)

    found = run_with(url, work)
    if as_json:
        print_json([{"name": one.name, "address": one.address, "rssi_dbm": one.rssi_dbm} for one in found])
    elif not found:
        click.echo(
            f"No device heard in {seconds:g} s. Is it charged, switched on and not connected elsewhere?"
        )
    else:
        print_table(
            ("name", "address", "signal"), [(one.name, one.address, f"{one.rssi_dbm} dBm") for one in found]
        )
