"""Corrects blocks of made-up samples by made-up calibrations and prints the CRC-32 of each result (under MicroPython).

Arguments: number of blocks. The numbers come from a generator that tests/firmware/test_calibration.py repeats.
"""

import sys
from array import array
from binascii import crc32

from kinetens_protocol import control
from motion.calibration import correct, correction

SAMPLES = 32
EDGES = (0, 1, -1, 32767, -32768, 32766, -32767)
BOUNDS = (
    (control.MOST_GYRO_OFFSET_UDPS,) * 3
    + (control.MOST_ACCEL_OFFSET_UG,) * 3
    + (control.MOST_ACCEL_MATRIX_PPM,) * 9
)
SCALES = ((70_000, 488), (4_375, 61))


class Numbers:
    """Whole numbers that look random and are the same everywhere."""

    def __init__(self):
        self.state = 1

    def below(self, bound):
        self.state = (self.state * 1_103_515_245 + 12_345) % (1 << 31)
        return (self.state >> 8) % bound

    def calibration(self, block):
        """Every third one is at the bounds."""
        numbers = [0] * 6
        for bound in BOUNDS:
            share = (-1000, 1000)[self.below(2)] if block % 3 == 0 else self.below(2001) - 1000
            numbers.append(bound * share // 1000)
        return control.Calibration(*numbers)

    def samples(self):
        values = array("h")
        for _ in range(6 * SAMPLES):
            edge = self.below(4) == 0
            values.append(EDGES[self.below(len(EDGES))] if edge else self.below(65536) - 32768)
        return values


def main():
    numbers = Numbers()
    for block in range(int(sys.argv[1])):
        c = correction(numbers.calibration(block), *SCALES[block % 2])
        samples = numbers.samples()
        correct(samples, SAMPLES, c)
        print(crc32(samples))


if __name__ == "__main__":
    main()
