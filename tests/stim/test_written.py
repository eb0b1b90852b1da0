"""Plans as files: what a therapist writes, everything that is wrong with it at once, and what it means."""

import tomllib
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinetens.errors import InvalidInput
from kinetens.stim import explained, places, questions, units
from kinetens.stim.plan_file import PlanInvalid, load_plan, make_plan, plan_text, text_with_answers
from kinetens.stim.written import PROGRAMMES, WrittenPlan
from kinetens_protocol import limits, stimulation

TODAY = date(2026, 11, 25)
ALL_NO = dict.fromkeys(questions.BY_KEY, "no")

CARRIER = """
[plan]
name = "carrier"
member = "anna"
[programme]
kind = "kilohertz"
current = "40 mA"
carrier = "5 kHz"
burst = "4 ms"
burst_frequency = "50 Hz"
[pads]
area = "25 cm2"
[placement]
place = "knee"
side = "left"
[dose]
session = "20 min"
"""
CONTINUOUS = CARRIER.replace('burst = "4 ms"\nburst_frequency = "50 Hz"\n', "").replace("25 cm2", "10 cm2")
LONG_PHASES = """
[plan]
name = "long phases"
member = "anna"
[programme]
kind = "conventional"
current = "40 mA"
phase = "500 us"
frequency = "40 Hz"
[pads]
area = "25 cm2"
[placement]
place = "thigh"
side = "right"
[dose]
session = "20 min"
[limits]
phase_charge = "20 uC"
"""


def written(text: str, folder: Path) -> WrittenPlan:
    path = folder / "plan.toml"
    path.write_text(text, encoding="utf-8")
    return load_plan(path)


def refusals(plan: WrittenPlan, board: dict[int, int] | None = None) -> list[explained.Explained]:
    meant = plan.stimulation(TODAY)
    return [explained.explain(meant, refusal) for refusal in meant.refusals(meant.effective(board))]


def all_problems(text: str, folder: Path) -> str:
    with pytest.raises(PlanInvalid) as refused:
        written(text, folder)
    return "\n".join(refused.value.problems)


def test_a_continuous_carrier_is_refused_for_its_density_with_the_arithmetic(tmp_path: Path):
    first = refusals(written(CONTINUOUS, tmp_path))[0]
    assert first.sentence == "rms current density would be 4 mA/cm²; the plan allows at most 1 mA/cm²"
    assert first.working == (
        "duty 2 × 100 µs × 5000 pulses/s = 1",
        "rms current 40 mA × √1 = 40 mA",
        "rms density 40 mA / (1 × 10 cm²) = 4 mA/cm²",
    )
    assert "larger pads" in first.advice


def test_the_envelope_itself_refuses_a_continuous_carrier(tmp_path: Path):
    plan = written(CONTINUOUS + '[limits]\nrms_density = "2 mA/cm2"\n', tmp_path)
    assert refusals(plan)[0].sentence.endswith("the envelope allows at most 2 mA/cm²")


def test_the_same_carrier_in_bursts_on_larger_pads_is_accepted(tmp_path: Path):
    plan = written(CARRIER, tmp_path)
    assert refusals(plan, {limits.PEAK_CURRENT: 50_000}) == []
    program = plan.stimulation(TODAY).program
    assert (program.phase_us, program.gap_us, program.burst_pulses) == (100, 0, 20)


def test_20_uc_pass_and_a_tenth_more_does_not(tmp_path: Path):
    assert refusals(written(LONG_PHASES, tmp_path)) == []
    (only,) = refusals(written(LONG_PHASES.replace("40 mA", "40.2 mA"), tmp_path))
    assert only.sentence == "phase charge would be 20.1 µC; the envelope allows at most 20 µC"
    assert only.working == ("phase charge 40.2 mA × 500 µs = 20.1 µC",)


