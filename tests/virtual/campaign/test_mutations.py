"""A control whose loss the simulation does not notice is not proved."""

import os
from pathlib import Path

import pytest

from kinetens.errors import InvalidInput
from kinetens.virtual.campaign.faults import BY_NAME
from kinetens.virtual.campaign.mutations import MUTATIONS, Change, Mutation, by_name
from kinetens.virtual.campaign.runs import Findings, Order, play_altered, processes, simulate
from kinetens.virtual.flash import deploy

SEEDS = 50
SECONDS = 60.0
NAMES = [mutation.name for mutation in MUTATIONS]


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    flash = tmp_path_factory.mktemp("flash")
    deploy("virtual", {"name": "mutant", "serial": "00"}, flash)
    return flash


@pytest.mark.parametrize("mutation", MUTATIONS, ids=NAMES)
def test_a_mutation_fits_the_program_that_it_changes(mutation: Mutation, firmware: Path):
    for change in mutation.device:
        text = (firmware / change.file).read_text()
        assert change.applied_to(text) != text
    with mutation.on_host():
        pass


@pytest.mark.parametrize("mutation", MUTATIONS, ids=NAMES)
def test_a_mutation_is_met_by_faults_that_exist(mutation: Mutation):
    assert mutation.faults
    assert set(mutation.faults) <= set(BY_NAME)


def test_names_are_given_once():
    assert len(set(NAMES)) == len(NAMES)


def test_a_control_that_has_moved_is_told():
    with pytest.raises(InvalidInput, match="does not fit"):
        Change("stim/plan.py", "what is not there", "").applied_to("what is there")


def test_a_mutation_of_the_host_ends_with_its_block():
    from kinetens.stim import controller

    before = controller._agreed.__code__.co_code
    with by_name("limits-uncompared").on_host():
        assert controller._agreed.__code__.co_code != before
    assert controller._agreed.__code__.co_code == before


def test_an_endless_lease_is_noticed():
    order = Order(0, 1, ("host-killed",), seconds=30.0, mutation="lease-endless")
    sound = play_altered(order.stories(1), None)[0]
    broken = play_altered(order.stories(1), order.mutation)[0]
    assert sound.pulses > 500
    assert sound.violations == ()
    assert {1, 3} <= {violation.invariant for violation in broken.violations}


@pytest.mark.slow
def test_the_loss_of_every_control_is_noticed():
    jobs = os.cpu_count() or 1
    unnoticed: list[str] = []
    with processes(jobs) as pool:
        for mutation in MUTATIONS:
            findings = Findings()
            order = Order(SEEDS * SECONDS / 3600, 1, mutation.faults, seconds=SECONDS, mutation=mutation.name)
            simulate(pool, jobs, order, findings, lambda _: None, noticed)
            if not noticed(findings):
                unnoticed.append(mutation.name)
    assert unnoticed == []


def noticed(findings: Findings) -> bool:
    return any(violation.invariant for bad in findings.bad for violation in bad.violations)
