"""Virtual time: an asyncio event loop in which waiting costs nothing and one seed gives one history."""

import asyncio
import selectors
import time
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


class RealTimeLoop(asyncio.SelectorEventLoop):
    """An event loop at the wall clock's pace whose `time()` starts at zero, as a world's time does."""

    def __init__(self) -> None:
        self._start_s = time.monotonic()
        super().__init__()

    def time(self) -> float:
        return time.monotonic() - self._start_s


def run(main: Coroutine[Any, Any, T], *, real_time: bool = False) -> T:
    """Run a coroutine to its end in virtual time, or at the wall clock's pace with `real_time`.

    A callback of the loop that fails ends the run with its error: a world that has lost an event means nothing.
    """
    failures: list[BaseException] = []

    async def watched() -> T:
        task = asyncio.current_task()

        def fail(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            error = context.get("exception")
            if error is None or "handle" not in context:
                loop.default_exception_handler(context)
            else:
                failures.append(error)
                assert task is not None
                task.cancel()

        asyncio.get_running_loop().set_exception_handler(fail)
        return await main

    factory = RealTimeLoop if real_time else VirtualTimeLoop
    with asyncio.Runner(loop_factory=factory) as runner:
        try:
            result = runner.run(watched())
        except BaseException:
            if failures:
                raise failures[0] from None
            raise
    if failures:
        raise failures[0]
    return result


def spawn(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Start a task that nobody waits for: its failure is one of the loop's callbacks, which ends the run."""
    task = asyncio.get_running_loop().create_task(work)
    task.add_done_callback(_raise_failure)
    return task


def _raise_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.result()
