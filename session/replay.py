"""A recording played back as the server, to a client; `player` has the other side, and the pace is that of both."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import anyio

from ..wire import Delimiting, JsonCodec, Message, Permission, ProtobufCodec
from ..wire import messages as oa
from ..wire.catalog import Kind, entry_of, permission_of
from ..wire.errors import RemoteProtocolError
from . import clock
from .conversation import differences_of
from .transport import server_framing

if TYPE_CHECKING:
    from anyio.abc import ByteStream

    from ..wire.framing import Framing
    from .conversation import Conversation, Exchange, Said
    from .environments import CodecName, TransportName

__all__ = ["Pace", "ReplayedServer"]

_BEAT_S = 20.0  # an idle real server beats every 25 to 30 s (docs/protocol.md section 4)
_GOODBYE_S = 1.0  # a peer that does not even take our good-bye is not worth longer
_LOST = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)


class Step(Protocol):
    """Asked before each message of a stepwise replay; returns when it may go."""

    async def __call__(self, message: Message) -> None: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a recording is played.

    Attributes:
        speed: 1 as recorded, 10 ten times as fast, `math.inf` without any waiting.
        step: asked before each message, or None.
    """

    speed: float = 1.0
    step: Step | None = None

    def wait_s(self, recorded_s: float) -> float:
        """How long is waited where the recording has so many seconds."""
        return max(0.0, recorded_s) / self.speed if math.isfinite(self.speed) and self.step is None else 0.0


