"""The output stage's parts: pulses, amplitude, high voltage, senses. It does what the supervisor says and can
always stop.

    pulse pin       RMT: finite trains only (waveform.py); each falling edge turns the bridge's polarity
    polarity reset  a high level sets the bridge to positive
    converter       MCP4725 on I2C: 0 is zero current, also what it wakes up with
    high voltage    a monostable: the pin must change level every high_voltage_hold_ms or the supply falls
    senses          sample-and-hold of the last phase's current and voltage; the series capacitor's voltage, which is
                    what the pulses have left behind

`stop_now` may be called from an interrupt in the midst of any other call here; what was interrupted finds
`blocked` set and undoes itself.
"""

import time

import esp32
from machine import ADC, Pin

from kinetens_protocol.limits import LOOK_AHEAD_MS
from stim.waveform import RESOLUTION_HZ, split, train

HORIZON_US = LOOK_AHEAD_MS * 1000
"""A train holds the pulses due until the supervisor comes again, 50 ms later; if it does not come, the output
starves."""

_LEAST_LEAD_US = 20
_WAIT_US = 3_000
"""A train about to end is waited for; a longer one is left alone until the next call."""
_GUARD_US = 300
"""How far the hardware's clock and ours may differ about where in a train we are."""
_LONGEST_CLEAN_WAIT_US = 5_000
_SENSE_READS = 4

_FAST_WRITE = 0x00
_WRITE_WITH_EEPROM = 0x60  # MCP4725 datasheet DS22039, section 6: C2 C1 C0 = 011
_READY = 0x80
_FULL_SCALE = 4095


