"""A stimulation plan as a therapist writes it: a TOML file, its keys, and what it means.

Every quantity is text with its unit ("15 mA"); the fields here hold it in the envelope's integers. What a file means is
a StimulationPlan, whose arithmetic and limits are the envelope's (kinetens_protocol.limits).
"""

from collections.abc import Mapping
from datetime import date
from math import pi
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from kinetens.stim import places, questions, units
from kinetens.stim.plan import StimulationPlan
from kinetens.toml_file import refuse_relation
from kinetens_protocol import limits

DEFAULT_START_UA = 2_000
"""A level that most people just feel: from there the member raises it."""
CARRIER_BURST_MS = (2, 4)
"""Bursts of a kilohertz carrier (Ward 2009, "Electrical stimulation using kilohertz-frequency alternating current")."""

_FIELD_MOST = 0xFFFF
_WORD_MOST = 0xFFFF_FFFF
_DAY_MS = 86_400_000

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]


def quantity(kind: units.Kind, *, zero: bool = False, most: int = _WORD_MOST) -> Any:
    """A validator for text with a unit. zero: whether nothing of it makes sense."""

    def read(written: object) -> int:
        try:
            value = units.parse(kind, written)
        except units.UnitError as error:
            raise PydanticCustomError("quantity", "{why}", {"why": str(error)}) from error
        if not value and not zero:
            why = f'"{written}" is nothing; write for example "{kind.example}"'
            raise PydanticCustomError("quantity", "{why}", {"why": why})
        if value > most:
            why = f'"{written}" is more than {units.text(kind, most)}, the most that can be said'
            raise PydanticCustomError("quantity", "{why}", {"why": why})
        return value

    return BeforeValidator(read)


def within(code: int) -> AfterValidator:
    """A validator that refuses what allows more than the envelope's limit of this code."""
    limit, kind = limits.BY_CODE[code], units.of_limit(code)

    def check(value: int) -> int:
        if limits.stricter(limit, limit.hard, value):
            least_or_most = "at least" if limit.is_floor else "at most"
            why = (
                f"{units.text(kind, value)} is outside the envelope, which allows {least_or_most} "
                f"{units.text(kind, limit.hard)}"
            )
            raise PydanticCustomError("quantity", "{why}", {"why": why})
        return value

    return AfterValidator(check)


Current = Annotated[int, quantity(units.CURRENT)]
Width = Annotated[int, quantity(units.WIDTH, most=_FIELD_MOST)]
Gap = Annotated[int, quantity(units.WIDTH, zero=True, most=_FIELD_MOST)]
Frequency = Annotated[int, quantity(units.FREQUENCY, most=1_000_000_000)]
Time = Annotated[int, quantity(units.TIME, most=_DAY_MS)]
Length = Annotated[int, quantity(units.LENGTH)]
Area = Annotated[int, quantity(units.AREA, most=_FIELD_MOST)]
Share = Annotated[int, quantity(units.SHARE, most=1000)]
Charge = Annotated[int, quantity(units.CHARGE)]
Density = Annotated[int, quantity(units.DENSITY)]


def _day(written: object) -> object:
    if type(written) is not date:
        why = "is no day; write it without quotes, such as 2026-11-25"
        raise PydanticCustomError("quantity", "{why}", {"why": why})
    return written


def _allowable(key: str) -> str:
    """A question to which the therapist may allow a yes."""
    question = questions.BY_KEY.get(key)
    why = ""
    if question is None:
        why = f"'{key}' is no question; it can be {', '.join(questions.BY_KEY)}"
    elif question.yes_means == questions.REFUSE:
        why = f"'{key}' cannot be allowed: {question.why}"
    if why:
        raise PydanticCustomError("question", "{why}", {"why": why})
    return key


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Head(_Table):
    """Whose plan it is. device: the serial number of the one device that may give it; empty until it is bound."""

    name: Text
    member: Text
    device: Annotated[str, StringConstraints(strip_whitespace=True, max_length=64)] = ""
    therapist: Annotated[str, StringConstraints(strip_whitespace=True, max_length=80)] = ""
    therapist_allows: tuple[Annotated[str, AfterValidator(_allowable)], ...] = ()
    during_exercise: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _therapist_is_named(self) -> Self:
        if self.therapist_allows and not self.therapist:
            refuse_relation("therapist", "is missing, but therapist_allows says that one allowed something")
        return self


