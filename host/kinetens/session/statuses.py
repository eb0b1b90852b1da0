"""What the device said of itself and of its stimulation, out of the frames that carried it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from struct import unpack_from
from typing import TypeVar

from kinetens.session.layout import MOTION
from kinetens.session.records import Frame
from kinetens.session.samples import StreamTotals
from kinetens_protocol import ProtocolError
from kinetens_protocol.control import (
    STATUS,
    STATUS_EVENT,
    STOP_STREAM,
    STREAM_ENDED_EVENT,
    Status,
    unpack_status,
)
from kinetens_protocol.messages import EVENT, OK, RESPONSE, Message, unpack_message
from kinetens_protocol.motion import ORIENTATION, unpack_header
from kinetens_protocol.stimulation import STATE_EVENT, State, unpack_state

Content = TypeVar("Content", Status, State)


@dataclass(frozen=True, slots=True)
class TimedStatus:
    """A status and when it arrived, in s since the session was created."""

    time_s: float
    status: Status


@dataclass(frozen=True, slots=True)
class TimedState:
    """A state of the stimulation and when it arrived, in s since the session was created."""

    time_s: float
    state: State


def read_statuses(frames: Iterable[Frame], host_zero_us: int) -> list[TimedStatus]:
    """The device's statuses, one a second, among the control channel's frames."""
    return [
        TimedStatus((frame.received_us - host_zero_us) / 1e6, status)
        for frame, status in _events(frames, STATUS_EVENT, unpack_status)
    ]


def read_states(frames: Iterable[Frame], host_zero_us: int) -> list[TimedState]:
    """The stimulation's states among its channel's frames: every change, and five a second while not idle."""
    return [
        TimedState((frame.received_us - host_zero_us) / 1e6, state)
        for frame, state in _events(frames, STATE_EVENT, unpack_state)
    ]


def stream_totals(frames: Iterable[Frame]) -> dict[int, StreamTotals]:
    """The last totals that the device gave of each stream, by session identifier.

    Args:
        frames: of the motion and the control channel, in order of arrival.
    """
    totals: dict[int, StreamTotals] = {}
    streaming = None
    for frame in frames:
        if frame.channel == MOTION:
            streaming = _session_of(frame.data, streaming)
            continue
        message = _message(frame.data)
        if message is None:
            continue
        if (status := _status_in(message)) is not None:
            totals[status.session_id] = StreamTotals(status.produced, status.dropped, status.refused)
        elif _is_event(message, STREAM_ENDED_EVENT) and streaming is not None and len(message.payload) >= 4:
            before = totals.get(streaming, StreamTotals())
            produced: int = unpack_from("<I", message.payload)[0]
            totals[streaming] = StreamTotals(produced, before.dropped, before.refused)
    return totals


def _events(
    frames: Iterable[Frame], code: int, unpack: Callable[[bytes], Content]
) -> Iterator[tuple[Frame, Content]]:
    """Events of one code with their content; what cannot be decoded is left out."""
    for frame in frames:
        message = _message(frame.data)
        if message is not None and _is_event(message, code):
            try:
                content = unpack(message.payload)
            except ProtocolError:
                continue
            yield frame, content


def _is_event(message: Message, code: int) -> bool:
    return message.kind == EVENT and message.code == code


def _status_in(message: Message) -> Status | None:
    """The status of an event, or of an answer that carries one."""
    payload: bytes = message.payload
    if message.kind == RESPONSE and message.code in (STATUS, STOP_STREAM) and payload[0] == OK:
        payload = payload[1:]
    elif not _is_event(message, STATUS_EVENT):
        return None
    try:
        return unpack_status(payload)
    except ProtocolError:
        return None


def _message(data: bytes) -> Message | None:
    try:
        return unpack_message(data)
    except ProtocolError:
        return None


def _session_of(frame: bytes, otherwise: int | None) -> int | None:
    try:
        header = unpack_header(frame)
    except ProtocolError:
        return otherwise
    return header.session_id if header.kind == ORIENTATION else otherwise
