"""GATT services and characteristics."""


def _kinetens(number: int) -> str:
    return "6b69%04x-7465-4e73-8f10-6d6f74696f6e" % number


SERVICE = _kinetens(0x0001)
MOTION = _kinetens(0x0002)
"""Notify: frames of orientation samples (see motion.py)."""
RAW_MOTION = _kinetens(0x0003)
"""Notify: frames of sensor counts, sent when a stream asks for them."""
CONTROL = _kinetens(0x0004)
"""Write and notify: requests, responses and events about everything but stimulation (see control.py)."""
STIMULATION = _kinetens(0x0005)
"""Write and notify: requests, responses and events of the stimulation channel (see stimulation.py)."""
BULK = _kinetens(0x0006)
"""Write and notify: larger answers in numbered parts (reserved for logs and updates since 1.0)."""

DEVICE_INFORMATION_SERVICE = 0x180A
MANUFACTURER_NAME = 0x2A29
MODEL_NUMBER = 0x2A24
SERIAL_NUMBER = 0x2A25
HARDWARE_REVISION = 0x2A27
FIRMWARE_REVISION = 0x2A26
SOFTWARE_REVISION = 0x2A28

BATTERY_SERVICE = 0x180F
BATTERY_LEVEL = 0x2A19
