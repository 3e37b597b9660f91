from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyctrader.session.positions import BookChange, Difference, PendingOrder, Position, PositionBook
from anyctrader.session.tickets import Side
from anyctrader.wire import messages as oa

from .server_words import (
    T0,
    Execution,
    Kind,
    Status,
    accepted,
    created,
    deal,
    ended,
    event,
    filled,
    order,
    position,
    protective,
    recorded,
)

OPEN = oa.ProtoOAPositionStatus.POSITION_STATUS_OPEN
CLOSED = oa.ProtoOAPositionStatus.POSITION_STATUS_CLOSED
CREATED = oa.ProtoOAPositionStatus.POSITION_STATUS_CREATED


def opened() -> PositionBook:
    """A book after a market order of 0.01 lots that was filled and protected."""
    book = PositionBook()
    book.apply(accepted())
    book.apply(filled())
    shown = position(at=3, stopLoss=1.11, takeProfit=1.13)
    book.apply(event(Execution.ORDER_ACCEPTED, order=protective(stop=1.11, take=1.13, at=3), position=shown))
    return book


def reconciled(*rows: oa.ProtoOAPosition, orders: Any = ()) -> oa.ProtoOAReconcileRes:
    return oa.ProtoOAReconcileRes(ctidTraderAccountId=1, position=rows, order=orders)


def closing(*, volume: int = 100_000, at: int = 5, **more: Any) -> oa.ProtoOAOrder:
    return order(**{"id": 610, "side": Side.SELL, "closingOrder": True, "volume": volume, "at": at, **more})


# what they are


def test_a_position_is_read_exactly() -> None:
    raw = position(
        stopLoss=1.11,
        takeProfit=1.13,
        swap=-12,
        commission=-2772,
        usedMargin=2_561_178,
        moneyDigits=3,
        trailingStopLoss=True,
        guaranteedStopLoss=True,
        stopLossTriggerMethod=oa.ProtoOAOrderTriggerMethod.OPPOSITE,
    )
    raw.tradeData.comment = "why"
    assert Position.from_wire(raw, protective_order_id=601) == Position(
        id=500,
        symbol_id=1,
        side=Side.BUY,
        status=OPEN,
        volume_cents=100_000,
        price=Decimal("1.12"),
        stop_loss=Decimal("1.11"),
        take_profit=Decimal("1.13"),
        trailing_stop=True,
        guaranteed_stop_loss=True,
        stop_trigger_method=2,
        swap=Decimal("-0.012"),
        commission=Decimal("-2.772"),
        used_margin=Decimal("2561.178"),
        label="mine-1",
        comment="why",
        opened_at_ms=T0,
        updated_at_ms=T0 + 1,
        protective_order_id=601,
    )


def test_a_pending_order_is_read_exactly() -> None:
    raw = order(
        kind=Kind.STOP_LIMIT,
        stopPrice=1.2,
        limitPrice=1.3,
        baseSlippagePrice=1.25,
        slippageInPoints=0,
        stopLoss=1.1,
        takeProfit=1.4,
        relativeStopLoss=200,
        relativeTakeProfit=300,
        trailingStopLoss=True,
        stopTriggerMethod=4,
        timeInForce=1,
        expirationTimestamp=T0 + 9,
        executedVolume=40_000,
        comment="why",
    )
    assert PendingOrder.from_wire(raw) == PendingOrder(
        id=600,
        position_id=500,
        symbol_id=1,
        side=Side.BUY,
        type=Kind.STOP_LIMIT,
        status=Status.ORDER_STATUS_ACCEPTED,
        volume_cents=100_000,
        executed_volume_cents=40_000,
        limit_price=Decimal("1.3"),
        stop_price=Decimal("1.2"),
        base_slippage_price=Decimal("1.25"),
        slippage_points=0,
        stop_loss=Decimal("1.1"),
        take_profit=Decimal("1.4"),
        relative_stop_loss=200,
        relative_take_profit=300,
        trailing_stop=True,
        stop_trigger_method=4,
        time_in_force=1,
        expires_at_ms=T0 + 9,
        client_order_id="mine-1",
        label="mine-1",
        comment="why",
        created_at_ms=T0,
        updated_at_ms=T0 + 1,
    )


