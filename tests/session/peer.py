"""The other end of a link, over real TLS on loopback, scripted by the test.

By default it authorises whatever asks and answers a version request; `answers` says otherwise, by request name.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import ssl
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import trustme
from anyio.streams.tls import TLSStream

from anyctrader.session.settings import Endpoint
from anyctrader.wire import Connection, JsonCodec, Message, MessageKind, ProtobufCodec, Role, WebSocketFraming
from anyctrader.wire import messages as oa
from anyctrader.wire.events import HeartbeatReceived, LinkClosed, RequestReceived
from anyctrader.wire.framing import LengthFraming

CODEC: Any = os.environ.get("ANYCTRADER_CODEC", "protobuf")
TRANSPORT: Any = os.environ.get("ANYCTRADER_TRANSPORT", "tcp")
"""What sessions speak where a test does not say: `make test-matrix` runs all of them over each combination."""

UNKNOWN = b'{"payloadType":9999,"payload":{}}' if CODEC == "json" else bytes.fromhex("088f4e1200")
"""A message of a type that nobody knows."""
NO_FRAME, NO_FRAME_IS = (
    (b"\xf2\x7f garbage", "reserved bits") if TRANSPORT == "websocket" else (b"\xff\xff\xff\xff garbage", "4294967295")
)
"""What begins no frame, and what the error about it says."""

Answer = Callable[["Peer", Any], Iterable[Any]]


def account_list(_: Peer, request: Any) -> Iterable[Any]:
    rows = [
        oa.ProtoOACtidTraderAccount(ctidTraderAccountId=1, isLive=False, traderLogin=501),
        oa.ProtoOACtidTraderAccount(ctidTraderAccountId=2, isLive=True, traderLogin=502),
    ]
    return [oa.ProtoOAGetAccountListByAccessTokenRes(accessToken=request.accessToken, ctidTraderAccount=rows)]


DEFAULTS: dict[str, Answer] = {
    "ProtoOAApplicationAuthReq": lambda _, __: [oa.ProtoOAApplicationAuthRes()],
    "ProtoOAGetAccountListByAccessTokenReq": account_list,
    "ProtoOAAccountAuthReq": lambda _, r: [oa.ProtoOAAccountAuthRes(ctidTraderAccountId=r.ctidTraderAccountId)],
    "ProtoOAVersionReq": lambda _, __: [oa.ProtoOAVersionRes(version="91")],
}


def the_codec() -> JsonCodec | ProtobufCodec:
    """A codec as sessions of this run take it."""
    return JsonCodec() if CODEC == "json" else ProtobufCodec()


def framed(body: bytes) -> bytes:
    """The frame of a server around it, as sessions of this run take it."""
    kind = MessageKind.TEXT if CODEC == "json" else MessageKind.BINARY
    return (WebSocketFraming(Role.SERVER, kind) if TRANSPORT == "websocket" else LengthFraming()).wrap(body)


def begun(size: int) -> bytes:
    """How a frame of so many bytes begins, as sessions of this run take it."""
    if TRANSPORT != "websocket":
        return size.to_bytes(4, "big")
    return bytes([0x81 if CODEC == "json" else 0x82, 127]) + size.to_bytes(8, "big")  # RFC 6455 section 5.2


async def accept_websocket(stream: Any, more: bytes = b"") -> None:
    """RFC 6455 section 4.2.2, by hand; a client says nothing before it is answered."""
    request = b""
    while not request.endswith(b"\r\n\r\n"):
        request += await stream.receive()
    key = re.search(rb"(?i)sec-websocket-key: *(\S+)", request)
    assert key is not None
    proof = base64.b64encode(hashlib.sha1(key[1] + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    await stream.send(head + b"Sec-WebSocket-Accept: " + proof + b"\r\n" + more + b"\r\n")


class Peer:
    """What the other end has heard, and a way to speak to it."""

    def __init__(self, answers: dict[str, Answer] | None = None) -> None:
        self.answers = DEFAULTS | (answers or {})
        self.heard: list[Any] = []  # payloads and HeartbeatReceived, in order, over all connections
        self.links = 0
        self.reading = anyio.Event()
        self.reading.set()
        self._news = anyio.Event()
        self._stream: Any = None
        self._connection: Connection | None = None
        self._current: anyio.CancelScope | None = None

    def names(self) -> list[str]:
        return [type(item).__name__ for item in self.heard]

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            news = self._news
            await news.wait()

    async def say(self, payload: Any, client_msg_id: str | None = None) -> None:
        assert self._connection is not None
        await self._stream.send(self._connection.send(Message(payload, client_msg_id)))

    async def say_bytes(self, data: bytes) -> None:
        await self._stream.send(data)

    def hang_up(self) -> None:
        assert self._current is not None
        self._current.cancel()

    async def serve(self, raw: anyio.abc.SocketStream, context: ssl.SSLContext) -> None:
        self.links += 1
        async with raw:
            with anyio.CancelScope() as self._current:
                await self._serve(raw, context)
        self._tell()

    async def _serve(self, raw: anyio.abc.SocketStream, context: ssl.SSLContext) -> None:
        try:
            stream = await TLSStream.wrap(raw, server_side=True, ssl_context=context, standard_compatible=False)
        except (anyio.BrokenResourceError, anyio.EndOfStream, ssl.SSLError):
            return
        codec = the_codec()
        if TRANSPORT == "websocket":
            await accept_websocket(stream)
            kind = MessageKind.TEXT if CODEC == "json" else MessageKind.BINARY
            connection = Connection(Role.SERVER, codec, framing=WebSocketFraming(Role.SERVER, kind))
        else:
            connection = Connection(Role.SERVER, codec)
        self._stream, self._connection = stream, connection
        self._tell()
        try:
            await self._converse(self._connection)
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            pass

    async def _converse(self, connection: Connection) -> None:
        while True:
            await self.reading.wait()
            for event in connection.receive_data(await self._stream.receive()):
                if isinstance(event, RequestReceived):
                    self.heard.append(event.message.payload)
                    answer = self.answers.get(event.message.name, lambda *_: [])
                    for payload in answer(self, event.message.payload):
                        await self.say(payload, event.client_msg_id)
                elif isinstance(event, HeartbeatReceived | LinkClosed):
                    self.heard.append(event)
            self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, anyio.Event()
        news.set()


@asynccontextmanager
async def listening(peer: Peer, folder: Path, *names: str) -> AsyncIterator[Endpoint]:
    """The peer behind a port, with a certificate for these names (by default the right ones)."""
    authority = trustme.CA()
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(names or ("127.0.0.1", "localhost"))).configure_cert(context)

    async def serve(raw: anyio.abc.SocketStream) -> None:
        await peer.serve(raw, context)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        try:
            yield Endpoint("127.0.0.1", port, ca_file, transport=TRANSPORT)
        finally:
            tasks.cancel_scope.cancel()
