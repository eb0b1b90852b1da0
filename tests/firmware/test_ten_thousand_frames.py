"""Ten thousand control frames, most of them damaged, cut off, reordered or replayed, through the firmware's handlers."""

import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kinetens.virtual.pulse_judge import judge
from kinetens_protocol import ProtocolError, messages, stimulation
from tests.firmware.cpython_viper import load_firmware_module
from tests.stim.bench import CONVENTIONAL, SERIAL, Bench

FRAMES = 10_000
MTU = 247
COMMANDS = (
    stimulation.CONFIGURE,
    stimulation.ARM,
    stimulation.START,
    stimulation.SET_LEVEL,
    stimulation.RENEW,
    stimulation.CLEAR_FAULT,
    stimulation.RELEASE_MEMBER,
)
READS = (stimulation.STATE, stimulation.LIMITS, stimulation.READ_LOG, stimulation.STOP)
DROPPED = -1


@dataclass
class Specification:
    """What protocol/specification.md says of a frame, apart from the firmware: it remembers counter and identifier."""

    counter: int
    identifier: int | None = None
    answer: bytes = b""
    stale: set[bytes] = field(default_factory=set[bytes])

    def reasons(self, data: bytes, *, active: bool) -> set[int] | None:
        """The reasons that an answer may have; None for a good command, of which the device's state decides."""
        if (
            not messages.HEADER_BYTES <= len(data) <= messages.LONGEST_REQUEST_BYTES
            or data[0] != messages.REQUEST
        ):
            return {DROPPED}
        operation, payload = data[1], data[messages.HEADER_BYTES :]
        if operation in (stimulation.STOP, stimulation.STATE):
            return {messages.OK}
        if operation == stimulation.LIMITS:
            return {messages.OK if len(payload) == 1 else messages.MALFORMED}
        if operation == stimulation.READ_LOG:
            if len(payload) != 4:
                return {messages.MALFORMED}
            return {messages.WRONG_STATE if active else messages.OK}
        if operation not in COMMANDS:
            return {messages.UNKNOWN_OPERATION}
        try:
            counter = (
                stimulation.unpack_configure(payload).counter
                if operation == stimulation.CONFIGURE
                else stimulation.unpack_command(operation, payload).counter
            )
        except ProtocolError:
            return {messages.MALFORMED}
        if counter <= self.counter:
            return {messages.STALE}
        self.counter = counter
        return None


class Host:
    """Makes good frames, and spoils them."""

    def __init__(self, rng: random.Random, counter: int) -> None:
        self.rng = rng
        self.counter = counter
        self.identifier = 0
        self.sent: list[bytes] = []
        self.level_ua = 0

    def good(self) -> bytes:
        """A frame as a host that keeps the rules would send it next."""
        self.identifier = self.identifier % 0xFFFF + 1
        operation = self.rng.choice((*COMMANDS[:5], *COMMANDS, *READS))
        frame = messages.pack_request(operation, self.identifier, self._payload(operation))
        self.sent.append(frame)
        return frame

    def _payload(self, operation: int) -> bytes:
        if operation == stimulation.LIMITS:
            return bytes([self.rng.randrange(40)])
        if operation == stimulation.READ_LOG:
            return self.rng.randrange(1 << 10).to_bytes(4, "little")
        if operation not in COMMANDS:
            return b""
        self.counter += 1
        if operation == stimulation.CONFIGURE:
            tag = stimulation.tag(SERIAL)
            flags = stimulation.ANSWERS_OK
            return stimulation.pack_configure(
                stimulation.Configure(self.counter, flags, 1000, tag, 7, CONVENTIONAL, ())
            )
        value = self.rng.randrange(1, 9) if operation == stimulation.CLEAR_FAULT else self.rng.randrange(800)
        return stimulation.pack_command(operation, stimulation.Command(self.counter, value))

    def spoiled(self) -> bytes:
        """A frame that is damaged, cut off, too long, old, out of order, or never was one."""
        rng = self.rng
        frame = self.good() if rng.random() < 0.6 else rng.choice(self.sent or [self.good()])
        how = rng.randrange(7)
        if how == 0:
            return rng.randbytes(rng.randrange(0, 160))
        if how == 1:
            return frame[: rng.randrange(len(frame))]
        if how == 2:
            return frame + rng.randbytes(rng.randrange(1, 140))
        if how == 3:
            return rng.choice(self.sent)
        changed = bytearray(frame)
        if how == 4:  # replayed under a new identifier
            changed[2:4] = rng.randrange(1, 0x10000).to_bytes(2, "little")
        elif how == 5:  # one command's payload under another's name
            changed[1] = rng.choice(COMMANDS)
        else:
            for _ in range(rng.randrange(1, 4)):
                changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        return bytes(changed)


@pytest.mark.parametrize("seed", [1])
def test_of_ten_thousand_frames_none_is_accepted_that_should_not_be(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    rng = random.Random(seed)
    bench = Bench()
    requests = load_firmware_module("link.requests").Requests(
        bench.channel.handle, bench.world.log, (stimulation.STOP,)
    )
    host = Host(rng, bench.state().counter)
    specified = Specification(host.counter)
    met: Counter[int] = Counter()

    for number in range(FRAMES):
        data = host.good() if rng.random() < 0.15 else host.spoiled()
        identifier = int.from_bytes(data[2:4], "little")
        is_request = (
            messages.HEADER_BYTES <= len(data) <= messages.LONGEST_REQUEST_BYTES
            and data[0] == messages.REQUEST
        )
        if is_request and identifier == specified.identifier and data[1] != stimulation.STOP:
            assert bytes(requests.answer(data, MTU)) == specified.answer
            continue
        allowed = specified.reasons(data, active=bench.supervisor.active)
        answer = requests.answer(data, MTU)
        reason = DROPPED
        if answer is not None:
            specified.identifier, specified.answer = identifier, bytes(answer)
            message = messages.unpack_message(specified.answer)
            assert (message.kind, message.code, message.identifier) == (
                messages.RESPONSE,
                data[1],
                identifier,
            )
            reason = message.payload[0]
            assert reason in messages.REASONS
        if allowed is None:
            assert reason not in (DROPPED, messages.MALFORMED, messages.STALE, messages.UNKNOWN_OPERATION)
        else:
            assert reason in allowed, (number, data.hex())
        met[reason] += 1
        if rng.random() < 0.2:
            bench.run(0.05)
        if rng.random() < 0.01:
            bench.hold_button()

    bench.run(2.0)
    assert bench.supervisor.fault != stimulation.INTERNAL
    assert judge(bench.record) == []
    assert len(bench.record)
    for reason in (DROPPED, messages.OK, messages.MALFORMED, messages.STALE, messages.UNKNOWN_OPERATION):
        assert met[reason] > 100
