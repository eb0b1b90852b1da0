"""The invariants, judged on the output stage's record and the world's facts: never on what the firmware says.

1  no pulse unless armed, leased, in contact and within the day's dose
2  every pulse, burst and second within the envelope
3  the last pulse within the stop time of every stop cause
4  rises within the slew limit
5  zero after every boot, fault, reconnect: each run begins at zero
6  net charge zero
7  no accepted command without a log entry, no log entry lost (device_log.py)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from kinetens.virtual.campaign.licence import Licence, Run
from kinetens.virtual.output_stage import PulseRecord
from kinetens.virtual.pulse_judge import BALANCE, ENVELOPE, PLACE, RISE, Finding, findings
from kinetens_protocol import limits

_TOLERANCE_A = 150e-6
"""The device moves the amplitude every 50 ms; its own time begins a moment before the first pulse."""
_ZERO_WATCHED_S = 5.0
_CHECK_A = limits.TEST_CURRENT_UA / 1e6 + 20e-6

_NUMBERS = {PLACE: 1, ENVELOPE: 2, RISE: 4, BALANCE: 6}


@dataclass(frozen=True, slots=True)
class Violation:
    """A breach of an invariant (1 to 7), or 0: something broke that nothing should break."""

    invariant: int
    time_s: float
    text: str


def judge_record(record: PulseRecord, licence: Licence) -> list[Violation]:
    """Breaches of invariants 1 to 6, in order of time."""
    permitted = licence.permitted + licence.checks
    found = [_violation(finding) for finding in findings(record, permitted=permitted)]
    for index, run in enumerate(licence.runs):
        until_s = licence.runs[index + 1].start_s if index + 1 < len(licence.runs) else inf
        part = _part(record, run.start_s, until_s)
        found += [
            _violation(finding)
            for finding in findings(part, run.bounds, run.pad_area_mm2)
            if finding.kind == ENVELOPE
        ]
    found += _late(record, licence)
    found += _not_from_zero(record, licence)
    return sorted(set(found), key=lambda violation: violation.time_s)


def stop_times_s(record: PulseRecord, licence: Licence) -> dict[str, float]:
    """For each stop cause that met a running output, the longest time to the last pulse."""
    times_s, ends_s = _starts_and_ends(record)
    worst: dict[str, float] = {}
    for index, stop in enumerate(licence.stops):
        until_s = _next_check_s(licence, stop.time_s)
        low, high = np.searchsorted(times_s, (stop.time_s - 0.2, until_s))
        if high > low:
            late_s = max(0.0, float(ends_s[high - 1]) - stop.time_s)
            worst[stop.cause] = max(worst.get(stop.cause, 0.0), late_s)
        del index
    return worst


def _late(record: PulseRecord, licence: Licence) -> list[Violation]:
    """Pulses after a stop, until the next licence. With a pad off no current flows: what the stage would give counts."""
    times_s, ends_s = _starts_and_ends(record)
    found: list[Violation] = []
    for stop in licence.stops:
        until_s = _next_check_s(licence, stop.time_s)
        low, high = np.searchsorted(times_s, (stop.time_s, until_s))
        late = ends_s[low:high] > stop.time_s + stop.within_s
        if late.any():
            last_s = float(ends_s[high - 1])
            text = (
                f"pulse at {last_s:.4f} s, {(last_s - stop.time_s) * 1e3:.0f} ms after {stop.cause}"
                f" (at most {stop.within_s * 1e3:.0f} ms)"
            )
            found.append(Violation(3, float(times_s[low:high][late][0]), text))
    return found


def _not_from_zero(record: PulseRecord, licence: Licence) -> list[Violation]:
    times_s = np.array(record.time_s)
    current_a = np.array(record.current_a)
    found: list[Violation] = []
    for run in licence.runs:
        low, high = np.searchsorted(times_s, (run.start_s, min(run.end_s, run.start_s + _ZERO_WATCHED_S)))
        found += _too_high(times_s[low:high], current_a[low:high], run)
    for start_s, end_s in licence.checks:
        started_s = min((run.start_s for run in licence.runs if run.start_s >= start_s), default=inf)
        low, high = np.searchsorted(times_s, (start_s, min(end_s, started_s)))
        above = np.flatnonzero(current_a[low:high] > _CHECK_A)
        if above.size:
            time_s = float(times_s[low + above[0]])
            text = f"contact check with {current_a[low + above[0]] * 1e3:.3g} mA at {time_s:.4f} s"
            found.append(Violation(5, time_s, text))
    return found


def _too_high(times_s: NDArray[np.float64], current_a: NDArray[np.float64], run: Run) -> list[Violation]:
    slew_a_per_s = run.bounds[limits.SLEW].value / 1e6
    above = np.flatnonzero(current_a > slew_a_per_s * (times_s - run.start_s) + _TOLERANCE_A)
    if not above.size:
        return []
    at = int(above[0])
    text = (
        f"{current_a[at] * 1e3:.3g} mA at {times_s[at]:.4f} s, {times_s[at] - run.start_s:.2f} s after the start:"
        " the output did not begin at zero"
    )
    return [Violation(5, float(times_s[at]), text)]


def _starts_and_ends(record: PulseRecord) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of the phases that the stage gave, or would have given to a load that takes them."""
    given = np.array(record.powered, dtype=np.bool_) | (np.array(record.charge_c) > 0)
    times_s = np.array(record.time_s)[given]
    return times_s, times_s + np.array(record.width_s)[given]


def _next_check_s(licence: Licence, time_s: float) -> float:
    return min((start_s for start_s, _ in licence.checks if start_s > time_s), default=inf)


def _part(record: PulseRecord, from_s: float, to_s: float) -> PulseRecord:
    low, high = (int(index) for index in np.searchsorted(np.array(record.time_s), (from_s, to_s)))
    columns = (getattr(record, name)[low:high] for name in PulseRecord.__slots__)
    return PulseRecord(*columns)


def _violation(finding: Finding) -> Violation:
    return Violation(_NUMBERS[finding.kind], finding.time_s, finding.text)


def unique(worst: Mapping[str, float], more: Mapping[str, float]) -> dict[str, float]:
    """The greater of both for each cause."""
    return {cause: max(worst.get(cause, 0.0), more.get(cause, 0.0)) for cause in {*worst, *more}}
