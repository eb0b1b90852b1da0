"""The firmware's `bluetooth` module, served by a real Bluetooth stack (Bumble) on the virtual radio."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from struct import pack, unpack_from
from typing import Any, Protocol

from bumble import att, gatt, hci
from bumble.core import UUID
from bumble.device import AdvertisingType, Connection, Device, DeviceConfiguration
from bumble.host import Host

from kinetens.virtual import clock
from kinetens.virtual.machine_side import _wire as wire
from kinetens.virtual.radio import Radio

ENOMEM = 12
EINVAL = 22

_READ = 0x0002
_PROPERTIES = 0x003E
_PERMISSIONS = (
    (0x0002, att.Attribute.Permissions.READABLE),
    (0x000C, att.Attribute.Permissions.WRITEABLE),
    (0x0200, att.Attribute.Permissions.READ_REQUIRES_ENCRYPTION),
    (0x0400, att.Attribute.Permissions.READ_REQUIRES_AUTHENTICATION),
    (0x1000, att.Attribute.Permissions.WRITE_REQUIRES_ENCRYPTION),
    (0x2000, att.Attribute.Permissions.WRITE_REQUIRES_AUTHENTICATION),
)


class BluetoothError(OSError):
    """What the firmware's `bluetooth` module raises; `errno` says which."""


class Overseer(Protocol):
    """Who sits on the radio between a host and the firmware."""

    def passes_on(self, characteristic: str, value: bytes) -> Sequence[tuple[float, bytes]]:
        """What reaches the firmware of a write, and how much later in s each."""
        ...

    def delivered(self, characteristic: str, value: bytes) -> None:
        """These bytes have just reached the firmware's stack."""
        ...

    def linked(self, connected: bool) -> None:
        """The device's stack reports a connection or its end."""
        ...


