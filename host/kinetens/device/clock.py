"""The device's clock placed on the host's: offset and drift from four-timestamp exchanges, with an error bar."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class TimeExchange:
    """Four timestamps in µs: sent and received by the host's clock, received and sent by the device's."""

    host_sent_us: int
    device_received_us: int
    device_sent_us: int
    host_received_us: int

    @property
    def round_trip_us(self) -> int:
        """Time on the way, both ways together."""
        return (self.host_received_us - self.host_sent_us) - (self.device_sent_us - self.device_received_us)

    @property
    def offset_us(self) -> float:
        """Host clock minus device clock, if both ways took the same time; wrong by at most half a round trip."""
        return (
            (self.host_sent_us - self.device_received_us) + (self.host_received_us - self.device_sent_us)
        ) / 2


_STEEPEST_DRIFT = 200e-6
"""Two crystals of ±100 ppm at most."""
_DRIFT_NEEDS_S = 30.0
"""Shorter spans say less about the drift than the crystals' data sheets do."""


@dataclass(frozen=True, slots=True)
class ClockMap:
    """host = device + offset + drift · (device - reference), each in µs."""

    reference_us: float
    offset_us: float
    drift: float
    uncertainty_us: float
    """95 %: half the best round trip bounds what an asymmetric path hides; scatter comes on top."""

    def to_host_us(self, device_us: NDArray[np.int64]) -> NDArray[np.float64]:
        """Host times in µs (N,) of device times in µs (N,)."""
        return device_us + self.offset_us + self.drift * (device_us - self.reference_us)

    @classmethod
    def fit(cls, exchanges: Sequence[TimeExchange]) -> "ClockMap":
        """The map that the exchanges with the shortest round trips agree on.

        Queues only ever lengthen a round trip, so the quickest exchanges tell most (as in NTP's clock filter, RFC 5905,
        section 10). Raises ValueError without exchanges.
        """
        if not exchanges:
            raise ValueError("no time exchange: the device's clock cannot be placed")
        round_trips = np.array([exchange.round_trip_us for exchange in exchanges], dtype=float)
        quick = round_trips <= np.quantile(round_trips, 0.5)
        device_us = np.array([(e.device_received_us + e.device_sent_us) / 2 for e in exchanges], dtype=float)[
            quick
        ]
        offsets = np.array([exchange.offset_us for exchange in exchanges])[quick]
        reference_us = float(np.mean(device_us))
        drift = 0.0
        if len(offsets) >= 3 and np.ptp(device_us) >= _DRIFT_NEEDS_S * 1e6:
            drift = float(np.polyfit(device_us - reference_us, offsets, 1)[0])
            drift = min(max(drift, -_STEEPEST_DRIFT), _STEEPEST_DRIFT)
        offset_us = float(np.median(offsets - drift * (device_us - reference_us)))
        scatter_us = float(np.std(offsets - offset_us - drift * (device_us - reference_us)))
        return cls(reference_us, offset_us, drift, float(np.min(round_trips)) / 2 + 2 * scatter_us)
