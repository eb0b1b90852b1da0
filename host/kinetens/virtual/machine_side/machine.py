"""MicroPython's `machine` on the virtual board: the part of ESP32's module that the firmware uses."""

from struct import pack, unpack

import _world

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5

_pins = {}


def _pin_event(payload):
    number, level = payload[0], payload[1]
    pin = _pins.get(number)
    if pin and pin._handler and pin._trigger & (Pin.IRQ_RISING if level else Pin.IRQ_FALLING):
        pin._handler(pin)


_world.on_event(_world.EVENT_PIN, _pin_event)


class Pin:
    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_UP = 2
    PULL_DOWN = 1
    IRQ_FALLING = 2
    IRQ_RISING = 1

    def __init__(self, id, mode=-1, pull=-1, value=None):
        self.id = id
        self._handler = None
        self._trigger = 0
        if mode == Pin.OPEN_DRAIN:
            _world.call(_world.PIN_BY_HAND, bytes([id]))
        if value is not None:
            self.value(value)

    def value(self, level=None):
        if level is None:
            return _world.call(_world.PIN_GET, bytes([self.id]))[0]
        _world.call(_world.PIN_SET, bytes([self.id, 1 if level else 0]))

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def irq(self, handler=None, trigger=3, hard=False):
        self._handler = handler
        self._trigger = trigger
        _pins[self.id] = self
        _world.call(_world.PIN_WATCH, bytes([self.id, 1 if handler else 0]))


class ADC:
    ATTN_11DB = 3
    _CONVERSION_US = 200
    """Asked again sooner it answers the same: it has no noise that an average of several would be taken for."""

    def __init__(self, pin, atten=3):
        self._number = pin.id if isinstance(pin, Pin) else pin
        self._converted_us = -self._CONVERSION_US

    def read_uv(self):
        now_us = _world.now_us()
        if now_us - self._converted_us >= self._CONVERSION_US:
            self._converted_us = now_us
            self._uv = unpack("<i", _world.call(_world.ADC_READ, bytes([self._number])))[0]
        return self._uv

    def read_u16(self):
        return min(65535, max(0, self.read_uv() * 65535 // 3300000))


class I2C:
    """All objects stand for the same controller, as on the chip."""

    def __init__(self, id, scl=None, sda=None, freq=400000, timeout=50000):
        _world.call(_world.I2C_OPEN, pack("<I", timeout))

    def readfrom_mem_into(self, address, register, buffer):
        _world.call(_world.I2C_READ, pack("<BBBH", address, 1, register, len(buffer)), buffer)

    def readfrom_mem(self, address, register, count):
        buffer = bytearray(count)
        self.readfrom_mem_into(address, register, buffer)
        return bytes(buffer)

    def readfrom_into(self, address, buffer):
        _world.call(_world.I2C_READ, pack("<BBBH", address, 0, 0, len(buffer)), buffer)

    def readfrom(self, address, count):
        buffer = bytearray(count)
        self.readfrom_into(address, buffer)
        return bytes(buffer)

    def writeto_mem(self, address, register, data):
        self.writeto(address, bytes([register]) + bytes(data))

    def writeto(self, address, data):
        _world.call(_world.I2C_WRITE, bytes([address]) + bytes(data))
        return len(data)

    def scan(self):
        found = []
        for address in range(8, 0x78):
            try:
                self.writeto(address, b"")
                found.append(address)
            except OSError:
                pass
        return found


class WDT:
    """Cannot be stopped, as on the chip."""

    def __init__(self, id=0, timeout=5000):
        self._payload = pack("<I", timeout)
        self.feed()

    def feed(self):
        _world.call(_world.WATCHDOG, self._payload)


def reset():
    _world.call(_world.RESET, bytes([HARD_RESET]))


def soft_reset():
    _world.call(_world.RESET, bytes([SOFT_RESET]))


def reset_cause():
    return _world.call(_world.IDENTITY)[0]


def unique_id():
    return _world.call(_world.IDENTITY)[1:7]