class Peripheral:
    """One boot of the device's Bluetooth: made new at each reset, as the chip does."""

    def __init__(
        self,
        radio: Radio,
        address: str,
        on_event: Callable[[bytes], None],
        overseer: Overseer | None = None,
    ) -> None:
        self._overseer = overseer
        self._radio = radio
        self._address = address
        self._on_event = on_event
        self._outbox: deque[tuple[float, Callable[[], None]]] = deque()
        self._flush_scheduled = False
        self._queued = 0
        self._active = False
        self._connections: dict[int, Connection] = {}
        self._characteristics: dict[int, gatt.Characteristic[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._controller = radio.controller("device", address)
        self._device = _bumble_device("kinetens", address, self._controller)
        self._device.on(Device.EVENT_CONNECTION, self._connected)

    @property
    def controller(self):
        """The radio's controller, for cutting connections."""
        return self._controller

    async def power_on(self) -> None:
        await self._device.power_on()

    def power_off(self) -> None:
        """Vanish from the air without a goodbye."""
        for task in self._tasks:
            task.cancel()
        self._on_event = _nobody
        self._outbox.clear()
        self._radio.silence(self._controller)

    def call(self, payload: bytes, at_s: float) -> bytes:
        """One call of the firmware's `bluetooth` module at its local time.

        Raises BluetoothError with the errno that NimBLE would give.
        """
        what, arguments = payload[0], payload[1:]
        if what == wire.BLE_ACTIVE:
            if arguments:
                self._active = bool(arguments[0])
            return bytes([self._active])
        if not self._active:
            raise BluetoothError(EINVAL, "Bluetooth is not active")
        if what == wire.BLE_REGISTER:
            return self._register(arguments.decode())
        if what == wire.BLE_NOTIFY:
            self._notify(*unpack_from("<HH", arguments), arguments[4:], at_s)
        elif what == wire.BLE_SET_VALUE:
            self._set_value(*unpack_from("<HB", arguments), arguments[3:])
        elif what == wire.BLE_ADVERTISE:
            self._advertise(arguments)
        elif what == wire.BLE_CONFIG:
            self._configure(arguments)
        elif what == wire.BLE_DISCONNECT:
            self._disconnect(unpack_from("<H", arguments)[0])
        return b""

    def _configure(self, arguments: bytes) -> None:
        if arguments[:1] == b"m":
            self._device.gatt_server.max_mtu = unpack_from("<H", arguments, 1)[0]
        else:
            self._device.name = arguments[1:].decode(errors="replace")

    def _advertise(self, arguments: bytes) -> None:
        interval_us, length = unpack_from("<IB", arguments)
        if interval_us == 0:
            self._run(self._device.stop_advertising())
            return
        self._run(
            self._device.start_advertising(
                advertising_type=AdvertisingType.UNDIRECTED_CONNECTABLE_SCANNABLE,
                own_address_type=hci.OwnAddressType.RANDOM,
                advertising_data=arguments[5 : 5 + length],
                scan_response_data=arguments[5 + length :],
                advertising_interval_min=interval_us / 1000,
                advertising_interval_max=interval_us / 1000,
            )
        )

    def _register(self, text: str) -> bytes:
        services: list[tuple[str, list[gatt.Characteristic[Any]]]] = []
        for line in text.splitlines():
            if line[0] == "S":
                services.append((line[1:], []))
            else:
                uuid, flags = line[1:].split()
                services[-1][1].append(_characteristic(uuid, int(flags)))
        server = self._device.gatt_server
        server.add_services([gatt.Service(UUID(uuid), made) for uuid, made in services])
        handles: list[int] = []
        for _, made in services:
            for characteristic in made:
                handle = characteristic.handle
                self._characteristics[handle] = characteristic
                characteristic.on(characteristic.EVENT_WRITE, self._writing_to(handle, characteristic))
                handles.append(handle)
        return pack(f"<{len(handles)}H", *handles)

    def _set_value(self, handle: int, tell_subscribers: int, value: bytes) -> None:
        characteristic = self._characteristics[handle]
        characteristic.value = value
        if tell_subscribers:
            self._run(self._device.notify_subscribers(characteristic, value))

    def _notify(self, connection_handle: int, handle: int, data: bytes, at_s: float) -> None:
        connection = self._connections.get(connection_handle)
        if connection is None or handle not in self._characteristics:
            raise BluetoothError(EINVAL, "no such connection or characteristic")
        if self._queued + self._radio.waiting(self._controller) >= self._radio.conditions.queue_packets:
            raise BluetoothError(ENOMEM, "the radio's queue is full")
        pdu = bytes([att.Opcode.ATT_HANDLE_VALUE_NOTIFICATION]) + pack("<H", handle) + data
        pdu = pdu[: connection.att_mtu]

        def send() -> None:
            self._queued -= 1
            if self._connections.get(connection_handle) is connection:
                self._device.gatt_server.send_gatt_pdu(connection, pdu)

        self._queued += 1
        self._later(at_s, send)

    def _disconnect(self, connection_handle: int) -> None:
        connection = self._connections.get(connection_handle)
        if connection is None:
            raise BluetoothError(EINVAL, "no such connection")
        self._run(connection.disconnect())

    def _connected(self, connection: Connection) -> None:
        if self._overseer is not None:
            self._overseer.linked(True)
        self._connections[connection.handle] = connection
        connection.on(Connection.EVENT_DISCONNECTION, partial(self._disconnected, connection))
        connection.on(Connection.EVENT_CONNECTION_ATT_MTU_UPDATE, lambda: self._mtu_exchanged(connection))
        self._emit_connection(wire.IRQ_CENTRAL_CONNECT, connection)

    def _disconnected(self, connection: Connection, _reason: int) -> None:
        if self._overseer is not None:
            self._overseer.linked(False)
        self._connections.pop(connection.handle, None)
        self._emit_connection(wire.IRQ_CENTRAL_DISCONNECT, connection)

    def _emit_connection(self, event: int, connection: Connection) -> None:
        address = connection.peer_address
        self._on_event(pack("<BHB", event, connection.handle, address.address_type) + bytes(address)[::-1])

    def _mtu_exchanged(self, connection: Connection) -> None:
        self._on_event(pack("<BHH", wire.IRQ_MTU_EXCHANGED, connection.handle, connection.att_mtu))

    def inject(self, characteristic: str, value: bytes) -> None:
        """Let the firmware receive a write that no host made, on the present connection; lost without one."""
        for handle, known in self._characteristics.items():
            if _uuid_text(known) == characteristic:
                for connection in self._connections.values():
                    self._deliver(connection.handle, handle, characteristic, value)

    def _writing_to(
        self, handle: int, characteristic: gatt.Characteristic[Any]
    ) -> Callable[[Connection, bytes], None]:
        uuid = _uuid_text(characteristic)

        def written(connection: Connection, value: bytes) -> None:
            if self._overseer is None:
                self._deliver(connection.handle, handle, uuid, value)
                return
            for delay_s, changed in self._overseer.passes_on(uuid, value):
                if delay_s:
                    asyncio.get_running_loop().call_later(delay_s, self.inject, uuid, changed)
                else:
                    self._deliver(connection.handle, handle, uuid, changed)

        return written

    def _deliver(self, connection_handle: int, handle: int, uuid: str, value: bytes) -> None:
        if self._overseer is not None:
            self._overseer.delivered(uuid, value)
        self._on_event(pack("<BHH", wire.IRQ_GATTS_WRITE, connection_handle, handle) + value)

    def _later(self, at_s: float, action: Callable[[], None]) -> None:
        """Act at the firmware's local time, which can be ahead of the world's by the length of a bus transfer."""
        self._outbox.append((at_s, action))
        if not self._flush_scheduled:
            self._flush_scheduled = True
            asyncio.get_running_loop().call_at(at_s, self._flush)

    def _flush(self) -> None:
        self._flush_scheduled = False
        loop = asyncio.get_running_loop()
        while self._outbox and self._outbox[0][0] <= loop.time() + 1e-9:
            self._outbox.popleft()[1]()
        if self._outbox:
            self._flush_scheduled = True
            loop.call_at(self._outbox[0][0], self._flush)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = clock.spawn(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _uuid_text(characteristic: gatt.Characteristic[Any]) -> str:
    return characteristic.uuid.to_hex_str("-").lower()


def _nobody(_payload: bytes) -> None:
    pass


def _bumble_device(name: str, address: str, controller: Any) -> Device:
    """A Bumble stack on a controller of ours. Its own services are left to the firmware."""
    configuration = DeviceConfiguration(
        name=name, address=hci.Address(address), gap_service_enabled=True, gatt_service_enabled=False
    )
    host = Host(controller_source=controller, controller_sink=controller)
    return Device(config=configuration, host=host)


def _characteristic(uuid: str, flags: int) -> gatt.Characteristic[Any]:
    permissions = att.Attribute.Permissions(0)
    for flag, permission in _PERMISSIONS:
        if flags & flag:
            permissions |= permission
    properties = gatt.Characteristic.Properties(flags & _PROPERTIES)
    return gatt.Characteristic(UUID(uuid), properties, permissions, b"")
