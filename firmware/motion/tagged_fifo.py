"""The FIFO of ST's recent inertial sensors: tagged words, turned into whole samples and their sensor time.

A word is FIFO_DATA_OUT_TAG (TAG_SENSOR in bits 7 to 3, TAG_CNT in bits 2 and 1) and six bytes of data: the
LSM6DSOX datasheet (DS12814), chapter 9.
"""

import micropython
from micropython import const

WORD_BYTES = const(7)
SAMPLE_BYTES = const(12)  # gx gy gz ax ay az

# TAG_SENSOR: 0 reads past the newest word.
_GYRO = const(1)
_ACCEL = const(2)
_TIMESTAMP = const(4)

# Cells of the state, an array of unsigned 32-bit words, zero at the start but for PERIOD_TICKS.
_SLOT_TICKS = const(0)  # sensor time of the time slot that the last word belonged to
_SLOT_TAG = const(1)  # its TAG_CNT
NEWEST_TICKS = const(2)  # sensor time of the newest whole sample
_HALVES = const(3)  # what the slot has given so far: _GYRO, _ACCEL or their sum
PERIOD_TICKS = const(4)  # from one sample to the next
_SEEN = const(5)  # bit 0: a timestamp, bit 1: a whole sample
LOST = const(6)  # samples that the sensor made and that did not arrive whole
WRITTEN = const(7)  # whole samples written since the caller set it to 0
STATE_CELLS = const(8)


@micropython.viper
def unpack(raw: ptr8, words: int, out: ptr8, state: ptr32):
    """Turn FIFO words into whole samples of six int16.

    raw: 12 bytes in which a sample is put together, then `words` FIFO words of 7 bytes.
    out: receives samples from state[WRITTEN] on; the caller has made sure of the room. Both aligned to 4, as a
    bytearray is.

    Words of one time slot share TAG_CNT, which counts slots modulo 4, so a slot's sensor time follows from
    the one before it; each timestamp corrects it and shows losses that the count cannot. A FIFO in
    continuous mode loses its oldest words, so a gap lies before the first word of a transfer: the first loop
    looks ahead to the first timestamp and moves the time there. Halves of a sample whose other half is lost
    are dropped.

    Times are modulo 2**32 on the device and wider on a PC: only differences are used, cut to 30 bits.
    """
    half_sample = ptr16(raw)
    sample = ptr32(raw)
    target = ptr32(out)
    period = state[PERIOD_TICKS]
    half = period >> 1
    twice = period << 1
    newest = state[NEWEST_TICKS]
    ticks = state[_SLOT_TICKS]
    tag = state[_SLOT_TAG]
    halves = state[_HALVES]
    seen = state[_SEEN]
    end = SAMPLE_BYTES + WORD_BYTES * words

    at = SAMPLE_BYTES
    ahead = ticks
    ahead_tag = tag
    while at < end and seen & 1:
        kind = raw[at] >> 3
        if kind != 0:
            count = (raw[at] >> 1) & 3
            ahead += ((count - ahead_tag) & 3) * period
            ahead_tag = count
            if kind == _TIMESTAMP:
                stamp = raw[at + 1] | raw[at + 2] << 8 | raw[at + 3] << 16 | raw[at + 4] << 24
                late = (stamp - ahead + half) & 0x3FFFFFFF
                if late >= period and late < 0x20000000:
                    ticks += late // period * period
                    halves = 0
                at = end
        at += WORD_BYTES

    write = state[WRITTEN] * (SAMPLE_BYTES // 4)
    at = SAMPLE_BYTES
    while at < end:
        kind = raw[at]
        count = (kind >> 1) & 3
        kind >>= 3
        if kind:
            if count != tag:
                ticks += ((count - tag) & 3) * period
                tag = count
                halves = 0
            if kind <= _ACCEL:
                place = kind * 3 - 3
                half_sample[place] = raw[at + 1] | raw[at + 2] << 8
                half_sample[place + 1] = raw[at + 3] | raw[at + 4] << 8
                half_sample[place + 2] = raw[at + 5] | raw[at + 6] << 8
                halves |= kind
                if halves == _GYRO | _ACCEL:
                    halves = 0
                    target[write] = sample[0]
                    target[write + 1] = sample[1]
                    target[write + 2] = sample[2]
                    write += SAMPLE_BYTES // 4
                    if ticks - newest != period and seen & 2:
                        late = (ticks - newest + half) & 0x3FFFFFFF
                        if late >= twice and late < 0x20000000:
                            state[LOST] = state[LOST] + late // period - 1
                    seen |= 2
                    newest = ticks
            elif kind == _TIMESTAMP:
                stamp = raw[at + 1] | raw[at + 2] << 8 | raw[at + 3] << 16 | raw[at + 4] << 24
                if not seen & 1:
                    newest = newest + stamp - ticks
                    seen |= 1
                ticks = stamp
        at += WORD_BYTES

    state[WRITTEN] = write // (SAMPLE_BYTES // 4)
    state[NEWEST_TICKS] = newest
    state[_SLOT_TICKS] = ticks
    state[_SLOT_TAG] = tag
    state[_HALVES] = halves
    state[_SEEN] = seen


@micropython.viper
def low_30_bits(state: ptr32, cell: int) -> int:
    """A cell as a number that is no heap object on a 32-bit device."""
    return state[cell] & 0x3FFFFFFF