class _Programme(_Table):
    """What all programmes have. modulation: what swings down by its depth and back once a period."""

    current_ua: Current = Field(alias="current")
    start_ua: Current | None = Field(alias="start", default=None)
    modulation: Literal["rate", "width", "amplitude"] | None = None
    modulation_depth_permille: Share | None = Field(alias="modulation_depth", default=None)
    modulation_period_ms: Annotated[int, quantity(units.TIME, most=_FIELD_MOST)] | None = Field(
        alias="modulation_period", default=None
    )

    @model_validator(mode="after")
    def _modulation_is_whole(self) -> Self:
        parts = {
            "modulation": self.modulation,
            "modulation_depth": self.modulation_depth_permille,
            "modulation_period": self.modulation_period_ms,
        }
        missing = [key for key, value in parts.items() if value is None]
        if missing and len(missing) < len(parts):
            refuse_relation(missing[0], f"is missing; {', '.join(parts)} go together")
        return self

    @model_validator(mode="after")
    def _starts_below(self) -> Self:
        if self.start_ua is not None and self.start_ua > self.current_ua:
            refuse_relation(
                "start",
                f"{units.text(units.CURRENT, self.start_ua)} is above the plan's current, "
                f"{units.text(units.CURRENT, self.current_ua)}",
            )
        return self

    def swing(self) -> dict[str, Any]:
        """What a StimulationPlan needs to know of the modulation."""
        if self.modulation is None:
            return {}
        return {
            "modulation": self.modulation,
            "modulation_depth": (self.modulation_depth_permille or 0) / 1000,
            "modulation_period_s": (self.modulation_period_ms or 0) / 1000,
        }


class Conventional(_Programme):
    """Even pulses."""

    kind: Literal["conventional"]
    phase_us: Width = Field(alias="phase")
    gap_us: Gap = Field(alias="gap", default=50)
    frequency_mhz: Frequency = Field(alias="frequency")

    def pulses(self) -> dict[str, Any]:
        """What a StimulationPlan needs to know of the pulses."""
        return {
            "phase_us": self.phase_us,
            "gap_us": self.gap_us,
            "frequency_hz": self.frequency_mhz / 1000,
        }


class Bursts(Conventional):
    """Groups of pulses: `frequency` within a burst, `burst_frequency` bursts a second."""

    kind: Literal["bursts"]  # pyright: ignore[reportIncompatibleVariableOverride]
    burst_pulses: Annotated[int, Field(strict=True, ge=1, le=_FIELD_MOST)]
    burst_frequency_mhz: Frequency = Field(alias="burst_frequency")

    def pulses(self) -> dict[str, Any]:
        """What a StimulationPlan needs to know of the pulses."""
        return {
            **super().pulses(),
            "burst_pulses": self.burst_pulses,
            "burst_frequency_hz": self.burst_frequency_mhz / 1000,
        }


class Kilohertz(_Programme):
    """A carrier whose phases fill its whole cycle, in bursts of 2 to 4 ms; without `burst` it never pauses."""

    kind: Literal["kilohertz"]
    carrier_mhz: Frequency = Field(alias="carrier")
    burst_ms: Time | None = Field(alias="burst", default=None)
    burst_frequency_mhz: Frequency | None = Field(alias="burst_frequency", default=None)

    @model_validator(mode="after")
    def _bursts_fit(self) -> Self:
        if (self.burst_ms is None) != (self.burst_frequency_mhz is None):
            missing = "burst" if self.burst_ms is None else "burst_frequency"
            refuse_relation(missing, "is missing; burst and burst_frequency go together")
        least, most = CARRIER_BURST_MS
        if self.burst_ms is not None and not least <= self.burst_ms <= most:
            refuse_relation("burst", f"{self.burst_ms} ms is outside {least} to {most} ms")
        if self.carrier_mhz < 1_000_000:
            refuse_relation(
                "carrier",
                f"{units.text(units.FREQUENCY, self.carrier_mhz)} is below 1 kHz; use kind 'bursts'",
            )
        return self

    def pulses(self) -> dict[str, Any]:
        """What a StimulationPlan needs to know of the pulses."""
        pulses: dict[str, Any] = {
            "phase_us": 1_000_000_000 // (limits.PHASES * self.carrier_mhz),
            "gap_us": 0,
            "frequency_hz": self.carrier_mhz / 1000,
        }
        if self.burst_ms is not None and self.burst_frequency_mhz is not None:
            pulses["burst_pulses"] = self.burst_ms * self.carrier_mhz // 1_000_000
            pulses["burst_frequency_hz"] = self.burst_frequency_mhz / 1000
        return pulses


