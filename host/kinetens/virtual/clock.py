"""Virtual time: an asyncio event loop in which waiting costs nothing and one seed gives one history."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _SkippingSelector(selectors.DefaultSelector):
    """Never waits: the time an idle loop would have waited is added to the virtual clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            raise RuntimeError("virtual time stands still: everything waits and nothing is scheduled")
        self.now_s += timeout
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose `time()` starts at zero and jumps to the next scheduled call."""

    def __init__(self) -> None:
        self._skipping = _SkippingSelector()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.now_s


def run(main: Coroutine[Any, Any, T], *, real_time: bool = False) -> T:
    """Run a coroutine to its end in virtual time, or at the wall clock's pace with `real_time`."""
    factory = asyncio.new_event_loop if real_time else VirtualTimeLoop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)
