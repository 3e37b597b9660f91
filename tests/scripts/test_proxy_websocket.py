"""The proxy where a WebSocket is on one side or on both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from anyctrader.fake import FakeServer, Host, ServerSettings, Timing, faults
from anyctrader.scripts.door import Address, Visitor, open_door
from anyctrader.session import (
    ConnectFailed,
    Endpoint,
    Environment,
    EnvironmentSettings,
    MarketOrder,
    Settings,
    Side,
    open_desk,
)
from anyctrader.session.proxy import Proxy
from anyctrader.session.recording import FrameRecord, Opened
from anyctrader.session.transport import LinkLost, client_framing, open_stream
from anyctrader.wire import FrameDecoder, JsonCodec, Message, ProtobufCodec
from anyctrader.wire import messages as oa
from anyctrader.wire.websocket import Opcode, control_frame, data_frame

from .programs import interrupt, started
from .test_proxy import Place, a_proxy, an_order, credentials_of
from .test_replay import first_line, variables_of

pytestmark = pytest.mark.anyio

KEY = b"\x05\x06\x07\x08"
WAYS = [("websocket", None), ("websocket", "tcp"), ("tcp", "websocket")]


class Client:
    """A client over either transport; its messages by hand."""

    def __init__(self, stream: Any, endpoint: Endpoint, codec: Any) -> None:
        self.stream = stream
        self.codec: Any = ProtobufCodec() if codec == "protobuf" else JsonCodec()
        self.framing: Any = client_framing(endpoint, codec)
        self.heard: list[Message] = []
        self.bytes = b""

    async def say(self, payload: Any, client_msg_id: str) -> None:
        await self.stream.send(self.framing.wrap(self.codec.encode(Message(payload, client_msg_id))))

    async def answer(self, client_msg_id: str) -> Any:
        with anyio.fail_after(10):
            while True:
                for message in self.heard:
                    if message.client_msg_id == client_msg_id:
                        self.heard.remove(message)
                        return message.payload
                data = await self.stream.receive()
                self.bytes += data
                self.heard += [self.codec.decode(body) for body in self.framing.feed(data)]

    async def ask(self, payload: Any, client_msg_id: str) -> Any:
        await self.say(payload, client_msg_id)
        return await self.answer(client_msg_id)

    async def log_in(self, server: Any) -> None:
        auth = oa.ProtoOAApplicationAuthReq(clientId=server.client_id, clientSecret=server.client_secret)
        token, account = server.access_token, server.account_id
        await self.ask(auth, "app")
        await self.ask(oa.ProtoOAGetAccountListByAccessTokenReq(accessToken=token), "list")
        await self.ask(oa.ProtoOAAccountAuthReq(ctidTraderAccountId=account, accessToken=token), "account")

    async def until_the_end(self) -> str | None:
        """What the framing says of the end."""
        with anyio.fail_after(10):
            try:
                while True:
                    list(self.framing.feed(await self.stream.receive()))
            except LinkLost:
                ended: str | None = self.framing.ended
                return ended


@asynccontextmanager
async def a_client(place: Place, transport: Any = "websocket") -> AsyncIterator[Client]:
    endpoint = replace(place.endpoint, transport=transport)
    stream = await open_stream(endpoint, deadline_s=10)
    try:
        yield Client(stream, endpoint, place.codec)
    finally:
        await stream.aclose()


async def until_gone(place: Place) -> str:
    with anyio.fail_after(10):
        while not place.seen.reasons:  # noqa: ASYNC110
            await anyio.sleep(0.01)
    return place.seen.reasons[0]


@pytest.mark.parametrize("codec", ["protobuf", "json"])
@pytest.mark.parametrize(("near", "far"), WAYS)
async def test_our_own_client_trades_through_it_as_without_it(tmp_path: Path, codec: Any, near: Any, far: Any) -> None:
    async with a_proxy(tmp_path / "proxy", codec=codec, transport=far) as place:
        endpoint = replace(place.endpoint, transport=near)
        part = EnvironmentSettings(Environment.DEMO, credentials_of(place.server), codec=codec, endpoint=endpoint)
        async with open_desk(Settings({Environment.DEMO: part}, log_folder=tmp_path / "desk")) as desk:
            order = await desk.place(Environment.DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.01"))
            with anyio.fail_after(10):
                await order.filled()
        upgrades = [seen for seen in place.server.seen if seen.name == "upgraded"]
        assert place.server.seen.names().count("ProtoOANewOrderReq") == 1
        secrets = (place.server.client_secret, place.server.access_token)
    assert len(upgrades) == ((far or near) == "websocket")
    facts = [line["fact"] for line in place.audit() if line.get("request") == "ProtoOANewOrderReq"]
    assert facts == ["intent", "sent"]
    records = place.recording()
    assert [each.transport for each in records if isinstance(each, Opened)] == [far or near]
    assert "ProtoOAExecutionEvent" in {each.name for each in records if isinstance(each, FrameRecord)}
    assert not any(secret in (tmp_path / "proxy" / "recording.jsonl").read_text() for secret in secrets)


async def test_the_settings_of_a_websocket_hold_for_clients_over_tcp_too(tmp_path: Path) -> None:
    async with a_proxy(tmp_path) as place:
        endpoint = Endpoint(place.server.host, place.server.port, place.server.ca_file, transport="websocket")
        part = EnvironmentSettings(Environment.DEMO, credentials_of(place.server), endpoint=endpoint)
        proxy = Proxy(part, audit=None, halts=tmp_path)

        async def serve(visitor: Visitor) -> None:
            await proxy.serve(visitor.stream, transport=visitor.transport, said=visitor.said)

        async with open_door(Address("127.0.0.1", 0), serve) as door:
            stream = await open_stream(Endpoint(door.host, door.port, door.ca_file), deadline_s=10)
            client = Client(stream, Endpoint(door.host, door.port), "protobuf")
            assert (await client.ask(oa.ProtoOAVersionReq(), "v")).version == "91"
            await stream.aclose()
        assert [seen.text for seen in place.server.seen if seen.name == "upgraded"] == ["WebSocket at /"]


@pytest.mark.parametrize(("near", "far"), WAYS)
async def test_what_the_guard_refuses_never_arrives(tmp_path: Path, near: Any, far: Any) -> None:
    async with a_proxy(tmp_path, Host.LIVE, transport=far) as place, a_client(place, near) as client:
        await client.log_in(place.server)
        refused = await client.ask(an_order(place.server), "order")
        assert refused.errorCode == "TRADING_NOT_ALLOWED"
        assert "It was not passed on" in refused.description
        garbled = client.framing.wrap(b"\x08\xba\x10\x12\x02\xff\xff\x1a\x01x")
        await client.stream.send(garbled)
        assert "cannot be decoded" in (await client.answer("x")).description
        assert (await client.ask(oa.ProtoOAVersionReq(), "v")).version == "91"
        assert "ProtoOANewOrderReq" not in place.server.seen.names()
        assert "undecoded" not in place.server.seen.names()
    assert [line["fact"] for line in place.audit() if line.get("request") == "ProtoOANewOrderReq"] == ["refused"]
    assert [each.refused is not None for each in place.seen.passages].count(True) == 2


async def test_what_the_server_says_goes_on_byte_for_byte_and_its_pings_are_answered_once(tmp_path: Path) -> None:
    async with a_proxy(tmp_path) as place, a_client(place) as client:
        place.server.faults.inject(faults.Fragments(3))
        assert (await client.ask(oa.ProtoOAVersionReq(), "v")).version == "91"
        assert client.bytes.count(control_frame(Opcode.PING, b"fragment")) == 2
        assert client.bytes[0] == Opcode.BINARY  # and not the end of a message
        await client.stream.send(client.framing.take_owed())
        assert (await client.ask(oa.ProtoOAVersionReq(), "w")).version == "91"


async def test_over_different_transports_messages_go_on_whole_and_nothing_else_does(tmp_path: Path) -> None:
    async with a_proxy(tmp_path, transport="websocket") as place, a_client(place, "tcp") as client:
        place.server.faults.inject(faults.Fragments(3))
        assert (await client.ask(oa.ProtoOAVersionReq(), "v")).version == "91"
        decoder = FrameDecoder()
        assert len(list(decoder.feed(client.bytes))) == 1
        decoder.close()


async def test_a_client_s_fragments_and_pings_arrive_as_one_message_and_are_answered(tmp_path: Path) -> None:
    async with a_proxy(tmp_path) as place, a_client(place) as client:
        body = client.codec.encode(Message(oa.ProtoOAVersionReq(), "v"))
        await client.stream.send(
            data_frame(0x02, body[:3], key=KEY)
            + control_frame(Opcode.PING, b"mine", key=KEY)
            + data_frame(0x80, body[3:], key=KEY)
        )
        assert (await client.answer("v")).version == "91"
        assert control_frame(Opcode.PONG, b"mine") in client.bytes
    assert place.seen.passages[0].body == body


async def test_a_ping_is_answered_though_nobody_says_anything_else(tmp_path: Path) -> None:
    async with a_proxy(tmp_path) as place, a_client(place) as client:
        await client.ask(oa.ProtoOAVersionReq(), "v")
        await client.stream.send(control_frame(Opcode.PING, b"still there", key=KEY))
        with anyio.fail_after(5):
            assert await client.stream.receive() == control_frame(Opcode.PONG, b"still there")


async def test_a_reply_of_ours_waits_until_the_server_s_message_in_fragments_is_whole(tmp_path: Path) -> None:
    from ..session.test_websocket import scripted

    version = ProtobufCodec().encode(Message(oa.ProtoOAVersionRes(version="91"), "v"))
    more = anyio.Event()

    async def later() -> bytes:
        await more.wait()
        return data_frame(0x80, version[5:])

    async with a_proxy(tmp_path / "x") as place, scripted(tmp_path, data_frame(0x02, version[:5]), later) as endpoint:
        credentials = replace(credentials_of(place.server), environment=Environment.LIVE)
        part = EnvironmentSettings(Environment.LIVE, credentials, endpoint=endpoint)
        proxy = Proxy(part, audit=None, halts=tmp_path)

        async def serve(visitor: Visitor) -> None:
            await proxy.serve(visitor.stream, transport=visitor.transport, said=visitor.said)

        async with open_door(Address("127.0.0.1", 0), serve) as door:
            near = Endpoint(door.host, door.port, door.ca_file, transport="websocket")
            client = Client(await open_stream(near, deadline_s=10), near, "protobuf")
            got = await client.stream.receive()
            assert got == data_frame(0x02, version[:5])
            assert list(client.framing.feed(got)) == []
            await client.say(an_order(place.server), "o")
            await anyio.wait_all_tasks_blocked()
            more.set()
            assert (await client.answer("v")).version == "91"
            assert isinstance(await client.answer("o"), oa.ProtoOAErrorRes)
            await client.stream.aclose()


async def test_a_close_goes_on_with_its_code_and_reason_either_way(tmp_path: Path) -> None:
    async with a_proxy(tmp_path) as place:
        async with a_client(place) as client:
            with place.server.faults.inject(faults.CloseWebSocket(1012, "restart")):
                await client.say(oa.ProtoOAVersionReq(), "v")
                assert await client.until_the_end() == "the server closed the WebSocket with 1012: restart"
        assert await until_gone(place) == "the server closed the WebSocket with 1012: restart"
        place.seen.reasons.clear()
        async with a_client(place) as client:
            await client.ask(oa.ProtoOAVersionReq(), "v")
            await client.stream.send(client.framing.farewell(code=4001, reason="enough"))
            assert await client.until_the_end() == "the server closed the WebSocket with 4001"
        assert await until_gone(place) == "the client closed the WebSocket with 4001: enough"
        closed = await place.server.wait_for("closed", count=2)
        assert "closed the WebSocket with 4001: enough" in closed[-1].text


async def test_a_client_over_websocket_hears_of_a_server_over_tcp_that_is_gone(tmp_path: Path) -> None:
    async with a_proxy(tmp_path, transport="tcp") as place, a_client(place) as client:
        await client.ask(oa.ProtoOAVersionReq(), "v")
        place.server.drop_clients()
        assert await client.until_the_end() == "the server closed the WebSocket with 1001"


async def test_a_client_that_breaks_the_protocol_is_told_with_the_code_and_the_server_left_in_form(
    tmp_path: Path,
) -> None:
    async with a_proxy(tmp_path) as place, a_client(place) as client:
        await client.ask(oa.ProtoOAVersionReq(), "v")
        await client.stream.send(b"\x82\x01x")
        assert await client.until_the_end() == "the server closed the WebSocket with 1002"
        assert "a frame that is not masked" in await until_gone(place)
        closed = await place.server.wait_for("closed")
        assert "closed the WebSocket with 1000" in closed[-1].text


async def test_a_server_that_cannot_be_reached_is_said_in_the_close(tmp_path: Path) -> None:
    async with a_proxy(tmp_path) as place:
        part = EnvironmentSettings(
            Environment.DEMO, credentials_of(place.server), endpoint=Endpoint("127.0.0.1", place.server.port)
        )
        proxy = Proxy(part, audit=None, halts=tmp_path)

        async def serve(visitor: Visitor) -> None:
            with pytest.raises(ConnectFailed):
                await proxy.serve(visitor.stream, transport=visitor.transport, said=visitor.said)

        async with open_door(Address("127.0.0.1", 0), serve) as door:
            near = Endpoint(door.host, door.port, door.ca_file, transport="websocket")
            client = Client(await open_stream(near, deadline_s=10), near, "protobuf")
            said = await client.until_the_end()
            assert said == "the server closed the WebSocket with 1011: the server could not be reached"
            await client.stream.aclose()


async def test_json_with_line_breaks_cannot_go_on_as_a_line_and_is_not_on_record_as_sent(tmp_path: Path) -> None:
    async with a_proxy(tmp_path, codec="json", transport="tcp", delimiting="newline") as place:
        async with a_client(place) as client:
            body = client.codec.encode(Message(oa.ProtoOAVersionReq(), "v")).replace(b",", b",\n")
            await client.stream.send(client.framing.wrap(body))
            assert await client.until_the_end() == "the server closed the WebSocket with 1001"
        assert "a message cannot go on: a body with a line break" in await until_gone(place)
        assert place.seen.passages == []


async def test_a_request_that_is_no_upgrade_is_refused_at_the_door(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with a_proxy(tmp_path) as place:
        stream = await open_stream(place.endpoint, deadline_s=10)
        await stream.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert (await stream.receive()).startswith(b"HTTP/1.1 400 ")
        await stream.aclose()
        stream = await open_stream(place.endpoint, deadline_s=10)
        await stream.aclose()
        assert place.server.seen.names() == []
    assert place.seen.passages == []
    assert "no WebSocket with a client" in capsys.readouterr().err


async def test_the_command_line_says_how_the_server_is_reached(tmp_path: Path) -> None:
    settings = ServerSettings(timing=Timing.instant())
    async with FakeServer(settings) as server:
        arguments = ("proxy", "demo", "--transport", "websocket", "--quiet", "--format", "json")
        with started(*arguments, cwd=tmp_path, **variables_of(server)) as process:
            ready = await anyio.to_thread.run_sync(first_line, process)
            near = Endpoint(ready["host"], ready["port"], Path(ready["ca_file"]))
            client = Client(await open_stream(near, deadline_s=10), near, "protobuf")
            assert (await client.ask(oa.ProtoOAVersionReq(), "v")).version == "91"
            await client.stream.aclose()
            near = replace(near, transport="websocket")
            client = Client(await open_stream(near, deadline_s=10), near, "protobuf")
            assert (await client.ask(oa.ProtoOAVersionReq(), "v")).version == "91"
            _, remarks = await anyio.to_thread.run_sync(interrupt, process)
            assert await client.until_the_end() == "the server closed the WebSocket with 1001"
            await client.stream.aclose()
        assert [seen.text for seen in server.seen if seen.name == "upgraded"] == ["WebSocket at /"] * 2
        assert f"{server.host}:{server.port} over websocket, itself over tcp" in remarks
