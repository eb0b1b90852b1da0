"""Read a device's own stimulation log."""

import csv
from collections.abc import Sequence
from pathlib import Path

import rich_click as click

from kinetens.cli.common import force_option, json_option, print_json, print_table
from kinetens.cli.connection import Reach, run_with
from kinetens.device.discovery import find
from kinetens.device.link import connect
from kinetens.device.url import DeviceUrl
from kinetens.session.output import check_output, whole_file
from kinetens.stim.channel import LinkChannel
from kinetens.stim.device_log import DeviceLog, entry_text, read_log
from kinetens_protocol import stimulation_log
from kinetens_protocol.stimulation_log import LogEntry

_FIELDS = ("sequence", "boot", "uptime_ms", "kind", "code", "value", "counter", "renewals")


@click.command()
@click.argument("device", metavar="DEVICE")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it as CSV to this file.")
@force_option
@json_option
def log(device: str, out: Path | None, force: bool, as_json: bool) -> None:
    """Read what a device was told, did and met of stimulation, and check that nothing in it was lost or altered.

    Example:  kinetens stim log kinetens-4F2A --out log.csv
    """
    if out is not None:
        check_output(out, force)

    async def work(reach: Reach) -> tuple[str, DeviceLog]:
        found = await find(reach.adapter, reach.wanted)
        async with connect(reach.adapter, found) as link:
            return found.name, await read_log(LinkChannel(link))

    name, found = run_with(DeviceUrl.parse(device), work)
    if out is not None:
        _write(out, force, found.entries)
    if as_json:
        print_json(
            {
                "device": name,
                "intact": True,
                "first": found.first,
                "check": found.after.hex(),
                "entries": [_document(entry) for entry in found.entries],
                "out": out,
            }
        )
    else:
        _print(name, found, out)


def _document(entry: LogEntry) -> dict[str, object]:
    fields: dict[str, object] = dict(zip(_FIELDS, entry, strict=True))
    return {**fields, "kind": _kind(entry), "text": entry_text(entry)}


def _write(out: Path, force: bool, entries: Sequence[LogEntry]) -> None:
    with whole_file(out, force) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow((*_FIELDS, "text"))
        writer.writerows(_document(entry).values() for entry in entries)


def _print(name: str, found: DeviceLog, out: Path | None) -> None:
    print_table(
        ("entry", "boot", "after", "kind", "what", "renewals"),
        [
            (
                str(entry.sequence),
                str(entry.boot),
                f"{entry.uptime_ms / 1000:.1f} s",
                _kind(entry),
                entry_text(entry),
                str(entry.renewals or ""),
            )
            for entry in found.entries
        ],
    )
    since = (
        "from its first entry on"
        if found.is_whole
        else f"from entry {found.first} on; older ones were dropped"
    )
    number = "1 entry" if len(found.entries) == 1 else f"{len(found.entries)} entries"
    click.echo(f"{name}: {number}, {since}; the chain holds ({found.after.hex()})")
    if out is not None:
        click.echo(f"wrote {out}")


def _kind(entry: LogEntry) -> str:
    return stimulation_log.KINDS.get(entry.kind, f"kind {entry.kind}")
