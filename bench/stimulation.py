"""What stimulation costs: the supervisor's instructions for each decision on an emulated ESP32-C3-like core.

Each part of the bench is a function that gives rows, and prints its own table.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import rich_click as click
from rich.console import Console
from rich.table import Table

from rigs import run

TICK_MS = 50
CLOCK_MHZ = 160
"""Of an ESP32-C3. The emulator counts instructions and no cycles: a share of the tick is a lower bound."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What one decision of the device costs: how often it was measured, and its cost each time."""

    name: str
    times: int
    mean_instructions: float
    worst_instructions: int
    bytes_allocated: float
    blocks_erased: float


def decisions() -> list[Decision]:
    """Run the supervisor on the emulated core. Raises RigError when the rig cannot be built or the script fails."""
    answer = run("rv32", Path(__file__).parent / "on_device" / "decisions.py")
    return [Decision(*json.loads(line)) for line in answer.lines()]


def _show(found: list[Decision]) -> None:
    table = Table(
        "what",
        "times",
        "mean",
        "worst",
        f"worst, % of {TICK_MS} ms",
        "bytes",
        "erased",
        title="Instructions a decision, RV32IMC",
    )
    for one in found:
        share = one.worst_instructions / (TICK_MS * 1000 * CLOCK_MHZ)
        table.add_row(
            one.name,
            str(one.times),
            f"{one.mean_instructions:,.0f}",
            f"{one.worst_instructions:,}",
            f"{share:.1%}",
            f"{one.bytes_allocated:,.0f}",
            f"{one.blocks_erased:.2f}",
        )
    Console().print(table)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def bench(as_json: bool) -> None:
    """Instructions, heap and flash that a decision about stimulation costs on an emulated microcontroller.

    Example:  python -m bench stimulation --json
    """
    found = decisions()
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=2))
        return
    _show(found)