class Output:
    """One output channel, described by a board file's `stimulation` part.

    Raises OSError when the converter does not answer; the channel is then stopped, whatever else happened.
    """

    def __init__(self, board, i2c):
        self._board = board
        self._i2c = i2c
        self._address = board["dac"]["address"]
        self._full_scale_ua = int(board["dac"]["full_scale_ma"] * 1000)
        self._pulse_pin = Pin(board["pulse_pin"], Pin.OUT, value=0)
        self._polarity = Pin(board["polarity_reset_pin"], Pin.OUT, value=1)
        self._high_voltage = Pin(board["high_voltage_pin"], Pin.OUT, value=0)
        self._high_voltage_level = 0
        self._current_sense = ADC(Pin(board["current_sense"]["adc"]), atten=ADC.ATTN_11DB)
        self._voltage_sense = ADC(Pin(board["voltage_sense"]["adc"]), atten=ADC.ATTN_11DB)
        residual = board.get("residual_sense")
        self.senses_residual = residual is not None
        if residual:
            self._residual_sense = ADC(Pin(residual["adc"]), atten=ADC.ATTN_11DB)
            self._residual_zero_mv = residual["zero_mv"]
            self._residual_nc_per_mv = residual["nc_per_mv"]
        self._ua_per_mv = int(board["current_sense"]["ma_per_volt"])  # mA/V and µA/mV are the same number
        self._mv_per_mv = int(board["voltage_sense"]["volt_per_volt"])
        self._rmt = _open_rmt(self._pulse_pin)
        self._buffer = bytearray(3)
        self._waveform = self._next = None
        self.blocked = True
        self.stop_now()
        self._zero_at_power_on()

    def prepare(self, waveform):
        """Take a waveform and leave the blocked state. The amplitude is zero."""
        self._waveform = self._next = waveform
        self._started_us = None
        self._groups = 0
        self.blocked = False

    def reshape(self, waveform):
        """Let the next train be of another waveform; it begins when the one before would have let it."""
        self._next = waveform

    def keep_high_voltage(self):
        """Toggle the enable. Called only by who has just decided that the output may go on."""
        if not self.blocked:
            self._high_voltage_level ^= 1
            self._high_voltage.value(self._high_voltage_level)

    def feed(self, current_ua, horizon_us=HORIZON_US):
        """Hand over the pulses due until the horizon at an amplitude (rounded down to the converter's steps).

        Returns their number: 0 while the last train is still on, or when none is due.
        """
        called_us = time.ticks_us()
        if self.blocked or not self._idle_soon():
            return 0
        horizon_us -= time.ticks_diff(time.ticks_us(), called_us)  # or the next call would come too early
        if self._lead_us() >= horizon_us:
            return 0
        self._set_current(current_ua)
        self._polarity.value(1)
        self._polarity.value(0)
        if self.blocked:
            return 0
        lead_us = self._lead_us()
        self._waveform = self._next
        groups, durations = train(self._waveform, lead_us, horizon_us)
        self._groups = groups
        self._started_us = time.ticks_add(time.ticks_us(), lead_us)
        self._rmt.write_pulses(*split(durations))
        if self.blocked:
            self._cut()
            return 0
        return groups * self._waveform.pulses

    def stop_now(self):
        """End the output: the train at the next pause between pulses, the amplitude, the high voltage.

        Never raises. Returns whether the pulses were ended and the converter has confirmed zero.
        """
        self.blocked = True
        _done(self._wait_for_pause)
        cut = _done(self._cut)
        zero = _done(self._write, 0) or _done(self._write, 0)
        return cut and zero

    def sense(self):
        """Current in µA and voltage in mV of the last phase."""
        current_uv = 0
        voltage_uv = 0
        for _ in range(_SENSE_READS):
            current_uv += self._current_sense.read_uv()
            voltage_uv += self._voltage_sense.read_uv()
        scale = 1000 * _SENSE_READS
        return current_uv * self._ua_per_mv // scale, voltage_uv * self._mv_per_mv // scale

    def residual_nc(self):
        """Charge on the series capacitor, of either sign; 0 on a board that cannot sense it."""
        if not self.senses_residual:
            return 0
        sensed_mv = sum([self._residual_sense.read_uv() for _ in range(_SENSE_READS)]) // (
            1000 * _SENSE_READS
        )
        return (sensed_mv - self._residual_zero_mv) * self._residual_nc_per_mv

    def _set_current(self, current_ua):
        """Written and read back for every train: a converter that lost its value is noticed before the pulses are."""
        self._write(0 if self.blocked else current_ua * _FULL_SCALE // self._full_scale_ua)
        if self.blocked:
            self._write(0)

    def _lead_us(self):
        """Until the next group is due: a period after the last one, late rather than early."""
        if self._started_us is None:
            return _LEAST_LEAD_US
        period_us = self._waveform.period_us
        since_us = time.ticks_diff(time.ticks_us(), self._last_group_us())
        return min(max(period_us - since_us, _LEAST_LEAD_US), period_us)

    def _last_group_us(self):
        return time.ticks_add(self._started_us, (self._groups - 1) * self._waveform.period_us)

    def _idle_soon(self):
        if self._rmt.wait_done():
            return True
        left_us = self._waveform.group_us - time.ticks_diff(time.ticks_us(), self._last_group_us())
        if left_us > _WAIT_US:
            return False
        time.sleep_us(max(left_us, 0) + _GUARD_US)
        return self._rmt.wait_done()

    def _wait_for_pause(self):
        """Cutting a pulse between its phases would leave charge behind: wait for its end when that is
        near.
        """
        waveform = self._waveform
        if waveform is None or self._started_us is None or self._rmt.wait_done():
            return
        pause_us = waveform.whole_period_us - waveform.whole_us
        if waveform.whole_us > _LONGEST_CLEAN_WAIT_US or pause_us < 4 * _GUARD_US:
            return
        at_us = time.ticks_diff(time.ticks_us(), self._started_us)
        if at_us > 0:
            at_us %= waveform.whole_period_us
        if at_us > waveform.whole_period_us - _GUARD_US:
            at_us -= waveform.whole_period_us
        if -_GUARD_US <= at_us < waveform.whole_us + _GUARD_US:
            time.sleep_us(waveform.whole_us + _GUARD_US - at_us)

    def _cut(self):
        if hasattr(self._rmt, "active"):
            self._rmt.active(False)
        else:  # before MicroPython 1.27 nothing but taking the channel down ends a train
            self._rmt.deinit()
            self._pulse_pin.init(Pin.OUT, value=0)
            self._rmt = _open_rmt(self._pulse_pin)
        self._polarity.value(1)
        self._started_us = None

    def _write(self, code):
        self._buffer[0] = _FAST_WRITE | code >> 8
        self._buffer[1] = code & 0xFF
        self._i2c.writeto(self._address, memoryview(self._buffer)[:2])
        answer = self._i2c.readfrom(self._address, 3)
        if answer[1] << 4 | answer[2] >> 4 != code and not (code and self.blocked):
            raise OSError("the converter holds another amplitude than it was given")

    def _zero_at_power_on(self):
        """Make zero what the converter wakes up with; its memory is written once in a board's life."""
        answer = self._i2c.readfrom(self._address, 5)
        if answer[3] & 0x0F or answer[4] or answer[3] & 0x60:
            self._i2c.writeto(self._address, bytes((_WRITE_WITH_EEPROM, 0, 0)))
            for _ in range(20):
                time.sleep_ms(5)
                if self._i2c.readfrom(self._address, 5)[0] & _READY:
                    return
            raise OSError("converter does not keep its power-on value")


def _done(part, *arguments):
    """Whether a part of the stop worked: the other parts must be tried in any case."""
    try:
        part(*arguments)
        return True
    except Exception:
        return False


def _open_rmt(pin):
    try:
        return esp32.RMT(pin=pin, resolution_hz=RESOLUTION_HZ, idle_level=False)
    except TypeError:  # before MicroPython 1.27
        return esp32.RMT(0, pin=pin, clock_div=80_000_000 // RESOLUTION_HZ, idle_level=False)
