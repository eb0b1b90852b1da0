"""The orientation samples of a session: in order, in time, and with every one accounted for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinetens.device.clock import TimeExchange
from kinetens.device.decode import decode_frames
from kinetens.session.clock import clock_map
from kinetens.session.records import Frame


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples that never arrived: `count` from `first_index` of a stream, and the host time they cover."""

    stream: int
    first_index: int
    count: int
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class SampleCounts:
    """What became of orientation samples; `refused_by_radio` counts notifications, which were retried.

    `recovered` samples arrived later than newer ones.
    """

    produced: int = 0
    dropped_on_device: int = 0
    refused_by_radio: int = 0
    missing: int = 0
    recovered: int = 0


@dataclass(frozen=True, slots=True)
class StreamTotals:
    """What the device said of one stream."""

    produced: int = 0
    dropped: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Samples:
    """Orientation samples (N,) sorted by stream and index, each once.

    Attributes:
        stream: (N,) position of the stream in the session: a device that restarted begins another one.
        index: (N,) number of the sample within its stream.
        device_time_us: (N,) the device's clock.
        host_time_s: (N,) when it was measured, in s since the session was created.
        host_time_uncertainty_s: (N,) half the 95 % interval of that, NaN where clocks were never compared.
        received_s: (N,) when it arrived, likewise.
        quaternion: (N, 4) unit, scalar first, sensor to world.
        rest: (N,) the device judged the sensor at rest.
        clipped: (N,) the sensor was saturated since the sample before.
        missing: ranges that never arrived, in order.
        counts: every sample accounted for.
        duplicates: samples that arrived again, and were dropped.
        malformed: frames and samples that could not be decoded.
    """

    stream: NDArray[np.int64]
    index: NDArray[np.int64]
    device_time_us: NDArray[np.int64]
    host_time_s: NDArray[np.float64]
    host_time_uncertainty_s: NDArray[np.float64]
    received_s: NDArray[np.float64]
    quaternion: NDArray[np.float64]
    rest: NDArray[np.bool_]
    clipped: NDArray[np.bool_]
    missing: tuple[Gap, ...]
    counts: SampleCounts
    duplicates: int
    malformed: int

    def __len__(self) -> int:
        return len(self.index)


def assemble(
    frames: Sequence[Frame],
    exchanges: Sequence[TimeExchange],
    totals: Mapping[int, StreamTotals],
    host_zero_us: int,
) -> Samples:
    """Put the samples of motion frames in order and in time.

    Args:
        frames: of the motion channel, in order of arrival.
        exchanges: of host and device clock.
        totals: what the device said of each stream, by its session identifier.
        host_zero_us: the host's clock when the session was created.
    """
    decoded = decode_frames(frame.data for frame in frames)
    arrivals_us = np.array([frames[position].received_us for position in decoded.positions], dtype=np.int64)
    identifiers = list(dict.fromkeys(header.session_id for header in decoded.headers))
    ordinals = {identifier: ordinal for ordinal, identifier in enumerate(identifiers)}
    stream_of_frame = np.array([ordinals[header.session_id] for header in decoded.headers], dtype=np.int64)
    stream = stream_of_frame[decoded.frame]
    received_us = arrivals_us[decoded.frame]

    order = np.lexsort((np.arange(len(stream)), decoded.index, stream))
    order = order[decoded.valid[order]]
    repeated = np.zeros(len(order), dtype=np.bool_)
    repeated[1:] = (np.diff(decoded.index[order]) == 0) & (np.diff(stream[order]) == 0)
    kept = order[~repeated]

    host_us = np.zeros(len(kept))
    uncertainty_us = np.zeros(len(kept))
    gaps: list[Gap] = []
    produced = 0
    for ordinal, identifier in enumerate(identifiers):
        mine = np.flatnonzero(stream[kept] == ordinal)
        if len(mine) == 0:
            continue
        rows = kept[mine]
        last_of_frame = np.flatnonzero(np.diff(decoded.frame[rows], append=-1))
        clock = clock_map(
            exchanges, decoded.device_time_us[rows][last_of_frame], received_us[rows][last_of_frame]
        )
        host_us[mine] = clock.to_host_us(decoded.device_time_us[rows]) - host_zero_us
        uncertainty_us[mine] = clock.uncertainty_us
        made = max(int(decoded.index[rows[-1]]) + 1, totals.get(identifier, StreamTotals()).produced)
        produced += made
        period_s = (
            float(np.median([h.period_ns for h in decoded.headers if h.session_id == identifier])) / 1e9
        )
        gaps += _gaps(ordinal, decoded.index[rows], host_us[mine] / 1e6, made, period_s)
    said = [totals.get(identifier, StreamTotals()) for identifier in identifiers]
    return Samples(
        stream=stream[kept],
        index=decoded.index[kept],
        device_time_us=decoded.device_time_us[kept],
        host_time_s=host_us / 1e6,
        host_time_uncertainty_s=uncertainty_us / 1e6,
        received_s=(received_us[kept] - host_zero_us) / 1e6,
        quaternion=decoded.quaternion[kept],
        rest=decoded.rest[kept],
        clipped=decoded.clipped[kept],
        missing=tuple(gaps),
        counts=SampleCounts(
            produced=produced,
            dropped_on_device=sum(total.dropped for total in said),
            refused_by_radio=sum(total.refused for total in said),
            missing=sum(gap.count for gap in gaps),
            recovered=_recovered(stream, decoded.index, np.sort(kept)),
        ),
        duplicates=int(np.count_nonzero(repeated)),
        malformed=decoded.malformed + int(np.count_nonzero(~decoded.valid)),
    )


def _gaps(
    stream: int, index: NDArray[np.int64], time_s: NDArray[np.float64], produced: int, period_s: float
) -> list[Gap]:
    """Ranges of 0 … produced - 1 that are not in `index` (sorted), between known neighbours' times."""
    before = np.concatenate(([-1], index))
    after = np.concatenate((index, [produced]))
    first_s = time_s[0] - (index[0] + 1) * period_s
    end_s = time_s[-1] + (produced - index[-1]) * period_s
    start_times = np.concatenate(([first_s], time_s))
    end_times = np.concatenate((time_s, [end_s]))
    return [
        Gap(
            stream,
            int(before[i]) + 1,
            int(after[i] - before[i]) - 1,
            float(start_times[i]),
            float(end_times[i]),
        )
        for i in np.flatnonzero(after - before > 1)
    ]


def _recovered(stream: NDArray[np.int64], index: NDArray[np.int64], arrived: NDArray[np.int64]) -> int:
    """How many kept samples (positions in order of arrival) came after one with a higher index."""
    total = 0
    for ordinal in np.unique(stream[arrived]):
        mine = index[arrived[stream[arrived] == ordinal]]
        total += int(np.count_nonzero(mine < np.maximum.accumulate(mine)))
    return total
