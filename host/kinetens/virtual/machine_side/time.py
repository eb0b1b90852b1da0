"""MicroPython's `time` on the virtual board: world time, and ticks that wrap at 30 bits as on an ESP32."""

import _world
from utime import gmtime, localtime, mktime

_PERIOD = 1 << 30
_HALF = 1 << 29
TICKS_START_US = 0


def ticks_us():
    return (_world.now_us() + TICKS_START_US) & (_PERIOD - 1)


def ticks_ms():
    return (_world.now_us() + TICKS_START_US) // 1000 & (_PERIOD - 1)


ticks_cpu = ticks_us


def ticks_add(ticks, delta):
    return (ticks + delta) & (_PERIOD - 1)


def ticks_diff(ticks, before):
    return ((ticks - before + _HALF) & (_PERIOD - 1)) - _HALF


def sleep_us(duration):
    _world.sleep_us(max(0, duration))


def sleep_ms(duration):
    _world.sleep_us(max(0, duration) * 1000)


def sleep(duration):
    _world.sleep_us(max(0, int(duration * 1000000)))


def time():
    return _world.now_us() // 1000000


def time_ns():
    return _world.now_us() * 1000
