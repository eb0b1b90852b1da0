"""List, show and check exercises."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import rich_click as click

from kinetens.cli.common import json_option, print_facts, print_json, print_table, printable
from kinetens.errors import InvalidInput

if TYPE_CHECKING:
    from kinetens.program.exercise import Exercise


@click.group()
def exercises() -> None:
    """List, show and check exercises.

    Example:  kinetens exercises list --region knee
    """


@exercises.command(name="list")
@click.option("--region", help="Only those for one region of the body, such as knee or trunk.")
@json_option
def list_(region: str | None, as_json: bool) -> None:
    """List all exercises, the built-in and your own.

    Example:  kinetens exercises list --region shoulder
    """
    from kinetens.program.exercise import Region
    from kinetens.program.library import library

    regions = get_args(Region)
    if region is not None and region not in regions:
        raise InvalidInput(f"there is no region '{region}'; it can be {', '.join(regions)}")
    found = [one for one in library().values() if region in (None, one.region)]
    if as_json:
        keys = ("slug", "name", "aliases", "region", "position", "kind", "sides", "equipment")
        print_json([{key: one.document()[key] for key in keys} for one in found])
        return
    headings = ("exercise", "name", "region", "position", "kind")
    print_table(headings, [(one.slug, one.name, one.region, one.position, one.kind) for one in found])


@exercises.command()
@click.argument("exercise")
@json_option
def show(exercise: str, as_json: bool) -> None:
    """Show an exercise: how it is done, where the sensor goes, what to expect and what to mind.

    EXERCISE is its slug or its name.

    Example:  kinetens exercises show seated-knee-extension
    """
    from kinetens.program.library import find_exercise

    found = find_exercise(exercise)
    if as_json:
        print_json(found.document())
    else:
        _print(found)


@exercises.command()
@click.argument("file", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option
def check(file: tuple[Path, ...], as_json: bool) -> None:
    """Check files of exercises before they go into your own folder.

    Example:  kinetens exercises check towel-squeeze.toml
    """
    from kinetens.program.library import ExerciseInvalid, check_exercises

    results = check_exercises(file)
    wrong = [found for found in results.values() if isinstance(found, ExerciseInvalid)]
    if as_json:
        print_json([_checked(path, found) for path, found in results.items()])
    else:
        for path, found in results.items():
            if not isinstance(found, ExerciseInvalid):
                click.echo(f"{printable(str(path))}: {printable(found.name)}, right")
            else:
                for problem in found.problems:
                    click.echo(f"{printable(str(path))}: {printable(problem)}")
    if wrong:
        raise InvalidInput(f"{len(wrong)} of {len(results)} files will not do as an exercise")


def _checked(path: Path, found: "Exercise | Exception") -> dict[str, Any]:
    problems: tuple[str, ...] = getattr(found, "problems", ())
    return {"file": str(path), "exercise": path.stem, "right": not problems, "problems": list(problems)}


def _print(exercise: "Exercise") -> None:
    movement, tempo = exercise.movement, exercise.tempo
    first = exercise.sensors[0]
    print_facts(
        [
            ("exercise", exercise.slug),
            ("name", exercise.name),
            ("also", ", ".join(exercise.aliases)),
            ("region", exercise.region),
            ("position", exercise.position),
            ("kind", exercise.kind),
            ("sides", exercise.sides),
            ("needs", ", ".join(exercise.equipment)),
            ("movement", f"{movement.name} of the {movement.joint}, {movement.plane} plane"),
            ("positive", movement.positive),
            ("range", f"{_degrees(exercise.range)}, {exercise.range.of} of the {first.segment}"),
            ("joint", _degrees(exercise.joint_range) if exercise.joint_range else ""),
            ("tempo", f"{tempo.out_s:g} s out, {tempo.hold_s:g} s hold, {tempo.back_s:g} s back"),
            *((f"sensor {n}", _placement(one)) for n, one in enumerate(exercise.sensors, 1)),
        ]
    )
    _print_list("how", exercise.steps)
    _print_list("mistakes", [f"{one.looks_like} Say: {one.say}" for one in exercise.mistakes])
    _print_list("not with", exercise.contraindications)
    _print_list("take care", exercise.precautions)
    _print_list("easier", exercise.easier)
    _print_list("harder", exercise.harder)
    _print_list("sources", exercise.sources)


def _print_list(heading: str, lines: "tuple[str, ...] | list[str]") -> None:
    if lines:
        click.echo(f"\n{heading}")
    for line in lines:
        click.echo(f"  - {printable(line)}")


def _degrees(expected: Any) -> str:
    return f"{expected.typical_deg:g}° ({expected.min_deg:g} to {expected.max_deg:g}°)"


def _placement(sensor: Any) -> str:
    side = {"worked": "worked side", "middle": "midline", "either": "either side"}[sensor.side]
    adds = f" ({sensor.adds})" if sensor.adds else ""
    return f"{sensor.segment}, {side}: {sensor.where}{adds}"