Programme = Annotated[Conventional | Bursts | Kilohertz, Field(discriminator="kind")]
PROGRAMMES = ("conventional", "bursts", "kilohertz")

_RAISED: Mapping[str, tuple[int, ...]] = {
    "conventional": (),
    "bursts": (limits.TRAIN,),
    "kilohertz": (limits.AVERAGE_CURRENT,),
}
"""Limits whose default is made for even pulses: a burst is handed over whole, and a carrier flows a fifth of the time.
For these programmes the envelope's own ceiling is the default."""


class Pads(_Table):
    """The smallest pad. Its area is that of its shape, or `area` where the part that conducts is smaller."""

    shape: Literal["round", "square", "rectangle", "other"] = "other"
    width_um: Length | None = Field(alias="width", default=None)
    length_um: Length | None = Field(alias="length", default=None)
    area_mm2: Area | None = Field(alias="area", default=None)
    contact_permille: Share = Field(alias="contact", default=1000)

    @model_validator(mode="after")
    def _area_follows(self) -> Self:
        needs_width, needs_length = self.shape != "other", self.shape == "rectangle"
        for key, value, needed in (
            ("width", self.width_um, needs_width),
            ("length", self.length_um, needs_length),
        ):
            if needed and value is None:
                refuse_relation(key, f"is missing; a {self.shape} pad has one")
            if value is not None and not needed:
                refuse_relation(key, f"is no key of a pad of shape '{self.shape}'; remove it")
        whole = self.outline_mm2
        if whole is None and self.area_mm2 is None:
            refuse_relation("area", "is missing; a pad of shape 'other' has one")
        if whole is not None and not 0 < whole <= _FIELD_MOST:
            refuse_relation("width", "makes no pad; check its unit")
        if whole is not None and self.area_mm2 is not None and self.area_mm2 > whole:
            refuse_relation(
                "area",
                f"{units.text(units.AREA, self.area_mm2)} is more than the {self.shape} pad has, "
                f"{units.text(units.AREA, whole)}",
            )
        return self

    @property
    def outline_mm2(self) -> int | None:
        """The area of its shape, rounded down."""
        width_mm = (self.width_um or 0) / 1000
        match self.shape:
            case "round":
                return int(pi * width_mm**2 / 4)
            case "square":
                return int(width_mm**2)
            case "rectangle":
                return int(width_mm * (self.length_um or 0) / 1000)
            case "other":
                return None

    @property
    def conducting_mm2(self) -> int:
        """The area through which current flows."""
        return self.area_mm2 or self.outline_mm2 or 0


class Placement(_Table):
    """Where both pads lie: on one place and one side."""

    place: Text
    side: Literal["left", "right", "middle"] = "middle"

    @field_validator("place")
    @classmethod
    def _allowed(cls, place: str) -> str:
        why = places.refusal(place)
        if why:
            raise PydanticCustomError("place", "{why}", {"why": why})
        return place

    @model_validator(mode="after")
    def _sided(self) -> Self:
        if self.place in places.ONE_SIDED and self.side == "middle":
            refuse_relation("side", f"is missing; both pads lie on the left or on the right {self.place}")
        return self


class Dose(_Table):
    """How long and how often. The envelope's rest and day hold unless the plan is stricter."""

    session_ms: Annotated[Time, within(limits.SESSION)] = Field(alias="session")
    rest_ms: Annotated[Time, within(limits.REST)] | None = Field(alias="rest", default=None)
    sessions_a_day: Annotated[int, Field(strict=True, ge=1), within(limits.DAY_SESSIONS)] | None = None
    time_a_day_ms: Annotated[Time, within(limits.DAY_TIME)] | None = Field(alias="time_a_day", default=None)


