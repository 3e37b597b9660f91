"""The fake server's WebSocket, tried by a client that nobody here wrote (the `websockets` package), JSON by hand."""

from __future__ import annotations

import json
import ssl
from typing import Any

import anyio
import pytest
from anyio.streams.tls import TLSStream
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from anyctrader.fake import FakeServer, Limits, ServerSettings, Timing, faults

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", ["asyncio"])]  # which `websockets` runs on

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n" % KEY
)


def a_server(**given: Any) -> FakeServer:
    given.setdefault("timing", Timing.instant())
    return FakeServer(ServerSettings(**given))


def opened(server: FakeServer, *, json_port: bool = True) -> Any:
    port = server.json_port if json_port else server.port
    context = ssl.create_default_context(cafile=str(server.ca_file))
    # It offers compression by itself, which the server must not take up.
    return connect(f"wss://{server.host}:{port}/", ssl=context, proxy=None)


async def ask(socket: ClientConnection, kind: int, *until: int, **payload: Any) -> dict[str, Any]:
    """Sends a request, and reads until a message of one of these types."""
    await socket.send(json.dumps({"clientMsgId": "by-hand", "payloadType": kind, "payload": payload}))
    while True:
        text = await socket.recv()
        assert isinstance(text, str)
        message: dict[str, Any] = json.loads(text)
        if message["payloadType"] in until:
            return message


async def drained(socket: ClientConnection) -> None:
    """Reads until it is closed, which raises."""
    while True:
        await socket.recv()


async def over_tls(server: FakeServer) -> TLSStream:
    context = ssl.create_default_context(cafile=str(server.ca_file))
    raw = await anyio.connect_tcp(server.host, server.json_port)
    return await TLSStream.wrap(raw, hostname=server.host, ssl_context=context, standard_compatible=False)


async def logged_in(server: FakeServer, socket: ClientConnection) -> None:
    answer = await ask(socket, 2100, 2101, clientId=server.client_id, clientSecret=server.client_secret)
    assert (answer["clientMsgId"], answer["payloadType"]) == ("by-hand", 2101)
    await ask(socket, 2102, 2103, ctidTraderAccountId=server.account_id, accessToken=server.access_token)


async def test_a_client_of_the_websockets_package_trades_in_json() -> None:
    async with a_server() as server, opened(server) as socket:
        await logged_in(server, socket)
        order = {"symbolId": 1, "orderType": "MARKET", "tradeSide": "BUY", "volume": 100_000}
        accepted = await ask(socket, 2106, 2126, 2132, ctidTraderAccountId=server.account_id, **order)
        assert accepted["payload"]["executionType"] == 2
        filled = json.loads(await socket.recv())
        assert (filled["payload"]["executionType"], filled["payload"]["deal"]["filledVolume"]) == (3, 100_000)
        held = await ask(socket, 2124, 2125, ctidTraderAccountId=server.account_id)
        assert [each["tradeData"]["volume"] for each in held["payload"]["position"]] == [100_000]
        await (await socket.ping())


async def test_a_protobuf_client_gets_a_binary_message_for_each_of_its_own() -> None:
    async with a_server() as server, opened(server, json_port=False) as socket:
        await socket.send(bytes([0x08, 0xB8, 0x10, 0x12, 0x00]))  # payloadType 2104: the version
        answer = await socket.recv()
        assert isinstance(answer, bytes)
        assert answer[:3] == bytes([0x08, 0xB9, 0x10])


async def test_both_transports_are_served_on_one_port_and_told_in_the_observations() -> None:
    async with a_server() as server, opened(server) as socket:
        await logged_in(server, socket)
        async with await over_tls(server) as tcp:
            await tcp.send(b"\x00\x00\x00\x14" + b'{"payloadType":2104}')
            assert b'"version"' in await tcp.receive()
        assert next(iter(server.clients.values())).transport.value == "websocket"
        assert [seen.text for seen in server.seen if seen.name == "upgraded"] == ["WebSocket at /"]


