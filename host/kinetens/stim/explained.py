"""Limits and refusals for people: which limit bound, how much was asked for, who set it, and what to do."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kinetens.stim import units, words
from kinetens.stim.arithmetic import arithmetic
from kinetens.stim.plan import StimulationPlan
from kinetens.stim.written import CEILING_LIMITS
from kinetens_protocol import limits
from kinetens_protocol.limits import Bound
from kinetens_protocol.messages import Refusal

_ADVICE: Mapping[int, str] = {
    limits.RMS_DENSITY: "take larger pads, less current, or bursts with longer pauses",
    limits.RMS_CURRENT: "take less current, larger pads, or bursts with longer pauses",
    limits.AVERAGE_CURRENT: "take less current, shorter phases, or fewer pulses",
    limits.POWER_DENSITY: "take larger pads or less current",
    limits.PEAK_CURRENT: "take less current",
    limits.PHASE_CHARGE: "take less current or shorter phases",
    limits.PHASE_WIDTH: "take shorter phases",
    limits.PHASE_WIDTH_LEAST: "take longer phases",
    limits.FREQUENCY: "take a lower frequency",
    limits.FREQUENCY_LEAST: "take a higher frequency",
    limits.SESSION: "take a shorter session",
    limits.TRAIN: "take shorter bursts",
    limits.PAD_AREA_LEAST: "take larger pads",
    limits.MODULATION_DEPTH: "modulate less",
    limits.MODULATION_PERIOD_LEAST: "modulate more slowly",
    limits.SLEW: "modulate less or more slowly",
    limits.STEP: "modulate less or more slowly",
    limits.CONTACT_LEAST: "let more of the pads touch the skin",
}
_KEY_OF = {code: key for key, code in CEILING_LIMITS.items()}


@dataclass(frozen=True, slots=True)
class Explained:
    """One limit that a plan passes."""

    limit: str
    asked: str
    allowed: str
    source: str
    working: tuple[str, ...]
    advice: str

    @property
    def sentence(self) -> str:
        """What bound and who set it."""
        return f"{self.limit} would be {self.asked}; {self.source} allows {self.allowed}"


@dataclass(frozen=True, slots=True)
class Row:
    """One effective limit."""

    code: int
    limit: str
    value: str
    source: str


def explain(plan: StimulationPlan, refusal: Refusal) -> Explained:
    """A refusal of a plan with the numbers that led to it."""
    limit = limits.BY_CODE[refusal.subject]
    value, bound = refusal.value, refusal.bound
    return Explained(
        limit=limit.name,
        asked=words.quantity(limit.code, value),
        allowed=f"{'at least' if limit.is_floor else 'at most'} {words.quantity(limit.code, bound)}",
        source=limits.SOURCES[refusal.source],
        working=_working(plan, limit.code),
        advice=_advice(refusal),
    )


def rows(bounds: Mapping[int, Bound], board: str | None = None) -> list[Row]:
    """Effective limits for people; `board` names the board where it is known."""
    sources = {**limits.SOURCES, **({limits.BOARD: f"the board '{board}'"} if board else {})}
    return [
        Row(
            code,
            limits.BY_CODE[code].name,
            f"{'at least' if limits.BY_CODE[code].is_floor else 'at most'} {words.quantity(code, bound.value)}",
            sources[bound.source],
        )
        for code, bound in bounds.items()
    ]


def _working(plan: StimulationPlan, code: int) -> tuple[str, ...]:
    """The steps of the arithmetic that lead to a limit's quantity."""
    needed = _STEPS_OF.get(code, ())
    return tuple(
        f"{step.name} {step.working} = {step.value}"
        for step in arithmetic(plan.program)
        if step.name in needed
    )


_STEPS_OF: Mapping[int, Iterable[str]] = {
    limits.PHASE_CHARGE: ("phase charge",),
    limits.SLEW: ("modulation rise",),
    limits.STEP: ("modulation rise",),
    limits.RMS_CURRENT: ("duty", "rms current"),
    limits.AVERAGE_CURRENT: ("duty", "average current"),
    limits.RMS_DENSITY: ("duty", "rms current", "rms density"),
    limits.POWER_DENSITY: ("duty", "rms current", "power density"),
}


def _advice(refusal: Refusal) -> str:
    limit = limits.BY_CODE[refusal.subject]
    advice = _ADVICE[limit.code]
    key = _KEY_OF.get(limit.code)
    within_envelope = not limits.stricter(limit, limit.hard, refusal.value)
    if key and refusal.source == limits.PLAN and within_envelope:
        kind = units.of_limit(limit.code)
        advice += f', or set {key} = "{units.text(kind, refusal.value)}" or more in [limits]'
    return advice
