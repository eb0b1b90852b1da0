"""How well the link did, second by second."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from kinetens.session.samples import Samples
from kinetens.session.statuses import TimedStatus
from kinetens_protocol.control import UNKNOWN_PERCENT


@dataclass(frozen=True, slots=True)
class LinkQuality:
    """Per second (S,) of the session: samples missing, and delay from a frame's newest sample to its arrival.

    Delays are NaN in seconds without frames. Battery (B,) where the device knows it.
    """

    second_s: NDArray[np.float64]
    missing: NDArray[np.float64]
    typical_delay_ms: NDArray[np.float64]
    longest_delay_ms: NDArray[np.float64]
    battery_s: NDArray[np.float64]
    battery_percent: NDArray[np.float64]

    @property
    def median_delay_ms(self) -> float:
        """NaN without frames."""
        known = self.typical_delay_ms[~np.isnan(self.typical_delay_ms)]
        return float(np.median(known)) if len(known) else float("nan")


def link_quality(samples: Samples, statuses: Sequence[TimedStatus]) -> LinkQuality:
    """Summarise a session's samples and statuses by the second."""
    start_s, end_s = _extent(samples)
    first = floor(start_s)
    seconds = np.arange(first, max(ceil(end_s), first + 1), dtype=np.float64)
    missing = np.zeros(len(seconds))
    for gap in samples.missing:
        times_s = np.linspace(gap.start_s, gap.end_s, gap.count + 2)[1:-1]
        missing += np.histogram(times_s, bins=np.append(seconds, seconds[-1] + 1.0))[0]
    newest = np.flatnonzero(np.diff(samples.received_s, append=np.inf) != 0)
    delays_ms = (samples.received_s[newest] - samples.host_time_s[newest]) * 1000.0
    second_of = np.clip(samples.host_time_s[newest] - seconds[0], 0, len(seconds) - 1).astype(np.int64)
    typical = np.full(len(seconds), np.nan)
    longest = np.full(len(seconds), np.nan)
    for second in np.unique(second_of):
        within = delays_ms[second_of == second]
        typical[second], longest[second] = np.median(within), np.max(within)
    battery = [
        (s.time_s, s.status.battery_percent) for s in statuses if s.status.battery_percent != UNKNOWN_PERCENT
    ]
    return LinkQuality(
        seconds,
        missing,
        typical,
        longest,
        np.array([time_s for time_s, _ in battery]),
        np.array([percent for _, percent in battery], dtype=np.float64),
    )


def _extent(samples: Samples) -> tuple[float, float]:
    times: list[float] = [*samples.host_time_s[:1].tolist(), *samples.host_time_s[-1:].tolist()]
    times += [edge for gap in samples.missing for edge in (gap.start_s, gap.end_s)]
    return (min(times), max(times)) if times else (0.0, 0.0)
