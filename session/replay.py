"""A recording played back: as the server to a client, or as the client to a server."""

from __future__ import annotations

import heapq
import math
from bisect import bisect_left
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from ..wire import Delimiting, JsonCodec, Message, Permission, ProtobufCodec
from ..wire import messages as oa
from ..wire.catalog import Kind, entry_of, permission_of
from ..wire.errors import RemoteProtocolError
from . import clock
from .conversation import differences_of
from .errors import CTraderError
from .transport import server_framing

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import ByteStream

    from ..wire.framing import Framing
    from .client import Session
    from .conversation import Conversation, Exchange, Said
    from .environments import CodecName, TransportName
    from .settings import Credentials

__all__ = ["Outcome", "Pace", "ReplayedServer", "play_to_server"]

_BEAT_S = 20.0  # an idle real server beats every 25 to 30 s (docs/protocol.md section 4)
_ANSWER_S = 30.0  # how long a request waits for what came before it in the recording
_GOODBYE_S = 1.0  # a peer that does not even take our good-bye is not worth longer
_LOST = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)
_FILLED_IN = ("accessToken",)
_KEPT_IDS: Any = (("position", "positionId"), ("order", "orderId"))
_SKIPPED = ("ProtoOAApplicationAuthReq", "ProtoOARefreshTokenReq")


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


# As the server


class ReplayedServer:
    """Plays the server of a recorded connection to one client.

    What the client asks is answered as the same request was when it was recorded; of several of a kind, those with the
    same content first, then in their order. What the server said unasked comes at its distance from the request before
    it, once that one (or a later one) was made. A reading request that is made more often than it was recorded gets its
    last answer again; one that was not recorded gets an error.

    Args:
        conversation: what was recorded.
        pace: how fast.

    Attributes:
        differences: what the client did otherwise than the recorded one, for `--check`.
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
        self.differences: list[str] = []

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
        self.differences += [f"{exchange.name} was not said" for exchange in self._open]
        return reason

    def _hear(self, body: bytes) -> None:
        try:
            message = self._codec.decode(body)
        except RemoteProtocolError as fault:
            self.differences.append(f"a message cannot be read: {fault}")
            return
        entry = entry_of(message.payload_type)
        if entry is not None and entry.kind is Kind.HEARTBEAT:
            return
        exchange = self._matching(message)
        if exchange is None:
            self.differences.append(f"{message.name} is not in the recording")
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
                self.differences += differences_of(chosen.request.message, message)
            self._open.remove(chosen)
            self._used[payload_type] = chosen
            return chosen
        if permission_of(payload_type) in (Permission.READ, Permission.SESSION):
            used = self._used.get(payload_type)
            if used is not None:
                self.differences.append(f"{message.name} was said more often than it is in the recording")
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


# As the client


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request that was said again.

    Attributes:
        name: of the request.
        error: why it has no answer, or None.
        skipped: why it was not said at all, or None.
    """

    name: str
    error: CTraderError | None = None
    skipped: str | None = None


async def play_to_server(
    conversation: Conversation,
    session: Session,
    *,
    credentials: Credentials,
    pace: Pace,
    told: Callable[[Outcome], None],
) -> None:
    """Says the requests of a recorded connection again, in their order, through the session: its guard, limits, audit.

    What the session does by itself is not said twice: the application's auth. A token is never refreshed. An account is
    authorised by the session; tokens are the settings' own. A request waits for the answers that came before it when it
    was recorded. Positions and orders that the replay opens are meant where the recording closes, amends or cancels its
    own.

    Args:
        conversation: what was recorded.
        session: to the server.
        credentials: those of the settings.
        pace: how fast.
        told: what became of each request, as they end.
    """
    player = _Player(session, credentials, pace=pace, told=told)
    async with anyio.create_task_group() as tasks:
        done: list[tuple[Exchange, anyio.Event]] = []
        last_s: float | None = None
        for exchange in conversation.exchanges:
            request = exchange.request
            for earlier, event in done:
                if earlier.answers and earlier.answers[0].index < request.index:
                    with anyio.move_on_after(_ANSWER_S):
                        await event.wait()
            if last_s is not None:
                await anyio.sleep(pace.wait_s(request.at_s - last_s))
            last_s = request.at_s
            if pace.step is not None:
                await pace.step(request.message)
            event = anyio.Event()
            done = [(each, waits) for each, waits in done if not waits.is_set()]
            done.append((exchange, event))
            tasks.start_soon(player.play, exchange, event)


class _Player:
    """Says one recorded request after the other."""

    def __init__(
        self, session: Session, credentials: Credentials, *, pace: Pace, told: Callable[[Outcome], None]
    ) -> None:
        self._session = session
        self._credentials = credentials
        self._told = told
        self._ids: dict[tuple[str, int], int] = {}  # of the recording to those of now

    async def play(self, exchange: Exchange, done: anyio.Event) -> None:
        name = exchange.name
        try:
            if name in _SKIPPED:
                why = "a token is never refreshed by a replay" if "Refresh" in name else "the session has said it"
                self._told(Outcome(name, skipped=why))
                return
            payload = exchange.request.message.payload
            if name == "ProtoOAAccountAuthReq":
                await self._session.authorize(payload.ctidTraderAccountId)
            else:
                answer = await self._session.request(self._filled_in(payload))
                self._learn(exchange, answer)
        except CTraderError as error:
            self._told(Outcome(name, error=error))
        except TypeError as error:  # no message of the schema: nothing left
            self._told(Outcome(name, skipped=str(error)))
        else:
            self._told(Outcome(name))
        finally:
            done.set()

    def _filled_in(self, recorded: Any) -> Any:
        payload = type(recorded)()
        payload.CopyFrom(recorded)
        fields = payload.DESCRIPTOR.fields_by_name
        for name in _FILLED_IN:
            if name in fields:
                setattr(payload, name, self._credentials.access_token.reveal())
        for name in ("positionId", "orderId"):
            if name in fields and payload.HasField(name):
                setattr(payload, name, self._ids.get((name, getattr(payload, name)), getattr(payload, name)))
        return payload

    def _learn(self, exchange: Exchange, answer: Any) -> None:
        """Which position and order of now stand for those of the recording."""
        if not isinstance(answer, oa.ProtoOAExecutionEvent) or not exchange.answers:
            return
        recorded = exchange.answers[0].message.payload
        if not isinstance(recorded, oa.ProtoOAExecutionEvent):
            return
        for part, name in _KEPT_IDS:
            if recorded.HasField(part) and answer.HasField(part):
                self._ids[name, getattr(getattr(recorded, part), name)] = getattr(getattr(answer, part), name)
