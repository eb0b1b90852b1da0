"""MicroPython's `esp32` on the virtual board (API of MicroPython 1.27 and newer)."""

from struct import pack

import _world


def mcu_temperature():
    return _world.call(_world.TEMPERATURE)[0]


class RMT:
    PULSE_MAX = 32767

    def __init__(
        self,
        channel=0,
        *,
        pin=None,
        resolution_hz=10000000,
        clock_div=None,
        idle_level=False,
        num_symbols=64,
        tx_carrier=None,
    ):
        self._pin = pin.id
        self._resolution_hz = 80000000 // clock_div if clock_div else resolution_hz
        self._ends_us = -1

    @staticmethod
    def source_freq():
        return 80000000

    def write_pulses(self, duration, data=True):
        """Start a train; a duration beyond PULSE_MAX wraps silently and a running train is waited for, as on the chip."""
        while self.busy():
            _world.sleep_us(100)
        if isinstance(data, int):
            level = 1 if data else 0
        else:
            raise ValueError("the virtual RMT takes a first level, not a list of levels")
        durations = [ticks & 32767 for ticks in duration]
        head = pack("<BBI", self._pin, level, self._resolution_hz)
        _world.call(_world.RMT_WRITE, head + pack("<%dH" % len(durations), *durations))
        self._ends_us = _world.now_us() + sum(durations) * 1000000 // self._resolution_hz

    def busy(self):
        """The peripheral tells its program the end of a train by an interrupt: nothing is asked over a bus."""
        return _world.now_us() < self._ends_us

    def wait_done(self, timeout=0):
        if timeout and self.busy():
            _world.sleep_us(timeout * 1000)
        return not self.busy()

    def active(self, on=None):
        if on is None:
            return self.busy()
        if not on:
            _world.call(_world.RMT_STOP, bytes([self._pin]))
            self._ends_us = -1

    def loop_count(self, count):
        if count not in (0, 1):
            raise ValueError("the virtual RMT refuses to loop")

    def deinit(self):
        self.active(False)
