"""The report's pictures as SVG: the same session always gives the same bytes."""

import re
from collections.abc import Sequence
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from kinetens.motion.repetitions import Repetition
from kinetens.report.link import LinkQuality
from kinetens.session.analysis import Analysis

INK = "#1f2d3a"
QUIET = "#64748b"
LINE = "#d8dee6"
MOTION = "#0f766e"
MOTION_PALE = "#dcefec"
REPETITION: Any = {"facecolor": MOTION_PALE, "edgecolor": "white", "linewidth": 0.8}
STIMULATION = "#b45309"
STIMULATION_PALE = "#fbeedd"
UNKNOWN = "#e5e7eb"
DELAY_PALE = "#e3e8ee"
WARNING = "#b42318"

Extent = tuple[float, float]
"""Start and end of a session's pictures in s."""

WIDTH_IN = 7.6
NUMBER_IN = 0.22
"""Room that a number needs."""
LEAST_RANGE_DEG = 20.0
MOST_POINTS = 3000
"""More points than this are thinned to the extremes of as many slices."""

STYLE: Any = {
    "svg.hashsalt": "kinetens",
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and takes the page's font
    "font.size": 9.0,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": QUIET,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "ytick.left": False,
    "hatch.color": "#a3acb8",
    "hatch.linewidth": 0.6,
}


def angle_plot(analysis: Analysis, extent_s: Extent) -> str:
    """The movement angle over time, repetitions tinted and numbered, unknown parts hatched."""
    with mpl.rc_context(STYLE):
        figure, (axes,) = new_figure(2.7)
        time_s, angle_deg = thinned(analysis.trace_s, np.degrees(analysis.angle_rad))
        tint(axes, spans(analysis.repetitions), **REPETITION)
        gaps = [(gap.start_s, gap.end_s) for gap in analysis.samples.missing]
        tint(axes, gaps, facecolor=UNKNOWN, hatch="////", edgecolor="#a3acb8", linewidth=0)
        axes.plot(time_s, angle_deg, color=MOTION, linewidth=1.3, solid_joinstyle="round")
        _number_turns(axes, analysis, extent_s)
        axes.margins(y=0.16)
        _at_least(axes, LEAST_RANGE_DEG)
        axes.set_ylabel("angle, degrees")
        time_axis(axes, extent_s)
        return svg(figure, "angle")


def range_plot(repetitions: Sequence[Repetition]) -> str:
    """Range of motion of each repetition with its 95 % interval, and the median."""
    with mpl.rc_context(STYLE):
        figure, (axes,) = new_figure(2.3)
        numbers = np.arange(1, len(repetitions) + 1)
        ranges = np.degrees([repetition.range_of_motion_rad for repetition in repetitions])
        errors = np.degrees([repetition.uncertainty_rad for repetition in repetitions])
        axes.bar(numbers, ranges, width=0.62, color=MOTION_PALE, linewidth=0)
        axes.errorbar(
            numbers, ranges, errors, fmt="o", color=MOTION, markersize=4, elinewidth=1.1, capsize=2.2
        )
        median = float(np.median(ranges))
        axes.axhline(median, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
        axes.set_xlim(0.4, len(repetitions) + 0.6)
        axes.set_ylim(0.0, float(np.max(ranges + errors)) * 1.15)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=25, integer=True, min_n_ticks=1))
        axes.set_xlabel("repetition")
        axes.set_ylabel("range of motion, degrees")
        return svg(figure, "range")


def link_plot(link: LinkQuality, extent_s: Extent) -> str:
    """Delay and, where there are any, samples lost in each second and the battery."""
    with mpl.rc_context(STYLE):
        has_losses, has_battery = bool(np.any(link.missing)), len(link.battery_s) > 0
        rows = 1 + has_losses + has_battery
        figure, panels = new_figure(0.7 + 1.0 * rows, rows)
        edges_s = np.append(link.second_s, link.second_s[-1] + 1.0)
        if has_losses:
            panels[0].stairs(link.missing, edges_s, fill=True, color=WARNING)
            panels[0].set_ylim(0.0, max(1.0, float(np.max(link.missing)) * 1.15))
            panels[0].yaxis.set_major_locator(MaxNLocator(nbins=3, integer=True, min_n_ticks=1))
            panels[0].set_ylabel("lost samples\na second")
        delay = panels[int(has_losses)]
        delay.stairs(link.longest_delay_ms, edges_s, fill=True, color=DELAY_PALE)
        delay.stairs(link.typical_delay_ms, edges_s, color=MOTION, linewidth=1.2, baseline=None)
        delay.set_ylim(0.0, max(10.0, 1.1 * float(np.nanmax(link.longest_delay_ms, initial=0.0))))
        delay.set_ylabel("delay, ms")
        if has_battery:
            panels[-1].step(link.battery_s, link.battery_percent, where="post", color=INK, linewidth=1.2)
            panels[-1].set_ylim(0.0, 105.0)
            panels[-1].set_ylabel("battery, %")
        time_axis(panels[-1], extent_s)
        return svg(figure, "link")


