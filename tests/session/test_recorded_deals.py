"""Every deal of an account is on record with what it booked, whoever made it, and all agrees with the balance."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from anyctrader.fake import ExchangeSettings, FakeServer, faults
from anyctrader.fake.exchange_settings import Liquidity
from anyctrader.session import Desk, Environment, MarketOrder, OrderState, PositionAmendment, Side, open_desk
from anyctrader.session.leftovers import Leftovers, leftovers_of
from anyctrader.session.stories import lines_of
from anyctrader.session.trades import Trade, totals_of, trades_of
from anyctrader.session.verification import verify
from anyctrader.wire import messages as oa

from .rig import (
    EURUSD,
    LOT_CENTS,
    a_desk,
    a_server,
    audit_of,
    by_name,
    desk_settings,
    facts_of,
    is_execution,
    ready_again,
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
        assert books.deals.missed([late], until_ms=0) == []
        assert books.deals.unbroken_until_ms == late.executionTimestamp


async def test_a_part_whose_event_was_lost_before_the_process_ended_is_in_the_row_of_its_order(tmp_path: Path) -> None:
    parts = ExchangeSettings(liquidity=Liquidity(part_cents=2 * LOT_CENTS))
    async with a_server(exchange=parts) as server:
        async with open_desk(desk_settings(tmp_path, side_of(server))) as desk:
            server.faults.inject(faults.Lose(which="ProtoOAExecutionEvent:ORDER_PARTIAL_FILL"))
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
