"""Gives a device a past, put on record by the firmware's own keepers: sessions of earlier that day, and an owner."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from kinetens.errors import VirtualDeviceError
from kinetens.virtual.campaign.scene import Spent
from kinetens.virtual.process import find_micropython
from kinetens_protocol import stimulation

_BEFORE = """
import sys
sys.path[:] = [".", ".frozen"]
"""
_SPEND = """
from stim.dose import Dose
dose = Dose()
for used_ms, then_ms in {sessions}:
    dose.begin(used_ms)
    dose.spend(used_ms)
    dose.end(True)
    dose.advance(then_ms)
dose.save()
"""


_BELONG = """
from stim.member import Member
Member().bind({tag})
"""


def spend(flash: Path, sessions: Sequence[Spent]) -> None:
    """Let sessions have happened on the device of a flash folder, the last of them last.

    Raises VirtualDeviceError when the firmware cannot keep them.
    """
    if not sessions:
        return
    nexts = [later.ended_ago_s + later.used_s for later in sessions[1:]] + [0.0]
    rows = [
        (round(session.used_s * 1000), round((session.ended_ago_s - following) * 1000))
        for session, following in zip(sessions, nexts, strict=True)
    ]
    _run(_SPEND.format(sessions=rows), flash)


def belong_to(flash: Path, member: str) -> None:
    """Let the device of a flash folder belong to a member. Raises VirtualDeviceError when the firmware cannot keep it."""
    _run(_BELONG.format(tag=stimulation.tag(member)), flash)


def _run(program: str, flash: Path) -> None:
    command = [find_micropython(), "-c", _BEFORE + program]
    done = subprocess.run(command, cwd=flash, capture_output=True, text=True)
    if done.returncode:
        raise VirtualDeviceError(f"the firmware keeps no past: {done.stderr.strip()}")
