"""kinetens scan."""

import pytest


def test_the_virtual_device_is_listed(run, run_json):
    (found,) = run_json("scan", "sim:", "--seconds", "2")
    assert set(found) == {"name", "address", "rssi_dbm"}
    shown = run("scan", "sim:?seed=1", "--seconds", "2")
    assert found["name"] in shown.stdout
    assert found["address"] in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["left-knee"], 1, "scan looks for all devices, not for 'left-knee'"),
        (["sim:?speed=2"], 1, "no option 'speed'"),
        (["http://x"], 1, "is no device"),
        (["sim:", "--seconds", "nan"], 2, "nan is not a finite number"),
        (["sim:", "--seconds", "0"], 2, "not in the range"),
        (["sim:", "more"], 2, "unexpected extra argument"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(refused, arguments: list[str], code: int, sentence: str):
    assert sentence in refused("scan", *arguments, code=code)


def test_help_shows_an_example(run):
    assert "Example:  kinetens scan --seconds 5" in run("scan", "--help").stdout
