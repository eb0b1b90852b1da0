"""Faults by number and name, as statuses, events and logs carry them. A number is never used for another one.

FAULTS: bit in the status' 32-bit fault word -> (name, what a person should know). Since 1.0 unless it says
otherwise.
"""

SENSOR_MISSING = 0
SENSOR_WRONG_IDENTITY = 1
SENSOR_BUS = 2
SENSOR_OVERRUN = 3
SENSOR_SATURATED = 4
SENSOR_SELF_TEST = 5
SENSOR_FROZEN = 6
CALIBRATION_MISSING = 7
CALIBRATION_DAMAGED = 8
STORAGE = 9
RADIO = 10
BATTERY_LOW = 11
TOO_HOT = 12
WATCHDOG_RESET = 13
OUT_OF_MEMORY = 14
UNEXPECTED = 15
BOARD_FILE = 16

FAULTS = {
    SENSOR_MISSING: ("sensor-missing", "the motion sensor does not answer"),
    SENSOR_WRONG_IDENTITY: ("sensor-wrong-identity", "the motion sensor is not the one the board file names"),
    SENSOR_BUS: ("sensor-bus", "the motion sensor's bus fails"),
    SENSOR_OVERRUN: (
        "sensor-overrun",
        "motion samples were lost because the device was too slow to fetch them",
    ),
    SENSOR_SATURATED: ("sensor-saturated", "a movement was faster or harder than the sensor measures"),
    SENSOR_SELF_TEST: ("sensor-self-test", "the motion sensor failed its own test"),
    SENSOR_FROZEN: ("sensor-frozen", "the motion sensor repeats the same values"),
    CALIBRATION_MISSING: ("calibration-missing", "the motion sensor was never calibrated"),
    CALIBRATION_DAMAGED: ("calibration-damaged", "the stored calibration is damaged and is not used"),
    STORAGE: ("storage", "the device cannot write its memory"),
    RADIO: ("radio", "the device's Bluetooth failed and was restarted"),
    BATTERY_LOW: ("battery-low", "charge the device"),
    TOO_HOT: ("too-hot", "the device is too hot"),
    WATCHDOG_RESET: ("watchdog-reset", "the device restarted because its program had stopped"),
    OUT_OF_MEMORY: ("out-of-memory", "the device ran out of memory"),
    UNEXPECTED: ("unexpected", "a program error on the device; its log has the traceback"),
    BOARD_FILE: ("board-file", "the device's board file is missing or wrong"),
}

NO_MOTION = (
    1 << SENSOR_MISSING | 1 << SENSOR_WRONG_IDENTITY | 1 << SENSOR_BUS | 1 << SENSOR_FROZEN | 1 << BOARD_FILE
)
"""The faults of which a device that has no motion samples shows at least one."""


def names(fault_word: int) -> list[str]:
    """The names of the faults whose bits are set."""
    return [
        FAULTS[bit][0] if bit in FAULTS else "fault-%d" % bit for bit in range(32) if fault_word >> bit & 1
    ]


def explained(fault_word: int) -> list[str]:
    """The names of the faults whose bits are set, each with what a person should know."""
    sentences = dict(FAULTS.values())
    return ["%s (%s)" % (name, sentences[name]) if name in sentences else name for name in names(fault_word)]
