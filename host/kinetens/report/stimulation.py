"""What a report says of stimulation: what was given, the plan with its arithmetic, and the answers before it."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from kinetens.report.plots import clock_text
from kinetens.report.table import Table, Tile
from kinetens.session.reader import Session
from kinetens.session.statuses import TimedState
from kinetens.stim import words
from kinetens_protocol import limits, stimulation


def is_alone(session: Session) -> bool:
    """Whether the session is stimulation without an exercise."""
    return not session.header.stream and bool(session.header.stimulation)


def given_s(states: Sequence[TimedState]) -> float:
    """How long current flowed, in s."""
    return sum(
        after.time_s - before.time_s for before, after in pairwise(states) if before.state.level_ua > 0
    )


def endings(states: Sequence[TimedState]) -> list[str]:
    """Why the output ended, each time it did, in words."""
    causes = [
        words.cause(after.state.cause)
        for before, after in pairwise(states)
        if after.state.cause and before.state.state == stimulation.RUNNING != after.state.state
    ]
    latched = [words.fault(timed.state.fault) for timed in states if timed.state.fault]
    return list(dict.fromkeys(causes + latched))


def stimulation_text(states: Sequence[TimedState]) -> str:
    """What the device said of its stimulation, in a sentence or two."""
    peak_ma = max(state.state.level_ua for state in states) / 1000.0
    pulses = sum(_per_session(states))
    on = clock_text(round(given_s(states)))
    said = f"At most {peak_ma:.1f} mA and {pulses} pulses in {on} minutes, as the device reported."
    why = endings(states)
    if why:
        said += f" It ended because: {'; '.join(why)}."
    return said


def summary_text(session: Session, states: Sequence[TimedState]) -> str:
    """A session of stimulation alone, in a sentence or two."""
    plan = session.header.stimulation["plan"]["plan"]
    if not any(timed.state.level_ua for timed in states):
        said = f"The plan “{plan['name']}” was not given to {plan['member']}."
    else:
        said = f"The plan “{plan['name']}” was given to {plan['member']}. {stimulation_text(states)}"
    notes = [event.text for event in session.events() if event.kind == "stimulation"]
    if notes and notes[-1] not in said:
        said += f" The program noted: {notes[-1]}."
    return said


def tiles(session: Session, states: Sequence[TimedState]) -> list[Tile]:
    """The headline of a session of stimulation alone."""
    document = session.header.stimulation
    program = document["program"]
    peak_ua = max((timed.state.level_ua for timed in states), default=0)
    charge_uc = limits.phase_charge_nc(peak_ua, program["phase_us"]) / 1000
    found = [
        Tile(
            "Given",
            clock_text(round(given_s(states))),
            f"minutes of at most {clock_text(program['session_ms'] / 1000)}",
        ),
        Tile(
            "Highest current", f"{peak_ua / 1000:.1f} mA", f"of at most {program['current_ua'] / 1000:g} mA"
        ),
        Tile("Highest charge", f"{charge_uc:.2f} µC", "in one phase of a pulse"),
    ]
    if states:
        last = states[-1].state
        found.append(
            Tile(
                "Left today",
                f"{last.day_left_ms / 60_000:.0f} min",
                f"in {last.day_sessions_left} more sessions, by the device's count",
            )
        )
    return found


def tables(session: Session, states: Sequence[TimedState]) -> list[Table]:
    """Given, plan, arithmetic, answers; those of which nothing is known are left out."""
    document = session.header.stimulation
    found = [given_table(document.get("program"), states)] if any(t.state.level_ua for t in states) else []
    if document:
        found += [plan_table(document), arithmetic_table(document), answer_table(document)]
        found.append(limit_table(document))
    return found


def given_table(program: Mapping[str, int] | None, states: Sequence[TimedState]) -> Table:
    """The dose, by what the device said."""
    on = [timed.state for timed in states if timed.state.level_ua > 0]
    peak_ua = max(state.level_ua for state in on)
    measured = [state.impedance_ohm for state in on if state.state == stimulation.RUNNING]
    last = states[-1].state
    rows = [
        ("Current flowed for", f"{clock_text(round(given_s(states)))} minutes"),
        ("Pulses", str(sum(_per_session(states)))),
        ("Highest current", f"{peak_ua / 1000:.1f} mA"),
    ]
    if program:
        duty = limits.duty_ppm(limits.Program(**program))
        rms = limits.rms_ua(peak_ua, duty)
        density = limits.density_ua_per_cm2(rms, program["pad_area_mm2"], program["contact_permille"])
        charge = limits.phase_charge_nc(peak_ua, program["phase_us"])
        rows += [
            ("Highest phase charge", f"{charge / 1000:.2f} µC"),
            ("Highest rms density", f"{density / 1000:.3f} mA/cm²"),
        ]
    if measured:
        least = min(state.contact_permille for state in on) / 10
        rows.append(
            ("Skin and pads", f"{median(measured):.0f} ohm (median), at least {least:.0f} % in contact")
        )
    rows += [
        ("Ended because", "; ".join(endings(states))),
        ("Left of the day", f"{last.day_left_ms / 60_000:.0f} min, {last.day_sessions_left} sessions"),
    ]
    return Table("Stimulation given", ("What", "Value"), [row for row in rows if row[1]])


def plan_table(document: Mapping[str, Any]) -> Table:
    """The plan in words."""
    head, dose = document["plan"]["plan"], document["plan"]["dose"]
    rows = [
        ("Plan", head["name"]),
        ("Member", head["member"]),
        ("Device", head.get("device", "")),
        ("Therapist", head.get("therapist", "")),
        ("Programme", document["programme"]),
        ("Pads", document["where"]),
        ("Dose", ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in dose.items())),
        ("During exercise", "permitted" if head.get("during_exercise") else "never"),
    ]
    return Table("Plan of stimulation", ("What", "Value"), [row for row in rows if row[1]])


def arithmetic_table(document: Mapping[str, Any]) -> Table:
    """Each quantity at the plan's full current, how it follows, and the limit that binds it."""
    bounds = {row["code"]: row for row in document["limits"]}
    rows: list[tuple[str, ...]] = []
    for step in document["arithmetic"]:
        bound = bounds.get(step["code"], {"value": "", "source": ""})
        rows.append((step["name"], step["working"], step["value"], bound["value"], bound["source"]))
    columns = ("Quantity", "From", "At full current", "Limit", "Set by")
    return Table("Arithmetic of the plan", columns, rows)


def limit_table(document: Mapping[str, Any]) -> Table:
    """The other limits in effect."""
    shown = {step["code"] for step in document["arithmetic"]}
    rows = [
        (row["limit"], row["value"], row["source"]) for row in document["limits"] if row["code"] not in shown
    ]
    return Table("Other limits in effect", ("Limit", "Value", "Set by"), rows)


def answer_table(document: Mapping[str, Any]) -> Table:
    """The questions before stimulation with the member's answers."""
    day = document["plan"].get("answers", {}).get("answered_on", "")
    rows = [
        (one["question"], one["answer"] or "not answered", one["a_yes_means"])
        for one in document["questions"]
    ]
    caption = f"Questions before stimulation, answered on {day}" if day else "Questions before stimulation"
    return Table(caption, ("Question", "Answer", "A yes means"), rows)


def _per_session(states: Sequence[TimedState]) -> list[int]:
    """Pulses of each stimulation session: the device counts each from zero."""
    highest = [0]
    for state in states:
        if state.state.pulses < highest[-1]:
            highest.append(0)
        highest[-1] = max(highest[-1], state.state.pulses)
    return highest
