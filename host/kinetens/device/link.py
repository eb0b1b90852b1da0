"""A connection to one device: greeting, requests and answers, frames as they come."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Literal, TypeVar

from bleak import BleakClient
from bleak.exc import BleakCharacteristicNotFoundError, BleakError

import kinetens_protocol as protocol
from kinetens.device.adapter import Adapter
from kinetens.device.clock import TimeExchange
from kinetens.device.discovery import Found
from kinetens.errors import (
    BluetoothUnavailable,
    LinkLost,
    NoMotion,
    ProtocolMismatch,
    RequestRefused,
    RequestTimeout,
)
from kinetens_protocol import ProtocolError, control, faults, messages, uuids

T = TypeVar("T")
Channel = Literal["motion", "raw", "control", "stimulation"]

_CHANNELS: dict[Channel, str] = {
    "motion": uuids.MOTION,
    "raw": uuids.RAW_MOTION,
    "control": uuids.CONTROL,
    "stimulation": uuids.STIMULATION,
}
_ANSWER_S = 0.5
_ATTEMPTS = 4
_CONNECT_S = 10.0
_LONGEST_IDENTIFIER = 0xFFFF


@dataclass(frozen=True, slots=True)
class Frame:
    """One notification as it came."""

    channel: Channel
    received_us: int
    """The host's clock when it came."""
    data: bytes


