"""A fault word becomes names that a person can look up."""

import re

from hypothesis import given
from hypothesis import strategies as st

from kinetens_protocol import faults


@given(bits=st.sets(st.sampled_from(sorted(faults.FAULTS))))
def test_known_faults_go_by_their_names(bits: set[int]):
    word = sum(1 << bit for bit in bits)
    assert faults.names(word) == [faults.FAULTS[bit][0] for bit in sorted(bits)]


@given(word=st.integers(0, 0xFFFF_FFFF))
def test_no_fault_is_lost(word: int):
    assert len(faults.names(word)) == word.bit_count()


def test_a_fault_of_a_later_version_shows_its_number():
    assert faults.names(1 << 31 | 1 << faults.STORAGE) == ["storage", "fault-31"]


def test_every_fault_has_a_bit_a_name_and_a_sentence():
    assert all(0 <= bit < 32 for bit in faults.FAULTS)
    names = [name for name, _ in faults.FAULTS.values()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z]+(-[a-z]+)*", name) for name in names)
    assert all(sentence and not sentence.endswith(".") for _, sentence in faults.FAULTS.values())


def test_a_fault_is_explained_by_its_sentence():
    word = 1 << faults.BOARD_FILE | 1 << 31
    assert faults.explained(word) == ["board-file (the device's board file is missing or wrong)", "fault-31"]
