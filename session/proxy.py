"""A man in the middle between clients in any language and the real server: messages pass unchanged, under the gate.

What the server says goes on as it comes, at once; its frames are only watched. What a client says is held until its
message is whole and the gate has let it pass. A side that does not read holds the other one up, as without the proxy.

Where the two sides come by different transports, or a client by WebSocket, frames are made anew around the same
messages; a WebSocket's pings are answered on the side where they were asked, and its close goes on to the other one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import anyio

from ..wire import JsonCodec, ProtobufCodec, WebSocketFraming
from ..wire.errors import LocalProtocolError, RemoteProtocolError
from ..wire.redaction import Redaction
from ..wire.websocket import CloseCode
from .environments import Mode
from .errors import ConnectFailed
from .gate import Gate
from .proxied import ProxiedClient
from .proxied_amends import ProxiedAmends
from .proxied_closes import ProxiedCloses
from .proxied_orders import ProxiedOrders
from .recorder import now
from .recording import Direction
from .transport import LinkLost, client_framing, open_stream, server_framing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from anyio.abc import ByteStream

    from ..wire import Codec
    from ..wire.framing import Framing
    from .audit import Audit
    from .environments import Endpoint, TransportName
    from .recorder import Recorder
    from .recording import Moment
    from .settings import EnvironmentSettings
    from .transport import TlsStream

__all__ = ["Onlooker", "Passage", "Proxy"]

_GOODBYE_S = 1.0  # a peer that does not even take our good-bye is not worth longer


@dataclass(frozen=True, slots=True)
class Passage:
    """A frame that passed, or did not.

    Attributes:
        at: when.
        client: number of its client, from 1.
        direction: which way.
        body: of the frame, its secrets in it.
        refused: why our guard took it out; None for what went on.
        ours: whether we put it in, in the server's place.
    """

    at: Moment
    client: int
    direction: Direction
    body: bytes
    refused: str | None = None
    ours: bool = False


class Onlooker(Protocol):
    """Whoever wants to see what passes. Must not wait, must not raise; what it keeps, it bounds."""

    def opened(self, client: int, server: str) -> None:
        """A client has come, and the server was reached for it.

        Args:
            client: its number.
            server: which was reached, and the transports where they are not both TCP.
        """

    def passed(self, passage: Passage) -> None:
        """A frame."""

    def ended(self, client: int, reason: str) -> None:
        """A client is gone, or the server was not reached for it."""


class Proxy:
    """Serves clients of one environment.

    Args:
        settings: of the environment: where the server is, its codec, the mode, the limits.
        audit: where what trades is recorded; None: nothing that trades passes.
        halts: the folder of the halts.
        why: where the mode comes from, for people.
        endpoint: another one than the settings'.
        transport: how the server is reached; None: by WebSocket where the endpoint says so, otherwise as each client
            has come.
        recorder: where every frame is recorded, or None.
        onlooker: sees what passes, or None.
        secrets: those that are known beforehand. They are covered in what the gate puts on record and tells, and so are
            those that pass.
    """

    def __init__(
        self,
        settings: EnvironmentSettings,
        *,
        audit: Audit | None,
        halts: Path,
        why: str = "the mode of the settings",
        endpoint: Endpoint | None = None,
        transport: TransportName | None = None,
        recorder: Recorder | None = None,
        onlooker: Onlooker | None = None,
        secrets: Iterable[str] = (),
    ) -> None:
        self._settings = settings
        self._endpoint = endpoint if endpoint is not None else settings.endpoint
        # TCP is what an endpoint says that was told nothing; a WebSocket is there because somebody needs one.
        self._transport = transport or ("websocket" if self._endpoint.transport == "websocket" else None)
        self._audit = audit
        self._halts = halts
        self._why = why
        self._recorder = recorder
        self._onlooker = onlooker
        # One for all clients: a token is one whoever quotes it.
        self._redaction = Redaction(secrets)
        self._count = 0
        self._orders = ProxiedOrders()
        self._closes = ProxiedCloses()
        self._amends = ProxiedAmends()

    @property
    def mode(self) -> Mode:
        """What may pass just now, halts included; without an audit nothing that trades does."""
        return self._gate().standing().mode if self._audit is not None else Mode.OFF

    async def serve(self, client: ByteStream, *, transport: TransportName = "tcp", said: bytes = b"") -> str:
        """Serves one client until either side ends; returns why. Both streams are closed then.

        Args:
            client: its stream, TLS done, and the upgrade of a WebSocket.
            transport: by which it has come.
            said: what was read of it already.

        Raises:
            ConnectFailed: the server could not be reached.
        """
        self._count += 1
        number = self._count
        settings = self._settings
        endpoint = replace(self._endpoint, transport=self._transport or transport)
        near = server_framing(settings.codec, transport=transport, delimiting=endpoint.delimiting)
        try:
            upstream = await open_stream(endpoint, deadline_s=settings.timings.connect_s, mask=self._redaction.text)
        except ConnectFailed as error:
            if self._onlooker is not None:
                self._onlooker.ended(number, str(error))
            last_word = _close_frame(near, CloseCode.INTERNAL_ERROR, "the server could not be reached")
            with anyio.CancelScope(shield=True):
                await _close(client, last_word)
            raise
        if self._onlooker is not None:
            self._onlooker.opened(number, _way(endpoint, transport))
        passages = _Passages(self, number, endpoint)
        link = _ProxiedLink(
            client,
            upstream,
            near=near,
            far=client_framing(endpoint, settings.codec),
            as_it_comes=transport == endpoint.transport,
            judged=ProxiedClient(
                self._gate(),
                codec=_codec(settings.codec),
                limits=settings.limits,
                orders=self._orders,
                closes=self._closes,
                amends=self._amends,
                redaction=self._redaction,
                within_s=settings.timings.order_queue_s,
            ),
            passed=passages.passed,
        )
        reason = "the proxy was ended"
        try:
            reason = await link.run(said)
        finally:
            passages.ended(reason)
            if self._onlooker is not None:
                self._onlooker.ended(number, reason)
        return reason

    def _gate(self) -> Gate:
        settings = self._settings
        gate = Gate(
            settings.environment,
            mode=settings.mode,
            why=self._why,
            audit=self._audit,
            halts=self._halts,
            limits=settings.limits,
        )
        gate.mask = self._redaction.text
        return gate


class _Passages:
    """Tells recorder and onlooker of one client's frames."""

    def __init__(self, proxy: Proxy, number: int, endpoint: Endpoint) -> None:
        self._number = number
        self._onlooker = proxy._onlooker
        settings = proxy._settings
        self._track = (
            proxy._recorder.begin(
                environment=settings.environment.value,
                codec=settings.codec,
                server=f"{endpoint.host}:{endpoint.port}",
                transport=endpoint.transport,
                delimiting=endpoint.delimiting,
                via="proxy",
            )
            if proxy._recorder is not None
            else None
        )

    def passed(self, direction: Direction, body: bytes, *, refused: str | None = None, ours: bool = False) -> None:
        if self._track is None and self._onlooker is None:
            return
        at = now()
        if self._track is not None:
            self._track.saw(direction, body, at=at, refused=refused, ours=ours)
        if self._onlooker is not None:
            self._onlooker.passed(Passage(at, self._number, direction, body, refused, ours))

    def ended(self, reason: str) -> None:
        if self._track is not None:
            self._track.ended(reason)


