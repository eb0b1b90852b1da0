"""Expressions of the sample path that are meant to leave 32 bits, and why that does no harm."""

_BYTE = "a byte in the word's highest place"
_BITS = "a field cut by the word's end; the rest of it goes into the next word"
_TICKS = "sensor time, which wraps at 32 bits; only differences are used, cut to 30"

INTENDED_WRAPS = {
    ("unpack", "raw[at + 4] << 24"): _BYTE,
    ("unpack", "ahead + (count - ahead_tag & 3) * period"): _TICKS,
    ("unpack", "stamp - ahead"): _TICKS,
    ("unpack", "stamp - ahead + half"): _TICKS,
    ("unpack", "ticks + late // period * period"): _TICKS,
    ("unpack", "ticks + (count - tag & 3) * period"): _TICKS,
    ("unpack", "state[NEWEST_TICKS] + stamp"): _TICKS,
    ("unpack", "state[NEWEST_TICKS] + stamp - ticks"): _TICKS,
    ("unpack", "ticks - state[NEWEST_TICKS]"): _TICKS,
    ("unpack", "ticks - state[NEWEST_TICKS] + half"): _TICKS,
    ("begin", "sensor << 24"): _BYTE,
    ("add_raw", "samples[at + 2 * i + 1] << 16"): "a half in the word's upper place",
    ("add_raw", "(frame[0] >> 24 & 255) << 24"): _BYTE,
    ("add_orientation", "(frame[0] >> 24 & 255) << 24"): _BYTE,
    ("add_orientation", "second << 20"): _BITS,
    ("add_orientation", "(samples[at + 4] & 3) << 30"): _BITS,
    (
        "add_orientation",
        "0 - value",
    ): "no component of a unit quaternion; the bits kept are right for -2**31 too",
    (
        "add_orientation",
        "value + 1024",
    ): "no component of a unit quaternion; of the sum bits 11 to 30 are kept",
    ("look", "a << 1"): "of the two counts in a word only the highest bits are looked at",
    ("add_us", "(high & 65535) << 16"): "a half in the word's upper place",
    ("add_us", "words[1] + (high >> 16)"): "the upper half of a 64-bit time",
    ("add_us", "words[1] + (high >> 16) + (us >> 31)"): "the upper half of a 64-bit time",
    (
        "difference_us",
        "words[0] - other[0]",
    ): "the lower half of a 64-bit time; differences are cut to 30 bits",
    ("difference_us", "words[0] - other[0] + 536870912"): "as the difference that it rounds",
}
"""Of each (function, expression): why."""
