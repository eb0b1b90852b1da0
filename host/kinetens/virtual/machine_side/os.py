"""MicroPython's `os` with the world's seeded randomness, so that one seed gives one history."""

from struct import pack

import _world
from uos import *


def urandom(count):
    return _world.call(_world.RANDOM, pack("<H", count))
