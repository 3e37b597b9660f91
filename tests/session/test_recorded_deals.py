"""Every deal of an account is on record with what it booked, whoever made it, and all agrees with the balance."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import ExchangeSettings, FakeServer, faults
from anyctrader.fake.exchange_settings import Liquidity
from anyctrader.fake.injection import Fault, OutgoingFrame
from anyctrader.session import (
    Desk,
    Environment,
    MarketOrder,
    OrderState,
    PositionAmendment,
    Side,
    deal_memory,
    deal_record,
    open_desk,
)
from anyctrader.session.deal_memory import DealMemory
from anyctrader.session.history import HISTORY_LAG_S
from anyctrader.session.leftovers import Leftovers, leftovers_of
from anyctrader.session.stories import lines_of
from anyctrader.session.trades import Trade, totals_of, trades_of
from anyctrader.session.verification import verify
from anyctrader.wire import messages as oa

from .rig import (
    EURUSD,
    LOT_CENTS,
    Denying,
    a_desk,
    a_server,
    audit_of,
    by_name,
    desk_settings,
    facts_of,
    heard,
    is_execution,
    ready_again,
    saying,
    side_of,
)

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
GUARDED = MarketOrder("EURUSD", Side.BUY, lots="1", stop_loss_pips=20)
MONEY = {"commission", "gross_profit", "swap", "closing_commission", "conversion_fee", "net", "price", "volume_cents"}


async def balance_of(desk: Desk) -> Decimal:
    trader = (await desk.account(DEMO).request(oa.ProtoOATraderReq())).trader
    return Decimal(trader.balance).scaleb(-trader.moneyDigits)


async def flushed(desk: Desk) -> None:
    """Returns when all that the server had to say so far is on the disk."""
    await desk.session(DEMO).request(oa.ProtoOAVersionReq())
    await desk.flush()


def traded(folder: Path) -> tuple[list[Trade], Decimal]:
    """The trades on record, and what they have booked together."""
    trades = trades_of(lines_of(folder))
    return trades, sum((total.net_profit for total in totals_of(trades) if total.symbol is None), Decimal(0))


def market(server: FakeServer, bid: int) -> None:
    server.set_price(EURUSD, bid=bid, ask=bid + 10)


def raw_order(**more: Any) -> Any:
    return oa.ProtoOANewOrderReq(
        symbolId=EURUSD,
        orderType=oa.ProtoOAOrderType.MARKET,
        tradeSide=oa.ProtoOATradeSide.BUY,
        **{"volume": LOT_CENTS, **more},
    )


async def test_a_stop_that_is_hit_is_on_record_with_what_it_booked(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        market(server, 120_000)
        before = await balance_of(desk)
        order = await desk.place(DEMO, GUARDED)
        await order.protected()
        market(server, 119_000)
        await flushed(desk)
        booked = await balance_of(desk) - before
    (line,) = by_name(audit_of(tmp_path), "fact", "deal")
    assert set(line) >= MONEY
    assert (line["position_id"], line["symbol"], line["side"], line["closes"]) == (
        order.position_id,
        "EURUSD",
        "SELL",
        True,
    )
    assert Decimal(line["net"]) == booked < 0
    trades, net = traded(tmp_path)
    assert [(trade.origin, trade.side, trade.units) for trade in trades] == [
        ("desk", "BUY", 100_000),
        ("levels", "SELL", 100_000),
    ]
    assert net == booked


async def test_raw_orders_are_trades_too(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        market(server, 120_000)
        before = await balance_of(desk)
        account = desk.account(DEMO)
        await account.request(raw_order(clientOrderId="mine"))
        await flushed(desk)
        (position,) = desk.positions(DEMO)
        market(server, 119_900)
        await account.request(oa.ProtoOAClosePositionReq(positionId=position.id, volume=LOT_CENTS))
        await flushed(desk)
        booked = await balance_of(desk) - before
    assert facts_of(tmp_path, position_id=position.id).count("deal") == 2
    trades, net = traded(tmp_path)
    assert [(trade.origin, trade.side, trade.symbol) for trade in trades] == [
        ("other", "BUY", "EURUSD"),
        ("other", "SELL", "EURUSD"),
    ]
    assert net == booked


async def test_a_stop_that_was_hit_while_the_link_was_away_is_on_record_with_what_it_booked(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        market(server, 120_000)
        before = await balance_of(desk)
        await (await desk.place(DEMO, GUARDED)).protected()

        def fall() -> None:
            server.drop_clients()
            market(server, 119_000)

        await ready_again(desk.session(DEMO), links=fall)
        await flushed(desk)
        booked = await balance_of(desk) - before
    (line,) = by_name(audit_of(tmp_path), "fact", "missed_deal")
    assert set(line) >= MONEY
    trades, net = traded(tmp_path)
    assert (trades[-1].origin, net) == ("missed", booked)


async def test_a_fill_that_was_first_a_missed_deal_counts_once(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        market(server, 120_000)
        before = await balance_of(desk)
        order = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="1"))
        await order.filled()
        assert order.position_id is not None
        server.faults.inject(faults.Lose(which=is_execution(oa.ProtoOAExecutionType.ORDER_FILLED)))
        closing = await desk.close(DEMO, order.position_id)
        await ready_again(desk.session(DEMO), links=server.drop_clients)
        await closing.filled()
        await flushed(desk)
        booked = await balance_of(desk) - before
    (missed,) = by_name(audit_of(tmp_path), "fact", "missed_deal")
    assert facts_of(tmp_path, deal_id=missed["deal_id"]) == ["missed_deal", "fill"]
    trades, net = traded(tmp_path)
    assert [trade.origin for trade in trades] == ["desk", "desk"]
    assert net == booked


async def test_a_fill_of_an_order_of_ours_has_no_second_line(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (_, desk):
        order = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.01"))
        await order.filled()
        await flushed(desk)
    assert "deal" not in facts_of(tmp_path)
    assert len(facts_of(tmp_path, deal_id=order.record.fills[0].deal_id)) == 2  # execution, fill


async def test_what_events_tell_during_a_gap_hides_no_deal_that_was_missed_before(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        books = desk.session(DEMO).books[server.account_id]
        order = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.01"))
        await order.filled()
        known_ms = books.deals.unbroken_until_ms
        books.lost()
        late = oa.ProtoOADeal(dealId=99, executionTimestamp=(known_ms or 0) + 3_600_000)
        books.deals.heard(late)
        assert books.deals.unbroken_until_ms == known_ms
        assert books.deals.missed([late]) == []
        books.deals.mend(asked_s=0, now_s=0, until_ms=0)
        assert books.deals.unbroken_until_ms == known_ms, "the list lags"
        books.deals.mend(asked_s=HISTORY_LAG_S, now_s=HISTORY_LAG_S, until_ms=0)
        assert books.deals.unbroken_until_ms == late.executionTimestamp


async def test_a_part_whose_event_was_lost_before_the_process_ended_is_in_the_row_of_its_order(tmp_path: Path) -> None:
    parts = ExchangeSettings(liquidity=Liquidity(part_cents=2 * LOT_CENTS))
    async with a_server(exchange=parts) as server:
        async with open_desk(desk_settings(tmp_path, side_of(server))) as desk:
            server.faults.inject(faults.Lose(which="ProtoOAExecutionEvent:ORDER_PARTIAL_FILL"))
            with server.faults.inject(Denying(oa.ProtoOADealListReq, code="UNKNOWN_ERROR")):
                order = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.05", stop_loss_pips=500))
                await order.protected()
                assert (await order.finished(), order.record.filled_volume_cents) == (OrderState.FILLED, 3 * LOT_CENTS)
                await desk.flush()
                folder = crashed(tmp_path)
        (left,) = leftovers_of(folder, DEMO).orders
        assert left.end is not None
        async with open_desk(desk_settings(folder, side_of(server))) as desk:
            assert desk.orders == {}, "it has ended, and nobody waits for it"
            await flushed(desk)
            assert order.position_id is not None
            await desk.amend(DEMO, PositionAmendment(order.position_id, take_profit="2"))
        commission = sum(
            Decimal(deal.commission) for deal in server.exchange.accounts[server.account_id].deals.values()
        )
    trades, _ = traded(folder)
    assert [(trade.origin, trade.units, trade.commission) for trade in trades] == [("desk", 5_000, commission / 100)]
    assert leftovers_of(folder, DEMO) == Leftovers()
    assert verify(folder) == []


class LaggingDeals(Fault):
    """So many lists of deals lack those that are made from now on."""

    def __init__(self, server: FakeServer, *, lists: int) -> None:
        deals = server.exchange.accounts[server.account_id].deals
        self._known = set(deals)
        self._left = lists

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        if frame.name != "ProtoOADealListRes" or not self._left:
            return (frame,)
        self._left -= 1
        payload = type(frame.payload)()
        payload.CopyFrom(frame.payload)
        del payload.deal[:]
        payload.deal.extend(deal for deal in frame.payload.deal if deal.dealId in self._known)
        return (saying(frame, payload),)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at lists that lag come sooner: 0.1, 0.3, 0.7 and 1.5 s after the first."""
    monkeypatch.setattr(deal_record, "_AGAIN_S", 0.1)
    for module in (deal_record, deal_memory):
        monkeypatch.setattr(module, "HISTORY_LAG_S", 1.1)