def thinned(
    x: NDArray[np.float64], y: NDArray[np.float64], most: int = MOST_POINTS
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """At most `most` points of a curve that keep its peaks and its NaN gaps."""
    if len(x) <= most:
        return x, y
    keep: set[int] = set(np.flatnonzero(np.isnan(y)).tolist())
    for part in np.array_split(np.arange(len(x)), most // 2):
        known = part[~np.isnan(y[part])]
        if len(known):
            keep |= {int(known[np.argmin(y[known])]), int(known[np.argmax(y[known])])}
    order = sorted(keep)
    return x[order], y[order]


def new_figure(height_in: float, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """An empty figure whose plots begin and end at the same place in every picture."""
    figure = Figure(figsize=(WIDTH_IN, height_in))
    figure.subplots_adjust(
        left=0.62 / WIDTH_IN,
        right=1.0 - 0.06 / WIDTH_IN,
        bottom=0.46 / height_in,
        top=1.0 - 0.08 / height_in,
        hspace=0.28,
    )
    panels: list[Axes] = []
    for row in range(rows):
        panels.append(figure.add_subplot(rows, 1, row + 1, sharex=panels[0] if panels else None))
    for panel in panels[:-1]:
        panel.tick_params(labelbottom=False)
        panel.tick_params(length=0)
    return figure, panels


def spans(repetitions: Sequence[Repetition]) -> list[tuple[float, float]]:
    return [(repetition.start_s, repetition.end_s) for repetition in repetitions]


def tint(axes: Axes, spans_s: Sequence[tuple[float, float]], **style: Any) -> None:
    """Colour spans of time over the whole height."""
    if spans_s:
        widths = [(start_s, end_s - start_s) for start_s, end_s in spans_s]
        axes.broken_barh(widths, (0.0, 1.0), transform=axes.get_xaxis_transform(), zorder=0.5, **style)


def _at_least(axes: Axes, height: float) -> None:
    """Do not magnify noise."""
    low, high = axes.get_ylim()
    missing = max(0.0, height - (high - low))
    axes.set_ylim(low - missing / 2, high + missing / 2)


def _number_turns(axes: Axes, analysis: Analysis, extent_s: Extent) -> None:
    """The number of a repetition above its turn; where they would touch, only every second, fifth, …"""
    if not analysis.repetitions:
        return
    turns_s = [repetition.turn_s for repetition in analysis.repetitions]
    apart_in = (
        WIDTH_IN * float(np.median(np.diff(turns_s))) / (extent_s[1] - extent_s[0]) if turns_s[1:] else 1.0
    )
    every = next((n for n in (1, 2, 5, 10, 20, 50, 100) if n * apart_in > NUMBER_IN), 500)
    angles_deg = np.degrees(np.interp(turns_s, analysis.trace_s, analysis.angle_rad))
    axes.plot(turns_s, angles_deg, "o", color=MOTION, markersize=3.2)
    for number, (turn_s, angle_deg) in enumerate(zip(turns_s, angles_deg.tolist(), strict=True), start=1):
        if number % every == 0:
            axes.annotate(
                str(number),
                (turn_s, angle_deg),
                xytext=(0, 5),
                textcoords="offset points",
                ha="center",
                fontsize=8,
                color=INK,
            )


def time_axis(axes: Axes, extent_s: Extent) -> None:
    """Minutes and seconds since the session was created."""
    start_s, end_s = extent_s
    margin_s = 0.01 * max(end_s - start_s, 1.0)
    axes.set_xlim(start_s - margin_s, end_s + margin_s)
    axes.xaxis.set_major_formatter(FuncFormatter(_tick_text))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, steps=[1, 1.5, 2, 3, 6, 10]))
    axes.set_xlabel("time, minutes : seconds")


def _tick_text(time_s: float, _position: int | None) -> str:
    return clock_text(time_s)


def clock_text(time_s: float) -> str:
    """75.5 s as 1:15.5, and 75 s as 1:15."""
    sign = "−" if time_s < 0 else ""
    minutes, seconds = divmod(round(abs(time_s), 1), 60)
    return (
        f"{sign}{int(minutes)}:{seconds:02.0f}"
        if seconds % 1 == 0
        else f"{sign}{int(minutes)}:{seconds:04.1f}"
    )


def svg(figure: Figure, prefix: str) -> str:
    """The figure as an <svg> element to stand in a page, its identifiers made unique by the prefix."""
    text = StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    return re.sub(r'(url\(|xlink:href=")#', rf"\1#{prefix}-", svg)
