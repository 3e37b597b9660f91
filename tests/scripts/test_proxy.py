from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest

from anyctrader.fake import ExchangeSettings, FakeServer, Host, ServerSettings, Timing, faults
from anyctrader.fake.exchange_settings import Delays
from anyctrader.fake.tokens import TokenScope
from anyctrader.scripts.door import Address, Door, Visitor, open_door
from anyctrader.session import (
    ConnectFailed,
    Credentials,
    Endpoint,
    Environment,
    EnvironmentSettings,
    MarketOrder,
    Mode,
    Settings,
    Side,
    open_audit,
    open_desk,
)
from anyctrader.session import halt as halts
from anyctrader.session.proxy import Passage, Proxy
from anyctrader.session.recorder import open_recorder
from anyctrader.session.recording import Direction, FrameRecord, read_recording
from anyctrader.session.transport import LinkLost, TlsStream, open_stream
from anyctrader.wire import FrameDecoder, JsonCodec, Message, ProtobufCodec, UnknownPayload, encode_frame
from anyctrader.wire import messages as oa

pytestmark = pytest.mark.anyio

ORDER = {"symbolId": 1, "orderType": 1, "tradeSide": 1, "volume": 100_000}


@dataclass
class Seen:
    """Remembers what passed."""

    passages: list[Passage] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def opened(self, client: int, server: str) -> None:
        pass

    def passed(self, passage: Passage) -> None:
        self.passages.append(passage)

    def ended(self, client: int, reason: str) -> None:
        self.reasons.append(reason)


