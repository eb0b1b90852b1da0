"""Plan stimulation and give it. One file a command."""

from importlib import import_module

import rich_click as click

_COMMANDS = {
    "plan": "Make, check and show plans of stimulation.",
    "run": "Give a plan, with its state on the screen and the space bar to stop.",
    "log": "Read a device's own log and check that it is whole.",
    "release": "Release a device from its member.",
}
"""Name and summary of each command. The command x is `kinetens.cli.stim.x.x`."""


class _Commands(click.RichGroup):
    """Imports a command only when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        return getattr(import_module(f"kinetens.cli.stim.{cmd_name}"), cmd_name)


@click.group(cls=_Commands)
def stim() -> None:
    """Plan stimulation and give it.

    Research software, not a medical device.

    Example:  kinetens stim run knee.toml kinetens-4F2A
    """
