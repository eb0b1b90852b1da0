"""The virtual radio: Bumble's link with connection events, bounded queues and lost notifications.

Bumble's `LocalLink` delivers at once. Here data waits for the connection's next event, as on the air; a whole
notification can be lost in the host's queue, which is where notifications get lost in practice: the link layer itself
repeats until it succeeds.
"""

import asyncio
import dataclasses
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from bumble import core, hci, ll
from bumble.controller import Connection, Controller
from bumble.link import LocalLink

_L2CAP_HEADER_BYTES = 4
_ATT_CHANNEL = 4
_NOTIFICATION = 0x1B
_ACL_BYTES = 251


class _InOrder(set[Controller]):
    """A set that is walked in the order of insertion: Bumble walks its set of controllers, and a walk in
    the order of memory addresses would make two runs differ.
    """

    def __init__(self) -> None:
        super().__init__()
        self._order: list[Controller] = []

    def add(self, element: Controller) -> None:
        super().add(element)
        self._order.append(element)

    def remove(self, element: Controller) -> None:
        super().remove(element)
        self._order.remove(element)

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(list(self._order))


@dataclass(frozen=True, slots=True)
class RadioConditions:
    """How good the radio is."""

    interval_s: float = 0.030
    """Time between a connection's events (BlueZ and Android choose 30-50 ms, macOS 15-30 ms)."""
    packets_per_event: int = 6
    queue_packets: int = 12
    """Notifications a device may have waiting before its stack refuses more (NimBLE's default pool)."""
    loss: float = 0.0
    """Share of whole notifications lost in the host's queue."""
    supervision_timeout_s: float = 4.0
    """Silence after which a side calls the connection lost."""


@dataclass(slots=True)
class _Pipe:
    """One direction of one connection."""

    sender: Controller
    receiver: Controller
    connection: Connection
    """As the sender sees it."""
    waiting: deque[bytes] = field(default_factory=deque[bytes])
    event_scheduled: bool = False
    is_cut: bool = False


