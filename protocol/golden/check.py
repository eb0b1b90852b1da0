"""Check this implementation against the golden vectors: `python check.py`, `micropython check.py`.

The .jsonl files beside this one hold a vector a line, for implementations in any language. A vector names its
`codec` and has

    fields, hex   writing the fields gives the bytes, reading the bytes gives the fields
    only          "read": the bytes say more than this version knows; "write": the fields more than the bytes
    error         instead of fields: reading the bytes fails with this sentence

Fields that are bytes are hexadecimal too. Floating-point numbers need only agree within 1e-6, which single
precision reaches.
"""
# pyright: basic

import json
import os
import sys
from binascii import hexlify, unhexlify
from struct import pack, unpack_from

FOLDER = __file__.replace("\\", "/").rpartition("/")[0] or "."
sys.path.insert(0, FOLDER + "/..")

from kinetens_protocol import (  # noqa: E402
    ProtocolError,
    control,
    faults,
    limits,
    messages,
    motion,
    stimulation,
    stimulation_log,
)

TOLERANCE = 1e-6
Q30 = 1 << 30


def record(kind, write, read):
    """A codec for a named tuple; vectors give its fields by name."""
    return (lambda fields: kind(**fields), write, read)


def plain(write, read):
    """A codec whose functions take and give a vector's fields as they are."""
    return (lambda fields: fields, write, read)


def write_into(pack_into_buffer):
    """Turn a function that writes into a buffer and returns the end into one that returns the bytes."""

    def write(value):
        buffer = bytearray(256)
        return buffer[: pack_into_buffer(buffer, 0, value)]

    return write


def message_of(fields):
    return messages.Message(
        fields["kind"], fields["code"], fields["identifier"], unhexlify(fields["payload"])
    )


def write_message(message):
    if message.kind == messages.REQUEST:
        return messages.pack_request(message.code, message.identifier, message.payload)
    reason = message.payload[0] if message.kind == messages.RESPONSE else messages.OK
    buffer = bytearray(messages.RESPONSE_HEADER_BYTES)
    start = messages.pack_header_into(buffer, message.kind, message.code, message.identifier, reason)
    return buffer[:start] + message.payload[start - messages.HEADER_BYTES :]


def frame_of(fields):
    header = {name: value for name, value in fields.items() if name != "samples"}
    return motion.FrameHeader(**header), fields["samples"]


def write_frame(frame):
    header, samples = frame
    buffer = bytearray(motion.HEADER_BYTES)
    motion.pack_header_into(buffer, header)
    for sample in samples:
        buffer += write_orientation(sample) if header.kind == motion.ORIENTATION else pack("<hhhhhh", *sample)
    return buffer


def read_frame(data):
    header = motion.unpack_header(data)
    samples = []
    for i in range(header.count):
        offset = motion.HEADER_BYTES + i * motion.SAMPLE_BYTES[header.kind]
        if header.kind == motion.ORIENTATION:
            samples.append(motion.unpack_orientation(data, offset))
        else:
            samples.append(unpack_from("<hhhhhh", data, offset))
    return header, samples


def write_orientation(sample):
    """w, x, y, z and flags."""
    return motion.pack_orientation(sample[:4], sample[4])


def write_orientation_q30(sample):
    """The same with components in 2**-30, as the device has them."""
    w, x, y, z, flags = sample
    return motion.pack_orientation((w / Q30, x / Q30, y / Q30, z / Q30), flags)


def command(operation):
    """A codec for the commands of one operation, whose check value covers it."""
    return record(
        stimulation.Command,
        lambda value: stimulation.pack_command(operation, value),
        lambda data: stimulation.unpack_command(operation, data),
    )


def configure_of(fields):
    program = limits.Program(*fields["program"])
    rows = tuple([tuple(row) for row in fields["limits"]])
    head = {name: fields[name] for name in ("counter", "flags", "lease_ms", "device_tag", "member_tag")}
    return stimulation.Configure(program=program, limits=rows, **head)


def limits_answer_of(fields):
    return fields["rows_in_table"], [limits.Bound(*row) for row in fields["rows"]]


def write_limits_answer(answer):
    _, rows = answer
    codes = [limit.code for limit in limits.LIMITS]
    first = codes.index(rows[0].code) if rows else len(codes)
    buffer = bytearray(1 + len(rows) * stimulation.ROW_BYTES)
    bounds = {bound.code: bound for bound in rows}
    return buffer[: stimulation.pack_bounds_into(buffer, 0, bounds, first)]


def write_effective_limits(fields):
    pads = (fields["pad_area_mm2"], fields["contact_permille"])
    bounds = limits.effective(dict(fields["board"]), dict(fields["plan"]), *pads)
    return write_limits_answer((len(bounds), [bounds[limit.code] for limit in limits.LIMITS]))


def log_page_of(fields):
    """after follows from the rest: the last entry's check."""
    entries = tuple([stimulation_log.LogEntry(*entry) for entry in fields["entries"]])
    before, after = unhexlify(fields["before"]), unhexlify(fields["after"])
    return stimulation_log.LogPage(fields["oldest"], fields["next"], before, entries, after)


