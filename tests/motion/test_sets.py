from dataclasses import replace
from math import radians

from kinetens.motion.repetitions import Repetition
from kinetens.motion.sets import in_sets, of_exercise

CLEAN = Repetition(
    0.0, 1.0, 2.0, radians(60.0), radians(1.0), 2.0,
    out_of_plane_rad=radians(3.0), astray_rad=radians(2.0), axis=(1.0, 0.0, 0.0),
)  # fmt: skip


def at(start_s: float, range_deg: float = 60.0, astray_deg: float = 2.0) -> Repetition:
    return replace(
        CLEAN,
        start_s=start_s,
        turn_s=start_s + 1.0,
        end_s=start_s + 2.0,
        range_of_motion_rad=radians(range_deg),
        astray_rad=radians(astray_deg),
    )


def test_a_long_pause_parts_sets() -> None:
    sets = in_sets([at(0.0), at(3.0), at(20.0)])
    assert [len(one.repetitions) for one in sets] == [2, 1]
    assert (sets[0].start_s, sets[0].end_s) == (0.0, 5.0)


def test_three_alike_are_an_exercise_with_what_is_beside_them() -> None:
    hesitant = at(9.0, 20.0)
    assert of_exercise([at(0.0), at(3.0), at(6.0), hesitant], is_first=False)[-1] is hesitant


def test_movements_that_are_not_alike_are_none() -> None:
    assert of_exercise([at(0.0, 60.0), at(3.0, 20.0), at(6.0, 90.0)], is_first=False) == []


def test_a_single_clean_movement_counts_only_where_nothing_was_before() -> None:
    assert of_exercise([at(0.0)], is_first=True) == [at(0.0)]
    assert of_exercise([at(0.0)], is_first=False) == []
    assert of_exercise([at(0.0, astray_deg=30.0)], is_first=True) == []
