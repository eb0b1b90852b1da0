"""kinetens demo."""

import json
from pathlib import Path

import pytest

from kinetens.virtual import demonstration


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few seconds of stimulation are enough here."""
    monkeypatch.setattr(demonstration, "STIMULATION_S", 6.0)
    monkeypatch.setattr(demonstration, "EXERCISE_AT_S", 16.0)


def test_json_is_one_object_with_everything_in_it(run, tmp_path: Path):
    result = run("demo", "--repetitions", "3", "--range-deg", "60", "--out", str(tmp_path / "d"), "--json")
    assert result.exit_code == 0
    done = json.loads(result.stdout)
    assert set(done) == {
        *("seed", "speed", "repetitions", "range_of_motion_deg", "samples", "stimulation"),
        *("frames_sha256", "session", "report"),
    }
    assert done["repetitions"] == {"counted": 3, "performed": 3}
    assert set(done["range_of_motion_deg"]) == {"median", "min", "max"}
    assert set(done["samples"]) == {
        *("produced", "dropped_on_device", "refused_by_radio", "missing", "recovered")
    }
    assert set(done["stimulation"]) >= {
        *("pulses", "peak_current_ma", "max_phase_charge_uc", "net_charge_uc", "violations")
    }
    assert done["stimulation"]["violations"] == 0
    assert {path.parent for path in (Path(done["session"]), Path(done["report"]))} == {tmp_path / "d"}


def test_it_says_in_plain_words_what_happened(run, tmp_path: Path):
    shown = run("demo", "--repetitions", "2", "--out", str(tmp_path))
    assert "2 repetitions were performed and 2 counted" in shown.stdout
    assert "0 violations" in shown.stdout
    assert str(tmp_path / "report.html") in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["--range-deg", "nan"], 2, "nan is not a finite number"),
        (["--loss", "nan"], 2, "nan is not a finite number"),
        (["--loss", "1"], 2, "not in the range"),
        (["--seed", "-1"], 2, "not in the range"),
        (["--seed", str(2**63)], 1, "option seed="),
        (["--repetitions", "0"], 2, "not in the range"),
        (["extra"], 2, "unexpected extra argument"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(refused, arguments: list[str], code: int, sentence: str):
    assert sentence in refused("demo", *arguments, code=code)
