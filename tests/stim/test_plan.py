"""Plans: what is accepted, what is refused, and that the arithmetic is shown."""

import pytest

from kinetens.errors import StimulationRefused
from kinetens.stim import words
from kinetens.stim.plan import StimulationPlan, default_plan, make_plan
from kinetens_protocol import limits, messages, stimulation
from kinetens_protocol.messages import Refusal

HIGH_FREQUENCY = {
    "name": "high frequency",
    "current_ma": 40,
    "phase_us": 100,
    "gap_us": 0,
    "frequency_hz": 5000,
    "minutes": 20,
    "pad_area_cm2": 10,
    "ceilings": {"peak_current": 40_000, "average_current": 10_000, "rms_current_density": 2_000},
}


def test_the_default_plan_keeps_the_envelope():
    plan = default_plan()
    plan.check()
    assert plan.program == (15_000, 100, 50, 80_000, 0, 0, 1_200_000, 2500, 1000, 0, 0, 0)


def test_high_frequency_is_refused_with_its_arithmetic_and_allowed_in_bursts():
    with pytest.raises(StimulationRefused) as refused:
        make_plan(HIGH_FREQUENCY).check()
    text = str(refused.value)
    assert "rms current density would be 4 mA/cm²; the envelope allows at most 2 mA/cm²" in text
    assert "40 mA × √1 = 40 mA" in text
    make_plan({**HIGH_FREQUENCY, "burst_pulses": 20, "burst_frequency_hz": 50, "pad_area_cm2": 25}).check()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"current_ma": float("nan")}, "current_ma"),
        ({"current_ma": -1}, "current_ma"),
        ({"frequency_hz": "80 Hz"}, "frequency_hz"),
        ({"minutes": float("inf")}, "minutes"),
        ({"pad_area_cm2": 0}, "pad_area_cm2"),
        ({"contact": 1.1}, "contact"),
        ({"volume": 11}, "volume"),
        ({"phase_us": 100.5}, "phase_us"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(change: dict[str, object], named: str):
    with pytest.raises(StimulationRefused, match=named):
        make_plan({**HIGH_FREQUENCY, **change})


def test_an_unknown_ceiling_is_refused_by_name():
    with pytest.raises(StimulationRefused, match="loudness"):
        _ = make_plan({**HIGH_FREQUENCY, "ceilings": {"loudness": 3}}).limits


def test_a_ceiling_above_the_envelope_changes_nothing():
    plan = StimulationPlan.model_validate({**HIGH_FREQUENCY, "ceilings": {"peak_current": 90_000}})
    assert limits.PEAK_CURRENT not in plan.limits
    assert plan.effective()[limits.PEAK_CURRENT] == (limits.PEAK_CURRENT, 60_000, limits.TABLE)


def test_who_bound_is_said_in_words():
    plan = default_plan()
    with pytest.raises(StimulationRefused, match="the board allows at most 10 mA"):
        plan.check(plan.effective({limits.PEAK_CURRENT: 10_000}))


@pytest.mark.parametrize(
    ("reason", "detail", "words_in_it"),
    [
        (
            messages.LIMIT_EXCEEDED,
            Refusal(limits.PHASE_CHARGE, limits.PLAN, 20_100, 10_000),
            "20.1 µC; the plan",
        ),
        (messages.REST_NEEDED, Refusal(limits.REST, limits.TABLE, 600_000, 1_800_000), "at least 30 min"),
        (messages.PROTECTION_MISSING, Refusal(4, limits.BOARD, 0, 0), "output-fuse"),
        (messages.FAULT_LATCHED, Refusal(stimulation.SHORT, 0, 0, 3000), "touch each other"),
        (messages.WRONG_STATE, Refusal(stimulation.ANSWERS_MISSING, 0, 0, 0), "contraindications"),
        (messages.WRONG_STATE, messages.NO_DETAIL, "present state"),
        (messages.LIMIT_EXCEEDED, Refusal(200, 9, 1, 1), "does not know"),
        (250, messages.NO_DETAIL, "does not know"),
    ],
)
def test_refusals_in_words(reason: int, detail: Refusal, words_in_it: str):
    assert words_in_it in words.refusal(reason, detail)
