"""The device's 64-bit clock, made of ticks that wrap."""

from tests.firmware.micropython import CLOCK, run_on_micropython


def test_time_goes_on_when_the_ticks_wrap():
    lines = run_on_micropython(
        CLOCK
        + """
from system.clock import Clock
Time.now_us = PERIOD - 1_000_000
clock = Clock()
for step in range(3000):
    Time.now_us += 400_000_007
    before = clock.now_us()
print(before, clock.now_us())
"""
    )
    assert lines == [f"{3000 * 400_000_007} {3000 * 400_000_007}"]


def test_milliseconds_elapsed_are_right_across_their_wrap():
    lines = run_on_micropython(
        CLOCK
        + """
from system.clock import Clock
Time.now_us = PERIOD * 1000 - 5000
clock = Clock()
since = clock.now_ms()
Time.now_us += 12_000
print(clock.elapsed_ms(since))
"""
    )
    assert lines == ["12"]


def test_adding_and_subtracting_carry_between_the_words():
    lines = run_on_micropython(
        CLOCK
        + """
from array import array
from system.clock import add_us, copy, difference_us
words = array("I", [0, 0])
total = 0
for us in (5, -3, 0xFFFF, 1, 0x3FFFFFFF, 0x3FFFFFFF, 0x3FFFFFFF, 0x3FFFFFFF, 0x3FFFFFFF, -0x3FFFFFFF, 12345, -1):
    before = array("I", words)
    add_us(words, us)
    total += us
    assert words[0] | words[1] << 32 == total, us
    if abs(us) < 1 << 29:
        assert difference_us(words, before) == us, us
other = array("I", [0, 0])
copy(other, words)
assert difference_us(words, other) == 0
print("done")
"""
    )
    assert lines == ["done"]
