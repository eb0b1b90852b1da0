"""Samples: in order, each once, in time, and every lost one reported."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinetens.device.clock import TimeExchange
from kinetens.device.decode import decode_frames
from kinetens.session import Session
from kinetens.session.records import Frame
from kinetens.session.samples import SampleCounts, Samples, StreamTotals, assemble
from kinetens_protocol import control, messages, motion
from tests.session import made


def recorded(tmp_path: Path, frames, others=()) -> Samples:
    with Session.open(made.write_session(tmp_path, frames, others)) as session:
        return session.samples()


def test_samples_come_back_as_they_were_measured(tmp_path: Path) -> None:
    samples = recorded(tmp_path, made.motion_frames(10.0, made.raises(3, 60.0)))
    assert len(samples) == 1000
    assert samples.counts == SampleCounts(produced=1000)
    assert samples.missing == ()
    np.testing.assert_array_equal(samples.index, np.arange(1000))
    np.testing.assert_array_equal(np.diff(samples.device_time_us), 10_000)
    np.testing.assert_allclose(np.linalg.norm(samples.quaternion, axis=1), 1.0, atol=1e-12)
    angle = 2.0 * np.arctan2(samples.quaternion[:, 1], samples.quaternion[:, 0])
    assert np.degrees(angle.max()) == pytest.approx(60.0, abs=0.01)


def test_missing_frames_are_missing_samples_with_their_numbers_and_times(tmp_path: Path) -> None:
    frames = made.motion_frames(2.0)
    samples = recorded(tmp_path, frames[:3] + frames[4:6] + frames[8:])
    assert [(gap.first_index, gap.count) for gap in samples.missing] == [(30, 10), (60, 20)]
    assert samples.counts.missing == 30
    assert samples.counts.produced == 200
    first = samples.missing[0]
    assert first.end_s - first.start_s == pytest.approx(0.11)


def test_samples_missing_at_the_start_count(tmp_path: Path) -> None:
    samples = recorded(tmp_path, made.motion_frames(1.0)[2:])
    assert [(gap.first_index, gap.count) for gap in samples.missing] == [(0, 20)]


def test_samples_missing_at_the_end_are_known_from_the_devices_totals(tmp_path: Path) -> None:
    late_us = made.HOST_ZERO_US + 2_000_000
    samples = recorded(tmp_path, made.motion_frames(1.0), [(late_us, "control", made.status(2, 130))])
    assert [(gap.first_index, gap.count) for gap in samples.missing] == [(100, 30)]
    ended = bytearray(messages.HEADER_BYTES)
    messages.pack_header_into(ended, messages.EVENT, control.STREAM_ENDED_EVENT, 1)
    event = bytes(ended) + (150).to_bytes(4, "little")
    samples = recorded(tmp_path / "ended", made.motion_frames(1.0), [(late_us, "control", event)])
    assert samples.counts.missing == 50


def test_a_frame_that_comes_twice_counts_once(tmp_path: Path) -> None:
    frames = made.motion_frames(1.0)
    samples = recorded(tmp_path, [*frames, (frames[-1][0] + 5, frames[3][1])])
    assert len(samples) == 100
    assert samples.duplicates == 10
    assert samples.counts.recovered == 0


def test_a_frame_that_comes_late_is_recovered(tmp_path: Path) -> None:
    frames = made.motion_frames(1.0)
    samples = recorded(tmp_path, [*frames[:3], *frames[4:], (frames[-1][0] + 5, frames[3][1])])
    assert samples.counts == SampleCounts(produced=100, recovered=10)
    np.testing.assert_array_equal(samples.index, np.arange(100))


def test_dropped_and_refused_come_from_the_device(tmp_path: Path) -> None:
    said = made.status(1, 100, dropped=4, refused=6)
    samples = recorded(tmp_path, made.motion_frames(1.0), [(made.HOST_ZERO_US + 1_000_000, "control", said)])
    assert samples.counts == SampleCounts(produced=100, dropped_on_device=4, refused_by_radio=6)


def test_a_device_that_restarts_begins_another_stream(tmp_path: Path) -> None:
    first = made.motion_frames(1.0, stream=1)
    second = [(at + 3_000_000, frame) for at, frame in made.motion_frames(1.0, stream=2)[1:]]
    samples = recorded(tmp_path, first + second)
    assert samples.counts == SampleCounts(produced=200, missing=10)
    assert [(gap.stream, gap.first_index) for gap in samples.missing] == [(1, 0)]
    assert samples.host_time_s[100] - samples.host_time_s[99] == pytest.approx(2.11, abs=0.001)


def test_frames_that_make_no_sense_are_counted_and_left_out(tmp_path: Path) -> None:
    good = made.motion_frames(1.0)
    at = good[-1][0]
    raw = bytearray(motion.HEADER_BYTES + 12)
    motion.pack_header_into(raw, motion.FrameHeader(motion.RAW, 0, 1, 0, 7, 0, 0, 1))
    no_quaternion = good[0][1][: motion.HEADER_BYTES] + b"\xff\xff\x07\x00\x00\x00\x00\x00" * 10
    nonsense = [b"", b"\x10", good[0][1][:-1], bytes(raw)]
    samples = recorded(tmp_path, good[1:] + [(at + 1, frame) for frame in [*nonsense, no_quaternion]])
    assert len(samples) == 90
    assert samples.malformed >= len(nonsense)


def test_host_time_follows_the_exchange_with_the_shortest_round_trip() -> None:
    frames = [Frame(n, "motion", at, data) for n, (at, data) in enumerate(made.motion_frames(1.0), start=3)]
    true_offset_us = made.HOST_ZERO_US - made.BOOT_US
    exchanges = [
        TimeExchange(100_000 + true_offset_us, 180_000, 180_000, 200_000 + true_offset_us),
        TimeExchange(300_000 + true_offset_us, 304_000, 305_000, 309_000 + true_offset_us),
    ]
    samples = assemble(frames, exchanges, {7: StreamTotals()}, made.HOST_ZERO_US)
    assert samples.host_time_s[0] == pytest.approx(0.0, abs=1e-6)
    assert samples.host_time_uncertainty_s[0] == pytest.approx(0.004, abs=1e-6)
    without = assemble(frames, [], {}, made.HOST_ZERO_US)
    assert without.host_time_s[0] == pytest.approx(made.DELAY_US / 1e6, abs=1e-6)
    assert np.isnan(without.host_time_uncertainty_s[0])


unit_quaternions = (
    st.tuples(*[st.floats(-1.0, 1.0)] * 4)
    .filter(lambda q: sum(c * c for c in q) > 0.01)
    .map(lambda q: tuple(c / sum(c * c for c in q) ** 0.5 for c in q))
)


@given(st.lists(st.tuples(unit_quaternions, st.integers(0, 3)), min_size=1, max_size=30))
@settings(max_examples=100, deadline=None)
def test_samples_are_decoded_to_the_bit_as_by_the_protocol(content) -> None:
    frame = bytearray(motion.HEADER_BYTES)
    motion.pack_header_into(
        frame, motion.FrameHeader(motion.ORIENTATION, 0, len(content), 0, 7, 5, 1000, 9_999_500)
    )
    for quaternion, flags in content:
        frame += motion.pack_orientation(quaternion, flags)
    decoded = decode_frames([bytes(frame)])
    assert decoded.valid.all()
    for i in range(len(content)):
        *expected, flags = motion.unpack_orientation(bytes(frame), motion.HEADER_BYTES + 8 * i)
        assert decoded.quaternion[i].tolist() == expected
        assert (decoded.rest[i], decoded.clipped[i]) == (
            bool(flags & motion.REST),
            bool(flags & motion.CLIPPED),
        )
    assert decoded.index.tolist() == list(range(5, 5 + len(content)))