def test_what_the_server_leaves_out_or_writes_as_zero_is_none() -> None:
    read = Position.from_wire(created())
    assert (read.price, read.stop_loss, read.take_profit, read.updated_at_ms) == (None, None, None, None)
    assert not read.is_open
    plain = PendingOrder.from_wire(order(position_id=0))
    assert (plain.position_id, plain.limit_price, plain.slippage_points, plain.stop_trigger_method) == (None,) * 4


def test_money_without_digits_has_two() -> None:
    raw = position(commission=-2772)
    raw.ClearField("moneyDigits")
    assert Position.from_wire(raw).commission == Decimal("-27.72")


def test_facts_for_a_record_are_text_and_integers() -> None:
    facts = Position.from_wire(position(stopLoss=1.11)).described()
    assert (facts["id"], facts["side"], facts["price"], facts["stop_loss"]) == (500, "BUY", "1.12", "1.11")
    assert "take_profit" not in facts
    assert "comment" not in facts
    assert PendingOrder.from_wire(order(kind=Kind.LIMIT, limitPrice=1.1)).described()["limit_price"] == "1.1"


# moved by events


def test_a_market_order_opens_a_position_at_its_fill_and_gets_its_levels_after() -> None:
    book = PositionBook()
    assert [(c.before, c.after) for c in book.apply(accepted())] == [(None, book.order(600))]
    assert book.positions == ()
    changes = book.apply(filled())
    assert [(type(c.before), type(c.after)) for c in changes] == [(PendingOrder, type(None)), (type(None), Position)]
    assert (book.orders, len(book.positions)) == ((), 1)
    assert book.position(500) is not None
    shown = position(at=3, stopLoss=1.11)
    book.apply(event(Execution.ORDER_ACCEPTED, order=protective(stop=1.11, at=3), position=shown))
    held = book.position(500)
    assert held is not None
    assert (held.stop_loss, held.protective_order_id) == (Decimal("1.11"), 601)
    assert (book.pending_orders, [o.is_protective for o in book.orders]) == ((), [True])


def test_a_full_close_of_a_protected_position_is_over_at_its_fill() -> None:
    book = opened()
    book.apply(event(Execution.ORDER_ACCEPTED, order=closing(), position=position(at=3, stopLoss=1.11)))
    gone = position(volume=0, status=CREATED, at=6, stopLoss=1.11, takeProfit=1.13)
    done = closing(status=Status.ORDER_STATUS_FILLED, at=6)
    changes = book.apply(event(Execution.ORDER_FILLED, order=done, position=gone, deal=deal(order_id=610)))
    assert [type(c.before) for c in changes if c.after is None] == [PendingOrder, Position]
    assert book.position(500) is None
    last = position(volume=0, status=CLOSED, at=7)
    tidied = protective(stop=1.11, take=1.13, status=Status.ORDER_STATUS_CANCELLED, at=7)
    (change,) = book.apply(event(Execution.ORDER_CANCELLED, order=tidied, position=last))
    assert isinstance(change.before, PendingOrder)
    assert (book.positions, book.orders) == ((), ())


def test_an_unprotected_position_is_closed_by_its_fill() -> None:
    book = PositionBook()
    book.apply(filled())
    gone = position(volume=0, status=CLOSED, at=6)
    done = closing(status=Status.ORDER_STATUS_FILLED, at=6)
    book.apply(event(Execution.ORDER_FILLED, order=done, position=gone))
    assert book.positions == ()


def test_a_partial_close_leaves_the_rest_and_its_protection() -> None:
    book = opened()
    rest = position(volume=40_000, at=6, stopLoss=1.11, takeProfit=1.13)
    book.apply(event(Execution.ORDER_FILLED, order=closing(status=Status.ORDER_STATUS_FILLED, at=6), position=rest))
    book.apply(event(Execution.ORDER_REPLACED, order=protective(volume=40_000, stop=1.11, at=7), position=rest))
    held = book.position(500)
    assert held is not None
    assert (held.volume_cents, held.protective_order_id) == (40_000, 601)


def test_a_stop_loss_that_is_hit_closes_the_position_alone() -> None:
    book = opened()
    hit = protective(stop=1.11, status=Status.ORDER_STATUS_FILLED, at=9)
    gone = position(volume=0, status=CLOSED, at=9)
    book.apply(event(Execution.ORDER_FILLED, order=hit, position=gone, isServerEvent=True))
    assert (book.positions, book.orders) == ((), ())


