"""Motion frames: an orientation survives within 0.0004°, a frame says exactly what it holds."""

import math
from struct import pack

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from kinetens_protocol import ProtocolError, motion
from kinetens_protocol.motion import CLIPPED, ORIENTATION, RAW, REST, FrameHeader

STATED_ERROR_DEG = 0.0004

Quaternion = tuple[float, float, float, float]

WORD32 = st.integers(0, 0xFFFF_FFFF)
WORD64 = st.integers(0, 0xFFFF_FFFF_FFFF_FFFF)
FLAGS = st.integers(0, 3)
COMPONENT = st.floats(-1, 1, allow_subnormal=False)


@st.composite
def unit_quaternions(draw: st.DrawFn) -> Quaternion:
    values = np.array([draw(COMPONENT) for _ in range(4)])
    norm = float(np.linalg.norm(values))
    assume(norm > 1e-3)
    w, x, y, z = (values / norm).tolist()
    return (w, x, y, z)


def angle_deg(one: Quaternion, other: Quaternion) -> float:
    """Angle of the turn from one orientation to the other."""
    turn = Rotation.from_quat(one, scalar_first=True).inv() * Rotation.from_quat(other, scalar_first=True)
    return math.degrees(float(turn.magnitude()))


def unpack(sample: bytes) -> tuple[Quaternion, int]:
    *quaternion, flags = motion.unpack_orientation(sample, 0)
    w, x, y, z = quaternion
    return (w, x, y, z), flags


@given(quaternion=unit_quaternions(), flags=FLAGS)
@example((1.0, 0.0, 0.0, 0.0), 0)
@example((0.0, -1.0, 0.0, 0.0), REST)
@example((0.5, -0.5, 0.5, -0.5), REST | CLIPPED)
@example((0.0, math.sqrt(0.5), -math.sqrt(0.5), 0.0), CLIPPED)
def test_an_orientation_survives(quaternion: Quaternion, flags: int):
    found, found_flags = unpack(motion.pack_orientation(quaternion, flags))
    assert angle_deg(quaternion, found) <= STATED_ERROR_DEG
    assert found_flags == flags
    assert math.isclose(sum(component**2 for component in found), 1.0, abs_tol=1e-12)


@given(quaternion=unit_quaternions(), flags=FLAGS)
def test_both_signs_are_one_orientation(quaternion: Quaternion, flags: int):
    """Exactly so, but for components that lie halfway between two steps."""
    w, x, y, z = quaternion
    steps = [component * 2**19 for component in quaternion]
    assume(all(abs(step % 1 - 0.5) > 1e-6 for step in steps))
    assert motion.pack_orientation((-w, -x, -y, -z), flags) == motion.pack_orientation(quaternion, flags)


@given(quaternion=unit_quaternions(), flags=FLAGS)
def test_packing_again_changes_nothing(quaternion: Quaternion, flags: int):
    sample = motion.pack_orientation(quaternion, flags)
    found, found_flags = unpack(sample)
    ordered = sorted(map(abs, found))
    assume(ordered[3] - ordered[2] > 1e-5)
    assert motion.pack_orientation(found, found_flags) == sample


def test_the_stated_error_holds_over_many_orientations():
    """Half a step in each of three components, seen through the largest at its smallest."""
    random = np.random.default_rng(20)
    values = random.standard_normal((5000, 4))
    values[:1000] = 0.5 + 1e-3 * random.standard_normal((1000, 4))  # where the largest is least
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    found = np.array([unpack(motion.pack_orientation(tuple(row), 0))[0] for row in values.tolist()])
    turns = Rotation.from_quat(values, scalar_first=True).inv() * Rotation.from_quat(found, scalar_first=True)
    assert np.degrees(turns.magnitude()).max() <= STATED_ERROR_DEG


@given(word=WORD64)
def test_any_eight_bytes_are_a_unit_quaternion_or_refused(word: int):
    try:
        quaternion, _ = unpack(pack("<Q", word))
    except ProtocolError as error:
        message = str(error)
        assert message == "orientation sample is not a unit quaternion"
    else:
        assert math.isclose(sum(component**2 for component in quaternion), 1.0, abs_tol=1e-12)


@given(data=st.binary(max_size=40), offset=st.integers(0, 50))
def test_a_sample_beyond_the_frame_is_refused(data: bytes, offset: int):
    assume(offset + motion.ORIENTATION_SAMPLE_BYTES > len(data))
    with pytest.raises(ProtocolError, match="motion frame ends within a sample"):
        motion.unpack_orientation(data, offset)


HEADERS = st.builds(
    FrameHeader,
    st.sampled_from([ORIENTATION, RAW]),
    flags=st.integers(0, 255),
    count=st.integers(1, motion.MOST_SAMPLES),
    sensor=st.integers(0, 255),
    session_id=WORD32,
    first_index=WORD32,
    device_time_us=WORD64,
    period_ns=WORD32,
)


def frame_of(header: FrameHeader) -> bytes:
    buffer = bytearray(motion.HEADER_BYTES + header.count * motion.SAMPLE_BYTES[header.kind])
    motion.pack_header_into(buffer, header)
    return bytes(buffer)


@given(header=HEADERS)
def test_a_header_survives(header: FrameHeader):
    assert motion.unpack_header(frame_of(header)) == header


@given(header=HEADERS, data=st.data())
def test_a_frame_of_another_length_is_refused(header: FrameHeader, data: st.DataObject):
    frame = frame_of(header)
    longer = frame + data.draw(st.binary(min_size=1, max_size=30))
    shorter = frame[: data.draw(st.integers(0, len(frame) - 1))]
    for wrong in (longer, shorter):
        with pytest.raises(ProtocolError, match=f"motion frame .* {len(wrong)} bytes"):
            motion.unpack_header(wrong)


@given(header=HEADERS, kind=st.integers(0, 255).filter(lambda kind: kind not in motion.SAMPLE_BYTES))
def test_a_kind_that_does_not_exist_is_named(header: FrameHeader, kind: int):
    frame = bytes([kind]) + frame_of(header)[1:]
    with pytest.raises(ProtocolError, match=f"^motion frame kind 0x{kind:02x} does not exist$"):
        motion.unpack_header(frame)


@given(kind=st.sampled_from([ORIENTATION, RAW]), att_mtu=st.integers(23, 517))
def test_a_frame_takes_as_much_as_the_link(kind: int, att_mtu: int):
    count = motion.samples_per_frame(kind, att_mtu)
    room = att_mtu - 3 - motion.HEADER_BYTES
    assert count >= 0
    assert count * motion.SAMPLE_BYTES[kind] <= max(room, 0)
    assert (count + 1) * motion.SAMPLE_BYTES[kind] > room


def test_the_usual_link_takes_27_orientations_and_none_fits_the_smallest():
    assert motion.samples_per_frame(ORIENTATION, 247) == 27
    assert motion.samples_per_frame(RAW, 247) == 18
    assert motion.samples_per_frame(ORIENTATION, 23) == 0
