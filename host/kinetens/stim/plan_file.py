"""Reading and writing the files of stimulation plans."""

import textwrap
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import tomlkit
from pydantic import BaseModel, ValidationError
from tomlkit.items import Table

from kinetens.errors import InvalidInput
from kinetens.stim import questions, units
from kinetens.stim.written import PROGRAMMES, WrittenPlan
from kinetens.toml_file import TomlInvalid, problems, read_toml
from kinetens_protocol import limits

_WIDTH = 100
_COMMENTS = {
    "plan": "Whose plan this is. device: the serial number of the only device that may give it (kinetens info).",
    "programme": "What is given: conventional (even pulses), bursts, or kilohertz (a carrier in bursts of 2 to 4 ms). "
    "current is the most the member may choose; it begins at start.",
    "pads": "The smallest pad: round, square or rectangle with its size, or other with its area.",
    "placement": "Where both pads lie: one place, one side of the body.",
    "dose": "How long, and how often; what is not said is as the envelope has it.",
    "limits": "What differs from the default plan; never above the envelope.",
    "answers": "What the member answered, and when.",
}

_STARTING: Mapping[str, Mapping[str, Any]] = {
    "conventional": {"current": "15 mA", "phase": "100 us", "gap": "50 us", "frequency": "80 Hz"},
    "bursts": {
        "current": "15 mA",
        "phase": "100 us",
        "gap": "50 us",
        "frequency": "100 Hz",
        "burst_pulses": 8,
        "burst_frequency": "2 Hz",
    },
    "kilohertz": {"current": "15 mA", "carrier": "5 kHz", "burst": "4 ms", "burst_frequency": "50 Hz"},
}
"""Programmes to start from."""


class PlanInvalid(InvalidInput):
    """A plan's file is not one. `problems` are all sentences, each naming key and line where there is one."""

    def __init__(self, path: Path, problems: Iterable[str]) -> None:
        self.path = path
        self.problems = tuple(problems)
        more = len(self.problems) - 1
        also = f"; and {more} more: see kinetens stim plan check {path}" if more else ""
        super().__init__(f"{path}: {self.problems[0]}{also}")


def load_plan(path: Path) -> WrittenPlan:
    """Read a plan. Its limits are not looked at. Raises PlanInvalid with everything that is wrong."""
    try:
        text, content = read_toml(path)
    except TomlInvalid as error:
        raise PlanInvalid(path, [str(error)]) from error
    try:
        return WrittenPlan.model_validate(content)
    except ValidationError as error:
        raise PlanInvalid(path, problems(error, text, "a stimulation plan", PROGRAMMES)) from error


def make_plan(
    *,
    kind: str,
    name: str,
    member: str,
    place: str,
    side: str | None = None,
    device: str = "",
    current: str | None = None,
    session: str | None = None,
) -> WrittenPlan:
    """A careful plan to start from, for pads of 5 cm. Raises InvalidInput naming what makes no sense."""
    content = {
        "plan": {"name": name, "member": member, "device": device},
        "programme": {"kind": kind, **_STARTING[kind], **({"current": current} if current else {})},
        "pads": {"shape": "square", "width": "5 cm"},
        "placement": {"place": place, **({"side": side} if side else {})},
        "dose": {"session": session or "20 min"},
    }
    try:
        return WrittenPlan.model_validate(content)
    except ValidationError as error:
        raise InvalidInput(problems(error, "", "a stimulation plan", PROGRAMMES)[0]) from error


def plan_text(plan: WrittenPlan) -> str:
    """A plan as TOML with a comment above each table; reading it gives the plan back."""
    document = tomlkit.document()
    document.add(tomlkit.comment("A stimulation plan of kinetens: research software, not a medical device."))
    document.add(tomlkit.comment("kinetens stim plan check says whether it keeps the limits."))
    for name, content in plain(plan).items():
        document.add(name, _table(content, _COMMENTS[name]))
    return tomlkit.dumps(document)


def text_with_answers(path: Path, answers: Mapping[str, str], today: date) -> str:
    """A plan's file with a member's answers in it and all else as it is. Raises PlanInvalid."""
    load_plan(path)
    document = tomlkit.parse(path.read_text(encoding="utf-8-sig"))
    document.pop("answers", None)
    document.add("answers", _table({"answered_on": today, **answers}, _COMMENTS["answers"]))
    return tomlkit.dumps(document)


def plain(plan: WrittenPlan) -> dict[str, dict[str, Any]]:
    """A plan's tables and keys as they stand in its file, without those that say nothing."""
    tables: dict[str, dict[str, Any]] = {}
    for name in type(plan).model_fields:
        table: BaseModel | None = getattr(plan, name)
        content = _content(table) if table is not None else {}
        if content:
            tables[name] = content
    return tables


def _content(table: BaseModel) -> dict[str, Any]:
    content: dict[str, Any] = {}
    fields = type(table).model_fields
    for name in sorted(fields, key=lambda name: name != "kind"):
        field, value = fields[name], getattr(table, name)
        if value is None or value in ("", ()):
            continue
        kind = _KINDS.get(name)
        content[field.alias or name] = value if kind is None else units.text(kind, value)
    return content


_KINDS: Mapping[str, units.Kind] = {
    "current_ua": units.CURRENT,
    "start_ua": units.CURRENT,
    "phase_us": units.WIDTH,
    "gap_us": units.WIDTH,
    "frequency_mhz": units.FREQUENCY,
    "burst_frequency_mhz": units.FREQUENCY,
    "carrier_mhz": units.FREQUENCY,
    "burst_ms": units.TIME,
    "modulation_depth_permille": units.SHARE,
    "modulation_period_ms": units.TIME,
    "width_um": units.LENGTH,
    "length_um": units.LENGTH,
    "area_mm2": units.AREA,
    "contact_permille": units.SHARE,
    "session_ms": units.TIME,
    "rest_ms": units.TIME,
    "time_a_day_ms": units.TIME,
    "phase_charge": units.of_limit(limits.PHASE_CHARGE),
    "rms_density": units.of_limit(limits.RMS_DENSITY),
    "rms_current": units.of_limit(limits.RMS_CURRENT),
    "average_current": units.of_limit(limits.AVERAGE_CURRENT),
    "step": units.of_limit(limits.STEP),
}
"""The fields that hold a quantity."""


def _table(content: Mapping[str, Any], comment: str) -> Table:
    table = tomlkit.table()
    for line in textwrap.wrap(comment, _WIDTH):
        table.add(tomlkit.comment(line))
    for key, value in content.items():
        table.add(key, value)
        if key in questions.BY_KEY:
            table[key].comment(questions.BY_KEY[key].text)
    return table
