from math import degrees, radians

import numpy as np
import pytest
from numpy.typing import NDArray

from kinetens.motion.detector import RepetitionDetector
from kinetens.motion.repetitions import Repetition, RepetitionEvent, range_from_ways_rad, summarise

STEP_S = 0.04


def path(*points: tuple[float, float]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Times and angles of smooth ways between (time in s, angle in degrees) points."""
    at_s, angles = np.array(points).T
    times_s = np.arange(at_s[0], at_s[-1] + STEP_S / 2, STEP_S)
    way = np.clip(np.searchsorted(at_s, times_s, side="right") - 1, 0, len(points) - 2)
    along = (times_s - at_s[way]) / (at_s[way + 1] - at_s[way])
    smooth = along**3 * (10.0 - 15.0 * along + 6.0 * along**2)
    return times_s, np.radians(angles[way] + (angles[way + 1] - angles[way]) * smooth)


def detect(times_s: NDArray[np.float64], angles: NDArray[np.float64]) -> list[RepetitionEvent]:
    detector = RepetitionDetector()
    events = [
        event
        for time_s, angle in zip(times_s, angles, strict=True)
        for event in detector.update(float(time_s), float(angle))
    ]
    return events + detector.finish()


def repetitions_of(*points: tuple[float, float]) -> list[Repetition]:
    return [event.repetition for event in detect(*path(*points)) if event.repetition]


@pytest.mark.parametrize("outward", [1, -1])
def test_start_turn_end_and_range_of_one_repetition(outward: int) -> None:
    (found,) = repetitions_of((0, 0), (2, 0), (3, 60 * outward), (4, 60 * outward), (5, 0), (7, 0))
    assert found.start_s == pytest.approx(2.0, abs=0.3)
    assert 2.9 < found.turn_s < 4.1
    assert found.end_s == pytest.approx(5.0, abs=0.3)
    assert degrees(found.range_of_motion_rad) == pytest.approx(60.0, abs=0.5)
    assert degrees(found.peak_speed_rad_s) == pytest.approx(60 * 1.875, rel=0.05)


@pytest.mark.parametrize("way_s", [0.3, 1.0, 4.0, 8.0])
def test_decided_within_three_tenths_of_a_second_of_the_end(way_s: float) -> None:
    ends = [2.0 + 2 * way_s * (k + 1) for k in range(3)]
    points = [(0.0, 0.0), (2.0, 0.0)]
    for end_s in ends:
        points += [(end_s - way_s, 50.0), (end_s, 0.0)]
    events = detect(*path(*points, (ends[-1] + 2.0, 0.0)))
    assert len(events) == 3
    assert all(event.time_s <= end_s + 0.3 for event, end_s in zip(events, ends, strict=True))


def test_a_hesitation_is_not_a_repetition() -> None:
    assert len(repetitions_of((0, 0), (1, 0), (2, 40), (2.5, 30), (3.5, 60), (5, 0), (6, 0))) == 1


def test_small_movements_and_new_postures_are_not_repetitions() -> None:
    assert repetitions_of((0, 0), (1, 0), (1.5, 3), (2, 0), (2.5, 3), (3, 0), (5, 0)) == []
    assert repetitions_of((0, 0), (1, 0), (2, 45), (30, 45)) == []


def test_repetitions_from_a_new_posture_count_all() -> None:
    cycles = [(20.0 + 3 * k + s, a) for k in range(5) for s, a in ((0.0, 45.0), (1.5, 85.0))]
    assert len(repetitions_of((0, 0), (1, 0), (2, 45), *cycles, (35, 45), (37, 45))) == 5


def test_cycles_after_a_larger_first_way_count_all() -> None:
    cycles = [(1.0 + 2 * k + s, a) for k in range(6) for s, a in ((0.0, 60.0), (1.0, 30.0))]
    assert len(repetitions_of((0, 0), *cycles, (13, 60), (14, 30), (15, 30))) in (6, 7)


def test_small_preparation_before_the_movement_does_not_reverse_it() -> None:
    (found,) = repetitions_of((0, 0), (1, 0), (1.4, -8), (2.5, 60), (5, 60), (6, 0), (8, 0))
    assert 2.4 < found.turn_s < 5.1


def test_long_gap_abandons_the_movement_under_way_and_a_short_one_is_reported() -> None:
    times_s, angles = path((0, 0), (1, 0), (3, 60), (5, 0), (7, 0))
    for gap_s, kinds in ((0.2, ["completed"]), (1.5, ["abandoned"])):
        detector = RepetitionDetector()
        events: list[RepetitionEvent] = []
        for time_s, angle in zip(times_s.tolist(), angles.tolist(), strict=True):
            if 2.5 <= time_s < 2.5 + gap_s:
                continue
            if 2.5 + gap_s <= time_s < 2.5 + gap_s + STEP_S:
                events += detector.gap(time_s, gap_s)
            events += detector.update(time_s, angle)
        assert [event.kind for event in events] == kinds
        assert all(event.repetition.unknown_s == gap_s for event in events if event.repetition)


def test_repetition_cut_off_by_the_end_of_the_recording_counts() -> None:
    points = [(1.0 + 2 * k + s, a) for k in range(4) for s, a in ((0.0, 0.0), (1.0, 60.0))]
    assert len(repetitions_of((0, 0), *points)) == 4


def test_return_cut_short_gives_the_longer_way_and_drift_is_shared() -> None:
    assert range_from_ways_rad(radians(60), radians(40), 3.0) == radians(60)
    assert range_from_ways_rad(radians(60.4), radians(59.6), 3.0) == pytest.approx(radians(60))


def test_summary_of_ranges() -> None:
    found = repetitions_of((0, 0), (1, 0), (2, 40), (3, 0), (4, 50), (5, 0), (6, 60), (7, 0), (8, 0))
    summary = summarise(found)
    assert summary
    figures = [degrees(figure) for figure in (summary.min_rad, summary.median_rad, summary.max_rad)]
    np.testing.assert_allclose(figures, [40, 50, 60], atol=0.5)
    assert summarise([]) is None


def test_fidgeting_after_a_set_is_not_a_repetition_but_a_smaller_set_is() -> None:
    large = [(1.0 + 2 * k + s, a) for k in range(4) for s, a in ((0.0, 0.0), (1.0, 60.0))]
    fidget = [(9.0, 0.0), (25.0, 0.0), (26.0, 10.0), (27.0, 0.0), (32.0, 0.0)]
    smaller = [(32.0 + 2 * k + s, a) for k in range(3) for s, a in ((0.0, 0.0), (1.0, 30.0))]
    found = repetitions_of((0, 0), *large, *fidget, *smaller, (38.0, 0.0), (40.0, 0.0))
    assert [degrees(one.range_of_motion_rad) > 45.0 for one in found] == [True] * 4 + [False] * 3