def write_log_page(page):
    data = b""
    check = page.before
    for entry in page.entries:
        data += stimulation_log.pack_entry(check, entry)
        check = data[-stimulation_log.CHECK_BYTES :]
    buffer = bytearray(stimulation_log.PAGE_HEADER_BYTES + len(data))
    end = stimulation_log.pack_page_into(buffer, 0, page.oldest, page.next, page.before, data)
    return buffer[:end]


def write_swing(fields):
    """What is left of the modulated quantity (u16); rate, burst rate, width and current then (u32)."""
    program = limits.Program(*fields["program"])
    permille = limits.swing_permille(program, fields["elapsed_ms"])
    then = limits.swung(program, permille)
    return pack("<HIIII", permille, then.rate_mhz, then.burst_rate_mhz, then.phase_us, then.current_ua)


def write_program_check(fields):
    """The refusal, or nothing."""
    bounds = limits.effective(dict(fields["board"]), dict(fields["plan"]))
    refusal = limits.check(limits.Program(*fields["program"]), bounds)
    return write_into(messages.pack_refusal_into)(refusal) if refusal else b""


CODECS = {
    "message": (message_of, write_message, messages.unpack_message),
    "refusal": record(messages.Refusal, write_into(messages.pack_refusal_into), messages.unpack_refusal),
    "hello": record(control.Hello, control.pack_hello, control.unpack_hello),
    "info": record(control.Info, control.pack_info, control.unpack_info),
    "stream_request": record(
        control.StreamRequest, control.pack_stream_request, control.unpack_stream_request
    ),
    "stream": record(control.Stream, control.pack_stream, control.unpack_stream),
    "stream_end": plain(control.pack_stream_end, control.unpack_stream_end),
    "status": record(control.Status, write_into(control.pack_status_into), control.unpack_status),
    "time_exchange": record(control.TimeExchange, control.pack_time_exchange, control.unpack_time_exchange),
    "calibration": record(control.Calibration, control.pack_calibration, control.unpack_calibration),
    "fault_names": plain(None, lambda data: faults.names(unpack_from("<I", data, 0)[0])),
    "configure": (configure_of, stimulation.pack_configure, stimulation.unpack_configure),
    "arm": command(stimulation.ARM),
    "start": command(stimulation.START),
    "set_level": command(stimulation.SET_LEVEL),
    "renew": command(stimulation.RENEW),
    "clear_fault": command(stimulation.CLEAR_FAULT),
    "state": record(stimulation.State, write_into(stimulation.pack_state_into), stimulation.unpack_state),
    "release_member": command(stimulation.RELEASE_MEMBER),
    "tag": plain(lambda text: pack("<I", stimulation.tag(text)), None),
    "log_entry": (
        lambda fields: stimulation_log.LogEntry(*fields),
        lambda entry: stimulation_log.pack_entry(stimulation_log.NO_CHECK, entry),
        lambda data: stimulation_log.unpack_entry(stimulation_log.NO_CHECK, data),
    ),
    "log_page": (log_page_of, write_log_page, stimulation_log.unpack_page),
    "swing": plain(write_swing, None),
    "fault_report": record(
        stimulation.FaultReport,
        write_into(stimulation.pack_fault_report_into),
        stimulation.unpack_fault_report,
    ),
    "limits_answer": (limits_answer_of, write_limits_answer, stimulation.unpack_bounds),
    "effective_limits": plain(write_effective_limits, None),
    "program_check": plain(write_program_check, None),
    "frame": (frame_of, write_frame, read_frame),
    "orientation": plain(write_orientation, lambda data: motion.unpack_orientation(data, 0)),
    "orientation_q30": plain(write_orientation_q30, None),
}


def same(one, other):
    if isinstance(one, (tuple, list)):
        return len(one) == len(other) and all(same(one[i], other[i]) for i in range(len(one)))
    if isinstance(one, float):
        return abs(one - other) <= TOLERANCE
    return one == other


def complaints(vector):
    """What is wrong with one vector, as sentences."""
    value_of, write, read = CODECS[vector["codec"]]
    data = unhexlify(vector["hex"])
    if "error" in vector:
        try:
            yield f"reads {read(data)!r} instead of failing"
        except ProtocolError as error:
            if str(error) != vector["error"]:
                yield f"fails with {str(error)!r} instead of {vector['error']!r}"
        return
    value = value_of(vector["fields"])
    only = vector.get("only")
    if only != "read":
        written = bytes(write(value))
        if written != data:
            yield f"writes {hexlify(written).decode()} instead of {vector['hex']}"
    if only != "write":
        found = read(data)
        if not same(found, value):
            yield f"reads {found!r} instead of {value!r}"


def main():
    checked = 0
    wrong = 0
    for name in sorted(os.listdir(FOLDER)):
        if name.endswith(".jsonl"):
            with open(FOLDER + "/" + name, encoding="utf-8") as file:
                for line in file:
                    vector = json.loads(line)
                    checked += 1
                    found = list(complaints(vector))
                    wrong += bool(found)
                    for complaint in found:
                        print(f"{name}: {vector['codec']}, {vector['about']}: {complaint}")
    print(f"{wrong} of {checked} vectors wrong" if wrong else f"{checked} vectors ok")
    return 1 if wrong or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
