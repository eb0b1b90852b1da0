"""MicroPython on other machines than this one: a 32-bit twin and an emulated microcontroller. See README.md."""

from rigs.builder import build, product
from rigs.emulator import board
from rigs.recipes import HEAP_BYTES, RECIPES, RigError
from rigs.scripts import RIGS, Result, run

__all__ = ["HEAP_BYTES", "RECIPES", "RIGS", "Result", "RigError", "board", "build", "product", "run"]
