"""Expressions of the sample path that are meant to leave 32 bits, and why that does no harm."""

_BYTE = "a byte in the word's highest place"
_BITS = "a field cut by the word's end; the rest of it goes into the next word"
_TICKS = "sensor time, which wraps at 32 bits; only differences are used, cut to 30"
_LARGEST = "no component of a unit quaternion; the bits kept are right for -2**31 too"
_ROUNDED = "no component of a unit quaternion; of the sum bits 11 to 30 are kept"

INTENDED_WRAPS = {
    ("unpack", "raw[at + 4] << 24"): _BYTE,
    ("unpack", "ahead + (count - ahead_tag & 3) * period"): _TICKS,
    ("unpack", "stamp - ahead"): _TICKS,
    ("unpack", "stamp - ahead + half"): _TICKS,
    ("unpack", "ticks + late // period * period"): _TICKS,
    ("unpack", "ticks + (count - tag & 3) * period"): _TICKS,
    ("unpack", "newest + stamp"): _TICKS,
    ("unpack", "newest + stamp - ticks"): _TICKS,
    ("unpack", "ticks - newest"): _TICKS,
    ("unpack", "ticks - newest + half"): _TICKS,
    ("begin", "sensor << 24"): _BYTE,
    ("add_raw", "samples[at + 1] << 16"): "a half in the word's upper place",
    ("add_raw", "(frame[0] >> 24 & 255) << 24"): _BYTE,
    ("add_orientations", "(frame[0] >> 24 & 255) << 24"): _BYTE,
    ("add_orientations", "second << 20"): _BITS,
    ("add_orientations", "(samples[at + 4] & 3) << 30"): _BITS,
    ("add_orientations", "0 - first"): _LARGEST,
    ("add_orientations", "first + 1024"): _ROUNDED,
    ("add_orientations", "0 - second"): _LARGEST,
    ("add_orientations", "second + 1024"): _ROUNDED,
    ("add_orientations", "0 - third"): _LARGEST,
    ("add_orientations", "third + 1024"): _ROUNDED,
    ("look", "a << 1"): "of the two counts in a word only the highest bits are looked at",
    ("look", "b << 1"): "as for a",
    ("look", "c << 1"): "as for a",
    ("add_us", "(high & 65535) << 16"): "a half in the word's upper place",
    ("add_us", "words[1] + (high >> 16)"): "the upper half of a 64-bit time",
    ("add_us", "words[1] + (high >> 16) + (us >> 31)"): "the upper half of a 64-bit time",
    (
        "difference_us",
        "words[0] - other[0]",
    ): "the lower half of a 64-bit time; differences are cut to 30 bits",
    ("difference_us", "words[0] - other[0] + 536870912"): "as the difference that it rounds",
    ("follow", "(high & 65535) << 16"): "a half in the word's upper place",
    ("follow", "newest[1] + (high >> 16)"): "the upper half of a 64-bit time",
    ("stamp", "(high & 65535) << 16"): "a half in the word's upper place",
    ("stamp", "newest[1] + (high >> 16)"): "the upper half of a 64-bit time",
    ("stamp", "newest[1] + (high >> 16) + (us >> 31)"): "the upper half of a 64-bit time",
    ("follow", "now[0] - newest[0]"): "the lower half of a 64-bit time; differences are cut to 30 bits",
    ("follow", "now[0] - newest[0] + 536870912"): "as the difference that it rounds",
}
"""Of each (function, expression): why."""