def test_every_refusal_is_told_with_who_set_the_limit(tmp_path: Path):
    text = LONG_PHASES.replace("40 mA", "55 mA").replace("20 uC", "5 uC").replace('"25 cm2"', '"1 cm2"')
    found = {
        one.limit: one.source for one in refusals(written(text, tmp_path), {limits.PEAK_CURRENT: 50_000})
    }
    assert found["peak current"] == "the board"
    assert found["phase charge"] == "the plan"
    assert found["rms current"] == "the pads"
    assert found["rms current density"] == "the plan"


def test_a_limit_that_the_plan_could_raise_says_how(tmp_path: Path):
    (only,) = refusals(written(LONG_PHASES.replace("20 uC", "5 uC"), tmp_path))
    assert 'set phase_charge = "20 µC" or more in [limits]' in only.advice


def test_everything_that_is_wrong_is_told_at_once_by_name_and_line(tmp_path: Path):
    text = """[plan]
name = "wrong"
member = "anna"
loudness = 11
therapist_allows = ["implant"]
[programme]
kind = "conventional"
current = 40
phase = "-100 us"
frequency = nan
[pads]
shape = "triangle"
[placement]
place = "chest"
[dose]
session = "61 min"
sessions_a_day = 4
[limits]
phase_charge = "21 uC"
[answers]
answered_on = "yesterday"
implant = "maybe"
luck = "no"
"""
    said = all_problems(text, tmp_path)
    for sentence in (
        "plan.therapist_allows.1 (line 5): 'implant' cannot be allowed",
        "plan.loudness (line 4) is not a key of a stimulation plan",
        'programme.current (line 8): 40 has no unit; write for example "40 mA"',
        'programme.phase (line 9): "-100 us" is negative',
        "programme.frequency (line 10): nan is no number",
        "pads.shape (line 12): is 'triangle'; it can be 'round', 'square', 'rectangle', 'other'",
        "placement.place (line 14): no pads on 'chest': current through the chest can disturb the heart",
        "dose.session (line 16): 61 min is outside the envelope, which allows at most 1 h",
        "dose.sessions_a_day (line 17): 4 is outside the envelope, which allows at most 3",
        "limits.phase_charge (line 19): 21 µC is outside the envelope, which allows at most 20 µC",
        "answers.answered_on (line 21): is no day",
        "answers.implant (line 22): is 'maybe'; it can be 'yes', 'no'",
        "answers.luck (line 23) is not a key",
    ):
        assert sentence in said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('burst = "4 ms"', 'burst = "5 ms"', "programme.burst (line 9): 5 ms is outside 2 to 4 ms"),
        (
            'burst = "4 ms"\n',
            "",
            "programme.burst (line 5): is missing; burst and burst_frequency go together",
        ),
        ('carrier = "5 kHz"', 'carrier = "900 Hz"', "below 1 kHz; use kind 'bursts'"),
        ('carrier = "5 kHz"\n', "", "programme.carrier is missing (line 5); add it"),
        ('kind = "kilohertz"', 'kind = "russian"', "programme.kind (line 6): is 'russian'; it can be"),
        ('kind = "kilohertz"\n', "", "programme.kind is missing (line 5); add it"),
        ('current = "40 mA"', 'current = "0 mA"', '"0 mA" is nothing'),
        ('current = "40 mA"', 'current = "4 mA"\nstart = "5 mA"', "5 mA is above the plan's current, 4 mA"),
        ('current = "40 mA"', 'current = "4 mA"\nmodulation = "rate"', "modulation_depth"),
        ('area = "25 cm2"', 'area = "900 cm2"', "is more than"),
        ('area = "25 cm2"', 'shape = "round"', "pads.width (line 11): is missing; a round pad has one"),
        (
            'area = "25 cm2"',
            'shape = "round"\nwidth = "5 cm"\narea = "25 cm2"',
            "more than the round pad has",
        ),
        ('area = "25 cm2"', "", "pads.area (line 11): is missing; a pad of shape 'other' has one"),
        ('area = "25 cm2"', 'area = "25 cm2"\ncontact = "110 %"', "is more than 100 %"),
        ('side = "left"', "", "both pads lie on the left or on the right knee"),
        ('place = "knee"', 'place = "ear"', "'ear' is no place for pads; it can be"),
        ('member = "anna"', 'member = ""', "plan.member (line 4)"),
        ('member = "anna"', 'member = "anna"\nduring_exercise = "no"', "plan.during_exercise (line 5)"),
        ('member = "anna"', 'member = "anna"\ntherapist_allows = ["implant"]', "'implant' cannot be allowed"),
        (
            'member = "anna"',
            'member = "anna"\ntherapist_allows = ["metal"]',
            "plan.therapist (line 2): is missing",
        ),
        ("[plan]", "[plan", "is not TOML: expected ']' at the end of a table declaration (at line 2"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, said: str):
    assert old in CARRIER
    assert said in all_problems(CARRIER.replace(old, new), tmp_path)


