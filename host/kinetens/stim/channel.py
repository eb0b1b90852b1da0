"""The stimulation characteristic of one connection, as the controller needs it."""

from collections.abc import Callable, Coroutine
from typing import Any, Literal, Protocol

from kinetens_protocol import ProtocolError, messages

EventHandler = Callable[[int, bytes], None]
"""Takes an event's code and payload."""


class StimulationChannel(Protocol):
    """Requests and events of the stimulation characteristic."""

    async def request(self, operation: int, payload: bytes = b"") -> bytes:
        """The answer's payload. Raises RequestRefused, RequestTimeout, LinkLost."""
        ...

    def on_event(self, handler: EventHandler) -> Callable[[], None]:
        """Have a handler called for every event from now on; the result takes it off again."""
        ...


class _Frame(Protocol):
    @property
    def channel(self) -> str: ...
    @property
    def data(self) -> bytes: ...


class _Link(Protocol):
    """What is used of kinetens.device.Link."""

    @property
    def listeners(self) -> list[Callable[[Any], None]]: ...

    def request(
        self, channel: Literal["stimulation"], operation: int, payload: bytes = b""
    ) -> Coroutine[Any, Any, bytes]: ...


class LinkChannel:
    """The stimulation characteristic of a link to a device."""

    def __init__(self, link: _Link) -> None:
        self._link = link

    async def request(self, operation: int, payload: bytes = b"") -> bytes:
        """The answer's payload. Raises RequestRefused, RequestTimeout, LinkLost."""
        return await self._link.request("stimulation", operation, payload)

    def on_event(self, handler: EventHandler) -> Callable[[], None]:
        """Have a handler called for every event from now on; the result takes it off again."""

        def listen(frame: _Frame) -> None:
            if frame.channel != "stimulation":
                return
            try:
                message = messages.unpack_message(frame.data)
            except ProtocolError:
                return
            if message.kind == messages.EVENT:
                handler(message.code, message.payload)

        self._link.listeners.append(listen)
        return lambda: self._link.listeners.remove(listen)
