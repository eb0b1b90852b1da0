"""`python -m rigs`: build rigs, run scripts on them."""

import sys
import time
from pathlib import Path

import rich_click as click
from rich.console import Console

from kinetens.errors import KinetensError
from rigs import builder, emulator, scripts
from rigs.recipes import RECIPES

BUILT = list(RECIPES)


@click.group()
def main() -> None:
    """MicroPython on a 32-bit twin and on an emulated microcontroller."""


@main.command("build")
@click.argument("rig", type=click.Choice([*BUILT, "all"]))
@click.option("--install", is_flag=True, help="Install the Debian packages that are missing (as root).")
def build_command(rig: str, install: bool) -> None:
    """Build a rig, or all, unless that has been done.

    Example:  python -m rigs build all --install
    """
    names = BUILT if rig == "all" else [rig]
    console = Console(stderr=True)
    start = time.monotonic()
    built = [name for name in names if builder.product(name).exists()]
    with console.status("looking at what is there") as status:
        missing = builder.missing_packages([name for name in names if name not in built])
        if missing and install:
            console.print(f"installing {', '.join(missing)}")
            builder.install_packages(missing)
        builder.build(names, lambda doing: status.update(doing))
    for name in names:
        note = "already built" if name in built else f"built in {time.monotonic() - start:.0f} s"
        click.echo(f"{name}  {builder.product(name)}  ({note})")


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("rig", type=click.Choice(scripts.RIGS))
@click.argument("script", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(rig: str, script: Path, arguments: tuple[str, ...]) -> None:
    """Run a MicroPython script on a rig, with the firmware's modules in reach; exits with its status.

    Example:  python -m rigs run rv32 protocol/golden/check.py
    """
    sys.exit(scripts.run(rig, script, *arguments, echo=sys.stdout.buffer).status)


@main.command("board")
def board_command() -> None:
    """Start the emulated microcontroller as a board and name its serial port, until Ctrl-C."""
    with emulator.board() as port:
        click.echo(f"{port}  (try: mpremote connect {port} ls; Ctrl-C ends it)")
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    try:
        main(prog_name="python -m rigs")
    except KinetensError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