def test_a_pending_order_is_held_until_it_ends() -> None:
    book = PositionBook()
    book.apply(accepted(kind=Kind.LIMIT, limitPrice=1.1))
    assert [o.limit_price for o in book.pending_orders] == [Decimal("1.1")]
    book.apply(event(Execution.ORDER_REPLACED, order=order(kind=Kind.LIMIT, limitPrice=1.09, at=2)))
    assert [o.limit_price for o in book.pending_orders] == [Decimal("1.09")]
    gone = order(kind=Kind.LIMIT, status=Status.ORDER_STATUS_CANCELLED, at=3)
    (change,) = book.apply(
        event(Execution.ORDER_CANCELLED, order=gone, position=position(volume=0, status=CLOSED, at=3))
    )
    assert change.after is None
    assert (book.orders, book.positions) == ((), ())


def test_a_partly_filled_pending_order_stays_with_what_is_executed() -> None:
    book = PositionBook()
    book.apply(accepted(kind=Kind.LIMIT, limitPrice=1.1))
    part = order(kind=Kind.LIMIT, limitPrice=1.1, executedVolume=40_000, at=2)
    book.apply(event(Execution.ORDER_PARTIAL_FILL, order=part, position=position(volume=40_000, at=2)))
    held = book.order(600)
    assert held is not None
    assert held.executed_volume_cents == 40_000
    assert [p.volume_cents for p in book.positions] == [40_000]


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (Execution.ORDER_EXPIRED, Status.ORDER_STATUS_EXPIRED),
        (Execution.ORDER_REJECTED, Status.ORDER_STATUS_REJECTED),
        (Execution.ORDER_CANCELLED, Status.ORDER_STATUS_ACCEPTED),  # the type counts, should the status lag
    ],
)
def test_an_order_that_ended_is_no_longer_held(said: int, status: int) -> None:
    book = PositionBook()
    book.apply(accepted(kind=Kind.LIMIT))
    book.apply(ended(said, status, kind=Kind.LIMIT))
    assert book.orders == ()


def test_an_order_that_was_refused_with_an_error_code_never_was() -> None:
    book = PositionBook()
    said = accepted()
    said.errorCode = "TRADING_DISABLED"
    assert book.apply(said) == []
    assert book.orders == ()
    book = opened()
    refused = event(Execution.ORDER_CANCEL_REJECTED, order=protective(stop=1.11, at=9), errorCode="X")
    book.apply(refused)
    assert book.order(601) is not None


def test_a_trailing_stop_moves_by_an_event_of_its_own() -> None:
    book = opened()
    moved = oa.ProtoOATrailingSLChangedEvent(positionId=500, orderId=601, stopPrice=1.115, utcLastUpdateTimestamp=T0)
    (change,) = book.apply(moved)
    assert isinstance(change.before, Position)
    held = book.position(500)
    assert held is not None
    assert (change.before.stop_loss, held.stop_loss) == (Decimal("1.11"), Decimal("1.115"))
    assert held.updated_at_ms == change.before.updated_at_ms
    assert book.apply(moved) == []  # nothing new
    assert book.apply(oa.ProtoOATrailingSLChangedEvent(positionId=9, orderId=1, stopPrice=1.1)) == []


def test_used_margin_moves_by_an_event_of_its_own() -> None:
    book = opened()
    book.apply(oa.ProtoOAMarginChangedEvent(positionId=500, usedMargin=1126, moneyDigits=2))
    held = book.position(500)
    assert held is not None
    assert held.used_margin == Decimal("11.26")


def test_the_protective_order_is_known_whether_it_comes_before_or_after_its_position() -> None:
    book = PositionBook()
    book.apply(event(Execution.ORDER_ACCEPTED, order=protective(at=3)))
    book.apply(event(Execution.ORDER_ACCEPTED, position=position(at=3, stopLoss=1.1)))
    held = book.position(500)
    assert held is not None
    assert held.protective_order_id == 601
    book.apply(event(Execution.ORDER_CANCELLED, order=protective(status=Status.ORDER_STATUS_CANCELLED, at=4)))
    held = book.position(500)
    assert held is not None
    assert held.protective_order_id is None
    old = protective(id=555, status=Status.ORDER_STATUS_CANCELLED, at=5)
    assert book.apply(event(Execution.ORDER_CANCELLED, order=old)) == []


