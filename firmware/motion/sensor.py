"""What every motion sensor driver raises; each kind is a fault of its own in the status."""


class SensorError(Exception):
    """The sensor cannot be used now; the message says what was seen. `start()` may be tried again."""


class SensorMissing(SensorError):
    """Nothing answers at the sensor's address."""


class SensorWrongIdentity(SensorError):
    """Something answers at the sensor's address and is another part, or garbles what it is."""


class SensorFault(SensorError):
    """The sensor answered before and does not now."""


class SensorFrozen(SensorError):
    """The sensor repeats one sample, which a sound one's noise never does."""


class SelfTestFailed(SensorError):
    """The sensor was deflected electrically and did not move as it must. The message names the axis."""
