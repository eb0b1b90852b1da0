"""From the device's clock to the host's, for one stream of a session."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kinetens.device.clock import ClockMap, TimeExchange

_LONGEST_DELAY_US = 2e6
"""An exchange that disagrees with the frames' arrival by more belongs to an earlier boot of the device."""


def clock_map(
    exchanges: Sequence[TimeExchange], device_time_us: NDArray[np.int64], received_us: NDArray[np.int64]
) -> ClockMap:
    """The map from the stream's exchanges; without any, from the frame that arrived soonest.

    The latter places everything late by that frame's delay, which nobody knows: its uncertainty is NaN.

    Args:
        exchanges: of this session, in order.
        device_time_us: (N,), N > 0, of the newest sample of each frame.
        received_us: (N,) host's clock when that frame arrived.
    """
    soonest_us = float(np.min(received_us - device_time_us))
    usable = [e for e in exchanges if abs(e.offset_us - soonest_us) < _LONGEST_DELAY_US]
    if usable:
        return ClockMap.fit(usable)
    return ClockMap(reference_us=0.0, offset_us=soonest_us, drift=0.0, uncertainty_us=float("nan"))
