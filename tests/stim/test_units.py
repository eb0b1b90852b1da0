"""Quantities with units: what is written is what is meant, and what is not said is not guessed."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kinetens.stim import units
from kinetens_protocol import limits

kinds = st.sampled_from(units.KINDS)


@given(kinds, st.integers(0, 0xFFFF_FFFF))
@example(units.TIME, 61_000)
@example(units.COUNT, 0)
def test_a_quantity_is_read_back_as_it_was_written(kind: units.Kind, value: int):
    assert units.parse(kind, units.text(kind, value)) == value


@given(kinds, st.one_of(st.text(), st.floats(), st.integers(), st.booleans(), st.none(), st.lists(st.text())))
def test_whatever_is_written_gives_a_whole_quantity_or_is_refused(kind: units.Kind, written: object):
    try:
        value = units.parse(kind, written)
    except units.UnitError:
        return
    assert isinstance(value, int)
    assert value >= 0


@given(kinds, st.integers(0, 10**6))
def test_a_number_without_its_unit_is_refused(kind: units.Kind, number: int):
    if kind is units.COUNT:
        return
    with pytest.raises(units.UnitError, match="has no unit; write for example"):
        units.parse(kind, number)
    with pytest.raises(units.UnitError, match="has no unit"):
        units.parse(kind, str(number))


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        (units.CURRENT, "40 mA", 40_000),
        (units.CURRENT, "40.2mA", 40_200),
        (units.CURRENT, ".5 mA", 500),
        (units.WIDTH, "100 us", 100),
        (units.WIDTH, "100 µs", 100),
        (units.WIDTH, "100 μs", 100),
        (units.FREQUENCY, "5 kHz", 5_000_000),
        (units.FREQUENCY, "0.5 Hz", 500),
        (units.AREA, "25 cm2", 2_500),
        (units.AREA, "25 cm²", 2_500),
        (units.DENSITY, "1 mA/cm2", 1_000),
        (units.TIME, "30 min", 1_800_000),
        (units.SHARE, "62.5 %", 625),
    ],
)
def test_what_people_write(kind: units.Kind, written: str, value: int):
    assert units.parse(kind, written) == value


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (40, '40 has no unit; write for example "40 mA"'),
        (2.5, '2.5 has no unit; write for example "2.5 mA"'),
        (float("nan"), "nan is no number"),
        (float("inf"), "inf is no number"),
        (-40, "-40 is negative"),
        (True, "is no current"),
        ("nan mA", '"nan mA" is no number'),
        ("-40 mA", '"-40 mA" is negative'),
        ("40 Hz", "Hz is no unit of current; it can be µA or mA"),
        ("40 ma", "ma is no unit of current"),
        ("2,5 mA", "the decimal sign is a point"),
        ("1e3 mA", "is no current"),
        ("0.0001 mA", "is finer than 1 µA"),
        ("9" * 100 + " mA", "is no current"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_write(written: object, said: str):
    with pytest.raises(units.UnitError) as refused:
        units.parse(units.CURRENT, written)
    assert said in str(refused.value)


def test_every_limit_has_its_kind_of_quantity():
    for limit in limits.LIMITS:
        kind = units.of_limit(limit.code)
        assert units.parse(kind, units.text(kind, limit.hard)) == limit.hard
