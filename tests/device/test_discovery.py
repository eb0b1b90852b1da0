"""Finding devices on the air."""

import asyncio

import pytest

from kinetens.device.adapter import Adapter
from kinetens.device.discovery import find, scan
from kinetens.errors import BluetoothUnavailable, DeviceNotFound
from kinetens.virtual.world import DeviceOptions, World
from tests.virtual.worlds import in_world, linked, still_device


def found_among(names: list[str], wanted: str) -> str:
    """Look for a device among some; returns the name found."""

    async def work(world: World) -> str:
        for name in names:
            await still_device(world, DeviceOptions(name=name))
        await asyncio.sleep(2.0)  # all have started
        async with world.host() as adapter:
            return (await find(adapter, wanted, 2.0)).name

    return in_world(work)


def test_the_only_one_is_found_without_a_name():
    assert found_among(["left-knee"], "") == "left-knee"


@pytest.mark.parametrize("wanted", ["right-knee", "RIGHT-KNEE"])
def test_one_of_several_is_found_by_its_name(wanted: str):
    assert found_among(["left-knee", "right-knee"], wanted) == "right-knee"


def test_several_without_a_name_are_listed_with_their_addresses():
    with pytest.raises(DeviceNotFound, match="more than one device is near: ") as refused:
        found_among(["left-knee", "right-knee"], "")
    sentence = str(refused.value)
    assert "left-knee (" in sentence
    assert "right-knee (" in sentence
    assert sentence.count(":") > 10


def test_two_of_the_same_name_are_told_apart_by_their_addresses():
    with pytest.raises(DeviceNotFound, match="say which by its name or address") as refused:
        found_among(["knee", "knee", "elbow"], "knee")
    assert "elbow" not in str(refused.value)


def test_a_missing_one_is_named_with_what_was_heard():
    with pytest.raises(DeviceNotFound, match=r"no device 'wrist' in 2 s; heard: knee \(-?\d+ dBm\)"):
        found_among(["knee"], "wrist")


def test_an_address_finds_it_too_and_ends_the_search_at_once():
    async def work(world: World):
        device = await still_device(world)
        async with world.host() as adapter:
            began_s = world.now_s()
            found = await find(adapter, device.settings.address.lower())
            return found.address == device.settings.address, world.now_s() - began_s

    same, took_s = in_world(work)
    assert same
    assert took_s < 2.0


def test_one_that_is_connected_elsewhere_is_not_heard():
    async def work(world: World):
        await still_device(world)
        async with linked(world), world.host() as other:
            await find(other, "", 2.0)

    with pytest.raises(DeviceNotFound, match="heard: nothing"):
        in_world(work)


def test_bluetooth_that_cannot_be_used_is_one_sentence():
    class Broken:
        def __init__(self, *_arguments: object, **_options: object) -> None: ...

        async def start(self) -> None:
            raise FileNotFoundError(2, "No such file or directory")

        async def stop(self) -> None: ...

    with pytest.raises(BluetoothUnavailable, match="this computer's Bluetooth cannot be used"):
        asyncio.run(scan(Adapter("this computer's Bluetooth", scanner=Broken), 0.1))  # type: ignore[arg-type]
