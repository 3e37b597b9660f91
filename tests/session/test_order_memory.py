"""Orders that ended long since are forgotten; never one that anything may still depend on."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from anyctrader.fake.injection import Fault, OutgoingFrame
from anyctrader.session import (
    Environment,
    LimitOrder,
    MarketOrder,
    Mode,
    OrderState,
    Side,
    books,
    order_memory,
)
from anyctrader.session.order_memory import OrderMemory
from anyctrader.session.orders import OrderTable
from anyctrader.session.positions import PositionBook
from anyctrader.wire import messages as oa

from .rig import FILLED, HASTY, LOT_CENTS, a_desk, audit_of, facts_of, is_execution, ready_again, saying
from .server_words import T0, Execution, Status, ended, filled, partly_filled, position, sent

DEMO = Environment.DEMO
NOW = T0 + 200
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")
STOPPED = MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20)
WAITING = LimitOrder("EURUSD", Side.BUY, lots="0.01", price="0.9")


@pytest.fixture(autouse=True)
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those that have ended."""
    monkeypatch.setattr(order_memory, "_LOOK_EACH", 1)
    monkeypatch.setattr(books, "OrderMemory", partial(OrderMemory, most=2))


def remembering(*records: Any, opened: bool = True) -> OrderMemory:
    table, book = OrderTable(), PositionBook()
    for record in records:
        table.add(record)
    if opened:
        book.reconcile(oa.ProtoOAReconcileRes(ctidTraderAccountId=1, position=[position()]), since=0)
    return OrderMemory(table, book, most=0)


def test_what_has_ended_with_all_of_its_fills_may_be_forgotten() -> None:
    record = sent()
    record.apply(filled(), at_ms=NOW)
    assert remembering(record).outlived() == [record]


def test_what_has_not_ended_or_lacks_fills_or_was_never_seen_to_end_is_kept() -> None:
    under_way, lost, part, untold, absent = (sent(client_order_id=f"mine-{count}") for count in range(5))
    lost.lost(at_ms=NOW)
    part.apply(partly_filled(executed=40_000, deal_id=700, volume=40_000), at_ms=NOW)
    end = ended(Execution.ORDER_CANCELLED, Status.ORDER_STATUS_CANCELLED, executedVolume=50_000)
    untold.apply(end, at_ms=NOW)
    assert untold.is_final
    absent.lost(at_ms=NOW)
    absent.never_arrived(at_ms=NOW)
    assert absent.is_final
    assert remembering(under_way, lost, part, untold, absent).outlived() == []


@pytest.mark.parametrize("opened", [True, False])
def test_while_levels_are_not_confirmed_all_that_was_done_with_the_open_position_is_kept(opened: bool) -> None:
    unprotected, other = sent(STOPPED), sent(client_order_id="mine-2")
    unprotected.apply(filled(), at_ms=NOW)
    other.apply(filled(id=602), at_ms=NOW)
    assert remembering(unprotected, other, opened=opened).outlived() == ([] if opened else [unprotected, other])


def test_the_newest_are_kept_and_a_look_is_worth_it_only_after_some_more() -> None:
    table = OrderTable()
    memory = OrderMemory(table, PositionBook(), most=2)
    for count in range(3):
        record = sent(client_order_id=f"mine-{count}")
        record.apply(filled(id=600 + count), at_ms=NOW)
        assert not memory.is_full
        table.add(record)
    assert memory.is_full
    (oldest,) = memory.outlived()
    assert oldest.client_order_id == "mine-0"
    table.forget(oldest)
    assert not memory.is_full
    assert [record.client_order_id for record in table.of_position(500)] == ["mine-1", "mine-2"]
    assert table.by_order_id(600) is None