class Link:
    """Made by `connect`. Everything that arrives goes to the listeners in the order of arrival."""

    def __init__(self, client: BleakClient, name: str) -> None:
        self.name = name
        self.minor_version = 0
        self.listeners: list[Callable[[Frame], None]] = []
        self.lost = asyncio.Event()
        self._client = client
        self._identifiers: dict[Channel, int] = {"control": 0, "stimulation": 0}
        self._answers: dict[tuple[Channel, int], asyncio.Future[bytes]] = {}
        self._turns: dict[Channel, asyncio.Lock] = {
            "control": asyncio.Lock(),
            "stimulation": asyncio.Lock(),
        }

    @property
    def mtu(self) -> int:
        """The ATT MTU agreed on."""
        return self._client.mtu_size

    def now_us(self) -> int:
        """The host's clock: monotonic µs."""
        return round(asyncio.get_running_loop().time() * 1e6)

    async def request(self, channel: Channel, operation: int, payload: bytes = b"") -> bytes:
        """Ask and return the answer's payload. Repeats the same request when no answer comes.

        Raises RequestRefused (with the device's reason), RequestTimeout, LinkLost. The methods below ask with it, and
        raise ProtocolMismatch too, for an answer that cannot be read.
        """
        async with self._turns[channel]:
            self._identifiers[channel] = self._identifiers[channel] % _LONGEST_IDENTIFIER + 1
            identifier = self._identifiers[channel]
            data = messages.pack_request(operation, identifier, payload)
            for _ in range(_ATTEMPTS):
                answer = await self._attempt(channel, identifier, data)
                if answer is not None:
                    return _accepted(answer)
        raise RequestTimeout(
            f"{self.name} did not answer a request on {channel} in {_ATTEMPTS * _ANSWER_S:g} s; "
            "move closer, or restart the device"
        )

    async def exchange_time(self) -> TimeExchange:
        """One four-timestamp exchange. Raises as `request` does."""
        sent_us = self.now_us()
        payload = control.pack_time_exchange(control.TimeExchange(sent_us, 0, 0))
        answer = await self._ask(control.EXCHANGE_TIME, payload, control.unpack_time_exchange)
        return TimeExchange(
            answer.host_sent_us, answer.device_received_us, answer.device_sent_us, self.now_us()
        )

    async def info(self) -> control.Info:
        """What the device says it is. Raises as `request` does."""
        return await self._ask(control.INFO, b"", control.unpack_info)

    async def status(self) -> control.Status:
        """The device's state now. Raises as `request` does."""
        return await self._ask(control.STATUS, b"", control.unpack_status)

    async def require_motion(self) -> None:
        """Raises NoMotion when a fault keeps the device from giving motion samples, and as `request` does."""
        reasons = faults.explained((await self.status()).faults & faults.NO_MOTION)
        if reasons:
            raise NoMotion(
                f"{self.name} gives no motion: {', '.join(reasons)}; "
                "if that stays after a restart, docs/engineer.md says what to do"
            )

    async def calibration(self) -> control.Calibration:
        """What the device corrects its sensor by, zeros for nothing; since protocol 1.1. Raises as `request` does."""
        return await self._ask(control.READ_CALIBRATION, b"", control.unpack_calibration)

    async def start_stream(self, rate_hz: int, *, raw: bool = False, latency_ms: int = 100) -> control.Stream:
        """Start a new stream; its samples are numbered from 0. Raises as `request` does."""
        flags = control.STREAM_RAW if raw else 0
        payload = control.pack_stream_request(control.StreamRequest(rate_hz, flags, latency_ms))
        return await self._ask(control.START_STREAM, payload, control.unpack_stream)

    async def stop_stream(self) -> control.Status:
        """Stop the stream; the device sends what is left and tells its last counters. Raises as `request` does."""
        return await self._ask(control.STOP_STREAM, b"", control.unpack_status)

    async def _ask(self, operation: int, payload: bytes, unpack: Callable[[bytes], T]) -> T:
        answer = await self.request("control", operation, payload)
        try:
            return unpack(answer)
        except ProtocolError as error:
            raise ProtocolMismatch(f"{self.name} gave an answer that makes no sense: {error}") from error

    async def _attempt(self, channel: Channel, identifier: int, data: bytes) -> bytes | None:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answers[channel, identifier] = answer
        try:
            await self._client.write_gatt_char(_CHANNELS[channel], data, response=True)
            async with asyncio.timeout(_ANSWER_S):
                return await answer
        except TimeoutError:
            return None
        except BleakError as error:
            raise LinkLost(f"the connection to {self.name} was lost: {error}") from error
        finally:
            self._answers.pop((channel, identifier), None)

    async def _greet(self) -> None:
        hello = control.Hello(protocol.VERSION_MAJOR, protocol.OLDEST_MAJOR, protocol.VERSION_MINOR)
        try:
            answer = await self.request("control", control.HELLO, control.pack_hello(hello))
        except RequestRefused as error:
            if error.reason != messages.VERSION_UNSUPPORTED:
                raise
            raise ProtocolMismatch(
                f"{self.name} speaks protocol version {error.refusal.bound} to {error.refusal.value} and this "
                f"program {hello.oldest_major} to {hello.newest_major}; "
                + ("update this program" if error.refusal.bound > hello.newest_major else "update the device")
            ) from error
        try:
            self.minor_version = min(control.unpack_hello(answer).minor, protocol.VERSION_MINOR)
        except ProtocolError as error:
            raise ProtocolMismatch(f"{self.name} greeted in a way that makes no sense: {error}") from error

    async def _listen(self) -> None:
        for channel, uuid in _CHANNELS.items():
            try:
                await self._client.start_notify(
                    uuid, lambda _characteristic, data, channel=channel: self._received(channel, data)
                )
            except BleakCharacteristicNotFoundError as error:
                raise ProtocolMismatch(
                    f"{self.name} lacks its {channel} channel; update the device"
                ) from error
            except (BleakError, TimeoutError) as error:
                raise LinkLost(f"the connection to {self.name} was lost: {error}") from error

    def _received(self, channel: Channel, data: bytearray) -> None:
        frame = Frame(channel, self.now_us(), bytes(data))
        if channel in self._turns and data and data[0] == messages.RESPONSE:
            self._take_answer(channel, frame.data)
        for listener in self.listeners:
            listener(frame)

    def _take_answer(self, channel: Channel, data: bytes) -> None:
        try:
            message = messages.unpack_message(data)
        except ProtocolError:
            return
        answer = self._answers.get((channel, message.identifier))
        if answer is not None and not answer.done():
            answer.set_result(message.payload)

    def _disconnected(self, _client: BleakClient) -> None:
        self.lost.set()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(LinkLost(f"the connection to {self.name} was lost"))
                answer.exception()  # who asked may have gone: then nobody needs to be told of it


def _accepted(payload: bytes) -> bytes:
    reason = payload[0]
    if reason == messages.OK:
        return payload[1:]
    raise RequestRefused(reason, messages.unpack_refusal(payload[1:]))


@asynccontextmanager
async def connect(adapter: Adapter, found: Found) -> AsyncGenerator[Link]:
    """Connect, subscribe and greet; disconnects at the end.

    Raises BluetoothUnavailable, LinkLost, ProtocolMismatch.
    """
    link: Link | None = None

    def disconnected(client: BleakClient) -> None:
        if link is not None:
            link._disconnected(client)  # pyright: ignore[reportPrivateUsage]

    client = BleakClient(found.handle, disconnected, timeout=_CONNECT_S, backend=adapter.client)
    try:
        await client.connect()
    except (TimeoutError, BleakError, OSError) as error:
        raise BluetoothUnavailable(
            f"cannot connect to {found.name} ({error}); is it near and not connected elsewhere?"
        ) from error
    try:
        link = Link(client, found.name)
        await link._listen()  # pyright: ignore[reportPrivateUsage]
        await link._greet()  # pyright: ignore[reportPrivateUsage]
        yield link
    finally:
        with suppress(BleakError, TimeoutError, OSError):  # it is gone anyway
            await client.disconnect()
