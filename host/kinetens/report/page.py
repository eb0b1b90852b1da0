"""From a session to one self-contained HTML page."""

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from kinetens.report import content, plots
from kinetens.report.link import link_quality
from kinetens.session.analysis import Analysis, analyze
from kinetens.session.output import check_output, whole_file
from kinetens.session.reader import Session
from kinetens.session.statuses import TimedState

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot and its words; `alt` is what it shows, for those who do not see it."""

    title: str
    text: str
    alt: str
    svg: Markup
    legend: tuple[tuple[str, str], ...] = ()


def write_report(session: Session, out: Path, force: bool = False) -> None:
    """Write a session's report to a file.

    Raises:
        OutputNotWritable: the file exists and `force` is not set, or it cannot be written.
        SessionDamaged: the session cannot be read.
    """
    check_output(out, force)
    page = render_report(session)
    with whole_file(out, force) as part:
        part.write_text(page, encoding="utf-8")


def render_report(session: Session) -> str:
    """The page as HTML; a session always gives the same."""
    analysis = analyze(session)
    statuses = session.statuses()
    fault_word = 0
    for timed in statuses:
        fault_word |= timed.status.faults
    return _TEMPLATES.get_template("page.html.j2").render(
        exercise=content.exercise_title(session.header.exercise),
        when=content.when_text(session),
        where=content.where_text(session),
        notice=content.NOTICE,
        summary=content.summary_text(session, analysis),
        tiles=content.tiles(analysis),
        pictures=_pictures(session, analysis),
        tables=[
            table
            for table in (
                content.repetition_table(analysis),
                content.sample_table(analysis),
                content.event_table(session),
                content.origin_table(session, fault_word),
            )
            if table.rows
        ],
    )


def _pictures(session: Session, analysis: Analysis) -> list[Picture]:
    counted = (("repetition", "counted repetition"),) * bool(analysis.repetitions)
    unknown = (("unknown", "not received"),) * bool(analysis.samples.missing)
    states = session.stimulation()
    extent_s = _extent(analysis, states)
    pictures: list[Picture] = []
    if len(analysis.trace_s):
        pictures.append(
            Picture(
                "Movement",
                "The movement angle over time, measured from where repetitions start.",
                content.angle_alt(analysis),
                Markup(plots.angle_plot(analysis, extent_s)),
                counted + unknown,
            )
        )
    if analysis.repetitions:
        pictures.append(
            Picture(
                "Range of motion",
                content.range_text(analysis),
                content.range_alt(analysis),
                Markup(plots.range_plot(analysis.repetitions)),
            )
        )
    if any(state.state.level_ua for state in states):
        text = content.stimulation_text(states)
        svg = Markup(plots.stimulation_plot(states, analysis.repetitions, extent_s))
        pictures.append(Picture("Stimulation", text, f"current over time. {text}", svg, counted))
    if len(analysis.samples):
        link = link_quality(analysis.samples, session.statuses())
        text = content.link_text(analysis, link)
        svg = Markup(plots.link_plot(link, extent_s))
        legend = (("delay", "typical delay"), ("longest", "longest delay"))
        pictures.append(Picture("Link", text, f"losses, delay and battery over time. {text}", svg, legend))
    return pictures


def _extent(analysis: Analysis, states: list[TimedState]) -> plots.Extent:
    """From the first thing to the last that a picture shows, in s."""
    times_s: list[float] = analysis.samples.host_time_s[[0, -1]].tolist() if len(analysis.samples) else []
    times_s += [edge for gap in analysis.samples.missing for edge in (gap.start_s, gap.end_s)]
    times_s += [states[0].time_s, states[-1].time_s] if states else []
    return (min(times_s), max(times_s)) if times_s else (0.0, 1.0)
