"""Several accounts at once, of all kinds, on one token: docs/protocol.md sections 0, 7, 10 and 13."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest

from anyctrader.fake import AccountSettings, Delays, FakeServer, FakeServerFailed, ServerSettings, TokenScope
from anyctrader.proto import schema as oa

from .quick import QUICK
from .raw_client import Answer, RawClient, connected

pytestmark = pytest.mark.anyio

HEDGED, NETTED, EURO, CLOSE_ONLY, LIVE = 11, 12, 13, 14, 15
FILLED = oa.ProtoOAExecutionType.ORDER_FILLED


def account(account_id: int, **settings: Any) -> AccountSettings:
    return AccountSettings(account_id=account_id, trader_login=account_id + 100, **settings)


def settings() -> ServerSettings:
    accounts = (
        account(HEDGED),
        account(NETTED, account_type=oa.ProtoOAAccountType.NETTED),
        account(EURO, deposit_asset="EUR", leverage_cents=3_000),
        account(CLOSE_ONLY, access_rights=oa.ProtoOAAccessRights.CLOSE_ONLY),
        account(LIVE, is_live=True),
    )
    return replace(QUICK, exchange=replace(QUICK.exchange, accounts=accounts, delays=Delays.none()))


def order(account_id: int, side: int) -> oa.ProtoOANewOrderReq:
    return oa.ProtoOANewOrderReq(
        ctidTraderAccountId=account_id,
        symbolId=1,
        orderType=oa.ProtoOAOrderType.MARKET,
        tradeSide=oa.ProtoOATradeSide(side),
        volume=100_000,
    )


async def trade(client: RawClient, account_id: int, side: int) -> Answer:
    """A market order, and how it ended."""
    await client.send(order(account_id, side), f"{account_id} {side}")
    return await client.until(lambda answer: answer.name == "ProtoOAOrderErrorEvent" or answer.executionType == FILLED)


async def test_accounts_of_all_kinds_trade_on_one_token_each_in_its_own_way() -> None:
    async with FakeServer(settings()) as server, connected(server) as client:
        server.set_price(1, bid=120_000, ask=120_010)
        await client.authorise_app(server)
        listed = await client.ask(oa.ProtoOAGetAccountListByAccessTokenReq(accessToken=server.access_token))
        assert [(each.ctidTraderAccountId, each.isLive) for each in listed.ctidTraderAccount] == [
            (HEDGED, False),
            (NETTED, False),
            (EURO, False),
            (CLOSE_ONLY, False),
            (LIVE, True),
        ]
        open_positions = {}
        margins = {}
        for account_id in (HEDGED, NETTED, EURO):
            assert (await client.authorise_account(server, account_id)).name == "ProtoOAAccountAuthRes"
            bought, sold = await trade(client, account_id, 1), await trade(client, account_id, 2)
            assert {bought.ctidTraderAccountId, sold.ctidTraderAccountId} == {account_id}
            state = await client.ask(oa.ProtoOAReconcileReq(ctidTraderAccountId=account_id))
            open_positions[account_id] = len(state.position)
            margins[account_id] = bought.position.usedMargin
        assert open_positions == {HEDGED: 2, NETTED: 0, EURO: 2}
        assert margins == {HEDGED: 1_200, NETTED: 1_200, EURO: 3_333}  # 1,000 EUR at 1.2 through 100, and through 30
        await client.authorise_account(server, CLOSE_ONLY)
        assert (await trade(client, CLOSE_ONLY, 1)).errorCode == "TRADING_NOT_ALLOWED"
        assert (await client.authorise_account(server, LIVE)).errorCode == "CANT_ROUTE_REQUEST"


async def test_what_happens_on_an_account_is_told_to_those_who_hold_it_and_to_nobody_else() -> None:
    async with FakeServer(settings()) as server:
        async with connected(server) as trader, connected(server, "json") as witness, connected(server) as other:
            await trader.authorise(server, HEDGED)
            await witness.authorise(server, HEDGED)
            await other.authorise(server, NETTED)
            await trade(trader, HEDGED, 1)
            seen = await witness.until(lambda answer: answer.executionType == FILLED)
            assert seen.ctidTraderAccountId == HEDGED
            await other.send(oa.ProtoOAVersionReq(), "fence")
            assert (await other.receive()).id == "fence"


async def test_a_token_to_view_reads_beside_one_to_trade() -> None:
    async with FakeServer(settings()) as server, connected(server) as trader, connected(server) as viewer:
        await trader.authorise(server, HEDGED)
        user = 2  # another user's consent: a second one of the same would end the first
        view = server.grant(scope=TokenScope.VIEW, account_ids=[HEDGED], user_id=user)
        await viewer.authorise_app(server)
        auth = oa.ProtoOAAccountAuthReq(ctidTraderAccountId=HEDGED, accessToken=view.access_token)
        assert (await viewer.ask(auth)).name == "ProtoOAAccountAuthRes"
        assert (await trade(viewer, HEDGED, 1)).errorCode == "TRADING_NOT_ALLOWED"
        filled = await trade(trader, HEDGED, 1)
        watched = await viewer.until(lambda answer: answer.executionType == FILLED)
        assert watched.deal.dealId == filled.deal.dealId


async def test_a_fault_of_the_fakes_own_is_answered_survived_and_said_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = FakeServer(settings())
    told: list[Answer] = []

    async def visit() -> None:
        async with server, connected(server) as client:
            await client.authorise(server, HEDGED)
            with monkeypatch.context() as broken:
                broken.setattr(server.exchange, "handle", lambda *given, **more: 1 // 0)
                told.append(await client.ask(oa.ProtoOATraderReq(ctidTraderAccountId=HEDGED)))
            told.append(await client.ask(oa.ProtoOATraderReq(ctidTraderAccountId=HEDGED)))

    with anyio.fail_after(20), pytest.raises(FakeServerFailed, match="ZeroDivisionError"):
        await visit()
    assert [answer.name for answer in told] == ["ProtoOAErrorRes", "ProtoOATraderRes"]
    assert told[0].errorCode == "UNKNOWN_ERROR"
