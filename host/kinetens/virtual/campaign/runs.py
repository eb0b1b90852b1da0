"""Many seeds on all cores: each seed is one world, played and judged in a process of its own."""

import logging
import multiprocessing
import signal
import sys
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil

from kinetens.errors import InvalidInput
from kinetens.virtual.campaign.episode import Verdict, play
from kinetens.virtual.campaign.faults import BY_NAME, FAULTS, Fault
from kinetens.virtual.campaign.mutations import by_name
from kinetens.virtual.campaign.story import EPISODE_S, Story, plan

_NEXT_MEMBER = 1_000_003
"""From a member's seed to the next one's in the same world."""
_LONGEST_S = 240
"""Wall time for one world, twenty times what it takes."""
_IN_HAND = 2
"""Seeds handed out for each process."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to simulate. mutation: name of the control that is switched off."""

    hours: float
    seed: int
    faults: tuple[str, ...]
    members: int = 1
    seconds: float = EPISODE_S
    mutation: str | None = None

    @property
    def seeds(self) -> range:
        """One world each."""
        return range(self.seed, self.seed + ceil(self.hours * 3600 / self.seconds / self.members - 1e-9))

    def stories(self, seed: int) -> list[Story]:
        """The stories that are played side by side in the world of a seed."""
        castings = [BY_NAME[name].casting for name in self.faults]
        return [plan(seed + _NEXT_MEMBER * number, castings, self.seconds) for number in range(self.members)]


@dataclass(slots=True)
class Findings:
    """What came of it so far."""

    seconds: float = 0.0
    seeds: int = 0
    pulses: int = 0
    faults: Counter[str] = field(default_factory=Counter[str])
    stops: dict[str, float] = field(default_factory=dict[str, float])
    bad: list[Verdict] = field(default_factory=list[Verdict])
    """Stories with violations, in the order of their seeds."""

    def add(self, verdicts: Sequence[Verdict]) -> None:
        """Take over what one seed's world showed."""
        self.seeds += 1
        for verdict in verdicts:
            self.seconds += verdict.seconds
            self.pulses += verdict.pulses
            self.faults += verdict.faults
            for cause, time_s in verdict.stops.items():
                self.stops[cause] = max(self.stops.get(cause, 0.0), time_s)
            if verdict.violations:
                self.bad.append(verdict)
        self.bad.sort(key=lambda verdict: verdict.story.seed)


def chosen_faults(names: str) -> tuple[str, ...]:
    """`all`, or names separated by commas. Raises InvalidInput naming one that does not exist."""
    if names == "all":
        return tuple(fault.name for fault in FAULTS)
    wanted = tuple(name.strip() for name in names.split(",") if name.strip())
    for name in wanted:
        if name not in BY_NAME:
            raise InvalidInput(f"there is no fault '{name}'; it can be all, or {', '.join(BY_NAME)}")
    return wanted


def faults_of(hazard: str) -> tuple[Fault, ...]:
    """The faults that test a hazard."""
    return tuple(fault for fault in FAULTS if fault.hazard == hazard)


@contextmanager
def processes(jobs: int) -> Generator[ProcessPoolExecutor]:
    """A pool whose processes leave Ctrl-C to the one that started them."""
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _quiet)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def end_processes() -> None:
    """End what the processes of a pool are at, for somebody who waits no longer; their files are cleaned up."""
    for process in multiprocessing.active_children():
        process.terminate()


def quiet_libraries() -> None:
    """No libraries' logs about links that break, which is their lot here."""
    logging.disable(logging.CRITICAL)


def simulate(
    pool: ProcessPoolExecutor,
    jobs: int,
    order: Order,
    findings: Findings,
    told: Callable[[Findings], None],
    enough: Callable[[Findings], bool] | None = None,
) -> None:
    """Play all seeds and add what comes of them to `findings`; `told` after each. Ends early when it is enough."""
    seeds = iter(order.seeds)
    running: set[Future[list[Verdict]]] = set()
    while True:
        while len(running) < jobs * _IN_HAND and (seed := next(seeds, None)) is not None:
            running.add(pool.submit(_play_in_time, order.stories(seed), order.mutation))
        if not running:
            return
        done, running = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            findings.add(future.result())
            told(findings)
        if enough is not None and enough(findings):
            for future in running:
                future.cancel()
            return


def play_altered(stories: Sequence[Story], mutation: str | None) -> list[Verdict]:
    """Play stories with a control switched off, or with all of them on."""
    if mutation is None:
        return play(stories)
    without = by_name(mutation)
    with without.on_host():
        return play(stories, without.alter)


def _play_in_time(stories: Sequence[Story], mutation: str | None) -> list[Verdict]:
    """As `play_altered`, in a process of the pool: a world that stands still is a finding too."""
    signal.alarm(_LONGEST_S)
    try:
        return play_altered(stories, mutation)
    finally:
        signal.alarm(0)


def _stand_still(*_: object) -> None:
    raise TimeoutError(f"the world stood still: no end within {_LONGEST_S} s")


def _end(*_: object) -> None:
    sys.exit(1)


def _quiet() -> None:
    """For a process of the pool: Ctrl-C is for who started it, an end is an end with its files cleaned up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, _stand_still)
    signal.signal(signal.SIGTERM, _end)
    quiet_libraries()
