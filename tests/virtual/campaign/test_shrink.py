"""Shrinking finds the events that matter, and no others."""

from collections import Counter
from collections.abc import Sequence

import pytest

from kinetens.virtual.campaign.episode import Verdict
from kinetens.virtual.campaign.invariants import Violation
from kinetens.virtual.campaign.shrink import shrink
from kinetens.virtual.campaign.story import Event, Story

STORY = Story(1, 360.0, tuple(Event(10.0 * at, f"fault-{at}", 0.0, at) for at in range(1, 31)))


class Player:
    """A world in which the invariant breaks when all of some faults happen."""

    def __init__(self, guilty: set[str], at_s: float = 300.0) -> None:
        self.guilty = guilty
        self.at_s = at_s
        self.played = 0

    def __call__(self, stories: Sequence[Story]) -> list[Verdict]:
        return [self.verdict(story) for story in stories]

    def verdict(self, story: Story) -> Verdict:
        self.played += 1
        breaks = self.guilty <= {event.fault for event in story.events}
        violations = (Violation(1, self.at_s, "a pulse"),) if breaks else ()
        return Verdict(story, story.seconds, 0, Counter(), {}, violations, ())


@pytest.mark.parametrize("guilty", [{"fault-7"}, {"fault-3", "fault-29"}, {"fault-1", "fault-2", "fault-3"}])
def test_only_what_leads_to_the_violation_is_left(guilty: set[str]):
    player = Player(guilty)
    shortest = shrink(player.verdict(STORY), player)
    assert {event.fault for event in shortest.story.events} == guilty
    assert player.played < 80


def test_the_story_ends_soon_after_the_violation():
    player = Player({"fault-2"}, at_s=25.0)
    assert shrink(player.verdict(STORY), player).story.seconds == 26.0


def test_a_violation_that_needs_no_fault_is_left_with_none():
    player = Player(set())
    assert shrink(player.verdict(STORY), player).story.events == ()


def test_a_violation_that_does_not_come_again_is_told_as_it_was():
    bad = Player(set()).verdict(STORY)
    assert shrink(bad, Player({"never"})) is bad
