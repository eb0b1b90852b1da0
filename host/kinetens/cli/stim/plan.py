"""Make, check and show plans of stimulation."""

from datetime import date
from pathlib import Path
from typing import Any

import rich_click as click

from kinetens.cli.common import force_option, json_option, print_facts, print_json, print_table, printable
from kinetens.cli.connection import Reach, run_with
from kinetens.cli.stim.ask import ask_questions, keep_answers
from kinetens.device.url import DeviceUrl
from kinetens.errors import InvalidInput, StimulationRefused
from kinetens.session.output import whole_file
from kinetens.stim import places
from kinetens.stim.boards import board_limits
from kinetens.stim.described import pulse_picture
from kinetens.stim.document import plan_document
from kinetens.stim.plan_file import PlanInvalid, load_plan, make_plan, plain, plan_text
from kinetens.stim.written import PROGRAMMES, WrittenPlan

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def plan() -> None:
    """Make, check and show plans of stimulation.

    Example:  kinetens stim plan new knee.toml --member anna --place knee --side left
    """


def board_option(command: Any) -> Any:
    """`--board`: whose limits to count in."""
    return click.option("--board", help="Count in the limits of a board, such as virtual.")(command)


@plan.command()
@click.argument("file", type=_FILE)
@click.option("--member", required=True, help="Who may use it.")
@click.option("--place", required=True, help=f"Where the pads go: {', '.join(places.ALLOWED)}.")
@click.option("--side", type=click.Choice(places.SIDES), help="Which side of the body.")
@click.option("--name", help="What to call it.  [default: programme and place]")
@click.option(
    "--kind", type=click.Choice(PROGRAMMES), default=PROGRAMMES[0], show_default=True, help="The programme."
)
@click.option("--current", help='The most that the member may choose, such as "12 mA".')
@click.option("--session", help='How long a session may last, such as "20 min".')
@click.option("--device", help="Bind it to this device, which must be in reach (kinetens scan), or to sim:.")
@force_option
@json_option
def new(
    file: Path,
    member: str,
    place: str,
    side: str | None,
    name: str | None,
    kind: str,
    current: str | None,
    session: str | None,
    device: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write a plan to start from: a careful programme for pads of 5 × 5 cm. Change it with any editor.

    Example:  kinetens stim plan new knee.toml --member anna --place knee --side left --device kinetens-4F2A
    """
    made = make_plan(
        kind=kind,
        name=name or f"{kind}, {place}",
        member=member,
        device=_serial(device) if device else "",
        place=place,
        side=side,
        current=current,
        session=session,
    )
    _require_accepted(made, None, file)
    with whole_file(file, force) as part:
        part.write_text(plan_text(made), encoding="utf-8")
    if as_json:
        print_json({"file": file, **_document(made, None)})
    else:
        click.echo(f"wrote {file}; see it with: kinetens stim plan show {file}")


@plan.command()
@click.argument("file", type=_FILE)
@board_option
@json_option
def check(file: Path, board: str | None, as_json: bool) -> None:
    """Check a plan: its keys and units, every limit, and what the member's answers imply.

    Example:  kinetens stim plan check knee.toml --board virtual
    """
    try:
        written = load_plan(file)
    except PlanInvalid as error:
        if as_json:
            print_json({"file": file, "accepted": False, "problems": list(error.problems), "refusals": []})
        else:
            for problem in error.problems:
                click.echo(f"{printable(str(file))}: {printable(problem)}")
        raise InvalidInput(f"{file} is refused: {_count(len(error.problems), 'mistake')} in it") from error
    document = _document(written, board)
    if as_json:
        print_json({"file": file, **document})
    else:
        _print_check(file, document)
    if not document["accepted"]:
        found = len(document["refusals"]) + len(document["forbidden"])
        raise StimulationRefused(f"{file} is refused for {_count(found, 'reason')}")


@plan.command()
@click.argument("file", type=_FILE)
@board_option
@json_option
def show(file: Path, board: str | None, as_json: bool) -> None:
    """Show a plan: the programme in words and as a picture, its arithmetic, and every limit with who set it.

    Example:  kinetens stim plan show knee.toml
    """
    written = load_plan(file)
    document = _document(written, board)
    if as_json:
        print_json({"file": file, **document})
    else:
        _print_plan(written, document)


@plan.command()
@click.argument("file", type=_FILE)
@json_option
def answer(file: Path, as_json: bool) -> None:
    """Ask the member the questions of a plan and keep the answers in its file.

    Example:  kinetens stim plan answer knee.toml
    """
    written = load_plan(file)
    answers = ask_questions()
    keep_answers(file, answers, date.today())
    verdict = written.answered(answers, date.today()).verdict(date.today())
    if as_json:
        print_json({"file": file, "answers": answers, "forbidden": list(verdict.forbids)})
    else:
        click.echo(f"the answers are kept in {file}")
    if verdict.forbids:
        raise StimulationRefused("; ".join(verdict.forbids))


def _serial(device: str) -> str:
    """The serial number of a device in reach."""
    from kinetens.device.discovery import find
    from kinetens.device.link import connect

    async def ask(reach: Reach) -> str:
        async with connect(reach.adapter, await find(reach.adapter, reach.wanted)) as link:
            return (await link.info()).serial

    return run_with(DeviceUrl.parse(device), ask)


def _document(written: WrittenPlan, board: str | None) -> dict[str, Any]:
    today = date.today()
    return plan_document(
        written, written.stimulation(today), today, board_limits(board) if board else None, board
    )


def _require_accepted(made: WrittenPlan, board: str | None, file: Path) -> None:
    """Raises StimulationRefused with the first limit that a plan passes."""
    document = _document(made, board)
    if document["refusals"]:
        first = document["refusals"][0]
        raise StimulationRefused(f"{file} was not written: {first['sentence']}; {first['advice']}")


def _print_check(file: Path, document: dict[str, Any]) -> None:
    for refusal in document["refusals"]:
        click.echo(f"{printable(str(file))}: {refusal['sentence']}")
        for line in refusal["working"]:
            click.echo(f"    {line}")
        click.echo(f"    {refusal['advice']}")
    for sentence in document["forbidden"]:
        click.echo(f"{printable(str(file))}: {sentence}")
    if document["accepted"]:
        click.echo(f"{printable(str(file))}: right. {document['programme']}")
        for step in document["arithmetic"]:
            click.echo(f"    {_step(step)}")
        if document["unanswered"]:
            click.echo(f"    Questions still to be answered: {', '.join(document['unanswered'])}")


def _print_plan(written: WrittenPlan, document: dict[str, Any]) -> None:
    head, dose = written.plan, plain(written)["dose"]
    meant = written.stimulation(date.today())
    print_facts(
        [
            ("plan", head.name),
            ("member", head.member),
            ("device", head.device or "none yet: it cannot be given until it names one"),
            ("therapist", head.therapist),
            ("programme", document["programme"]),
            ("begins at", f"{meant.start_ma:g} mA; the member raises it from there"),
            ("pads", document["where"]),
            ("dose", ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in dose.items())),
            ("exercise", "also during exercise" if head.during_exercise else "never during exercise"),
            ("verdict", "right" if document["accepted"] else "REFUSED, see below"),
        ]
    )
    _section("One pulse", pulse_picture(meant.program))
    _section("Arithmetic", [_step(step) for step in document["arithmetic"]])
    for refusal in document["refusals"]:
        _section(f"REFUSED: {refusal['sentence']}", [*refusal["working"], refusal["advice"]])
    if document["forbidden"]:
        _section("REFUSED by an answer", document["forbidden"])
    click.echo("\nLimits in effect")
    print_table(
        ("  limit", "value", "set by"),
        [(f"  {row['limit']}", row["value"], row["source"]) for row in document["limits"]],
    )
    click.echo("\nQuestions" + (f", answered on {written.answers.answered_on}" if written.answers else ""))
    print_table(
        ("  question", "answer", "a yes means"),
        [(f"  {one['question']}", one["answer"] or "–", one["a_yes_means"]) for one in document["questions"]],
    )
    click.echo("\nResearch software, not a medical device.")


def _section(heading: str, lines: list[str]) -> None:
    click.echo(f"\n{printable(heading)}")
    for line in lines:
        click.echo(f"  {printable(line)}".rstrip())


def _step(step: dict[str, Any]) -> str:
    return f"{step['name']:<15} {step['working']} = {step['value']}"


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
