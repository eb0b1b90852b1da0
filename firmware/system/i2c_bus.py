"""The board's I2C bus, and how it is freed when a part holds it low.

A part that loses a clock, or whose controller is reset, in the midst of sending a zero holds SDA low until it has seen
its byte's other clocks. The controller gives none, since the bus looks busy to it; nine by hand end any byte (NXP
UM10204, I2C-bus specification and user manual, 3.1.16). A part that holds SCL, or SDA after that, only a power cut stops.
"""

import time

import machine

_CLOCKS = 9
_HALF_CLOCK_US = 5  # 100 kHz, which every part follows
_TIMEOUT_US = 12_000  # the longest transfer takes 10 ms; an ESP32 counts no further than 13


class Bus:
    """controller: the machine.I2C. A port has one object for each controller, so that setting it up anew is for all who
    hold it. held: which line is held low, in words; empty while the bus is free.
    """

    def __init__(self, wiring, log):
        self._wiring = wiring
        self._log = log
        self.held = ""
        self.recover()

    def recover(self):
        """Free the lines if they are held and set the controller up anew. Takes less than a millisecond.

        Returns whether the bus is free.
        """
        scl = machine.Pin(self._wiring["scl"], machine.Pin.OPEN_DRAIN, value=1)
        sda = machine.Pin(self._wiring["sda"], machine.Pin.OPEN_DRAIN, value=1)
        clocks = 0
        while clocks < _CLOCKS and scl.value() and not sda.value():
            _put(scl, 0)
            _put(scl, 1)
            clocks += 1
        if clocks and sda.value():
            for line, level in ((scl, 0), (sda, 0), (scl, 1), (sda, 1)):  # a stop
                _put(line, level)
            self._log("bus: SDA was held low, %d clocks freed it" % clocks)
        before, self.held = self.held, ""
        for name, line in (("SCL", scl), ("SDA", sda)):
            if not line.value():
                self.held = "%s is held low" % name
                break
        if self.held and self.held != before:
            self._log("bus: %s, and %d clocks did not free it" % (self.held, clocks))
        self._open()
        return not self.held

    def _open(self):
        wiring = self._wiring
        self.controller = machine.I2C(
            wiring["id"],
            scl=machine.Pin(wiring["scl"]),
            sda=machine.Pin(wiring["sda"]),
            freq=wiring["frequency_hz"],
            timeout=_TIMEOUT_US,
        )


def _put(line, level):
    line.value(level)
    time.sleep_us(_HALF_CLOCK_US)
