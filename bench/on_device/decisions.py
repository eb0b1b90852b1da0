"""What the supervisor's decisions cost (under MicroPython, where `time.ticks_cpu` counts instructions).

Prints a JSON list for each thing measured: its name, how often it was done, the mean and the most instructions, heap
bytes taken each time, and blocks of flash erased each time. What the stub drivers cost is taken off; flash is littlefs
in memory with a device's blocks of 4 KB.
"""

import gc
import json
import os
import sys
import time as real_time
from array import array

import micropython
import vfs

instructions = real_time.ticks_cpu
difference = real_time.ticks_diff
MASK = (1 << 30) - 1
TICK_US = 50_000


class World:
    now_us = 0
    ends_us = 0
    code = 0
    spent = 0  # instructions of the stubs
    erased = 0


def elapse(microseconds):
    World.now_us += microseconds


def stub(function):
    """A driver's call: takes 20 µs, and its instructions are not the firmware's."""

    def call(*arguments, **more):
        start = instructions()
        World.now_us += 20
        answer = function(*arguments, **more)
        World.spent += difference(instructions(), start)
        return answer

    return call


class Pin:
    OUT = 3

    def __init__(self, number, mode=-1, value=None):
        self.number = number

    @stub
    def value(self, level):
        pass


class ADC:
    ATTN_11DB = 3

    def __init__(self, pin, atten=0):
        self._number = pin.number

    @stub
    def read_uv(self):
        """500 ohm; no charge on the capacitor."""
        if self._number == 9:
            return 1_650_000
        current_ua = 60_000 * World.code // 4095
        return current_ua * 1000 // 30 if self._number == 2 else current_ua * 10


class RMT:
    def __init__(self, pin, resolution_hz, idle_level):
        pass

    @stub
    def write_pulses(self, durations, levels):
        World.ends_us = World.now_us + sum(durations)

    @stub
    def wait_done(self):
        return World.now_us >= World.ends_us

    @stub
    def active(self, on):
        World.ends_us = 0


class Bus:
    @stub
    def writeto(self, address, data):
        if len(data) == 2:
            World.code = data[0] << 8 | data[1]

    @stub
    def readfrom(self, address, count):
        return bytes((0xC0, World.code >> 4, World.code << 4 & 0xF0, 0, 0)[:count])


class Clock:
    def now_ms(self):
        return World.now_us // 1000 & MASK

    def elapsed_ms(self, since):
        return ((self.now_ms() - since + (1 << 29)) & MASK) - (1 << 29)


@micropython.viper
def copy_in(buffer: ptr8, at: int, count: int):
    memory = ptr8(uint(0x81000000) + uint(at))
    for i in range(count):
        buffer[i] = memory[i]


@micropython.viper
def copy_out(buffer: ptr8, at: int, count: int):
    memory = ptr8(uint(0x81000000) + uint(at))
    for i in range(count):
        memory[i] = buffer[i]


class Flash:
    """Memory that nothing else uses, in blocks of 4 KB; counts what is erased. Takes no heap."""

    BLOCKS = 64

    def readblocks(self, block, buffer, offset=0):
        start = instructions()
        copy_in(buffer, block * 4096 + offset, len(buffer))
        World.spent += difference(instructions(), start)

    def writeblocks(self, block, buffer, offset=0):
        start = instructions()
        copy_out(buffer, block * 4096 + offset, len(buffer))
        World.spent += difference(instructions(), start)

    def ioctl(self, operation, argument):
        if operation == 6:
            World.erased += 1
        return {4: self.BLOCKS, 5: 4096}.get(operation, 0)


class _Module:
    pass


machine, esp32, time = _Module(), _Module(), _Module()
machine.Pin, machine.ADC = Pin, ADC
esp32.RMT = RMT
time.ticks_us = lambda: World.now_us & MASK
time.ticks_diff = lambda end, start: ((end - start + (1 << 29)) & MASK) - (1 << 29)
time.ticks_add = lambda ticks, delta: (ticks + delta) & MASK
time.sleep_us = elapse
time.sleep_ms = lambda ms: elapse(ms * 1000)
sys.modules["machine"], sys.modules["esp32"], sys.modules["time"] = machine, esp32, time

from kinetens_protocol import limits, stimulation  # noqa: E402
from stim.channel import open_channel  # noqa: E402
from stim.log import StimulationLog  # noqa: E402
from stim.motion_watch import MotionWatch  # noqa: E402

