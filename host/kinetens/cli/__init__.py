"""The command line. A command parses, calls one room, and prints."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import rich_click as click

from kinetens import __version__
from kinetens.errors import KinetensError

COMMANDS = {
    "scan": "List the devices in reach.",
    "info": "Say what a device is and how it does.",
    "calibrate": "Calibrate a device's motion sensor.",
    "record": "Record a session: count, measure and store every repetition.",
    "stim": "Plan stimulation and give it.",
    "exercises": "List, show and check exercises.",
    "sessions": "List, show, verify and delete recorded sessions.",
    "analyze": "Count and measure a recorded session again.",
    "report": "Write a session's report as a page to read, print or send.",
    "export": "Write a session's samples and repetitions for other programs.",
    "orient": "Compute orientation from a recording of any sensor.",
    "joint": "Compute a joint's angles from the recordings of two sensors.",
    "simulate": "Simulate hours full of faults and judge every pulse.",
    "demo": "Do a set of exercises on the virtual device.",
}
"""Name and summary of each command in the order of --help. The command x is `kinetens.cli.x.x`."""

FAILED = 1
USAGE = 2
INTERRUPTED = 130
DEBUG = "KINETENS_DEBUG"
"""Set in the environment, it lets errors through with their traceback."""


class Commands(click.RichGroup):
    """Imports a command only when it runs, so that --help is quick, and ends without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return click.RichCommand(name=cmd_name, short_help=COMMANDS[cmd_name])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, found, rest = super().resolve_command(ctx, args)
        if name is not None and found is not None:
            found = getattr(import_module(f"kinetens.cli.{name}"), name)
        return name, found, rest

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:  # whoever read our output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return None
        return result

    def main(
        self, args: Sequence[str] | None = None, *more: Any, standalone_mode: bool = True, **extra: Any
    ) -> Any:
        if not standalone_mode or os.environ.get(DEBUG):
            return super().main(args, *more, standalone_mode=standalone_mode, **extra)
        try:
            code = super().main(args, *more, standalone_mode=False, **extra)
        except click.UsageError as error:
            where = error.ctx.command_path if error.ctx else "kinetens"
            fail(f"{error.format_message().rstrip('.')}; see {where} --help", USAGE)
        except click.ClickException as error:
            fail(error.format_message(), error.exit_code)
        except click.Abort:
            fail("stopped", INTERRUPTED)
        except KinetensError as error:
            fail(str(error), FAILED)
        except Exception as error:
            fail(f"unexpected {type(error).__name__}: {error}; {DEBUG}=1 shows where it came from", FAILED)
        sys.exit(code if isinstance(code, int) else 0)


def fail(sentence: str, code: int) -> NoReturn:
    """Say one sentence on stderr and leave with a code."""
    click.echo(f"error: {' '.join(sentence.split())}", err=True)
    sys.exit(code)


@click.group("kinetens", cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kinetens")
def main() -> None:
    """Measure and count home exercises with a worn sensor, and steer its nerve stimulation safely.

    Research software, not a medical device.

    Example:  kinetens demo --out demo-output
    """
