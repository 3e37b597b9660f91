"""WebSocket from the client's side: against servers that nobody here wrote, and against what a peer must not send."""

from __future__ import annotations

import contextlib
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import pytest
import trustme
from anyio.streams.tls import TLSStream
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

from anyctrader.fake import Limits, faults
from anyctrader.session import (
    ConnectFailed,
    Credentials,
    Endpoint,
    Environment,
    MarketOrder,
    SessionState,
    SettingsError,
    Side,
    Timings,
    connect,
    open_connection_log,
    open_desk,
)
from anyctrader.session.transport import open_stream
from anyctrader.wire import JsonCodec, Message, ProtobufCodec
from anyctrader.wire import messages as oa

from .peer import accept_websocket
from .rig import QUICK, a_server, connected, desk_settings, side_of

pytestmark = pytest.mark.anyio

CREDENTIALS = Credentials(
    Environment.DEMO, client_id="app", client_secret="planted-secret", access_token="planted-token"
)
VERSION = oa.ProtoOAVersionReq()


def wss(server: Any, codec: str = "protobuf") -> Any:
    return connected(server, codec=codec, transport="websocket")


def context_of(folder: Path) -> ssl.SSLContext:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@asynccontextmanager
async def scripted(
    folder: Path, *said: bytes | Callable[[], Awaitable[bytes]], upgrade: bool = True, interim: bytes = b""
) -> AsyncIterator[Endpoint]:
    """A TLS server that accepts a WebSocket, says these bytes, and then only listens."""
    context = context_of(folder)

    async def serve_one(raw: anyio.abc.SocketStream) -> None:
        async with raw:
            try:
                stream = await TLSStream.wrap(raw, server_side=True, ssl_context=context, standard_compatible=False)
                await stream.send(interim)
                if upgrade:
                    await accept_websocket(stream)
                else:
                    await stream.receive()
                for part in said:
                    await stream.send(part if isinstance(part, bytes) else await part())
                while True:
                    await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, ssl.SSLError):
                pass

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve_one)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        try:
            yield Endpoint("127.0.0.1", port, folder / "ca.pem", transport="websocket")
        finally:
            tasks.cancel_scope.cancel()


async def failure_at(endpoint: Endpoint, codec: Any = "protobuf") -> str:
    with pytest.raises(ConnectFailed) as failure:
        async with connect(
            Environment.DEMO,
            CREDENTIALS,
            codec=codec,
            host=endpoint.host,
            port=endpoint.port,
            ca_file=endpoint.ca_file,
            transport=endpoint.transport,
            timings=Timings(connect_s=3),
        ):
            pass
    return str(failure.value)


# Against the fake server


