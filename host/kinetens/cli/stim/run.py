"""Give a plan of stimulation."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import rich_click as click
from rich.console import Console

from kinetens.cli.common import json_option
from kinetens.cli.connection import Reach, run_with
from kinetens.cli.finite import FiniteRange
from kinetens.cli.live import ends_cleanly, keys
from kinetens.cli.stim.begin import Stimulation, prepare, starts_after
from kinetens.cli.stim.panel import state_document
from kinetens.device.discovery import find
from kinetens.device.link import connect
from kinetens.device.url import DeviceUrl
from kinetens.session.recorder import Recorder, RecordingPlan
from kinetens.session.recorder import record as record_session
from kinetens.session.store import sessions_dir
from kinetens.stim.giving import Giving


@click.command()
@click.argument("plan", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("device", metavar="DEVICE")
@click.option("--minutes", type=FiniteRange(0, min_open=True), help="Give less than the plan's session.")
@click.option("--level", help='Rise to this current by itself, such as "6 mA"  [default: the plan\'s start]')
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for the session  [default: your sessions]"
)
@json_option
def run(
    plan: Path, device: str, minutes: float | None, level: str | None, out: Path | None, as_json: bool
) -> None:
    """Give a plan of stimulation, with its state on the screen.

    DEVICE is a name or address (kinetens scan lists them), or sim: for the virtual one, whose member holds the button
    when asked. The output begins at zero and rises to the plan's start; + and − change it. Space, Enter or any other
    key stops at once; so do the device's button, Ctrl-C and closing the terminal. With --json a line a second.

    Example:  kinetens stim run knee.toml kinetens-4F2A --minutes 10
    """
    url = DeviceUrl.parse(device)
    console = Console(stderr=True)
    prepared = prepare(plan, simulated=url.simulated, minutes=minutes, level=level)
    placement = prepared.written.placement

    async def work(reach: Reach) -> tuple[Recorder, Giving]:
        stimulation = Stimulation(prepared, reach, console, as_json)
        with ExitStack() as stack:
            stack.enter_context(keys(stimulation.press))
            found = await find(reach.adapter, reach.wanted)
            async with connect(reach.adapter, found) as link:
                stack.enter_context(ends_cleanly(lambda: stimulation.stop("the end of the program")))
                recording = RecordingPlan(
                    folder=out or sessions_dir(),
                    exercise="stimulation",
                    side=placement.side if placement.side != "middle" else "",
                    placement=placement.place,
                    seed=reach.simulation.options.seed if reach.simulation else None,
                    before=stimulation.give,
                    movement=False,
                    stimulation=await stimulation.document(link),
                )
                recorder = await record_session(link, recording)
        assert stimulation.giving is not None
        return recorder, stimulation.giving

    recorder, giving = run_with(starts_after(url, prepared.plan), work)
    result = _result(recorder, giving)
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False))
    else:
        _print(result)


def _result(recorder: Recorder, giving: Giving) -> dict[str, Any]:
    state = giving.controller.state
    return {
        "ended": giving.ended,
        "given_s": giving.given_ms / 1000,
        "last": state_document(giving, state) if state else None,
        "session": recorder.writer.path.stem,
        "path": str(recorder.writer.path),
    }


def _print(result: dict[str, Any]) -> None:
    last = result["last"]
    if last:
        click.echo(
            f"{result['given_s'] / 60:.1f} min and {last['pulses']} pulses given; today "
            f"{last['day_left_s'] / 60:.0f} min and {last['sessions_left']} sessions are left."
        )
    click.echo(f"Session {result['session']}; see it with: kinetens report {result['path']}")