class Ceilings(_Table):
    """What a plan may set higher or lower than the default plan, never above the envelope."""

    phase_charge: Annotated[Charge, within(limits.PHASE_CHARGE)] | None = None
    rms_density: Annotated[Density, within(limits.RMS_DENSITY)] | None = None
    rms_current: Annotated[Current, within(limits.RMS_CURRENT)] | None = None
    average_current: Annotated[Current, within(limits.AVERAGE_CURRENT)] | None = None
    step: Annotated[Current, within(limits.STEP)] | None = None


CEILING_LIMITS: Mapping[str, int] = {
    "phase_charge": limits.PHASE_CHARGE,
    "rms_density": limits.RMS_DENSITY,
    "rms_current": limits.RMS_CURRENT,
    "average_current": limits.AVERAGE_CURRENT,
    "step": limits.STEP,
}
"""Keys of [limits] and the limit that each sets."""
_DOSE_LIMITS: Mapping[str, int] = {
    "session_ms": limits.SESSION,
    "rest_ms": limits.REST,
    "sessions_a_day": limits.DAY_SESSIONS,
    "time_a_day_ms": limits.DAY_TIME,
}


class _Answers(_Table):
    """The member's answers to the questions (questions.QUESTIONS), and the day on which they were given."""

    answered_on: Annotated[date, BeforeValidator(_day)]

    @property
    def by_key(self) -> dict[str, str]:
        """Answers by the question's key."""
        given: dict[str, str | None] = self.model_dump(exclude={"answered_on"})
        return {key: answer for key, answer in given.items() if answer is not None}


if TYPE_CHECKING:
    Answers = _Answers
else:
    Answers = create_model(
        "Answers", __base__=_Answers, **dict.fromkeys(questions.BY_KEY, (questions.Answer | None, None))
    )


class WrittenPlan(_Table):
    """A plan's file."""

    plan: Head
    programme: Programme
    pads: Pads
    placement: Placement
    dose: Dose
    limits: Ceilings = Field(default_factory=Ceilings)
    answers: Answers | None = None

    def answered(self, answers: Mapping[str, str], today: date) -> Self:
        """The plan with a member's answers, by the question's key, given today."""
        given = Answers.model_validate({"answered_on": today, **answers})
        return self.model_copy(update={"answers": given})

    def verdict(self, today: date) -> questions.Verdict:
        """What the member's answers imply."""
        return questions.judge(
            self.answers.by_key if self.answers else {},
            self.answers.answered_on if self.answers else None,
            self.plan.therapist_allows,
            today,
        )

    def stimulation(self, today: date, minutes: float | None = None) -> StimulationPlan:
        """The plan to give, of so many minutes at most."""
        programme, dose = self.programme, self.dose
        session = dose.session_ms / 60_000
        current = programme.current_ua
        start = min(DEFAULT_START_UA, current) if programme.start_ua is None else programme.start_ua
        return StimulationPlan(
            name=self.plan.name,
            current_ma=current / 1000,
            start_ma=start / 1000,
            **programme.pulses(),
            **programme.swing(),
            minutes=session if minutes is None else min(minutes, session),
            pad_area_cm2=self.pads.conducting_mm2 / 100,
            contact=self.pads.contact_permille / 1000,
            ceilings=self._ceilings(),
            answers_ok=self.verdict(today).ok,
            during_movement=self.plan.during_exercise,
        )

    def _ceilings(self) -> dict[str, int]:
        """The plan's own limits by name: what it says itself, what its programme needs, and else the default plan's."""
        programme, dose = self.programme, self.dose
        values = {
            limits.PEAK_CURRENT: programme.current_ua,
            limits.PHASE_WIDTH: programme.pulses()["phase_us"],
            limits.SESSION: dose.session_ms,
            **{code: limits.BY_CODE[code].hard for code in _RAISED[programme.kind]},
        }
        for table, codes in ((self.limits, CEILING_LIMITS), (dose, _DOSE_LIMITS)):
            for name, code in codes.items():
                value = getattr(table, name)
                if value is not None:
                    values[code] = value
        return {limits.BY_CODE[code].name.replace(" ", "_"): value for code, value in values.items()}
