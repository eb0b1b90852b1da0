"""kinetens calibrate, on the virtual device."""

import pytest


@pytest.mark.parametrize("seed", [1, 2])
def test_a_virtual_sensors_errors_shrink(run_json, seed: int) -> None:
    answer = run_json("calibrate", f"sim:?seed={seed}")
    before, after = answer["virtual_sensor"]["before"], answer["virtual_sensor"]["after"]
    assert before["gyro_offset_dps"] > 0.1
    assert before["accel_offset_mg"] > 5
    assert after["gyro_offset_dps"] < 0.02
    assert after["accel_offset_mg"] < 2
    assert after["accel_scale"] < 0.001
    assert answer["parts"] == ["gyroscope", "accelerometer"]
    assert answer["gyroscope"]["error_after_dps"] < 0.02 < answer["gyroscope"]["error_before_dps"]
    accelerometer = answer["accelerometer"]
    assert accelerometer["gravity_error_after_mg"] < 1 < accelerometer["gravity_error_before_mg"]


def test_the_guide_says_what_is_missing_and_asks_again_when_moved(run) -> None:
    result = run("calibrate", "sim:")
    assert result.exit_code == 0
    assert "Measured z up. Turn to the next side. Still missing: x up, x down" in result.stderr
    assert "It moved too early" in result.stderr
    assert "Done." in result.stderr
    assert "before, " in result.stdout
    assert "keeps this calibration of its gyroscope and accelerometer" in result.stdout


def test_the_gyroscope_alone_needs_one_rest(run_json, run) -> None:
    answer = run_json("calibrate", "sim:", "--gyro-only")
    assert answer["parts"] == ["gyroscope"]
    assert answer["accelerometer"] is None
    assert answer["virtual_sensor"]["after"]["gyro_offset_dps"] < 0.02
    assert "Its accelerometer is not calibrated yet" in run("calibrate", "sim:", "--gyro-only").stdout


def test_a_link_that_loses_frames_will_do(run_json) -> None:
    after = run_json("calibrate", "sim:?loss=0.05")["virtual_sensor"]["after"]
    assert after["accel_offset_mg"] < 2


def test_an_uncalibrated_device_says_so(run, run_json) -> None:
    assert "not calibrated" in run("info", "sim:?calibrate").stdout
    answer = run_json("info", "sim:?calibrate")
    assert answer["calibrated_on"] is None
    assert "calibration-missing" in answer["faults"]


def test_an_option_that_there_is_none_of_is_named(refused) -> None:
    assert "no option 'colour'" in refused("calibrate", "sim:?colour=red")
