"""Invariant 7: what the device's chained log in flash must show of what hosts were told."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from struct import unpack_from

from kinetens.virtual.campaign.invariants import Violation
from kinetens.virtual.process import find_micropython
from kinetens_protocol import ProtocolError, stimulation, stimulation_log

_MOST_TOLD = 3
_PROGRAM = """
import sys
sys.path[:] = [".", ".frozen"]
from struct import pack
from kinetens_protocol.stimulation_log import ENTRY_BYTES, PAGE_HEADER_BYTES
from stim.log import StimulationLog
class Clock:
    def now_ms(self):
        return 0
    def elapsed_ms(self, since):
        return 0
log = StimulationLog(Clock(), 0)
buffer = bytearray(512)
start = log.oldest
while start < log.next:
    end = log.page_into(start, buffer, 0)
    sys.stdout.buffer.write(pack("<H", end) + buffer[:end])
    start += (end - PAGE_HEADER_BYTES) // ENTRY_BYTES
"""


def judge_log(flash: Path, accepted: Sequence[tuple[int, int]], time_s: float) -> list[Violation]:
    """Breaches in the log of a flash folder. accepted: operation and counter of commands that hosts were told are done.

    The firmware reads its own files; whether the chain holds is checked here.
    """
    done = subprocess.run([find_micropython(), "-c", _PROGRAM], cwd=flash, capture_output=True)
    if done.returncode:
        return [
            Violation(7, time_s, f"the log cannot be read: {done.stderr.decode().strip().splitlines()[-1]}")
        ]
    logged: set[tuple[int, int]] = set()
    check, following, offset = stimulation_log.NO_CHECK, 0, 0
    while offset < len(done.stdout):
        size = unpack_from("<H", done.stdout, offset)[0]
        try:
            page = stimulation_log.unpack_page(done.stdout[offset + 2 : offset + 2 + size])
        except ProtocolError as error:
            return [Violation(7, time_s, f"the log is broken: {error}")]
        offset += 2 + size
        if following and page.before != check:
            return [Violation(7, time_s, f"the log's chain breaks before entry {following}")]
        for entry in page.entries:
            if following and entry.sequence != following:
                return [Violation(7, time_s, f"entry {following} of the log is missing")]
            following = entry.sequence + 1
            if entry.kind == stimulation_log.COMMAND:
                logged.add((entry.code, entry.counter))
        check = page.after
    missing = [
        (operation, counter)
        for operation, counter in accepted
        if operation != stimulation.RENEW and (operation, counter) not in logged
    ]
    return [
        Violation(7, time_s, f"operation {operation} with counter {counter} was done and is not in the log")
        for operation, counter in missing[:_MOST_TOLD]
    ]
