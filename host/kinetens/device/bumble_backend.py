"""Bleak's API on a Bumble stack: for the virtual radio, and for a Bluetooth dongle without the system's stack."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from bleak.args import SizedBuffer
from bleak.assigned_numbers import gatt_char_props_to_strs
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError
from bleak.uuids import normalize_uuid_str
from bumble import att, gatt_client, hci
from bumble.core import UUID, AdvertisingData, BaseBumbleError
from bumble.device import Advertisement, Connection, Device, DeviceConfiguration, Peer
from bumble.host import Host

from kinetens.device.adapter import Adapter

_WANTED_MTU = 247
_ATT_HEADER_BYTES = 3


@asynccontextmanager
async def bumble_adapter(source: Any, sink: Any, address: str) -> AsyncGenerator[Adapter]:
    """An adapter on an HCI source and sink (a Bumble controller, or a transport to a dongle).

    Raises BleakError when the controller does not answer.
    """
    configuration = DeviceConfiguration(name="kinetens host", address=hci.Address(address))
    device = Device(config=configuration, host=Host(controller_source=source, controller_sink=sink))
    await device.power_on()

    class Scanner(BumbleScanner):
        central = device

    class Client(BumbleClient):
        central = device

    try:
        yield Adapter("Bumble", Scanner, Client)
    finally:
        for connection in list(device.connections.values()):
            with suppress(BaseBumbleError):
                await connection.disconnect()


class BumbleScanner(BaseBleakScanner):
    """Scans with the stack in `central`."""

    central: Device

    def __init__(
        self,
        detection_callback: Any,
        service_uuids: list[str] | None,
        scanning_mode: str,
        **_platform_arguments: Any,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._active = scanning_mode == "active"

    async def start(self) -> None:
        self.seen_devices = {}
        self.central.on(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
        await self._attempt(self.central.start_scanning(active=self._active, filter_duplicates=False))

    async def stop(self) -> None:
        self.central.remove_listener(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
        await self._attempt(self.central.stop_scanning())

    @staticmethod
    async def _attempt(work: Coroutine[Any, Any, None]) -> None:
        """A controller that does not answer is a BleakError."""
        try:
            await work
        except BaseBumbleError as error:
            raise BleakError(str(error) or type(error).__name__) from error

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        data = _advertisement_data(advertisement)
        if not self.is_allowed_uuid(data.service_uuids):
            return
        address = advertisement.address.to_string(with_type_qualifier=False)
        device = self.create_or_update_device(address, address, data.local_name, advertisement.address, data)
        self.call_detection_callbacks(device, data)


def _advertisement_data(advertisement: Advertisement) -> AdvertisementData:
    data = advertisement.data
    names = [
        data.get(kind, raw=True)
        for kind in (AdvertisingData.COMPLETE_LOCAL_NAME, AdvertisingData.SHORTENED_LOCAL_NAME)
    ]
    name = next((raw.decode(errors="replace") for raw in names if raw), None)
    uuids: list[str] = []
    for kind, size in (
        (AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, 16),
        (AdvertisingData.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, 16),
        (AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, 2),
    ):
        raw = data.get(kind, raw=True) or b""
        uuids += [_uuid_text(UUID.from_bytes(raw[i : i + size])) for i in range(0, len(raw), size)]
    return AdvertisementData(name, {}, {}, uuids, None, advertisement.rssi, ())


def _uuid_text(uuid: UUID) -> str:
    return normalize_uuid_str(uuid.to_hex_str("-").lower())


class BumbleClient(BaseBleakClient):
    """One connection of the stack in `central`."""

    central: Device

    def __init__(self, address_or_ble_device: BLEDevice | str, **arguments: Any) -> None:
        super().__init__(
            address_or_ble_device,
            disconnected_callback=arguments.get("disconnected_callback"),
            timeout=arguments.get("timeout", 30.0),
        )
        details = address_or_ble_device.details if isinstance(address_or_ble_device, BLEDevice) else None
        self._peer_address = details if isinstance(details, hci.Address) else hci.Address(self.address)
        self._connection: Connection | None = None
        self._peer: Peer | None = None
        self._subscribers: dict[int, Callable[[bytes], None]] = {}

    @property
    def name(self) -> str:
        return self.address

    @property
    def mtu_size(self) -> int:
        return self._live()[0].att_mtu

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    async def connect(self, pair: bool = False, **_arguments: Any) -> None:
        try:
            connection = await self.central.connect(self._peer_address, timeout=self._timeout)
        except (TimeoutError, BaseBumbleError) as error:
            raise BleakDeviceNotFoundError(self.address, f"no answer from {self.address}") from error
        self._connection = connection
        self._peer = Peer(connection)
        connection.on(Connection.EVENT_DISCONNECTION, self._on_disconnection)
        try:
            await self._attempt(self._peer.request_mtu(_WANTED_MTU))
            await self._attempt(self._peer.discover_all())
            self.services = self._services(self._peer)
            if pair:
                await self.pair()
        except BaseException:  # one that is cancelled must not leave a connection behind either
            await self.disconnect()
            raise

    async def disconnect(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with suppress(BaseBumbleError):  # it has ended meanwhile
                await connection.disconnect()

    async def pair(self, *_arguments: Any, **_keywords: Any) -> None:
        await self._attempt(self._live()[0].pair())

    async def unpair(self) -> None:
        if self.central.keystore is not None:
            await self.central.keystore.delete(str(self._peer_address))

    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **_arguments: Any
    ) -> bytearray:
        return bytearray(await self._attempt(characteristic.obj.read_value()))

    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **_arguments: Any
    ) -> bytearray:
        return bytearray(await self._attempt(descriptor.obj.read_value()))

    async def write_gatt_char(
        self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool
    ) -> None:
        await self._attempt(characteristic.obj.write_value(bytes(data), with_response=response))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        await self._attempt(descriptor.obj.write_value(bytes(data), with_response=True))

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **_arguments: Any
    ) -> None:
        def received(value: bytes) -> None:
            callback(bytearray(value))

        self._subscribers[characteristic.handle] = received
        await self._attempt(characteristic.obj.subscribe(received))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        await self._attempt(
            characteristic.obj.unsubscribe(self._subscribers.pop(characteristic.handle, None), force=True)
        )

    def _live(self) -> tuple[Connection, Peer]:
        if self._connection is None or self._peer is None:
            raise BleakError("not connected")
        return self._connection, self._peer

    async def _attempt(self, work: Any) -> Any:
        """Do one exchange; a failure, or the connection's end, is a BleakError."""
        try:
            connection = self._live()[0]
        except BleakError:
            work.close()
            raise
        try:
            return await connection.cancel_on_disconnection(asyncio.ensure_future(work))
        except (TimeoutError, BaseBumbleError, att.ATT_Error) as error:
            raise BleakError(str(error) or type(error).__name__) from error
        except asyncio.CancelledError:
            if self._connection is None:
                raise BleakError("disconnected") from None
            raise

    def _on_disconnection(self, _reason: int) -> None:
        expected = self._connection is None
        self._connection = None
        if not expected and self._disconnected_callback is not None:
            self._disconnected_callback()

    def _services(self, peer: Peer) -> BleakGATTServiceCollection:
        collection = BleakGATTServiceCollection()
        for service in peer.services:
            made = BleakGATTService(service, service.handle, _uuid_text(service.uuid))
            collection.add_service(made)
            for characteristic in service.characteristics:
                self._add(collection, made, characteristic)
        return collection

    def _add(
        self,
        collection: BleakGATTServiceCollection,
        service: BleakGATTService,
        characteristic: gatt_client.CharacteristicProxy[Any],
    ) -> None:
        made = BleakGATTCharacteristic(
            characteristic,
            characteristic.handle,
            _uuid_text(characteristic.uuid),
            list(gatt_char_props_to_strs(characteristic.properties)),
            lambda: self.mtu_size - _ATT_HEADER_BYTES,
            service,
        )
        collection.add_characteristic(made)
        for descriptor in characteristic.descriptors:
            collection.add_descriptor(
                BleakGATTDescriptor(descriptor, descriptor.handle, _uuid_text(descriptor.type), made)
            )
