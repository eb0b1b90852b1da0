"""The exercises there are: those built in, and the therapist's own.

An exercise is a TOML file `<slug>.toml`, in this package's `exercises` or in the own folder; docs/exercises.md
describes it. Own exercises add to the library and never replace what is built in.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from kinetens.errors import InvalidInput
from kinetens.home import home_dir
from kinetens.program.exercise import SLUG, Exercise
from kinetens.toml_file import TomlInvalid, line_of, problems, read_toml

SUFFIX = ".toml"
_BUILT_IN = Path(__file__).resolve().parent / "exercises"


class ExerciseInvalid(InvalidInput):
    """An exercise's file is not one. `problems` are all sentences, each naming key and line where there is one."""

    def __init__(self, path: Path, problems: Iterable[str]) -> None:
        self.path = path
        self.problems = tuple(problems)
        more = len(self.problems) - 1
        also = f"; and {more} more: see kinetens exercises check {path}" if more else ""
        super().__init__(f"{path}: {self.problems[0]}{also}")


class ExerciseNotFound(InvalidInput):
    """No exercise has this slug or name. Its message suggests near ones."""


def own_exercises_dir() -> Path:
    """The therapist's own folder: `exercises` in KINETENS_HOME or in the user's data folder."""
    return home_dir() / "exercises"


def library() -> dict[str, Exercise]:
    """All exercises by slug, in the order of their slugs.

    Raises:
        ExerciseInvalid: an own exercise is wrong, has a built-in one's name, or names a variant that does not exist.
    """
    exercises = dict(_built_in())
    own = [(path, load_exercise(path)) for path in _files(own_exercises_dir())]
    for path, exercise in own:
        if found := clashes(exercise, exercises.values()):
            raise ExerciseInvalid(path, found)
        exercises[exercise.slug] = exercise
    for path, exercise in own:
        if found := missing_variants(exercise, exercises):
            raise ExerciseInvalid(path, found)
    return dict(sorted(exercises.items()))


def load_exercise(path: Path) -> Exercise:
    """Read one exercise. Whether its variants exist is not looked at; `library` and `check_exercises` do.

    Raises:
        ExerciseInvalid: the file cannot be read or is not an exercise.
    """
    if path.suffix != SUFFIX or not SLUG.fullmatch(path.stem):
        raise ExerciseInvalid(
            path, ["the file's name is the exercise's: small letters, digits and hyphens, then .toml"]
        )
    try:
        text, content = read_toml(path)
    except TomlInvalid as error:
        raise ExerciseInvalid(path, [str(error)]) from error
    if "slug" in content:
        where = line_of(text, ("slug",))
        raise ExerciseInvalid(path, [f"slug{where} is the file's name, '{path.stem}'; remove the key"])
    try:
        return Exercise.model_validate({**content, "slug": path.stem})
    except ValidationError as error:
        raise ExerciseInvalid(path, problems(error, text, "an exercise")) from error


def check_exercises(paths: Iterable[Path]) -> dict[Path, Exercise | ExerciseInvalid]:
    """Check files as if they were in the own folder together, beside what is there already."""
    results: dict[Path, Exercise | ExerciseInvalid] = {}
    for path in paths:
        try:
            results[path] = load_exercise(path)
        except ExerciseInvalid as error:
            results[path] = error
    known = {
        *_built_in(),
        *(path.stem for path in _files(own_exercises_dir())),
        *(path.stem for path in results),
    }
    taken = list(_built_in().values())
    for path, found in results.items():
        if isinstance(found, ExerciseInvalid):
            continue
        others = [] if path.resolve().parent == _BUILT_IN else taken
        if wrong := [*clashes(found, others), *missing_variants(found, known)]:
            results[path] = ExerciseInvalid(path, wrong)
        taken.append(found)
    return results


def find_exercise(text: str) -> Exercise:
    """The exercise with this slug, name or alias; case, spaces, hyphens and underscores do not matter.

    Raises:
        ExerciseNotFound: there is none; near ones are suggested.
        ExerciseInvalid: as `library`.
    """
    exercises = library()
    by_name = {name: one for one in exercises.values() for name in _names(one)}
    wanted = _plain(text)
    if wanted in by_name:
        return by_name[wanted]
    near = difflib.get_close_matches(wanted, by_name, n=3)
    containing = [name for name in by_name if wanted and wanted in name]
    suggested = list(dict.fromkeys(by_name[name].slug for name in [*near, *containing]))[:4]
    hint = f"; did you mean {' or '.join(suggested)}?" if suggested else ";"
    raise ExerciseNotFound(f"there is no exercise '{text}'{hint} kinetens exercises list shows all")


def clashes(exercise: Exercise, others: Iterable[Exercise]) -> list[str]:
    """Sentences on slug, name and aliases that another exercise has already."""
    taken = {name: other.slug for other in others for name in _names(other)}
    return [
        f"'{name}' is the exercise {taken[name]} already; choose another name or remove this file"
        for name in _names(exercise)
        if name in taken
    ][:1]


def missing_variants(exercise: Exercise, known: Iterable[str]) -> list[str]:
    """Sentences on easier and harder exercises that do not exist."""
    known = list(known)
    sentences: list[str] = []
    for slug in exercise.variants:
        if slug not in known:
            near = difflib.get_close_matches(slug, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else "words with a space between are taken as text"
            sentences.append(f"variant '{slug}' is no exercise; {hint}")
    return sentences


@cache
def _built_in() -> Mapping[str, Exercise]:
    return {path.stem: load_exercise(path) for path in _files(_BUILT_IN)}


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{SUFFIX}"))


def _names(exercise: Exercise) -> list[str]:
    return list(dict.fromkeys(_plain(name) for name in (exercise.slug, exercise.name, *exercise.aliases)))


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "-", name.strip().casefold())