class Radio(LocalLink):
    """The air between virtual devices and hosts."""

    def __init__(self, conditions: RadioConditions, rng: random.Random) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.controllers = _InOrder()
        self.conditions = conditions
        self.lost: list[bytes] = []
        """The notifications that were lost, each an ATT PDU."""
        self._stalled_until_s = 0.0
        self._rng = rng
        self._pipes: dict[tuple[Controller, hci.Address], _Pipe] = {}

    def controller(self, name: str, address: str) -> Controller:
        """A new Bluetooth controller on this radio, with a random static address."""
        controller = Controller(name, link=self)
        controller.random_address = hci.Address(address)
        controller.le_acl_data_packet_length = _ACL_BYTES
        return controller

    def waiting(self, sender: Controller) -> int:
        """Packets that a controller has handed over and that are not yet on the air."""
        return sum(len(pipe.waiting) for pipe in self._pipes.values() if pipe.sender is sender)

    def silence(self, controller: Controller) -> None:
        """Take a controller off the air without a goodbye; its peers notice after the supervision timeout. One that
        is off already stays off.
        """
        if controller not in self.controllers:
            return
        self.remove_controller(controller)
        for advertiser in (controller.le_legacy_advertiser, *controller.advertising_sets.values()):
            advertiser.stop()
        for key in [key for key, pipe in self._pipes.items() if controller in (pipe.sender, pipe.receiver)]:
            del self._pipes[key]
        for connection in list(controller.le_connections.values()):
            for peer in self.controllers:
                ended = peer.le_connections.get(connection.self_address)
                if ended is not None:
                    self._after(self.conditions.supervision_timeout_s, _lose_silently(peer, ended))

    def cut(self, first: Controller, second: Controller) -> None:
        """Break the connection between two controllers: both notice after the supervision timeout."""
        for one, other in ((first, second), (second, first)):
            for connection in list(one.le_connections.values()):
                if connection.peer_address in {c.self_address for c in other.le_connections.values()}:
                    self._pipe(one, other, connection).is_cut = True
                    self._after(self.conditions.supervision_timeout_s, _lose_silently(one, connection))

    def stall(self, duration_s: float) -> None:
        """Let no data through for a time shorter than the supervision timeout; it waits."""
        self._stalled_until_s = asyncio.get_running_loop().time() + duration_s

    def send_ll_control_pdu(
        self, sender_address: hci.Address, receiver_address: hci.Address, packet: ll.ControlPdu
    ) -> None:
        """What is sent to a controller that is gone is lost (Bumble raises an error)."""
        if self.find_le_controller(receiver_address) is not None:
            super().send_ll_control_pdu(sender_address, receiver_address, packet)

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        """Bumble's controller answers no scan requests: the scan response travels with the advertisement."""
        if isinstance(packet, ll.AdvInd | ll.AdvExtInd):
            advertisers = [
                sender_controller.le_legacy_advertiser,
                *sender_controller.advertising_sets.values(),
            ]
            answers = b"".join(bytes(advertiser.scan_response_data) for advertiser in advertisers)
            packet = dataclasses.replace(packet, data=bytes(packet.data) + answers)
        super().send_advertising_pdu(sender_controller, packet)

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: hci.Address,
        transport: core.PhysicalTransport,
        data: bytes,
    ) -> None:
        """Queue data for the connection's next event (Bumble calls this for each L2CAP packet)."""
        connection = sender_controller.le_connections.get(destination_address)
        receiver = self.find_le_controller(destination_address)
        if connection is None or receiver is None:
            return
        pipe = self._pipe(sender_controller, receiver, connection)
        pipe.waiting.append(data)
        self._schedule(pipe)

    def _pipe(self, sender: Controller, receiver: Controller, connection: Connection) -> _Pipe:
        key = (sender, connection.peer_address)
        pipe = self._pipes.get(key)
        if pipe is None or pipe.receiver is not receiver or pipe.connection is not connection:
            pipe = self._pipes[key] = _Pipe(sender, receiver, connection)
        return pipe

    def _schedule(self, pipe: _Pipe) -> None:
        if pipe.event_scheduled or pipe.is_cut or not pipe.waiting:
            return
        pipe.event_scheduled = True
        loop = asyncio.get_running_loop()
        interval_s = self.conditions.interval_s
        next_event = math.floor(max(loop.time(), self._stalled_until_s) / interval_s + 1e-6) + 1
        loop.call_at(next_event * interval_s, self._connection_event, pipe)

    def _connection_event(self, pipe: _Pipe) -> None:
        pipe.event_scheduled = False
        if pipe.receiver not in self.controllers or pipe.sender not in self.controllers or pipe.is_cut:
            return
        if asyncio.get_running_loop().time() < self._stalled_until_s:
            self._schedule(pipe)
            return
        source = pipe.connection.self_address
        for _ in range(min(self.conditions.packets_per_event, len(pipe.waiting))):
            data = pipe.waiting.popleft()
            if _is_notification(data) and self._rng.random() < self.conditions.loss:
                self.lost.append(data[_L2CAP_HEADER_BYTES:])
            elif source in pipe.receiver.le_connections:
                pipe.receiver.on_link_acl_data(source, core.PhysicalTransport.LE, data)
        self._schedule(pipe)

    def _after(self, delay_s: float, action: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(delay_s, action)


def _is_notification(data: bytes) -> bool:
    return (
        len(data) > _L2CAP_HEADER_BYTES
        and int.from_bytes(data[2:4], "little") == _ATT_CHANNEL
        and data[_L2CAP_HEADER_BYTES] == _NOTIFICATION
    )


def _lose_silently(controller: Controller, connection: Connection) -> Callable[[], None]:
    def lose() -> None:
        if controller.le_connections.get(connection.peer_address) is connection:
            controller.on_le_disconnected(connection, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

    return lose