@pytest.mark.parametrize(
    ("json_port", "said", "code"), [(True, b"{}", 1003), (False, "{}", 1003), (False, bytes(2_000), 1009)]
)
async def test_what_no_client_may_send_closes_the_websocket_with_its_code(
    json_port: bool, said: Any, code: int
) -> None:
    async with a_server(limits=Limits(frame_bytes=1_000)) as server, opened(server, json_port=json_port) as socket:
        await socket.send(said)
        with pytest.raises(ConnectionClosed) as closed:
            await drained(socket)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code


@pytest.mark.parametrize(
    "said",
    [
        b"\xc1\x82abcd\x1a\x1f",  # reserved bits
        b"\x81\x02{}",  # no mask
        b"\x81\x82abcd\x9e\x9d",  # no UTF-8
        b"\x82\x82abcd\x1a\x1f",  # binary where text is due
    ],
)
async def test_what_breaks_the_websocket_of_the_json_port_is_not_called_malformed_json(said: bytes) -> None:
    async with a_server() as server, opened(server) as socket:
        socket.transport.write(said)
        heard = []
        with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012
            while True:
                heard.append(await socket.recv())
        assert heard == []
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code in (1002, 1003, 1007)


async def test_json_that_cannot_be_read_is_called_malformed_on_a_websocket_as_over_tcp() -> None:
    async with a_server() as server, opened(server) as socket:
        await socket.send('{"payloadType"')
        answer = json.loads(await socket.recv())
        assert answer["payload"]["errorCode"] == "INVALID_REQUEST"
        assert answer["payload"]["description"].startswith("Malformed JSON message at 1:")


async def test_an_idle_websocket_is_closed_with_bye() -> None:
    async with a_server(timing=Timing.instant().scaled(0.01)) as server, opened(server) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await drained(socket)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1000, "Bye")


async def test_a_fault_answers_an_upgrade_with_an_http_error() -> None:
    async with a_server() as server:
        server.faults.inject(faults.NoUpgrade(503, "come back on Monday"))
        with pytest.raises(InvalidStatus) as refused:
            async with opened(server):
                pass
        assert refused.value.response.status_code == 503
        assert refused.value.response.body == b"come back on Monday"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"GET /" + b"x" * 20_000, b"431"),
        (
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 8\r\n\r\n",
            b"426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\n",
        ),
        (UPGRADE.replace(b"HTTP/1.1", b"HTTP/1.0"), b"400"),
        (UPGRADE.replace(KEY, b"abc"), b"400"),
        (UPGRADE.replace(KEY, b"eA=="), b"400"),
        (UPGRADE.replace(KEY, KEY[:-4]), b"400"),
        (UPGRADE, b"101"),
    ],
)
async def test_an_http_request_that_is_no_upgrade_gets_an_http_answer(request_: bytes, status: bytes) -> None:
    async with a_server() as server:
        async with await over_tls(server) as web:
            await web.send(request_)
            assert (await web.receive()).startswith(b"HTTP/1.1 " + status)


async def test_the_query_of_an_upgrade_is_covered_wherever_it_is_told() -> None:
    remarks: list[str] = []
    async with a_server(log=remarks.append) as server:
        async with await over_tls(server) as web:
            await web.send(UPGRADE.replace(b"GET /", b"GET /stream?token=planted"))
            assert (await web.receive()).startswith(b"HTTP/1.1 101 ")
            assert [seen.text for seen in server.seen if seen.name == "upgraded"] == ["WebSocket at /stream?…"]
    assert [line for line in remarks if "WebSocket at /stream?…" in line]
    assert "planted" not in "".join(remarks)


@pytest.mark.parametrize(
    ("code", "reason", "limit"), [(70_000, "", "65535"), (-1, "", "65535"), (1000, "é" * 62, "124 bytes.*at most 123")]
)
async def test_a_close_that_fits_into_no_frame_is_refused_with_the_limit(code: int, reason: str, limit: str) -> None:
    with pytest.raises(ValueError, match=limit):
        faults.CloseWebSocket(code, reason)
