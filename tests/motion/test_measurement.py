from itertools import pairwise
from math import degrees, radians
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from kinetens.errors import InvalidInput
from kinetens.motion.measurement import MovementMeter
from kinetens.motion.quaternion import Quaternions, from_rotation, multiply
from kinetens.motion.repetitions import Repetition, RepetitionEvent, summarise
from kinetens.virtual.everyday import SITES, EverydayMember, Site
from kinetens.virtual.member import SHIPPED_REPETITIONS, GeneratedMember, shipped_member

from .conftest import Worn, fused

Floats = NDArray[np.float64]


def measure(
    times_s: Floats, quaternions: Quaternions, chunk: int = 10, force: Floats | None = None
) -> tuple[list[Repetition], list[RepetitionEvent]]:
    meter = MovementMeter()
    events: list[RepetitionEvent] = []
    for k in range(0, len(times_s), chunk):
        part = slice(k, k + chunk)
        forces = None if force is None else force[part]
        events += meter.update(times_s[part], quaternions[part], force_m_s2=forces)
    return meter.repetitions, events + meter.finish()


def median_range_deg(repetitions: list[Repetition]) -> float:
    summary = summarise(repetitions)
    assert summary
    return degrees(summary.median_rad)


@pytest.fixture(scope="module")
def twelve_of_sixty(worn: Worn) -> tuple[Floats, Quaternions]:
    member = GeneratedMember(12, radians(60.0), seed=1)
    return worn(member, member.end_s + 2.0, 1)


def test_shipped_recording_counts_twenty_of_twenty(worn: Worn) -> None:
    member = shipped_member()
    repetitions, _ = measure(*worn(member, member.end_s + 3.0, 7))
    assert len(repetitions) == SHIPPED_REPETITIONS == 20
    assert 140 < median_range_deg(repetitions) < 180


def test_twelve_repetitions_of_sixty_degrees(twelve_of_sixty: tuple[Floats, Quaternions]) -> None:
    repetitions, events = measure(*twelve_of_sixty)
    assert len(repetitions) == 12
    assert median_range_deg(repetitions) == pytest.approx(60.0, abs=1.0)
    latest_s = max(event.time_s - event.repetition.end_s for event in events if event.repetition)
    assert latest_s <= 0.3


