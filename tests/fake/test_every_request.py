"""Each of the 40 published requests, rightly asked, gets its own answer: a day in the life of an account.

Sections 7, 9 and 10 to 13 of docs/protocol.md, over real TLS, in both flavours.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from anyctrader.fake import Delays, FakeServer, Limits
from anyctrader.proto import schema as oa

from .quick import QUICK
from .raw_client import Answer, RawClient, connected

pytestmark = pytest.mark.anyio

SETTINGS = replace(
    QUICK,
    exchange=replace(QUICK.exchange, delays=Delays.none()),
    limits=Limits(ordinary_per_window=100, historical_per_window=20),  # the whole day takes less than a second
    strict=True,
    clock_ms=1_790_000_000_000,
)
EURUSD, BID, ASK = 1, 120_000, 120_010


class Day:
    """A connection that asks, and remembers what it has asked."""

    def __init__(self, server: FakeServer, client: RawClient) -> None:
        self.server = server
        self.client = client
        self.asked: set[str] = set()

    async def ask(self, name: str, expected: str | None = None, /, **fields: Any) -> Answer:
        """A request, and its answer, which is of this kind: by default the response of the same name."""
        cls = getattr(oa, f"ProtoOA{name}Req")
        if "ctidTraderAccountId" in cls.DESCRIPTOR.fields_by_name:
            fields.setdefault("ctidTraderAccountId", self.server.account_id)
        answer = await self.client.ask(cls(**fields))
        assert answer.name == f"ProtoOA{expected or name + 'Res'}", answer
        self.asked.add(cls.__name__)
        return answer

    async def order(self, name: str, /, **fields: Any) -> Answer:
        """A request whose answer is an execution event; the one that is its outcome."""
        first = await self.ask(name, "ExecutionEvent", **fields)
        if first.order.orderType != oa.ProtoOAOrderType.MARKET or name != "NewOrder":
            return first
        return await self.client.until(lambda answer: answer.executionType == oa.ProtoOAExecutionType.ORDER_FILLED)


async def test_every_published_request_gets_its_own_answer(flavour: str) -> None:
    async with FakeServer(SETTINGS) as server, connected(server, flavour) as client:
        server.set_price(EURUSD, bid=BID, ask=ASK)
        day = Day(server, client)
        await begin(day)
        await look_around(day)
        await listen(day)
        position_id, order_id = await trade(day)
        await look_back(day, position_id, order_id)
        await end(day)
        published = {name for name in oa.MESSAGES if name.startswith("ProtoOA") and name.endswith("Req")}
        assert len(published) == 40
        assert day.asked == published


@pytest.fixture(params=["protobuf", "json"])
def flavour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def begin(day: Day) -> None:
    server = day.server
    assert (await day.ask("Version")).version == "91"
    await day.ask("ApplicationAuth", clientId=server.client_id, clientSecret=server.client_secret)
    listed = await day.ask("GetAccountListByAccessToken", accessToken=server.access_token)
    assert [account.ctidTraderAccountId for account in listed.ctidTraderAccount] == [1_000_001, 1_000_002]
    assert (await day.ask("GetCtidProfileByToken", accessToken=server.access_token)).profile.userId == 1
    auth = await day.ask("AccountAuth", accessToken=server.access_token)
    assert auth.ctidTraderAccountId == server.account_id


async def look_around(day: Day) -> None:
    assets = {asset.name: asset.assetId for asset in (await day.ask("AssetList")).asset}
    (forex,) = [one for one in (await day.ask("AssetClassList")).assetClass if one.name == "Forex"]
    categories = (await day.ask("SymbolCategoryList")).symbolCategory
    assert forex.id in {category.assetClassId for category in categories}
    assert [symbol.symbolName for symbol in (await day.ask("SymbolsList")).symbol] == ["EURUSD", "GBPUSD"]
    (symbol,) = (await day.ask("SymbolById", symbolId=[EURUSD])).symbol
    assert (symbol.digits, symbol.lotSize, symbol.minVolume) == (5, 10_000_000, 100_000)
    chain = await day.ask("SymbolsForConversion", firstAssetId=assets["EUR"], lastAssetId=assets["GBP"])
    assert [symbol.symbolName for symbol in chain.symbol] == ["EURUSD", "GBPUSD"]
    assert (await day.ask("GetDynamicLeverageByID", leverageId=symbol.leverageId)).leverage.tiers
    trader = (await day.ask("Trader")).trader
    assert (trader.balance, trader.moneyDigits, trader.leverageInCents) == (1_000_000, 2, 10_000)
    (margin,) = (await day.ask("ExpectedMargin", symbolId=EURUSD, volume=[100_000])).margin
    assert margin.buyMargin == 1_200  # 1,000 EUR at 1.2, 1:100
    calls = (await day.ask("MarginCallList")).marginCall
    assert [call.marginCallType for call in calls] == [61, 62, 63]
    moved = oa.ProtoOAMarginCall(marginCallType=oa.ProtoOANotificationType(61), marginLevelThreshold=90)
    await day.ask("MarginCallUpdate", marginCall=moved)
    assert (await day.client.until("ProtoOAMarginCallUpdateEvent")).marginCall.marginLevelThreshold == 90


async def listen(day: Day) -> None:
    client = day.client
    await day.ask("SubscribeSpots", symbolId=[EURUSD])
    assert (await client.until("ProtoOASpotEvent")).bid == BID
    await day.ask("SubscribeLiveTrendbar", symbolId=EURUSD, period=oa.ProtoOATrendbarPeriod.M1)
    assert (await client.until("ProtoOASpotEvent")).trendbar
    await day.ask("SubscribeDepthQuotes", symbolId=[EURUSD])
    assert (await client.until("ProtoOADepthEvent")).newQuotes
    await day.ask("UnsubscribeDepthQuotes", symbolId=[EURUSD])
    await day.ask("UnsubscribeLiveTrendbar", symbolId=EURUSD, period=oa.ProtoOATrendbarPeriod.M1)
    await day.ask("UnsubscribeSpots", symbolId=[EURUSD])


async def trade(day: Day) -> tuple[int, int]:
    order = {"symbolId": EURUSD, "tradeSide": oa.ProtoOATradeSide.BUY, "volume": 100_000}
    opened = await day.order("NewOrder", orderType=oa.ProtoOAOrderType.MARKET, **order)
    position_id, order_id = opened.position.positionId, opened.order.orderId
    assert (opened.deal.executionPrice, opened.position.positionStatus) == (ASK / 100_000, 1)
    amended = await day.order("AmendPositionSLTP", positionId=position_id, stopLoss=1.19)
    assert amended.position.stopLoss == 1.19
    (profit,) = (await day.ask("GetPositionUnrealizedPnL")).positionUnrealizedPnL
    assert profit.grossUnrealizedPnL == -10  # 1,000 EUR, a spread of a pip
    pending = await day.order("NewOrder", orderType=oa.ProtoOAOrderType.LIMIT, limitPrice=1.1, **order)
    replaced = await day.order("AmendOrder", orderId=pending.order.orderId, volume=200_000, limitPrice=1.15)
    assert (replaced.order.limitPrice, replaced.order.tradeData.volume) == (1.15, 200_000)
    reconciled = await day.ask("Reconcile", returnProtectionOrders=True)
    assert [position.positionId for position in reconciled.position] == [position_id]
    assert len(reconciled.order) == 2
    cancelled = await day.order("CancelOrder", orderId=pending.order.orderId)
    assert cancelled.executionType == oa.ProtoOAExecutionType.ORDER_CANCELLED
    await day.order("ClosePosition", positionId=position_id, volume=100_000)
    closed = await day.client.until(
        lambda answer: answer.executionType == oa.ProtoOAExecutionType.ORDER_FILLED and answer.id is not None
    )
    assert closed.deal.closePositionDetail.closedVolume == 100_000
    return position_id, order_id


async def look_back(day: Day, position_id: int, order_id: int) -> None:
    now_ms = day.server.now_ms
    last, first = (await day.ask("DealList")).deal
    assert (first.orderId, last.positionId) == (order_id, position_id)
    assert len((await day.ask("DealListByPositionId", positionId=position_id)).deal) == 2
    assert len((await day.ask("OrderList")).order) == 4  # entry, protection, limit, close
    assert len((await day.ask("OrderListByPositionId", positionId=position_id)).order) == 3
    details = await day.ask("OrderDetails", orderId=order_id)
    assert (details.order.orderId, [deal.dealId for deal in details.deal]) == (order_id, [first.dealId])
    offsets = await day.ask("DealOffsetList", dealId=last.dealId)
    assert [offset.dealId for offset in offsets.offsetting] == [first.dealId]
    server = day.server
    server.deposit(server.account_id, amount=2_500)
    week = {"fromTimestamp": now_ms - 60_000, "toTimestamp": server.now_ms + 60_000}
    flows = (await day.ask("CashFlowHistoryList", **week)).depositWithdraw
    assert [flow.delta for flow in flows] == [1_000_000, 2_500]
    ended = now_ms - now_ms % 3_600_000
    bars = await day.ask(
        "GetTrendbars",
        symbolId=EURUSD,
        period=oa.ProtoOATrendbarPeriod.M1,
        fromTimestamp=ended - 3_600_000,
        toTimestamp=ended - 1,
    )
    assert len(bars.trendbar) == 60
    quotes = {"fromTimestamp": ended - 60_000, "toTimestamp": ended - 1}
    ticks = (await day.ask("GetTickData", symbolId=EURUSD, type=oa.ProtoOAQuoteType.BID, **quotes)).tickData
    bar = bars.trendbar[-1]
    assert (ticks[0].tick, ended - 60_000 <= ticks[0].timestamp < ended) == (bar.low + bar.deltaClose, True)


async def end(day: Day) -> None:
    renewed = await day.ask("RefreshToken", refreshToken=day.server.refresh_token)
    assert renewed.accessToken == day.server.access_token
    await day.client.until("ProtoOAAccountsTokenInvalidatedEvent")
    await day.client.authorise_account(day.server)
    await day.ask("AccountLogout")
    await day.client.until("ProtoOAAccountDisconnectEvent")
