"""Accepting connections: TLS, one reader and one writer each, and the clocks that end or keep them."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from anyio.streams.tls import TLSStream

from ..wire import messages as oa
from .choices import IdleClose, LimitCheck
from .clients import Client
from .injection import RefusedTls
from .lifeline import Verdict, look
from .observations import CLOSED, CONNECTED, HANDSHAKE_FAILED, UPGRADED
from .upgrade import asks_for_websocket, first_bytes, upgrade

if TYPE_CHECKING:
    from anyio.abc import ByteStream, SocketStream

    from ..wire import Codec
    from ..wire.framing import Framing
    from .answers import Answers
    from .certificates import Certificates
    from .switchboard import Switchboard

__all__ = ["Flavour", "Links"]

# What a stream or a handshake raises when the peer goes away or talks nonsense.
_LOST = (
    anyio.EndOfStream,
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    ssl.SSLError,
    ssl.CertificateError,
    OSError,
    TimeoutError,
)


@dataclass(frozen=True, slots=True)
class Flavour:
    """What is spoken on a port.

    Attributes:
        codec: makes a codec for one connection.
        framing: makes a framing for one connection over TCP.
        websocket: makes one for a WebSocket.
    """

    codec: Callable[[], Codec]
    framing: Callable[[], Framing]
    websocket: Callable[[], Framing]


class Links:
    """Serves every connection from its first byte to its last.

    Args:
        board: the server's state.
        answers: what takes a client's messages.
        certificates: for TLS.
    """

    def __init__(self, board: Switchboard, answers: Answers, certificates: Certificates) -> None:
        self._board = board
        self._answers = answers
        self._certificates = certificates
        self._timing = board.settings.timing

    async def serve(self, raw: SocketStream, flavour: Flavour) -> None:
        """One connection; raises nothing that the peer has caused."""
        try:
            stream = await self._handshake(raw)
            if stream is not None:
                await self._serve_client(raw, stream, flavour)
        finally:
            # Plain, so that what was written still leaves; it waits for nothing.
            with anyio.CancelScope(shield=True):
                await raw.aclose()

    async def _handshake(self, raw: SocketStream) -> TLSStream | None:
        board = self._board
        wrong = board.faults.tls()
        if isinstance(wrong, RefusedTls):
            board.observe(None, HANDSHAKE_FAILED, text="refused by a fault")
            return None
        context = self._certificates.server_context if wrong is None else self._certificates.wrong_context(wrong)
        try:
            with anyio.fail_after(self._timing.handshake_s):
                return await TLSStream.wrap(raw, server_side=True, ssl_context=context, standard_compatible=False)
        except _LOST as error:
            reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            board.observe(None, HANDSHAKE_FAILED, text=reason)
            board.remark(None, f"no TLS with a client: {reason}")
            return None

    async def _serve_client(self, raw: SocketStream, stream: TLSStream, flavour: Flavour) -> None:
        board = self._board
        client = Client(
            board.next_number(),
            codec=flavour.codec(),
            framing=flavour.framing(),
            limits=board.settings.limits,
            closing_s=self._timing.closing_s,
            now_s=board.agenda.now_s(),
        )
        board.clients[client.number] = client
        board.observe(client, CONNECTED, text=client.codec.name)
        try:
            self._check_connections(client)
            self._watch(client)
            with client.scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._read, client, stream, flavour)
                    await self._write(client, stream)
                    tasks.cancel_scope.cancel()
        finally:
            if client.clock is not None:
                client.clock.cancel()
            del board.clients[client.number]
            reason = client.closing or "the server was stopped"
            board.observe(client, CLOSED, text=reason)
            board.remark(client, f"closed: {reason}")
        if not client.abrupt and not client.scope.cancelled_caught:
            await self._end_tls(stream)

    async def _read(self, client: Client, stream: ByteStream, flavour: Flavour) -> None:
        """Hands on what the client says, until the connection ends in either direction."""
        try:
            data = await self._first_bytes(client, stream, flavour)
            while client.closing is None:
                for event in client.connection.receive_data(data):
                    self._answers.take(client, event)
                if client.connection.owes:
                    client.write(client.connection.owed(), now_s=client.spoke_s)
                data = await stream.receive()
        except _LOST:
            for event in client.connection.receive_eof():
                self._answers.take(client, event)
        client.close("the client is gone")

    async def _first_bytes(self, client: Client, stream: ByteStream, flavour: Flavour) -> bytes:
        """What the client says first; both transports come to one port, and its first bytes tell them apart."""
        data = await first_bytes(stream)
        if not asks_for_websocket(data):
            return data
        behind, remark = await upgrade(stream, data, self._board.faults.upgrade())
        self._board.observe(client, UPGRADED if behind is not None else HANDSHAKE_FAILED, text=remark)
        self._board.remark(client, remark)
        if behind is None:
            client.close(remark)
            return b""
        client.speak_websocket(flavour.websocket())
        return behind

    async def _write(self, client: Client, stream: ByteStream) -> None:
        try:
            await client.write_all(stream)
        except _LOST as error:
            client.abrupt = True
            client.close(f"nothing can be written to it: {type(error).__name__}")

    async def _end_tls(self, stream: TLSStream) -> None:
        """Says that nothing more comes, and gives the client time to say so too: what it still sends is read, for
        unread bytes would turn the end into a reset that takes our last frame along."""
        with anyio.move_on_after(self._timing.closing_s):
            try:
                await stream.unwrap()
            except _LOST:
                return

    # Clocks

    def _check_connections(self, client: Client) -> None:
        limits = self._board.settings.limits
        most = limits.connections
        if limits.connections_checked is LimitCheck.ACCEPT and most is not None and len(self._board.clients) > most:
            client.close(f"more than {most} connections")

    def _watch(self, client: Client) -> None:
        """Ends a connection that is silent or unauthenticated for too long, beats on one that we have nothing else
        to say on, and comes again."""
        if client.closing is not None:
            return
        verdict, due_s = look(
            now_s=self._board.agenda.now_s(),
            connected_s=client.connected_s,
            heard_s=client.heard_s,
            spoke_s=client.spoke_s,
            authorised=client.application is not None,
            timing=self._timing,
            early_heartbeat=self._board.settings.variants.early_heartbeat,
        )
        if verdict in (Verdict.UNAUTHENTICATED, Verdict.SILENT):
            self._close_idle(client, verdict.value)
            return
        if verdict is Verdict.BEAT:
            self._board.send(client, oa.ProtoHeartbeatEvent())
        client.clock = self._board.agenda.call_at(due_s, lambda: self._watch(client))

    def _close_idle(self, client: Client, reason: str) -> None:
        self._board.blame(client, "IDLE", reason)
        if self._board.settings.variants.idle_close is IdleClose.CLIENT_DISCONNECT:
            self._board.send(client, oa.ProtoOAClientDisconnectEvent(reason=reason))
        client.close(reason)
