"""The electronics behind a board's stimulation pins, and the record of every pulse that reached the load.

Nothing here knows what the firmware meant: it sees pin levels, converter writes and pulse trains, each with
the time at which the firmware did it, and works out what current flowed through which load.
`kinetens.virtual.pulse_judge` judges that record.

    pulse pin falls          the flip-flop turns the bridge; a high level at the reset pin holds it positive
    high-voltage pin turns   the supply is up for high_voltage_hold_ms from then
    converter (MCP4725)      code / 4095 x full scale while the pulse pin is high, as far as the voltage reaches
    senses                   hold current and voltage of the last phase until the next; one shows the charge on the
                             series capacitor, which bleeds away within a tenth of a second
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import exp, inf
from typing import Any

FULL_SCALE = 4095
_WRITE = 0x40
_WRITE_WITH_EEPROM = 0x60
_READY = 0x80

BLEED_S = 0.033
"""Time constant with which the series capacitor loses its charge."""

SENSE_FULL_SCALE_V = 3.3
SENSE_STEPS = 4096


@dataclass(frozen=True, slots=True)
class Load:
    """What the pads see: its resistance, and the share of the pads that touches."""

    name: str
    ohm: float
    contact: float = 1.0

    def half_a_pad(self) -> "Load":
        """The same skin under half of the pads."""
        return Load(f"half of {self.name}", self.ohm * 2, self.contact / 2)


SKIN = Load("500 ohm", 500.0)
DRY_SKIN = Load("2 kohm", 2_000.0)
BAD_SKIN = Load("10 kohm", 10_000.0)
OPEN = Load("open", inf, 0.0)
SHORT = Load("short", 5.0)


@dataclass(slots=True)
class PulseRecord:
    """One row a phase, in order of time: start (s), polarity (+1, -1), width (s), peak current (A), charge
    (C, unsigned), whether the supply was up at its start, and whether it was cut short before the hardware
    meant to end it.

    Phases in which no current flowed are kept too.
    """

    time_s: "array[float]" = field(default_factory=lambda: array("d"))
    polarity: "array[int]" = field(default_factory=lambda: array("b"))
    width_s: "array[float]" = field(default_factory=lambda: array("d"))
    current_a: "array[float]" = field(default_factory=lambda: array("d"))
    charge_c: "array[float]" = field(default_factory=lambda: array("d"))
    powered: "array[int]" = field(default_factory=lambda: array("b"))
    cut: "array[int]" = field(default_factory=lambda: array("b"))

    def __len__(self) -> int:
        return len(self.time_s)

    def append(
        self,
        time_s: float,
        polarity: int,
        width_s: float,
        current_a: float,
        charge_c: float,
        powered: bool,
        cut: bool,
    ) -> None:
        """Add one phase."""
        self.time_s.append(time_s)
        self.polarity.append(polarity)
        self.width_s.append(width_s)
        self.current_a.append(current_a)
        self.charge_c.append(charge_c)
        self.powered.append(powered)
        self.cut.append(cut)


@dataclass(slots=True)
class _Phase:
    """A high level that is on or to come, and what flowed so far."""

    start_s: float
    end_s: float
    done_s: float
    peak_a: float = 0.0
    charge_c: float = 0.0
    powered: bool = False


class OutputStage:
    """One channel's electronics, from a board file's `stimulation` part, and the load at its pads.

    All times are the world's seconds and must not go back. Volts, amperes, ohms.
    """

    def __init__(self, board_stimulation: Mapping[str, Any], load: Load = SKIN, eeprom_code: int = 0) -> None:
        self._pulse_pin: int = board_stimulation["pulse_pin"]
        self._reset_pin: int = board_stimulation["polarity_reset_pin"]
        self._supply_pin: int = board_stimulation["high_voltage_pin"]
        self._hold_s: float = board_stimulation["high_voltage_hold_ms"] / 1000
        self._full_scale_a: float = board_stimulation["dac"]["full_scale_ma"] / 1000
        self._compliance_v: float = board_stimulation["compliance_v"]
        self._current_adc: int = board_stimulation["current_sense"]["adc"]
        self._voltage_adc: int = board_stimulation["voltage_sense"]["adc"]
        self._ampere_per_volt: float = board_stimulation["current_sense"]["ma_per_volt"] / 1000
        self._volt_per_volt: float = board_stimulation["voltage_sense"]["volt_per_volt"]
        residual = board_stimulation.get("residual_sense")
        self._residual_adc: int | None = residual["adc"] if residual else None
        self._residual_zero_v: float = residual["zero_mv"] / 1000 if residual else 0.0
        self._coulomb_per_volt: float = residual["nc_per_mv"] * 1e-6 if residual else 1.0
        self.record = PulseRecord()
        self.load = load
        self.bridge_stuck = False
        """A bridge that no longer turns: every phase flows the same way."""
        self._eeprom_code = eeprom_code
        self._now_s = 0.0
        self._pending: list[_Phase] = []
        self._next = 0
        self._wake_up()

    def attach(self, load: Load, time_s: float) -> None:
        """Change what the pads see."""
        self._advance(time_s)
        self.load = load

    def reset(self, time_s: float) -> None:
        """The board is reset or powered up: pins low, no train, the converter at what its memory says."""
        self._end_train(time_s)
        self._wake_up()

    def pin(self, pin: int, level: int, time_s: float) -> None:
        """The firmware drives a pin. A pulse pin that is driven by hand makes a phase as long as it is
        high.
        """
        self._advance(time_s)
        if pin == self._supply_pin and level != self._supply_level:
            self._supply_level = level
            self._supply_until_s = time_s + self._hold_s
        elif pin == self._reset_pin:
            self._reset_level = level
            if level:
                self._polarity = 1
        elif pin == self._pulse_pin:
            if level and not self._pending[self._next :]:
                self._set_pending([_Phase(time_s, inf, time_s)])
            elif not level:
                self._end_train(time_s)

    def i2c_write(self, data: bytes, time_s: float) -> None:
        """The converter is written (MCP4725: fast write, or register write with or without its memory)."""
        self._advance(time_s)
        if not data:
            return
        if data[0] & 0xC0 == 0 and len(data) >= 2:
            powered_down, code = data[0] & 0x30, (data[0] & 0x0F) << 8 | data[1]
        elif data[0] & 0xE0 in (_WRITE, _WRITE_WITH_EEPROM) and len(data) >= 3:
            powered_down, code = data[0] & 0x06, data[1] << 4 | data[2] >> 4
            if data[0] & 0xE0 == _WRITE_WITH_EEPROM:
                self._eeprom_code = code
        else:
            return
        self._code = code
        self._converter_on = not powered_down

    def i2c_read(self, count: int, time_s: float) -> bytes:
        """The converter is read: its register, then its memory."""
        self._advance(time_s)
        down = 0 if self._converter_on else 0x02
        answer = bytes(
            (
                _READY | 0x40 | down,
                self._code >> 4,
                self._code << 4 & 0xF0,
                self._eeprom_code >> 8,
                self._eeprom_code & 0xFF,
            )
        )
        return (answer * (count // len(answer) + 1))[:count]

    def rmt(
        self, pin: int, start_s: float, durations_us: Sequence[float], levels: int | Sequence[int]
    ) -> None:
        """A train begins: durations with the level of each, or the first level if they alternate."""
        self._advance(start_s)
        if pin != self._pulse_pin:
            return
        if isinstance(levels, int):
            levels = [(levels + i) % 2 for i in range(len(durations_us))]
        phases: list[_Phase] = []
        at_us = 0.0
        was_high = False
        for duration_us, level in zip(durations_us, levels, strict=True):
            end_s = start_s + (at_us + duration_us) / 1e6
            if level and was_high:
                phases[-1].end_s = end_s
            elif level:
                begin_s = start_s + at_us / 1e6
                phases.append(_Phase(begin_s, end_s, begin_s))
            was_high = bool(level)
            at_us += duration_us
        self._set_pending(phases)

    def rmt_stop(self, pin: int, time_s: float) -> None:
        """The train ends now, whatever was left of it."""
        if pin == self._pulse_pin:
            self._end_train(time_s)

    def adc_volts(self, adc: int, time_s: float) -> float:
        """What a sense pin shows; other pins show 0 V."""
        self._advance(time_s)
        if adc == self._current_adc:
            volts = self._sensed_a / self._ampere_per_volt
        elif adc == self._voltage_adc:
            volts = self._sensed_v / self._volt_per_volt
        elif adc == self._residual_adc:
            residual_c = self._residual_c * exp((self._residual_at_s - self._now_s) / BLEED_S)
            volts = max(0.0, self._residual_zero_v + residual_c / self._coulomb_per_volt)
        else:
            return 0.0
        step_v = SENSE_FULL_SCALE_V / SENSE_STEPS
        return min(round(volts / step_v) * step_v, SENSE_FULL_SCALE_V)

    def finish(self, time_s: float) -> None:
        """Bring the record up to a time."""
        self._advance(time_s)

    def _wake_up(self) -> None:
        self._code = self._eeprom_code
        self._converter_on = True
        self._supply_level = 0
        self._supply_until_s = -inf
        self._reset_level = 0
        self._polarity = 1
        self._sensed_a = 0.0
        self._sensed_v = 0.0
        self._residual_c = 0.0
        self._residual_at_s = self._now_s

    def _set_pending(self, phases: list[_Phase]) -> None:
        self._pending = phases
        self._next = 0

    def _current_a(self) -> float:
        asked_a = self._full_scale_a * self._code / FULL_SCALE if self._converter_on else 0.0
        return min(asked_a, self._compliance_v / self.load.ohm)

    def _advance(self, time_s: float) -> None:
        """Let the phases due until now flow under the conditions that held until now."""
        self._now_s = max(self._now_s, time_s)
        while self._next < len(self._pending):
            phase = self._pending[self._next]
            if phase.start_s >= self._now_s:
                return
            self._flow(phase, min(phase.end_s, self._now_s))
            if phase.end_s > self._now_s:
                return
            self._close(phase, phase.end_s, cut=False)

    def _flow(self, phase: _Phase, until_s: float) -> None:
        """Charge that flows in a part of a phase while nothing changes but the supply."""
        current_a = self._current_a()
        powered_s = min(until_s, self._supply_until_s) - phase.done_s
        if powered_s > 0:
            phase.powered = phase.powered or phase.done_s == phase.start_s
            phase.peak_a = max(phase.peak_a, current_a)
            phase.charge_c += current_a * powered_s
            self._charge_capacitor(self._polarity * current_a * powered_s, until_s)
            asked_a = self._full_scale_a * self._code / FULL_SCALE
            self._sensed_a = current_a
            self._sensed_v = min(asked_a * self.load.ohm, self._compliance_v) if asked_a else 0.0
        elif until_s > phase.done_s:
            self._sensed_a = self._sensed_v = 0.0
        phase.done_s = until_s

    def _charge_capacitor(self, charge_c: float, time_s: float) -> None:
        self._residual_c *= exp((self._residual_at_s - time_s) / BLEED_S)
        self._residual_c += charge_c
        self._residual_at_s = time_s

    def _close(self, phase: _Phase, end_s: float, cut: bool) -> None:
        """A phase ends: it goes on record and its falling edge turns the polarity."""
        self.record.append(
            phase.start_s,
            self._polarity,
            end_s - phase.start_s,
            phase.peak_a,
            phase.charge_c,
            phase.powered,
            cut,
        )
        self._next += 1
        if not self._reset_level and not self.bridge_stuck:
            self._polarity = -self._polarity

    def _end_train(self, time_s: float) -> None:
        self._advance(time_s)
        if self._next < len(self._pending) and self._pending[self._next].start_s < time_s:
            phase = self._pending[self._next]
            self._close(phase, time_s, cut=phase.end_s != inf)
        self._set_pending([])
