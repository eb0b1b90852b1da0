"""A virtual device and its member, as the options of a `sim:` address describe them."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import radians
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kinetens.device.adapter import Adapter
from kinetens.errors import InvalidInput
from kinetens.virtual.device import VirtualDevice
from kinetens.virtual.faults import FaultName
from kinetens.virtual.member import (
    SHIPPED_REPETITIONS,
    GeneratedMember,
    RecordedMember,
    shipped_member,
)
from kinetens.virtual.radio import RadioConditions
from kinetens.virtual.six_positions import SixPositions
from kinetens.virtual.world import DeviceOptions, World
from kinetens_protocol import control

DEFAULT_REPETITIONS = 10
DEFAULT_RANGE_DEG = 60.0
_STANDS_STILL_S = 2.0

DELIVERED = control.NO_CALIBRATION._replace(
    year=2026, month=11, day=25, parts=control.GYRO_CALIBRATED | control.ACCEL_CALIBRATED
)
"""A virtual device is delivered with a calibration that corrects nothing: its sensor's errors stay for `calibrate`."""

Member = RecordedMember | GeneratedMember | SixPositions


class SimulationOptions(BaseModel):
    """What can stand behind the question mark of a `sim:` address."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=lambda name: name.replace("_", "-"),
        populate_by_name=True,
    )

    seed: int = Field(default=1, ge=0, lt=2**63)
    repetitions: int | None = Field(default=None, ge=1, le=500)
    range_deg: float | None = Field(default=None, ge=5.0, le=170.0, allow_inf_nan=False)
    start_s: float = Field(default=6.0, ge=0.0, le=3600.0, allow_inf_nan=False)
    """How long the member waits before the first repetition."""
    calibrate: bool = False
    """Somebody lays the device, which was never calibrated, on its six faces instead of wearing it."""
    loss: float = Field(default=0.0, ge=0.0, lt=1.0, allow_inf_nan=False)
    real_time: bool = False
    protocol: int | None = Field(default=None, ge=0, le=255)
    """Protocol version that the device claims to speak, to see how a mismatch is met."""
    fault: FaultName | None = None
    """What is wrong with the device from its start, by the name that its status shows."""

    @classmethod
    def parse(cls, options: Mapping[str, str]) -> Self:
        """Read the options of an address; one without a value is switched on.

        Raises InvalidInput naming the option.
        """
        return cls.of(**{name: value or "true" for name, value in options.items()})

    @classmethod
    def of(cls, **options: object) -> Self:
        """Options by name. Raises InvalidInput naming the one that makes no sense."""
        try:
            return cls.model_validate(options)
        except ValidationError as error:
            raise InvalidInput(_first_problem(error)) from error

    def member(self) -> Member:
        """Who wears the device: the shipped recording's member, or a generated one if repetitions or range are given."""
        if self.calibrate:
            return SixPositions(self.seed, self.start_s)
        if self.repetitions is None and self.range_deg is None:
            return shipped_member(self.start_s)
        return GeneratedMember(
            self.repetitions or DEFAULT_REPETITIONS,
            radians(self.range_deg or DEFAULT_RANGE_DEG),
            self.seed,
            start_delay_s=self.start_s,
        )

    @property
    def performed(self) -> int:
        """Repetitions that the member makes."""
        if self.repetitions is None and self.range_deg is None:
            return SHIPPED_REPETITIONS
        return self.repetitions or DEFAULT_REPETITIONS


@dataclass(frozen=True, slots=True)
class Simulation:
    """A running world with one device and one member."""

    world: World
    device: VirtualDevice
    member: Member
    adapter: Adapter
    options: SimulationOptions

    def member_has_finished(self) -> bool:
        """The member has made the last movement, and stood still for a while after it."""
        return self.world.now_s() >= self.member.end_s + _STANDS_STILL_S


@asynccontextmanager
async def simulate(options: SimulationOptions) -> AsyncGenerator[Simulation]:
    """Run a virtual device and a host's Bluetooth while the block runs."""
    member = options.member()
    conditions = RadioConditions(loss=options.loss)
    async with World(options.seed, conditions) as world, world.host() as adapter:
        device = await world.device(
            member,
            DeviceOptions(
                protocol_major=options.protocol,
                calibration=None if options.calibrate else DELIVERED,
                fault=options.fault,
            ),
        )
        yield Simulation(world, device, member, adapter, options)


def _first_problem(error: ValidationError) -> str:
    problem = error.errors()[0]
    name = ".".join(str(part) for part in problem["loc"]).replace("_", "-")
    if problem["type"] == "extra_forbidden":
        known = ", ".join(field.replace("_", "-") for field in SimulationOptions.model_fields)
        return f"a virtual device has no option '{name}'; its options are: {known}"
    return f"the virtual device's option {name}={problem['input']} makes no sense: {problem['msg'].lower()}"