@pytest.mark.parametrize("codec", ["protobuf", "json"])
async def test_an_order_is_filled_over_a_websocket(tmp_path: Path, codec: str) -> None:
    async with a_server() as server:
        port = server.port if codec == "protobuf" else server.json_port
        endpoint = Endpoint(server.host, port, server.ca_file, transport="websocket")
        async with open_desk(desk_settings(tmp_path, side_of(server, codec=codec, endpoint=endpoint))) as desk:
            order = await desk.place(Environment.DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.01"))
            assert (await order.filled()).volume_cents == 100_000
        assert [seen.text for seen in server.seen if seen.name == "upgraded"] == ["WebSocket at /"]


@pytest.mark.parametrize("codec", ["protobuf", "json"])
async def test_messages_in_fragments_with_pings_between_are_read_and_the_pings_answered(codec: str) -> None:
    async with a_server() as server:
        server.faults.inject(faults.Fragments(4))
        async with wss(server, codec) as session:
            assert (await session.request(VERSION)).version == "91"
        assert [seen.name for seen in server.seen if seen.name == "undecoded"] == []


async def test_a_close_of_the_server_is_in_the_log_with_code_and_reason_and_the_session_comes_back(
    tmp_path: Path,
) -> None:
    async with a_server() as server, open_connection_log(tmp_path, Environment.DEMO) as log:
        async with connected(server, codec="json", transport="websocket", log=log) as session:
            async with session.changes() as changes:
                server.faults.inject(faults.CloseWebSocket(1001, "maintenance", which="ProtoOAVersionRes"))
                with pytest.raises(Exception, match="closed the WebSocket with 1001: maintenance"):
                    await session.request(VERSION)
                states = []
                async for change in changes:
                    states.append(change.state)
                    if change.state is SessionState.READY and SessionState.WAITING in states:
                        break
            assert (await session.request(VERSION)).version == "91"
    assert "closed the WebSocket with 1001: maintenance" in (tmp_path / "demo_connection.log").read_text()


async def test_half_a_message_is_told_from_a_plain_end(tmp_path: Path) -> None:
    async with a_server() as server, wss(server) as session:
        server.faults.inject(faults.HalfMessage(which="ProtoOAVersionRes"))
        with pytest.raises(Exception, match="ended inside a message"):
            await session.request(VERSION)


async def test_an_http_error_in_place_of_the_upgrade_is_told_with_status_and_text_and_no_secret() -> None:
    async with a_server() as server:
        secret = server.access_token
        server.faults.inject(faults.NoUpgrade(403, f"go away \x1b[31m{secret}"))
        with pytest.raises(ConnectFailed) as failure:
            async with wss(server):
                pass
        assert "HTTP 403 Forbidden in place of a WebSocket: go away" in str(failure.value)
        assert secret not in str(failure.value)
        assert "\x1b" not in str(failure.value)
        async with connected(server, transport="tcp") as session:
            assert (await session.request(VERSION)).version == "91"


async def test_no_half_of_a_secret_is_left_where_the_text_of_a_refusal_is_cut() -> None:
    async with a_server() as server:
        secret = server.access_token
        server.faults.inject(faults.NoUpgrade(403, "x" * (200 - len(secret) // 2) + secret))
        with pytest.raises(ConnectFailed, match="HTTP 403") as failure:
            async with wss(server):
                pass
        assert secret[:8] not in str(failure.value)


# Against what nobody here wrote


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("codec", ["protobuf", "json"])
async def test_our_client_talks_to_a_server_of_the_websockets_package(tmp_path: Path, codec: Any) -> None:
    ours = JsonCodec() if codec == "json" else ProtobufCodec()
    kinds = set()

    async def handler(socket: Any) -> None:
        async for body in socket:
            kinds.add(type(body))
            message = ours.decode(body.encode() if isinstance(body, str) else body)
            answers: dict[str, Any] = {
                "ProtoOAApplicationAuthReq": oa.ProtoOAApplicationAuthRes(),
                "ProtoOAGetAccountListByAccessTokenReq": oa.ProtoOAGetAccountListByAccessTokenRes(accessToken="t"),
                "ProtoOAVersionReq": oa.ProtoOAVersionRes(version="theirs" * 20_000),
            }
            if message.name in answers:
                data = ours.encode(Message(answers[message.name], message.client_msg_id))
                await (await socket.ping())  # answered before anything else is said
                await socket.send(data.decode() if codec == "json" else data)

    async with serve(handler, "127.0.0.1", 0, ssl=context_of(tmp_path)) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        where: dict[str, Any] = {"host": "127.0.0.1", "port": port, "ca_file": tmp_path / "ca.pem"}
        async with connect(
            Environment.DEMO, CREDENTIALS, codec=codec, transport="websocket", timings=QUICK, **where
        ) as session:
            assert (await session.request(VERSION)).version == "theirs" * 20_000
    assert kinds == {str if codec == "json" else bytes}


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("signs", ["pings", "fragments"])
async def test_no_sign_but_a_whole_message_keeps_a_session_ready_past_its_watchdog(tmp_path: Path, signs: str) -> None:
    said = 0

    async def ping_for_ever(socket: Any) -> None:
        nonlocal said
        while True:
            await (await socket.ping())
            said += 1
            await anyio.sleep(0.02)

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal said
        while True:
            yield b"x"
            said += 1
            await anyio.sleep(0.02)

    async def give_signs(socket: Any) -> None:
        with contextlib.suppress(ConnectionClosed):
            await (ping_for_ever(socket) if signs == "pings" else socket.send(pieces()))

    async def handler(socket: Any) -> None:
        async with anyio.create_task_group() as tasks:
            async for body in socket:
                message = ProtobufCodec().decode(body)
                answers: dict[str, Any] = {
                    "ProtoOAApplicationAuthReq": oa.ProtoOAApplicationAuthRes(),
                    "ProtoOAGetAccountListByAccessTokenReq": oa.ProtoOAGetAccountListByAccessTokenRes(accessToken="t"),
                }
                if message.name in answers:
                    await socket.send(ProtobufCodec().encode(Message(answers[message.name], message.client_msg_id)))
                if message.name == "ProtoOAGetAccountListByAccessTokenReq":
                    tasks.start_soon(give_signs, socket)
            tasks.cancel_scope.cancel()

    async with serve(handler, "127.0.0.1", 0, ssl=context_of(tmp_path)) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        where: dict[str, Any] = {"host": "127.0.0.1", "port": port, "ca_file": tmp_path / "ca.pem"}
        timings = Timings(heartbeat_s=0.1, watchdog_s=0.4)
        async with (
            connect(Environment.DEMO, CREDENTIALS, transport="websocket", timings=timings, **where) as session,
            session.changes() as changes,
        ):
            with anyio.fail_after(10):
                async for change in changes:
                    if change.state is SessionState.WAITING:
                        assert "the server has been silent for" in change.reason
                        break
    assert said


# What a peer must not send


BAD_INPUT = pytest.mark.parametrize(
    ("codec", "said", "text"),
    [
        ("protobuf", b"\xc2\x01x", "reserved bits"),
        ("protobuf", b"\x82\x81aaaax", "a masked frame"),
        ("protobuf", b"\x89\x7e\x00\x80" + bytes(128), "more than 125"),
        ("protobuf", b"\x02\x00" + b"\x00\x00" * 70_000, "fragments"),
        ("protobuf", b"\x82\x7f" + (15_000_001).to_bytes(8, "big"), "15000001 bytes"),
        (
            "protobuf",
            b"\x02\x7f"
            + (9_000_000).to_bytes(8, "big")
            + bytes(9_000_000)
            + b"\x00\x7f"
            + (9_000_000).to_bytes(8, "big"),
            "18000000 bytes",
        ),
        ("protobuf", b"\x81\x02{}", "binary is due"),
        ("json", b"\x82\x02{}", "text is due"),
        ("json", b"\x81\x02\xff\xff", "not UTF-8"),
        ("json", b"\xc1\x02xx", "reserved bits"),
        ("json", b"\x88\x03\x03\xe8\xff", "not UTF-8"),
        ("json", b"\x88\x02\x03\xed", "a close frame without a valid code"),
    ],
)


@BAD_INPUT
async def test_what_no_server_may_send_is_named_in_the_error(
    tmp_path: Path, codec: Any, said: bytes, text: str
) -> None:
    async with scripted(tmp_path, said) as endpoint:
        assert text in await failure_at(endpoint, codec)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (
            b"HTTP/1.1 101 Nope\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
            "upgrade is none",
        ),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "upgrade is none"),
        (
            b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 403 Not \x1b[2Jfrom here\r\nContent-Length: 9\r\n\r\nblocked 7",
            r"HTTP 403 Not \\x1b\[2Jfrom here in place of a WebSocket: blocked 7",
        ),
        (b"HTTP/1.1 503\r\nContent-Length: 0\r\n\r\n", "HTTP 503 Service Unavailable in place of a WebSocket$"),
        (b"HTTP/1.1 102 Wait\r\n\r\n" * 11, "interim answers to the WebSocket upgrade have no end"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP 200 OK in place of a WebSocket: hello"),
        (b"x" * 70_000, "upgrade has no end"),
    ],
)
async def test_an_answer_that_is_no_upgrade_is_said_to_be_none(tmp_path: Path, said: bytes, text: str) -> None:
    async with scripted(tmp_path, said, upgrade=False) as endpoint:
        with pytest.raises(ConnectFailed, match=text):
            await open_stream(endpoint, deadline_s=5)


async def test_interim_answers_ahead_of_the_one_that_accepts_are_not_the_answer(tmp_path: Path) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    async with scripted(tmp_path, b"\x81\x02{}", interim=interim) as endpoint:
        stream = await open_stream(endpoint, deadline_s=5)
        assert await stream.receive() == b"\x81\x02{}"
        await stream.aclose()


async def test_an_extension_that_was_never_offered_is_refused(tmp_path: Path) -> None:
    context = context_of(tmp_path)

    async def compressing(raw: anyio.abc.SocketStream) -> None:
        async with raw:
            try:
                stream = await TLSStream.wrap(raw, server_side=True, ssl_context=context, standard_compatible=False)
                await accept_websocket(stream, b"Sec-WebSocket-Extensions: permessage-deflate\r\n")
                await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError, ssl.SSLError):
                pass

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, compressing)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        with pytest.raises(ConnectFailed, match="upgrade is none"):
            await open_stream(Endpoint("127.0.0.1", port, tmp_path / "ca.pem", transport="websocket"), deadline_s=5)
        tasks.cancel_scope.cancel()


@BAD_INPUT
async def test_a_session_comes_back_after_what_no_server_may_send_and_keeps_nothing_of_it(
    codec: Any, said: bytes, text: str
) -> None:
    roomy = Limits(outbox_bytes=40_000_000)  # of what is said; the fake drops whoever does not read
    async with a_server(limits=roomy) as server, wss(server, codec) as session, session.changes() as changes:
        (client,) = server.clients.values()
        link = session.link
        client.write(said, now_s=client.spoke_s)
        lost = ""
        with anyio.fail_after(20):
            async for change in changes:
                if change.state is SessionState.WAITING:
                    lost = change.reason
                elif lost and change.state is SessionState.READY:
                    break
        assert text in lost
        assert (await session.request(VERSION)).version == "91"
        assert link is not None
        assert (len(link.connection._framing._rest), len(link.connection._framing._message)) in {(0, 0)}  # type: ignore[attr-defined]
        closed = await server.wait_for("closed")
        assert "closed the WebSocket with 10" in closed[0].text


async def test_a_close_of_the_server_moves_no_cursor_and_forges_no_line() -> None:
    async with a_server() as server, wss(server) as session:
        server.faults.inject(faults.CloseWebSocket(1001, "\x1b[2Jgone\nforged", which="ProtoOAVersionRes"))
        with pytest.raises(Exception, match="closed the WebSocket with 1001") as failure:
            await session.request(VERSION)
        assert r"\x1b[2Jgone\nforged" in str(failure.value)
        assert str(failure.value).isprintable()


# What is said of it


async def test_json_over_tcp_that_never_got_an_answer_points_to_websocket(tmp_path: Path) -> None:
    async with a_server() as server:
        server.faults.inject(faults.Deafness())
        timings = Timings(connect_s=0.3)
        for codec, transport in (("json", "tcp"), ("protobuf", "tcp"), ("json", "websocket")):
            with pytest.raises(ConnectFailed) as failure:
                async with connected(server, codec=codec, transport=transport, timings=timings):
                    pass
            assert ('transport="websocket"' in str(failure.value)) is ((codec, transport) == ("json", "tcp"))


def test_a_missing_wsproto_is_said_with_the_extra_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wsproto", None)
    with pytest.raises(SettingsError, match=r"anyctrader\[ws\]"):
        Endpoint.chosen(Environment.DEMO, "json", transport="websocket")


def test_delimiting_is_nothing_for_a_websocket() -> None:
    with pytest.raises(SettingsError, match="delimiting is for the transport tcp"):
        Endpoint.chosen(Environment.DEMO, "json", transport="websocket", delimiting="newline")