def test_late_events_bring_nothing_back() -> None:
    book = opened()
    gone = position(volume=0, status=CLOSED, at=9)
    book.apply(event(Execution.ORDER_FILLED, order=closing(status=Status.ORDER_STATUS_FILLED, at=9), position=gone))
    assert book.apply(filled()) == []
    assert book.apply(event(Execution.ORDER_ACCEPTED, order=closing(), position=position(at=4))) == []
    assert (book.positions, [o.id for o in book.orders]) == ((), [601])


def test_a_late_acceptance_does_not_close_what_is_filled() -> None:
    book = PositionBook()
    book.apply(filled())
    assert book.apply(accepted()) == []
    assert len(book.positions) == 1
    assert book.apply(event(Execution.ORDER_ACCEPTED, position=position(at=1, volume=1))) == []
    assert [p.volume_cents for p in book.positions] == [100_000]


@settings(deadline=None)  # the machine may be busy
@given(st.permutations(range(5)))
def test_the_book_ends_the_same_whatever_the_order_of_the_events(arrival: list[int]) -> None:
    gone = position(volume=0, status=CLOSED, at=9)
    said = [
        accepted(),
        filled(),
        event(Execution.ORDER_ACCEPTED, order=protective(stop=1.11, at=3), position=position(at=3, stopLoss=1.11)),
        event(
            Execution.ORDER_FILLED,
            order=protective(stop=1.11, status=Status.ORDER_STATUS_FILLED, at=9),
            position=gone,
        ),
        event(Execution.ORDER_REPLACED, order=protective(stop=1.111, at=4), position=position(at=4, stopLoss=1.111)),
    ]
    book = PositionBook()
    for index in arrival:
        book.apply(said[index])
    assert (book.positions, book.orders) == ((), ())


def test_only_so_many_ended_ones_are_remembered() -> None:
    book = PositionBook()
    for number in range(1, 3000):
        book.apply(event(Execution.ORDER_CANCELLED, order=order(id=number, status=Status.ORDER_STATUS_CANCELLED)))
    book.apply(event(Execution.ORDER_ACCEPTED, order=order(id=2999)))
    assert book.orders == ()
    book.apply(event(Execution.ORDER_ACCEPTED, order=order(id=1)))
    assert len(book.orders) == 1


def test_what_cannot_be_read_is_reported_and_the_book_keeps_what_it_had() -> None:
    book = opened()
    before = (book.positions, book.orders)
    odd_side, odd_order = position(at=9), protective(at=9)
    odd_side.tradeData.tradeSide = odd_order.tradeData.tradeSide = 3
    problems = book.apply(event(Execution.ORDER_REPLACED, order=odd_order, position=odd_side))
    assert [change.problem for change in problems] == [
        "order 601 cannot be read: 3 is not a valid Side",
        "position 500 cannot be read: 3 is not a valid Side",
    ]
    assert all(change.before == change.after for change in problems)
    (change,) = book.apply(oa.ProtoOATrailingSLChangedEvent(positionId=500, orderId=601, stopPrice=float("nan")))
    assert change.problem == "position 500 cannot be read: nan is no price of a stop loss"
    (change,) = book.apply(oa.ProtoOAMarginChangedEvent(positionId=500, usedMargin=1, moneyDigits=4_000_000_000))
    assert change == BookChange(book.position(500), book.position(500), change.problem)
    assert (book.positions, book.orders) == before


@pytest.mark.parametrize("said", [Execution.SWAP, Execution.DEPOSIT_WITHDRAW, 99])
def test_an_event_of_something_else_changes_nothing(said: int) -> None:
    book = opened()
    before = (book.positions, book.orders)
    assert book.apply(event(said)) == []
    assert (book.positions, book.orders) == before


def test_booked_swap_is_taken_over_where_an_event_shows_it() -> None:
    book = opened()
    book.apply(event(Execution.SWAP, position=position(at=9, swap=-12)))
    held = book.position(500)
    assert held is not None
    assert held.swap == Decimal("-0.12")


# set right by reconcile


