"""kinetens exercises list, show, check."""

import json
import re
from pathlib import Path

import pytest


@pytest.fixture
def example(checkout: Path) -> Path:
    """The guide's example as a file in the working folder."""
    (toml,) = re.findall(r"```toml\n(.*?)```", (checkout / "docs/exercises.md").read_text("utf-8"), re.DOTALL)
    path = Path("towel-slide.toml")
    path.write_text(toml, encoding="utf-8")
    return path


def test_the_list_names_exercises_of_a_region(run, run_json, home) -> None:
    assert "bird-dog" in run("exercises", "list").stdout
    knees = run_json("exercises", "list", "--region", "knee")
    assert {one["region"] for one in knees} == {"knee"}
    assert "seated-knee-extension" in {one["slug"] for one in knees}


def test_a_region_that_does_not_exist_is_refused(refused) -> None:
    assert "no region 'tail'; it can be neck" in refused("exercises", "list", "--region", "tail")


def test_show_tells_all_of_an_exercise(run, run_json) -> None:
    shown = run("exercises", "show", "seated knee extension").stdout
    for said in (
        "Sit tall",
        "80° (40 to 100°), plane angle of the shank",
        "5 s hold",
        "positive  flexion",
        "Yurtman",
    ):
        assert said in shown
    document = run_json("exercises", "show", "seated-knee-extension")
    assert document["movement"] == {
        "name": "extension",
        "joint": "knee",
        "plane": "sagittal",
        "positive": "flexion",
    }
    assert [one["segment"] for one in document["sensors"]] == ["shank", "thigh"]


def test_an_exercise_that_does_not_exist_is_suggested(refused) -> None:
    assert "did you mean bird-dog" in refused("exercises", "show", "brid dog")


def test_the_guide_s_example_is_right(run, run_json, home, example: Path) -> None:
    assert "Towel slide on a table, right" in run("exercises", "check", str(example)).stdout
    (checked,) = run_json("exercises", "check", str(example))
    assert checked == {"file": "towel-slide.toml", "exercise": "towel-slide", "right": True, "problems": []}
    (home / "exercises").mkdir(parents=True)
    example.rename(home / "exercises" / example.name)
    assert "towel-slide" in run("exercises", "list", "--region", "shoulder").stdout


def test_a_wrong_file_is_told_with_all_its_mistakes(run, home, example: Path) -> None:
    text = (
        example.read_text("utf-8").replace('"repetitions"', '"reps"').replace("min_deg = 20", "min_deg = -1")
    )
    example.write_text(text, encoding="utf-8")
    result = run("exercises", "check", str(example), "lost.toml")
    assert result.exit_code == 1
    assert "kind (line 4): is 'reps'" in result.stdout
    assert "range.min_deg (line 24)" in result.stdout
    assert "lost.toml: cannot be read" in result.stdout
    assert result.stderr == "error: 2 of 2 files will not do as an exercise\n"
    answer = run("exercises", "check", str(example), "--json")
    assert answer.exit_code == 1
    (checked,) = json.loads(answer.stdout)
    assert not checked["right"]
    assert len(checked["problems"]) == 2
