"""`python -m bench`: run a bench by name. The bench x is `bench.x.bench`."""

import sys
from importlib import import_module

import rich_click as click

from kinetens.errors import KinetensError

BENCHES = {
    "firmware": "Instructions and heap that a motion sample costs on an emulated microcontroller.",
    "orientation": "Errors of the orientation filter, VQF, Madgwick and Mahony on recordings with ground truth.",
    "stimulation": "Instructions, heap and flash that a decision about stimulation costs on one.",
    "simulation": "Simulated hours per hour on one core, and the worst times to the last pulse.",
    "joints": "Joint angles and their 95 % intervals on recordings with a truth.",
}


class Benches(click.RichGroup):
    """Imports a bench only when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(BENCHES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return import_module(f"bench.{cmd_name}").bench if cmd_name in BENCHES else None


@click.group(cls=Benches)
def main() -> None:
    """Measure the product beside what others offer."""


if __name__ == "__main__":
    try:
        main(prog_name="python -m bench")
    except KinetensError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
