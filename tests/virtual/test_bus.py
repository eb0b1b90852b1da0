"""The virtual I2C bus and what the firmware's recovery does to it."""

import pytest

from kinetens.virtual.bus import BusError, BusHeld, I2cBus

SCL, SDA = 5, 4


@pytest.fixture
def bus() -> I2cBus:
    bus = I2cBus(SCL, SDA)
    bus.open(0.012)
    return bus


def clock(bus: I2cBus, times: int) -> None:
    for _ in range(times):
        bus.drive(SCL, False)
        bus.drive(SCL, True)


def test_a_free_bus_is_high_and_works(bus: I2cBus):
    bus.check()
    assert (bus.level(SCL), bus.level(SDA)) == (1, 1)


def test_without_a_controller_there_is_no_transfer(bus: I2cBus):
    bus.take_by_hand()
    with pytest.raises(BusError, match="no controller"):
        bus.check()
    bus.open(0.012)
    bus.check()


def test_a_part_lets_go_of_sda_with_the_last_of_its_clocks(bus: I2cBus):
    bus.sda_held_clocks = 9
    with pytest.raises(BusHeld) as held:
        bus.check()
    assert held.value.lasts_s == 0.012
    clock(bus, 8)
    assert bus.level(SDA) == 0
    clock(bus, 1)
    assert bus.level(SDA) == 1
    bus.check()


@pytest.mark.parametrize("line", ["scl", "sda"])
def test_a_short_stays_whatever_is_done(bus: I2cBus, line: str):
    setattr(bus, f"{line}_shorted", True)
    clock(bus, 20)
    with pytest.raises(BusHeld):
        bus.check()


def test_a_held_clock_line_gives_no_clocks(bus: I2cBus):
    bus.scl_shorted = True
    bus.sda_held_clocks = 1
    clock(bus, 5)
    bus.scl_shorted = False
    assert bus.level(SDA) == 0


def test_a_reset_of_the_chip_frees_nobody_else(bus: I2cBus):
    bus.sda_held_clocks = 3
    bus.reset()
    bus.open(0.012)
    assert bus.level(SDA) == 0
