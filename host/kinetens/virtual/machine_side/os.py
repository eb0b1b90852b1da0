"""MicroPython's `os` on the virtual board: the world's seeded randomness, and a flash that the world may fail."""

from struct import pack

import _world
import uos
from uos import *


def urandom(count):
    return _world.call(_world.RANDOM, pack("<H", count))


def mkdir(path):
    _world.call(_world.FLASH, path.encode())
    uos.mkdir(path)


def remove(path):
    _world.call(_world.FLASH, path.encode())
    uos.remove(path)


def rename(old, new):
    _world.call(_world.FLASH, new.encode())
    uos.rename(old, new)
