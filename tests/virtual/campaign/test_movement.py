"""When an exercise is plain to see."""

from math import radians

import numpy as np
import pytest

from kinetens.virtual.campaign.movement import StagedMotion, Stretch, plain_exercise
from kinetens.virtual.motion_source import Array


class Turning:
    """Turns about one axis in given stretches, and rests between them."""

    def __init__(self, rate_deg_s: float, *turns: tuple[float, float]) -> None:
        self._rate_deg_s, self._turns = rate_deg_s, turns

    def sample(self, times_s: Array) -> tuple[Array, Array]:
        rate = np.zeros((len(times_s), 3))
        for start_s, end_s in self._turns:
            rate[(times_s >= start_s) & (times_s < end_s), 1] = radians(self._rate_deg_s)
        return rate, np.zeros_like(rate)


def test_an_exercise_is_plain_after_its_time_and_until_rest_has_used_that_up():
    plain = plain_exercise(Turning(30.0, (10.0, 13.0)), Stretch(10.0, 18.0))
    assert plain is not None
    assert plain.start_s == pytest.approx(10.8, abs=0.01)
    assert plain.end_s == pytest.approx(13.8, abs=0.01)


def test_rest_between_movements_counts_against_them():
    plain = plain_exercise(Turning(30.0, (10.0, 10.5), (10.8, 13.0)), Stretch(10.0, 18.0))
    assert plain is not None
    assert plain.start_s == pytest.approx(11.4, abs=0.02)


@pytest.mark.parametrize("motion", [Turning(15.0, (10.0, 18.0)), Turning(30.0, (10.0, 10.7))])
def test_what_is_slow_or_short_is_never_plain(motion: Turning):
    assert plain_exercise(motion, Stretch(10.0, 18.0)) is None


def test_the_staged_members_exercise_is_plain_within_its_first_repetitions():
    for seed in range(200):
        exercise = Stretch(10.0, 18.0)
        plain = plain_exercise(StagedMotion(seed, [exercise]), exercise)
        assert plain is not None
        assert 10.8 <= plain.start_s < 12.3
