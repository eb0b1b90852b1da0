"""VQF's low-pass: second-order Butterworth, which begins by averaging.

Words and halves as in motion.strapdown.
"""

from array import array

import micropython
from micropython import const

# Places in the array of a bank.
_GAIN = const(0)  # twice the sine of half the cut-off's angle in a step, Q16
_AVERAGED = const(1)  # how many inputs are averaged before the filter takes over
_COUNT = const(2)  # inputs taken, up to that many
_CHANNELS = const(3)
_SLOPE = const(4)  # one a channel: the output's slope, scaled by the cut-off frequency


class LowPass:
    """A bank of low-passes with one time constant: write `inputs`, call `step(bank, inputs, outputs)`.

    inputs, outputs: int32 arrays, up to 2**30 / 1.1 in size; inputs may be given, as what another kernel writes.
    averaged: how many inputs the time constant lasts. gain: see `gain`.
    """

    def __init__(self, inputs, averaged, gain):
        channels = len(inputs)
        self.inputs = inputs
        self.outputs = array("i", bytearray(4 * channels))
        self.bank = array("i", bytearray(4 * (_SLOPE + channels)))
        self.bank[_GAIN] = gain
        self.bank[_AVERAGED] = averaged
        self.bank[_CHANNELS] = channels

    def restart(self):
        """Forget: the next input is the output."""
        self.trust(0)

    def settle(self):
        """What the inputs are now is what they always were."""
        for channel in range(len(self.outputs)):
            self.outputs[channel] = self.inputs[channel]
            self.bank[_SLOPE + channel] = 0

    def trust(self, inputs):
        """Go back to averaging, with the output weighing no more than so many inputs."""
        self.bank[_COUNT] = min(self.bank[_COUNT], inputs)


@micropython.viper
def step(bank: ptr32, inputs: ptr32, outputs: ptr32):
    """Take one input on every channel."""
    one = 1
    sign = one << 31
    gain = bank[_GAIN]
    damping = (gain * 11585) >> 13  # sqrt(2)
    average = bank[_COUNT] + 1
    if average > bank[_AVERAGED]:
        average = 0
    else:
        bank[_COUNT] = average
    channels = bank[_CHANNELS]
    i = 0
    while i < channels:
        y = (outputs[i] ^ sign) - sign
        x = (inputs[i] ^ sign) - sign - y
        if average:
            outputs[i] = y + x // average
            bank[_SLOPE + i] = 0
        else:
            # Products of 2**15-sized highs and lows with factors below 2**15, in halves.
            v = (bank[_SLOPE + i] ^ sign) - sign
            v += (
                ((x >> 15) * gain - (v >> 15) * damping)
                + (((x & 32767) * gain - (v & 32767) * damping + 16384) >> 15)
                + 1
            ) >> 1
            bank[_SLOPE + i] = v
            outputs[i] = y + (((v >> 15) * gain + (((v & 32767) * gain + 16384) >> 15) + 1) >> 1)
        i += 1
