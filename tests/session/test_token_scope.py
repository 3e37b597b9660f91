"""What the access token may do: view scope forces the mode off, whatever the settings say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import FakeServer, Host
from anyctrader.fake.tokens import TokenScope
from anyctrader.session import (
    Desk,
    Environment,
    LimitOrder,
    LiveTradingDisabled,
    MarketOrder,
    Mode,
    PositionAmendment,
    Refused,
    SessionState,
    Side,
    open_desk,
)
from anyctrader.session.gate import Gate
from anyctrader.wire import messages as oa

from .rig import a_desk, a_server, audit_of, credentials_of, desk_settings, environment_of, ready_again, side_of

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
TRADES = ("NewOrder", "CancelOrder", "AmendOrder", "AmendPositionSLTP", "ClosePosition")


def viewing(server: FakeServer, **given: Any) -> Any:
    """Credentials whose token may only look."""
    grant = server.grant(scope=TokenScope.VIEW)
    return credentials_of(server, access_token=grant.access_token, **given)


def traded(server: FakeServer) -> list[str]:
    return [name for name in server.seen.names() if any(trade in name for trade in TRADES)]


CALLS: dict[str, Callable[[Desk, Environment], Awaitable[Any]]] = {
    "open": lambda desk, where: desk.place(where, MarketOrder("EURUSD", Side.BUY, lots="0.01")),
    "pending": lambda desk, where: desk.place(where, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.1")),
    "close": lambda desk, where: desk.close(where, 1),
    "cancel": lambda desk, where: desk.cancel(where, 1),
    "amend": lambda desk, where: desk.amend(where, PositionAmendment(1, stop_loss="1.1")),
    "raw cancel": lambda desk, where: desk.account(where).request(oa.ProtoOACancelOrderReq(orderId=1)),
    "raw open": lambda desk, where: desk.account(where).request(
        oa.ProtoOANewOrderReq(symbolId=1, orderType=1, tradeSide=1, volume=100_000)
    ),
}


@pytest.mark.parametrize("host", Host)
async def test_a_token_that_may_only_look_forces_the_mode_off_for_every_call(tmp_path: Path, host: Host) -> None:
    async with a_server(host) as server:
        where = environment_of(server)
        side = side_of(server, credentials=viewing(server), live_enabled=host.is_live)
        async with open_desk(desk_settings(tmp_path, side)) as desk:
            assert desk.session(where).state is SessionState.READY
            assert desk.mode(where) is Mode.OFF
            assert "view scope" in desk.why(where)
            for call in CALLS.values():
                with pytest.raises(LiveTradingDisabled if host.is_live else Refused, match="view scope"):
                    await call(desk, where)
            await desk.flush()
        assert traded(server) == []
    refused = [line for line in audit_of(tmp_path) if line["fact"] == "refused"]
    assert len(refused) == len(CALLS)
    assert all("view scope" in line["reason"] for line in refused)
    assert f" {where.value} token_scope mode=off " in (tmp_path / f"{where.value}_connection.log").read_text()


async def test_a_token_with_trade_scope_leaves_the_settings_mode(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (_, desk):
        assert desk.mode(DEMO) is Mode.ON


async def test_other_credentials_are_judged_anew(tmp_path: Path) -> None:
    async with a_server() as server:
        async with open_desk(desk_settings(tmp_path, side_of(server, credentials=viewing(server)))) as desk:
            session = desk.session(DEMO)
            for scope, mode in ((TokenScope.TRADE, Mode.ON), (TokenScope.VIEW, Mode.OFF)):
                given = credentials_of(server, access_token=server.grant(scope=scope).access_token)
                with anyio.fail_after(10):
                    await ready_again(session, links=lambda given=given: session.resume(given))
                assert desk.mode(DEMO) is mode


async def test_a_pair_that_is_renewed_on_the_same_link_is_judged_before_its_account_is_back(tmp_path: Path) -> None:
    async with a_server() as server:
        grant = server.grant(scope=TokenScope.TRADE)
        given = credentials_of(server, access_token=grant.access_token, refresh_token=grant.refresh_token)
        settings = replace(desk_settings(tmp_path / "logs", side_of(server, credentials=given)), token_folder=tmp_path)
        async with open_desk(settings) as desk:
            session, link = desk.session(DEMO), desk.session(DEMO).link
            before = server.seen.names().count("ProtoOAGetAccountListByAccessTokenReq")
            async with session.changes() as changes:
                access = session._supervisor._access
                assert access.renewal is not None
                assert link is not None
                await access.renewal.ask(link)
                with anyio.fail_after(10):
                    states = [SessionState.READY]
                    while states[-1] is not SessionState.READY or SessionState.RESTORING not in states:
                        states.append((await anext(changes)).state)
            assert session.link is link
            names = server.seen.names()
    assert names.count("ProtoOAGetAccountListByAccessTokenReq") == before + 1
    renewed = names[names.index("ProtoOARefreshTokenReq") :]
    assert renewed.index("ProtoOAGetAccountListByAccessTokenReq") < renewed.index("ProtoOAAccountAuthReq")


def test_a_scope_that_the_server_leaves_out_forbids_nothing() -> None:
    gate = Gate(DEMO, mode=Mode.ON, audit=None)
    for scope, mode in ((None, Mode.ON), (0, Mode.OFF), (1, Mode.ON), (0, Mode.OFF), (None, Mode.ON)):
        gate.take_list(oa.ProtoOAGetAccountListByAccessTokenRes(accessToken="t", permissionScope=scope))
        assert gate.standing().mode is mode
