"""The report's pictures of stimulation as SVG."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kinetens.motion.repetitions import Repetition
from kinetens.report import plots
from kinetens.report.plots import INK, QUIET, STIMULATION, STIMULATION_PALE, WARNING, Extent
from kinetens.session.statuses import TimedState
from kinetens_protocol import limits, stimulation

_RHYTHM_PERIODS = 3
_PULSE_ROOM = 0.35


def current_plot(
    states: Sequence[TimedState],
    repetitions: Sequence[Repetition],
    extent_s: Extent,
    most_ua: int | None,
) -> str:
    """Current over time with what was asked for and the plan's ceiling; repetitions and faults are tinted."""
    with mpl.rc_context(plots.STYLE):
        figure, (axes,) = plots.new_figure(2.2)
        times_s = np.array([timed.time_s for timed in states] + [max(extent_s[1], states[-1].time_s)])
        last = states[-1].state
        level_ma = np.array([timed.state.level_ua for timed in states] + [last.level_ua]) / 1000.0
        target_ma = np.array([timed.state.target_ua for timed in states] + [last.target_ua]) / 1000.0
        running = np.array([timed.state.state == stimulation.RUNNING for timed in states] + [False])
        plots.tint(axes, plots.spans(repetitions), **plots.REPETITION)
        faults = [(timed.time_s, extent_s[1]) for timed in states if timed.state.state == stimulation.FAULT][
            :1
        ]
        plots.tint(axes, faults, facecolor="#fbe9e7", edgecolor=WARNING, linewidth=0.6)
        axes.fill_between(times_s, level_ma, step="post", color=STIMULATION_PALE, linewidth=0)
        axes.step(
            times_s,
            np.where(running, target_ma, np.nan),
            where="post",
            color=QUIET,
            linewidth=0.8,
            linestyle=":",
        )
        axes.step(times_s, level_ma, where="post", color=STIMULATION, linewidth=1.4)
        top_ma = max(1.0, float(np.max(level_ma)))
        if most_ua is not None:
            top_ma = max(top_ma, most_ua / 1000.0)
            _ceiling(axes, most_ua / 1000.0)
        axes.set_ylim(0.0, top_ma * 1.18)
        axes.set_ylabel("peak current, mA")
        plots.time_axis(axes, extent_s)
        return plots.svg(figure, "stimulation")


def pulse_plot(program: Mapping[str, int]) -> str:
    """One pulse of a programme at its full current, and how pulses or bursts follow each other."""
    with mpl.rc_context({**plots.STYLE, "axes.grid": False}):
        figure = Figure(figsize=(plots.WIDTH_IN, 1.75))
        pulse, rhythm = figure.subplots(1, 2, gridspec_kw={"width_ratios": [1, 1.35]})
        figure.subplots_adjust(left=0.62 / plots.WIDTH_IN, right=0.992, bottom=0.27, top=0.9, wspace=0.16)
        current_ma = program["current_ua"] / 1000
        _draw_pulse(pulse, program, current_ma)
        _draw_rhythm(rhythm, program, current_ma)
        return plots.svg(figure, "pulse")


def _ceiling(axes: Axes, most_ma: float) -> None:
    axes.axhline(most_ma, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.annotate(
        f"the plan's most, {most_ma:g} mA",
        (0.995, most_ma),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right",
        fontsize=8,
        color=INK,
    )


def _draw_pulse(axes: Axes, program: Mapping[str, int], current_ma: float) -> None:
    width, gap = program["phase_us"], program["gap_us"]
    whole = limits.PHASES * width + gap
    room = _PULSE_ROOM * whole
    edges = [-room, 0, width, width + gap, whole, whole + room]
    axes.stairs([0, current_ma, 0, -current_ma, 0], edges, baseline=0, fill=True, color=STIMULATION_PALE)
    axes.stairs([0, current_ma, 0, -current_ma, 0], edges, baseline=None, color=STIMULATION, linewidth=1.4)
    for start, level in ((0, current_ma), (width + gap, -current_ma)):
        axes.annotate(
            f"{width} µs", (start + width / 2, level / 2), ha="center", va="center", fontsize=8, color=INK
        )
    axes.set_xlim(-room, whole + room)
    axes.set_ylim(-1.2 * current_ma, 1.2 * current_ma)
    axes.set_yticks([-current_ma, 0, current_ma])
    axes.tick_params(length=0)
    axes.set_xticks([0, width, width + gap, whole] if gap else [0, width, whole])
    axes.set_xlabel("one pulse, µs")
    axes.set_ylabel("mA")


def _draw_rhythm(axes: Axes, program: Mapping[str, int], current_ma: float) -> None:
    in_bursts = program["burst_pulses"] > 0
    period_ms = limits.period_us(program["burst_rate_mhz" if in_bursts else "rate_mhz"]) / 1000
    on_ms = program["burst_pulses"] * limits.period_us(program["rate_mhz"]) / 1000
    for number in range(_RHYTHM_PERIODS):
        start_ms = number * period_ms
        if in_bursts:
            axes.broken_barh(
                [(start_ms, on_ms)], (-current_ma, 2 * current_ma), color=STIMULATION, linewidth=0
            )
        else:
            axes.vlines(start_ms, -current_ma, current_ma, color=STIMULATION, linewidth=1.6)
    axes.axhline(0, color=STIMULATION, linewidth=1.0)
    axes.set_xlim(-0.06 * period_ms, (_RHYTHM_PERIODS - 0.3) * period_ms)
    axes.set_ylim(-1.2 * current_ma, 1.2 * current_ma)
    axes.set_yticks([])
    axes.tick_params(length=0)
    axes.set_xticks([round(number * period_ms, 3) for number in range(_RHYTHM_PERIODS)])
    axes.set_xlabel(f"{'bursts' if in_bursts else 'pulses'}, ms")
