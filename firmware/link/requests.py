"""Answers to requests: one framing, repeated requests and refusals, for every channel."""

from kinetens_protocol import ProtocolError, messages
from kinetens_protocol.messages import Refused

_LONGEST_ANSWER = 244


class Requests:
    """Answers the requests of one channel with `handle(operation, payload, buffer, offset) -> end of the answer`,
    which raises messages.Refused (or ProtocolError for a payload that it cannot read).

    A request with the identifier of the one before is answered with the same bytes and not done again, unless its
    operation is among `repeatable`.
    """

    def __init__(self, handle, log, repeatable=()):
        self._handle = handle
        self._log = log
        self._repeatable = repeatable
        self._buffer = bytearray(_LONGEST_ANSWER)
        self.forget()

    def forget(self):
        """A new connection: identifiers start anew."""
        self._last_identifier = None
        self._last_end = 0

    def answer(self, data, mtu):
        """The answer's bytes, valid until the next request; None for what is no request and gets no answer."""
        try:
            if len(data) > messages.LONGEST_REQUEST_BYTES:
                raise ProtocolError("request of %d bytes is too long" % len(data))
            message = messages.unpack_message(data)
            if message.kind != messages.REQUEST:
                raise ProtocolError("kind %d is not a request" % message.kind)
        except ProtocolError as error:
            self._log("dropped a write: %s" % error)
            return None
        if message.identifier != self._last_identifier or message.code in self._repeatable:
            self._last_end = self._answer(message, mtu - 3)
            self._last_identifier = message.identifier
        return memoryview(self._buffer)[: self._last_end]

    def _answer(self, message, longest):
        buffer = self._buffer
        offset = messages.pack_header_into(buffer, messages.RESPONSE, message.code, message.identifier)
        try:
            end = self._handle(message.code, message.payload, buffer, offset)
            if end <= longest:
                return end
            reason, refusal = messages.MTU_TOO_SMALL, messages.Refusal(0, 0, longest + 3, end + 3)
        except Refused as refused:
            reason, refusal = refused.reason, refused.refusal
        except ProtocolError:
            reason, refusal = messages.MALFORMED, messages.NO_DETAIL
        messages.pack_header_into(buffer, messages.RESPONSE, message.code, message.identifier, reason)
        return messages.pack_refusal_into(buffer, offset, refusal)


class Events:
    """Events of one channel, each with the next sequence number, in one buffer."""

    def __init__(self):
        self._buffer = bytearray(_LONGEST_ANSWER)
        self._sequence = 0

    def begin(self, event):
        """Start an event; returns the buffer and the offset of its payload."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        return self._buffer, messages.pack_header_into(self._buffer, messages.EVENT, event, self._sequence)

    def bytes_to(self, end):
        return memoryview(self._buffer)[:end]
