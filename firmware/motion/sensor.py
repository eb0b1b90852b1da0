"""What every motion sensor driver raises."""


class SensorMissing(Exception):
    """Nothing answers at the sensor's address, or something else does. The message says what was seen."""


class SensorFault(Exception):
    """The sensor answered before and does not now, or failed its self-test. `start()` may be tried again."""
