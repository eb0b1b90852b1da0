"""Do a set of exercises on the virtual device."""

from pathlib import Path
from typing import Any

import rich_click as click
from rich.console import Console
from rich.status import Status

from kinetens.cli.common import json_option, print_json
from kinetens.cli.finite import FiniteRange
from kinetens.session.recorder import Recorder
from kinetens.virtual.demonstration import Demonstration, Watcher, demonstrate
from kinetens.virtual.simulation import SimulationOptions


@click.command()
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="One seed, one history.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("kinetens-demo"),
    show_default=True,
    help="Folder for all that it writes.",
)
@click.option(
    "--repetitions", type=click.IntRange(1, 500), help="Generated motion: how many  [default: a recording]"
)
@click.option("--range-deg", type=FiniteRange(5, 170), help="Generated motion: range of each repetition.")
@click.option(
    "--loss", type=FiniteRange(0, 1, max_open=True), default=0.0, help="Share of notifications lost."
)
@click.option("--real-time", is_flag=True, help="At the wall clock's pace, to watch it.")
@json_option
def demo(
    seed: int,
    out: Path,
    repetitions: int | None,
    range_deg: float | None,
    loss: float,
    real_time: bool,
    as_json: bool,
) -> None:
    """Do a set of exercises with the real firmware on a virtual device, with stimulation before it.

    Example:  kinetens demo --repetitions 12 --range-deg 60 --out /tmp/demo
    """
    options = SimulationOptions.of(
        seed=seed, repetitions=repetitions, range_deg=range_deg, loss=loss, real_time=real_time
    )
    console = Console(stderr=True)
    with console.status("Starting the virtual device.") as status:
        done = demonstrate(options, out, _watcher(console, status))
    if as_json:
        print_json(_as_json(done))
    else:
        _print(done)


def _watcher(console: Console, status: Status) -> Watcher:
    def says(text: str) -> None:
        status.update(text)
        if not console.is_terminal:
            console.print(text)

    def ticks(recorder: Recorder) -> None:
        count = len(recorder.live.meter.repetitions)
        status.update(f"The member exercises: {count} repetitions so far.")

    return Watcher(says, ticks)


def _as_json(done: Demonstration) -> dict[str, Any]:
    counts = done.samples
    pulses = done.stimulation
    return {
        "seed": done.seed,
        "speed": round(done.speed, 1),
        "repetitions": {"counted": done.counted, "performed": done.performed},
        "range_of_motion_deg": done.range_deg
        and dict(zip(("median", "min", "max"), (round(value, 2) for value in done.range_deg), strict=True)),
        "samples": {
            "produced": counts.produced,
            "dropped_on_device": counts.dropped_on_device,
            "refused_by_radio": counts.refused_by_radio,
            "missing": counts.missing,
            "recovered": counts.recovered,
        },
        "stimulation": {
            "pulses": pulses.pulses,
            "peak_current_ma": pulses.peak_current_ma,
            "max_phase_charge_uc": pulses.max_phase_charge_uc,
            "net_charge_uc": pulses.net_charge_uc,
            "violations": len(pulses.violations),
            "violations_in_words": list(pulses.violations),
        },
        "frames_sha256": done.frames_sha256,
        "session": str(done.session),
        "report": str(done.report),
    }


def _print(done: Demonstration) -> None:
    counts = done.samples
    pulses = done.stimulation
    ranges = done.range_deg
    lines = [
        f"A virtual member wore the device for {done.virtual_s:.0f} s, shown here in {done.wall_s:.1f} s.",
        f"Before the exercise: {pulses.pulses} stimulation pulses of up to {pulses.peak_current_ma:.1f} mA and "
        f"{pulses.max_phase_charge_uc:.2f} µC, net charge {pulses.net_charge_uc:g} µC, "
        f"{len(pulses.violations)} violations of the safety envelope ({done.stimulation_ended}).",
        *(f"  violation: {violation}" for violation in pulses.violations),
        f"Then {done.performed} repetitions were performed and {done.counted} counted"
        + (
            f", with a median range of motion of {ranges[0]:.0f}° ({ranges[1]:.0f}° to {ranges[2]:.0f}°)."
            if ranges
            else "."
        ),
        f"Of {counts.produced} samples {counts.missing} are missing.",
        "",
        f"Look at the report:  {done.report}",
        f"The session:         {done.session}",
        "Research software, not a medical device.",
    ]
    click.echo("\n".join(lines))
