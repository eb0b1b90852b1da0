"""kinetens simulate."""

import json

import pytest


def test_json_has_hours_seeds_faults_pulses_stops_and_violations(run):
    result = run("simulate", "--hours", "0.006", "--seed", "4", "--faults", "button", "--jobs", "1", "--json")
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert told["complete"] is True
    assert told["hours"] == pytest.approx(0.006)
    assert told["seeds"] == {"first": 4, "played": 1}
    assert set(told["faults"]) == {"button"}
    assert told["pulses"] > 500
    assert told["stops_ms"]["button"] < 50
    assert (told["violations"], told["stories"]) == (0, [])


def test_a_violation_ends_with_code_1_the_seed_and_the_shortest_history(run):
    options = ("--hours", "0.006", "--faults", "host-killed", "--without", "lease-endless")
    result = run("simulate", *options, "--seed", "1", "--jobs", "1")
    assert result.exit_code == 1
    assert "seed 1  (see it with --replay 1" in result.stdout
    assert "shortest history that leads to it" in result.stdout
    assert "host-killed for" in result.stdout.split("shortest history")[1]


def test_replay_tells_faults_and_the_device_in_order_of_time(run):
    result = run("simulate", "--hours", "0.006", "--replay", "4", "--faults", "button")
    assert result.exit_code == 0
    times_s = [float(line.split()[0]) for line in result.stdout.splitlines() if " s  " in line]
    assert times_s == sorted(times_s)
    assert "stimulation: running" in result.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--faults", "nonsense"), "there is no fault 'nonsense'"),
        (("--without", "nonsense"), "there is no mutation 'nonsense'"),
        (("--hours", "0"), "hours"),
    ],
)
def test_what_does_not_exist_is_refused_by_name(run, options: tuple[str, str], said: str):
    result = run("simulate", *options)
    assert result.exit_code != 0
    assert said in str(result.stderr) + str(result.exception)
