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

Waveform = namedtuple("Waveform", ("durations", "group_us", "rest_us", "period_us", "pulses"))
"""A group's durations (µs; high first and last), its length, the low after it, both together, and its
pulses."""


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
    pulse = _phase(program.phase_us, program.gap_us) + _phase(program.phase_us, after_us)
    durations = (pulse * pulses)[:-1]
    group_us = sum(durations)
    rest_us = max(TURN_US, group_period_us - group_us)
    return Waveform(durations, group_us, rest_us, group_us + rest_us, pulses)


def train(waveform, lead_us, horizon_us):
    """The groups due within the horizon, the first after lead_us: (how many, durations, the first one low).

    None is due when the lead reaches the horizon; the list is then empty.
    """
    if lead_us >= horizon_us:
        return 0, []
    groups = 1 + (horizon_us - 1 - lead_us) // waveform.period_us
    return groups, [lead_us] + waveform.durations + ([waveform.rest_us] + waveform.durations) * (groups - 1)


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


def _phase(phase_us, low_us):
    """The high of one phase and the low after it."""
    taken_us = max(TURN_US - low_us, 0)
    return [phase_us - taken_us, low_us + taken_us]
