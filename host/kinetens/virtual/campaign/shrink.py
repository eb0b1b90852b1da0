"""The shortest story that still breaks an invariant: delta debugging over its events (Zeller and Hildebrandt 2002)."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

from kinetens.virtual.campaign.episode import Verdict
from kinetens.virtual.campaign.runs import play_altered
from kinetens.virtual.campaign.story import Event, Story

_AFTER_S = 1.0
_MOST_PLAYED = 80

Play = Callable[[Sequence[Story]], list[Verdict]]
"""Plays stories, each in a world of its own."""


def in_pool(pool: ProcessPoolExecutor, mutation: str | None) -> Play:
    """Plays in the processes of a pool, side by side."""

    def together(stories: Sequence[Story]) -> list[Verdict]:
        futures = [pool.submit(play_altered, [story], mutation) for story in stories]
        return [future.result()[0] for future in futures]

    return together


def shrink(bad: Verdict, play: Play, breadth: int = 2) -> Verdict:
    """The verdict on the shortest story found that breaks the invariant which `bad` breaks first.

    `bad` itself when a shorter one does not break it again. Tries `breadth` stories at a time.
    """
    first = bad.violations[0]
    best = bad

    def breaks(verdict: Verdict) -> bool:
        return any(violation.invariant == first.invariant for violation in verdict.violations)

    played = 0

    def attempt(stories: Sequence[Story]) -> Verdict | None:
        nonlocal played
        for at in range(0, len(stories), breadth):
            if played >= _MOST_PLAYED:
                return None
            batch = stories[at : at + breadth]
            played += len(batch)
            for verdict in play(batch):
                if breaks(verdict):
                    return verdict
        return None

    sooner = _cut(bad.story, first.time_s + _AFTER_S)
    best = attempt([sooner]) or best
    parts = 2
    while len(best.story.events) > 1 or (best.story.events and parts == 1):
        events = best.story.events
        found = attempt([best.story.told_with(kept) for kept in _without_each(events, parts)])
        if found is not None:
            best = found
            parts = max(parts - 1, 2)
        elif parts < len(events):
            parts = min(2 * parts, len(events))
        else:
            break
    if len(best.story.events) == 1:
        best = attempt([best.story.told_with(())]) or best
    return best


def _cut(story: Story, until_s: float) -> Story:
    events = tuple(event for event in story.events if event.at_s <= until_s)
    return replace(story, seconds=min(story.seconds, until_s), events=events)


def _without_each(events: Sequence[Event], parts: int) -> list[tuple[Event, ...]]:
    """The events without one part of them, for each of so many parts."""
    size = -(-len(events) // parts)
    return [tuple(events[:at]) + tuple(events[at + size :]) for at in range(0, len(events), size)]
