"""From a programme to what the pulse hardware takes: finite lists of how long each level lasts, low and high
in turn.

One channel makes all pulses; a flip-flop behind it turns the bridge at each falling edge. A biphasic pulse is
therefore two equal high levels with a low between them, and an even number of them leaves the bridge as it
was.

    lead      group          rest      group          rest ...
    ______####__####__________________####__####______________
           +     -                     +     -

A group is a burst, or the pulses of about 10 ms of an even train. The low after the last group is not part of
the list: the next list begins with as much of it as is left.
"""

from collections import namedtuple

from kinetens_protocol.limits import period_us

TURN_US = 2
"""The least low after each phase, in which flip-flop and bridge turn; taken from the phase if nothing else
gives it."""

LONGEST_US = 32767
"""The hardware counts a duration in 15 bits and wraps silently; one tick is 1 µs (RESOLUTION_HZ)."""

RESOLUTION_HZ = 1_000_000

_EVEN_GROUP_US = 10_000

Waveform = namedtuple(
    "Waveform", ("durations", "repeated", "group_us", "period_us", "pulses", "whole_us", "whole_period_us")
)
"""A group's durations (µs; high first and last), the same after the low before it, its length, with that low, and its
pulses.

whole_us of every whole_period_us, a pulse or a burst, should not be cut in two.
"""


def compile_program(program):
    """The group that a programme repeats."""
    pulse_period_us = period_us(program.rate_mhz)
    if program.burst_pulses:
        pulses = program.burst_pulses
        group_period_us = period_us(program.burst_rate_mhz)
    else:
        pulses = max(1, _EVEN_GROUP_US // pulse_period_us)
        group_period_us = pulses * pulse_period_us
    after_us = pulse_period_us - 2 * program.phase_us - program.gap_us
    taken_us = max(
        0, TURN_US - program.gap_us, TURN_US - after_us
    )  # from both phases alike: they must balance
    high_us = program.phase_us - taken_us
    pulse = [high_us, program.gap_us + taken_us, high_us, after_us + taken_us]
    durations = (pulse * pulses)[:-1]
    group_us = sum(durations)
    rest_us = max(TURN_US, group_period_us - group_us)
    period = group_us + rest_us
    whole = (group_us, period) if program.burst_pulses else (sum(pulse[:-1]), pulse_period_us)
    return Waveform(durations, [rest_us] + durations, group_us, period, pulses, *whole)


def train_into(durations, waveform, lead_us, horizon_us):
    """Fill a list with the groups that end within the horizon, at least one, the first after lead_us; returns how many.

    Durations, from low. A carrier's train has a thousand of them: the list keeps its memory from train to train, as
    `del` leaves it, so that no heap in pieces can refuse it while the output is on.
    """
    groups = 1 + max(0, horizon_us - lead_us - waveform.group_us) // waveform.period_us
    del durations[:]
    durations.append(lead_us)
    durations.extend(waveform.durations)
    for _ in range(groups - 1):
        durations.extend(waveform.repeated)
    return groups


def split(durations):
    """Durations that start low as `RMT.write_pulses` takes them: (durations, first level, or the level of
    each).

    A duration longer than the hardware counts becomes several of the same level.
    """
    if max(durations) <= LONGEST_US:
        return durations, 0
    pieces = []
    levels = []
    level = 0
    for left_us in durations:
        while left_us > 0:
            pieces.append(min(left_us, LONGEST_US))
            levels.append(level)
            left_us -= LONGEST_US
        level = 1 - level
    return pieces, levels
