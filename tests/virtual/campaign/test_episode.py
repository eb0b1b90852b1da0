"""Whole stories: the real firmware, the radio, the host and a member, with faults, judged."""

import os

import pytest

from kinetens.virtual.campaign.episode import Verdict, play
from kinetens.virtual.campaign.faults import FAULTS
from kinetens.virtual.campaign.runs import Findings, Order, chosen_faults, processes, simulate
from kinetens.virtual.campaign.story import Event, Story


def story(*events: Event, seed: int = 3, seconds: float = 30.0) -> Story:
    return Story(seed, seconds, events)


def only(verdicts: list[Verdict]) -> Verdict:
    (verdict,) = verdicts
    return verdict


def test_a_story_without_faults_has_pulses_and_no_violation():
    verdict = only(play([story(seconds=15.0)]))
    assert verdict.violations == ()
    assert verdict.pulses > 300
    assert verdict.stops == {}


def test_one_story_has_one_end():
    told = story(Event(9.0, "host-stalled", 2.0, 1), Event(16.0, "command-damaged", 1.0, 2))
    first, second = only(play([told])), only(play([told]))
    assert first == second


def test_a_press_of_the_button_ends_the_output_in_time():
    verdict = only(play([story(Event(12.0, "button", 0.2, 1), seconds=16.0)]))
    assert verdict.violations == ()
    assert verdict.stops["button"] < 0.05


def test_a_killed_host_leaves_an_output_that_ends_with_its_lease():
    verdict = only(play([story(Event(12.0, "host-killed", 3.0, 1), seed=4, seconds=18.0)]))
    assert verdict.violations == ()
    assert 0.0 < verdict.stops["lapsed lease"] <= 0.3


def test_a_device_that_is_reset_in_the_midst_of_a_driver_call_begins_at_idle():
    verdict = only(play([story(Event(10.0, "firmware-reset", 0.0, 5), seconds=20.0)]))
    assert verdict.violations == ()
    assert any("boot 2" in line.text for line in verdict.log)


def test_two_members_are_judged_each_for_themselves():
    verdicts = play(
        [story(seed=5, seconds=15.0), story(Event(9.0, "pads-short", 3.0, 1), seed=6, seconds=15.0)]
    )
    assert [verdict.violations for verdict in verdicts] == [(), ()]
    assert "short" not in verdicts[0].stops


def test_a_world_that_breaks_is_a_violation():
    verdict = only(play([story(Event(1.0, "no such fault", 0.0, 1))]))
    assert verdict.violations[0].invariant == 0


def test_an_order_has_as_many_seeds_as_its_hours_take():
    assert len(Order(20.0, 1, ("button",)).seeds) == 200
    assert len(Order(1.0, 5, ("button",), members=2).seeds) == 5
    assert Order(1.0, 5, ("button",)).seeds[0] == 5


@pytest.mark.slow
@pytest.mark.parametrize("fault", [fault.name for fault in FAULTS])
def test_no_fault_by_itself_breaks_an_invariant(fault: str):
    assert only(play(Order(0, 11, (fault,), seconds=60.0).stories(11))).violations == ()


@pytest.mark.slow
def test_an_hour_of_everything_breaks_no_invariant():
    jobs = os.cpu_count() or 1
    findings = Findings()
    order = Order(1.0, 1000, chosen_faults("all"), seconds=60.0)
    with processes(jobs) as pool:
        simulate(pool, jobs, order, findings, lambda _: None)
    assert [(bad.story.seed, bad.violations) for bad in findings.bad] == []
    assert findings.seconds == pytest.approx(3600, rel=0.01)
    assert findings.pulses > 10_000
