"""The report: one page, the same every time, that says what was found in words, pictures and tables."""

import math
import random
import re
import xml.etree.ElementTree as ET
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from kinetens.errors import OutputNotWritable
from kinetens.report import render_report, write_report
from kinetens.report.plots import clock_text, thinned
from kinetens.session import Session
from kinetens.stim import questions
from kinetens.stim.boards import board_limits
from kinetens.stim.document import plan_document
from kinetens.stim.plan_file import make_plan
from kinetens_protocol import stimulation
from tests.session import made

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Checks that elements nest, and collects identifiers, headings and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.identifiers: list[str] = []
        self.headings: list[int] = []
        self.images: list[str] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if identifier := values.get("id"):
            self.identifiers.append(identifier)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if values.get("role") == "img":
            self.images.append(values.get("aria-label") or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def page_of(path: Path) -> tuple[str, Page]:
    with Session.open(path) as session:
        html = render_report(session)
    return html, Page(html)


def stimulated(folder: Path) -> Path:
    """Stimulation for 10 s, then an exercise from which three frames are lost."""
    others = [
        (
            made.HOST_ZERO_US + tenth * 100_000,
            "stimulation",
            made.stimulation_state(stimulation.RUNNING, min(8_000, tenth * 200), tenth * 8),
        )
        for tenth in range(0, 100, 2)
    ]
    ended = made.stimulation_state(stimulation.RAMPING_DOWN, 0, 800, cause=stimulation.BY_BUTTON)
    others.append((made.HOST_ZERO_US + 10_000_000, "stimulation", ended))
    others.append((made.HOST_ZERO_US + 20_000_000, "control", made.status(20, 2000, refused=2)))
    frames = made.motion_frames(30.0, made.raises(8, 70.0, pause_s=12.0))
    return made.write_session(folder, frames[:140] + frames[143:], others)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Page]:
    return page_of(stimulated(tmp_path_factory.mktemp("report")))


def test_the_headline_says_what_was_found(full: tuple[str, Page]) -> None:
    _, page = full
    for said in (
        "Shoulder abduction",
        "left wrist",
        "Monday 23 November 2026, 10:15 UTC",
        "repetitions were counted",
    ):
        assert said in page.text
    assert re.search(r"median, ± \d+\.\d° \(95 %\); from \d+° to \d+°", page.text)


def test_it_is_no_medical_device(full: tuple[str, Page]) -> None:
    assert "research software, not a medical device" in full[1].text


def test_losses_and_stimulation_are_told(full: tuple[str, Page]) -> None:
    _, page = full
    assert "30 of 3000 samples (1.0 %) never arrived" in page.text
    assert "At most 8.0 mA and 800 pulses" in page.text
    assert "stopped by the device's button" in page.text
    assert "not received" in page.text


def test_nothing_is_fetched_from_anywhere(full: tuple[str, Page]) -> None:
    html, _ = full
    without_names = re.sub(r'xmlns(:\w+)?="[^"]*"', "", html)
    assert "http://" not in without_names
    assert "https://" not in without_names
    assert not re.search(r"<(script|link|iframe|img|image)\b|url\((?!#)|@import", without_names)


def test_pictures_have_words_and_headings_are_in_order(full: tuple[str, Page]) -> None:
    _, page = full
    assert [label.split(":")[0] for label in page.images] == [
        "Movement",
        "Range of motion",
        "Stimulation",
        "Link",
    ]
    assert all(len(label) > 40 for label in page.images)
    assert page.headings[0] == 1
    assert set(page.headings[1:]) == {2}


def test_identifiers_are_unique_and_pictures_are_well_formed(full: tuple[str, Page]) -> None:
    html, page = full
    assert len(page.identifiers) == len(set(page.identifiers))
    pictures = re.findall(r"<svg.*?</svg>", html, flags=re.DOTALL)
    assert len(pictures) == 4
    for picture in pictures:
        ET.fromstring(picture)
        for used in re.findall(r'(?:url\(|xlink:href=")#([\w-]+)', picture):
            assert f'id="{used}"' in picture


def test_the_same_session_gives_the_same_bytes(full: tuple[str, Page], tmp_path: Path) -> None:
    again, _ = page_of(stimulated(tmp_path))
    assert again == full[0]


def test_names_are_escaped(tmp_path: Path) -> None:
    name = '<script>alert("x")</script>'
    html, page = page_of(
        made.write_session(
            tmp_path, [], exercise=name, notes=name, side=name, device={"name": name}, ended=name
        )
    )
    assert "<script" not in html
    assert page.text.count("alert(") >= 4


