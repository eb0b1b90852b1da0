"""The main job, from the sensor to the report."""

import os
from pathlib import Path

import numpy as np
import pytest

from kinetens.session import Session
from kinetens.virtual import demonstration
from kinetens.virtual.demonstration import Demonstration, Watcher, demonstrate
from kinetens.virtual.radio import Radio
from kinetens.virtual.simulation import SimulationOptions
from kinetens_protocol import motion

QUIET = Watcher(says=lambda _text: None, ticks=lambda _recorder: None)


def demonstrated(tmp_path: Path, **options: object) -> Demonstration:
    return demonstrate(SimulationOptions.of(**options), tmp_path, QUIET)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few seconds of stimulation, where it is not what is looked at."""
    monkeypatch.setattr(demonstration, "STIMULATION_S", 6.0)
    monkeypatch.setattr(demonstration, "EXERCISE_AT_S", 16.0)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    return demonstrated(tmp_path_factory.mktemp("shipped"))


def test_every_repetition_of_the_recorded_member_is_counted(shipped: Demonstration):
    assert (shipped.counted, shipped.performed) == (20, 20)


def test_a_clean_link_misses_nothing(shipped: Demonstration):
    counts = shipped.samples
    assert counts.produced > 5000
    assert (counts.missing, counts.dropped_on_device, counts.recovered) == (0, 0, 0)


def test_the_pulses_keep_the_envelope_and_leave_no_charge(shipped: Demonstration):
    pulses = shipped.stimulation
    assert pulses.pulses > 1000
    assert pulses.violations == ()
    assert pulses.net_charge_uc == 0
    assert pulses.peak_current_ma == pytest.approx(15, abs=0.05)
    assert "not armed" not in shipped.stimulation_ended


def test_the_session_is_whole_and_the_report_is_there(shipped: Demonstration):
    with Session.open(shipped.session) as session:
        assert session.verify().frames > 500
        assert session.ended == "completed"
        assert session.frames_sha256() == shipped.frames_sha256
    assert shipped.report.read_text().startswith("<!doctype html>") or "<html" in shipped.report.read_text()


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize("seed", [1, 5])
def test_generated_motion_is_counted_and_measured(tmp_path: Path, seed: int):
    done = demonstrated(tmp_path, repetitions=12, range_deg=60.0, seed=seed)
    assert done.counted == 12
    assert done.range_deg is not None
    assert done.range_deg[0] == pytest.approx(60, abs=2)


@pytest.mark.usefixtures("brief")
def test_one_seed_is_one_history_and_another_seed_another(tmp_path: Path):
    digests = [
        demonstrated(tmp_path / str(run), repetitions=3, seed=seed, loss=0.05).frames_sha256
        for run, seed in enumerate((7, 7, 8))
    ]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.usefixtures("brief")
def test_every_lost_sample_is_reported_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    radios: list[Radio] = []
    make = Radio.__init__

    def remember(self: Radio, *arguments: object) -> None:
        make(self, *arguments)  # type: ignore[arg-type]
        radios.append(self)

    monkeypatch.setattr(Radio, "__init__", remember)
    done = demonstrated(tmp_path, repetitions=12, range_deg=60.0, loss=0.05)
    frames = [pdu[3:] for pdu in radios[0].lost]
    lost = sum(frame[2] for frame in frames if frame[0] == motion.ORIENTATION)
    assert done.samples.missing == lost > 0
    assert done.stimulation.violations == ()
    with Session.open(done.session) as session:
        samples = session.samples()
        assert samples.counts.produced - len(np.unique(samples.index)) == lost


@pytest.mark.slow
def test_five_minutes_take_less_than_twenty_seconds_of_a_processor(tmp_path: Path):
    """Of a processor, not of the wall clock: what else runs meanwhile does not count."""
    before_s = sum(os.times()[:4])
    done = demonstrated(tmp_path, repetitions=75, range_deg=60.0)
    assert done.virtual_s > 270
    assert done.counted == 75
    assert sum(os.times()[:4]) - before_s < 20
