"""What a session is made of, as it is read back."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """What arrived: `number` orders it among everything recorded; `received_us` is the host's clock."""

    number: int
    channel: str
    received_us: int
    data: bytes


@dataclass(frozen=True, slots=True)
class HostEvent:
    """A fact that the host knew: connected, lost, stimulation stopped by the member, …"""

    number: int
    time_us: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Verification:
    """A session that is as it was recorded. `ended` is the reason, or None if it was cut off."""

    records: int
    frames: int
    seals: int
    ended: str | None
