"""Record a session."""

import asyncio
import contextlib
from collections.abc import Callable
from math import degrees
from pathlib import Path
from typing import Any

import rich_click as click
from rich.console import Console

from kinetens.cli.common import json_option, print_json
from kinetens.cli.connection import Reach, run_with
from kinetens.cli.finite import FiniteRange
from kinetens.cli.live import EndRequest, LiveView, ends_cleanly, keys
from kinetens.cli.stim.begin import Stimulation, prepare, starts_after
from kinetens.device.discovery import find
from kinetens.device.link import Frame, connect
from kinetens.device.url import DeviceUrl
from kinetens.errors import KinetensError
from kinetens.motion.repetitions import RepetitionEvent, summarise
from kinetens.session.recorder import Recorder, RecordingPlan
from kinetens.session.recorder import record as record_session
from kinetens.session.store import sessions_dir
from kinetens_protocol import control
from kinetens_protocol.stimulation import STOP


@click.command()
@click.argument("device", metavar="DEVICE")
@click.option("--exercise", default="exercise", show_default=True, help="What is done, for the report.")
@click.option("--side", type=click.Choice(["left", "right"]), help="Which side of the body.")
@click.option("--placement", default="", help="Where the sensor is strapped, such as wrist or shank.")
@click.option("--repetitions", type=click.IntRange(1), help="End after so many repetitions.")
@click.option("--seconds", type=FiniteRange(1), help="End after so many seconds.")
@click.option(
    "--rate",
    type=click.Choice([str(rate) for rate in control.RATES_HZ]),
    default="100",
    show_default=True,
    help="Samples a second.",
)
@click.option("--raw", is_flag=True, help="Record the sensor's raw counts too.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for the session  [default: your sessions]"
)
@click.option(
    "--stim",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Give this plan of stimulation first (kinetens stim plan).",
)
@json_option
def record(
    device: str,
    exercise: str,
    side: str | None,
    placement: str,
    repetitions: int | None,
    seconds: float | None,
    rate: str,
    raw: bool,
    out: Path | None,
    stim: Path | None,
    as_json: bool,
) -> None:
    """Record a session: count, measure and store every repetition.

    DEVICE is a name or address (kinetens scan lists them), or sim: for the virtual one. Ctrl-C ends the session; the
    space bar stops stimulation at once.

    Example:  kinetens record kinetens-4F2A --exercise "seated knee extension" --repetitions 10
    """
    url = DeviceUrl.parse(device)
    console = Console(stderr=True)
    end = EndRequest()
    prepared = prepare(stim, simulated=url.simulated) if stim else None
    if prepared:
        url = starts_after(url, prepared.plan)

    async def work(reach: Reach) -> Recorder:
        found = await find(reach.adapter, reach.wanted)
        async with connect(reach.adapter, found) as link:
            with contextlib.ExitStack() as stack:
                view = stack.enter_context(LiveView(console)) if console.is_terminal else None
                stimulation = Stimulation(prepared, reach, console) if prepared else None
                plan = RecordingPlan(
                    folder=out or sessions_dir(),
                    exercise=exercise,
                    side=side or "",
                    placement=placement,
                    rate_hz=int(rate),
                    raw=raw,
                    seconds=seconds,
                    repetitions=repetitions,
                    seed=reach.simulation.options.seed if reach.simulation else None,
                    stop_requested=_until_member_ends(reach, end, seconds, repetitions),
                    on_tick=view.show if view else None,
                    on_repetition=None if view or as_json else _tell,
                    before=stimulation.give if stimulation else None,
                    stimulation=await stimulation.document(link) if stimulation else {},
                )
                if view is not None:
                    link.listeners.append(lambda frame: _show_stimulation(view, frame))
                stops: set[asyncio.Task[Any]] = set()

                def pressed(key: str) -> None:
                    if stimulation and not stimulation.ended:
                        stimulation.press(key)
                    elif key == " ":
                        stops.add(asyncio.ensure_future(link.request("stimulation", STOP)))

                def ask_for_end() -> None:
                    end.ask()
                    if stimulation:
                        stimulation.stop("the end of the session")

                stack.enter_context(ends_cleanly(ask_for_end))
                stack.enter_context(keys(pressed))
                recorder = await record_session(link, plan)
                for result in await asyncio.gather(*stops, return_exceptions=True):
                    if isinstance(result, KinetensError):
                        console.print(f"stimulation stop: {result}")
                return recorder

    recorder = run_with(url, work)
    result = _result(recorder)
    if as_json:
        print_json(result)
    else:
        _print(result)


def _until_member_ends(
    reach: Reach, end: EndRequest, seconds: float | None, repetitions: int | None
) -> Callable[[], bool]:
    """A virtual member who has finished ends the session, unless the user said when it ends."""
    simulation = reach.simulation
    if simulation is None or seconds is not None or repetitions is not None:
        return end
    return lambda: end() or simulation.member_has_finished()


def _show_stimulation(view: LiveView, frame: Frame) -> None:
    if frame.channel == "stimulation":
        view.hear(frame.data)


def _tell(event: RepetitionEvent) -> None:
    repetition = event.repetition
    if repetition is not None:
        click.echo(
            f"{repetition.end_s:8.1f} s  {degrees(repetition.range_of_motion_rad):4.0f}° "
            f"± {degrees(repetition.uncertainty_rad):.0f}°  {repetition.duration_s:.1f} s"
        )


def _result(recorder: Recorder) -> dict[str, Any]:
    live = recorder.live
    ranges = summarise(live.meter.repetitions)
    return {
        "session": recorder.writer.path.stem,
        "path": str(recorder.writer.path),
        "repetitions": len(live.meter.repetitions),
        "range_of_motion_deg": ranges
        and {
            "median": round(degrees(ranges.median_rad), 1),
            "min": round(degrees(ranges.min_rad), 1),
            "max": round(degrees(ranges.max_rad), 1),
        },
        "samples": {"received": live.received, "missing": live.missing},
    }


def _print(result: dict[str, Any]) -> None:
    ranges = result["range_of_motion_deg"]
    measured = f", range of motion {ranges['median']:.0f}° (median)" if ranges else ""
    click.echo(
        f"{result['repetitions']} repetitions{measured}, {result['samples']['missing']} samples missing."
    )
    click.echo(f"Session {result['session']}; see it with: kinetens report {result['path']}")
