"""The options of a `sim:` address, and the world that they describe."""

import asyncio

import pytest

from kinetens.errors import InvalidInput
from kinetens.virtual import clock
from kinetens.virtual.member import GeneratedMember, RecordedMember
from kinetens.virtual.simulation import SimulationOptions, simulate


def test_an_option_without_a_value_is_switched_on():
    assert SimulationOptions.parse({"real-time": ""}).real_time
    assert not SimulationOptions.parse({}).real_time


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"speed": "2"}, "no option 'speed'; its options are: seed, "),
        ({"seed": "-1"}, "option seed=-1 makes no sense"),
        ({"seed": "seven"}, "option seed=seven makes no sense"),
        ({"seed": str(2**63)}, "option seed"),
        ({"loss": "1"}, "option loss=1 makes no sense"),
        ({"loss": "nan"}, "option loss=nan makes no sense"),
        ({"range-deg": "inf"}, "option range-deg=inf makes no sense"),
        ({"range-deg": "0"}, "option range-deg=0 makes no sense"),
        ({"repetitions": "0"}, "option repetitions=0 makes no sense"),
        ({"fault": "rain"}, "option fault=rain makes no sense: input should be 'sensor-missing', "),
        ({"real-time": "perhaps"}, "option real-time=perhaps makes no sense"),
    ],
)
def test_what_makes_no_sense_is_named(options: dict[str, str], sentence: str):
    with pytest.raises(InvalidInput) as refused:
        SimulationOptions.parse(options)
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_member_is_the_recorded_one_unless_repetitions_or_range_are_given():
    assert isinstance(SimulationOptions().member(), RecordedMember)
    assert SimulationOptions().performed == 20
    generated = SimulationOptions(range_deg=40).member()
    assert isinstance(generated, GeneratedMember)
    assert len(generated.truth) == SimulationOptions(range_deg=40).performed == 10
    assert SimulationOptions(repetitions=3).performed == 3


def processes_of(simulation) -> list[int]:
    return [device._process._process.pid for device in simulation.world.devices]


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, ArithmeticError, asyncio.CancelledError])
def test_no_process_and_no_file_outlives_the_world(error: type[BaseException] | None):
    left = []

    async def work() -> None:
        async with simulate(SimulationOptions(repetitions=1)) as simulation:
            left.append((simulation.device._process, simulation.device.flash))
            if error is not None:
                raise error

    if error is None:
        clock.run(work())
    else:
        with pytest.raises(error):
            clock.run(work())
    process, flash = left[0]
    assert process._process.returncode is not None
    assert not flash.exists()


def test_one_device_that_cannot_end_does_not_keep_the_others(monkeypatch: pytest.MonkeyPatch):
    left = []

    async def work() -> None:
        async with simulate(SimulationOptions(repetitions=1)) as simulation:
            first = simulation.device
            second = await simulation.world.device(simulation.member)
            left.append((first._process, second._process))
            end = second.power_off

            def fail() -> None:
                end()
                raise ArithmeticError

            monkeypatch.setattr(second, "power_off", fail)

    with pytest.raises(ArithmeticError):
        clock.run(work())
    assert all(process._process.returncode is not None for process in left[0])
