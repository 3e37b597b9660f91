"""A fill whose event is lost is found out by asking the server, and nothing is sent again for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import ExchangeSettings, FakeServer, faults
from anyctrader.fake.exchange_settings import Delays
from anyctrader.fake.injection import Fault, OutgoingFrame
from anyctrader.session import (
    Desk,
    Environment,
    LimitOrder,
    MarketOrder,
    MarketRangeOrder,
    Order,
    OrderState,
    OutcomeUnknown,
    Refused,
    Side,
    Ticket,
    book_watch,
)
from anyctrader.session.verification import verify
from anyctrader.wire import messages as oa

from .rig import EURUSD, FILLED, LOT_CENTS, QUICK, a_desk, facts_of, heard, is_execution, saying

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")
SOON = replace(QUICK, fill_s=0.05)
LATE = replace(QUICK, fill_s=60)


@pytest.mark.parametrize(
    "ticket",
    [
        BUY,
        MarketRangeOrder("EURUSD", Side.SELL, lots="0.01", base_price="1.1", slippage_points=100_000),
        replace(BUY, stop_loss_pips=20, close_if_unprotected=True),
    ],
    ids=["market", "market range", "market with a stop"],
)
async def test_a_fill_whose_event_is_lost_is_found_at_the_server(tmp_path: Path, ticket: Ticket) -> None:
    async with a_desk(tmp_path, timings=replace(SOON, protection_s=10)) as (server, desk):
        server.faults.inject(faults.Lose(1, which=is_execution(FILLED)))
        order = await desk.place(DEMO, ticket)
        filled = await order.filled()
        (fill,) = filled.fills
        account = server.exchange.accounts[server.account_id]
        (position_id,) = account.positions
        assert (fill.position_id, filled.volume_cents) == (position_id, LOT_CENTS)
        assert filled.price is not None
        if ticket.asks_stop_loss:
            await order.protected(timeout_s=10)
            assert desk.positions(DEMO)[0].stop_loss is not None
        # The position is known, so it can be closed.
        assert [position.id for position in desk.positions(DEMO)] == [position_id]
        await (await desk.close(DEMO, position_id)).filled()
        assert not account.positions
        assert len(heard(server, oa.ProtoOANewOrderReq)) == 1
        await desk.flush()
        told = facts_of(tmp_path, client_order_id=order.client_order_id)
        assert {"resolved", "fill", "finished"} <= set(told)
        assert "unprotected" not in told
        assert verify(tmp_path) == []


async def test_a_close_whose_event_is_lost_is_found_at_the_server(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=SOON) as (server, desk):
        order = await desk.place(DEMO, BUY)
        await order.filled()
        server.faults.inject(faults.Lose(1, which=is_execution(FILLED)))
        assert order.position_id is not None
        closing = await desk.close(DEMO, order.position_id)
        filled = await closing.filled()
        assert filled.realised is not None
        assert desk.positions(DEMO) == ()
        assert len(heard(server, oa.ProtoOAClosePositionReq)) == 1


class OldList(Fault):
    """What is open is told once as it was: the list was made before what else has happened."""

    def __init__(self, listed: Any) -> None:
        super().__init__()
        self._waiting = [listed]

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        if frame.name != "ProtoOAReconcileRes" or not self._waiting:
            return (frame,)
        return (saying(frame, self._waiting.pop()),)


@pytest.mark.parametrize("closes", [False, True], ids=["an open", "a close"])
async def test_whoever_waits_for_a_fill_finds_its_position_as_it_left_it(tmp_path: Path, closes: bool) -> None:
    async with a_desk(tmp_path, timings=SOON) as (server, desk):
        position_id = (await (await desk.place(DEMO, BUY)).filled()).fills[0].position_id if closes else None
        before = await desk.account(DEMO).request(oa.ProtoOAReconcileReq(returnProtectionOrders=True))
        server.faults.inject(faults.Lose(1, which=is_execution(FILLED)))
        server.faults.inject(OldList(before))
        order = await desk.place(DEMO, BUY) if position_id is None else await desk.close(DEMO, position_id)
        await order.filled()
        assert len(desk.positions(DEMO)) == (0 if closes else 1)


async def test_lists_that_lag_are_asked_again(tmp_path: Path) -> None:
    lagging = ExchangeSettings(delays=Delays(fill_ms=0, follow_up_ms=0, history_lag_ms=300))
    async with a_desk(tmp_path, timings=SOON, exchange=lagging) as (server, desk):
        server.faults.inject(faults.Lose(1, which=is_execution(FILLED)))
        order = await desk.place(DEMO, BUY)
        assert len((await order.filled()).fills) == 1


async def open_at_desk(desk: Desk) -> int:
    """The position that the books have, once they do."""
    with anyio.fail_after(5):
        while not desk.positions(DEMO):  # noqa: ASYNC110 (the books tell nobody that they moved)
            await anyio.sleep(0.01)
    return desk.positions(DEMO)[0].id


async def test_the_fill_of_a_raw_order_and_of_its_close_is_found_where_its_event_is_lost(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=SOON) as (server, desk):
        account = desk.account(DEMO)
        server.faults.inject(faults.Lose(1, which=is_execution(FILLED)))
        market, buy = oa.ProtoOAOrderType.MARKET, oa.ProtoOATradeSide.BUY
        await account.request(oa.ProtoOANewOrderReq(symbolId=EURUSD, orderType=market, tradeSide=buy, volume=LOT_CENTS))
        position_id = await open_at_desk(desk)
        server.faults.inject(faults.Lose(1, which=is_execution(FILLED)))
        await account.request(oa.ProtoOAClosePositionReq(positionId=position_id, volume=LOT_CENTS))
        with anyio.fail_after(5):
            while desk.positions(DEMO):  # noqa: ASYNC110 (the books tell nobody that they moved)
                await anyio.sleep(0.01)


async def without_its_fill(server: FakeServer, desk: Desk) -> Order:
    """A limit order that is filled, which no event tells."""
    server.set_price(EURUSD, bid=119_500, ask=119_510)
    order = await desk.place(DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.19"))
    server.faults.inject(faults.Lose(1, which=is_execution(FILLED)))
    server.set_price(EURUSD, bid=118_900, ask=118_910)
    await desk.session(DEMO).request(oa.ProtoOAVersionReq())
    return order


async def test_the_fill_of_an_order_that_waited_is_found_by_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book_watch, "_APART_S", 0.05)
    async with a_desk(tmp_path, timings=SOON) as (server, desk):
        order = await without_its_fill(server, desk)
        assert len((await order.filled()).fills) == 1
        assert await open_at_desk(desk) == order.position_id


async def test_a_snapshot_that_is_asked_for_finds_what_no_event_told(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=LATE) as (server, desk):
        order = await without_its_fill(server, desk)
        assert desk.positions(DEMO) == ()
        desk.snapshot(DEMO)
        assert len((await order.filled()).fills) == 1
        assert await open_at_desk(desk) == order.position_id
        await desk.flush()
        assert "difference" in facts_of(tmp_path)


async def test_a_close_of_a_position_that_no_event_told_of_leaves(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=LATE) as (server, desk):
        await without_its_fill(server, desk)
        (position_id,) = server.exchange.accounts[server.account_id].positions
        await (await desk.close(DEMO, position_id)).filled()
        with pytest.raises(Refused, match="not known to be open"):
            await desk.close(DEMO, position_id)


async def test_a_look_that_finds_the_books_right_costs_one_request_and_leaves_nothing(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=LATE) as (server, desk):
        await (await desk.place(DEMO, replace(BUY, stop_loss_pips=20))).protected()
        await desk.place(DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="0.5"))
        lists, history = len(heard(server, oa.ProtoOAReconcileReq)), len(heard(server, oa.ProtoOADealListReq))
        await desk.session(DEMO).book_watch.look()
        await desk.session(DEMO).request(oa.ProtoOAVersionReq())
        assert len(heard(server, oa.ProtoOAReconcileReq)) == lists + 1
        assert len(heard(server, oa.ProtoOADealListReq)) == history
        await desk.flush()
        assert "difference" not in facts_of(tmp_path)


@pytest.mark.parametrize("ticket", [BUY, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="2")])
async def test_whoever_waits_for_a_fill_in_vain_has_the_server_asked(tmp_path: Path, ticket: Ticket) -> None:
    async with a_desk(tmp_path, timings=LATE) as (server, desk):
        server.faults.inject(faults.Lose(1, which=is_execution(FILLED)))
        order = await desk.place(DEMO, ticket)
        with pytest.raises(OutcomeUnknown) as unknown:
            await order.filled(timeout_s=0.05)
        assert unknown.value.order is order
        assert len((await order.filled()).fills) == 1
        assert [position.id for position in desk.positions(DEMO)] == [order.position_id]


async def test_an_order_that_goes_on_working_is_asked_about_no_more_often_than_its_fill_may_take(
    tmp_path: Path,
) -> None:
    async with a_desk(tmp_path, timings=LATE) as (server, desk):
        before, history = len(heard(server, oa.ProtoOAReconcileReq)), len(heard(server, oa.ProtoOAOrderListReq))
        order = await desk.place(DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="0.5"))
        for _ in range(3):
            with pytest.raises(OutcomeUnknown):
                await order.filled(timeout_s=0)
            with pytest.raises(OutcomeUnknown):
                await order.finished(timeout_s=0)
        await server.seen.wait_for("ProtoOAReconcileReq", count=before + 1)
        await desk.session(DEMO).request(oa.ProtoOAVersionReq())
        await anyio.wait_all_tasks_blocked()
        assert len(heard(server, oa.ProtoOAReconcileReq)) == before + 1
        # The server works on it, so there is nothing to look up.
        assert len(heard(server, oa.ProtoOAOrderListReq)) == history
        assert order.state is OrderState.ACCEPTED