def test_the_first_list_is_news_and_no_difference() -> None:
    book = PositionBook()
    assert book.reconcile(reconciled(position(), orders=[order(kind=Kind.LIMIT), protective()])) == []
    assert book.reconciled
    held = book.position(500)
    assert held is not None
    assert held.protective_order_id == 601
    assert [o.id for o in book.orders] == [600, 601]


def test_a_list_that_agrees_makes_no_difference() -> None:
    book = opened()
    book.reconcile(reconciled())
    book = opened()
    book.reconciled = True
    agreed = position(at=3, stopLoss=1.11, takeProfit=1.13, swap=-5, usedMargin=7)
    assert book.reconcile(reconciled(agreed, orders=[protective(stop=1.11, take=1.13, at=3)])) == []
    held = book.position(500)
    assert held is not None
    assert (held.swap, held.used_margin) == (Decimal("-0.05"), Decimal("0.07"))  # these move untold


def test_each_point_in_which_we_were_wrong_is_named() -> None:
    book = opened()
    book.reconciled = True
    rows = reconciled(position(at=9, volume=40_000, stopLoss=1.1), position(id=501), orders=[order(kind=Kind.LIMIT)])
    assert [str(difference) for difference in book.reconcile(rows)] == [
        "position 500, volume_cents: the book had 100000, the server has 40000",
        "position 500, stop_loss: the book had 1.11, the server has 1.1",
        "position 500, take_profit: the book had 1.13, the server has nothing",
        "position 501, existence: the book had nothing, the server has BUY 100000 of symbol 1 at 1.12",
        "order 600, existence: the book had nothing, the server has BUY 100000 of symbol 1",
        "order 601, existence: the book had SELL 100000 of symbol 1 at 1.13, the server has nothing",
    ]
    assert [p.id for p in book.positions] == [500, 501]
    assert book.reconcile(rows) == []


def test_what_the_server_does_not_have_is_gone_and_may_come_back() -> None:
    book = opened()
    book.reconciled = True
    (difference, _) = book.reconcile(reconciled())
    assert difference == Difference("position", 500, "existence", "BUY 100000 of symbol 1 at 1.12", None)
    assert book.positions == ()
    book.reconcile(reconciled(position(at=3)))
    assert len(book.positions) == 1


def test_events_after_the_question_outweigh_an_older_answer() -> None:
    book = opened()
    book.reconciled = True
    mark = book.mark()
    book.apply(event(Execution.ORDER_FILLED, order=order(id=650, position_id=501), position=position(id=501, at=9)))
    gone = position(volume=0, status=CLOSED, at=9)
    book.apply(event(Execution.ORDER_FILLED, order=closing(status=Status.ORDER_STATUS_FILLED, at=9), position=gone))
    answer = reconciled(position(at=3, stopLoss=1.11, takeProfit=1.13), orders=[protective(stop=1.11, take=1.13, at=3)])
    assert book.reconcile(answer, since=mark) == []
    assert [p.id for p in book.positions] == [501]
    assert [d.id for d in book.reconcile(answer)] == [500, 501]  # asked again, the server means it
    assert [p.id for p in book.positions] == [500]


def test_an_order_that_fills_at_once_is_in_no_list_and_works_on() -> None:
    book = opened()
    book.reconciled = True
    book.apply(accepted(id=650, position_id=501))
    book.apply(accepted(id=651, position_id=502, kind=Kind.MARKET_RANGE))
    book.apply(event(Execution.ORDER_ACCEPTED, order=closing()))
    shown = reconciled(position(at=3, stopLoss=1.11, takeProfit=1.13), orders=[protective(stop=1.11, take=1.13, at=3)])
    assert book.differences(shown, since=book.mark()) == []
    assert [o.id for o in book.immediate_orders] == [650, 651, 610]
    assert book.reconcile(shown) == []
    assert [o.id for o in book.immediate_orders] == [650, 651]  # one that closes must hold up no other close


def test_an_order_that_waits_for_its_price_is_missed_in_a_list() -> None:
    book = PositionBook()
    book.reconciled = True
    book.apply(accepted(kind=Kind.STOP, stopPrice=1.2))
    (difference,) = book.reconcile(reconciled())
    assert (difference.kind, difference.id) == ("order", 600)
    assert book.orders == ()


