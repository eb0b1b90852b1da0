"""The stimulation characteristic's bytes: what goes in comes out, and what is damaged does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinetens_protocol import ProtocolError, limits, stimulation
from kinetens_protocol.limits import Program
from kinetens_protocol.messages import HEADER_BYTES, LONGEST_REQUEST_BYTES
from kinetens_protocol.stimulation import Command, Configure, FaultReport, State

u8, u16, u32 = st.integers(0, 0xFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF)
commands = st.builds(Command, u32, u32)
permille = st.integers(0, 1000)
programs = st.builds(Program, u32, u16, u16, u32, u16, u32, u32, u32, permille, u8, u16, u16)
configures = st.builds(
    Configure, u32, u8, u16, u32, u32, programs, st.lists(st.tuples(u8, u32), max_size=13).map(tuple)
)
states = st.builds(State, u8, u8, u8, u8, u32, u32, u32, u32, u16, u32, u32, u32, u8, u32, u16, u32)
operations = st.sampled_from(
    [stimulation.ARM, stimulation.START, stimulation.SET_LEVEL, stimulation.RENEW, stimulation.CLEAR_FAULT]
)


@given(operations, commands)
def test_a_command_comes_back(operation: int, command: Command):
    assert stimulation.unpack_command(operation, stimulation.pack_command(operation, command)) == command


@given(configures)
def test_a_plan_comes_back_and_fits_a_request(configure: Configure):
    payload = stimulation.pack_configure(configure)
    assert stimulation.unpack_configure(payload) == configure
    assert HEADER_BYTES + len(payload) <= LONGEST_REQUEST_BYTES


@given(states)
def test_a_state_comes_back_and_may_have_grown(state: State):
    buffer = bytearray(64)
    end = stimulation.pack_state_into(buffer, 3, state)
    assert stimulation.unpack_state(bytes(buffer[3:end])) == state
    assert stimulation.unpack_state(bytes(buffer[3:])) == state


def test_a_fault_report_comes_back():
    buffer = bytearray(8)
    end = stimulation.pack_fault_report_into(buffer, 0, FaultReport(stimulation.SHORT, 12))
    assert stimulation.unpack_fault_report(bytes(buffer[:end])) == (stimulation.SHORT, 12)


@given(commands, operations, st.data())
def test_a_damaged_command_is_never_read(command: Command, operation: int, data: st.DataObject):
    payload = bytearray(stimulation.pack_command(operation, command))
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ProtocolError):
        stimulation.unpack_command(operation, bytes(payload))


@given(configures, st.data())
def test_a_damaged_plan_is_never_read(configure: Configure, data: st.DataObject):
    payload = bytearray(stimulation.pack_configure(configure))
    payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ProtocolError):
        stimulation.unpack_configure(bytes(payload))


@given(st.binary(max_size=130))
def test_any_bytes_are_read_or_refused(payload: bytes):
    for unpack in (
        stimulation.unpack_configure,
        lambda data: stimulation.unpack_command(stimulation.ARM, data),
        stimulation.unpack_state,
        stimulation.unpack_bounds,
        stimulation.unpack_fault_report,
    ):
        try:
            unpack(payload)
        except ProtocolError:
            continue


def test_one_command_is_not_taken_for_another():
    payload = stimulation.pack_command(stimulation.RENEW, Command(5, 0))
    with pytest.raises(ProtocolError, match="check value"):
        stimulation.unpack_command(stimulation.START, payload)


@pytest.mark.parametrize("length", range(13))
def test_a_command_of_another_length_is_refused(length: int):
    whole = stimulation.pack_command(stimulation.ARM, Command(1, 0))
    with pytest.raises(ProtocolError):
        stimulation.unpack_command(
            stimulation.ARM, (whole + b"\0")[:length] if length < 12 else whole + b"\0"
        )


def test_limits_travel_in_parts_when_the_buffer_is_small():
    bounds = limits.effective({}, limits.default_plan(), 2500)
    rows: list[limits.Bound] = []
    total = 1
    while len(rows) < total:
        buffer = bytearray(40)
        end = stimulation.pack_bounds_into(buffer, 5, bounds, len(rows))
        total, more = stimulation.unpack_bounds(bytes(buffer[5:end]))
        rows += more
    assert {row.code: row for row in rows} == bounds


def test_every_state_cause_and_fault_has_words():
    for table in (stimulation.STATES, stimulation.CAUSES, stimulation.WRONG_STATES):
        assert all(table.values())
    assert all(name and sentence for name, sentence in stimulation.FAULTS.values())
