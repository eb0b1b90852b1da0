"""The day's dose survives power cuts, and no order of them makes it forget."""

import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from kinetens_protocol import limits
from tests.firmware.flash import FailingFlash, PowerCut
from tests.stim.bench import FIRMWARE

MINUTE_MS = 60_000
BOUNDS = limits.effective({}, {})
STEPS = 12
"""Uses of the flash in one write of both copies, and some more."""


@pytest.fixture
def dose_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Any]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(FIRMWARE))
    sys.modules.pop("stim.dose", None)
    import stim.dose  # pyright: ignore

    return stim.dose.Dose  # pyright: ignore


def test_a_new_device_has_no_dose_and_is_rested(dose_class):
    dose = dose_class()
    assert (dose.used_ms(), dose.sessions()) == (0, 0)
    assert dose.rest_left_ms(BOUNDS) == 0


def test_time_used_is_kept_over_a_restart(dose_class):
    dose = dose_class()
    dose.begin(20 * MINUTE_MS)
    dose.spend(5 * MINUTE_MS)
    dose.advance(5 * MINUTE_MS)
    dose.end(True)
    assert dose.used_ms() == 5 * MINUTE_MS
    again = dose_class()
    assert (again.used_ms(), again.sessions()) == (5 * MINUTE_MS, 1)
    assert again.rest_left_ms(BOUNDS) == 30 * MINUTE_MS


def test_a_power_cut_while_running_counts_the_whole_session(dose_class):
    dose_class().begin(20 * MINUTE_MS)
    again = dose_class()
    assert (again.used_ms(), again.sessions()) == (20 * MINUTE_MS, 1)
    assert not again.resumable()


def test_an_interrupted_session_can_be_taken_up_for_two_minutes(dose_class):
    dose = dose_class()
    dose.begin(20 * MINUTE_MS)
    dose.spend(MINUTE_MS)
    dose.end(False)
    dose.advance(60_000)
    assert dose.resumable()
    dose.begin(19 * MINUTE_MS)
    dose.spend(MINUTE_MS)
    dose.end(False)
    assert (dose.used_ms(), dose.sessions()) == (2 * MINUTE_MS, 1)
    dose.advance(121_000)
    assert not dose.resumable()


def test_a_day_later_the_dose_is_forgotten(dose_class):
    dose = dose_class()
    dose.begin(MINUTE_MS)
    dose.spend(MINUTE_MS)
    dose.end(True)
    for _ in range(24 * 60 - 1):
        dose.advance(MINUTE_MS)
    assert dose.sessions() == 1
    dose.advance(MINUTE_MS)
    assert (dose.sessions(), dose.used_ms()) == (0, 0)


def test_damaged_records_count_as_a_day_used_up(dose_class):
    dose = dose_class()
    dose.save()
    for name in ("dose.bin", "dose.old"):
        path = Path("state") / name
        path.write_bytes(path.read_bytes()[:-1])
    again = dose_class()
    assert again.damaged
    assert (again.sessions(), again.used_ms()) == (3, 24 * 60 * MINUTE_MS)


def test_one_damaged_copy_does_no_harm(dose_class):
    dose = dose_class()
    dose.begin(5 * MINUTE_MS)
    for name in ("dose.bin", "dose.old"):
        path = Path("state") / name
        whole = path.read_bytes()
        path.write_bytes(b"\xff" * len(whole))
        assert dose_class().used_ms() == 5 * MINUTE_MS
        path.write_bytes(whole)


@pytest.mark.parametrize("step", range(STEPS))
def test_a_power_cut_at_any_step_of_a_write_forgets_nothing(dose_class, monkeypatch, step: int):
    dose = dose_class()
    dose.begin(10 * MINUTE_MS)
    dose.spend(4 * MINUTE_MS)
    with monkeypatch.context() as patch:
        FailingFlash(patch, step)
        try:
            dose.end(True)
        except PowerCut:
            assert step < STEPS
    again = dose_class()
    assert not again.damaged
    assert again.used_ms() in (4 * MINUTE_MS, 10 * MINUTE_MS)
    assert again.sessions() == 1


@pytest.mark.parametrize("step", range(STEPS))
def test_no_pulse_before_the_session_is_on_record(dose_class, monkeypatch, step: int):
    dose = dose_class()
    with monkeypatch.context() as patch:
        FailingFlash(patch, step)
        try:
            dose.begin(10 * MINUTE_MS)
            begun = True
        except PowerCut:
            begun = False
    again = dose_class()
    assert again.sessions() == 1 or not begun
    assert not again.damaged