class Late(Fault):
    """The first fill is told once more ahead of the next version; or instead, that its order was cancelled."""

    def __init__(self, *, cancelled: bool) -> None:
        self._cancelled = cancelled
        self._kept: OutgoingFrame | None = None
        self._is_fill = is_execution(FILLED)

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        if self._kept is None and self._is_fill(frame):
            self._kept = frame
        if self._kept is None or frame.name != "ProtoOAVersionRes":
            return (frame,)
        late = oa.ProtoOAExecutionEvent()
        late.CopyFrom(self._kept.payload)
        if self._cancelled:
            late.executionType = Execution.ORDER_CANCELLED
            late.ClearField("deal")
            late.order.orderStatus = Status.ORDER_STATUS_CANCELLED
            late.order.utcLastUpdateTimestamp += 60_000
        return (saying(self._kept, late), frame)


@pytest.mark.anyio
@pytest.mark.parametrize("cancelled", [False, True], ids=["the same fill", "another end"])
async def test_late_words_of_a_forgotten_order_are_on_record_as_of_a_foreign_one(
    tmp_path: Path, cancelled: bool
) -> None:
    async with a_desk(tmp_path, **HASTY) as (server, desk):
        server.faults.inject(Late(cancelled=cancelled))
        first = await desk.place(DEMO, BUY)
        await first.filled()
        await (await desk.close(DEMO, first.position_id or 0)).filled()
        for _ in range(4):
            order = await desk.place(DEMO, WAITING)
            await desk.cancel(DEMO, order.order_id or 0)
            assert (await order.finished()) is OrderState.CANCELLED
        kept, (side,) = dict(desk.orders), desk.session(DEMO).books.values()
        assert first.client_order_id not in kept
        assert len(kept) <= 4
        assert len(side.orders) == len(kept)
        await desk.flush()
        before = audit_of(tmp_path)
        side.remainders.add(first.record, LOT_CENTS)  # what another order of its kind left is not that order
        await desk.session(DEMO).request(oa.ProtoOAVersionReq())
        await desk.flush()
        (told,) = audit_of(tmp_path)[len(before) :]
        assert told["fact"] == "execution"
        assert told["order_id"] == first.order_id
        assert "state" not in told
        assert len(tuple(side.remainders)) == 1
        assert desk.orders == kept
        assert desk.positions(DEMO) == ()
        assert desk.mode(DEMO) is Mode.ON
        assert first.state is OrderState.FILLED
        assert len(first.fills) == 1
        assert facts_of(tmp_path, client_order_id=first.client_order_id).count("fill") == 1


@pytest.mark.anyio
async def test_nothing_is_forgotten_while_an_outcome_is_unknown(tmp_path: Path) -> None:
    async with a_desk(tmp_path, **HASTY) as (_server, desk):
        (side,) = desk.session(DEMO).books.values()

        async def over() -> str:
            order = await desk.place(DEMO, WAITING)
            await desk.cancel(DEMO, order.order_id or 0)
            await order.finished()
            return order.client_order_id

        first = await over()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(side), "has_unknown", property(lambda _: True))
            for _ in range(4):
                await over()
            assert first in desk.orders
        await over()
        assert first not in desk.orders


@pytest.mark.anyio
async def test_a_restored_desk_goes_on_without_what_it_has_forgotten(tmp_path: Path) -> None:
    async with a_desk(tmp_path, **HASTY) as (server, desk):
        held = await desk.place(DEMO, STOPPED)
        await held.protected()
        for _ in range(6):
            order = await desk.place(DEMO, WAITING)
            await desk.cancel(DEMO, order.order_id or 0)
            await order.finished()
        waiting = await desk.place(DEMO, WAITING)
        assert held.client_order_id not in desk.orders
        await ready_again(desk.session(DEMO), links=server.drop_clients)
        closing = await desk.close(DEMO, held.position_id or 0)
        await closing.filled()
        assert waiting.state is OrderState.ACCEPTED
        assert desk.positions(DEMO) == ()
        await desk.flush()
        assert "difference" not in facts_of(tmp_path)
        assert "missed_deal" not in facts_of(tmp_path)