def test_a_file_that_cannot_be_read_is_one_sentence(tmp_path: Path):
    with pytest.raises(PlanInvalid, match="cannot be read: no such file"):
        load_plan(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PlanInvalid, match="UTF-8"):
        load_plan(tmp_path / "latin.toml")


def test_no_pad_goes_where_it_must_not():
    for place in places.FORBIDDEN:
        assert place not in places.ALLOWED
        with pytest.raises(InvalidInput):
            make_plan(kind="conventional", name="x", member="anna", place=place, side="left")


@st.composite
def contents(draw: st.DrawFn) -> dict[str, object]:
    """A plan's file that makes sense, whether it keeps the limits or not."""

    def some(kind: units.Kind, least: int, most: int) -> str:
        return units.text(kind, draw(st.integers(least, most)))

    def maybe(**keys: object) -> dict[str, object]:
        return {key: value for key, value in keys.items() if draw(st.booleans())}

    kind = draw(st.sampled_from(PROGRAMMES))
    programme: dict[str, object] = {"kind": kind, "current": some(units.CURRENT, 5_000, 900_000)}
    if kind == "kilohertz":
        programme |= {"carrier": some(units.FREQUENCY, 1_000_000, 20_000_000)}
        if draw(st.booleans()):
            programme |= {
                "burst": some(units.TIME, 2, 4),
                "burst_frequency": some(units.FREQUENCY, 1, 100_000),
            }
    else:
        programme |= {
            "phase": some(units.WIDTH, 1, 65_535),
            "frequency": some(units.FREQUENCY, 1, 10**9),
            **maybe(gap=some(units.WIDTH, 0, 65_535)),
        }
    if kind == "bursts":
        programme |= {
            "burst_pulses": draw(st.integers(1, 65_535)),
            "burst_frequency": some(units.FREQUENCY, 1, 10**9),
        }
    if draw(st.booleans()):
        programme |= {
            "modulation": draw(st.sampled_from(["rate", "width", "amplitude"])),
            "modulation_depth": some(units.SHARE, 1, 1000),
            "modulation_period": some(units.TIME, 1, 65_000),
        }
    text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(str.strip)
    content: dict[str, object] = {
        "plan": {
            "name": draw(text).strip(),
            "member": draw(text).strip(),
            "therapist": "R. Lang",
            **maybe(device="5f6b", therapist_allows=["metal", "numb"], during_exercise=True),
        },
        "programme": {**programme, **maybe(start=some(units.CURRENT, 1, 5_000))},
        "pads": {"area": some(units.AREA, 1, 65_535), **maybe(contact=some(units.SHARE, 1, 1000))},
        "placement": {"place": draw(st.sampled_from(places.ALLOWED)), "side": "left"},
        "dose": {
            "session": some(units.TIME, 1, 3_600_000),
            **maybe(rest="45 min", sessions_a_day=2, time_a_day="1 h"),
        },
        "limits": maybe(
            phase_charge=some(units.CHARGE, 1, 20_000),
            rms_density=some(units.DENSITY, 1, 2_000),
            rms_current=some(units.CURRENT, 1, 50_000),
            average_current=some(units.CURRENT, 1, 10_000),
            step=some(units.CURRENT, 1, 1_000),
        ),
    }
    if draw(st.booleans()):
        answers = {
            key: draw(st.sampled_from(["yes", "no"])) for key in questions.BY_KEY if draw(st.booleans())
        }
        content["answers"] = {"answered_on": TODAY, **answers}
    return content


