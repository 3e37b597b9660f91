"""A link that does one thing at a time: asks and waits, or sends bytes as they are. For looking, not for trading.

A session heals, queues, beats and keeps books; here each step is the caller's own and can be timed. The gate is the
same: nothing leaves that it does not let out, and what trades never does, for no intent is put on record here.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio

from anyctrader.session.errors import OutcomeUnknown, ServerError
from anyctrader.session.transport import LinkLost
from anyctrader.wire import JsonCodec, Message, ProtobufCodec, RemoteProtocolError
from anyctrader.wire import messages as oa
from anyctrader.wire.rendering import Frame
from anyctrader.wire.scan import Damage, fault_of

if TYPE_CHECKING:
    from typing import TypeAlias

    from anyctrader.session.gate import Gate
    from anyctrader.session.transport import TlsStream
    from anyctrader.wire import Codec
    from anyctrader.wire.framing import Framing

__all__ = ["Answer", "PlainLink", "codec_named"]

_GOODBYE_S = 1.0

_Heard: TypeAlias = "Frame | Damage"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        piece: the message, or what could not be read of it.
        took_ms: from just before the bytes left to when it was read.
        at_ms: when it was read, UTC milliseconds.
    """

    piece: _Heard
    took_ms: float
    at_ms: int


def codec_named(name: str) -> Codec:
    """A fresh codec."""
    return JsonCodec() if name == "json" else ProtobufCodec()


class PlainLink:
    """One open stream.

    Args:
        stream: open; the link closes it.
        codec: `protobuf` or `json`.
        framing: how messages are told apart on it.
        gate: asked before anything is sent.
    """

    def __init__(self, stream: TlsStream, codec: str, framing: Framing, *, gate: Gate) -> None:
        self._stream = stream
        self._codec = codec_named(codec)
        self._framing = framing
        self._gate = gate
        self._read: deque[_Heard] = deque()
        self._prefix = secrets.token_hex(4)
        self._count = 0

    def framed(self, body: bytes) -> bytes:
        """What carries this body on the stream."""
        return self._framing.wrap(body)

    async def aclose(self) -> None:
        """Ends it; a WebSocket with a close frame."""
        with anyio.move_on_after(_GOODBYE_S, shield=True):
            await self._stream.aclose(self._framing.farewell())

    async def ask(self, payload: Any, *, timeout_s: float) -> Answer:
        """Sends a request, and waits for the first message that carries its id.

        Raises:
            ServerError: the server answered with an error.
            OutcomeUnknown: no answer came in time.
            LinkLost: the link ended.
            Refused: the gate did not let it out.
        """
        self._count += 1
        message = Message(payload, f"{self._prefix}-{self._count}")
        self._gate.release(message)
        answer = await self.exchange(
            self._framing.wrap(self._codec.encode(message)), answered_by=message.client_msg_id, timeout_s=timeout_s
        )
        if answer is None:
            raise OutcomeUnknown(f"{message.name} left, and was not answered within {timeout_s:g} s")
        said: Any = answer.piece.message.payload if answer.piece.message is not None else None
        if isinstance(said, oa.ProtoOAErrorRes | oa.ProtoErrorRes | oa.ProtoOAOrderErrorEvent):
            raise ServerError(said.errorCode, said.description or None)
        if isinstance(answer.piece, Damage):
            raise OutcomeUnknown(f"the answer to {message.name} cannot be read: {answer.piece.reason}")
        return answer

    async def exchange(self, data: bytes, *, answered_by: str | None, timeout_s: float) -> Answer | None:
        """Sends bytes as they are; the first message with this id, or None where none came in time.

        Args:
            data: whole frames. The caller has asked the gate.
            answered_by: the client message id of the answer; None: whatever comes first but heartbeats.
            timeout_s: seconds to wait.
        """
        began_s = time.monotonic()
        await self._stream.send(data)
        with anyio.move_on_after(timeout_s):
            while True:
                piece = await self.hear()
                if _answers(piece, answered_by):
                    return Answer(piece, (time.monotonic() - began_s) * 1000, time.time_ns() // 1_000_000)
        return None

    async def beat(self, *, timeout_s: float) -> float | None:
        """Sends a heartbeat; the milliseconds until the next one comes back, or None where none does in time."""
        message = Message(oa.ProtoHeartbeatEvent())
        self._gate.release(message)
        began_s = time.monotonic()
        await self._stream.send(self._framing.wrap(self._codec.encode(message)))
        with anyio.move_on_after(timeout_s):
            while True:
                heard = (await self.hear()).message
                if heard is not None and isinstance(heard.payload, oa.ProtoHeartbeatEvent):
                    return (time.monotonic() - began_s) * 1000
        return None

    async def hear(self) -> _Heard:
        """The next message, or what cannot be read of it.

        Raises:
            LinkLost: the link ended, or what comes is no stream of messages.
        """
        while not self._read:
            if self._framing.ended is not None:
                raise LinkLost(self._framing.ended)
            data = await self._stream.receive()
            try:
                for body in self._framing.feed(data):
                    self._read.append(self._decoded(body))
            except RemoteProtocolError as error:
                raise LinkLost(str(error)) from error
            if self._framing.owes:
                await self._pay()
        return self._read.popleft()

    async def _pay(self) -> None:
        """Says what the framing owes; shielded, for a write that a deadline cuts short breaks the stream."""
        with anyio.move_on_after(_GOODBYE_S, shield=True) as scope:
            await self._stream.send(self._framing.take_owed())
        if scope.cancelled_caught:
            raise LinkLost(f"a write did not finish within {_GOODBYE_S:g} s")

    def _decoded(self, body: bytes) -> _Heard:
        try:
            return Frame(self._codec.decode(body), size=len(body))
        except RemoteProtocolError as error:
            return fault_of(error, 0, len(body))


def _answers(piece: _Heard, client_msg_id: str | None) -> bool:
    message = piece.message
    if message is None:
        return client_msg_id is None
    if client_msg_id is None:
        return not isinstance(message.payload, oa.ProtoHeartbeatEvent)
    return message.client_msg_id == client_msg_id
