import numpy as np

from kinetens.motion.gait import WalkingDetector, step_regularity

TIMES_S = np.arange(0.0, 6.0, 0.04)


def test_steps_are_regular_and_one_swing_a_second_is_not() -> None:
    assert step_regularity(2.0 * np.sin(2.0 * np.pi * 1.9 * TIMES_S[:100])) > 0.9
    assert step_regularity(5.0 * np.sin(2.0 * np.pi * 0.9 * TIMES_S[:100])) == 0.0


def test_a_slight_tremble_and_what_is_not_known_are_no_walk() -> None:
    assert step_regularity(0.3 * np.sin(2.0 * np.pi * 1.9 * TIMES_S[:100])) == 0.0
    assert step_regularity(np.full(100, np.nan)) == 0.0


def test_it_takes_two_looks_to_say_that_somebody_walks() -> None:
    detector = WalkingDetector()
    said_s = [
        time_s
        for time_s in TIMES_S.tolist()
        if detector.update(2.0 * np.sin(2.0 * np.pi * 1.9 * time_s)) and detector.walks
    ]
    assert 4.9 < said_s[0] < 5.1
