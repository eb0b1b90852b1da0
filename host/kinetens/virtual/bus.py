"""A virtual I2C bus: its two lines, who holds them low, and what goes wrong on it."""

from errno import ENODEV, ETIMEDOUT


class BusError(Exception):
    """A transfer that nothing acknowledged; the firmware sees OSError with this errno."""

    errno = ENODEV
    lasts_s = 0.0


class BusHeld(BusError):
    """A transfer that could not begin: the controller waited for a free bus, for as long as it was set up to."""

    errno = ETIMEDOUT

    def __init__(self, message: str, lasts_s: float) -> None:
        super().__init__(message)
        self.lasts_s = lasts_s


class I2cBus:
    """The lines, which the firmware's controller drives, or its pins by hand.

    Faults that a test may set:
        sda_held_clocks: a part in the midst of a byte holds SDA low until it has seen so many clocks.
        scl_shorted, sda_shorted: a line is low until somebody repairs it.
    """

    def __init__(self, scl_pin: int, sda_pin: int) -> None:
        self.pins = frozenset((scl_pin, sda_pin))
        self.sda_held_clocks = 0
        self.scl_shorted = False
        self.sda_shorted = False
        self._scl_pin = scl_pin
        self.reset()

    def reset(self) -> None:
        """The microcontroller lets go of the lines; the parts on the bus do not notice."""
        self._let_go = dict.fromkeys(self.pins, True)
        self._timeout_s: float | None = None

    def open(self, timeout_s: float) -> None:
        """The controller is set up, and has the pins. A transfer waits `timeout_s` for a free bus."""
        self._let_go = dict.fromkeys(self.pins, True)
        self._timeout_s = timeout_s

    def take_by_hand(self) -> None:
        """A pin is made an open-drain output: it no longer belongs to the controller."""
        self._timeout_s = None

    def drive(self, pin: int, high: bool) -> None:
        """Pull a line low, or let it go. A rise of SCL is a clock for whoever holds SDA."""
        rises = pin == self._scl_pin and high and not self._let_go[pin] and not self.scl_shorted
        self._let_go[pin] = high
        if rises and self.sda_held_clocks:
            self.sda_held_clocks -= 1

    def level(self, pin: int) -> int:
        """What the line shows: low if anybody pulls it low."""
        held = self.scl_shorted if pin == self._scl_pin else self.sda_shorted or self.sda_held_clocks > 0
        return int(self._let_go[pin] and not held)

    def check(self) -> None:
        """Raises BusError when the controller cannot make a transfer now."""
        if self._timeout_s is None:
            raise BusError("no controller has the bus's pins")
        if not all(self.level(pin) for pin in self.pins):
            raise BusHeld("a line of the bus is held low", self._timeout_s)
