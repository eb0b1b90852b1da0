"""What a person sees while a session is recorded, and the keys that act at once."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from math import degrees

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kinetens.motion.repetitions import summarise
from kinetens.session.recorder import Recorder
from kinetens_protocol import faults, messages, stimulation
from kinetens_protocol.stimulation import State

_WIDEST_DEG = 180.0


class LiveView:
    """A small table that follows a recording: angle, repetitions, range, link, stimulation."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, refresh_per_second=10, transient=True)
        self._stimulation: State | None = None

    def __enter__(self) -> "LiveView":
        return self

    def __exit__(self, *_error: object) -> None:
        self._live.stop()

    def hear(self, data: bytes) -> None:
        """Take a notification of the stimulation characteristic."""
        with contextlib.suppress(ValueError):
            message = messages.unpack_message(data)
            if message.kind == messages.EVENT and message.code == stimulation.STATE_EVENT:
                self._stimulation = stimulation.unpack_state(message.payload)

    def show(self, recorder: Recorder) -> None:
        """Draw the state of this moment."""
        if not self._live.is_started:
            self._live.start()
        live = recorder.live
        angle_deg = degrees(live.meter.current_angle_rad)
        ranges = summarise(live.meter.repetitions)
        table = Table.grid(padding=(0, 2))
        table.add_row("angle", f"{angle_deg:6.1f}°", ProgressBar(_WIDEST_DEG, max(0.0, angle_deg), width=40))
        table.add_row("repetitions", str(len(live.meter.repetitions)))
        if ranges is not None:
            last = degrees(live.meter.repetitions[-1].range_of_motion_rad)
            table.add_row("range", f"{last:.0f}°", f"median {degrees(ranges.median_rad):.0f}°")
        table.add_row("link", _link_in_words(recorder))
        if self._stimulation is not None:
            table.add_row("stimulation", _stimulation_in_words(self._stimulation))
        self._live.update(
            Group(table, Text("space: stop stimulation   Ctrl-C: end the session", style="dim"))
        )


def _link_in_words(recorder: Recorder) -> str:
    live = recorder.live
    if recorder.link.lost.is_set():
        return "LOST"
    words = f"{live.received} samples, {live.missing} missing"
    if live.status is not None:
        words += f", battery {live.status.battery_percent} %"
        named = faults.names(live.status.faults)
        if named:
            words += ", " + ", ".join(named)
    return words


def _stimulation_in_words(state: State) -> str:
    return f"{stimulation.STATES.get(state.state, 'unknown')}, {state.level_ua / 1000:.1f} mA"


class EndRequest:
    """Whether the user has asked to end; callable as RecordingPlan.stop_requested."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self) -> bool:
        return self.asked

    def ask(self) -> None:
        self.asked = True


@contextmanager
def ends_cleanly(ask: Callable[[], None]) -> Generator[None]:
    """Have Ctrl-C, a request to terminate and a terminal that closes ask for the end, on the running loop."""
    if sys.platform == "win32":  # its loops take no handlers, and Ctrl-C raises KeyboardInterrupt
        yield
        return
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, ask)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


@contextmanager
def keys(pressed: Callable[[str], None]) -> Generator[None]:
    """Have `pressed` called for each key on a terminal, at once and without Enter; elsewhere do nothing."""
    # stdin is None in a process that was started without one.
    if sys.platform == "win32" or sys.stdin is None or not sys.stdin.isatty():  # pyright: ignore[reportUnnecessaryComparison]
        yield
        return
    import termios
    import tty

    loop = asyncio.get_running_loop()
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def read() -> None:
        # Not sys.stdin.read: it would keep keys that came together back until the next one.
        typed = os.read(descriptor, 64)
        if not typed:
            loop.remove_reader(descriptor)
        for key in typed.decode(errors="replace"):
            pressed(key)

    try:
        tty.setcbreak(descriptor)
        loop.add_reader(descriptor, read)
        yield
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
