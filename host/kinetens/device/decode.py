"""Orientation samples out of many motion frames at once, to the bit as the protocol's decoder gives them."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinetens_protocol import ProtocolError
from kinetens_protocol.motion import CLIPPED, HEADER_BYTES, ORIENTATION, REST, FrameHeader, unpack_header

_BITS = 20
_SCALE = float(1 << 19)
_LATEST_US = 1 << 62
"""No device runs for 100,000 years: a later time is damage, and would not fit the arrays."""
_LEAST_REMAINDER = 0.2
"""The square of a unit quaternion's largest component is at least 1/4; less is not a unit quaternion."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Samples (N,) in order of arrival, and the frame (place among the headers) that each came in.

    `positions` are the places of the decodable frames among those given; `malformed` counts the others.
    `valid` is False where a sample's bits are not a unit quaternion; its orientation means nothing.
    """

    headers: list[FrameHeader]
    positions: list[int]
    malformed: int
    frame: NDArray[np.int64]
    index: NDArray[np.int64]
    device_time_us: NDArray[np.int64]
    quaternion: NDArray[np.float64]
    rest: NDArray[np.bool_]
    clipped: NDArray[np.bool_]
    valid: NDArray[np.bool_]


def decode_frames(frames: Iterable[bytes]) -> Decoded:
    """Decode orientation frames; what is none keeps neither header nor samples."""
    headers: list[FrameHeader] = []
    positions: list[int] = []
    payloads: list[bytes] = []
    malformed = 0
    for position, frame in enumerate(frames):
        header = _orientation_header(frame)
        if header is None:
            malformed += 1
            continue
        headers.append(header)
        positions.append(position)
        payloads.append(frame[HEADER_BYTES:])
    counts = np.array([header.count for header in headers], dtype=np.int64)
    frame_of = np.repeat(np.arange(len(headers)), counts)
    within = np.arange(len(frame_of)) - np.repeat(np.cumsum(counts) - counts, counts)
    first = np.array([header.first_index for header in headers], dtype=np.int64)
    start_us = np.array([header.device_time_us for header in headers], dtype=np.int64)
    period_ns = np.array([header.period_ns for header in headers], dtype=np.int64)
    words = np.frombuffer(b"".join(payloads), dtype="<u8")
    quaternion, valid = _unpack(words)
    return Decoded(
        headers=headers,
        positions=positions,
        malformed=malformed,
        frame=frame_of,
        index=first[frame_of] + within,
        device_time_us=start_us[frame_of] + (within * period_ns[frame_of] + 500) // 1000,
        quaternion=quaternion,
        rest=(words >> np.uint64(62) & np.uint64(REST)).astype(np.bool_),
        clipped=(words >> np.uint64(62) & np.uint64(CLIPPED)).astype(np.bool_),
        valid=valid,
    )


def _orientation_header(frame: bytes) -> FrameHeader | None:
    try:
        header = unpack_header(frame)
    except ProtocolError:
        return None
    usable = header.kind == ORIENTATION and header.device_time_us < _LATEST_US
    return header if usable else None


def _unpack(words: NDArray[np.uint64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Smallest three to unit quaternions (N, 4), in the order of operations of `unpack_orientation`."""
    largest = (words >> np.uint64(60) & np.uint64(3)).astype(np.int64)
    rows = np.arange(len(words))
    quaternion = np.zeros((len(words), 4))
    remainder = np.ones(len(words))
    for k in range(3):
        shifted = (words << np.uint64(64 - _BITS * (k + 1))).view(np.int64)
        component = (shifted >> (64 - _BITS)) / _SCALE
        quaternion[rows, k + (k >= largest)] = component
        remainder -= component * component
    valid = remainder >= _LEAST_REMAINDER
    quaternion[rows, largest] = np.sqrt(np.where(valid, remainder, 0.0))
    return quaternion, valid