@given(contents())
def test_a_plan_is_read_back_as_it_was_written(content: dict[str, object]):
    plan = WrittenPlan.model_validate(content)
    assert WrittenPlan.model_validate(tomllib.loads(plan_text(plan))) == plan


@given(contents())
def test_a_plan_is_accepted_or_refused_in_words_and_fits_the_protocol(content: dict[str, object]):
    meant = WrittenPlan.model_validate(content).stimulation(TODAY)
    bounds = meant.effective({limits.PEAK_CURRENT: 50_000})
    found = meant.refusals(bounds)
    assert bool(found) == bool(limits.check(meant.program, bounds))
    for refusal in found:
        assert explained.explain(meant, refusal).advice
    assert len(meant.limits) <= stimulation.MOST_PLAN_ROWS
    configure = stimulation.Configure(1, 0, 1000, 0, 0, meant.program, tuple(meant.limits.items()))
    assert stimulation.unpack_configure(stimulation.pack_configure(configure)) == configure


@pytest.mark.parametrize("kind", PROGRAMMES)
def test_the_plans_to_start_from_are_accepted_and_written_whole(kind: str, tmp_path: Path):
    plan = make_plan(kind=kind, name=kind, member="anna", place="lower back")
    assert refusals(plan, {limits.PEAK_CURRENT: 50_000}) == []
    assert written(plan_text(plan), tmp_path) == plan


def test_answers_go_into_the_file_and_all_else_in_it_stays(tmp_path: Path):
    path = tmp_path / "plan.toml"
    path.write_text("# a word of the therapist's\n" + CARRIER, encoding="utf-8")
    path.write_text(text_with_answers(path, ALL_NO, TODAY), encoding="utf-8")
    text = text_with_answers(path, {**ALL_NO, "metal": "yes"}, TODAY)
    assert "# a word of the therapist's" in text
    assert CARRIER.strip() in text
    given_answers = written(text, tmp_path).answers
    assert given_answers is not None
    assert given_answers.by_key == {**ALL_NO, "metal": "yes"}


def test_a_yes_forbids_unless_the_therapist_may_allow_it_and_did(tmp_path: Path):
    plan = written(CARRIER, tmp_path)
    assert plan.answered(ALL_NO, TODAY).stimulation(TODAY).answers_ok
    metal = {**ALL_NO, "metal": "yes"}
    (said,) = plan.answered(metal, TODAY).verdict(TODAY).forbids
    assert "ask the therapist" in said
    text = CARRIER.replace(
        'member = "anna"', 'member = "anna"\ntherapist = "R. Lang"\ntherapist_allows = ["metal"]'
    )
    allowed = written(text, tmp_path)
    assert allowed.answered(metal, TODAY).verdict(TODAY).ok
    (said,) = allowed.answered({**ALL_NO, "implant": "yes"}, TODAY).verdict(TODAY).forbids
    assert "do not use stimulation" in said


def test_answers_grow_old_but_a_yes_stays_a_yes(tmp_path: Path):
    plan = written(CARRIER, tmp_path).answered({**ALL_NO, "pregnant": "yes"}, TODAY)
    later = TODAY + timedelta(days=questions.ANSWERS_LAST_DAYS)
    assert plan.verdict(later).unanswered == ()
    for day in (later + timedelta(days=1), TODAY - timedelta(days=1)):
        assert plan.verdict(day).unanswered == tuple(questions.BY_KEY)
        assert plan.verdict(day).forbids
