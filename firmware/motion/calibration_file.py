"""The sensor's calibration in flash: `state/calibration.bin`.

Magic, format version (u8), the sensor's part and the device's serial number (20 bytes each, padded with zeros), the
bytes of a control.Calibration, CRC-32 of all before it. Written aside and renamed, so that a power cut leaves the old
or the new one. The serial number keeps a copied flash from correcting another sensor.
"""

import os
from binascii import crc32
from struct import calcsize, pack, unpack_from

from kinetens_protocol import control
from system.config import make_state_folder

_PATH = "state/calibration.bin"
_ASIDE = "state/calibration.new"
_MAGIC = b"kcal"
_FORMAT = 1
_HEADER = "<4sB20s20s"


class CalibrationDamaged(Exception):
    """There is a file, and it is not what was written. The message says how."""


def load(part, serial, log):
    """The calibration of this device's sensor; control.NO_CALIBRATION when there is none or it is another's.

    Raises CalibrationDamaged.
    """
    try:
        with open(_PATH, "rb") as file:
            record = file.read()
    except OSError:
        return control.NO_CALIBRATION
    start = calcsize(_HEADER)
    end = start + control.CALIBRATION_BYTES
    if len(record) != end + 4:
        raise CalibrationDamaged("%d bytes instead of %d" % (len(record), end + 4))
    if unpack_from("<I", record, end)[0] != crc32(record[:end]):
        raise CalibrationDamaged("wrong checksum")
    header = record[:start]
    if header[:5] != pack("<4sB", _MAGIC, _FORMAT):
        raise CalibrationDamaged("format %r, not %r" % (header[:5], pack("<4sB", _MAGIC, _FORMAT)))
    if header != _header(part, serial):
        log("the stored calibration is another sensor's: %r" % header[5:])
        return control.NO_CALIBRATION
    calibration = control.unpack_calibration(record[start:end])
    if control.calibration_excess(calibration):
        raise CalibrationDamaged("a correction is out of range")
    return calibration


def save(calibration, part, serial):
    """Keep a calibration. Raises OSError."""
    record = _header(part, serial) + control.pack_calibration(calibration)
    make_state_folder()
    with open(_ASIDE, "wb") as file:
        file.write(record)
        file.write(pack("<I", crc32(record)))
    os.rename(_ASIDE, _PATH)


def erase():
    """Forget the calibration. Raises OSError when it is there and cannot be removed."""
    try:
        os.stat(_PATH)
    except OSError:
        return
    os.remove(_PATH)


def _header(part, serial):
    return pack(_HEADER, _MAGIC, _FORMAT, part.encode(), serial.encode())
