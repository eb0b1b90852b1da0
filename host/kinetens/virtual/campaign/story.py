"""One episode as a plain list of timed events, drawn from a seed."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

EPISODE_S = 360.0
QUIET_S = 12.0
"""Before the first fault: boot, connection, button, contact check, the first milliamperes."""
_BETWEEN_S = 14.0
_STARTS_WITH = 0.06


@dataclass(frozen=True, slots=True, order=True)
class Event:
    """A fault at a time. What else is random about it follows from `draw`."""

    at_s: float
    fault: str
    lasts_s: float
    draw: int

    def random(self) -> random.Random:
        """The event's own randomness: the same whatever other events there are."""
        return random.Random(f"{self.fault}/{self.draw}")


@dataclass(frozen=True, slots=True)
class Story:
    """What happens to one member's device. Events at 0 s hold from the start."""

    seed: int
    seconds: float
    events: tuple[Event, ...]

    def random(self, purpose: str) -> random.Random:
        """Randomness that belongs to the seed, not to the events."""
        return random.Random(f"{self.seed}/{purpose}")

    def told_with(self, events: Iterable[Event]) -> "Story":
        """The same member and device with other events."""
        return replace(self, events=tuple(sorted(events)))


@dataclass(frozen=True, slots=True)
class Casting:
    """How a fault is cast in stories."""

    name: str
    lasts_s: tuple[float, float] = (0.0, 0.0)
    at_start: bool = False
    """Whether it is a circumstance that holds from the start."""
    weight: float = 1.0


def plan(seed: int, castings: Sequence[Casting], seconds: float = EPISODE_S) -> Story:
    """Draw a story: circumstances, then faults every few seconds."""
    rng = random.Random(f"{seed}/story")
    events: list[Event] = []
    circumstances = [casting for casting in castings if casting.at_start]
    accidents = [casting for casting in castings if not casting.at_start]
    for casting in circumstances:
        likely = _STARTS_WITH if accidents else 1.0
        if rng.random() < likely:
            events.append(Event(0.0, casting.name, 0.0, rng.getrandbits(32)))
    at_s = QUIET_S + rng.uniform(0.0, 8.0)
    weights = [casting.weight for casting in accidents]
    while accidents and at_s < seconds - 2.0:
        casting = rng.choices(accidents, weights)[0]
        lasts_s = round(rng.uniform(*casting.lasts_s), 3)
        events.append(Event(round(at_s, 3), casting.name, lasts_s, rng.getrandbits(32)))
        at_s += rng.choice((rng.uniform(0.02, 1.5), rng.expovariate(1 / _BETWEEN_S) + 1.0))
    return Story(seed, seconds, tuple(events))
