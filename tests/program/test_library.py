"""The exercise library: what is in it, what it refuses, and how an exercise is found."""

import re
from pathlib import Path

import pytest

from kinetens.program import find_exercise, library, load_exercise
from kinetens.program.library import ExerciseInvalid, ExerciseNotFound, check_exercises
from kinetens.program.movements import MOVEMENTS, POSITIVE

RECORDED = {
    "UCI e1": "seated-knee-extension",
    "UCI e2": "seated-trunk-lean",
    "UCI e3": "straight-leg-raise",
    "UCI e4": "side-lying-hip-abduction",
    "UCI e5": "prone-hip-extension",
    "UCI e6": "elbow-flexion",
    "UCI e7": "weighted-shoulder-abduction",
    "UCI e8": "prone-elbow-extension",
    "PEN": "pendulum",
    "ABD": "shoulder-abduction",
    "FEL": "forward-elevation",
    "IR": "internal-rotation-band",
    "ER": "external-rotation-band",
    "TRAP": "lower-trapezius-row",
    "ROW": "bent-over-row",
}
PROMISED = """
    figure-four-stretch bird-dog hip-hinge side-plank heel-slide sit-to-stand squat standing-hip-abduction bridge
    cat-camel heel-raise standing-row wrist-flexion wrist-extension forearm-pronation forearm-supination neck-rotation
    neck-side-bend walking clamshell wall-slide chin-tuck quad-set step-up hamstring-stretch calf-stretch ankle-pumps
    dead-bug shoulder-blade-squeeze
""".split()


@pytest.fixture
def example(checkout: Path) -> str:
    """The example of the guide."""
    (toml,) = re.findall(r"```toml\n(.*?)```", (checkout / "docs/exercises.md").read_text("utf-8"), re.DOTALL)
    return toml


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A therapist's own folder, empty."""
    monkeypatch.setenv("KINETENS_HOME", str(tmp_path))
    folder = tmp_path / "exercises"
    folder.mkdir()
    return folder


@pytest.fixture
def problems(own: Path, example: str):
    """What is said of the example after a change."""

    def of(old: str, new: str) -> tuple[str, ...]:
        assert old in example
        path = own / "towel-slide.toml"
        path.write_text(example.replace(old, new, 1), encoding="utf-8")
        found = check_exercises([path])[path]
        assert isinstance(found, ExerciseInvalid)
        assert str(path) in str(found)
        return found.problems

    return of


def test_the_library_holds_what_is_promised(own):
    exercises = library()
    assert set(PROMISED) <= set(exercises)
    assert {name: find_exercise(name).slug for name in RECORDED} == RECORDED
    assert {one.kind for one in exercises.values()} == {"repetitions", "hold", "both"}


def test_every_built_in_exercise_stands_the_check(checkout: Path, own):
    files = sorted((checkout / "host/kinetens/program/exercises").glob("*.toml"))
    wrong = {
        path.name: one.problems
        for path, one in check_exercises(files).items()
        if isinstance(one, ExerciseInvalid)
    }
    assert wrong == {}
    assert [path.stem for path in files] == list(library())


def test_what_a_member_reads_is_in_sentences(own):
    for one in library().values():
        spoken = [
            *one.steps,
            *(text for mistake in one.mistakes for text in (mistake.looks_like, mistake.say)),
        ]
        for sentence in spoken:
            assert re.fullmatch(r"[A-Z].{1,110}\.", sentence), f"{one.slug}: {sentence}"


def test_easier_and_harder_never_lead_in_a_circle_of_two(own):
    exercises = library()
    for one in exercises.values():
        for slug in set(one.harder) & set(exercises):
            assert one.slug not in exercises[slug].harder, (
                f"{one.slug} and {slug} are both harder than the other"
            )
        for slug in set(one.easier) & set(exercises):
            assert one.slug not in exercises[slug].easier, (
                f"{one.slug} and {slug} are both easier than the other"
            )


def test_every_movement_has_a_positive_direction():
    for joint, movements in MOVEMENTS.items():
        for name, planes in movements.items():
            assert name == "circumduction" or all((joint, plane) in POSITIVE for plane in planes)
    assert find_exercise("clamshell").movement.positive == "internal rotation"
    assert find_exercise("pendulum").movement.positive == "counterclockwise seen from above"


def test_an_exercise_cannot_be_changed(own):
    with pytest.raises(ValueError, match="frozen"):
        find_exercise("squat").name = "Deep squat"  # pyright: ignore[reportAttributeAccessIssue]


def test_a_therapist_adds_one_without_code(own: Path, example: str):
    (own / "towel-slide.toml").write_text(example, encoding="utf-8")
    assert library()["towel-slide"].name == "Towel slide on a table"
    assert find_exercise("towel slide ON a table").slug == "towel-slide"


def test_a_windows_editor_s_mark_does_not_matter(own: Path, example: str):
    (own / "towel-slide.toml").write_text(example.replace("\n", "\r\n"), encoding="utf-8-sig", newline="")
    assert "towel-slide" in library()


