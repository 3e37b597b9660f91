"""Lists of a span, read page by page: nothing is skipped, nothing counts twice, nothing hidden is called absent."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import ExchangeSettings, Variants
from anyctrader.fake.exchange_settings import Delays
from anyctrader.session import Environment, MarketOrder, OrderState, ServerError, Side
from anyctrader.session.history import ListIncomplete, deals_between, orders_between
from anyctrader.wire import messages as oa

from .rig import EURUSD, QUICK, Rewritten, a_desk, audit_of, ready_again
from .test_lagging_lists import unanswered

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
DAY_MS = 86_400_000


@dataclass
class Lists:
    """A server's lists: newest first, cut after a page, refusing bounds that are equal.

    Attributes:
        page: most rows of an answer.
        obliging: whether `maxRows` makes a page longer.
    """

    page: int
    obliging: bool = False
    orders: list[Any] = field(default_factory=list)
    deals: list[Any] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)

    def trade(self, id_: int, at_ms: int, *, changed_ms: int | None = None) -> None:
        """An order that was filled at once, and maybe changed later."""
        data = oa.ProtoOATradeData(symbolId=1, volume=100, tradeSide=1, openTimestamp=at_ms)
        order = oa.ProtoOAOrder(orderId=id_, tradeData=data, orderType=1, orderStatus=2, executedVolume=100)
        order.utcLastUpdateTimestamp = at_ms if changed_ms is None else changed_ms
        deal = oa.ProtoOADeal(
            dealId=id_ + 1_000_000, orderId=id_, positionId=id_, symbolId=1, volume=100, filledVolume=100
        )
        deal.createTimestamp = deal.executionTimestamp = at_ms
        deal.tradeSide, deal.dealStatus = 1, 2
        self.orders.append(order)
        self.deals.append(deal)

    async def ask(self, request: Any) -> Any:
        self.asked.append(request)
        if isinstance(request, oa.ProtoOAOrderDetailsReq):
            (order,) = [order for order in self.orders if order.orderId == request.orderId]
            deals = [deal for deal in self.deals if deal.orderId == request.orderId]
            return oa.ProtoOAOrderDetailsRes(ctidTraderAccountId=1, order=order, deal=deals)
        if request.fromTimestamp >= request.toTimestamp:
            raise ServerError("INCORRECT_BOUNDARIES")
        if isinstance(request, oa.ProtoOAOrderListReq):
            rows, more = self._cut(self.orders, "utcLastUpdateTimestamp", request, self.page)
            return oa.ProtoOAOrderListRes(ctidTraderAccountId=1, order=rows, hasMore=more)
        most = max(self.page, request.maxRows) if self.obliging else self.page
        rows, more = self._cut(self.deals, "executionTimestamp", request, most)
        return oa.ProtoOADealListRes(ctidTraderAccountId=1, deal=rows, hasMore=more)

    @staticmethod
    def _cut(rows: list[Any], name: str, request: Any, most: int) -> tuple[list[Any], bool]:
        fitting = [row for row in rows if request.fromTimestamp <= getattr(row, name) <= request.toTimestamp]
        fitting.sort(key=lambda row: getattr(row, name), reverse=True)
        return fitting[:most], len(fitting) > most


@pytest.mark.parametrize("seed", range(8))
async def test_all_rows_of_a_span_are_found_however_the_pages_fall(seed: int) -> None:
    rnd = random.Random(seed)
    lists: Any = Lists(page=rnd.choice([1, 3, 10]))
    times = rnd.sample(range(DAY_MS, DAY_MS * 20), 30)
    for number, at_ms in enumerate(times):
        lists.trade(number + 1, at_ms)
    since_ms, until_ms = min(times), max(times)
    assert {deal.orderId for deal in await deals_between(lists, since_ms, until_ms)} == set(range(1, 31))
    assert {order.orderId for order in await orders_between(lists, since_ms, until_ms)} == set(range(1, 31))


@pytest.mark.parametrize("obliging", [True, False])
async def test_deals_of_one_millisecond_that_fill_a_page_hide_nothing(obliging: bool) -> None:
    lists: Any = Lists(page=3, obliging=obliging)
    for number in range(1, 9):
        lists.trade(number, 5_000, changed_ms=5_000 + number)
    lists.trade(9, 4_999)
    lists.trade(10, 1_000)
    found = await deals_between(lists, 1_000, 6_000)
    assert sorted(deal.orderId for deal in found) == list(range(1, 11))
    asked_details = any(isinstance(request, oa.ProtoOAOrderDetailsReq) for request in lists.asked)
    assert asked_details is not obliging


async def test_a_list_that_cannot_be_read_to_its_end_is_not_taken_for_whole() -> None:
    lists: Any = Lists(page=3)
    for number in range(1, 9):
        lists.trade(number, 5_000)
    with pytest.raises(match="the millisecond 5000"):
        await orders_between(lists, 1_000, 6_000)
    with pytest.raises(ListIncomplete, match="the millisecond 5000"):
        await deals_between(lists, 1_000, 6_000)


async def test_a_page_that_is_just_full_hides_nothing() -> None:
    lists: Any = Lists(page=3)
    for number in range(1, 4):
        lists.trade(number, 5_000)
    lists.trade(4, 4_998)
    assert len(await orders_between(lists, 1_000, 5_000)) == 4
    assert len(await deals_between(lists, 5_000, 6_000)) == 3


async def test_a_page_that_is_just_full_hides_nothing_where_the_millisecond_before_has_rows() -> None:
    lists: Any = Lists(page=3)
    for number in range(1, 4):
        lists.trade(number, 5_000)
    lists.trade(4, 4_999)
    assert len(await orders_between(lists, 1_000, 6_000)) == 4
    assert len(await deals_between(lists, 1_000, 6_000)) == 4
    assert not any(isinstance(request, oa.ProtoOAOrderDetailsReq) for request in lists.asked)


@pytest.mark.parametrize("more", [[5_001], []], ids=["rows on both sides", "the first millisecond left out"])
async def test_what_may_be_hidden_is_not_taken_for_whole(more: list[int]) -> None:
    class Exclusive(Lists):
        async def ask(self, request: Any) -> Any:
            request.fromTimestamp += request.toTimestamp - request.fromTimestamp == 1
            return await super().ask(request) if request.fromTimestamp < request.toTimestamp else self.none(request)

        def none(self, request: Any) -> Any:
            rows = [row for row in self.orders if row.utcLastUpdateTimestamp == request.toTimestamp]
            return oa.ProtoOAOrderListRes(ctidTraderAccountId=1, order=rows[: self.page], hasMore=len(rows) > self.page)

    lists: Any = Lists(page=3) if more else Exclusive(page=3)
    for number, at_ms in enumerate([5_000] * (3 if more else 4) + [4_999, *more]):
        lists.trade(number + 1, at_ms)
    with pytest.raises(ListIncomplete, match="the millisecond 5000"):
        await orders_between(lists, 1_000, 6_000)


async def test_more_is_said_to_come_and_does_not() -> None:
    class Empty(Lists):
        async def ask(self, request: Any) -> Any:
            self.asked.append(request)
            return oa.ProtoOADealListRes(ctidTraderAccountId=1, hasMore=True)

    lists: Any = Empty(page=1)
    assert await deals_between(lists, 1_000, 6_000) == []
    assert len(lists.asked) == 1


# In a session


def cut_to_one(answer: oa.ProtoOAOrderListRes) -> bool:
    if len(answer.order) < 2:
        return False
    del answer.order[1:]
    answer.hasMore = True
    return True


async def test_an_order_beyond_the_first_page_was_not_never_sent(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=QUICK) as (server, desk):
        await desk.account(DEMO).symbol("EURUSD")
        server.set_price(EURUSD, bid=120_000, ask=120_010)
        order = MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20)
        with server.faults.inject(Rewritten("ProtoOAOrderListRes", cut_to_one)):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(unanswered, server, desk, lambda: desk.place(DEMO, order), "ProtoOANewOrderReq", 1)
                await server.wait_for("ProtoOANewOrderReq")
                await anyio.sleep(0.002)  # in another millisecond, and while nobody listens, its stop is hit
                server.set_price(EURUSD, bid=119_000, ask=119_010)
            (made,) = desk.orders.values()
            with anyio.fail_after(5):
                await made.filled()
            assert made.state is OrderState.FILLED


def empty(answer: oa.ProtoOAOrderListRes) -> None:
    del answer.order[:]


async def test_a_deal_on_record_leads_to_its_order_where_the_list_of_orders_lags(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=QUICK) as (server, desk):
        await desk.account(DEMO).symbol("EURUSD")
        server.set_price(EURUSD, bid=120_000, ask=120_010)
        order = MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20)
        with server.faults.inject(Rewritten("ProtoOAOrderListRes", empty)):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(unanswered, server, desk, lambda: desk.place(DEMO, order), "ProtoOANewOrderReq", 1)
                await server.wait_for("ProtoOANewOrderReq")
                server.set_price(EURUSD, bid=119_000, ask=119_010)
            (made,) = desk.orders.values()
            with anyio.fail_after(5):
                await made.filled()


async def test_deals_made_in_one_moment_while_away_are_all_on_record(tmp_path: Path) -> None:
    exchange = ExchangeSettings(delays=Delays.none(), variants=Variants(deal_page=3))
    async with a_desk(tmp_path, exchange=exchange) as (server, desk):
        server.set_price(EURUSD, bid=120_000, ask=120_010)
        for _ in range(8):
            order = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20))
            await order.protected()

        def drop() -> None:
            server.drop_clients()
            server.set_price(EURUSD, bid=119_000, ask=119_010)

        await ready_again(desk.session(DEMO), links=drop)
        await desk.flush()
        missed = {line["position_id"] for line in audit_of(tmp_path) if line["fact"] == "missed_deal"}
        assert len(missed) == 8
