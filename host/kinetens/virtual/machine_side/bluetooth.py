"""MicroPython's `bluetooth` on the virtual board: BLE peripheral, served by a real Bluetooth stack in the world."""

from struct import pack, unpack_from

import _wire as wire
import _world

FLAG_READ = 0x0002
FLAG_WRITE_NO_RESPONSE = 0x0004
FLAG_WRITE = 0x0008
FLAG_NOTIFY = 0x0010
FLAG_INDICATE = 0x0020
FLAG_READ_ENCRYPTED = 0x0200
FLAG_READ_AUTHENTICATED = 0x0400
FLAG_WRITE_ENCRYPTED = 0x1000
FLAG_WRITE_AUTHENTICATED = 0x2000


_LONGEST_WRITE = 20  # what exceeds a characteristic's buffer is cut off, as NimBLE does


class UUID:
    def __init__(self, value):
        self.text = "%04x" % value if isinstance(value, int) else value

    def __eq__(self, other):
        return self.text == other.text

    def __hash__(self):
        return hash(self.text)


class BLE:
    def __init__(self):
        self._irq = None
        self._values = {}
        self._longest = {}
        self._mtu = 23
        _world.on_event(_world.EVENT_BLE, self._event)

    def _call(self, what, payload=b""):
        return _world.call(_world.BLE, bytes([what]) + payload)

    def active(self, on=None):
        return bool(self._call(wire.BLE_ACTIVE, b"" if on is None else bytes([on]))[0])

    def config(self, name=None, **settings):
        if name == "mtu":
            return self._mtu
        if name == "mac":
            return 0, _world.call(_world.IDENTITY)[1:7]
        for key, value in settings.items():
            if key == "mtu":
                self._mtu = value
                self._call(wire.BLE_CONFIG, b"m" + pack("<H", value))
            elif key == "gap_name":
                self._call(wire.BLE_CONFIG, b"n" + (value if isinstance(value, bytes) else value.encode()))

    def irq(self, handler):
        self._irq = handler

    def gap_advertise(self, interval_us, adv_data=None, *, resp_data=None, connectable=True):
        if interval_us is None:
            self._call(wire.BLE_ADVERTISE, pack("<IB", 0, 0))
            return
        data = bytes(adv_data or b"")
        self._call(wire.BLE_ADVERTISE, pack("<IB", interval_us, len(data)) + data + bytes(resp_data or b""))

    def gap_disconnect(self, connection):
        self._call(wire.BLE_DISCONNECT, pack("<H", connection))
        return True

    def gatts_register_services(self, services):
        """Register services; returns a tuple of tuples of value handles in the order given."""
        text = []
        for service, characteristics in services:
            text.append("S" + service.text)
            for characteristic in characteristics:
                text.append("C%s %d" % (characteristic[0].text, characteristic[1]))
        answer = self._call(wire.BLE_REGISTER, "\n".join(text).encode())
        handles = unpack_from("<%dH" % (len(answer) // 2), answer, 0)
        result = []
        position = 0
        for _, characteristics in services:
            result.append(tuple(handles[position : position + len(characteristics)]))
            position += len(characteristics)
        return tuple(result)

    def gatts_read(self, handle):
        return self._values.get(handle, b"")

    def gatts_write(self, handle, data, send_update=False):
        self._values[handle] = bytes(data)
        self._call(wire.BLE_SET_VALUE, pack("<HB", handle, send_update) + bytes(data))

    def gatts_notify(self, connection, handle, data=None):
        """Raises OSError (ENOMEM) when the radio's queue is full, as NimBLE does."""
        payload = self._values[handle] if data is None else data
        self._call(wire.BLE_NOTIFY, pack("<HH", connection, handle) + bytes(payload))

    def gatts_set_buffer(self, handle, length, append=False):
        self._longest[handle] = length

    def _event(self, payload):
        event = payload[0]
        if event == wire.IRQ_GATTS_WRITE:
            connection, handle = unpack_from("<HH", payload, 1)
            self._values[handle] = bytes(payload[5 : 5 + self._longest.get(handle, _LONGEST_WRITE)])
            data = (connection, handle)
        elif event == wire.IRQ_MTU_EXCHANGED:
            data = unpack_from("<HH", payload, 1)
        else:
            connection, kind = unpack_from("<HB", payload, 1)
            data = (connection, kind, bytes(payload[4:10]))
        if self._irq:
            self._irq(event, data)
