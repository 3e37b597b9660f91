"""Orders that fill at once count as filled while they are at work, though the server's whole list has none of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import anyio
import pytest

from anyctrader.fake import ExchangeSettings, FakeServer, faults
from anyctrader.fake.exchange_settings import Delays, Liquidity
from anyctrader.session import (
    Desk,
    Environment,
    LimitExceeded,
    LimitOrder,
    Limits,
    MarketOrder,
    OrderAmendment,
    OutcomeUnknown,
    SessionState,
    Side,
    book_watch,
    open_desk,
)
from anyctrader.wire import messages as oa

from .rig import (
    ACCEPTED,
    EURUSD,
    HASTY,
    LOT_CENTS,
    QUICK,
    a_desk,
    a_server,
    desk_settings,
    facts_of,
    heard,
    is_execution,
    ready_again,
    side_of,
)

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.02")
STANDARD = Limits.standard(DEMO)
LIMITS = replace(STANDARD, most_exposure_lots=Decimal("0.03"))
UNFILLED = ExchangeSettings(delays=replace(Delays.none(), fill_ms=600_000))
"""Market orders are accepted, and not filled."""
LATE = replace(QUICK, fill_s=60)
SOON = replace(QUICK, fill_s=0.05)
ENDS = (oa.ProtoOAExecutionType.ORDER_PARTIAL_FILL, oa.ProtoOAExecutionType.ORDER_CANCELLED)


def raw() -> oa.ProtoOANewOrderReq:
    """An order for 0.02 lots."""
    buy, market = oa.ProtoOATradeSide.BUY, oa.ProtoOAOrderType.MARKET
    return oa.ProtoOANewOrderReq(symbolId=EURUSD, orderType=market, tradeSide=buy, volume=2 * LOT_CENTS)


async def let_through(desk: Desk, *, volume_cents: int = 2 * LOT_CENTS) -> None:
    """Returns when limits allow so much more."""
    with anyio.fail_after(10):
        while True:
            try:
                await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, volume_cents=volume_cents))
            except LimitExceeded:
                await anyio.sleep(0.01)  # the books tell nobody that they moved
            else:
                return


async def by_an_amendment(server: FakeServer, desk: Desk) -> None:
    (waiting,) = desk.pending_orders(DEMO)
    await desk.amend(DEMO, OrderAmendment(waiting.id, price="1.31"))


async def by_the_look_of_the_minute(server: FakeServer, desk: Desk) -> None:
    await desk.session(DEMO).book_watch.look()


async def by_a_reconnect(server: FakeServer, desk: Desk) -> None:
    await ready_again(desk.session(DEMO), links=server.drop_clients)


async def by_a_review(server: FakeServer, desk: Desk) -> None:
    before = len(heard(server, oa.ProtoOADealListReq))
    desk.session(DEMO).review(server.account_id)
    await server.seen.wait_for("ProtoOADealListReq", count=before + 1)
    await desk.session(DEMO).request(oa.ProtoOAVersionReq())


READINGS = [by_an_amendment, by_the_look_of_the_minute, by_a_reconnect, by_a_review]


POSITIONS = replace(STANDARD, most_positions=2), "most_positions: 3 positions would be open"
EXPOSURE = LIMITS, r"most_exposure_lots: 0\.04 lots"


@pytest.mark.parametrize(
    ("read", "limits", "breach"),
    [(by_an_amendment, *EXPOSURE), *((read, *POSITIONS) for read in READINGS)],
    ids=["exposure", *(read.__name__ for read in READINGS)],
)
async def test_a_market_order_at_work_counts_whatever_reads_the_list(
    tmp_path: Path, read: Callable[[FakeServer, Desk], Awaitable[None]], limits: Limits, breach: str
) -> None:
    async with a_desk(tmp_path, limits=limits, exchange=UNFILLED, timings=LATE) as (server, desk):
        await desk.place(DEMO, LimitOrder("EURUSD", Side.SELL, lots="0.01", price="1.30"))
        await desk.account(DEMO).request(raw())
        await read(server, desk)
        with pytest.raises(LimitExceeded, match=f"^{breach}"):
            await desk.place(DEMO, BUY)
    assert len(heard(server, oa.ProtoOANewOrderReq)) == 2


async def test_a_market_order_at_work_is_no_difference(tmp_path: Path) -> None:
    async with a_desk(tmp_path, exchange=UNFILLED, timings=LATE) as (server, desk):
        await desk.place(DEMO, LimitOrder("EURUSD", Side.SELL, lots="0.01", price="1.30"))
        await desk.place(DEMO, BUY)
        await desk.account(DEMO).request(raw())
        for read in READINGS:
            await read(server, desk)
        await desk.flush()
        assert "difference" not in facts_of(tmp_path)


@pytest.mark.parametrize("found_cents", [0, LOT_CENTS])
async def test_it_counts_no_longer_once_the_list_of_orders_tells_its_end(tmp_path: Path, found_cents: int) -> None:
    exchange = ExchangeSettings(delays=Delays.none(), liquidity=Liquidity(total_cents=found_cents))
    async with a_desk(tmp_path, limits=LIMITS, exchange=exchange, timings=LATE) as (server, desk):
        for end in ENDS:
            server.faults.inject(faults.Lose(1, which=is_execution(end)))
        await desk.account(DEMO).request(raw())
        with pytest.raises(LimitExceeded, match=r"^most_exposure_lots: 0\.04 lots"):
            await desk.place(DEMO, BUY)
        await by_a_review(server, desk)
        await let_through(desk, volume_cents=3 * LOT_CENTS - found_cents)


async def test_a_list_of_orders_that_lags_is_asked_again_at_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book_watch, "_APART_S", 0.2)
    exchange = ExchangeSettings(delays=replace(Delays.none(), history_lag_ms=500), liquidity=Liquidity(total_cents=0))
    async with a_desk(tmp_path, limits=LIMITS, exchange=exchange, timings=SOON, **HASTY) as (server, desk):
        with server.faults.inject(faults.Lose(1, which=is_execution(*ENDS))):
            await desk.account(DEMO).request(raw())
            await let_through(desk)


async def test_a_raw_order_in_doubt_goes_on_counting_where_the_list_of_orders_shows_it_at_work(tmp_path: Path) -> None:
    async with a_desk(tmp_path, limits=LIMITS, exchange=UNFILLED, timings=SOON, **HASTY) as (server, desk):
        books = desk.session(DEMO).books[server.account_id]
        server.faults.inject(faults.Lose(1, which=is_execution(ACCEPTED)))
        with pytest.raises(OutcomeUnknown):
            await desk.account(DEMO).request(raw(), timeout_s=0.1)
        with anyio.fail_after(10):
            while books.doubts:  # noqa: ASYNC110 (the books tell nobody that they moved)
                await anyio.sleep(0.01)
        assert [order.volume_cents for order in books.positions.immediate_orders] == [2 * LOT_CENTS]
        with pytest.raises(LimitExceeded, match=r"^most_exposure_lots: 0\.04 lots"):
            await desk.place(DEMO, BUY)


async def test_a_market_order_that_an_earlier_process_left_at_work_counts_from_the_start(tmp_path: Path) -> None:
    async with a_server(exchange=UNFILLED) as server:
        settings = desk_settings(tmp_path, side_of(server, limits=LIMITS, timings=LATE))
        async with open_desk(settings) as desk:
            await desk.account(DEMO).request(raw())
        async with open_desk(settings) as desk:
            await desk.session(DEMO).wait_for(SessionState.READY)
            with pytest.raises(LimitExceeded, match=r"^most_exposure_lots: 0\.04 lots"):
                await desk.place(DEMO, BUY)


async def test_a_list_of_orders_that_is_not_answered_keeps_no_account_away(tmp_path: Path) -> None:
    async with a_server(exchange=UNFILLED) as server:
        settings = desk_settings(tmp_path, side_of(server, limits=LIMITS, timings=replace(LATE, request_s=1)))
        server.faults.inject(faults.Deafness("ProtoOAOrderListReq"))
        async with open_desk(settings) as desk:
            with anyio.fail_after(20):
                await desk.session(DEMO).wait_for(SessionState.READY)
            await desk.account(DEMO).request(raw())
            await by_a_reconnect(server, desk)
            with pytest.raises(LimitExceeded, match=r"^most_exposure_lots: 0\.04 lots"):
                await desk.place(DEMO, BUY)
