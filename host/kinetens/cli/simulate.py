"""Simulate hours in which everything goes wrong, and judge whether the stimulation stayed safe."""

import os
from math import inf
from typing import Any

import rich_click as click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kinetens.cli import FAILED
from kinetens.cli.common import json_option, print_json
from kinetens.cli.finite import FiniteRange
from kinetens.virtual.campaign.episode import Verdict
from kinetens.virtual.campaign.faults import BY_NAME
from kinetens.virtual.campaign.mutations import by_name
from kinetens.virtual.campaign.runs import (
    Findings,
    Order,
    chosen_faults,
    end_processes,
    play_altered,
    processes,
    quiet_libraries,
)
from kinetens.virtual.campaign.runs import (
    simulate as run,
)
from kinetens.virtual.campaign.shrink import in_pool, shrink
from kinetens.virtual.campaign.story import EPISODE_S
from kinetens.virtual.process import find_micropython

_SHRUNK = 3
"""So many stories with violations are shrunk; all are told."""


@click.command()
@click.option(
    "--hours",
    type=FiniteRange(0, inf, min_open=True),
    default=1.0,
    show_default=True,
    help="Simulated hours.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="The first seed; each is one history.",
)
@click.option("--faults", default="all", show_default=True, help="all, or names separated by commas.")
@click.option(
    "--members",
    type=click.IntRange(1, 20),
    default=1,
    show_default=True,
    help="Members and devices in each world.",
)
@click.option("--jobs", type=click.IntRange(1), help="Processes.  [default: one for each core]")
@click.option("--replay", type=click.IntRange(0), help="Show one seed's history step by step instead.")
@click.option(
    "--without", help="Switch a control off, to see that its loss is noticed (docs/hazards.md names them)."
)
@click.option(
    "--shrink/--no-shrink", "shrinks", default=True, help="Look for the shortest history of a violation."
)
@json_option
@click.pass_context
def simulate(
    context: click.Context,
    hours: float,
    seed: int,
    faults: str,
    members: int,
    jobs: int | None,
    replay: int | None,
    without: str | None,
    shrinks: bool,
    as_json: bool,
) -> None:
    """Simulate hours with faults at every level, and judge every pulse that reached the load.

    The real firmware, the radio, the host's programs and a member's movement run in virtual time. The output stage's
    record is judged: where no pulse may be, the envelope, stop times, rises, zero starts, net charge, the device's log.
    Ends with code 1 when anything is violated.

    Example:  kinetens simulate --hours 1 --seed 7 --faults all
    """
    find_micropython()
    if without is not None:
        by_name(without)
    seconds = min(EPISODE_S, hours * 3600 / members)
    order = Order(hours, seed, chosen_faults(faults), members, seconds, without)
    if replay is not None:
        quiet_libraries()
        verdicts = play_altered(order.stories(replay), without)
        _tell_history(verdicts, as_json)
        context.exit(FAILED if any(verdict.violations for verdict in verdicts) else 0)
    jobs = jobs or os.cpu_count() or 1
    findings = Findings()
    with processes(jobs) as pool:
        complete = _simulate(pool, jobs, order, findings)
        shortest: list[Verdict] = []
        if complete and shrinks:
            play = in_pool(pool, without)
            shortest = [shrink(bad, play, jobs) for bad in findings.bad[:_SHRUNK]]
    report = _report(order, findings, complete, shortest)
    print_json(report) if as_json else _print(report)
    context.exit(FAILED if findings.bad else 0)


def _simulate(pool: Any, jobs: int, order: Order, findings: Findings) -> bool:
    """Whether all of it was played before somebody pressed Ctrl-C."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    with bar:
        task = bar.add_task("seeds", total=len(order.seeds))

        def told(so_far: Findings) -> None:
            words = f"seeds, {len(so_far.bad)} with violations" if so_far.bad else "seeds"
            bar.update(task, completed=so_far.seeds, description=words)

        try:
            run(pool, jobs, order, findings, told)
        except KeyboardInterrupt:
            end_processes()
            return False
    return True


def _report(order: Order, findings: Findings, complete: bool, shortest: list[Verdict]) -> dict[str, Any]:
    by_seed = {verdict.story.seed: verdict for verdict in shortest}
    return {
        "complete": complete,
        "hours": round(findings.seconds / 3600, 3),
        "seeds": {"first": order.seed, "played": findings.seeds},
        "members": order.members,
        "faults": {name: findings.faults[name] for name in order.faults},
        "pulses": findings.pulses,
        "stops_ms": {cause: round(time_s * 1e3, 1) for cause, time_s in sorted(findings.stops.items())},
        "violations": sum(len(bad.violations) for bad in findings.bad),
        "stories": [_story(bad, by_seed.get(bad.story.seed)) for bad in findings.bad],
    }


def _story(bad: Verdict, shortest: Verdict | None) -> dict[str, Any]:
    told = shortest or bad
    return {
        "seed": bad.story.seed,
        "violations": [
            {"invariant": one.invariant, "time_s": round(one.time_s, 4), "text": one.text}
            for one in told.violations
        ],
        "shortest": shortest is not None,
        "history": [
            {
                "at_s": event.at_s,
                "fault": event.fault,
                "lasts_s": event.lasts_s,
                "what": BY_NAME[event.fault].what,
            }
            for event in told.story.events
        ],
    }


def _print(report: dict[str, Any]) -> None:
    seeds = report["seeds"]
    ended = "" if report["complete"] else " (stopped before the end)"
    lines = [
        f"hours       {report['hours']:g}{ended}",
        f"seeds       {seeds['played']}, from {seeds['first']} on, {report['members']} member(s) each",
        "faults      " + ", ".join(f"{name} {count}" for name, count in report["faults"].items() if count),
        f"pulses      {report['pulses']}",
        "stops       "
        + (", ".join(f"{cause} {time:g} ms" for cause, time in report["stops_ms"].items()) or "none"),
        f"violations  {report['violations']}",
    ]
    for story in report["stories"]:
        history = "shortest history that leads to it" if story["shortest"] else "history"
        lines += ["", f"seed {story['seed']}  (see it with --replay {story['seed']} and the same options)"]
        lines += [f"  invariant {one['invariant']}: {one['text']}" for one in story["violations"]]
        lines += [f"  {history}:"]
        lines += [
            f"    {event['at_s']:8.3f} s  {event['fault']} for {event['lasts_s']:g} s: {event['what']}"
            for event in story["history"]
        ] or ["    nothing but what always happens"]
    click.echo("\n".join(lines))


def _tell_history(verdicts: list[Verdict], as_json: bool) -> None:
    """Faults, the device's log and violations in order of time."""
    steps: list[tuple[float, str]] = []
    for number, verdict in enumerate(verdicts):
        who = f"member {number + 1}  " if len(verdicts) > 1 else ""
        for event in verdict.story.events:
            text = f"{who}fault      {event.fault} for {event.lasts_s:g} s: {BY_NAME[event.fault].what}"
            steps.append((event.at_s, text))
        steps += [(line.time_s, f"{who}device     {line.text}") for line in verdict.log]
        steps += [
            (violation.time_s, f"{who}VIOLATION  of invariant {violation.invariant}: {violation.text}")
            for violation in verdict.violations
        ]
    steps.sort(key=lambda step: step[0])
    if as_json:
        print_json([{"time_s": round(time_s, 4), "what": text} for time_s, text in steps])
        return
    for time_s, text in steps:
        click.echo(f"{time_s:10.4f} s  {text}")
