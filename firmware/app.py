"""The device: its parts, its tasks, and what each task does when a part fails."""

import asyncio
import gc
import sys
import time

import machine

from kinetens_protocol import VERSION_MAJOR, VERSION_MINOR, control, faults, messages, stimulation
from link import server as channels
from link.control import Control
from link.requests import Events, Requests
from link.server import Server
from motion import calibration_file
from motion.lsm6dsox import LSM6DSOX
from motion.sensing import Sensing
from stim.channel import open_channel
from stim.motion_watch import MotionWatch
from system import config, crash
from system.clock import Clock
from system.i2c_bus import Bus
from system.log import Log
from system.power import NoPower, Power
from system.shown_faults import ShownFaults
from system.version import FIRMWARE_VERSION

_POLL_MS = 40  # FIFO: 17 of its 240 samples
_TICK_MS = 50
_STATUS_MS = 1000
_STORAGE_RETRY_S = 10
_QUEUED_WRITES = 8
_HOT_CDEG = 6000
_TOO_HOT_CDEG = 7000
_COLLECT_BELOW = 4  # collect when less than 1 / _COLLECT_BELOW of the heap is free


class Device:
    """Everything there is one of."""

    def __init__(self):
        self.clock = Clock()
        self.log = Log(self.clock)
        self.faults = ShownFaults(self.log, self.clock)
        self.identity = config.load_identity(machine.unique_id())
        self.boot_cause = machine.reset_cause()
        if self.boot_cause == machine.WDT_RESET:
            self.faults.begin(faults.WATCHDOG_RESET)
        self.boot_count = 0
        self._count_boot()
        self._report_crash()
        self.board = self._load_board()
        self.stimulation = self.sensing = None
        if self.board is config.NO_BOARD:
            self.power = NoPower()
            self.calibration = control.NO_CALIBRATION
        else:
            bus = Bus(self.board["i2c"], self.log)
            self.stimulation = open_channel(
                self.board,
                bus.controller,
                self.clock,
                self.log,
                self.identity["serial"],
                self.boot_count,
                self.boot_cause,
            )
            self.power = Power(self.board)
            self.power.on_button(self._button)
            sensor = LSM6DSOX(bus.controller, self.board["sensor"]["address"])
            self.sensing = Sensing(sensor, bus, self.clock, self.faults)
            self._load_calibration()
            self.sensing.start()
        self.control = Control(self)
        self._requests = [
            Requests(self.control.handle, self.log),
            Requests(self._stimulate, self.log, repeatable=(stimulation.STOP,)),
        ]
        self._events = [Events(), Events()]
        self._writes = []
        self._written = asyncio.ThreadSafeFlag()
        self.request_received_us = 0
        self._link_changed = False
        version = "%d.%d" % (VERSION_MAJOR, VERSION_MINOR)
        self.server = Server(
            self.identity, self.board["name"], FIRMWARE_VERSION, version, self._on_write, self._on_link
        )
        self._worst_gap_us = 0
        self._gc_us = 0
        self._gc_count = 0
        self._alive = 0
        self._watchdog = machine.WDT(timeout=self.board["watchdog_ms"])

    @property
    def stream(self):
        """The sensor's stream; None before the sensor has started."""
        return self.sensing.stream if self.sensing else None

    @property
    def sensor_works(self):
        return self.sensing.works if self.sensing else False

    @property
    def temperature_cdeg(self):
        return self.sensing.temperature_cdeg if self.sensing else 0

    def use_calibration(self, calibration, damaged=""):
        """Correct the sensor by this from now on, and show whether it is calibrated. damaged: what ails the kept one."""
        self.calibration = calibration
        whole = bool(control.calibration_date(calibration))
        self.faults.show(faults.CALIBRATION_DAMAGED, bool(damaged), damaged)
        self.faults.show(faults.CALIBRATION_MISSING, not whole and not damaged)
        self.sensing.calibrate(calibration)

    def status(self):
        """A control.Status of this moment."""
        stream = self.stream
        counters = (0, 0, 0, 0, 0, 0, 0)
        if stream:
            counters = (
                stream.session_id,
                stream.orientation.produced,
                stream.orientation.dropped,
                stream.orientation.outbox.refused + stream.raw.outbox.refused,
                stream.raw.produced,
                stream.raw.dropped,
                stream.lost,
            )
        return control.Status(
            self.clock.now_us(),
            counters[0],
            self.faults.word,
            *counters[1:],
            self.sensing.sensor.bus_errors if self.sensing else 0,
            self._worst_gap_us,
            self._gc_us,
            self._gc_count,
            gc.mem_free(),
            self.temperature_cdeg,
            self.power.battery_mv,
            self.power.battery_percent,
            self._flags(),
            self.log.entries,
        )

    async def sample(self):
        """The sample path: fetch, filter, frame, send."""
        sensing = self.sensing
        due = time.ticks_add(time.ticks_us(), _POLL_MS * 1000)
        while True:
            self._alive |= 1
            if sensing:
                sensing.poll()
            stream = self.stream
            if stream and self.server.connected:
                stream.orientation.outbox.send(self.server.notify_motion)
                stream.raw.outbox.send(self.server.notify_raw)
            left_us = time.ticks_diff(due, time.ticks_us())
            await asyncio.sleep_ms(left_us // 1000 if left_us > 0 else 0)
            self.clock.update()
            late_us = time.ticks_diff(time.ticks_us(), due)
            self._worst_gap_us = max(self._worst_gap_us, late_us + _POLL_MS * 1000)
            due = time.ticks_add(due if late_us < _POLL_MS * 1000 else time.ticks_us(), _POLL_MS * 1000)

    async def answer(self):
        """Requests, in the order of their arrival."""
        while True:
            await self._written.wait()
            while self._link_changed or self._writes:
                if self._link_changed:
                    self._link_changed = False
                    self._forget_host()
                    continue
                channel, received_us, data = self._writes.pop(0)
                self.request_received_us = received_us
                answer = self._requests[channel].answer(data, self.server.mtu)
                if answer is not None:
                    await self._notify(channel, answer)
                if channel == channels.STIMULATION:
                    self._send_stimulation_events()

    async def stimulate(self):
        """Give the supervisor its say; nothing else moves the output."""
        supervisor = self.stimulation and self.stimulation.supervisor
        while supervisor:
            self._alive |= 2
            self.power.update()  # a charger that is plugged in must not wait for the next status
            if supervisor.active:
                self.sensing.measure_temperature()
            supervisor.conditions(
                self.power.charging,
                self.power.battery_low,
                self.temperature_cdeg > _TOO_HOT_CDEG,
                self._motion_cause(),
            )
            supervisor.tick()
            self._send_stimulation_events()
            await asyncio.sleep_ms(_TICK_MS if supervisor.active else 4 * _TICK_MS)

    def _motion_cause(self):
        """What the motion data says against stimulation, or that there is none."""
        if not self.sensor_works:
            return stimulation.MOTION
        stream = self.stream
        if not stream.watcher:
            stream.watcher = MotionWatch(self.clock, self.sensing.sensor)
        return stream.watcher.cause()

    async def report(self):
        """Once a second: measure what is slow, send a status, collect garbage if it is time, feed the watchdog."""
        everybody = 3 if self.stimulation else 1
        seconds = 0
        while True:
            self.power.update()
            if self.sensing:
                self.sensing.measure_temperature()
                if not self.server.connected and not self._output_active():
                    self.sensing.test_again()
            self.faults.show(faults.BATTERY_LOW, self.power.battery_low)
            self.faults.show(faults.TOO_HOT, self.temperature_cdeg > _HOT_CDEG)
            self.faults.forget_passed()
            seconds += 1
            if not self.boot_count and seconds % _STORAGE_RETRY_S == 0 and not self._output_active():
                self._count_boot()
            if self.stream and self.stream.streaming and not self.server.connected:
                self.stream.stop()
            told = True
            if self.server.connected and self.control.greeted:
                buffer, offset = self._events[0].begin(control.STATUS_EVENT)
                end = control.pack_status_into(buffer, offset, self.status())
                told = self.server.notify(channels.CONTROL, self._events[0].bytes_to(end))
            if self.power.battery_percent != control.UNKNOWN_PERCENT:
                self.server.set_battery(self.power.battery_percent)
            if told:
                self._worst_gap_us = self._gc_us = self._gc_count = 0
            if gc.mem_free() * _COLLECT_BELOW < gc.mem_free() + gc.mem_alloc():
                self._collect()
            if self._alive == everybody:
                self._alive = 0
                self._watchdog.feed()
            await asyncio.sleep_ms(_STATUS_MS)

    def _count_boot(self):
        """Count this boot, which also shows whether flash can be written."""
        try:
            self.boot_count = config.count_boot()
            self.faults.end(faults.STORAGE)
        except OSError as error:
            self.faults.begin(faults.STORAGE, "the boot could not be counted: %r" % error)

    def _load_board(self):
        """The board file's content; without it the device drives no pin, and is there to say so."""
        import system
        from system import board_file

        try:
            return board_file.load()
        except board_file.BoardFileError as error:
            self.faults.begin(faults.BOARD_FILE, error)
            return config.NO_BOARD
        finally:  # it is needed once, and its 6 KB of checks elsewhere
            del sys.modules["system.board_file"], system.board_file
            gc.collect()

    def _load_calibration(self):
        part = self.board["sensor"]["part"]
        try:
            self.use_calibration(calibration_file.load(part, self.identity["serial"], self.log))
        except calibration_file.CalibrationDamaged as error:
            self.use_calibration(control.NO_CALIBRATION, str(error))

    def _stimulate(self, operation, payload, buffer, offset):
        if not self.control.greeted:
            raise messages.Refused(messages.NOT_GREETED)
        if not self.stimulation:
            raise messages.Refused(messages.STIMULATION_UNAVAILABLE)
        return self.stimulation.handle(operation, payload, buffer, offset)

    def _send_stimulation_events(self):
        if not self.stimulation or not self.server.connected:
            return
        telemetry = self.stimulation.telemetry
        event = telemetry.take_event()
        while event:
            buffer, offset = self._events[1].begin(event)
            end = telemetry.event_into(event, buffer, offset)
            self.server.notify(channels.STIMULATION, self._events[1].bytes_to(end))
            event = telemetry.take_event()

    async def _notify(self, channel, answer):
        for _ in range(20):
            if self.server.notify(channel, answer):
                return
            await asyncio.sleep_ms(10)
        self.log("an answer could not be sent")

    def _on_write(self, channel, data):
        """From the Bluetooth stack: keep it for the task; what exceeds the queue is dropped and logged."""
        if channel == channels.BULK or len(self._writes) >= _QUEUED_WRITES:
            self.log("dropped a write on channel %d" % channel)
            return
        self._writes.append((channel, self.clock.now_us(), data))
        self._written.set()

    def _on_link(self, connected):
        if not connected and self.stimulation:
            self.stimulation.supervisor.link_lost()
        self._link_changed = True
        self._writes.clear()
        self._written.set()

    def _forget_host(self):
        self.control.greeted = False
        for requests in self._requests:
            requests.forget()
        if self.stream and self.stream.streaming:
            self.stream.stop()
            self.stream.orientation.outbox.clear()
            self.stream.raw.outbox.clear()

    def _button(self, pressed):
        if self.stimulation:
            self.stimulation.supervisor.button(pressed)

    def _output_active(self):
        return self.stimulation.supervisor.active if self.stimulation else False

    def _collect(self):
        before = time.ticks_us()
        gc.collect()
        self._gc_us += time.ticks_diff(time.ticks_us(), before)
        self._gc_count += 1

    def _flags(self):
        flags = 0
        if self.stream and self.stream.streaming:
            flags |= control.STREAMING
        if self.stream and self.stream.at_rest:
            flags |= control.AT_REST
        if self.power.charging:
            flags |= control.CHARGING
        if self.power.button_pressed:
            flags |= control.BUTTON_HELD
        if self._output_active():
            flags |= control.STIMULATION_ACTIVE
        return flags

    def _report_crash(self):
        text = crash.take()
        if text:
            self.faults.begin(faults.UNEXPECTED, "the last run ended with: " + text)


async def _main():
    device = Device()
    device.log("%s starts, boot %d" % (device.identity["name"], device.boot_count))
    tasks = (device.sample(), device.answer(), device.stimulate(), device.report())
    try:
        await asyncio.gather(*tasks)
    except Exception:
        if device.stimulation:
            device.stimulation.supervisor.stop_now()
        raise


def run():
    """Run until something fails that no task can handle."""
    asyncio.run(_main())