async def told(desk: Desk, folder: Path) -> list[Any]:
    """The deals that were missed, once there is one."""
    with anyio.fail_after(10):
        while True:
            await flushed(desk)
            if missed := by_name(audit_of(folder), "fact", "missed_deal"):
                return missed
            await anyio.sleep(0.02)


@pytest.mark.usefixtures("soon")
async def test_a_deal_that_was_made_while_the_link_was_away_is_found_by_a_list_that_lags(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        market(server, 120_000)
        before = await balance_of(desk)
        await (await desk.place(DEMO, GUARDED)).protected()
        server.faults.inject(LaggingDeals(server, lists=2))

        def fall() -> None:
            server.drop_clients()
            market(server, 119_000)

        await ready_again(desk.session(DEMO), links=fall)
        since = len(heard(server, oa.ProtoOAReconcileReq))
        assert len(await told(desk, tmp_path)) == 1
        booked = await balance_of(desk) - before
        books = desk.session(DEMO).books[server.account_id]
        with anyio.fail_after(10):
            while books.record.next_look_s < math.inf:  # noqa: ASYNC110 (the last look tells nobody)
                await anyio.sleep(0.05)
        assert not books.deals.has_gap
        assert len(heard(server, oa.ProtoOADealListReq)) <= 1 + 1 + 4, "at the start, after the loss, and again"
        assert len(heard(server, oa.ProtoOAReconcileReq)) == since, "nothing else is asked for again"
        await desk.flush()
    _, net = traded(tmp_path)
    assert net == booked < 0
    assert facts_of(tmp_path).count("missed_deal") == 1


@pytest.mark.usefixtures("soon")
async def test_a_deal_whose_event_was_lost_on_a_link_that_stays_is_found_by_a_list_that_lags(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        market(server, 120_000)
        before = await balance_of(desk)
        await (await desk.place(DEMO, GUARDED)).protected()
        server.faults.inject(LaggingDeals(server, lists=2))
        server.faults.inject(faults.Lose(which=is_execution(oa.ProtoOAExecutionType.ORDER_FILLED)))
        market(server, 119_000)
        desk.snapshot(DEMO)  # it is held against the server's list, which has no position any more
        await told(desk, tmp_path)
        booked = await balance_of(desk) - before
    _, net = traded(tmp_path)
    assert net == booked < 0


@pytest.mark.usefixtures("soon")
async def test_a_deal_that_was_made_while_no_process_was_there_is_found_by_a_list_that_lags(tmp_path: Path) -> None:
    async with a_server() as server:
        settings = desk_settings(tmp_path, side_of(server))
        async with open_desk(settings) as desk:
            market(server, 120_000)
            before = await balance_of(desk)
            await (await desk.place(DEMO, GUARDED)).protected()
        server.faults.inject(LaggingDeals(server, lists=2))
        market(server, 119_000)
        async with open_desk(settings) as desk:
            await told(desk, tmp_path)
            booked = await balance_of(desk) - before
    _, net = traded(tmp_path)
    assert net == booked < 0


def test_a_gap_that_follows_another_hides_nothing_of_it_and_the_list_grows_no_longer() -> None:
    memory, lag_s = DealMemory(), HISTORY_LAG_S
    memory.begin([], since_ms=0)
    for at_s in (0.0, lag_s / 2):  # the second loss ahead of the end of the first gap
        memory.lose()
        memory.heard(oa.ProtoOADeal(dealId=int(at_s) + 1, executionTimestamp=int(at_s * 1000) + 1))
        memory.mend(asked_s=at_s, now_s=at_s, until_ms=0)
        assert memory.unbroken_until_ms == 0
    memory.mend(asked_s=lag_s, now_s=lag_s, until_ms=0)
    assert memory.unbroken_until_ms == 1, "all that was made before the first list is in this one"
    memory.mend(asked_s=lag_s * 3 / 2, now_s=lag_s * 3 / 2, until_ms=0)
    assert memory.has_gap, "what was made before the second loss may not be listed yet"
    memory.mend(asked_s=lag_s * 2, now_s=lag_s * 2, until_ms=0)
    assert not memory.has_gap


def crashed(folder: Path) -> Path:
    """What is on the disk at this moment, as a process that dies now would leave it."""
    to = folder / "crashed"
    to.mkdir()
    for path in sorted(folder.glob("*.jsonl")):
        shutil.copy(path, to)
    return to


def line_of_ours(fact: str, **more: Any) -> dict[str, Any]:
    return {"fact": fact, "environment": "demo", "client_order_id": "a", "order_id": 6, "symbol": "EURUSD", **more}


@pytest.mark.parametrize(
    ("price", "average", "slippage"), [("1.2", "1.2", ("10", "50")), ("1.205", "1.202", (None, None))]
)
def test_a_missed_deal_is_in_the_row_of_the_order_that_it_names(
    price: str, average: str, slippage: tuple[str | None, str | None]
) -> None:
    of_all = {"executed_volume_cents": 500_000, "average_price": "1.2", "commission": "-0.08"}
    slipped = {"slippage_points": "10", "slippage_pips": "1", "slippage_quote_money": "30"}
    missed = {
        "fact": "missed_deal",
        "environment": "demo",
        "order_id": 6,
        "deal_id": 3,
        "executed_volume_cents": 200_000,
        "price": price,
        "commission": "-0.05",
    }
    lines = [
        line_of_ours("fill", deal_id=1, volume_cents=200_000, **(of_all | {"commission": "-0.05"}), **slipped),
        line_of_ours("fill", deal_id=2, volume_cents=100_000, **(of_all | {"commission": "-0.03"}), **slipped),
        line_of_ours("finished", **of_all, **slipped),
        missed,
        {**missed, "order_id": 7, "deal_id": 4},
        {**missed, "environment": "live", "deal_id": 5},
    ]
    row, *others = trades_of(iter(lines))
    assert (row.units, row.commission, row.price) == (5_000, Decimal("-0.13"), Decimal(average))
    told = row.slippage_points, row.slippage_quote_money
    assert told == tuple(None if each is None else Decimal(each) for each in slippage)
    assert [(other.origin, other.order_id, other.environment) for other in others] == [
        ("missed", 7, "demo"),
        ("missed", 6, "live"),
    ]
