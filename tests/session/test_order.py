"""Waiting for an order: each wait has its end, its deadline, and an error that carries the order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import anyio
import pytest

from anyctrader.session import (
    InvalidOrder,
    LimitOrder,
    MarketOrder,
    NotSent,
    OrderState,
    OutcomeUnknown,
    RequestFailed,
    ServerError,
    Side,
)
from anyctrader.session.order import Order
from anyctrader.session.orders import OrderTable
from anyctrader.wire import messages as oa

from .rig import blocked
from .server_words import (
    T0,
    Execution,
    Status,
    accepted,
    deal,
    ended,
    event,
    filled,
    order,
    partly_filled,
    position,
    protective,
    record,
    sent,
)

pytestmark = pytest.mark.anyio

NOW = T0 + 200
PROTECTED = MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20)


class Book:
    """An order and its record, moved as the account's books would move it."""

    def __init__(self, ticket: Any = None, *, left: bool = True) -> None:
        self.record = sent(ticket) if left else record(ticket)
        self.order = Order(self.record)
        self._table = OrderTable()
        self._table.add(self.record)

    def hear(self, said: Any) -> None:
        self._table.apply(said, at_ms=NOW, client_msg_id="r1")
        self.order.touched()

    def move(self, moved: Callable[..., Any], **given: Any) -> None:
        moved(at_ms=NOW, **given)
        self.order.touched()


async def failing(waiting: Awaitable[Any]) -> RequestFailed:
    with pytest.raises(RequestFailed) as caught:
        await waiting
    return caught.value


async def test_an_order_that_the_server_has_taken_is_accepted() -> None:
    book = Book()
    book.hear(accepted())
    assert await book.order.accepted() is book.order
    assert (book.order.state, book.order.order_id, book.order.position_id) == (OrderState.ACCEPTED, 600, 500)


async def test_a_wait_ends_with_the_event_that_it_waits_for() -> None:
    book, told = Book(), []

    async def wait() -> None:
        told.append(await book.order.filled())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await blocked()
        book.hear(accepted())
        await blocked()
        assert told == []
        book.hear(filled())
    (execution,) = told
    assert (execution.price, execution.volume_cents) == (Decimal("1.12"), 100_000)
    assert execution.commission == Decimal("-0.03")
    assert [fill.deal_id for fill in execution.fills] == [700]


async def test_partial_fills_add_up_before_it_is_filled() -> None:
    book = Book()
    book.hear(accepted())
    book.hear(partly_filled(executed=40_000, deal_id=700, volume=40_000))
    assert isinstance(await failing(book.order.filled(timeout_s=0)), OutcomeUnknown)
    last = filled(at=3)
    last.deal.CopyFrom(deal(id=701, volume=60_000, price=1.125))
    book.hear(last)
    execution = await book.order.filled()
    assert (execution.price, execution.volume_cents) == (Decimal("1.123"), 100_000)


async def test_filled_waits_for_the_deal_where_the_state_is_told_first() -> None:
    book = Book()
    row = order(status=Status.ORDER_STATUS_FILLED, executedVolume=100_000, at=2)
    book.record.settle_from_order(row, at_ms=NOW)
    assert book.order.state is OrderState.FILLED
    assert isinstance(await failing(book.order.filled(timeout_s=0)), OutcomeUnknown)
    book.record.settle_from_order(row, [deal()], at_ms=NOW)
    assert (await book.order.filled(timeout_s=0)).volume_cents == 100_000


@pytest.mark.parametrize(
    ("said", "status", "state"),
    [
        (Execution.ORDER_CANCELLED, Status.ORDER_STATUS_CANCELLED, OrderState.CANCELLED),
        (Execution.ORDER_EXPIRED, Status.ORDER_STATUS_EXPIRED, OrderState.EXPIRED),
        (Execution.ORDER_REJECTED, Status.ORDER_STATUS_REJECTED, OrderState.REJECTED),
    ],
    ids=lambda value: value.name,
)
async def test_an_order_that_ends_without_a_fill_says_how_it_ended(said: int, status: int, state: OrderState) -> None:
    book = Book()
    book.hear(accepted())
    book.hear(ended(said, status))
    error = await failing(book.order.filled())
    assert isinstance(error, ServerError)
    assert error.code == f"ORDER_{state.name}"
    assert error.order is book.order
    assert await book.order.finished() is state


