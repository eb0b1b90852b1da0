# pyright: basic, reportAttributeAccessIssue=false, reportOptionalMemberAccess=false, reportArgumentType=false
"""Runs on MicroPython and on CPython alike: one stimulation session on stub drivers, printed step by step.

Arguments: the folders of firmware and protocol. test_stim_micropython.py compares what both print.
"""

import sys

sys.path[:0] = sys.argv[1:]

now_us = 0
ends_us = 0
code = 0


class _Module:
    pass


def _step(microseconds=20):
    global now_us
    now_us += microseconds


def _difference(end, start):
    return ((end - start + (1 << 29)) & ((1 << 30) - 1)) - (1 << 29)


class Pin:
    OUT = 3

    def __init__(self, number, mode=-1, value=None):
        self.number = number

    def value(self, level):
        _step()


class ADC:
    ATTN_11DB = 3

    def __init__(self, pin, atten=0):
        self._number = pin.number

    def read_uv(self):
        """500 ohm: 30 mA/V and 50 V/V of 60 mA at full scale; no charge on the capacitor."""
        _step()
        if self._number == 9:
            return 1_650_000
        current_ua = 60_000 * code // 4095
        return current_ua * 1000 // 30 if self._number == 2 else current_ua * 10


class RMT:
    def __init__(self, pin, resolution_hz, idle_level):
        pass

    def write_pulses(self, durations, levels):
        global ends_us
        _step()
        ends_us = now_us + sum(durations)
        print("train", code, durations, levels)

    def wait_done(self):
        _step()
        return now_us >= ends_us

    def active(self, on):
        global ends_us
        _step()
        ends_us = 0


class Bus:
    def writeto(self, address, data):
        global code
        _step(100)
        if len(data) == 2:
            code = data[0] << 8 | data[1]

    def readfrom(self, address, count):
        _step(100)
        return bytes((0xC0, code >> 4, code << 4 & 0xF0, 0, 0)[:count])


class Clock:
    def now_ms(self):
        return now_us // 1000 & ((1 << 30) - 1)

    def elapsed_ms(self, since):
        return _difference(self.now_ms(), since)


machine, esp32, time = _Module(), _Module(), _Module()
machine.Pin, machine.ADC = Pin, ADC
esp32.RMT = RMT
time.ticks_us = lambda: now_us & ((1 << 30) - 1)
time.ticks_diff = _difference
time.ticks_add = lambda ticks, delta: (ticks + delta) & ((1 << 30) - 1)
time.sleep_us = _step
time.sleep_ms = lambda ms: _step(ms * 1000)
sys.modules["machine"], sys.modules["esp32"], sys.modules["time"] = machine, esp32, time

from kinetens_protocol import limits, messages, stimulation  # noqa: E402
from stim.channel import open_channel  # noqa: E402

SERIAL = "3c71bf4f2a10"
board = {
    "stimulation": {
        "pulse_pin": 15,
        "polarity_reset_pin": 16,
        "high_voltage_pin": 17,
        "dac": {"address": 96, "full_scale_ma": 60.0},
        "current_sense": {"adc": 2, "ma_per_volt": 30.0},
        "voltage_sense": {"adc": 3, "volt_per_volt": 50.0},
        "residual_sense": {"adc": 9, "zero_mv": 1650, "nc_per_mv": 20},
        "ceiling_ma": 50.0,
        "protections": list(stimulation.PROTECTIONS),
    }
}
channel = open_channel(board, Bus(), Clock(), print, SERIAL, 1, 1)
supervisor, telemetry = channel.supervisor, channel.telemetry
buffer = bytearray(244)
telemetry.state_into(buffer, 0)
counter = stimulation.unpack_state(buffer).counter


def ticks(count):
    global now_us
    for _ in range(count):
        due_us = now_us + 50_000
        supervisor.tick()
        event = telemetry.take_event()
        if event:
            end = telemetry.event_into(event, buffer, 0)
            print("event", event, list(buffer[:end]))
        now_us = max(now_us, due_us)


def ask(operation, payload):
    try:
        end = channel.handle(operation, payload, buffer, 0)
        print("done", operation, list(buffer[:end]))
    except messages.Refused as refused:
        print("refused", operation, refused.reason, tuple(refused.refusal))


def command(operation, value=0):
    global counter
    counter += 1
    ask(operation, stimulation.pack_command(operation, stimulation.Command(counter, value)))


def configure(program):
    global counter
    counter += 1
    plan = tuple(sorted(limits.default_plan().items()))
    tags = (stimulation.tag(SERIAL), stimulation.tag("member-7"))
    configure = stimulation.Configure(counter, stimulation.ANSWERS_OK, 1000, *tags, program, plan)
    ask(stimulation.CONFIGURE, stimulation.pack_configure(configure))


configure(limits.Program(40_000, 100, 0, 5_000_000, 0, 0, 1_800_000, 1000, 1000, 0, 0, 0))
configure(limits.Program(15_000, 100, 50, 25_000, 0, 0, 1_800_000, 2500, 1000, 0, 0, 0))
ask(stimulation.LIMITS, b"\0")
command(stimulation.ARM)
supervisor.button(True)
ticks(12)
supervisor.button(False)
command(stimulation.ARM)
ticks(6)
command(stimulation.START)
for level_ua in range(500, 3000, 500):
    command(stimulation.SET_LEVEL, level_ua)
    command(stimulation.RENEW)
    ticks(6)
command(stimulation.SET_LEVEL, 9_000)
ask(stimulation.STATE, b"")
ask(stimulation.RENEW, b"damaged")
ticks(40)
ask(stimulation.STATE, b"")
supervisor.button(True)
supervisor.link_lost()
ticks(2)
print("over", code)
