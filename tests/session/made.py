"""Sessions made for tests: what a device would have sent, written by the real SessionWriter."""

from collections.abc import Callable, Iterable
from math import cos, pi, radians, sin
from pathlib import Path

from kinetens.session import SessionHeader, SessionWriter
from kinetens_protocol import motion, stimulation
from kinetens_protocol.control import STATUS_BYTES, STATUS_EVENT, Status, pack_status_into
from kinetens_protocol.messages import EVENT, HEADER_BYTES, pack_header_into

RATE_HZ = 100
PERIOD_NS = 1_000_000_000 // RATE_HZ
SAMPLES_A_FRAME = 10
HOST_ZERO_US = 5_000_000_000
"""What the host's clock shows when a session is created."""
BOOT_US = 1_000_000
"""The device's clock at its first sample."""
DELAY_US = 20_000
"""From a frame's newest sample to its arrival."""

Angle = Callable[[float], float]


def header(number: int = 1, **changes: object) -> SessionHeader:
    values: dict[str, object] = {
        "session_uuid": f"{number:08x}-0000-4000-8000-000000000000",
        "created_utc": "2026-11-23T10:15:12Z",
        "host_time_zero_us": HOST_ZERO_US,
        "exercise": "shoulder-abduction",
        "side": "left",
        "placement": "wrist",
        "software_version": "0.1.0",
        "protocol_version": "1.0",
        "device": {"name": "kinetens-4F2A", "firmware": "0.1.0", "board": "virtual", "serial": "KN-0001"},
        "stream": {"rate_hz": RATE_HZ, "flags": 0, "latency_ms": 100},
    }
    return SessionHeader(**(values | changes))  # type: ignore[arg-type]


def raises(count: int, range_deg: float, seconds_each: float = 2.0, pause_s: float = 2.0) -> Angle:
    """An angle in rad over time in s: still, then `count` smooth raises, then still."""

    def angle(time_s: float) -> float:
        into = time_s - pause_s
        if not 0.0 <= into < count * seconds_each:
            return 0.0
        return radians(range_deg) * (1.0 - cos(2.0 * pi * into / seconds_each)) / 2.0

    return angle


def still(_time_s: float) -> float:
    return 0.0


def motion_frame(first_index: int, angle: Angle, count: int = SAMPLES_A_FRAME, stream: int = 7) -> bytes:
    """Samples of a sensor that turns about its x axis."""
    frame = bytearray(motion.HEADER_BYTES)
    device_us = BOOT_US + first_index * PERIOD_NS // 1000
    motion.pack_header_into(
        frame,
        motion.FrameHeader(motion.ORIENTATION, 0, count, 0, stream, first_index, device_us, PERIOD_NS),
    )
    for index in range(first_index, first_index + count):
        half = angle(index / RATE_HZ) / 2.0
        flags = motion.REST if angle is still else 0
        frame += motion.pack_orientation((cos(half), sin(half), 0.0, 0.0), flags)
    return bytes(frame)


def motion_frames(duration_s: float, angle: Angle = still, stream: int = 7) -> list[tuple[int, bytes]]:
    """A stream without loss: arrival (host's clock, µs) and bytes of each frame."""
    frames: list[tuple[int, bytes]] = []
    for first in range(0, round(duration_s * RATE_HZ), SAMPLES_A_FRAME):
        newest_us = (first + SAMPLES_A_FRAME - 1) * PERIOD_NS // 1000
        frames.append((HOST_ZERO_US + newest_us + DELAY_US, motion_frame(first, angle, stream=stream)))
    return frames


def status(time_s: float, produced: int, stream: int = 7, **changes: int) -> bytes:
    """A status event of the control channel."""
    values = dict.fromkeys(Status._fields, 0) | {
        "device_time_us": BOOT_US + round(time_s * 1e6),
        "session_id": stream,
        "produced": produced,
        "heap_free_bytes": 80_000,
        "temperature_cdeg": 3_050,
        "battery_mv": 3_900,
        "battery_percent": max(0, 90 - round(time_s / 10)),
        "worst_loop_gap_us": 8_000,
    }
    event = bytearray(HEADER_BYTES + STATUS_BYTES)
    pack_header_into(event, EVENT, STATUS_EVENT, round(time_s))
    pack_status_into(event, HEADER_BYTES, Status(**(values | changes)))
    return bytes(event)


def stimulation_state(state: int, level_ua: int, pulses: int, **changes: int) -> bytes:
    """A state event of the stimulation channel."""
    values = dict.fromkeys(stimulation.State._fields, 0) | {
        "state": state,
        "level_ua": level_ua,
        "target_ua": level_ua,
        "measured_ua": level_ua,
        "impedance_ohm": 820,
        "contact_permille": 1000,
        "pulses": pulses,
    }
    event = bytearray(HEADER_BYTES + stimulation.STATE_BYTES)
    pack_header_into(event, EVENT, stimulation.STATE_EVENT, 0)
    stimulation.pack_state_into(event, HEADER_BYTES, stimulation.State(**(values | changes)))
    return bytes(event)


def write_session(
    folder: Path,
    frames: Iterable[tuple[int, bytes]],
    others: Iterable[tuple[int, str, bytes]] = (),
    ended: str | None = "the member ended it",
    number: int = 1,
    **header_changes: object,
) -> Path:
    """Record motion frames, and other frames as (arrival, channel, bytes); returns the session's file."""
    arrivals = [(received_us, "motion", data) for received_us, data in frames] + list(others)
    with SessionWriter.create(folder, header(number, **header_changes)) as writer:
        writer.event(HOST_ZERO_US, "connected", "kinetens-4F2A")
        for received_us, channel, data in sorted(arrivals, key=lambda arrival: arrival[0]):
            writer.frame(channel, received_us, data)
        if ended is not None:
            writer.finish(ended)
    return writer.path


def write_exercise(
    folder: Path,
    repetitions: int = 8,
    range_deg: float = 70.0,
    ended: str | None = "the member ended it",
    number: int = 1,
    **header_changes: object,
) -> Path:
    """A clean session: raises of the arm, with a status every second."""
    duration_s = repetitions * 2.0 + 6.0
    others = [
        (HOST_ZERO_US + second * 1_000_000, "control", status(second, second * RATE_HZ))
        for second in range(1, int(duration_s))
    ]
    return write_session(
        folder,
        motion_frames(duration_s, raises(repetitions, range_deg)),
        others,
        ended,
        number,
        **header_changes,
    )
