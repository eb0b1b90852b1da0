"""The device's button as the output sees it: a press stops, a long hold while idle allows one start."""

HOLD_MS = 500
VALID_MS = 30_000


class Button:
    """Fed with edges by interrupts and with time by the supervisor."""

    def __init__(self, clock):
        self._clock = clock
        self._pressed_at = None
        self._held_at = None
        self._counts = False

    @property
    def pressed(self):
        return self._pressed_at is not None

    @property
    def ready(self):
        """Whether it was held long enough, recently enough, and let go."""
        return self._held_at is not None and self._pressed_at is None

    def press(self, counts):
        """A press begins; one that stops the output does not count as the hold that allows the next start."""
        self._counts = counts
        self._pressed_at = self._clock.now_ms()

    def release(self):
        self.update()
        self._pressed_at = None

    def forget_hold(self):
        """One hold serves one start."""
        self._held_at = None

    def update(self):
        """Note a hold that is long enough and forget one that is too old; call often. True when that changed."""
        if self._counts and self.pressed:
            if self._clock.elapsed_ms(self._pressed_at) >= HOLD_MS:
                self._held_at = self._clock.now_ms()
                self._counts = False
                return True
        elif self._held_at is not None and self._clock.elapsed_ms(self._held_at) > VALID_MS:
            self._held_at = None
            return True
        return False
