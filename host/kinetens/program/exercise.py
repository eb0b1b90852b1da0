"""An exercise as data: what a member reads, what a sensor sees, and what a therapist must know."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from kinetens.program.movements import CIRCLING_POSITIVE, MOVEMENTS, POSITIVE, Joint, MovementName, Plane
from kinetens.toml_file import refuse_relation

SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""What an exercise's file is called, without its ending; a variant of this form is a slug, any other is text."""
HOLD_FROM_S = 3.0
"""A pause at the turn that is shorter is no hold."""

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=300)]
Seconds = Annotated[float, Field(strict=True, ge=0, le=600, allow_inf_nan=False)]
Degrees = Annotated[float, Field(strict=True, ge=0, le=270, allow_inf_nan=False)]

Region = Literal["neck", "shoulder", "elbow", "wrist", "trunk", "hip", "knee", "ankle", "whole body"]
Position = Literal[
    "standing",
    "sitting",
    "lying on the back",
    "lying on the side",
    "lying face down",
    "hands and knees",
]
Kind = Literal["repetitions", "hold", "both"]
Sides = Literal["one", "both", "alternating"]
Segment = Literal["head", "thorax", "pelvis", "upper arm", "forearm", "hand", "thigh", "shank", "foot"]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Movement(_Data):
    """The primary movement by its clinical name."""

    name: MovementName
    joint: Joint
    plane: Plane

    @model_validator(mode="after")
    def _exists(self) -> Self:
        movements = MOVEMENTS[self.joint]
        if self.name not in movements:
            refuse_relation("name", f"the {self.joint} has no {self.name}; it has {', '.join(movements)}")
        if self.plane not in movements[self.name]:
            planes = " or ".join(movements[self.name])
            refuse_relation(
                "plane", f"{self.name} of the {self.joint} is in the {planes} plane, not the {self.plane}"
            )
        return self

    @property
    def positive(self) -> str:
        """The direction whose angles are positive by the ISB's convention."""
        return CIRCLING_POSITIVE if self.name == "circumduction" else POSITIVE[self.joint, self.plane]


class Placement(_Data):
    """Where a sensor is strapped.

    side: `worked` is the side that does the exercise, `middle` the body's midline, `either` a side of one's choice.
    adds: what a second sensor is good for.
    """

    segment: Segment
    side: Literal["worked", "middle", "either"]
    where: Text
    adds: Text | None = None


class Range(_Data):
    """Expected movement in degrees, from the start to the turn or to the posture that is held."""

    min_deg: Degrees
    typical_deg: Degrees
    max_deg: Degrees

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.min_deg < self.typical_deg < self.max_deg:
            refuse_relation("typical_deg", "must lie between min_deg and max_deg")
        return self


class SegmentRange(Range):
    """Expected movement of the segment that wears the first sensor.

    of: `inclination` is the angle against the vertical, `plane angle` the turn within the plane of movement.
    """

    of: Literal["inclination", "plane angle"]


class Tempo(_Data):
    """Seconds from the start to the turn, there, and back."""

    out_s: Seconds
    hold_s: Seconds
    back_s: Seconds


class Mistake(_Data):
    """What goes wrong often: how it looks and what to say."""

    looks_like: Text
    say: Text


class Exercise(_Data):
    """One exercise of the library.

    slug: the name of its file; not a key in it.
    kind: `repetitions` are counted, a `hold` is timed, and with `both` each repetition holds at its turn.
    sides: done with `one` side at a time, `both` at once (or neither), or `alternating` from one to the next.
    sensors: the first is the one a member with a single sensor wears.
    joint_range: of the joint angle between two sensors, where a second one is of use.
    easier, harder: slugs of other exercises, or what to change in words.
    """

    slug: str
    name: Text
    aliases: tuple[Text, ...] = ()
    region: Region
    position: Position
    kind: Kind
    sides: Sides
    equipment: tuple[Text, ...] = ()
    steps: Annotated[tuple[Text, ...], Field(min_length=2, max_length=12)]
    movement: Movement
    range: SegmentRange
    joint_range: Range | None = None
    tempo: Tempo
    sensors: Annotated[tuple[Placement, ...], Field(min_length=1, max_length=2)]
    mistakes: Annotated[tuple[Mistake, ...], Field(min_length=1)]
    contraindications: Annotated[tuple[Text, ...], Field(min_length=1)]
    precautions: tuple[Text, ...] = ()
    easier: tuple[Text, ...] = ()
    harder: tuple[Text, ...] = ()
    sources: Annotated[tuple[Text, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _tempo_fits_kind(self) -> Self:
        tempo = self.tempo
        if self.kind != "repetitions" and tempo.hold_s < HOLD_FROM_S:
            refuse_relation(
                "tempo.hold_s",
                f"is {tempo.hold_s:g} s; kind '{self.kind}' holds for {HOLD_FROM_S:g} s or more",
            )
        if self.kind == "repetitions" and tempo.hold_s >= HOLD_FROM_S:
            refuse_relation(
                "tempo.hold_s", f"is {tempo.hold_s:g} s, which is a hold; make kind 'both', or hold shorter"
            )
        for key in ("out_s", "back_s"):
            if getattr(tempo, key) == 0.0:
                refuse_relation(f"tempo.{key}", "is 0 s; say how long the movement takes")
        return self

    @model_validator(mode="after")
    def _sensors_fit(self) -> Self:
        for number, sensor in enumerate(self.sensors):
            if (self.sides == "one") == (sensor.side == "either"):
                fitting = "worked or middle" if self.sides == "one" else "middle or either"
                if sensor.side != "middle":
                    refuse_relation(
                        f"sensors.{number}.side", f"with sides '{self.sides}' a sensor is on {fitting}"
                    )
            if (number > 0) != (sensor.adds is not None):
                refuse_relation(
                    f"sensors.{number}.adds", "is for the second sensor, and says there what that is good for"
                )
        if self.joint_range is not None and len(self.sensors) < 2:
            refuse_relation("joint_range", "needs a second sensor: a joint angle lies between two segments")
        if len({sensor.segment for sensor in self.sensors}) < len(self.sensors):
            refuse_relation("sensors.1.segment", "is the first sensor's; put the second one elsewhere")
        return self

    @model_validator(mode="after")
    def _variants_are_others(self) -> Self:
        if self.slug in self.easier + self.harder:
            refuse_relation("easier" if self.slug in self.easier else "harder", "names the exercise itself")
        for variant in self.easier:
            if variant in self.harder:
                refuse_relation("harder", f"names '{variant}', which is also easier")
        return self

    @property
    def variants(self) -> tuple[str, ...]:
        """Slugs of the easier and harder exercises that it names."""
        return tuple(text for text in self.easier + self.harder if SLUG.fullmatch(text))

    def document(self) -> dict[str, Any]:
        """Everything as JSON can say it, with the positive direction of the movement."""
        document = self.model_dump(mode="json")
        document["movement"]["positive"] = self.movement.positive
        return document
