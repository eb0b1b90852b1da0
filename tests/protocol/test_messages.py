"""Requests, responses and events keep what they carry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinetens_protocol import ProtocolError, control, messages
from kinetens_protocol.messages import EVENT, OK, REQUEST, RESPONSE, Message, Refusal, Refused

BYTE = st.integers(0, 0xFF)
WORD16 = st.integers(0, 0xFFFF)
WORD32 = st.integers(0, 0xFFFF_FFFF)
PAYLOAD = st.binary(max_size=messages.LONGEST_REQUEST_BYTES)


@given(operation=BYTE, identifier=WORD16, payload=PAYLOAD)
def test_a_request_survives(operation: int, identifier: int, payload: bytes):
    data = messages.pack_request(operation, identifier, payload)
    assert messages.unpack_message(data) == Message(REQUEST, operation, identifier, payload)


@given(code=BYTE, identifier=WORD16, reason=BYTE)
def test_a_response_begins_with_its_reason(code: int, identifier: int, reason: int):
    buffer = bytearray(messages.RESPONSE_HEADER_BYTES)
    end = messages.pack_header_into(buffer, RESPONSE, code, identifier, reason)
    assert end == len(buffer)
    assert messages.unpack_message(bytes(buffer)) == Message(RESPONSE, code, identifier, bytes([reason]))


@given(code=BYTE, sequence=WORD16)
def test_an_event_has_no_reason(code: int, sequence: int):
    buffer = bytearray(b"\xee" * 5)
    end = messages.pack_header_into(buffer, EVENT, code, sequence)
    assert end == messages.HEADER_BYTES
    assert buffer[end] == 0xEE
    assert messages.unpack_message(bytes(buffer[:end])) == Message(EVENT, code, sequence, b"")


@given(refusal=st.builds(Refusal, BYTE, BYTE, WORD32, WORD32), offset=st.integers(0, 10))
def test_a_refusal_survives(refusal: Refusal, offset: int):
    buffer = bytearray(30)
    end = messages.pack_refusal_into(buffer, offset, refusal)
    assert messages.unpack_refusal(bytes(buffer[offset:end])) == refusal


@given(payload=st.binary(max_size=9))
def test_a_refusal_cut_short_gives_no_detail(payload: bytes):
    assert messages.unpack_refusal(payload) == messages.NO_DETAIL


@given(kind=BYTE.filter(lambda kind: kind not in (REQUEST, RESPONSE, EVENT)), rest=st.binary(min_size=3))
def test_a_kind_that_does_not_exist_is_named(kind: int, rest: bytes):
    with pytest.raises(ProtocolError, match=f"^message kind {kind} does not exist$"):
        messages.unpack_message(bytes([kind]) + rest)


def test_greetings_and_refusals_fit_any_link():
    smallest_notification = 23 - 3
    hello = control.pack_hello(control.Hello(1, 1, 0))
    refusal = messages.pack_refusal_into(bytearray(16), messages.RESPONSE_HEADER_BYTES, messages.NO_DETAIL)
    assert messages.RESPONSE_HEADER_BYTES + len(hello) <= smallest_notification
    assert refusal <= smallest_notification


def test_every_reason_says_what_it_is():
    assert sorted(messages.REASONS) == list(range(len(messages.REASONS)))
    assert len(set(messages.REASONS.values())) == len(messages.REASONS)
    assert messages.REASONS[OK] == "done"


def test_being_refused_says_why():
    refused = Refused(messages.OUT_OF_RANGE, Refusal(1, 0, 5, 20))
    assert str(refused) == "a value is outside what the device offers"
    assert refused.refusal.bound == 20
    assert str(Refused(200)) == "refused for reason 200"
