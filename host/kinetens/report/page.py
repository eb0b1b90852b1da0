"""From a session to one self-contained HTML page."""

from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from kinetens.report import content, plots, stimulation, stimulation_plots
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
    states = session.stimulation()
    statuses = session.statuses()
    fault_word = 0
    for timed in statuses:
        fault_word |= timed.status.faults
    alone = stimulation.is_alone(session)
    movement_tables = [] if alone else [content.repetition_table(analysis), content.sample_table(analysis)]
    return _TEMPLATES.get_template("page.html.j2").render(
        exercise=content.exercise_title(session.header.exercise),
        when=content.when_text(session),
        where=content.where_text(session),
        notice=content.NOTICE,
        summary=stimulation.summary_text(session, states)
        if alone
        else content.summary_text(session, analysis),
        tiles=stimulation.tiles(session, states) if alone else content.tiles(analysis),
        pictures=_pictures(session, analysis, states),
        tables=[
            table
            for table in (
                *movement_tables[:1],
                *stimulation.tables(session, states),
                *movement_tables[1:],
                content.event_table(session),
                content.origin_table(session, fault_word),
            )
            if table.rows
        ],
    )


def _pictures(session: Session, analysis: Analysis, states: list[TimedState]) -> list[Picture]:
    counted = (("repetition", "counted repetition"),) * bool(analysis.repetitions)
    unknown = (("unknown", "not received"),) * bool(analysis.samples.missing)
    extent_s = _movement_extent(analysis)
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
    pictures += _stimulation_pictures(session, analysis, states)
    if len(analysis.samples):
        link = link_quality(analysis.samples, session.statuses())
        text = content.link_text(analysis, link)
        svg = Markup(plots.link_plot(link, extent_s))
        legend = (("delay", "typical delay"), ("longest", "longest delay"))
        pictures.append(Picture("Link", text, f"losses, delay and battery over time. {text}", svg, legend))
    return pictures


def _stimulation_pictures(session: Session, analysis: Analysis, states: list[TimedState]) -> list[Picture]:
    program = session.header.stimulation.get("program")
    pictures: list[Picture] = []
    if any(state.state.level_ua for state in states):
        extent_s = (states[0].time_s, states[-1].time_s)
        during = [
            one for one in analysis.repetitions if one.start_s < extent_s[1] and one.end_s > extent_s[0]
        ]
        text = stimulation.stimulation_text(states)
        most_ua = program["current_ua"] if program else None
        svg = Markup(stimulation_plots.current_plot(states, during, extent_s, most_ua))
        legend = (("current", "current"), ("asked", "asked for"))
        legend += (("repetition", "counted repetition"),) * bool(during)
        pictures.append(Picture("Stimulation", text, f"current over time. {text}", svg, legend))
    if program:
        text = session.header.stimulation["programme"]
        svg = Markup(stimulation_plots.pulse_plot(program))
        pictures.append(Picture("Programme", text, f"one pulse and the rhythm. {text}", svg))
    return pictures


def _movement_extent(analysis: Analysis) -> plots.Extent:
    """From the first thing to the last that a picture of the movement shows, in s."""
    times_s: list[float] = analysis.samples.host_time_s[[0, -1]].tolist() if len(analysis.samples) else []
    times_s += [edge for gap in analysis.samples.missing for edge in (gap.start_s, gap.end_s)]
    return (min(times_s), max(times_s)) if times_s else (0.0, 1.0)
