"""What one sample costs the filters of others (under MicroPython): the filter alone, no unpacking, no framing.

Arguments: a name in PEERS, a file of samples (6 x int16), a file for the costs, an int32 for each sample. What is printed
is the heap that was taken, and the samples.
"""

import gc
import struct
import sys
import time
from array import array

DEG_PER_COUNT = 0.07
RAD_PER_COUNT = DEG_PER_COUNT * 3.14159265 / 180
RATE_HZ = 416.0


def madgwick():
    """Takes rad/s and acceleration one by one."""
    from madgwick_float import Madgwick

    return Madgwick(RATE_HZ).update, lambda g, a: tuple(RAD_PER_COUNT * rate for rate in g) + a


def hinch():
    """Takes tuples of acceleration and of degrees a second."""
    from hinch_fusion import Fusion

    return Fusion(RATE_HZ).update_nomag, lambda g, a: (a, tuple(DEG_PER_COUNT * rate for rate in g))


PEERS = {"madgwick": madgwick, "hinch": hinch}


def measure(source, results, peer):
    update, arguments_of = peer()
    sample = bytearray(12)
    cost = array("i", [0])
    allocated = count = 0
    while source.readinto(sample):
        words = struct.unpack("<hhhhhh", sample)
        arguments = arguments_of(words[:3], words[3:])
        gc.collect()
        before = gc.mem_alloc()
        start = time.ticks_cpu()
        update(*arguments)
        cost[0] = time.ticks_diff(time.ticks_cpu(), start)
        allocated += gc.mem_alloc() - before
        results.write(cost)
        count += 1
    return allocated, count


with open(sys.argv[2], "rb") as source, open(sys.argv[3], "wb") as results:
    print(*measure(source, results, PEERS[sys.argv[1]]))
