"""A stimulation plan: the programme, the pads, the ceilings, and the arithmetic shown in words."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kinetens.errors import StimulationRefused
from kinetens.stim import words
from kinetens.stim.arithmetic import arithmetic
from kinetens_protocol import limits, stimulation
from kinetens_protocol.limits import Bound, Program
from kinetens_protocol.messages import Refusal

_UNLIMITED = 0xFFFF_FFFF
Modulation = Literal["none", "rate", "width", "amplitude"]
_MODULATIONS: dict[Modulation, int] = {
    "none": limits.STEADY,
    "rate": limits.MODULATED_RATE,
    "width": limits.MODULATED_WIDTH,
    "amplitude": limits.MODULATED_AMPLITUDE,
}
_CEILINGS = {limit.name.replace(" ", "_"): limit for limit in limits.LIMITS}


class StimulationPlan(BaseModel):
    """What a member may be given. Refuses unknown keys, NaN, infinite and negative values.

    current_ma is the most that the member may choose, start_ma where the output rises to by itself (to
    current_ma without it).
    Without a burst the pulses come evenly at frequency_hz; with one, frequency_hz is the rate within a burst.
    ceilings override the default plan's, by the limit's name with underscores and in the envelope's unit
    (limits.LIMITS). modulation swings rate, width or amplitude down by modulation_depth and back once in
    modulation_period_s, so that nerves do not get used to it. answers_ok: the member has answered the
    contraindication questions and no answer forbids the plan. during_movement: the plan permits stimulation
    while the member moves.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str
    current_ma: float = Field(gt=0, le=1000)
    start_ma: float | None = Field(default=None, gt=0, le=1000)
    phase_us: int = Field(gt=0, le=65_535)
    gap_us: int = Field(default=50, ge=0, le=65_535)
    frequency_hz: float = Field(gt=0, le=1e6)
    burst_pulses: int = Field(default=0, ge=0, le=65_535)
    burst_frequency_hz: float = Field(default=0, ge=0, le=1e6)
    minutes: float = Field(gt=0, le=1440)
    pad_area_cm2: float = Field(gt=0, le=10_000)
    contact: float = Field(default=1.0, gt=0, le=1)
    lease_s: float = Field(default=1.0, gt=0, le=60)
    modulation: Modulation = "none"
    modulation_depth: float = Field(default=0, ge=0, le=1)
    modulation_period_s: float = Field(default=0, ge=0, le=65)
    ceilings: Mapping[str, int] = Field(default_factory=dict[str, int])
    answers_ok: bool = False
    during_movement: bool = False

    @property
    def program(self) -> Program:
        """The programme in the protocol's integer units."""
        return Program(
            current_ua=round(self.current_ma * 1000),
            phase_us=self.phase_us,
            gap_us=self.gap_us,
            rate_mhz=round(self.frequency_hz * 1000),
            burst_pulses=self.burst_pulses,
            burst_rate_mhz=round(self.burst_frequency_hz * 1000),
            session_ms=round(self.minutes * 60_000),
            pad_area_mm2=round(self.pad_area_cm2 * 100),
            contact_permille=round(self.contact * 1000),
            modulation=_MODULATIONS[self.modulation],
            modulation_depth_permille=round(self.modulation_depth * 1000),
            modulation_period_ms=round(self.modulation_period_s * 1000),
        )

    @property
    def start_ua(self) -> int:
        """The level to which the output rises by itself, in µA."""
        return round((self.current_ma if self.start_ma is None else self.start_ma) * 1000)

    @property
    def flags(self) -> int:
        """What a Configure says beside the programme."""
        answers = stimulation.ANSWERS_OK if self.answers_ok else 0
        return answers | stimulation.DURING_MOVEMENT if self.during_movement else answers

    @property
    def limits(self) -> dict[int, int]:
        """The limits that the plan narrows, by code.

        Raises StimulationRefused for a ceiling that does not exist.
        """
        values = limits.default_plan()
        for name, value in self.ceilings.items():
            if name not in _CEILINGS:
                raise StimulationRefused(
                    f"plan '{self.name}' has a ceiling '{name}'; it can be {', '.join(sorted(_CEILINGS))}"
                )
            values[_CEILINGS[name].code] = value
        return {code: value for code, value in values.items() if _narrows(code, value)}

    def effective(self, board: Mapping[int, int] | None = None) -> dict[int, Bound]:
        """The effective limits on a board (its narrowed limits by code)."""
        program = self.program
        return limits.effective(
            dict(board or {}), self.limits, program.pad_area_mm2, program.contact_permille
        )

    def check(self, bounds: dict[int, Bound] | None = None) -> None:
        """Raises StimulationRefused, with the arithmetic, when the programme passes a limit."""
        refusal = limits.check(self.program, bounds or self.effective())
        if refusal:
            raise StimulationRefused(
                f"plan '{self.name}' is refused: {words.limit_refusal(refusal)} "
                f"({'; '.join(self.arithmetic())})"
            )

    def refusals(self, bounds: dict[int, Bound]) -> list[Refusal]:
        """Every limit that the programme passes, in the order in which `check` would find them."""
        found: list[Refusal] = []
        left = dict(bounds)
        while refusal := limits.check(self.program, left):
            found.append(refusal)
            bound = left[refusal.subject]
            lifted = bound._replace(value=0 if limits.BY_CODE[bound.code].is_floor else _UNLIMITED)
            if bound == lifted:  # pulses that do not fit their rate: no limit that could be lifted
                break
            left[refusal.subject] = lifted
        return found

    def arithmetic(self) -> list[str]:
        """How the programme's quantities follow from each other, one step a line."""
        return [f"{step.name} {step.working} = {step.value}" for step in arithmetic(self.program)]


def default_plan(minutes: float = 20.0, *, answers_ok: bool = False) -> StimulationPlan:
    """Conventional stimulation: 80 Hz, 100 µs, up to 15 mA, pads of 25 cm²."""
    return StimulationPlan(
        name="conventional",
        current_ma=15,
        phase_us=100,
        frequency_hz=80,
        minutes=minutes,
        pad_area_cm2=25,
        answers_ok=answers_ok,
    )


def make_plan(values: Mapping[str, object]) -> StimulationPlan:
    """A plan from plain values. Raises StimulationRefused naming the first value that makes no sense."""
    try:
        return StimulationPlan.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the plan"
        raise StimulationRefused(f"stimulation plan: {where}: {first['msg']}") from error


def _narrows(code: int, value: int) -> bool:
    limit = limits.BY_CODE[code]
    return limits.stricter(limit, value, limit.hard)