def test_the_list_of_orders_tells_what_became_of_one_that_fills_at_once() -> None:
    book = PositionBook()
    book.apply(accepted(at=3))
    mark = book.mark()
    assert book.told(order(at=2, status=Status.ORDER_STATUS_FILLED)) == 0, "older than what the event said"
    assert book.told(order(at=3, executedVolume=40_000)) == 40_000
    assert book.told(order(at=3, executedVolume=40_000)) == 0
    assert [o.executed_volume_cents for o in book.orders] == [40_000]
    assert book.told(order(at=4, executedVolume=100_000, status=Status.ORDER_STATUS_FILLED)) == 60_000
    assert book.orders == ()
    assert book.mark() > mark
    assert book.told(order(at=4)) == 0, "it has ended, and the list lags"
    assert book.orders == ()


def test_the_list_of_orders_shows_what_no_event_told_of() -> None:
    book = PositionBook()
    for passed_over in (
        closing(),
        order(id=651, kind=Kind.LIMIT, limitPrice=1.2),
        order(id=652, status=Status.ORDER_STATUS_REJECTED),
        protective(),
        oa.ProtoOAOrder(orderId=653, orderType=Kind.MARKET, tradeData=oa.ProtoOATradeData(tradeSide=None)),
    ):
        assert book.told(passed_over) == 0
    assert book.orders == ()
    assert book.told(order(id=650, executedVolume=40_000)) == 0
    assert [o.id for o in book.orders] == [650]


def test_a_list_without_protective_orders_leaves_those_that_are_known() -> None:
    book = opened()
    book.reconciled = True
    shown = position(at=3, stopLoss=1.11, takeProfit=1.13)
    assert book.reconcile(reconciled(shown), protection_orders=False) == []
    held = book.position(500)
    assert held is not None
    assert held.protective_order_id == 601
    assert book.order(601) is not None


def test_closed_positions_and_ended_orders_in_a_list_are_passed_over() -> None:
    book = PositionBook()
    rows = [position(volume=0, status=CREATED), position(id=501, status=CLOSED)]
    book.reconcile(reconciled(*rows, orders=[order(status=Status.ORDER_STATUS_FILLED)]))
    assert (book.positions, book.orders) == ((), ())


def test_rows_that_cannot_be_read_are_named_and_what_is_held_of_them_stays() -> None:
    book = opened()
    odd, odd_order = position(at=9), protective(at=9)
    odd.tradeData.tradeSide = odd_order.tradeData.tradeSide = 9
    differences = book.reconcile(reconciled(odd, orders=[odd_order]))
    assert [(d.kind, d.id, d.field) for d in differences] == [("order", 601, "readable"), ("position", 500, "readable")]
    assert "what cannot be read: 9 is not a valid Side" in str(differences[1])
    assert (len(book.positions), len(book.orders)) == (1, 1)


# what a real server said


def test_the_recorded_life_of_a_position() -> None:
    said = recorded()
    book = PositionBook()
    for name in ("accepted", "filled", "prot"):
        book.apply(said[name])
    held = book.position(5000001)
    assert held is not None
    assert (held.price, held.stop_loss, held.take_profit) == (
        Decimal("85287.21"),
        Decimal("85197.2"),
        Decimal("85387.22"),
    )
    assert (held.commission, held.used_margin, held.protective_order_id) == (
        Decimal("-27.72"),
        Decimal("25611.78"),
        6000002,
    )
    for name in ("partial_close_acc", "partial_close_fill"):
        book.apply(said[name])
    held = book.position(5000001)
    assert held is not None
    assert (held.volume_cents, held.commission, held.stop_loss) == (99, Decimal("-27.44"), Decimal("85200.2"))
    assert book.apply(said["slhit"]) == []  # of a position that this book never had
    book.apply(said["limit_create"])
    assert [o.limit_price for o in book.pending_orders] == [Decimal(85100)]
    assert [o.id for o in book.orders] == [6000002, 6000006]
    book.apply(said["limit_cancel"])
    assert book.pending_orders == ()


def test_a_recorded_list_of_pending_orders_is_taken_over() -> None:
    said = recorded()
    book = PositionBook()
    assert book.reconcile(said["snapshot_pending"]) == []
    assert [(o.id, o.position_id, o.volume_cents) for o in book.pending_orders] == [(6000006, 5000003, 100)]
