"""Virtual time: it jumps, it never goes back, and what fails in it is not lost."""

import asyncio
import time

import pytest

from kinetens.virtual import clock


def test_waiting_costs_no_time_and_ends_when_it_should():
    async def work() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    began_s = time.process_time()
    assert clock.run(work()) == pytest.approx(3600)
    assert time.process_time() - began_s < 1


def test_what_is_due_first_happens_first():
    seen: list[str] = []

    async def say(after_s: float, what: str) -> None:
        await asyncio.sleep(after_s)
        seen.append(what)

    async def work() -> None:
        await asyncio.gather(say(3, "c"), say(1, "a"), say(2, "b"), say(2, "b"))

    clock.run(work())
    assert seen == ["a", "b", "b", "c"]


def test_a_world_in_which_everything_waits_is_an_error():
    async def work() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="virtual time stands still"):
        clock.run(work())


@pytest.mark.parametrize("real_time", [False, True])
def test_a_callback_that_fails_ends_the_run_with_its_error(real_time: bool):
    def fail() -> None:
        raise ArithmeticError("lost")

    ended: list[str] = []

    async def work() -> None:
        asyncio.get_running_loop().call_later(0.001, fail)
        try:
            await asyncio.sleep(1e6)
        finally:
            ended.append("cleaned up")

    with pytest.raises(ArithmeticError, match="lost"):
        clock.run(work(), real_time=real_time)
    assert ended == ["cleaned up"]


def test_a_task_of_its_own_that_fails_ends_the_run_and_one_that_is_cancelled_does_not():
    async def fail() -> None:
        await asyncio.sleep(1)
        raise ArithmeticError("lost")

    async def work(cancel: bool) -> str:
        task = clock.spawn(fail())
        if cancel:
            task.cancel()
        await asyncio.sleep(2)
        return "done"

    assert clock.run(work(True)) == "done"
    with pytest.raises(ArithmeticError, match="lost"):
        clock.run(work(False))


def test_what_the_work_raises_comes_through():
    async def work() -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        clock.run(work())
