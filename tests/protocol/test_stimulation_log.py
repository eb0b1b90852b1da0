"""The log's chain: what follows is read, what was lost, altered or put elsewhere is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinetens_protocol import ProtocolError, stimulation_log
from kinetens_protocol.stimulation_log import ENTRY_BYTES, NO_CHECK, PAGE_HEADER_BYTES, LogEntry

u8, u16, u32 = st.integers(0, 0xFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF)
entries = st.builds(LogEntry, u32, u16, u32, u8, u8, u32, u32, u32)
pages = st.lists(entries, max_size=stimulation_log.MOST_PAGE_ENTRIES)


def page_of(written: list[LogEntry], before: bytes = NO_CHECK) -> bytes:
    data, check = b"", before
    for entry in written:
        data += stimulation_log.pack_entry(check, entry)
        check = data[-len(NO_CHECK) :]
    buffer = bytearray(PAGE_HEADER_BYTES + len(data))
    end = stimulation_log.pack_page_into(buffer, 0, 3, 9, before, data)
    return bytes(buffer[:end])


@given(pages, st.binary(min_size=8, max_size=8))
def test_a_page_comes_back_with_the_check_that_joins_the_next(written: list[LogEntry], before: bytes):
    payload = page_of(written, before)
    page = stimulation_log.unpack_page(payload)
    assert (page.oldest, page.next, page.before, page.entries) == (3, 9, before, tuple(written))
    assert page.after == (payload[-8:] if written else before)


@given(pages.filter(bool), st.data())
def test_one_altered_byte_of_an_entry_is_found(written: list[LogEntry], data: st.DataObject):
    payload = bytearray(page_of(written))
    payload[data.draw(st.integers(8, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ProtocolError, match="does not follow"):
        stimulation_log.unpack_page(bytes(payload))


@given(st.lists(entries, min_size=2, max_size=5, unique=True), st.data())
def test_a_missing_or_moved_entry_is_found(written: list[LogEntry], data: st.DataObject):
    payload = page_of(written)
    place = data.draw(st.integers(0, len(written) - 2))
    start = PAGE_HEADER_BYTES + place * ENTRY_BYTES
    first, second = (
        payload[start : start + ENTRY_BYTES],
        payload[start + ENTRY_BYTES : start + 2 * ENTRY_BYTES],
    )
    behind = payload[start + 2 * ENTRY_BYTES :]
    for altered in (payload[:start] + second + behind, payload[:start] + second + first + behind):
        with pytest.raises(ProtocolError, match="does not follow"):
            stimulation_log.unpack_page(altered)
