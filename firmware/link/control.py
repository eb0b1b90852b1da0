"""The control characteristic: greeting, information, streaming, status, time, calibration."""

import gc
import sys

import kinetens_protocol as protocol
from kinetens_protocol import control, faults, messages
from kinetens_protocol.messages import SMALLEST_ATT_MTU, Refused
from kinetens_protocol.motion import ORIENTATION, samples_per_frame
from motion import calibration_file
from system.version import FIRMWARE_VERSION


class Control:
    """Answers the host's requests about the device; see kinetens_protocol.control."""

    def __init__(self, device):
        self._device = device
        self.greeted = False
        self._operations = {
            control.INFO: self._info,
            control.START_STREAM: self._start_stream,
            control.STOP_STREAM: self._stop_stream,
            control.STATUS: self._status,
            control.EXCHANGE_TIME: self._exchange_time,
            control.READ_CALIBRATION: self._read_calibration,
            control.WRITE_CALIBRATION: self._write_calibration,
            control.ERASE_CALIBRATION: self._erase_calibration,
        }

    def handle(self, operation, payload, buffer, offset):
        """Do one request and write its answer; returns the answer's end. Raises Refused and ProtocolError."""
        if operation == control.HELLO:
            answer = self._hello(payload)
        elif not self.greeted:
            raise Refused(messages.NOT_GREETED)
        elif operation in self._operations:
            answer = self._operations[operation](payload)
        else:
            raise Refused(messages.UNKNOWN_OPERATION)
        buffer[offset : offset + len(answer)] = answer
        return offset + len(answer)

    def _hello(self, payload):
        hello = control.unpack_hello(payload)
        if hello.newest_major < protocol.OLDEST_MAJOR or hello.oldest_major > protocol.VERSION_MAJOR:
            detail = messages.Refusal(0, 0, protocol.VERSION_MAJOR, protocol.OLDEST_MAJOR)
            raise Refused(messages.VERSION_UNSUPPORTED, detail)
        self.greeted = True
        return control.pack_hello(
            control.Hello(protocol.VERSION_MAJOR, protocol.OLDEST_MAJOR, protocol.VERSION_MINOR)
        )

    def _info(self, payload):
        device = self._device
        sensor = device.sensor
        flags = control.HAS_BATTERY
        if device.stimulation:
            flags |= control.HAS_STIMULATION
        return control.pack_info(
            control.Info(
                protocol.VERSION_MINOR,
                flags,
                gc.mem_free() + gc.mem_alloc(),
                sensor.sample_rate_mhz,
                sensor.gyro_udps_per_count,
                sensor.accel_ug_per_count,
                device.boot_count,
                device.boot_cause,
                device.identity["name"],
                device.board["name"],
                device.identity["serial"],
                FIRMWARE_VERSION,
                "%s %d.%d.%d" % ((sys.platform,) + sys.implementation.version[:3]),
                device.board["sensor"]["part"],
                control.calibration_date(device.calibration),
            )
        )

    def _start_stream(self, payload):
        request = control.unpack_stream_request(payload)
        device = self._device
        if request.rate_hz not in control.RATES_HZ:
            raise Refused(
                messages.OUT_OF_RANGE, messages.Refusal(0, 0, request.rate_hz, control.RATES_HZ[-1])
            )
        least, most = control.LATENCY_MS
        if not least <= request.latency_ms <= most:
            bound = least if request.latency_ms < least else most
            raise Refused(messages.OUT_OF_RANGE, messages.Refusal(1, 0, request.latency_ms, bound))
        if not samples_per_frame(ORIENTATION, device.server.mtu):
            raise Refused(messages.MTU_TOO_SMALL, messages.Refusal(0, 0, device.server.mtu, SMALLEST_ATT_MTU))
        if not device.sensor_works:
            raise Refused(messages.SENSOR_UNAVAILABLE, messages.Refusal(0, 0, device.faults, 0))
        raw = bool(request.flags & control.STREAM_RAW)
        device.stream.start(request.rate_hz, raw, request.latency_ms, device.server.mtu)
        stream = control.Stream(
            device.stream.session_id,
            request.rate_hz,
            control.STREAM_RAW if raw else 0,
            device.clock.now_us(),
        )
        return control.pack_stream(stream)

    def _stop_stream(self, payload):
        if self._device.stream:
            self._device.stream.stop()
        return self._status(payload)

    def _status(self, payload):
        answer = bytearray(control.STATUS_BYTES)
        control.pack_status_into(answer, 0, self._device.status())
        return answer

    def _exchange_time(self, payload):
        sent_us = control.unpack_time_exchange(payload).host_sent_us
        device = self._device
        exchange = control.TimeExchange(sent_us, device.request_received_us, device.clock.now_us())
        return control.pack_time_exchange(exchange)

    def _read_calibration(self, payload):
        return control.pack_calibration(self._device.calibration)

    def _write_calibration(self, payload):
        calibration = control.unpack_calibration(payload)
        self._refuse_when_active()
        excess = control.calibration_excess(calibration)
        if excess:
            place, size, most = excess
            raise Refused(messages.OUT_OF_RANGE, messages.Refusal(place, 0, size, most))
        device = self._device
        try:
            calibration_file.save(calibration, device.board["sensor"]["part"], device.identity["serial"])
        except OSError as error:
            self._storage_failed(error)
        device.use_calibration(calibration)
        return b""

    def _erase_calibration(self, payload):
        self._refuse_when_active()
        try:
            calibration_file.erase()
        except OSError as error:
            self._storage_failed(error)
        self._device.use_calibration(control.NO_CALIBRATION)
        return b""

    def _refuse_when_active(self):
        """A stream keeps the calibration that it began with, and flash is not written while the output is on."""
        device = self._device
        if (device.stream and device.stream.streaming) or (
            device.stimulation and device.stimulation.supervisor.active
        ):
            raise Refused(messages.WRONG_STATE)

    def _storage_failed(self, error):
        self._device.log("calibration: %r" % error)
        self._device.set_fault(faults.STORAGE)
        raise Refused(messages.STORAGE_FAILED)