SERIAL = "3c71bf4f2a10"
BOARD = {
    "stimulation": {
        "pulse_pin": 15,
        "polarity_reset_pin": 16,
        "high_voltage_pin": 17,
        "dac": {"address": 96, "full_scale_ma": 60.0},
        "current_sense": {"adc": 2, "ma_per_volt": 30.0},
        "voltage_sense": {"adc": 3, "volt_per_volt": 50.0},
        "residual_sense": {"adc": 9, "zero_mv": 1650, "nc_per_mv": 20},
        "ceiling_ma": 50.0,
        "protections": stimulation.PROTECTIONS,
    }
}
EVEN = (15_000, 100, 50, 80_000, 0, 0, 1_800_000, 2500, 1000)
CARRIER = (5_000, 100, 0, 4_000_000, 0, 0, 1_800_000, 2500, 1000)
BURSTS = (25_000, 100, 0, 5_000_000, 20, 50_000, 1_800_000, 2500, 1000)
PROGRAMS = (
    ("80 Hz", limits.Program(*EVEN, limits.STEADY, 0, 0)),
    ("80 Hz, rate swings", limits.Program(*EVEN, limits.MODULATED_RATE, 500, 4000)),
    ("5 kHz in bursts", limits.Program(*BURSTS, limits.STEADY, 0, 0)),
    ("5 kHz in bursts, width swings", limits.Program(*BURSTS, limits.MODULATED_WIDTH, 400, 4000)),
    ("4 kHz without a pause", limits.Program(*CARRIER, limits.STEADY, 0, 0)),
)
PLAN = {limits.AVERAGE_CURRENT: 10_000, limits.STEP: 500}


class Measured:
    """Does something, and keeps what it cost."""

    def __init__(self, name):
        self.name = name
        self.costs = array("i")
        self.allocated = 0
        self.erased = 0

    def do(self, work, *arguments):
        gc.collect()
        gc.disable()
        World.spent = 0
        erased, heap, start = World.erased, gc.mem_alloc(), instructions()
        answer = work(*arguments)
        self.costs.append(difference(instructions(), start) - World.spent)
        self.allocated += gc.mem_alloc() - heap
        self.erased += World.erased - erased
        gc.enable()
        return answer

    def tell(self):
        count = len(self.costs)
        mean = sum(self.costs) / count
        print(
            json.dumps([self.name, count, mean, max(self.costs), self.allocated / count, self.erased / count])
        )


class Host:
    """Opens a channel and types commands."""

    def __init__(self):
        self.channel = open_channel(BOARD, Bus(), Clock(), quiet, SERIAL, 1, 1)
        self.counter = self.channel.supervisor.counter
        self.buffer = bytearray(244)

    def ask(self, operation, payload):
        self.channel.handle(operation, payload, self.buffer, 0)

    def command(self, operation, value=0):
        self.counter += 1
        payload = stimulation.pack_command(operation, stimulation.Command(self.counter, value))
        self.ask(operation, payload)

    def configure(self, program):
        self.counter += 1
        tags = (stimulation.tag(SERIAL), stimulation.tag("member-7"))
        flags = stimulation.ANSWERS_OK
        rows = tuple(PLAN.items())
        configure = stimulation.Configure(self.counter, flags, 1000, *tags, program, rows)
        self.ask(stimulation.CONFIGURE, stimulation.pack_configure(configure))

    def ticks(self, count, measured=None):
        supervisor = self.channel.supervisor
        for _ in range(count):
            due_us = World.now_us + TICK_US
            if measured:
                measured.do(supervisor.tick)
            else:
                supervisor.tick()
            World.now_us = max(World.now_us, due_us)

    def start(self, program):
        self.configure(program)
        self.channel.supervisor.button(True)
        self.ticks(12)
        self.channel.supervisor.button(False)
        self.command(stimulation.ARM)
        self.ticks(8)
        self.command(stimulation.START)


def quiet(text):
    pass


def measure():
    vfs.VfsLfs2.mkfs(Flash())
    vfs.mount(vfs.VfsLfs2(Flash()), "/flash")
    os.chdir("/flash")
    boot = Measured("boot: open the channel, read its records")
    host = boot.do(Host)
    boot.tell()
    level, renew = Measured("SET_LEVEL, with its log entry"), Measured("RENEW")
    idle = Measured("tick, idle")
    host.ticks(40, idle)
    idle.tell()
    for name, program in PROGRAMS:
        ticks = Measured("tick, " + name)
        host.start(program)
        for step in range(1, 9):
            level.do(host.command, stimulation.SET_LEVEL, 100 * step)
            renew.do(host.command, stimulation.RENEW)
            host.ticks(10, ticks)
        ticks.tell()
        assert host.channel.supervisor.state == stimulation.RUNNING, host.channel.supervisor.cause
        host.ask(stimulation.STOP, b"")
        host.ticks(10)
    level.tell()
    renew.tell()
    log = Measured("an entry of the log")
    entries = StimulationLog(Clock(), 2)
    for value in range(200):
        log.do(entries.append, 1, stimulation.SET_LEVEL, value, value)
    log.tell()
    motion()


class Sensor:
    sample_rate_mhz = 416_000
    gyro_udps_per_count = 70_000
    accel_ug_per_count = 488


def motion():
    watch = MotionWatch(Clock(), Sensor)
    batch = bytearray(12 * 17)
    for at in range(0, len(batch), 2):
        batch[at] = at * 37 & 0xFF
    look = Measured("motion watch, a poll of 17 samples")
    for _ in range(50):
        look.do(watch.take, batch, 17)
    look.tell()
    ask = Measured("motion watch, its cause")
    for _ in range(50):
        ask.do(watch.cause)
    ask.tell()


measure()
