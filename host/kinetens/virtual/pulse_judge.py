"""Judges the record of an output stage against the envelope. It believes the pulses, never what the firmware
says of itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from kinetens.virtual.output_stage import PulseRecord
from kinetens_protocol import limits
from kinetens_protocol.limits import Bound

Floats = NDArray[np.float64]

_QUIET_S = 0.1
"""After so long without a pulse the series capacitor has given back what an interrupted pulse left."""
_CURRENT_TOLERANCE_A = 20e-6
"""The converter's step, and rounding."""
_SLEW_TOLERANCE_A = 150e-6
"""The device moves the amplitude every 50 ms."""
_CHARGE_TOLERANCE_C = 1e-9
_BIN_S = 0.05
_MOST_REPORTED = 3
"""Violations of one kind that are told one by one."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Something that must end the output: no pulse from within_s after time_s until until_s."""

    cause: str
    time_s: float
    within_s: float
    until_s: float = inf


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation, or how many more there are of its kind."""

    kind: str
    """ENVELOPE, RISE, BALANCE, PLACE or STOP."""
    time_s: float
    text: str


ENVELOPE, RISE, BALANCE, PLACE, STOP = "envelope", "rise", "balance", "place", "stop"


@dataclass(frozen=True, slots=True)
class PulseSummary:
    """What reached the load, in the units people use."""

    pulses: int
    peak_current_ma: float
    max_phase_charge_uc: float
    net_charge_uc: float
    violations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Phases:
    """The phases in which current flowed, as arrays."""

    time_s: Floats
    width_s: Floats
    current_a: Floats
    charge_c: Floats
    signed_c: Floats
    whole: NDArray[np.bool_]


def judge(
    record: PulseRecord,
    bounds: Mapping[int, Bound] | None = None,
    pad_area_mm2: int = 2500,
    permitted: Sequence[tuple[float, float]] | None = None,
    stops: Sequence[Stop] = (),
) -> list[str]:
    """The violations in a record, in words with their time; empty when it keeps the envelope.

    Args:
        record: what flowed.
        bounds: effective limits; the hard table without them.
        pad_area_mm2: smallest pad, fully in contact.
        permitted: stretches (start, end in s) within which pulses may be; anywhere without them.
        stops: what must have ended the output, and how soon.
    """
    return [finding.text for finding in findings(record, bounds, pad_area_mm2, permitted, stops)]


def findings(
    record: PulseRecord,
    bounds: Mapping[int, Bound] | None = None,
    pad_area_mm2: int = 2500,
    permitted: Sequence[tuple[float, float]] | None = None,
    stops: Sequence[Stop] = (),
) -> list[Finding]:
    """As `judge`, each violation with its kind and time."""
    phases = _flowing(record)
    if not phases.time_s.size:
        return []
    values = {code: bound.value for code, bound in (bounds or limits.effective({}, {})).items()}
    return [
        *_each_phase(phases, values),
        *_each_second(phases, values, pad_area_mm2),
        *_rises(phases, values),
        *_balance(phases),
        *_places(phases, permitted, stops),
    ]


def summary(record: PulseRecord, violations: Sequence[str] = ()) -> PulseSummary:
    """Totals of a record."""
    phases = _flowing(record)
    if not phases.time_s.size:
        return PulseSummary(0, 0.0, 0.0, 0.0, tuple(violations))
    return PulseSummary(
        pulses=int(np.count_nonzero(phases.signed_c > 0)),
        peak_current_ma=round(float(phases.current_a.max()) * 1e3, 4),
        max_phase_charge_uc=round(float(phases.charge_c.max()) * 1e6, 4),
        net_charge_uc=round(float(phases.signed_c.sum()) * 1e6, 4) + 0.0,
        violations=tuple(violations),
    )


def last_pulse_s(record: PulseRecord, before_s: float = inf) -> float | None:
    """End of the last phase with current that starts before a time; None if there was none."""
    phases = _flowing(record)
    index = int(np.searchsorted(phases.time_s, before_s)) - 1
    return float(phases.time_s[index] + phases.width_s[index]) if index >= 0 else None


def _flowing(record: PulseRecord) -> _Phases:
    charge_c = np.array(record.charge_c)
    flows = charge_c > 0
    polarity = np.array(record.polarity, dtype=np.float64)
    return _Phases(
        time_s=np.array(record.time_s)[flows],
        width_s=np.array(record.width_s)[flows],
        current_a=np.array(record.current_a)[flows],
        charge_c=charge_c[flows],
        signed_c=(charge_c * polarity)[flows],
        whole=np.array(record.cut)[flows] == 0,
    )


def _each_phase(phases: _Phases, values: Mapping[int, int]) -> list[Finding]:
    period_s = np.diff(phases.time_s[phases.signed_c > 0], prepend=-inf)
    most_hz = values[limits.FREQUENCY] / 1e3
    positive_s = phases.time_s[phases.signed_c > 0]
    return [
        *_told(phases.time_s, phases.current_a, values[limits.PEAK_CURRENT] / 1e6, 1e3, "peak current", "mA"),
        *_told(phases.time_s, phases.width_s, values[limits.PHASE_WIDTH] / 1e6, 1e6, "phase width", "µs"),
        *_told(phases.time_s, phases.charge_c, values[limits.PHASE_CHARGE] / 1e9, 1e6, "phase charge", "µC"),
        *_told(positive_s, 1 / period_s, most_hz, 1, "frequency", "Hz"),
    ]


def _each_second(phases: _Phases, values: Mapping[int, int], pad_area_mm2: int) -> list[Finding]:
    """Rms, average, density and power over the second that begins with each phase."""
    after = np.searchsorted(phases.time_s, phases.time_s + 1.0 - 1e-6)
    index = np.arange(phases.time_s.size)
    squares = np.concatenate(([0.0], np.cumsum(phases.current_a * phases.charge_c)))
    charges = np.concatenate(([0.0], np.cumsum(phases.charge_c)))
    rms_a = np.sqrt(np.maximum(squares[after] - squares[index], 0))
    average_a = charges[after] - charges[index]
    area_cm2 = pad_area_mm2 / 100
    density = rms_a / area_cm2
    power = rms_a**2 * limits.LOAD_OHM / area_cm2
    return [
        *_told(phases.time_s, density, values[limits.RMS_DENSITY] / 1e6, 1e3, "rms density", "mA/cm²"),
        *_told(phases.time_s, rms_a, values[limits.RMS_CURRENT] / 1e6, 1e3, "rms current", "mA"),
        *_told(phases.time_s, average_a, values[limits.AVERAGE_CURRENT] / 1e6, 1e3, "average current", "mA"),
        *_told(phases.time_s, power, values[limits.POWER_DENSITY] / 1e6, 1, "power density", "W/cm²"),
    ]


def _rises(phases: _Phases, values: Mapping[int, int]) -> list[Finding]:
    """A phase may be a step above the strongest of the last 1.1 s (the slowest train has a pulse a second), and
    no higher than the slew leads to from what flowed one to two seconds ago, or from zero a second ago.
    """
    step_a = max(values[limits.STEP], limits.TEST_CURRENT_UA) / 1e6  # the contact pulses are such a step
    slew_a_per_s = values[limits.SLEW] / 1e6
    slope_a = slew_a_per_s * phases.time_s
    recent_a = np.maximum(_strongest(phases.time_s, phases.current_a, 0.0, 1.1), 0.0)
    earlier_a = _strongest(phases.time_s, phases.current_a - slope_a, 1.0, 2.1) + slope_a
    rise_a = phases.current_a - recent_a
    fast_a = phases.current_a - np.maximum(earlier_a, slew_a_per_s)
    return [
        *_told(phases.time_s, rise_a, step_a, 1e3, "rise in one step", "mA", _CURRENT_TOLERANCE_A, RISE),
        *_told(phases.time_s, fast_a, 0.0, 1e3, "rise beyond the slew", "mA", _SLEW_TOLERANCE_A, RISE),
    ]


def _strongest(time_s: Floats, value: Floats, from_s: float, to_s: float) -> Floats:
    """For each phase, the greatest value of those from_s to to_s before it (to a bin of 50 ms); -inf without any."""
    bins = ((time_s - time_s[0]) / _BIN_S).astype(np.int64)
    strongest = np.full(int(bins[-1]) + 1, -inf)
    np.maximum.at(strongest, bins, value)
    rolled = np.full_like(strongest, -inf)
    for shift in range(max(round(from_s / _BIN_S) - 1, 1), min(round(to_s / _BIN_S) + 1, strongest.size)):
        np.maximum(rolled[shift:], strongest[:-shift], out=rolled[shift:])
    result = rolled[bins]
    if from_s == 0.0:
        same_bin = np.diff(bins, prepend=-1) == 0
        result = np.maximum(result, np.where(same_bin, np.roll(value, 1), -inf))
    return result


def _balance(phases: _Phases) -> list[Finding]:
    """What is outstanding may never be more than one phase: the next phase, or the series capacitor, takes it
    back.
    """
    quiet = np.diff(phases.time_s, prepend=phases.time_s[0]) > _QUIET_S
    total_c = np.cumsum(phases.signed_c)
    starts = np.flatnonzero(quiet)
    before_c = np.zeros_like(total_c)
    if starts.size:
        stretch = np.searchsorted(starts, np.arange(total_c.size), side="right")
        before_c = np.concatenate(([0.0], total_c[starts - 1]))[stretch]
    outstanding_c = np.abs(total_c - before_c)
    most_c = np.maximum.accumulate(phases.charge_c)
    excess_c = outstanding_c - most_c
    return _told(
        phases.time_s, excess_c, 0.0, 1e6, "net charge beyond one phase", "µC", _CHARGE_TOLERANCE_C, BALANCE
    )


def _places(
    phases: _Phases, permitted: Sequence[tuple[float, float]] | None, stops: Sequence[Stop]
) -> list[Finding]:
    violations: list[Finding] = []
    if permitted is not None:
        allowed = np.zeros(phases.time_s.size, dtype=np.bool_)
        for start_s, end_s in permitted:
            allowed |= (phases.time_s >= start_s) & (phases.time_s <= end_s)
        for time_s in phases.time_s[~allowed][:_MOST_REPORTED]:
            violations.append(Finding(PLACE, float(time_s), f"pulse at {time_s:.4f} s where none may be"))
    ends_s = phases.time_s + phases.width_s
    for stop in stops:
        late = ends_s[(ends_s > stop.time_s + stop.within_s) & (phases.time_s < stop.until_s)]
        if late.size:
            text = (
                f"pulse at {late[-1]:.4f} s, {(late[-1] - stop.time_s) * 1e3:.0f} ms after {stop.cause}"
                f" (at most {stop.within_s * 1e3:.0f} ms)"
            )
            violations.append(Finding(STOP, float(late[0]), text))
    return violations


def _told(
    time_s: Floats,
    value: Floats,
    most: float,
    scale: float,
    name: str,
    unit: str,
    tolerance: float = 0.0,
    kind: str = ENVELOPE,
) -> list[Finding]:
    """Sentences about the first few values above a bound (with 0.1 % for rounding)."""
    wrong = np.flatnonzero(value > most * 1.001 + tolerance)
    told = [
        Finding(
            kind,
            float(time_s[i]),
            f"{name} of {value[i] * scale:.4g} {unit} at {time_s[i]:.4f} s (at most {most * scale:.4g} {unit})",
        )
        for i in wrong[:_MOST_REPORTED]
    ]
    if wrong.size > _MOST_REPORTED:
        more = f"{name}: {wrong.size - _MOST_REPORTED} more"
        told.append(Finding(kind, float(time_s[wrong[_MOST_REPORTED]]), more))
    return told
