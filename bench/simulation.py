"""Simulated hours per hour of wall time on one core, and the worst times to the last pulse."""

import json
import time
from dataclasses import dataclass

import rich_click as click
from rich.console import Console
from rich.table import Table

from kinetens.virtual.campaign.runs import Findings, Order, chosen_faults, play_altered, quiet_libraries

SEEDS = 10
FIRST_SEED = 1


@dataclass(frozen=True, slots=True)
class Speed:
    """Of stories played one after the other in one process, with its firmware's process beside it."""

    name: str
    simulated_s: float
    wall_s: float

    @property
    def times_real_time(self) -> float:
        """Simulated hours per hour."""
        return self.simulated_s / self.wall_s


def measure(name: str, order: Order, findings: Findings) -> Speed:
    """Play an order's stories; what they show goes to `findings`."""
    simulated_s = findings.seconds
    began_s = time.monotonic()
    for seed in order.seeds:
        findings.add(play_altered(order.stories(seed), None))
    return Speed(name, findings.seconds - simulated_s, time.monotonic() - began_s)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.option("--seeds", default=SEEDS, show_default=True, help="Stories of six minutes with all faults.")
def bench(as_json: bool, seeds: int) -> None:
    """Simulated hours per hour on one core: with all faults, and with stimulation and motion on all the time.

    Example:  python -m bench simulation --seeds 10 --json
    """
    quiet_libraries()
    quiet, faulty = Findings(), Findings()
    play_altered(
        Order(0, FIRST_SEED, (), seconds=5.0).stories(FIRST_SEED), None
    )  # imports are not simulation
    speeds = [
        measure("no faults: always stimulating", Order(0.2, FIRST_SEED, ()), quiet),
        measure("all faults", Order(seeds / 10, FIRST_SEED, chosen_faults("all")), faulty),
    ]
    violations = sum(len(bad.violations) for bad in quiet.bad + faulty.bad)
    stops_ms = {cause: round(time_s * 1e3, 1) for cause, time_s in sorted(faulty.stops.items())}
    if as_json:
        answer = {
            "speeds": {speed.name: round(speed.times_real_time, 1) for speed in speeds},
            "stops_ms": stops_ms,
            "violations": violations,
        }
        click.echo(json.dumps(answer, indent=2))
        return
    table = Table("story", "simulated s", "wall s", "times real time", title="Simulation on one core")
    for speed in speeds:
        table.add_row(
            speed.name, f"{speed.simulated_s:.0f}", f"{speed.wall_s:.1f}", f"{speed.times_real_time:.0f}"
        )
    stops = Table("stop cause", "ms to the last pulse, worst", title=f"{violations} violations")
    for cause, time_ms in stops_ms.items():
        stops.add_row(cause, f"{time_ms:g}")
    Console().print(table, stops)
