"""A man in the middle between clients in any language and the real server: bytes pass unchanged, under the gate.

What the server says goes on as it comes, at once; its frames are only watched. What a client says is held until its
frame is whole and the gate has let it pass. A side that does not read holds the other one up, as without the proxy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import anyio

from ..wire import Delimiting, JsonCodec, ProtobufCodec, framing_of
from ..wire.errors import RemoteProtocolError
from .errors import ConnectFailed
from .gate import Gate
from .proxied import ProxiedClient
from .recorder import now
from .recording import Direction
from .transport import LinkLost, open_stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anyio.abc import ByteStream

    from ..wire import Codec
    from ..wire.framing import Framing
    from .audit import Audit
    from .environments import Endpoint
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
        """A client has come, and the server was reached for it."""

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
        recorder: where every frame is recorded, or None.
        onlooker: sees what passes, or None.
        mask: covers secrets in what the gate puts on record and tells.
    """

    def __init__(
        self,
        settings: EnvironmentSettings,
        *,
        audit: Audit | None,
        halts: Path,
        why: str = "the mode of the settings",
        endpoint: Endpoint | None = None,
        recorder: Recorder | None = None,
        onlooker: Onlooker | None = None,
        mask: Callable[[str], str] = str,
    ) -> None:
        self._settings = settings
        # Clients come over TCP and their bytes pass unchanged, so the server is reached in the same way.
        self._endpoint = replace(endpoint if endpoint is not None else settings.endpoint, transport="tcp")
        self._audit = audit
        self._halts = halts
        self._why = why
        self._recorder = recorder
        self._onlooker = onlooker
        self._mask = mask
        self._count = 0

    async def serve(self, client: ByteStream) -> str:
        """Serves one client until either side ends; returns why. Both streams are closed then.

        Args:
            client: its stream, TLS done.

        Raises:
            ConnectFailed: the server could not be reached.
        """
        self._count += 1
        number = self._count
        endpoint = self._endpoint
        server = f"{endpoint.host}:{endpoint.port}"
        try:
            upstream = await open_stream(endpoint, deadline_s=self._settings.timings.connect_s)
        except ConnectFailed as error:
            if self._onlooker is not None:
                self._onlooker.ended(number, str(error))
            await anyio.aclose_forcefully(client)
            raise
        if self._onlooker is not None:
            self._onlooker.opened(number, server)
        passages = _Passages(self, number, server)
        link = _ProxiedLink(
            client,
            upstream,
            codec=_codec(self._settings.codec),
            framing=lambda: framing_of(Delimiting(endpoint.delimiting)),
            gate=self._gate(),
            settings=self._settings,
            passed=passages.passed,
        )
        reason = "the proxy was ended"
        try:
            reason = await link.run()
        finally:
            passages.ended(reason)
            if self._onlooker is not None:
                self._onlooker.ended(number, reason)
        return reason

    def _gate(self) -> Gate:
        settings = self._settings
        gate = Gate(settings.environment, mode=settings.mode, why=self._why, audit=self._audit, halts=self._halts)
        gate.mask = self._mask
        return gate


class _Passages:
    """Tells recorder and onlooker of one client's frames."""

    def __init__(self, proxy: Proxy, number: int, server: str) -> None:
        self._number = number
        self._onlooker = proxy._onlooker
        settings = proxy._settings
        self._track = (
            proxy._recorder.begin(
                environment=settings.environment.value,
                codec=settings.codec,
                server=server,
                delimiting=proxy._endpoint.delimiting,
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
    """One client and its own connection to the server."""

    def __init__(
        self,
        client: ByteStream,
        upstream: TlsStream,
        *,
        codec: Codec,
        framing: Callable[[], Framing],
        gate: Gate,
        settings: EnvironmentSettings,
        passed: Callable[..., None],
    ) -> None:
        self._client = client
        self._upstream = upstream
        self._said, self._heard = framing(), framing()
        self._judged = ProxiedClient(gate, codec=codec, limits=settings.limits)
        self._passed = passed
        self._sending = anyio.Lock(fast_acquire=True)  # to the client: the server's bytes, and our replies between them
        self._replies: list[bytes] = []

    async def run(self) -> str:
        reason = "the proxy was ended"
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._to_server)
                tasks.start_soon(self._to_client)
        except* _Ended as ended:
            reason = str(ended.exceptions[0])
        finally:
            self._judged.ended(reason)
            with anyio.CancelScope(shield=True):
                with anyio.move_on_after(_GOODBYE_S):
                    await self._upstream.aclose()
                with anyio.move_on_after(_GOODBYE_S):
                    try:
                        await self._client.aclose()
                    except (OSError, anyio.BrokenResourceError, anyio.EndOfStream):
                        pass
                await anyio.aclose_forcefully(self._client)
        return reason

    async def _to_server(self) -> None:
        while True:
            try:
                data = await self._client.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                cut = (
                    f" inside a frame, whose {self._said.inside} bytes were not passed on" if self._said.inside else ""
                )
                raise _Ended(f"the client ended the connection{cut}") from None
            try:
                for body in self._said.feed(data):
                    await self._take(body)
            except RemoteProtocolError as fault:
                raise _Ended(f"the client's stream is broken: {fault}") from None

    async def _take(self, body: bytes) -> None:
        taken = await self._judged.judge(body)
        if taken is not None:
            self._passed(Direction.TO_SERVER, body, refused=str(taken.refusal))
            self._replies.append(taken.reply)
            await self._answer()
            return
        self._passed(Direction.TO_SERVER, body)
        try:
            await self._upstream.send(self._said.wrap(body))
        except LinkLost as lost:
            raise _Ended(f"{lost}") from None

    async def _to_client(self) -> None:
        heard, judged, passed = self._heard, self._judged, self._passed
        while True:
            try:
                data = await self._upstream.receive()
            except LinkLost as lost:
                raise _Ended(f"{lost}") from None
            problem: RemoteProtocolError | None = None
            async with self._sending:  # from here on: whoever looks whether a frame is half said must not see ahead
                try:
                    for body in heard.feed(data):
                        judged.heard(body)
                        passed(Direction.TO_CLIENT, body)
                except RemoteProtocolError as fault:
                    problem = fault
                await self._say(data)
            if problem is not None:
                # It has what there was. What follows could not be watched, and no answer of ours be put between it.
                raise _Ended(f"the server's stream is broken: {problem}")
            if self._replies:
                await self._answer()

    async def _answer(self) -> None:
        """Tells the client what was taken out, as soon as no frame of the server's is half said."""
        async with self._sending:
            while self._replies and not self._heard.inside:
                reply = self._replies.pop(0)
                self._passed(Direction.TO_CLIENT, reply, ours=True)
                await self._say(self._heard.wrap(reply))

    async def _say(self, data: bytes) -> None:
        try:
            await self._client.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            raise _Ended("the client ended the connection") from None


def _codec(name: str) -> Codec:
    return ProtobufCodec() if name == "protobuf" else JsonCodec()
