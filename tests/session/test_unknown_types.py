"""What the schema does not know may be an order of a newer kind: it leaves by no way for live, nor past a limit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anyctrader.fake import FakeServer, Host
from anyctrader.fake.observations import UNDECODED
from anyctrader.session import (
    CTraderError,
    Environment,
    LimitExceeded,
    Limits,
    LiveTradingDisabled,
    Mode,
    Rates,
    Refused,
    Session,
    open_audit,
    open_desk,
)
from anyctrader.session import halt as halts
from anyctrader.wire import UnknownPayload
from anyctrader.wire import messages as oa

from .peer import CODEC
from .rig import a_server, audit_of, connected, desk_settings, facts_of, side_of
from .writing import NO_TYPES, READ, UNKNOWN

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
FAST = Rates(ordinary_per_s=100_000)
NEWER = 2199


def newer_order(account_id: int, payload_type: int = NEWER) -> UnknownPayload:
    """What a newer server may take for an order of ten lots."""
    order = oa.ProtoOANewOrderReq(ctidTraderAccountId=account_id, symbolId=1, orderType=1, tradeSide=1, volume=10**8)
    members: Any = {"ctidTraderAccountId": account_id, "symbolId": 1, "volume": 10**8}
    return UnknownPayload(payload_type, order.SerializePartialToString() if CODEC == "protobuf" else members)


def unknown_to_schema(server: FakeServer) -> list[str]:
    """What has come to the server that its schema does not know."""
    return [name for name in server.seen.names() if name == UNDECODED or name.startswith("Unknown(")]


@asynccontextmanager
async def opened(way: str, server: FakeServer, folder: Path, **given: Any) -> AsyncIterator[Session]:
    """A session that may trade, of a desk or of its own, with its account authorised."""
    async with AsyncExitStack() as stack:
        if way == "desk":
            live: dict[str, Any] = {"live_enabled": True} if server.settings.host.is_live else {}
            side = side_of(server, rates=FAST, **live, **given)
            desk = await stack.enter_async_context(open_desk(desk_settings(folder, side)))
            yield desk.session(side.environment)
            return
        audit = await stack.enter_async_context(open_audit(folder))
        session = await stack.enter_async_context(connected(server, trading=Mode.ON, audit=audit, rates=FAST, **given))
        await session.authorize(server.account_id)
        yield session


@pytest.mark.parametrize("way", ["desk", "connect"])
async def test_none_leaves_for_live_though_it_may_be_traded(tmp_path: Path, way: str) -> None:
    async with a_server(Host.LIVE) as server, opened(way, server, tmp_path) as session:
        account, link = session.authorized[server.account_id], session.link
        assert link is not None
        for payload_type in (*UNKNOWN, *NO_TYPES):
            with pytest.raises(TypeError, match="it names no account"):
                await account.request(newer_order(account.id, payload_type), timeout_s=5)
            for asking in (session.request, link.request):
                with pytest.raises(Refused, match="does not go to live, whatever the mode") as refusal:
                    await asking(newer_order(account.id, payload_type), timeout_s=5)
                assert not isinstance(refusal.value, LiveTradingDisabled), "the flag would not let it out"
        await account.request(READ())  # it would be behind whatever had left
        assert unknown_to_schema(server) == []
    refused = [line["request"] for line in audit_of(tmp_path) if line["fact"] == "refused"]
    assert refused == [f"Unknown({number})" for number in (*UNKNOWN, *NO_TYPES) for _ in range(2)]


@pytest.mark.parametrize("way", ["desk", "connect"])
async def test_none_leaves_for_demo_where_a_limit_is_set(tmp_path: Path, way: str) -> None:
    limits = replace(Limits.standard(DEMO), most_positions=3)
    async with a_server() as server, opened(way, server, tmp_path, limits=limits) as session:
        account, link = session.authorized[server.account_id], session.link
        assert link is not None
        for asking in (session.request, link.request):
            with pytest.raises(LimitExceeded, match=r"limits are set for demo \(most_positions\)"):
                await asking(newer_order(account.id), timeout_s=5)
        await account.request(READ())  # it would be behind whatever had left
        assert unknown_to_schema(server) == []
    assert facts_of(tmp_path, request="Unknown(2199)") == ["refused"] * 2


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.REDUCE_ONLY])
async def test_none_leaves_for_demo_while_it_is_not_on(tmp_path: Path, mode: Mode) -> None:
    async with a_server() as server, opened("connect", server, tmp_path) as session:
        halts.halt(tmp_path, DEMO, why="enough", who="a test", at_ms=1, mode=mode)
        with pytest.raises(Refused, match="enough"):
            await session.request(newer_order(server.account_id), timeout_s=5)
        await session.authorized[server.account_id].request(READ())
        assert unknown_to_schema(server) == []


async def test_on_demo_without_limits_it_leaves_on_record(tmp_path: Path) -> None:
    async with a_server() as server, opened("connect", server, tmp_path) as session:
        with pytest.raises(CTraderError) as told:
            await session.request(newer_order(server.account_id), timeout_s=5)
        assert not isinstance(told.value, Refused), "the server's own word"
        assert unknown_to_schema(server) == ["Unknown(2199)"]
    assert facts_of(tmp_path, request="Unknown(2199)")[:2] == ["intent", "sent"]