class _Ended(Exception):
    """One of the two sides has ended, or was ended; its text says why."""


class _ProxiedLink:
    """One client and its own connection to the server.

    Args:
        client: its stream.
        upstream: the server's.
        near: the framing of the client's stream.
        far: the framing of the server's.
        as_it_comes: what the server says goes on byte for byte; if not, its messages go on in frames of ours.
        judged: what the client may say.
        passed: told of each message.
    """

    def __init__(
        self,
        client: ByteStream,
        upstream: TlsStream,
        *,
        near: Framing,
        far: Framing,
        as_it_comes: bool,
        judged: ProxiedClient,
        passed: Callable[..., None],
    ) -> None:
        self._client = client
        self._upstream = upstream
        self._near, self._far = near, far
        self._as_it_comes = as_it_comes
        self._judged = judged
        self._passed = passed
        self._sending = anyio.Lock(fast_acquire=True)  # to the client: the server's bytes, and our replies between them
        self._asking = anyio.Lock(fast_acquire=True)  # to the server: the client's messages, and our answers to pings
        self._replies: list[bytes] = []
        self._server_over = False

    async def run(self, said: bytes) -> str:
        """Passes on what either side says until one ends; why it did.

        Args:
            said: what was read of the client already.
        """
        reason = "the proxy was ended"
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._to_server, said)
                tasks.start_soon(self._to_client)
        except* _Ended as ended:
            reason = str(ended.exceptions[0])
        finally:
            self._judged.ended(reason)
            with anyio.CancelScope(shield=True):
                with anyio.move_on_after(_GOODBYE_S):
                    await self._upstream.aclose(_farewell(self._far, self._near, CloseCode.NORMAL))
                await _close(self._client, self._last_word())
        return reason

    def _last_word(self) -> bytes:
        """What the client hears last: the server's own last word, where that has passed as it came."""
        if self._as_it_comes and (self._server_over or self._far.inside):
            return b""
        return _farewell(self._near, self._far, CloseCode.GOING_AWAY)

    async def _to_server(self, data: bytes) -> None:
        near = self._near
        while True:
            try:
                for body in near.feed(data):
                    await self._take(body)
            except RemoteProtocolError as fault:
                raise _Ended(f"the client's stream is broken: {fault}") from None
            if near.owes:
                await self._answer()
            if near.ended is not None:
                raise _Ended(near.ended)
            try:
                data = await self._client.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                cut = f" inside a frame, whose {near.inside} bytes were not passed on" if near.inside else ""
                raise _Ended(f"the client ended the connection{cut}") from None

    async def _take(self, body: bytes) -> None:
        data = self._framed(self._far, body)  # first: what cannot go on must not be on record as sent
        taken = await self._judged.judge(body)
        if taken is not None:
            self._passed(Direction.TO_SERVER, body, refused=str(taken.refusal))
            self._replies.append(taken.reply)
            await self._answer()
            return
        self._passed(Direction.TO_SERVER, body)
        await self._ask(data)

    def _framed(self, framing: Framing, body: bytes) -> bytes:
        try:
            return framing.wrap(body)
        except LocalProtocolError as error:  # a line break within JSON that goes on as a line
            raise _Ended(f"a message cannot go on: {error}") from None

    async def _ask(self, data: bytes) -> None:
        async with self._asking:
            try:
                await self._upstream.send(data)
            except LinkLost as lost:
                raise _Ended(f"{lost}") from None

    async def _to_client(self) -> None:
        far, judged, passed = self._far, self._judged, self._passed
        while True:
            try:
                data = await self._upstream.receive()
            except LinkLost as lost:
                self._server_over = True
                raise _Ended(f"{lost}") from None
            problem: RemoteProtocolError | None = None
            async with self._sending:  # from here on: whoever looks whether a frame is half said must not see ahead
                bodies: list[bytes] = []
                try:
                    for body in far.feed(data):
                        judged.heard(body)
                        passed(Direction.TO_CLIENT, body)
                        bodies.append(body)
                except RemoteProtocolError as fault:
                    problem = fault
                if not self._as_it_comes:
                    data = b"".join(self._framed(self._near, body) for body in bodies)
                await self._say(data)
            if problem is not None:
                # It has what there was. What follows could not be watched, and no answer of ours be put between it.
                self._server_over = True
                raise _Ended(f"the server's stream is broken: {problem}")
            if far.owes:
                await self._ask(far.take_owed())
            if far.ended is not None:
                self._server_over = True
                raise _Ended(far.ended)
            if self._replies or self._near.owes:
                await self._answer()

    async def _answer(self) -> None:
        """Tells the client what was taken out, as soon as no frame of the server's is half said."""
        async with self._sending:
            while (self._replies or self._near.owes) and not (self._as_it_comes and self._far.inside):
                data = self._near.take_owed()
                if self._replies:
                    reply = self._replies.pop(0)
                    self._passed(Direction.TO_CLIENT, reply, ours=True)
                    data += self._near.wrap(reply)
                await self._say(data)

    async def _say(self, data: bytes) -> None:
        if not data:
            return
        try:
            await self._client.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            raise _Ended("the client ended the connection") from None


def _farewell(framing: Framing, other: Framing, code: CloseCode) -> bytes:
    """The last word to one side: the other's code and reason, where that has closed a WebSocket; else this code."""
    said = other.closed_with if isinstance(other, WebSocketFraming) else None
    return _close_frame(framing, *(said if said is not None else (code, "")))


def _close_frame(framing: Framing, code: int, reason: str) -> bytes:
    return framing.farewell(code=code, reason=reason) if isinstance(framing, WebSocketFraming) else framing.farewell()


async def _close(client: ByteStream, last_word: bytes) -> None:
    with anyio.move_on_after(_GOODBYE_S):
        try:
            if last_word:
                await client.send(last_word)
            await client.aclose()
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream):
            pass
    await anyio.aclose_forcefully(client)


def _way(endpoint: Endpoint, transport: TransportName) -> str:
    """Where the server is, and how either side goes where that is not plain TCP."""
    where = f"{endpoint.host}:{endpoint.port}"
    if (transport, endpoint.transport) == ("tcp", "tcp"):
        return where
    return f"{where} over {endpoint.transport}{'' if transport == endpoint.transport else f', itself over {transport}'}"


def _codec(name: str) -> Codec:
    return ProtobufCodec() if name == "protobuf" else JsonCodec()
