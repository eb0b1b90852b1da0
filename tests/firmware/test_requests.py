"""Requests of one channel: framing, repetition, refusal."""

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinetens_protocol import ProtocolError, messages
from kinetens_protocol.messages import Refusal, Refused
from tests.firmware.cpython_viper import load_firmware_module

MTU = 247


class Channel:
    """Requests to a handler that echoes, and what it did."""

    def __init__(self, repeatable: tuple[int, ...] = ()) -> None:
        self.done: list[tuple[int, bytes]] = []
        self.lines: list[str] = []
        self.requests = load_firmware_module("link.requests").Requests(
            self._handle, self.lines.append, repeatable
        )

    def _handle(self, operation: int, payload: bytes, buffer: bytearray, offset: int) -> int:
        self.done.append((operation, payload))
        if operation == 1:
            raise Refused(messages.OUT_OF_RANGE, Refusal(1, 2, 3, 4))
        if operation == 2:
            raise ProtocolError("no")
        buffer[offset : offset + len(payload)] = payload
        return offset + len(payload)

    def ask(self, operation: int, identifier: int, payload: bytes = b"", mtu: int = MTU) -> bytes | None:
        return self.answer(messages.pack_request(operation, identifier, payload), mtu)

    def answer(self, data: bytes, mtu: int = MTU) -> bytes | None:
        answer = self.requests.answer(data, mtu)
        return None if answer is None else bytes(answer)


def test_an_answer_has_the_requests_operation_and_identifier():
    assert Channel().ask(7, 0x1234, b"abc") == b"\x02\x07\x34\x12\x00abc"


def test_the_same_identifier_is_answered_alike_and_not_done_again():
    channel = Channel()
    first = channel.ask(7, 5, b"abc")
    assert channel.ask(7, 5, b"xyz") == first
    assert channel.done == [(7, b"abc")]
    channel.ask(7, 6, b"xyz")
    assert channel.done[-1] == (7, b"xyz")


def test_what_is_repeatable_is_done_each_time():
    channel = Channel(repeatable=(7,))
    channel.ask(7, 5)
    channel.ask(7, 5)
    assert len(channel.done) == 2


def test_a_new_connection_may_use_the_same_identifier():
    channel = Channel()
    channel.ask(7, 5)
    channel.requests.forget()
    channel.ask(7, 5)
    assert len(channel.done) == 2


@pytest.mark.parametrize(
    ("operation", "reason", "detail"),
    [(1, messages.OUT_OF_RANGE, Refusal(1, 2, 3, 4)), (2, messages.MALFORMED, messages.NO_DETAIL)],
)
def test_a_refusal_carries_its_reason(operation: int, reason: int, detail: Refusal):
    answer = Channel().ask(operation, 5)
    assert answer is not None
    assert answer[4] == reason
    assert messages.unpack_refusal(answer[5:]) == detail


def test_an_answer_that_the_link_cannot_carry_is_refused_with_the_mtu_that_could():
    answer = Channel().ask(7, 5, bytes(60), mtu=23)
    assert answer is not None
    assert len(answer) <= 20
    assert answer[4] == messages.MTU_TOO_SMALL
    refusal = messages.unpack_refusal(answer[5:])
    assert (refusal.value, refusal.bound) == (23, 68)


@pytest.mark.parametrize(
    "data", [b"", b"\x01", b"\x01\x07\x05", b"\x02\x07\x05\x00\x00", b"\x03\x07\x05\x00"]
)
def test_what_is_no_request_gets_no_answer_and_a_line_in_the_log(data: bytes):
    channel = Channel()
    assert channel.answer(data) is None
    assert channel.done == []
    assert len(channel.lines) == 1


def test_a_request_longer_than_any_is_dropped():
    channel = Channel()
    assert channel.ask(7, 5, bytes(messages.LONGEST_REQUEST_BYTES - 3)) is None
    assert channel.ask(7, 5, bytes(messages.LONGEST_REQUEST_BYTES - 4)) is not None


@given(st.binary(max_size=200), st.sampled_from([23, 185, 247]))
def test_any_bytes_are_answered_or_dropped(data: bytes, mtu: int):
    answer = Channel().answer(data, mtu)
    if answer is not None:
        assert data[0] == messages.REQUEST
        assert answer[:4] == pack("<BB", messages.RESPONSE, data[1]) + data[2:4]
        assert len(answer) <= mtu - 3


def test_events_are_numbered_and_wrap():
    events = load_firmware_module("link.requests").Events()
    numbers = []
    for _ in range(0x10002):
        _, offset = events.begin(1)
        numbers.append(messages.unpack_message(bytes(events.bytes_to(offset))).identifier)
    assert numbers[:2] == [1, 2]
    assert numbers[0xFFFE:] == [0xFFFF, 0, 1, 2]
    assert events.bytes_to(1)[0] == messages.EVENT
