"""A virtual host computer: its Bluetooth, and the gate at which its program can be frozen or killed."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bumble.controller import Controller

from kinetens.device.adapter import Adapter

_logger = logging.getLogger(__name__)


class Gate:
    """Between a computer's Bluetooth controller and its program: what a frozen program neither hears nor says waits
    here; the controller itself goes on answering the radio.
    """

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._program: Any = None
        self._waiting: deque[Callable[[], None]] = deque()
        self._frozen = False
        self._killed = False
        self._thaw: asyncio.TimerHandle | None = None

    def set_packet_sink(self, program: Any) -> None:
        """Bumble's host announces itself."""
        self._program = program
        self._controller.set_packet_sink(_FromController(self))  # type: ignore[no-untyped-call]

    def on_packet(self, packet: bytes) -> None:
        """The program says something to its controller."""
        self._pass(lambda: self._controller.on_packet(packet))

    def heard(self, packet: bytes) -> None:
        """The controller says something to the program."""
        self._pass(lambda: self._hear(packet))

    def _hear(self, packet: bytes) -> None:
        """Bumble stumbles over the answer to a request that was given up meanwhile; its transports log that too."""
        try:
            self._program.on_packet(packet)
        except asyncio.InvalidStateError as error:
            _logger.warning("a packet came too late: %r", error)

    def freeze(self, duration_s: float) -> None:
        """The program stands still for a time, longer if it already does."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + duration_s
        if self._thaw is not None:
            until_s = max(until_s, self._thaw.when())
            self._thaw.cancel()
        self._frozen = True
        self._thaw = loop.call_at(until_s, self._go_on)

    def kill(self) -> None:
        """The program is gone for good."""
        self._killed = True
        self._waiting.clear()

    def _pass(self, action: Callable[[], None]) -> None:
        if self._killed:
            return
        if self._frozen or self._waiting:
            self._waiting.append(action)
        else:
            action()

    def _go_on(self) -> None:
        self._frozen = False
        self._thaw = None
        while self._waiting and not self._frozen:
            self._waiting.popleft()()


class _FromController:
    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def on_packet(self, packet: bytes) -> None:
        self._gate.heard(packet)


@dataclass(frozen=True, slots=True)
class Computer:
    """A computer in a world."""

    adapter: Adapter
    controller: Controller
    gate: Gate
