"""Battery, charger and button, as the board file wires them."""

from machine import ADC, Pin

from kinetens_protocol.control import UNKNOWN_PERCENT

_SMOOTHING = 4
_READS = 4


class Power:
    """The battery's voltage (smoothed), whether it is low, whether the charger is connected, and the button.

    A sag counts at once, its end when the smoothed voltage has come back.
    """

    def __init__(self, board):
        battery = board["battery"]
        self._adc = ADC(Pin(battery["adc"]), atten=ADC.ATTN_11DB)
        self._divider_milli = int(battery["divider"] * 1000)
        self._empty_mv = battery["empty_mv"]
        self._full_mv = battery["full_mv"]
        self._low_mv = battery["low_mv"]
        self._charging_pin = Pin(battery["charging_pin"], Pin.IN)
        self._charging_level = battery["charging_level"]
        self._button_pin = Pin(board["button"]["pin"], Pin.IN, Pin.PULL_UP)
        self._pressed_level = board["button"]["pressed_level"]
        self.battery_mv = self._measure_mv()
        self.battery_low = self.battery_mv < self._low_mv
        self.charging = False
        self.update()

    def update(self):
        """Measure once."""
        now_mv = self._measure_mv()
        self.battery_mv += (now_mv - self.battery_mv) // _SMOOTHING
        self.battery_low = now_mv < self._low_mv or self.battery_low and self.battery_mv < self._low_mv
        self.charging = self._charging_pin.value() == self._charging_level

    @property
    def battery_percent(self):
        span_mv = self._full_mv - self._empty_mv
        return min(100, max(0, (self.battery_mv - self._empty_mv) * 100 // span_mv))

    @property
    def button_pressed(self):
        return self._button_pin.value() == self._pressed_level

    def on_button(self, handler):
        """Have `handler(pressed)` called at each edge of the button."""
        both = Pin.IRQ_FALLING | Pin.IRQ_RISING
        self._button_pin.irq(lambda pin: handler(self.button_pressed), both)

    def _measure_mv(self):
        microvolts = sum([self._adc.read_uv() for _ in range(_READS)]) // _READS
        return microvolts // 1000 * self._divider_milli // 1000


class NoPower:
    """Of a device that does not know its board: nothing is measured, and no pin is touched."""

    battery_mv = 0
    battery_percent = UNKNOWN_PERCENT
    battery_low = charging = button_pressed = False

    def update(self):
        """There is nothing to measure."""