class ReplayedServer:
    """Plays the server of a recorded connection to one client.

    What the client asks is answered as the same request was when it was recorded; of several of a kind, those with the
    same content first, then in their order. What the server said unasked comes at its distance from the request before
    it, once that one (or a later one) was made. A reading request that is made more often than it was recorded gets its
    last answer again; one that was not recorded gets an error.

    Args:
        conversation: what was recorded.
        pace: how fast.
    """

    def __init__(self, conversation: Conversation, *, pace: Pace) -> None:
        opened = conversation.opened
        self._codec: ProtobufCodec | JsonCodec = ProtobufCodec() if opened.codec == "protobuf" else JsonCodec()
        self._opened = opened
        self._sending = anyio.Lock(fast_acquire=True)  # messages, and a WebSocket's answers to pings between them
        self._pace = pace
        self._open = list(conversation.exchanges)
        self._used: dict[int, Exchange] = {}  # payload type to the one that answered last
        self._unasked = conversation.unasked()
        self._next = next(self._unasked, None)  # of them; only this one is in memory
        self._next_is_due = False
        self._anchors = [exchange.request for exchange in conversation.exchanges]
        self._due: list[tuple[float, int, int, Message]] = []
        self._count = 0
        self._reached = 0
        self._reached_at: list[
            tuple[int, float]
        ] = []  # which request was made, a later one than all before it, and when
        self._news = anyio.Event()
        self._differed: list[str] = []

    @property
    def differences(self) -> list[str]:
        """What the client has done otherwise than the recorded one up to now, and what it has not said."""
        return [*self._differed, *(f"{exchange.name} was not said" for exchange in self._open)]

    async def serve(self, stream: ByteStream, *, transport: TransportName = "tcp", said: bytes = b"") -> str:
        """Serves until the client leaves; returns why. Ends by itself only when the stream does.

        Args:
            stream: the client's, TLS done, and the upgrade of a WebSocket.
            transport: by which it has come, whatever the recorded one came by.
            said: what was read of it already.
        """
        opened = self._opened
        codec: CodecName = "protobuf" if opened.codec == "protobuf" else "json"
        framing = server_framing(codec, transport=transport, delimiting=Delimiting(opened.delimiting).value)
        reason = ""
        self._reached_at.append((0, clock.now_s()))
        self._release()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._send, stream, framing)
            tasks.start_soon(self._beat)
            data = said
            try:
                while not reason:
                    for body in framing.feed(data):
                        self._hear(body)
                    if framing.owes:
                        await self._say(stream, framing.take_owed())
                    if framing.ended is not None:
                        reason = framing.ended
                        break
                    data = await stream.receive()
            except RemoteProtocolError as fault:
                reason = f"its stream is broken: {fault}"
            except _LOST:
                reason = "it ended the connection"
            tasks.cancel_scope.cancel()
        await self._take_leave(stream, framing)
        return reason

    def _hear(self, body: bytes) -> None:
        try:
            message = self._codec.decode(body)
        except RemoteProtocolError as fault:
            self._differed.append(f"a message cannot be read: {fault}")
            return
        entry = entry_of(message.payload_type)
        if entry is not None and entry.kind is Kind.HEARTBEAT:
            return
        exchange = self._matching(message)
        if exchange is None:
            self._differed.append(f"{message.name} is not in the recording")
            error = oa.ProtoOAErrorRes(
                errorCode="UNSUPPORTED_MESSAGE", description=f"{message.name} is not in the recording that is replayed"
            )
            self._put(0.0, self._reached, Message(error, message.client_msg_id))
            return
        if exchange.request.index > self._reached:
            self._reached = exchange.request.index
            self._reached_at.append((self._reached, clock.now_s()))
        for said in exchange.answers:
            after_s = self._pace.wait_s(said.at_s - exchange.request.at_s)
            self._put(after_s, said.index, replace(said.message, client_msg_id=message.client_msg_id))
        self._release()

    def _matching(self, message: Message) -> Exchange | None:
        payload_type = message.payload_type
        same = [each for each in self._open if each.request.message.payload_type == payload_type]
        if same:
            equal = (each for each in same if not any(differences_of(each.request.message, message)))
            chosen = next(equal, None)
            if chosen is None:
                chosen = same[0]
                self._differed += differences_of(chosen.request.message, message)
            self._open.remove(chosen)
            self._used[payload_type] = chosen
            return chosen
        if permission_of(payload_type) in (Permission.READ, Permission.SESSION):
            used = self._used.get(payload_type)
            if used is not None:
                self._differed.append(f"{message.name} was said more often than it is in the recording")
            return used
        return None

    def _release(self) -> None:
        """Lets go what the server said unasked next, once the request before it, or a later one, was made."""
        said = self._next
        if said is None or self._next_is_due:
            return
        place = bisect_left(self._anchors, said.index, key=_index)
        anchor = self._anchors[place - 1] if place else None
        index, at_s = (anchor.index, anchor.at_s) if anchor is not None else (0, 0.0)
        if index > self._reached:
            return
        _, since_s = self._reached_at[bisect_left(self._reached_at, (index, 0.0))]
        wait_s = self._pace.wait_s(said.at_s - at_s)
        self._next_is_due = True
        self._put(max(0.0, since_s + wait_s - clock.now_s()) if wait_s else 0.0, said.index, said.message)

    def _taken(self, index: int) -> None:
        """What had this place is on its way; where it came unasked, the one behind it is next."""
        if self._next is not None and self._next_is_due and index == self._next.index:
            self._next, self._next_is_due = next(self._unasked, None), False
            self._release()

    def _put(self, after_s: float, index: int, message: Message) -> None:
        self._count += 1
        heapq.heappush(self._due, (clock.now_s() + after_s if after_s else 0.0, index, self._count, message))
        self._news.set()

    async def _say(self, stream: ByteStream, data: bytes) -> None:
        async with self._sending:
            await stream.send(data)

    async def _take_leave(self, stream: ByteStream, framing: Framing) -> None:
        """Says the framing's last word, a WebSocket's close frame, where that is still possible."""
        last_word = framing.farewell()
        with anyio.move_on_after(_GOODBYE_S, shield=True):
            try:
                if last_word:
                    await stream.send(last_word)
            except _LOST:
                pass

    async def _send(self, stream: ByteStream, framing: Framing) -> None:
        while True:
            while not self._due:
                self._news = anyio.Event()
                await self._news.wait()
            wait_s = self._due[0][0] - clock.now_s()
            if wait_s > 0:
                self._news = anyio.Event()
                with anyio.move_on_after(wait_s):
                    await self._news.wait()
                continue
            _, index, _, message = heapq.heappop(self._due)
            self._taken(index)
            if self._pace.step is not None:
                await self._pace.step(message)
            try:
                await self._say(stream, framing.wrap(self._codec.encode(message)))
            except _LOST:
                return  # the reader hears of it too

    async def _beat(self) -> None:
        while True:
            await anyio.sleep(_BEAT_S)
            self._put(0.0, 0, Message(oa.ProtoHeartbeatEvent()))


def _index(said: Said) -> int:
    return said.index