@pytest.mark.parametrize("loss", [0.0, 0.05])
@pytest.mark.parametrize(("performed", "range_deg"), [(1, 90), (2, 8), (3, 150), (5, 25), (8, 15), (20, 120)])
def test_every_generated_repetition_is_counted_and_measured(
    worn: Worn, performed: int, range_deg: int, loss: float
) -> None:
    member = GeneratedMember(performed, radians(range_deg), seed=range_deg)
    times_s, quaternions = worn(member, member.end_s + 2.0, performed)
    received = np.repeat(np.random.default_rng(performed).random(len(times_s) // 10 + 1) >= loss, 10)
    received = received[: len(times_s)]
    repetitions, _ = measure(times_s[received], quaternions[received])
    truth = np.median([degrees(repetition.range_rad) for repetition in member.truth])
    assert len(repetitions) == performed
    assert median_range_deg(repetitions) == pytest.approx(truth, abs=1.0)
    for found, true in zip(repetitions, member.truth, strict=True):
        assert found.start_s == pytest.approx(true.start_s, abs=0.4)
        assert found.end_s == pytest.approx(true.end_s, abs=0.4)


def test_result_does_not_depend_on_how_the_stream_is_cut(twelve_of_sixty: tuple[Floats, Quaternions]) -> None:
    whole, _ = measure(*twelve_of_sixty, chunk=100_000)
    for chunk in (1, 7, 10, 33):
        cut, _ = measure(*twelve_of_sixty, chunk=chunk)
        assert cut == whole


def test_mounting_and_heading_change_no_count_and_hardly_a_range(
    twelve_of_sixty: tuple[Floats, Quaternions],
) -> None:
    times_s, quaternions = twelve_of_sixty
    as_worn, _ = measure(times_s, quaternions)
    for seed in range(4):
        mounting = from_rotation(Rotation.random(rng=np.random.default_rng(seed)))
        facing = from_rotation(Rotation.from_euler("z", 80 * seed, degrees=True))
        otherwise, _ = measure(times_s, multiply(multiply(facing, quaternions), mounting))
        assert len(otherwise) == len(as_worn)
        for one, other in zip(as_worn, otherwise, strict=True):
            assert abs(one.range_of_motion_rad - other.range_of_motion_rad) < radians(0.01)


def test_slow_drift_of_heading_changes_no_count(twelve_of_sixty: tuple[Floats, Quaternions]) -> None:
    times_s, quaternions = twelve_of_sixty
    drift = from_rotation(Rotation.from_rotvec(np.outer(times_s * radians(0.5), [0, 0, 1])))
    repetitions, _ = measure(times_s, multiply(drift, quaternions))
    assert len(repetitions) == 12
    assert median_range_deg(repetitions) == pytest.approx(60.0, abs=1.0)


def test_long_unknown_part_is_never_filled_with_repetitions(
    twelve_of_sixty: tuple[Floats, Quaternions],
) -> None:
    times_s, quaternions = twelve_of_sixty
    known = (times_s < 8.0) | (times_s > 18.0)
    meter = MovementMeter()
    events = meter.update(times_s, quaternions, known=known)
    assert not any(r.start_s < 18.0 and r.end_s > 8.0 for r in meter.repetitions)
    assert meter.unknown_s == pytest.approx(10.0, abs=0.1)
    assert "abandoned" in [event.kind for event in events]
    missed = [r for r in meter.repetitions if r.end_s <= 8.0 or r.start_s >= 18.0]
    assert 6 <= len(missed) <= 10


@pytest.mark.parametrize("site", SITES)
def test_ten_minutes_of_everyday_life_hold_no_repetition(site: Site) -> None:
    member = EverydayMember(site, seed=1)
    times_s = np.arange(0.0, member.end_s, 0.01)
    gyr, force = member.sample(times_s)
    repetitions, events = measure(times_s, fused(gyr, force, 100.0), force=force)
    assert len(repetitions) <= 1
    assert any(event.kind == "withdrawn" for event in events)


def test_walking_to_the_mat_is_not_counted_and_the_set_there_is(worn: Worn) -> None:
    walker = EverydayMember("wrist", 2, [("standing", 2.0), ("walking", 20.0), ("standing", 6.0)])
    exerciser = GeneratedMember(10, radians(60.0), seed=2)
    gyr, force = (
        np.concatenate(parts)
        for parts in zip(
            walker.sample(np.arange(0.0, walker.end_s, 0.01)),
            exerciser.sample(np.arange(0.0, exerciser.end_s + 2.0, 0.01)),
            strict=True,
        )
    )
    times_s = np.arange(len(gyr)) / 100.0
    repetitions, _ = measure(times_s, fused(gyr, force, 100.0), force=force)
    assert len(repetitions) == 10
    assert all(repetition.start_s > walker.end_s for repetition in repetitions)


def test_lying_still_gives_nothing() -> None:
    times_s = np.arange(0.0, 60.0, 0.01)
    noise = np.random.default_rng(3).normal(0.0, radians(0.1), (len(times_s), 3))
    repetitions, events = measure(times_s, from_rotation(Rotation.from_rotvec(noise)))
    assert (repetitions, events) == ([], [])


def test_samples_that_are_not_numbers_are_unknown(twelve_of_sixty: tuple[Floats, Quaternions]) -> None:
    times_s, quaternions = twelve_of_sixty
    spoilt = quaternions.copy()
    spoilt[1000:1003] = np.nan
    assert len(measure(times_s, spoilt)[0]) == 12


def test_shuffled_times_are_refused(twelve_of_sixty: tuple[Floats, Quaternions]) -> None:
    times_s, quaternions = twelve_of_sixty
    with pytest.raises(InvalidInput, match="sort the recording"):
        MovementMeter().update(times_s[::-1], quaternions)
    with pytest.raises(InvalidInput, match=r"\(N, 4\)"):
        MovementMeter().update(times_s, quaternions[:, :3])


def test_angle_and_trace_follow_the_movement(twelve_of_sixty: tuple[Floats, Quaternions]) -> None:
    times_s, quaternions = twelve_of_sixty
    meter = MovementMeter()
    meter.update(times_s, quaternions)
    trace_s, angles = meter.trace
    assert len(trace_s) == len(angles) == pytest.approx(25 * times_s[-1], rel=0.02)
    assert degrees(float(np.max(angles))) == pytest.approx(60.0, abs=3.0)
    assert abs(degrees(meter.current_angle_rad)) < 3.0


def test_shoulder_sets_of_real_people(data_dir: Path) -> None:
    with np.load(data_dir / "shoulder_watch" / "spar_subjects_1_to_6.npz") as sets:
        samples, offsets = sets["samples"].astype(np.float64), sets["offsets"]
    counts: list[int] = []
    for begin, end in pairwise(offsets.tolist()):
        force = samples[begin:end, :3] * 9.80665
        quaternions = fused(samples[begin:end, 3:], force, 50.0)
        counts.append(len(measure(np.arange(end - begin) / 50.0, quaternions, force=force)[0]))
    off_by = np.abs(np.array(counts) - 20)
    assert np.mean(off_by <= 1) >= 0.98
    assert np.mean(off_by == 0) >= 0.8


UNITS = {1: 1, 2: 3, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 1}  # exercise: the unit on the moving segment


def test_physical_therapy_sessions_of_real_people(data_dir: Path) -> None:
    blocks: list[int] = []
    for subject in (1, 2, 3):
        for exercise, unit in UNITS.items():
            with np.load(data_dir / "uci_pt" / f"s{subject}_e{exercise}.npz") as session:
                samples = session["test"][unit].astype(np.float64)
            quaternions = fused(samples[:, 3:6], samples[:, :3], 25.0)
            repetitions, _ = measure(np.arange(len(samples)) / 25.0, quaternions, force=samples[:, :3])
            starts = np.array([repetition.start_s for repetition in repetitions])
            blocks += np.bincount(np.digitize(starts, [98.0, 158.0]), minlength=3).tolist()
    performed = np.array(blocks)
    assert np.sum(np.minimum(performed, 10)) / 720 >= 0.985
    assert np.sum(np.maximum(performed - 10, 0)) / 720 <= 0.01
    assert np.mean(performed == 10) >= 0.95
