"""What can go wrong, as types; each message is the raiser's: what is wrong, where, and what to do."""

from kinetens_protocol import faults, messages


class KinetensError(Exception):
    """Anything a person can be told about in one sentence; the command line prints it without a traceback."""


class DeviceNotFound(KinetensError):
    """No advertising device matched. Its message names what was seen."""


class BluetoothUnavailable(KinetensError):
    """This computer has no Bluetooth adapter, or it is off, or this user may not use it."""


class ProtocolMismatch(KinetensError):
    """Device and host share no protocol version."""


class RequestRefused(KinetensError):
    """The device answered a request with a reason code other than success."""

    def __init__(self, reason: int, refusal: messages.Refusal = messages.NO_DETAIL) -> None:
        text = messages.REASONS.get(reason, f"reason {reason}, which this program does not know")
        if reason == messages.SENSOR_UNAVAILABLE and refusal.value & faults.NO_MOTION:
            text += ": " + ", ".join(faults.explained(refusal.value & faults.NO_MOTION))
        super().__init__(f"the device refused: {text}")
        self.reason = reason
        self.refusal = refusal


class NoMotion(KinetensError):
    """The device has no motion samples to give. Its message names the faults that are why."""


class RequestTimeout(KinetensError):
    """The device did not answer a request in time, though the link is up."""


class LinkLost(KinetensError):
    """The connection to the device ended and was not asked to."""


class StimulationRefused(KinetensError):
    """A stimulation plan lies outside the envelope of limits, or the device would not arm."""


class SessionNotFound(KinetensError):
    """No stored session has this name or number."""


class SessionDamaged(KinetensError):
    """A session file cannot be opened or fails its integrity check."""


class OutputNotWritable(KinetensError):
    """A file or folder cannot be written where it was asked for."""


class InvalidInput(KinetensError):
    """An argument or input file makes no sense. Its message says which and what would."""


class CalibrationDoubtful(KinetensError):
    """How a sensor lies on its limb is not known, or no longer true: calibrate again.

    Attributes:
        doubt: for programs: "restless", "too small", "not about one axis", "turned over", "slipped", "other limb".
    """

    def __init__(self, doubt: str, sentence: str) -> None:
        super().__init__(sentence)
        self.doubt = doubt


class VirtualDeviceError(KinetensError):
    """The virtual device could not start, or its firmware died."""
