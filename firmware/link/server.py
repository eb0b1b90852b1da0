"""The GATT server: services, advertising, one connection."""

from struct import pack

import bluetooth
from micropython import const

from kinetens_protocol import uuids

_IRQ_CENTRAL_CONNECT = const(1)
_IRQ_CENTRAL_DISCONNECT = const(2)
_IRQ_GATTS_WRITE = const(3)
_IRQ_MTU_EXCHANGED = const(21)

_WANTED_MTU = const(247)  # fills one link-layer packet of 251 bytes
_SMALLEST_MTU = const(23)
_LONGEST_WRITE = const(160)
_ADVERTISING_INTERVAL_US = const(100_000)
_READ = bluetooth.FLAG_READ
_NOTIFY = bluetooth.FLAG_NOTIFY
_WRITE = bluetooth.FLAG_WRITE | bluetooth.FLAG_NOTIFY

CONTROL, STIMULATION, BULK = range(3)


class Server:
    """on_write(channel, data) is called from the Bluetooth stack for each write, on_link(connected) at each change."""

    def __init__(self, identity, board_name, firmware_version, protocol_version, on_write, on_link):
        self._on_write = on_write
        self._on_link = on_link
        self._connection = None
        self.mtu = _SMALLEST_MTU
        self._name = identity["name"].encode()[:29]
        ble = self._ble = bluetooth.BLE()
        ble.active(True)
        ble.config(gap_name=self._name)
        ble.config(mtu=_WANTED_MTU)
        ble.irq(self._irq)
        information = (
            (uuids.MANUFACTURER_NAME, b"kinetens"),
            (uuids.MODEL_NUMBER, board_name.encode()),
            (uuids.SERIAL_NUMBER, identity["serial"].encode()),
            (uuids.FIRMWARE_REVISION, firmware_version.encode()),
            (uuids.SOFTWARE_REVISION, protocol_version.encode()),
        )
        handles = ble.gatts_register_services(
            (
                _service(
                    uuids.SERVICE,
                    (
                        (uuids.MOTION, _NOTIFY),
                        (uuids.RAW_MOTION, _NOTIFY),
                        (uuids.CONTROL, _WRITE),
                        (uuids.STIMULATION, _WRITE),
                        (uuids.BULK, _WRITE),
                    ),
                ),
                _service(uuids.DEVICE_INFORMATION_SERVICE, [(uuid, _READ) for uuid, _ in information]),
                _service(uuids.BATTERY_SERVICE, ((uuids.BATTERY_LEVEL, _READ | _NOTIFY),)),
            )
        )
        self._motion, self._raw = handles[0][:2]
        self._channels = handles[0][2:]
        for handle in self._channels:
            ble.gatts_set_buffer(handle, _LONGEST_WRITE)
        for handle, (_, text) in zip(handles[1], information):
            ble.gatts_write(handle, text)
        self._battery = handles[2][0]
        self._battery_percent = None
        self.advertise()

    @property
    def connected(self):
        return self._connection is not None

    def advertise(self):
        """Be found: the service in the advertisement, the name in the scan response."""
        service = bytes(reversed(_hex_bytes(uuids.SERVICE)))
        advertisement = b"\x02\x01\x06" + pack("<BB", 17, 0x07) + service
        response = pack("<BB", len(self._name) + 1, 0x09) + self._name
        self._ble.gap_advertise(_ADVERTISING_INTERVAL_US, advertisement, resp_data=response)

    def disconnect(self):
        if self._connection is not None:
            self._ble.gap_disconnect(self._connection)

    def notify_motion(self, frame):
        """False when the radio refuses: try again later. Allocates nothing."""
        return self._notify(self._motion, frame)

    def notify_raw(self, frame):
        return self._notify(self._raw, frame)

    def notify(self, channel, data):
        return self._notify(self._channels[channel], data)

    def set_battery(self, percent):
        """Update the Battery service and tell whoever subscribed to it."""
        if percent != self._battery_percent:
            self._battery_percent = percent
            self._ble.gatts_write(self._battery, bytes([percent]), True)

    def _notify(self, handle, data):
        connection = self._connection
        if connection is None:
            return False
        try:
            self._ble.gatts_notify(connection, handle, data)
        except OSError:
            return False
        return True

    def _irq(self, event, data):
        if event == _IRQ_GATTS_WRITE:
            _, handle = data
            if handle in self._channels:
                self._on_write(self._channels.index(handle), bytes(self._ble.gatts_read(handle)))
        elif event == _IRQ_CENTRAL_CONNECT:
            self._connection = data[0]
            self.mtu = _SMALLEST_MTU
            self._on_link(True)
        elif event == _IRQ_CENTRAL_DISCONNECT and data[0] == self._connection:
            self._connection = None
            self._on_link(False)
            self.advertise()
        elif event == _IRQ_MTU_EXCHANGED:
            self.mtu = data[1]


def _service(uuid, characteristics):
    return bluetooth.UUID(uuid), tuple((bluetooth.UUID(one), flags) for one, flags in characteristics)


def _hex_bytes(uuid):
    text = uuid.replace("-", "")
    return bytes(int(text[i : i + 2], 16) for i in range(0, 32, 2))
