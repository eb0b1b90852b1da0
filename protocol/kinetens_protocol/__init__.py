"""The contract between a kinetens device and its host.

Pure Python that runs unchanged on MicroPython (device) and CPython (host): byte layouts, codes and limits, no
input or output. `protocol/specification.md` says the same in prose, byte by byte; `protocol/golden/` holds
vectors.
All numbers are little endian. All quantities are integers in the unit their name ends with.
"""

VERSION_MAJOR = 1
"""Incompatible changes raise it. A host and a device must share a major version, or the device refuses."""

VERSION_MINOR = 2
"""Compatible additions raise it: new operations, events, trailing fields. Each says since when it exists."""

OLDEST_MAJOR = 1
"""The oldest major version this code still speaks."""


class ProtocolError(ValueError):
    """Bytes that are not what the specification says; the message names the field."""