def sessions_that_are_unusual(folder: Path) -> dict[str, Path]:
    """One session for each thing that a recording can lack."""
    frames = made.motion_frames(20.0, made.raises(5, 50.0))
    generator = random.Random(1)
    noisy = [frame for frame in frames if generator.random() > 0.4]
    one_sample = [(made.HOST_ZERO_US, made.motion_frame(0, made.still, count=1))]
    fault = made.stimulation_state(
        stimulation.FAULT, 0, 10, cause=stimulation.BY_FAULT, fault=stimulation.LEAD_OFF
    )
    running = made.stimulation_state(stimulation.RUNNING, 1_000, 5)
    return {
        "nothing": made.write_session(folder, [], number=1, ended=None),
        "one sample": made.write_session(folder, one_sample, number=2),
        "still": made.write_session(folder, made.motion_frames(5.0), number=3),
        "one repetition": made.write_session(folder, made.motion_frames(8.0, made.raises(1, 40.0)), number=4),
        "much lost": made.write_session(folder, noisy, number=5, ended=None),
        "late start": made.write_session(folder, frames[150:], number=6),
        "only stimulation": made.write_session(
            folder,
            [],
            [(made.HOST_ZERO_US + 5, "stimulation", running), (made.HOST_ZERO_US + 9, "stimulation", fault)],
            number=7,
        ),
        "no battery": made.write_session(
            folder,
            frames,
            [
                (
                    made.HOST_ZERO_US + 1_000_000,
                    "control",
                    made.status(1, 100, battery_percent=255, faults=1 << 11),
                )
            ],
            number=8,
        ),
        "nonsense": made.write_session(
            folder, [(made.HOST_ZERO_US, b"??")], [(6, "control", b"!")], number=9
        ),
        "nothing named": made.write_session(
            folder, frames, number=10, exercise="", side="", placement="", device={}
        ),
    }


def test_every_session_gives_a_sensible_page(tmp_path: Path) -> None:
    expected = {
        "nothing": ["No movement data arrived", "cut off before it was ended"],
        "one sample": ["No repetition was counted", "All 1 samples arrived"],
        "still": ["No repetition was counted"],
        "one repetition": ["One repetition was counted"],
        "much lost": ["never arrived"],
        "late start": ["never arrived"],
        "only stimulation": ["At most 1.0 mA", "a pad came off"],
        "no battery": ["battery-low"],
        "nonsense": ["No movement data arrived"],
        "nothing named": ["Exercise"],
    }
    for what, path in sessions_that_are_unusual(tmp_path).items():
        html, page = page_of(path)
        for said in expected[what]:
            assert said in page.text, what
        assert not re.search(r"\bnan\b|None|inf\b", page.text), what
        assert len(html) < 500_000


def plan_given() -> dict[str, object]:
    """What a session keeps of a plan."""
    today = date(2026, 11, 23)
    plan = make_plan(kind="kilohertz", name="carrier", member="anna", place="knee", side="left")
    plan = plan.answered(dict.fromkeys(questions.BY_KEY, "no") | {"metal": "yes"}, today)
    return plan_document(plan, plan.stimulation(today), today, board_limits("virtual"), "virtual")


def stimulation_alone(folder: Path) -> Path:
    """Stimulation for 10 s without an exercise."""
    others = [
        (
            made.HOST_ZERO_US + tenth * 100_000,
            "stimulation",
            made.stimulation_state(stimulation.RUNNING, min(8_000, tenth * 200), tenth * 8),
        )
        for tenth in range(0, 100, 2)
    ]
    ended = made.stimulation_state(stimulation.IDLE, 0, 800, cause=stimulation.BY_BUTTON)
    others.append((made.HOST_ZERO_US + 10_000_000, "stimulation", ended))
    return made.write_session(folder, [], others, exercise="stimulation", stream={}, stimulation=plan_given())


def test_stimulation_alone_is_told_with_its_plan_arithmetic_and_answers(tmp_path: Path) -> None:
    html, page = page_of(stimulation_alone(tmp_path))
    for said in (
        "The plan “carrier” was given to anna. At most 8.0 mA and 800 pulses",
        "stopped by the device's button",
        "Bursts of 20 pulses at 5 kHz (4 ms), 50 Hz, up to 15 mA",
        "15 mA × √0.2",
        "Is there metal under the pads",
        "answered on 2026-11-23",
        "the plan's most, 15 mA",
    ):
        assert said in page.text
    assert "No movement data" not in page.text
    assert "Repetitions" not in page.text
    assert [label.split(":")[0] for label in page.images] == ["Stimulation", "Programme"]
    again, _ = page_of(stimulation_alone(tmp_path / "again"))
    assert again == html


def test_a_plan_that_was_not_given_says_so(tmp_path: Path) -> None:
    _, page = page_of(
        made.write_session(tmp_path, [], exercise="stimulation", stream={}, stimulation=plan_given())
    )
    assert "The plan “carrier” was not given to anna." in page.text


def test_a_report_is_replaced_only_when_forced(tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    with Session.open(made.write_exercise(tmp_path)) as session:
        write_report(session, out)
        with pytest.raises(OutputNotWritable, match="exists already"):
            write_report(session, out)
        write_report(session, out, force=True)
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_long_curve_is_thinned_and_keeps_its_peaks_and_gaps() -> None:
    x = np.arange(100_000.0)
    y = np.sin(x / 1000.0)
    y[12_345] = 5.0
    y[50_000] = math.nan
    thin_x, thin_y = thinned(x, y)
    assert len(thin_x) <= 3001
    assert np.nanmax(thin_y) == 5.0
    assert np.count_nonzero(np.isnan(thin_y)) == 1
    assert np.all(np.diff(thin_x) > 0)


@pytest.mark.parametrize(
    ("time_s", "text"), [(0.0, "0:00"), (75.0, "1:15"), (75.5, "1:15.5"), (59.96, "1:00"), (-3.0, "−0:03")]
)
def test_times_are_minutes_and_seconds(time_s: float, text: str) -> None:
    assert clock_text(time_s) == text
