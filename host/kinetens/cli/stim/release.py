"""Let a device's next plan be another member's."""

import asyncio

import rich_click as click

from kinetens.cli.common import json_option, print_json
from kinetens.cli.connection import Reach, run_with
from kinetens.cli.stim.begin import hold_virtual_button
from kinetens.device.discovery import find
from kinetens.device.link import connect
from kinetens.device.url import DeviceUrl
from kinetens.stim.button import release_member
from kinetens.stim.channel import LinkChannel


@click.command()
@click.argument("device", metavar="DEVICE")
@json_option
def release(device: str, as_json: bool) -> None:
    """Release a device from its member: hold its button when asked, and the next plan may be another member's.

    What the device counts of the day stays: it is the device's, whoever wears it.

    Example:  kinetens stim release kinetens-4F2A
    """

    async def work(reach: Reach) -> tuple[str, bool]:
        found = await find(reach.adapter, reach.wanted)
        holding: set[asyncio.Task[None]] = set()

        def need_button() -> None:
            click.echo("hold the device's button for half a second to release it", err=True)
            hold_virtual_button(reach, holding)

        async with connect(reach.adapter, found) as link:
            was_bound = await release_member(LinkChannel(link), need_button)
            await asyncio.gather(*holding)
        return found.name, was_bound

    name, was_bound = run_with(DeviceUrl.parse(device), work)
    if as_json:
        print_json({"device": name, "was_bound": was_bound})
    elif was_bound:
        click.echo(f"{name} belongs to nobody now; the next plan may be another member's")
    else:
        click.echo(f"{name} belongs to nobody")