@pytest.mark.parametrize("name", ["squat", "knee-bend"])
def test_an_own_exercise_cannot_take_a_built_in_one_s_slug_or_name(own: Path, example: str, name: str):
    text = example if name == "squat" else example.replace("Towel slide on a table", "SQUAT")
    (own / f"{name}.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ExerciseInvalid, match="'squat' is the exercise squat already"):
        library()


def test_an_own_exercise_that_is_wrong_is_named(own: Path):
    (own / "towel-slide.toml").write_text("name = \n", encoding="utf-8")
    with pytest.raises(ExerciseInvalid, match=r"towel-slide\.toml: is not TOML: .*line 1"):
        library()


def test_files_are_checked_together(own: Path, tmp_path: Path, example: str):
    first, second = tmp_path / "first-slide.toml", tmp_path / "second-slide.toml"
    first.write_text(example.replace('"pendulum"', '"second-slide"'), encoding="utf-8")
    second.write_text(example.replace("Towel slide on", "Second slide on"), encoding="utf-8")
    assert not any(isinstance(one, ExerciseInvalid) for one in check_exercises([first, second]).values())
    assert isinstance(check_exercises([first])[first], ExerciseInvalid)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('region = "shoulder"\n', "", "region is missing; add it"),
        ('kind = "repetitions"', 'kind = "reps"', r"kind \(line 4\): is 'reps'; it can be 'repetitions'"),
        ('kind = "repetitions"', 'kind = "hold"', r"tempo.hold_s \(line 30\): is 1 s; kind 'hold' holds for 3 s"),
        ("hold_s = 1", "hold_s = 5", "make kind 'both'"),
        ("out_s = 2", "out_s = 0", r"tempo.out_s \(line 29\): is 0 s"),
        ("back_s = 2", 'back_s = "2"', r"tempo.back_s \(line 31\): should be a valid number"),
        ("back_s = 2", "back_s = nan", "tempo.back_s"),
        ("back_s = 2\n", "", "tempo.back_s is missing"),
        ("min_deg = 20", "min_deg = 60", r"range.typical_deg \(line 25\): must lie between"),
        ("max_deg = 90", "max_deg = 900", "range.max_deg"),
        ('name = "elevation"', 'name = "pronation"', "the shoulder has no pronation; it has flexion"),
        ('plane = "sagittal"', 'plane = "frontal"', "in the sagittal or scapular plane"),
        ('side = "worked"', 'side = "either"', r"sensors.1.side \(line 35\): with sides 'one'"),
        ('sides = "one"', 'sides = "both"', "is on middle or either"),
        ('segment = "upper arm"', 'segment = "arm"', r"sensors.1.segment \(line 34\): is 'arm'"),
        ('say = "Let', 'tell = "Let', "mistakes.1.tell"),
        ('side = "worked"', 'side = "worked"\nadds = "much"', "for the second sensor"),
        ("[tempo]", "[joint_range]\nmin_deg = 1\ntypical_deg = 2\nmax_deg = 3\n\n[tempo]", "needs a second sensor"),
        ('"pendulum"', '"pendelum"', "variant 'pendelum' is no exercise; did you mean 'pendulum'"),
        ('"pendulum"', '"towel-slide"', "names the exercise itself"),
        ('"wall-slide"', '"pendulum"', "is also easier"),
        ('sources = ["Own practice"]', "sources = []", r"sources \(line 15\)"),
        ('name = "Towel', 'slug = "x"\nname = "Towel', r"slug \(line 1\) is the file's name, 'towel-slide'"),
        ('name = "Towel', 'colour = "x"\nname = "Towel', r"colour \(line 1\) is not a key of an exercise"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_key_and_line(problems, old: str, new: str, said: str):
    found = problems(old, new)
    assert any(re.search(said, problem) for problem in found), found


def test_all_mistakes_of_a_file_are_told(problems):
    assert len(problems('region = "shoulder"\nposition = "sitting"', 'region = "arm"')) == 2


@pytest.mark.parametrize(
    ("name", "content"), [("Towel Slide.toml", b""), ("towel.txt", b""), ("towel.toml", b"\xff")]
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, name: str, content: bytes):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ExerciseInvalid, match=re.escape(name)):
        load_exercise(tmp_path / name)


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(ExerciseInvalid, match=r"lost\.toml: cannot be read: no such file"):
        load_exercise(tmp_path / "lost.toml")


@pytest.mark.parametrize(
    "text", ["seated-knee-extension", "Seated Knee Extension", " seated_knee  extension ", "long arc quad"]
)
def test_an_exercise_is_found_by_slug_name_or_alias(own, text: str):
    assert find_exercise(text).slug == "seated-knee-extension"


def test_a_misspelt_exercise_is_suggested(own):
    with pytest.raises(ExerciseNotFound, match="did you mean seated-knee-extension"):
        find_exercise("seated knee extention")
    with pytest.raises(ExerciseNotFound, match="side-plank"):
        find_exercise("plan")
    with pytest.raises(ExerciseNotFound, match="'zzz'; kinetens exercises list"):
        find_exercise("zzz")
