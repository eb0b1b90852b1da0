"""What can go wrong on a virtual I2C bus."""

from errno import ENODEV


class BusError(Exception):
    """A transfer that nothing acknowledged; the firmware sees OSError with this errno."""

    errno = ENODEV
