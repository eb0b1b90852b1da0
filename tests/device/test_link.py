"""Greeting, requests and answers, and what happens when they do not come."""

import asyncio

import pytest

from kinetens.device.discovery import find
from kinetens.device.link import connect
from kinetens.errors import LinkLost, ProtocolMismatch, RequestRefused, RequestTimeout
from kinetens.virtual.radio import RadioConditions
from kinetens.virtual.world import DeviceOptions, World
from kinetens_protocol import control
from tests.virtual.worlds import in_world, linked, still_device


@pytest.mark.parametrize(("major", "advice"), [(2, "update this program"), (0, "update the device")])
def test_a_device_of_another_protocol_is_refused_with_what_to_do(major: int, advice: str):
    async def work(world: World):
        await still_device(world, DeviceOptions(protocol_major=major))
        async with linked(world):
            pass

    with pytest.raises(ProtocolMismatch, match=f"speaks protocol version {major} .*{advice}"):
        in_world(work)


def test_a_refusal_carries_its_reason():
    async def work(world: World):
        await still_device(world)
        async with linked(world) as link:
            await link.request("control", 200)

    with pytest.raises(RequestRefused, match="does not know this operation"):
        in_world(work)


def test_answers_that_the_radio_loses_are_asked_for_again():
    async def work(world: World):
        await still_device(world)
        async with linked(world) as link:
            for _ in range(40):
                await link.status()
        return len(world.radio.lost)

    assert in_world(work, seed=3, conditions=RadioConditions(loss=0.15)) > 3


def test_a_device_that_never_answers_is_a_timeout_with_its_name():
    async def work(world: World):
        device = await still_device(world)
        async with linked(world) as link:
            device.peripheral.call = lambda payload, at_s: b""  # type: ignore[method-assign]
            began_s = world.now_s()
            with pytest.raises(RequestTimeout, match=f"{link.name} did not answer"):
                await link.status()
            return world.now_s() - began_s

    assert 2.0 <= in_world(work) < 2.5


def test_requests_of_several_tasks_take_turns_and_each_gets_its_own_answer():
    async def work(world: World):
        await still_device(world)
        async with linked(world) as link:
            return await asyncio.gather(link.info(), link.status(), link.exchange_time(), link.info())

    info, status, exchange, again = in_world(work)
    assert info == again
    assert status.device_time_us > 0
    assert exchange.host_sent_us < exchange.host_received_us


def test_identifiers_go_round_and_never_are_zero():
    async def work(world: World):
        await still_device(world)
        async with linked(world) as link:
            link._identifiers["control"] = 0xFFFE
            used: list[int] = []
            for _ in range(3):
                await link.status()
                used.append(link._identifiers["control"])
        return used

    assert in_world(work) == [0xFFFF, 1, 2]


def test_an_answer_that_makes_no_sense_is_one_sentence():
    async def work(world: World):
        await still_device(world)
        async with linked(world) as link:

            async def short(*_arguments: object) -> bytes:
                return b"\x01"

            link.request = short  # type: ignore[method-assign]
            await link.status()

    with pytest.raises(ProtocolMismatch, match="gave an answer that makes no sense: status has 1 bytes"):
        in_world(work)


def test_what_is_no_response_disturbs_no_request():
    async def work(world: World):
        await still_device(world)
        async with linked(world) as link:
            asking = asyncio.ensure_future(link.status())
            for data in (b"", b"\x02", b"\x02\x05\x01\x00", b"\x09garbage", bytes([2, 5, 99, 0, 0])):
                link._received("control", bytearray(data))
            return (await asking).device_time_us

    assert in_world(work) > 0


def test_a_device_that_vanishes_while_it_is_asked_is_a_lost_link():
    async def work(world: World):
        device = await still_device(world)
        async with linked(world) as link:
            asking = asyncio.ensure_future(link.status())
            await asyncio.sleep(0)
            device.power_off()
            with pytest.raises(LinkLost, match=r"the connection to .* was lost"):
                await asking
            assert link.lost.is_set()

    in_world(work)


def test_a_block_that_is_cancelled_leaves_no_connection():
    async def work(world: World):
        await still_device(world)

        async def hold() -> None:
            async with linked(world):
                await asyncio.sleep(1000)

        holding = asyncio.ensure_future(hold())
        await asyncio.sleep(4.0)
        holding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holding
        async with linked(world) as link:
            return await link.info()

    assert in_world(work).board == "virtual"


@pytest.mark.parametrize("after_s", [0.02, 0.06, 0.12, 0.3, 0.5])
def test_a_connection_that_is_cancelled_while_it_is_made_leaves_the_device_free(after_s: float):
    async def work(world: World):
        await still_device(world)
        async with world.host() as adapter:
            found = await find(adapter, "")

            async def join() -> None:
                async with connect(adapter, found):
                    await asyncio.sleep(1000)

            joining = asyncio.ensure_future(join())
            await asyncio.sleep(after_s)
            joining.cancel()
            with pytest.raises(asyncio.CancelledError):
                await joining
        async with linked(world) as link:
            await link.info()

    in_world(work)


def test_a_write_to_a_link_that_is_gone_says_so():
    async def work(world: World):
        device = await still_device(world)
        async with linked(world) as link:
            device.power_off()
            await link.lost.wait()
            with pytest.raises(LinkLost):
                await link.request("control", control.STATUS)

    in_world(work)
