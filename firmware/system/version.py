"""The firmware's version, as the device reports it."""

FIRMWARE_VERSION = "0.1.0"
