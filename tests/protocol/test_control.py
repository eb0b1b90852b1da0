"""What the control characteristic carries survives the air, whatever its values."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinetens_protocol import ProtocolError, control, messages, stimulation, stimulation_log
from kinetens_protocol.control import Calibration, Hello, Info, Status, Stream, StreamRequest, TimeExchange

BYTE = st.integers(0, 0xFF)
WORD16 = st.integers(0, 0xFFFF)
WORD32 = st.integers(0, 0xFFFF_FFFF)
WORD64 = st.integers(0, 0xFFFF_FFFF_FFFF_FFFF)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
SHORT_TEXT = TEXT.filter(lambda text: len(text.encode()) <= control.LONGEST_TEXT_BYTES)
NUMBERS = (BYTE, BYTE, WORD32, WORD32, WORD32, WORD32, WORD32, BYTE)

HELLOS = st.builds(Hello, BYTE, BYTE, BYTE)
INFOS = st.builds(Info, *NUMBERS, *[SHORT_TEXT] * 7)
REQUESTS = st.builds(StreamRequest, WORD16, BYTE, WORD16)
STREAMS = st.builds(Stream, WORD32, WORD16, BYTE, WORD64)
EXCHANGES = st.builds(TimeExchange, WORD64, WORD64, WORD64)
SIGNED32 = st.integers(-0x8000_0000, 0x7FFF_FFFF)
CALIBRATIONS = st.builds(
    Calibration, WORD16, BYTE, BYTE, BYTE, st.integers(-0x8000, 0x7FFF), WORD32, *[SIGNED32] * 15
)
STATUSES = st.builds(
    Status,
    WORD64,
    *[WORD32] * 11,
    gc_count=WORD16,
    heap_free_bytes=WORD32,
    temperature_cdeg=st.integers(-0x8000, 0x7FFF),
    battery_mv=WORD16,
    battery_percent=BYTE,
    flags=BYTE,
    log_entries=WORD32,
)


def pack_status(status: Status) -> bytes:
    buffer = bytearray(control.STATUS_BYTES + 3)
    end = control.pack_status_into(buffer, 3, status)
    return bytes(buffer[3:end])


CODECS: dict[str, tuple[st.SearchStrategy[Any], Any, Any]] = {
    "greeting": (HELLOS, control.pack_hello, control.unpack_hello),
    "device information": (INFOS, control.pack_info, control.unpack_info),
    "stream request": (REQUESTS, control.pack_stream_request, control.unpack_stream_request),
    "stream": (STREAMS, control.pack_stream, control.unpack_stream),
    "stream end": (WORD32, control.pack_stream_end, control.unpack_stream_end),
    "status": (STATUSES, pack_status, control.unpack_status),
    "time exchange": (EXCHANGES, control.pack_time_exchange, control.unpack_time_exchange),
    "calibration": (CALIBRATIONS, control.pack_calibration, control.unpack_calibration),
}


@pytest.mark.parametrize("name", CODECS)
@given(data=st.data())
def test_every_value_survives(name: str, data: st.DataObject):
    values, pack, unpack = CODECS[name]
    value = data.draw(values)
    assert unpack(pack(value)) == value


@pytest.mark.parametrize("name", CODECS)
@given(data=st.data(), more=st.binary(max_size=20))
def test_fields_of_a_later_version_are_left_alone(name: str, data: st.DataObject, more: bytes):
    values, pack, unpack = CODECS[name]
    value = data.draw(values)
    assert unpack(pack(value) + more) == value


@pytest.mark.parametrize("name", CODECS)
@given(data=st.data())
def test_a_payload_cut_short_is_refused_by_name(name: str, data: st.DataObject):
    values, pack, unpack = CODECS[name]
    payload = pack(data.draw(values))
    with pytest.raises(ProtocolError, match=f"^{name} "):
        unpack(payload[: data.draw(st.integers(0, len(payload) - 1))])


@given(texts=st.lists(TEXT, min_size=7, max_size=7))
def test_a_long_text_loses_whole_characters_only(texts: list[str]):
    info = control.unpack_info(control.pack_info(Info(0, 0, 0, 0, 0, 0, 0, 0, *texts)))
    for text, kept in zip(texts, info[-7:], strict=True):
        assert text.startswith(kept)
        lost = text[len(kept) :]
        if lost:
            assert len((kept + lost[0]).encode()) > control.LONGEST_TEXT_BYTES


@given(info=st.builds(Info, *NUMBERS, *[TEXT] * 7))
def test_device_information_fits_every_link_that_is_good_enough(info: Info):
    notification = messages.RESPONSE_HEADER_BYTES + len(control.pack_info(info))
    assert notification <= messages.SMALLEST_ATT_MTU - 3


def test_every_other_answer_and_event_fits_it_too():
    table = 1 + len(stimulation.TABLE) * stimulation.ROW_BYTES
    page = stimulation_log.PAGE_HEADER_BYTES + stimulation_log.MOST_PAGE_ENTRIES * stimulation_log.ENTRY_BYTES
    longest = max(control.STATUS_BYTES, control.CALIBRATION_BYTES, stimulation.STATE_BYTES, table, page)
    assert messages.RESPONSE_HEADER_BYTES + longest <= messages.SMALLEST_ATT_MTU - 3


def test_every_request_fits_what_a_device_reads():
    program = stimulation.Program(*[0] * 12)
    rows = ((0, 0),) * stimulation.MOST_PLAN_ROWS
    plan = stimulation.pack_configure(stimulation.Configure(0, 0, 0, 0, 0, program, rows))
    longest = messages.HEADER_BYTES + max(len(plan), control.CALIBRATION_BYTES)
    assert longest <= messages.LONGEST_REQUEST_BYTES <= messages.SMALLEST_ATT_MTU - 3


def test_a_calibration_has_a_date_when_it_is_whole():
    gyro_only = control.NO_CALIBRATION._replace(year=2026, month=3, day=7, parts=control.GYRO_CALIBRATED)
    whole = gyro_only._replace(parts=control.GYRO_CALIBRATED | control.ACCEL_CALIBRATED)
    assert control.calibration_date(gyro_only) == control.calibration_date(control.NO_CALIBRATION) == ""
    assert control.calibration_date(whole) == "2026-03-07"


@pytest.mark.parametrize(
    ("field", "most"),
    [
        ("gyro_offset_z_udps", control.MOST_GYRO_OFFSET_UDPS),
        ("accel_offset_x_ug", control.MOST_ACCEL_OFFSET_UG),
        ("accel_xx_ppm", control.MOST_ACCEL_MATRIX_PPM),
        ("accel_zz_ppm", control.MOST_ACCEL_MATRIX_PPM),
    ],
)
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_correction_that_no_sound_sensor_needs_is_named(field: str, most: int, sign: int):
    within = control.NO_CALIBRATION._replace(**{field: sign * most})
    assert control.calibration_excess(within) is None
    beyond = control.NO_CALIBRATION._replace(**{field: sign * (most + 1)})
    place = Calibration._fields.index(field)
    assert control.calibration_excess(beyond) == (place, most + 1, most)
