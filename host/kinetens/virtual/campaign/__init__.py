"""Simulated hours in which everything that can go wrong does, and the proof that the output stays safe.

faults      what can go wrong, by name, with the hazard it tests (docs/hazards.md)
story       one episode as a list of timed events: it can be replayed, and shrunk
host        the host program that records and stimulates again and again, whatever happened
scene       one device, its member and its host, on whom a story is played
witness     what the world saw of it, and the man on the radio
past        sessions and an owner that the device had before
licence     from that alone: where pulses may be, and what must have ended them
invariants  the seven, judged on the output stage's record
episode     plays a story and judges it
runs        many seeds on all cores
shrink      the shortest story that still breaks an invariant
device_log  the seventh, judged on the device's chained log
mutations   each control switched off, to see that its loss is noticed
"""
