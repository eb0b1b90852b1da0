"""asyncio in world time.

The unix port's asyncio has its tasks in C, which look at the computer's clock. These do the same by the world's.
What a task's attributes mean is set by asyncio.core: `state` is True while it runs and nobody waits for it, a queue of
those who wait, then None or False when it is done; `data` is what it waits in, or its result as an exception.
"""

import asyncio.core as core

import _world

_POLL = 3  # MP_STREAM_POLL
_READ = 1


class TaskQueue:
    """Tasks by the time they are due; those due at one time in the order in which they came."""

    def __init__(self):
        self._tasks = []

    def peek(self):
        return self._tasks[0] if self._tasks else None

    def push(self, task, due_ms=None):
        task.data = None
        task.ph_key = core.ticks() if due_ms is None else due_ms
        place = len(self._tasks)
        while place and core.ticks_diff(self._tasks[place - 1].ph_key, task.ph_key) > 0:
            place -= 1
        self._tasks.insert(place, task)

    def pop(self):
        return self._tasks.pop(0)

    def remove(self, task):
        self._tasks.remove(task)


class Task:
    """A coroutine and how far it has come."""

    def __init__(self, coro, globals=None):
        self.coro = coro
        self.data = None
        self.state = True
        self.ph_key = 0

    def __iter__(self):
        if not self.state:
            self.state = False
        elif self.state is True:
            self.state = TaskQueue()
        elif not isinstance(self.state, TaskQueue):
            raise RuntimeError("can't wait")
        return self

    def __next__(self):
        if self.state:
            self.state.push(core.cur_task)
            core.cur_task.data = self
        elif self.data is None:
            raise StopIteration
        else:
            raise self.data

    def done(self):
        return not self.state

    def cancel(self):
        if not self.state:
            return False
        if self is core.cur_task:
            raise RuntimeError("can't cancel self")
        while isinstance(self.data, Task):
            self = self.data
        if hasattr(self.data, "remove"):
            self.data.remove(self)
            core._task_queue.push(self)
        elif core.ticks_diff(self.ph_key, core.ticks()) > 0:
            core._task_queue.remove(self)
            core._task_queue.push(self)
        self.data = core.CancelledError
        return True


def _wait_io_event(queue, duration_ms):
    """Let the world run until the next task is due or something happens.

    What tasks wait for (asyncio.ThreadSafeFlag) is asked directly: the port's `poll` would wait a real millisecond.
    """
    if _wake_ready(queue):
        return
    head = core._task_queue.peek()
    if head and core.ticks_diff(head.ph_key, core.ticks()) <= 0:
        return
    _world.sleep_us(duration_ms * 1000, True)
    _wake_ready(queue)


def _wake_ready(queue):
    ready = [entry for entry in queue.map.values() if entry[0] and entry[2].ioctl(_POLL, _READ)]
    for entry in ready:
        core._task_queue.push(entry[0])
        entry[0] = None
        queue._dequeue(entry[2])
    return ready


def install():
    """Put asyncio on world time; before anything else imports it."""
    core.TaskQueue = TaskQueue
    core.Task = Task
    core.IOQueue.wait_io_event = _wait_io_event
    core.new_event_loop()