async def test_a_refused_order_says_why() -> None:
    book = Book()
    refusal = oa.ProtoOAOrderErrorEvent(ctidTraderAccountId=1, errorCode="NOT_ENOUGH_MONEY", description="Not enough")
    book.hear(refusal)
    for waiting in (book.order.accepted(), book.order.filled()):
        error = await failing(waiting)
        assert (type(error), error.order) == (ServerError, book.order)
        assert str(error) == "NOT_ENOUGH_MONEY: Not enough"


async def test_an_order_that_never_left_may_be_repeated() -> None:
    book = Book(left=False)
    book.move(book.record.not_sent)
    for waiting in (book.order.accepted(), book.order.filled()):
        error = await failing(waiting)
        assert (type(error), error.order) == (NotSent, book.order)
    assert await book.order.finished() is OrderState.NOT_SENT


async def test_a_wait_goes_on_through_an_unknown_outcome() -> None:
    book, told = Book(), []

    async def wait() -> None:
        told.append((await book.order.filled()).volume_cents)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await blocked()
        book.move(book.record.lost)
        assert book.order.state is OrderState.UNKNOWN
        await blocked()
        assert told == []
        book.hear(filled())
    assert told == [100_000]


async def test_a_deadline_says_that_the_outcome_is_unknown_and_changes_nothing() -> None:
    book = Book()
    for waiting in (
        book.order.accepted(timeout_s=0.01),
        book.order.filled(timeout_s=0.01),
        book.order.finished(timeout_s=0.01),
    ):
        error = await failing(waiting)
        assert (type(error), error.order) == (OutcomeUnknown, book.order)
        assert "within 0.01 s" in str(error)
    assert book.order.state is OrderState.SENT
    book.hear(filled())
    assert (await book.order.filled()).volume_cents == 100_000


async def test_an_order_is_protected_when_its_levels_stand_on_its_position() -> None:
    book = Book(PROTECTED)
    book.hear(accepted())
    book.hear(filled())
    assert isinstance(await failing(book.order.protected(timeout_s=0.01)), OutcomeUnknown)
    guarded = event(Execution.ORDER_ACCEPTED, order=protective(stop=1.118), position=position(at=3, stopLoss=1.118))
    book.hear(guarded)
    assert await book.order.protected() is book.order
    assert book.record.protection.stop_loss == Decimal("1.118")


async def test_an_order_that_asks_for_no_level_has_none_to_wait_for() -> None:
    book = Book()
    error = await failing(book.order.protected())
    assert (type(error), error.order) == (InvalidOrder, book.order)


async def test_an_order_that_ends_without_a_fill_is_never_protected() -> None:
    book = Book(LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.1", stop_loss_pips=20))
    book.hear(accepted(kind=oa.ProtoOAOrderType.LIMIT))
    book.hear(ended(Execution.ORDER_CANCELLED, Status.ORDER_STATUS_CANCELLED, kind=oa.ProtoOAOrderType.LIMIT))
    error = await failing(book.order.protected())
    assert isinstance(error, ServerError)
    assert error.code == "ORDER_CANCELLED"


async def test_a_wait_that_is_cancelled_takes_nothing_from_the_others() -> None:
    book, told = Book(), []

    async def wait() -> None:
        told.append(await book.order.finished())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        with anyio.move_on_after(0):
            await book.order.finished()
        book.hear(filled())
    assert told == [OrderState.FILLED]


async def test_it_is_shown_without_anything_but_its_own_facts() -> None:
    book = Book()
    assert repr(book.order) == "<order mine-1 demo BUY 100000 EURUSD sent>"
