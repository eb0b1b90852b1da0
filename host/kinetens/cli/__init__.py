"""The command line. A command parses, calls one room, and prints."""

from importlib import import_module
from typing import Any

import rich_click as click

from kinetens import __version__

COMMANDS = {
    "scan": "List the devices in reach.",
    "info": "Say what a device is and how it does.",
    "record": "Record a session: count, measure and store every repetition.",
    "sessions": "List, show, verify and delete recorded sessions.",
    "analyze": "Count and measure a recorded session again.",
    "report": "Write a session's report.",
    "export": "Write a session's samples and repetitions for other programs.",
    "demo": "Do a set of exercises on the virtual device.",
}
"""Name and summary of each command, in the order of --help; the command `x` is `kinetens.cli.x:x`, imported when it
runs, so that --help is quick."""


class LazyGroup(click.RichGroup):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        if ctx.params.get("help_only"):
            return None
        command: click.Command = getattr(import_module(f"kinetens.cli.{cmd_name}"), cmd_name)
        return command
