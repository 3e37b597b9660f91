"""A message of a type that the schema does not know, or that nobody can read, gets past no limit through the proxy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from anyctrader.fake import Host
from anyctrader.fake.observations import UNDECODED
from anyctrader.session import Environment, Limits, Mode
from anyctrader.session import halt as halts
from anyctrader.wire import UnknownPayload, encode_frame
from anyctrader.wire import messages as oa

from ..session.writing import NO_TYPES, UNKNOWN
from .test_proxy import Client, Place, a_client, a_proxy

pytestmark = pytest.mark.anyio

NEWER = 2199
DEMO = Environment.DEMO
SET = replace(Limits.standard(DEMO), orders_per_minute=60)
UNREADABLE = {
    "protobuf": b"\x08\xba\x10\x12\x02\xff\xff\x1a\x01x",
    "json": b'{"payloadType":2106,"payload":{},"payloadType":2104,"clientMsgId":"x"}',
}


def newer_order(place: Place, payload_type: int) -> UnknownPayload:
    """What a newer server may take for an order of ten lots."""
    fields = {"ctidTraderAccountId": place.server.account_id, "symbolId": 1, "volume": 10**8}
    order = oa.ProtoOANewOrderReq(**fields)
    return UnknownPayload(payload_type, order.SerializePartialToString() if place.codec == "protobuf" else fields)


async def taken_out(client: Client, place: Place, payload_type: int = NEWER) -> Any:
    """The proxy's own answer to a message of this type."""
    client_msg_id = f"of type {payload_type}"
    error = await client.ask(newer_order(place, payload_type), client_msg_id)
    assert isinstance(error, oa.ProtoOAErrorRes)
    assert "anyctrader proxy: " in error.description
    assert "was not passed on" in error.description
    return error


def strange(place: Place) -> list[str]:
    """What has come to the server that its schema does not know."""
    return [name for name in place.server.seen.names() if name == UNDECODED or name.startswith("Unknown(")]


@pytest.mark.parametrize("codec", ["protobuf", "json"])
async def test_none_goes_to_live_though_it_may_be_traded(tmp_path: Path, codec: str) -> None:
    async with a_proxy(tmp_path, Host.LIVE, codec=codec, live_enabled=True) as place, a_client(place) as client:
        await taken_out(client, place)  # before anybody is authorised, too
        await client.log_in(place.server)
        for payload_type in UNKNOWN:
            error = await taken_out(client, place, payload_type)
            assert "does not go to live, whatever the mode" in error.description
            assert error.errorCode == "UNSUPPORTED_MESSAGE"
        assert (await client.ask(oa.ProtoOAVersionReq(), "after")).version
        assert strange(place) == []
    refused = [line["request"] for line in place.audit() if line["fact"] == "refused"]
    assert refused == [f"Unknown({payload_type})" for payload_type in (NEWER, *UNKNOWN)]


async def test_no_number_that_is_no_payload_type_goes_to_live_as_json(tmp_path: Path) -> None:
    async with a_proxy(tmp_path, Host.LIVE, codec="json", live_enabled=True) as place, a_client(place) as client:
        await client.log_in(place.server)
        for written in (*map(str, NO_TYPES), '"2106 "', "2106.0", "true", "null", "[2106]", "1e3"):
            await client.stream.send(encode_frame(b'{"payloadType":%s,"clientMsgId":"x"}' % written.encode()))
            assert "does not go to live" in (await client.answer(None)).description, written
        assert (await client.ask(oa.ProtoOAVersionReq(), "after")).version
        assert strange(place) == []


async def test_a_number_that_protobuf_would_cut_to_that_of_an_order_is_one_that_nobody_can_read(tmp_path: Path) -> None:
    order = oa.ProtoOANewOrderReq(ctidTraderAccountId=1, symbolId=1, orderType=1, tradeSide=1, volume=10**8)
    payload = order.SerializeToString()
    longer = b"\x08\xba\x90\x80\x80\x10"  # 2**32 + 2106, of which a uint32 keeps 2106
    body = longer + b"\x12" + bytes((len(payload),)) + payload + b"\x1a\x01x"
    async with a_proxy(tmp_path, Host.LIVE, live_enabled=True) as place, a_client(place) as client:
        await client.log_in(place.server)
        await client.stream.send(encode_frame(body))
        assert "does not go to live" in (await client.answer(None)).description
        assert "ProtoOANewOrderReq" not in place.server.seen.names()


@pytest.mark.parametrize("codec", ["protobuf", "json"])
async def test_none_goes_to_demo_where_a_limit_is_set_or_it_may_only_be_reduced(tmp_path: Path, codec: str) -> None:
    async with a_proxy(tmp_path, codec=codec, limits=SET) as place, a_client(place) as client:
        await client.log_in(place.server)
        error = await taken_out(client, place)
        assert "limits are set for demo (orders_per_minute)" in error.description
        assert error.errorCode == "TRADING_NOT_ALLOWED"
        await client.stream.send(encode_frame(UNREADABLE[codec]))
        assert "limits are set for demo" in (await client.answer("x")).description
        for mode in (Mode.REDUCE_ONLY, Mode.OFF):
            halts.halt(tmp_path, DEMO, why="enough", who="a test", at_ms=1, mode=mode)
            assert "enough" in (await taken_out(client, place)).description
        assert (await client.ask(oa.ProtoOAVersionReq(), "after")).version
        assert strange(place) == []
    facts = [(line["fact"], line["request"]) for line in place.audit() if line.get("request")]
    of_newer = ("refused", "Unknown(2199)")
    assert facts == [of_newer, ("refused", "undecoded"), of_newer, of_newer]


@pytest.mark.parametrize("codec", ["protobuf", "json"])
async def test_on_demo_without_limits_it_passes_unchanged_and_on_record(tmp_path: Path, codec: str) -> None:
    async with a_proxy(tmp_path, codec=codec) as place, a_client(place) as client:
        await client.log_in(place.server)
        error = await client.ask(newer_order(place, NEWER), "x")
        assert "anyctrader" not in error.description, "the server's own word"
        assert strange(place) == ["Unknown(2199)"]
    facts = [line["fact"] for line in place.audit() if line.get("request") == "Unknown(2199)"]
    assert facts[:2] == ["intent", "sent"]


def test_the_unreadable_ones_are_unreadable() -> None:
    assert orjson.loads(UNREADABLE["json"])["payloadType"] == 2104, "to us; to others it is an order"