@dataclass
class Place:
    """A server, a proxy before it, and what that leaves behind."""

    server: FakeServer
    door: Door
    seen: Seen
    folder: Path
    codec: str

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.door.host, self.door.port, self.door.ca_file)

    def audit(self) -> list[dict[str, Any]]:
        path = self.folder / "order_audit.jsonl"
        return [orjson.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []

    def recording(self) -> list[Any]:
        with (self.folder / "recording.jsonl").open("rb") as file:
            return list(read_recording(file))


def credentials_of(server: FakeServer) -> Credentials:
    environment = Environment.LIVE if server.settings.host.is_live else Environment.DEMO
    return Credentials(
        environment,
        client_id=server.client_id,
        client_secret=server.client_secret,
        access_token=server.access_token,
        account_id=server.account_id,
    )


@asynccontextmanager
async def a_proxy(
    folder: Path,
    host: Host = Host.DEMO,
    *,
    codec: Any = "protobuf",
    server: dict[str, Any] | None = None,
    transport: Any = None,
    delimiting: Any = "length",
    **changes: Any,
) -> AsyncIterator[Place]:
    settings = ServerSettings(
        host=host, timing=Timing.instant(), exchange=ExchangeSettings(delays=Delays.none()), **(server or {})
    )
    async with FakeServer(settings) as fake:
        port = fake.port if codec == "protobuf" else fake.json_port
        part = EnvironmentSettings(
            Environment.LIVE if host.is_live else Environment.DEMO,
            credentials_of(fake),
            codec=codec,
            endpoint=Endpoint(fake.host, port, fake.ca_file, delimiting),
            **changes,
        )
        seen = Seen()
        async with open_audit(folder) as audit, open_recorder(folder / "recording.jsonl") as recorder:
            proxy = Proxy(part, audit=audit, halts=folder, recorder=recorder, onlooker=seen, transport=transport)

            async def serve(visitor: Visitor) -> None:
                try:
                    await proxy.serve(visitor.stream, transport=visitor.transport, said=visitor.said)
                except ConnectFailed:
                    pass

            async with open_door(Address("127.0.0.1", 0), serve) as door:
                yield Place(fake, door, seen, folder, codec)


class Client:
    """A client that says what it likes, in the pieces that it likes."""

    def __init__(self, stream: TlsStream, codec: str) -> None:
        self.stream = stream
        self.codec: Any = ProtobufCodec() if codec == "protobuf" else JsonCodec()
        self.decoder = FrameDecoder()
        self.heard: list[Message] = []

    def frame(self, payload: Any, client_msg_id: str | None = None, **more: Any) -> bytes:
        return encode_frame(self.codec.encode(Message(payload, client_msg_id, **more)))

    async def answer(self, client_msg_id: str | None) -> Any:
        with anyio.fail_after(10):
            while True:
                for message in self.heard:
                    if message.client_msg_id == client_msg_id:
                        self.heard.remove(message)
                        return message.payload
                for body in self.decoder.feed(await self.stream.receive()):
                    self.heard.append(self.codec.decode(body))

    async def ask(self, payload: Any, client_msg_id: str) -> Any:
        await self.stream.send(self.frame(payload, client_msg_id))
        return await self.answer(client_msg_id)

    async def log_in(self, server: FakeServer, *, token: str | None = None) -> None:
        token = server.access_token if token is None else token
        await self.ask(
            oa.ProtoOAApplicationAuthReq(clientId=server.client_id, clientSecret=server.client_secret), "app"
        )
        await self.ask(oa.ProtoOAGetAccountListByAccessTokenReq(accessToken=token), "list")
        await self.ask(oa.ProtoOAAccountAuthReq(ctidTraderAccountId=server.account_id, accessToken=token), "account")


@asynccontextmanager
async def a_client(place: Place) -> AsyncIterator[Client]:
    stream = await open_stream(place.endpoint, deadline_s=10)
    try:
        yield Client(stream, place.codec)
    finally:
        await stream.aclose()


def an_order(server: FakeServer, **changes: Any) -> Any:
    return oa.ProtoOANewOrderReq(**({"ctidTraderAccountId": server.account_id} | ORDER | changes))


@pytest.mark.parametrize("codec", ["protobuf", "json"])
async def test_our_own_client_trades_through_it_as_without_it(tmp_path: Path, codec: Any) -> None:
    async with a_proxy(tmp_path / "proxy", codec=codec) as place:
        part = EnvironmentSettings(Environment.DEMO, credentials_of(place.server), codec=codec, endpoint=place.endpoint)
        settings = Settings({Environment.DEMO: part}, log_folder=tmp_path / "desk")
        async with open_desk(settings) as desk:
            order = await desk.place(Environment.DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.01"))
            with anyio.fail_after(10):
                await order.filled()
        names = place.server.seen.names()
    assert names.count("ProtoOANewOrderReq") == 1
    facts = [line["fact"] for line in place.audit() if line.get("request") == "ProtoOANewOrderReq"]
    assert facts == ["intent", "sent"]
    frames = [each for each in place.recording() if isinstance(each, FrameRecord)]
    assert all(each.body is not None for each in frames)
    assert "ProtoOAExecutionEvent" in {each.name for each in frames}


async def test_a_client_whose_token_may_only_look_trades_nothing_through_it(tmp_path: Path) -> None:
    async with a_proxy(tmp_path) as place, a_client(place) as client:
        token = place.server.grant(scope=TokenScope.VIEW).access_token
        await client.log_in(place.server, token=token)
        answer = await client.ask(an_order(place.server), "order")
        assert answer.errorCode == "TRADING_NOT_ALLOWED"
        assert "view scope" in answer.description
        assert "ProtoOANewOrderReq" not in place.server.seen.names()
    assert "view scope" in next(line["reason"] for line in place.audit() if line["fact"] == "refused")


async def test_bytes_pass_unchanged_in_whatever_pieces_they_come(tmp_path: Path) -> None:
    async with a_proxy(tmp_path) as place, a_client(place) as client:
        await client.log_in(place.server)
        odd = b"\x12\x00\x08\xb8\x10\x1a\x03odd"  # a version request that no serialiser would write so
        data = encode_frame(odd) + client.frame(oa.ProtoOAVersionReq(), "b")
        for position in range(len(data)):
            await client.stream.send(data[position : position + 1])
        assert (await client.answer("odd")).version
        assert (await client.answer("b")).version
        passed = [each.body for each in place.seen.passages if each.direction is Direction.TO_SERVER]
        assert odd in passed
        assert await place.server.wait_for("ProtoOAVersionReq", count=2)


async def test_half_a_frame_of_a_client_does_not_leave(tmp_path: Path) -> None:
    async with a_proxy(tmp_path) as place:
        async with a_client(place) as client:
            await client.log_in(place.server)
            await client.stream.send(client.frame(oa.ProtoOAVersionReq(), "half")[:-1])
        with anyio.fail_after(10):
            while not place.seen.reasons:  # noqa: ASYNC110
                await anyio.sleep(0.01)
        assert "inside a frame" in place.seen.reasons[0]
        assert "ProtoOAVersionReq" not in place.server.seen.names()


@pytest.mark.parametrize("codec", ["protobuf", "json"])
async def test_what_the_mode_forbids_is_answered_and_on_record_and_never_arrives(tmp_path: Path, codec: str) -> None:
    async with a_proxy(tmp_path, Host.LIVE, codec=codec) as place, a_client(place) as client:
        await client.log_in(place.server)
        for n, payload in enumerate(
            [
                an_order(place.server),
                oa.ProtoOAClosePositionReq(ctidTraderAccountId=place.server.account_id, positionId=1, volume=1),
                oa.ProtoOACancelOrderReq(ctidTraderAccountId=place.server.account_id, orderId=1),
            ]
        ):
            error = await client.ask(payload, f"no-{n}")
            assert isinstance(error, oa.ProtoOAErrorRes)
            assert (error.errorCode, error.ctidTraderAccountId) == ("TRADING_NOT_ALLOWED", place.server.account_id)
            assert "CTRADER_LIVE_ENABLED" not in error.description
            assert "trading on live is off" in error.description
        assert (await client.ask(oa.ProtoOAVersionReq(), "after")).version
        names = place.server.seen.names()
    assert not {"ProtoOANewOrderReq", "ProtoOAClosePositionReq", "ProtoOACancelOrderReq"} & set(names)
    refused = [line for line in place.audit() if line["fact"] == "refused"]
    assert [line["request"] for line in refused] == [
        "ProtoOANewOrderReq",
        "ProtoOAClosePositionReq",
        "ProtoOACancelOrderReq",
    ]
    frames = [each for each in place.recording() if isinstance(each, FrameRecord)]
    assert sum(each.refused is not None for each in frames) == 3
    assert sum(each.ours for each in frames) == 3


async def test_live_that_is_enabled_takes_no_order_whose_limits_nobody_here_can_hold(tmp_path: Path) -> None:
    async with a_proxy(tmp_path, Host.LIVE, live_enabled=True) as place, a_client(place) as client:
        await client.log_in(place.server)
        error = await client.ask(an_order(place.server), "1")
        assert "cannot hold a limit (largest_order_lots, loss_of_day)" in error.description
        assert "ProtoOANewOrderReq" not in place.server.seen.names()
        closing = oa.ProtoOAClosePositionReq(ctidTraderAccountId=place.server.account_id, positionId=1, volume=100_000)
        error = await client.ask(closing, "2")
        assert "anyctrader" not in error.description, "the server's own word"


async def test_a_halt_counts_from_the_next_frame_on(tmp_path: Path) -> None:
    async with a_proxy(tmp_path) as place, a_client(place) as client:
        await client.log_in(place.server)
        event = await client.ask(an_order(place.server), "1")
        assert isinstance(event, oa.ProtoOAExecutionEvent)
        await client.answer("1")
        halts.halt(tmp_path, Environment.DEMO, why="enough", who="a test", at_ms=1)
        error = await client.ask(an_order(place.server), "2")
        assert "enough" in error.description
        halts.halt(tmp_path, Environment.DEMO, why="less", who="a test", at_ms=1, mode=Mode.REDUCE_ONLY)
        halts.resume(tmp_path, Environment.DEMO)
        assert isinstance(await client.ask(an_order(place.server), "3"), oa.ProtoOAExecutionEvent)
        assert place.server.seen.names().count("ProtoOANewOrderReq") == 2


async def test_its_mode_is_what_may_pass_just_now(tmp_path: Path) -> None:
    credentials = Credentials(Environment.DEMO, client_id="a", client_secret="b", access_token="c", account_id=1)
    part = EnvironmentSettings(Environment.DEMO, credentials)
    assert Proxy(part, audit=None, halts=tmp_path).mode is Mode.OFF, "nothing that trades could be recorded"
    async with open_audit(tmp_path) as audit:
        proxy = Proxy(part, audit=audit, halts=tmp_path)
        assert proxy.mode is Mode.ON
        halts.halt(tmp_path, Environment.DEMO, why="less", who="a test", at_ms=1, mode=Mode.REDUCE_ONLY)
        assert proxy.mode is Mode.REDUCE_ONLY


def a_close(account_id: int, position_id: int, volume: int = 100_000) -> Any:
    return oa.ProtoOAClosePositionReq(ctidTraderAccountId=account_id, positionId=position_id, volume=volume)


async def test_where_it_may_only_be_reduced_a_client_closes_what_it_was_told_of(tmp_path: Path) -> None:
    async with a_proxy(tmp_path) as place, a_client(place) as client, a_client(place) as other:
        account = place.server.account_id
        await client.log_in(place.server)
        opened = await client.ask(an_order(place.server, volume=200_000), "1")
        position = opened.position.positionId
        assert (await client.answer("1")).executionType == oa.ProtoOAExecutionType.ORDER_FILLED
        halts.halt(tmp_path, Environment.DEMO, why="enough", who="a test", at_ms=1, mode=Mode.REDUCE_ONLY)

        assert "does more than close" in (await client.ask(an_order(place.server), "2")).description
        assert "not within the 200000" in (await client.ask(a_close(account, position, 300_000), "3")).description
        closing = await client.ask(a_close(account, position), "4")  # it heard of the fill
        assert isinstance(closing, oa.ProtoOAExecutionEvent)

        await other.log_in(place.server)  # it has heard of nothing, until it asks
        assert "not known to be open" in (await other.ask(a_close(account, position), "1")).description
        held = await other.ask(oa.ProtoOAReconcileReq(ctidTraderAccountId=account), "2")
        assert [each.tradeData.volume for each in held.position] == [100_000]
        place.server.disconnect_account(account)  # from here on events are missed
        await other.ask(oa.ProtoOAVersionReq(), "3")
        await other.ask(
            oa.ProtoOAAccountAuthReq(ctidTraderAccountId=account, accessToken=place.server.access_token), "4"
        )
        assert "not known to be open" in (await other.ask(a_close(account, position), "5")).description
        await other.ask(oa.ProtoOAReconcileReq(ctidTraderAccountId=account), "6")
        assert isinstance(await other.ask(a_close(account, position), "7"), oa.ProtoOAExecutionEvent)
        assert place.server.seen.names().count("ProtoOAClosePositionReq") == 2


async def test_where_it_may_only_be_reduced_closes_that_are_under_way_are_added_up(tmp_path: Path) -> None:
    async with a_proxy(tmp_path) as place:
        async with a_client(place) as client, a_client(place) as other:
            account = place.server.account_id
            await client.log_in(place.server)
            await other.log_in(place.server)
            position = (await client.ask(an_order(place.server, volume=300_000), "1")).position.positionId
            await client.answer("1")
            await other.ask(oa.ProtoOAReconcileReq(ctidTraderAccountId=account), "2")
            halts.halt(tmp_path, Environment.DEMO, why="enough", who="a test", at_ms=1, mode=Mode.REDUCE_ONLY)
            with place.server.faults.inject(faults.Deafness("ProtoOAClosePositionReq")):
                await client.stream.send(client.frame(a_close(account, position, 200_000), "3"))
                for each in (client, other):
                    refused = await each.ask(a_close(account, position, 200_000), "4")
                    assert "200000 are being closed already: 100000 are left" in refused.description
                    assert refused.errorCode == "TRADING_NOT_ALLOWED"
        async with a_client(place) as client:  # whoever never got an answer is gone, and the list tells what is left
            await client.log_in(place.server)
            held = await client.ask(oa.ProtoOAReconcileReq(ctidTraderAccountId=account), "1")
            assert [each.tradeData.volume for each in held.position] == [300_000]
            assert isinstance(await client.ask(a_close(account, position, 200_000), "2"), oa.ProtoOAExecutionEvent)
    refusals = [line for line in place.audit() if line["fact"] == "refused"]
    assert [line["error"] for line in refusals] == ["InvalidOrder"] * 2


async def test_where_it_may_only_be_reduced_no_amendment_loosens_what_another_under_way_sets(tmp_path: Path) -> None:
    async with a_proxy(tmp_path) as place, a_client(place) as other:
        account = place.server.account_id

        def amend(**levels: float) -> Any:
            return oa.ProtoOAAmendPositionSLTPReq(ctidTraderAccountId=account, positionId=position, **levels)

        await other.log_in(place.server)
        place.server.set_price(1, bid=119_500, ask=119_510)
        position = (await other.ask(an_order(place.server), "1")).position.positionId
        await other.answer("1")
        halts.halt(tmp_path, Environment.DEMO, why="enough", who="a test", at_ms=1, mode=Mode.REDUCE_ONLY)
        unread = await other.ask(amend(stopLoss=1.17), "unread")  # what it was told of it may lack an event
        assert "ask for ProtoOAReconcileReq, and amend within" in unread.description
        read = oa.ProtoOAReconcileReq(ctidTraderAccountId=account)
        await other.ask(read, "read")
        async with a_client(place) as client:
            await client.log_in(place.server)
            await client.ask(oa.ProtoOAReconcileReq(ctidTraderAccountId=account), "2")
            with place.server.faults.inject(faults.Deafness("ProtoOAAmendPositionSLTPReq")):
                await client.stream.send(client.frame(amend(stopLoss=1.19), "3"))
                for asking in (client, other):  # the same client first: only then is the other one's told of it, too
                    removing = (await asking.ask(amend(takeProfit=1.21), "4")).description
                    assert "another amendment of position" in removing
                    assert "it would remove the stop loss at 1.19" in removing
                assert "from 1.19 away, to 1.18" in (await client.ask(amend(stopLoss=1.18), "5")).description
        while not isinstance(await other.ask(amend(stopLoss=1.18), "6"), oa.ProtoOAExecutionEvent):
            await other.ask(
                read, "again"
            )  # until the proxy has noticed that the client is gone, with what was never answered
        for stop_loss in (1.19, 1.191):  # what is answered is in the books
            await other.ask(read, f"read {stop_loss}")
            assert isinstance(await other.ask(amend(stopLoss=stop_loss), f"{stop_loss}"), oa.ProtoOAExecutionEvent)
        assert "from 1.191 away, to 1.19" in (await other.ask(amend(stopLoss=1.19), "7")).description
        assert "another" not in (await other.ask(amend(stopLoss=1.19), "8")).description


async def test_accounts_of_the_other_environment_and_unknown_ones_are_refused(tmp_path: Path) -> None:
    async with a_proxy(tmp_path) as place, a_client(place) as client:
        await client.log_in(place.server)
        foreign = next(each.account_id for each in place.server.accounts if each.is_live)
        for account in (foreign, 77):
            error = await client.ask(oa.ProtoOATraderReq(ctidTraderAccountId=account), f"t{account}")
            assert error.errorCode == "ACCOUNT_NOT_AUTHORIZED"
        auth = oa.ProtoOAAccountAuthReq(ctidTraderAccountId=foreign, accessToken=place.server.access_token)
        assert "is live" in (await client.ask(auth, "a")).description
        assert place.server.seen.names().count("ProtoOAAccountAuthReq") == 1


@pytest.mark.parametrize("codec", ["protobuf", "json"])
async def test_what_cannot_be_read_does_not_pass_toward_live(tmp_path: Path, codec: str) -> None:
    spoilt = (
        [b"\x08\xba\x10\x12\x02\xff\xff\x1a\x01x", b"garbage"]
        if codec == "protobuf"
        else [
            b'{"payloadType":2106,"payload":{"volume":"x"},"clientMsgId":"x"}',
            b"garbage",
            b'{"payloadType":2106,"payloadType":2104,"clientMsgId":"x"}',
            b'{"payloadType":2104,"PayloadType":2106,"clientMsgId":"x"}',
        ]
    )
    async with a_proxy(tmp_path, Host.LIVE, codec=codec) as place, a_client(place) as client:
        await client.log_in(place.server)
        before = place.server.seen.total
        for body in spoilt:
            await client.stream.send(encode_frame(body))
            error = await client.answer("x" if b"garbage" not in body else None)
            assert isinstance(error, oa.ProtoOAErrorRes)
        unknown: Any = b"abc" if codec == "protobuf" else {"a": 1}
        error = await client.ask(UnknownPayload(9999, unknown), "u")
        assert error.errorCode in ("TRADING_NOT_ALLOWED", "UNSUPPORTED_MESSAGE")
        assert (await client.ask(oa.ProtoOAVersionReq(), "after")).version
        arrived = list(place.server.seen)[-(place.server.seen.total - before) :]
        assert [each.name for each in arrived] == ["ProtoOAVersionReq"]


async def test_nor_while_live_may_be_traded(tmp_path: Path) -> None:
    async with a_proxy(tmp_path, Host.LIVE, live_enabled=True) as place, a_client(place) as client:
        await client.log_in(place.server)
        await client.stream.send(encode_frame(b"\x08\xba\x10\x12\x02\xff\xff\x1a\x01x"))
        assert "does not go to live" in (await client.answer("x")).description


TWO_READINGS = [
    b'{"payloadType":2106,"payload":{},"payloadType":2104,"payload":{},"clientMsgId":"x"}',
    b'{"payloadType":2104,"payload":{"payloadType":2104,"payloadType":2104},"clientMsgId":"x"}',
    b'{"PayloadType":2106,"payloadType":2104,"clientMsgId":"x"}',
]


@pytest.mark.parametrize("body", TWO_READINGS)
async def test_json_with_two_readings_is_no_read_though_live_may_be_traded(tmp_path: Path, body: bytes) -> None:
    async with a_proxy(tmp_path, Host.LIVE, codec="json", live_enabled=True) as place, a_client(place) as client:
        await client.log_in(place.server)
        await client.stream.send(encode_frame(body))
        assert "does not go to live" in (await client.answer("x")).description
        assert "ProtoOAVersionReq" not in place.server.seen.names()
    assert [line["fact"] for line in place.audit() if line.get("request") == "undecoded"] == ["refused"]


@pytest.mark.parametrize("body", TWO_READINGS)
async def test_json_with_two_readings_passes_on_demo_on_record_only(tmp_path: Path, body: bytes) -> None:
    async with a_proxy(tmp_path, codec="json") as place, a_client(place) as client:
        await client.log_in(place.server)
        await client.stream.send(encode_frame(body))
        await client.answer("x")
    assert [line["fact"] for line in place.audit() if line.get("request") == "undecoded"] == ["intent", "sent"]


async def test_on_demo_they_pass_while_everything_may_and_are_on_record(tmp_path: Path) -> None:
    async with a_proxy(tmp_path) as place, a_client(place) as client:
        await client.log_in(place.server)
        await client.stream.send(encode_frame(b"\x08\xba\x10\x12\x02\xff\xff\x1a\x01x"))
        assert "anyctrader" not in (await client.answer("x")).description
    assert [line["fact"] for line in place.audit() if line.get("request") == "undecoded"] == ["intent", "sent"]


async def test_a_reply_of_ours_waits_until_the_server_s_frame_is_whole(tmp_path: Path) -> None:
    from ..session.peer import Peer, listening

    peer = Peer()
    async with listening(peer, tmp_path) as endpoint, open_audit(tmp_path) as audit:
        credentials = Credentials(Environment.LIVE, client_id="a", client_secret="b", access_token="c", account_id=1)
        part = EnvironmentSettings(Environment.LIVE, credentials, endpoint=endpoint)
        proxy = Proxy(part, audit=audit, halts=tmp_path)

        async def serve(visitor: Visitor) -> None:
            await proxy.serve(visitor.stream, transport=visitor.transport, said=visitor.said)

        async with open_door(Address("127.0.0.1", 0), serve) as door:
            stream = await open_stream(Endpoint(door.host, door.port, door.ca_file), deadline_s=10)
            client = Client(stream, "protobuf")
            await stream.send(client.frame(oa.ProtoHeartbeatEvent()))
            await peer.until(lambda: peer._stream is not None)
            whole = client.frame(oa.ProtoOAVersionRes(version="91"), "v")
            await peer.say_bytes(whole[:7])
            got = await stream.receive()
            assert got == whole[:7]
            await stream.send(client.frame(oa.ProtoOANewOrderReq(**(ORDER | {"ctidTraderAccountId": 1})), "o"))
            await anyio.wait_all_tasks_blocked()
            await peer.say_bytes(whole[7:])
            list(client.decoder.feed(got))
            assert (await client.answer("v")).version == "91"
            assert isinstance(await client.answer("o"), oa.ProtoOAErrorRes)
            await stream.aclose()


async def test_either_side_ends_the_other(tmp_path: Path) -> None:
    async with a_proxy(tmp_path) as place:
        async with a_client(place) as client:
            await client.log_in(place.server)
            place.server.drop_clients()
            with pytest.raises(LinkLost), anyio.fail_after(10):  # noqa: PT012
                while True:
                    await client.stream.receive()
        async with a_client(place) as client:
            await client.log_in(place.server)
        with anyio.fail_after(10):
            while place.server.clients or len(place.seen.reasons) < 2:  # noqa: ASYNC110
                await anyio.sleep(0.01)
    assert "client ended" in place.seen.reasons[1]


async def test_an_order_that_is_not_answered_has_an_unknown_outcome_on_record(tmp_path: Path) -> None:
    from anyctrader.fake import faults

    async with a_proxy(tmp_path) as place:
        async with a_client(place) as client:
            await client.log_in(place.server)
            with place.server.faults.inject(faults.Unanswering("ProtoOAExecutionEvent")):
                await client.stream.send(client.frame(an_order(place.server), "1"))
                await place.server.wait_for("ProtoOANewOrderReq")
        with anyio.fail_after(10):
            while not place.seen.reasons:  # noqa: ASYNC110
                await anyio.sleep(0.01)
    facts = [line["fact"] for line in place.audit() if line.get("request") == "ProtoOANewOrderReq"]
    assert facts == ["intent", "sent", "outcome_unknown"]


async def test_a_server_that_cannot_be_reached_ends_its_client(tmp_path: Path) -> None:
    async with a_proxy(tmp_path) as place:
        part = EnvironmentSettings(
            Environment.DEMO, credentials_of(place.server), endpoint=Endpoint("127.0.0.1", place.server.port)
        )  # its authority is not named: the certificate is a stranger's
        seen = Seen()
        proxy = Proxy(part, audit=None, halts=tmp_path, onlooker=seen)
        failures: list[str] = []

        async def serve(visitor: Visitor) -> None:
            try:
                await proxy.serve(visitor.stream, transport=visitor.transport, said=visitor.said)
            except ConnectFailed as error:
                failures.append(str(error))

        async with open_door(Address("127.0.0.1", 0), serve) as door:
            stream = await open_stream(Endpoint(door.host, door.port, door.ca_file), deadline_s=10)
            await stream.send(Client(stream, "protobuf").frame(oa.ProtoHeartbeatEvent()))
            with pytest.raises(LinkLost), anyio.fail_after(10):
                await stream.receive()
            await stream.aclose()
        assert "not trusted" in failures[0]
        assert seen.reasons == failures
