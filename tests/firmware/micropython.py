"""Runs a script on real MicroPython beside the firmware's files, with a clock that the script sets."""

import subprocess
from pathlib import Path

from kinetens.virtual.process import find_micropython

ROOT = Path(__file__).resolve().parents[2]

CLOCK = """
import sys
PERIOD = 1 << 30
class Time:
    now_us = 0
    @staticmethod
    def ticks_us():
        return Time.now_us & (PERIOD - 1)
    @staticmethod
    def ticks_ms():
        return Time.now_us // 1000 & (PERIOD - 1)
    @staticmethod
    def ticks_diff(ticks, before):
        return ((ticks - before + PERIOD // 2) & (PERIOD - 1)) - PERIOD // 2
sys.modules["time"] = Time
"""
"""`Time.now_us` is what the firmware's ticks are made of."""


def run_on_micropython(script: str) -> list[str]:
    """Run a script and return the lines that it prints; a failure shows what it wrote."""
    paths = f"import sys\nsys.path[:] = [{str(ROOT / 'firmware')!r}, {str(ROOT / 'protocol')!r}, '.frozen']\n"
    done = subprocess.run(
        [find_micropython(), "-c", paths + script], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()
