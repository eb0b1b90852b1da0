"""What the world saw of one member's device: the facts from which is judged, and the man on the radio who tampers."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kinetens.virtual.output_stage import Load
from kinetens_protocol import uuids

Tampering = Callable[[bytes], Sequence[tuple[float, bytes]]]
"""What becomes of one write: nothing, or what arrives and how much later in s."""

_KEPT_WRITES = 400


@dataclass(slots=True)
class Span:
    """Something that was so from a time until another."""

    start_s: float
    end_s: float = float("inf")


@dataclass(slots=True)
class Facts:
    """What happened, in order of time within each list; nothing in here comes from the firmware.

    delivered: writes to the stimulation characteristic as they reached the device's stack.
    unfit: for each name of a condition that forbids the output, when it held.
    stalls: when the processor was kept from its program.
    """

    delivered: list[tuple[float, bytes]] = field(default_factory=list[tuple[float, bytes]])
    presses: list[Span] = field(default_factory=list[Span])
    links_lost: list[float] = field(default_factory=list[float])
    resets: list[float] = field(default_factory=list[float])
    stalls: list[Span] = field(default_factory=list[Span])
    unfit: dict[str, list[Span]] = field(default_factory=dict[str, list[Span]])
    loads: list[tuple[float, Load]] = field(default_factory=list[tuple[float, Load]])
    accepted: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Operation and counter of each command that the device has told a host to have done."""
    forbidden: list[Span] = field(default_factory=list[Span])
    """When no host that keeps the rules may stimulate at all: its table of limits is another one."""


class Witness:
    """Sits on the radio as the device's overseer. Tampering waits for the next writes to control or stimulation."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self.facts = Facts()
        self.tampering: deque[Tampering] = deque()
        self.overheard: deque[bytes] = deque(maxlen=_KEPT_WRITES)
        """Earlier writes to the stimulation characteristic, to be replayed."""
        self._now_s = now_s

    def passes_on(self, characteristic: str, value: bytes) -> Sequence[tuple[float, bytes]]:
        """What reaches the firmware of a write."""
        if characteristic == uuids.STIMULATION:
            self.overheard.append(value)
            if self.tampering:
                return self.tampering.popleft()(value)
        return ((0.0, value),)

    def delivered(self, characteristic: str, value: bytes) -> None:
        """These bytes have just reached the firmware's stack."""
        if characteristic == uuids.STIMULATION:
            self.facts.delivered.append((self._now_s(), value))

    def linked(self, connected: bool) -> None:
        """The device's stack reports a connection or its end."""
        if not connected:
            self.facts.links_lost.append(self._now_s())

    def unfit(self, condition: str, after_s: float, lasts_s: float) -> None:
        """A condition that forbids the output will hold in a moment, for a time."""
        start_s = self._now_s() + after_s
        self.facts.unfit.setdefault(condition, []).append(Span(start_s, start_s + lasts_s))
