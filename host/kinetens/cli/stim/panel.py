"""What a person sees while stimulation is given."""

import json
import time
from contextlib import suppress

import rich_click as click
from rich.align import Align
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel as Box
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from kinetens.stim import words
from kinetens.stim.giving import Giving
from kinetens_protocol import limits, stimulation
from kinetens_protocol.stimulation import State

MORE, LESS = "+=", "-_"
"""Keys with which the member changes the level; any other one stops."""
_BAR = 30
_REDRAW_S = 0.1
_LINE_S = 1.0
_STATE_STYLES = {stimulation.RUNNING: "bold green", stimulation.FAULT: "bold white on red"}
_HOW_TO_STOP = " STOP: press SPACE or ENTER "
_ALSO_STOPS = (
    "Any key but + and − stops; so do the device's button, Ctrl-C, closing this window, a pad taken off."
)
_HOLD_BUTTON = " HOLD THE DEVICE'S BUTTON for half a second to begin "


class Panel:
    """A box on the terminal that follows the stimulation. A terminal that was closed is no longer drawn on."""

    def __init__(self, console: Console, title: str) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._title = title
        self._drawn_s = 0.0
        self._is_gone = False
        self._waits_for_button = False

    def __enter__(self) -> "Panel":
        self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        with suppress(OSError):  # the terminal may be closed
            self._live.stop()

    def on_button_needed(self) -> None:
        """Ask for the button until the output runs."""
        self._waits_for_button = True

    def on_state(self, giving: Giving, state: State) -> None:
        """Draw a state."""
        now_s = time.monotonic()
        if self._is_gone or now_s - self._drawn_s < _REDRAW_S:
            return
        self._drawn_s = now_s
        self._waits_for_button = self._waits_for_button and state.state == stimulation.IDLE
        try:
            self._live.update(draw(self._title, giving, state, self._waits_for_button), refresh=True)
        except OSError:
            self._is_gone = True


class Lines:
    """For programs and logs: a line for each change of state and one a second, as JSON or in words."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._told: tuple[int, float] = (-1, -_LINE_S)

    def on_button_needed(self) -> None:
        """Ask for the button."""
        if not self._as_json:
            click.echo("hold the device's button for half a second to begin", err=True)

    def on_state(self, giving: Giving, state: State) -> None:
        """Write a line if it is time for one."""
        now_s = giving.link.now_us() / 1e6
        changed = state.state != self._told[0]
        if not changed and (not self._as_json or now_s - self._told[1] < _LINE_S):
            return
        self._told = (state.state, now_s)
        if self._as_json:
            click.echo(json.dumps({"time_s": round(now_s, 3), **state_document(giving, state)}))
        else:
            click.echo(f"{words.state(state.state)}, {state.level_ua / 1000:g} mA", err=True)


def state_document(giving: Giving, state: State) -> dict[str, object]:
    """A state with what follows from it, for programs."""
    charge_nc, density = _charge_nc(giving, state), _density(giving, state)
    return {
        "state": words.state(state.state),
        "current_ma": state.level_ua / 1000,
        "goal_ma": giving.controller.goal_ua / 1000,
        "phase_charge_uc": charge_nc / 1000,
        "rms_density_ma_per_cm2": density / 1000,
        "impedance_ohm": state.impedance_ohm,
        "contact_percent": state.contact_permille / 10,
        "pulses": state.pulses,
        "session_s": state.session_ms / 1000,
        "session_left_s": _session_left_ms(giving, state) / 1000,
        "day_left_s": state.day_left_ms / 1000,
        "sessions_left": state.day_sessions_left,
        "lease_left_s": state.lease_left_ms / 1000,
        "cause": words.cause(state.cause),
        "fault": words.fault(state.fault),
    }


def draw(title: str, giving: Giving, state: State, waits_for_button: bool) -> RenderableType:
    """The box of one moment."""
    plan, bounds, goal_ua = giving.plan, giving.controller.limits, giving.controller.goal_ua
    most_ua, lease_ms = plan.program.current_ua, plan.lease_s * 1000
    left_ms, session_ms = _session_left_ms(giving, state), plan.program.session_ms
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", min_width=9)
    table.add_column(min_width=24)
    style = _STATE_STYLES.get(state.state, "bold yellow")
    table.add_row("state", Text(words.state(state.state), style), _why(state))
    table.add_row(
        "current",
        f"{state.level_ua / 1000:.1f} mA, going to {goal_ua / 1000:g}",
        _bar(state.level_ua, most_ua),
        f"at most {most_ua / 1000:g} mA",
    )
    for name, unit, code, value in (
        ("charge", "µC", limits.PHASE_CHARGE, _charge_nc(giving, state)),
        ("density", "mA/cm²", limits.RMS_DENSITY, _density(giving, state)),
    ):
        bound = bounds[code].value
        most = f"at most {words.quantity(code, bound)}"
        table.add_row(name, f"{value / 1000:.2f} {unit}", _bar(value, bound), most)
    table.add_row("contact", f"{state.impedance_ohm} ohm, {state.contact_permille / 10:.0f} % of the pads")
    table.add_row("session", f"{_clock(left_ms)} left", _bar(session_ms - left_ms, session_ms))
    table.add_row(
        "today", f"{state.day_left_ms / 60_000:.0f} min and {state.day_sessions_left} more sessions left"
    )
    table.add_row("lease", f"{state.lease_left_ms / 1000:.1f} s left", _bar(state.lease_left_ms, lease_ms))
    table.add_row("link", "LOST" if giving.link.lost.is_set() else "up")
    stop = Text(_HOW_TO_STOP, "bold white on red")
    lines: list[RenderableType] = [table, Text()]
    if waits_for_button:
        lines.append(Align.center(Text(_HOLD_BUTTON, "bold black on yellow")))
        lines.append(Text())
    lines += [Align.center(stop), Align.center(Text("+ more    − less", "bold"))]
    lines.append(Align.center(Text(_ALSO_STOPS, "dim")))
    return Box(Group(*lines), title=Text(title), border_style="red" if state.level_ua else "dim")


def _why(state: State) -> str:
    if state.fault:
        return words.fault(state.fault)
    idle = state.state in (stimulation.IDLE, stimulation.RAMPING_DOWN)
    return words.cause(state.cause) if idle and state.cause else ""


def _charge_nc(giving: Giving, state: State) -> int:
    return limits.phase_charge_nc(state.level_ua, giving.plan.program.phase_us)


def _density(giving: Giving, state: State) -> int:
    program = giving.plan.program
    rms_ua = limits.rms_ua(state.level_ua, limits.duty_ppm(program))
    return limits.density_ua_per_cm2(rms_ua, program.pad_area_mm2, program.contact_permille)


def _session_left_ms(giving: Giving, state: State) -> int:
    return max(0, giving.plan.program.session_ms - state.session_ms)


def _bar(value: float, most: float) -> ProgressBar:
    return ProgressBar(max(most, 1), min(value, most), width=_BAR)


def _clock(time_ms: float) -> str:
    minutes, seconds = divmod(int(time_ms / 1000), 60)
    return f"{minutes}:{seconds:02}"
