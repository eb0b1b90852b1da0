"""Instructions and heap that a motion sample costs on an emulated ESP32-C3-like core (RV32IMC code, qemu)."""

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import rich_click as click
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from rigs import run

_HERE = Path(__file__).parent
SAMPLE_RATE_HZ = 416
POLL_SAMPLES = 17
MINUTES = 10.0
_PART_SAMPLES = 20_000
_PEER_SAMPLES = 500


@dataclass(frozen=True, slots=True)
class Cost:
    """Of a sample, or of a poll divided by its samples.

    worst_instructions: after the first, which sets the filter up and is told apart.
    """

    name: str
    samples: int
    mean_instructions: float
    worst_instructions: float
    first_instructions: float
    bytes_allocated: int
    bytes_per_sample: float


def measure(minutes: float) -> list[Cost]:
    """Run everything. Raises RigError when the rig cannot be built."""
    whole = movement(round(minutes * 60 * SAMPLE_RATE_HZ), seed=1)
    part = whole[:_PART_SAMPLES]
    peers = whole[:_PEER_SAMPLES]
    return [
        cost_of("FIFO to notification, in polls of 17", whole, POLL_SAMPLES, "path.py", "path"),
        cost_of("the same, sensor calibrated", part, POLL_SAMPLES, "path.py", "calibrated"),
        cost_of("the same, with raw samples", part, POLL_SAMPLES, "path.py", "raw"),
        cost_of("unpack, correct, filter, frame: one at a time", part, 1, "one_at_a_time.py"),
        cost_of("Madgwick in floats, filter alone", peers, 1, "peers.py", "madgwick"),
        cost_of("micropython-fusion in floats, filter alone", peers, 1, "peers.py", "hinch"),
    ]


def movement(count: int, seed: int) -> NDArray[np.int16]:
    """Counts of a sensor that is moved for five seconds and rests for five, in turn; (count, 6)."""
    source = np.random.default_rng(seed)
    time_s = np.arange(count) / SAMPLE_RATE_HZ
    moves = (time_s % 10 < 5)[:, None]
    phases = source.uniform(0, 2 * np.pi, 6)
    swing = np.sin(2 * np.pi * np.array([0.5, 0.7, 0.3, 0.9, 1.1, 0.4]) * time_s[:, None] + phases)
    gravity = np.array([0, 0, 0, 300, -500, 1960])
    counts = moves * swing * np.array([2000, 1500, 1000, 500, 500, 300]) + gravity
    counts = counts + source.normal(0, 2, (count, 6)) + np.array([8, -5, 3, 0, 0, 0])
    return np.round(counts).astype("<i2")


def cost_of(name: str, samples: NDArray[np.int16], divide: int, script: str, *arguments: str) -> Cost:
    """Run one of the scripts in `on_device` over samples; it measures so many at once.

    Raises RigError when the rig cannot be built, or the script fails.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "samples.bin").write_bytes(samples.tobytes())
        for source in (*(_HERE / "on_device").glob("*.py"), *(_HERE / "peers").glob("*.py")):
            (folder / source.name).write_bytes(source.read_bytes())
        result = run("rv32", folder / script, *arguments, "samples.bin", "costs.bin", folder=folder)
        allocated, count = (int(word) for word in result.lines()[-1].split())
        costs = np.fromfile(folder / "costs.bin", "<i4")
    whole = costs[: len(samples) // divide] / divide  # the last poll may be short
    return Cost(
        name=name,
        samples=count,
        mean_instructions=float(costs.sum()) / count,
        worst_instructions=float(whole[1:].max()),
        first_instructions=float(whole[0]),
        bytes_allocated=allocated,
        bytes_per_sample=allocated / count,
    )


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.option(
    "--minutes", default=MINUTES, show_default=True, help="How long the path streams, in the device's time."
)
def bench(as_json: bool, minutes: float) -> None:
    """Instructions and heap that a motion sample costs on an emulated microcontroller.

    Example:  python -m bench firmware --json
    """
    costs = measure(minutes)
    if as_json:
        click.echo(json.dumps([asdict(cost) for cost in costs], indent=2))
        return
    table = Table(
        "what", "samples", "mean", "worst", "first", "bytes a sample", title="Instructions a sample, RV32IMC"
    )
    for cost in costs:
        figures = (cost.samples, cost.mean_instructions, cost.worst_instructions, cost.first_instructions)
        table.add_row(cost.name, *(f"{figure:,.0f}" for figure in figures), f"{cost.bytes_per_sample:,.1f}")
    Console().print(table)
