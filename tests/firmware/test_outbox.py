"""Frames that wait for the radio: in order, each once, counted when refused."""

from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.firmware.cpython_viper import load_firmware_module

FRAMES = 16


@pytest.fixture(scope="module")
def module() -> ModuleType:
    return load_firmware_module("motion.outbox")


class Frames:
    """An outbox whose frames hold one number each."""

    def __init__(self, module: ModuleType) -> None:
        self.outbox = module.Outbox(0x10, 244)
        self.sent: list[int] = []
        self.room = 10**9
        self._number = 0

    def put(self) -> bool:
        frame = self.outbox.frame
        frame.begin(0, [self._number, 0, 0, 0, 0])
        frame.count = 3
        frame._buffer[4:8] = self._number.to_bytes(4, "little")
        self._number += 1
        return self.outbox.finish() is not None

    def notify(self, view: memoryview) -> bool:
        if self.room == 0:
            return False
        self.room -= 1
        self.sent.append(int.from_bytes(view[4:8], "little"))
        return True


def frames(module: ModuleType) -> Frames:
    made = Frames(module)
    for frame in made.outbox._ring:
        frame.begin = lambda flags, stream: None
    return made


def test_frames_go_out_in_order(module: ModuleType):
    made = frames(module)
    for _ in range(5):
        assert made.put()
    made.outbox.send(made.notify)
    assert made.sent == [0, 1, 2, 3, 4]
    made.outbox.send(made.notify)
    assert len(made.sent) == 5


def test_a_refused_frame_is_counted_once_and_tried_again(module: ModuleType):
    made = frames(module)
    made.put()
    made.put()
    made.room = 0
    for _ in range(4):
        made.outbox.send(made.notify)
    assert made.outbox.refused == 3
    made.room = 2
    made.outbox.send(made.notify)
    assert made.sent == [0, 1]
    assert made.outbox.refused == 3


def test_a_full_ring_takes_no_more_and_keeps_what_it_has(module: ModuleType):
    made = frames(module)
    taken = [made.put() for _ in range(FRAMES + 3)]
    assert taken == [True] * (FRAMES - 1) + [False] * 4
    made.outbox.send(made.notify)
    assert made.sent == list(range(FRAMES - 1))
    assert made.put()


def test_clearing_forgets_what_waits(module: ModuleType):
    made = frames(module)
    made.put()
    made.outbox.clear()
    made.outbox.send(made.notify)
    assert made.sent == []
    assert made.outbox.refused == 0


@given(st.lists(st.one_of(st.just("put"), st.integers(0, 4)), max_size=200))
def test_whatever_the_radio_does_nothing_taken_is_lost_or_repeated(steps: list[str | int]):
    made = frames(load_firmware_module("motion.outbox"))
    taken: list[int] = []
    for step in steps:
        if step == "put":
            number = made._number
            if made.put():
                taken.append(number)
        else:
            made.room = int(step)
            made.outbox.send(made.notify)
    made.room = 10**9
    made.outbox.send(made.notify)
    assert made.sent == taken
