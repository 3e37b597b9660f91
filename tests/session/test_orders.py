from __future__ import annotations

import itertools
from decimal import Context, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyctrader.session.changes import Close
from anyctrader.session.environments import Environment
from anyctrader.session.errors import NotSent
from anyctrader.session.orders import (
    FINAL_STATES,
    ORDER_TABLE,
    OrderInput,
    OrderRecord,
    OrderState,
    OrderTable,
)
from anyctrader.session.tickets import LimitOrder, MarketOrder, MarketRangeOrder, Side, StopOrder
from anyctrader.wire import messages as oa
from anyctrader.wire.errors import LocalProtocolError

from .server_words import (
    ACCOUNT,
    BITCOIN,
    EURUSD,
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
    partly_filled,
    position,
    protective,
    record,
    recorded,
    sent,
)

S, I = OrderState, OrderInput  # noqa: E741 (the table reads best so)
NOW = T0 + 200

PROTECTED = MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20, take_profit_pips=40)


def at(state: OrderState) -> OrderRecord:
    """A record in that state, by the shortest way."""
    made = record()
    ways: dict[OrderState, list[Any]] = {
        S.CREATED: [],
        S.SENT: [],
        S.ACCEPTED: [accepted()],
        S.PARTIALLY_FILLED: [partly_filled(executed=40_000, deal_id=700, volume=40_000, at=1)],
        S.FILLED: [filled(at=1)],
        S.CANCELLED: [ended(Execution.ORDER_CANCELLED, Status.ORDER_STATUS_CANCELLED, at=1)],
        S.EXPIRED: [ended(Execution.ORDER_EXPIRED, Status.ORDER_STATUS_EXPIRED, at=1)],
        S.REJECTED: [ended(Execution.ORDER_REJECTED, Status.ORDER_STATUS_REJECTED, at=1)],
        S.UNKNOWN: [],
    }
    if state is S.NOT_SENT:
        made.not_sent(at_ms=NOW)
    elif state is not S.CREATED:
        made.sent(at_ms=T0 + 5)
    for said in ways.get(state, []):
        made.apply(said, at_ms=NOW)
    if state is S.UNKNOWN:
        made.lost(at_ms=NOW)
    assert made.state is state
    return made


# the table


@pytest.mark.parametrize(("state", "said"), list(itertools.product(S, I)))
def test_every_pair_moves_as_the_table_says_or_is_not_in_it(state: OrderState, said: OrderInput) -> None:
    after = ORDER_TABLE.get((state, said))
    if state in FINAL_STATES:
        assert after in (None, state), "a final state has no exit"
    if said is I.LOST and state not in FINAL_STATES:
        assert after is (S.CREATED if state is S.CREATED else S.UNKNOWN)
    if state is S.UNKNOWN:
        assert after is not S.CREATED
    if after is S.NOT_SENT and state is not S.NOT_SENT:
        assert (state, said) in {(S.CREATED, I.NOT_SENT), (S.UNKNOWN, I.NEVER_ARRIVED)}
    if said in (I.REPLACED, I.CHANGE_REFUSED):
        assert after in (None, state), "a change that was made or refused does not move the order"


def test_sent_may_go_to_any_later_state_and_only_words_of_the_server_lead_out_of_unknown() -> None:
    later = {S.ACCEPTED, S.PARTIALLY_FILLED, S.FILLED, S.CANCELLED, S.EXPIRED, S.REJECTED, S.UNKNOWN}
    assert later <= {after for (before, _), after in ORDER_TABLE.items() if before is S.SENT}
    ways_out = {said for (before, said), after in ORDER_TABLE.items() if before is S.UNKNOWN and after is not before}
    words = {I.ACCEPTED, I.PARTIALLY_FILLED, I.FILLED, I.CANCELLED, I.EXPIRED, I.REJECTED, I.NEVER_ARRIVED}
    assert ways_out == words


@pytest.mark.parametrize("state", list(S))
def test_what_we_may_not_do_raises_and_changes_nothing(state: OrderState) -> None:
    doings = {I.SENT: "sent", I.NOT_SENT: "not_sent", I.LOST: "lost", I.NEVER_ARRIVED: "never_arrived"}
    for said, name in doings.items():
        made = at(state)
        after = ORDER_TABLE.get((state, said))
        if after is None:
            with pytest.raises(LocalProtocolError, match="cannot be of <order mine-1 demo BUY 100000 EURUSD"):
                getattr(made, name)(at_ms=NOW)
            assert made.state is state
        else:
            change = getattr(made, name)(at_ms=NOW)
            assert (change.before, change.after, made.state) == (state, after, after)
            assert change.moved is (state is not after)


# the life of an order


def test_a_market_order_is_accepted_then_filled() -> None:
    made = sent()
    first = made.apply(accepted(), at_ms=T0 + 50)
    assert (first.before, first.after, first.look_up) == (S.SENT, S.ACCEPTED, False)
    assert (made.order_id, made.position_id, made.executed_volume_cents) == (600, 500, 0)
    second = made.apply(filled(), at_ms=T0 + 190)
    assert (second.after, len(second.fills), second.contradiction) == (S.FILLED, 1, None)
    assert made.is_final
    assert (made.executed_volume_cents, made.filled_volume_cents) == (100_000, 100_000)
    assert made.average_price == Decimal("1.12")
    assert made.commission == Decimal("-0.03")
    assert made.realised is None
    assert made.latencies_ms == {"sent": 5, "accepted": 50, "filled": 190}
    assert made.finished_at_ms == T0 + 190


def test_the_fill_alone_is_enough() -> None:
    made = sent()
    assert made.apply(filled(), at_ms=NOW).after is S.FILLED
    assert made.accepted_at_ms == NOW


def test_parts_add_up_to_an_exact_average() -> None:
    made = sent()
    made.apply(accepted(), at_ms=NOW)
    first = partly_filled(executed=40_000, deal_id=700, volume=40_000)
    first.deal.executionPrice = 1.12
    assert made.apply(first, at_ms=NOW).after is S.PARTIALLY_FILLED
    last = filled(at=3)
    last.deal.CopyFrom(deal(id=701, volume=60_000, price=1.12005))
    change = made.apply(last, at_ms=NOW)
    assert change.after is S.FILLED
    assert made.average_price == Decimal("1.12003")
    assert [fill.deal_id for fill in made.fills] == [700, 701]
    assert made.commission == Decimal("-0.06")


def test_a_deal_is_counted_once() -> None:
    made = sent()
    made.apply(filled(), at_ms=NOW)
    again = made.apply(filled(), at_ms=NOW + 1)
    assert (again.fills, again.moved, again.contradiction) == ((), False, None)
    assert made.filled_volume_cents == 100_000
    assert made.filled_at_ms == NOW


def test_a_rest_that_was_not_filled_is_cancelled_and_the_fill_stays() -> None:
    made = sent()
    made.apply(partly_filled(executed=40_000, deal_id=700, volume=40_000), at_ms=NOW)
    cancelled = ended(Execution.ORDER_CANCELLED, Status.ORDER_STATUS_CANCELLED, executedVolume=40_000)
    change = made.apply(cancelled, at_ms=NOW)
    assert (change.after, change.contradiction, change.look_up) == (S.CANCELLED, None, False)
    assert made.executed_volume_cents == 40_000


def test_a_part_that_is_told_after_the_end_is_counted_and_is_no_contradiction() -> None:
    made = sent()
    cancelled = ended(Execution.ORDER_CANCELLED, Status.ORDER_STATUS_CANCELLED, executedVolume=40_000)
    assert made.apply(cancelled, at_ms=NOW).look_up  # told of more volume than of fills
    late = made.apply(partly_filled(executed=40_000, deal_id=700, volume=40_000, at=2), at_ms=NOW)
    assert (len(late.fills), late.moved, late.contradiction, late.look_up) == (1, False, None, False)
    assert made.state is S.CANCELLED


def test_more_fills_than_the_end_told_of_contradict_it_and_are_counted() -> None:
    made = sent()
    made.apply(ended(Execution.ORDER_CANCELLED, Status.ORDER_STATUS_CANCELLED), at_ms=NOW)
    change = made.apply(partly_filled(executed=40_000, deal_id=700, volume=40_000, at=4), at_ms=NOW)
    assert change.contradiction == "40000 are filled of an order that was 'cancelled' with 0"
    assert (made.state, made.filled_volume_cents) == (S.CANCELLED, 40_000)


def test_another_end_contradicts_the_first_and_does_not_move_it() -> None:
    made = sent()
    made.apply(filled(), at_ms=NOW)
    change = made.apply(ended(Execution.ORDER_CANCELLED, Status.ORDER_STATUS_CANCELLED, executedVolume=0), at_ms=NOW)
    assert change.contradiction == "the server said 'cancelled' of an order that was 'filled'"
    assert made.state is S.FILLED


def test_a_fill_of_an_order_that_never_left_is_a_contradiction() -> None:
    made = record()
    made.not_sent(at_ms=NOW)
    change = made.apply(filled(), at_ms=NOW)
    assert change.contradiction == "the server said 'filled' of an order that was 'not sent'"
    assert (made.state, made.filled_volume_cents) == (S.NOT_SENT, 100_000)


def test_more_than_was_ordered_is_a_contradiction() -> None:
    made = sent()
    made.apply(partly_filled(executed=60_000, deal_id=700, volume=60_000), at_ms=NOW)
    change = made.apply(partly_filled(executed=120_000, deal_id=701, volume=60_000, at=3), at_ms=NOW)
    assert change.contradiction == "120000 are filled of an order for 100000"


def test_old_news_count_fills_and_move_nothing() -> None:
    made = sent()
    made.apply(partly_filled(executed=80_000, deal_id=701, volume=40_000, at=5), at_ms=NOW)
    made.apply(accepted(), at_ms=NOW)
    assert made.state is S.PARTIALLY_FILLED
    late = made.apply(partly_filled(executed=40_000, deal_id=700, volume=40_000, at=3), at_ms=NOW)
    assert (late.moved, len(late.fills), late.contradiction) == (False, 1, None)
    assert (made.executed_volume_cents, made.filled_volume_cents) == (80_000, 80_000)


@settings(deadline=None)  # the machine may be busy
@given(st.permutations(range(4)))
def test_events_in_any_order_end_the_same(order_of_arrival: list[int]) -> None:
    parts = [
        accepted(),
        partly_filled(executed=30_000, deal_id=700, volume=30_000, at=2),
        partly_filled(executed=70_000, deal_id=701, volume=40_000, at=3),
        filled(at=4),
    ]
    parts[3].deal.CopyFrom(deal(id=702, volume=30_000))
    made = sent()
    for index in order_of_arrival:
        assert made.apply(parts[index], at_ms=NOW).contradiction is None
    assert made.state is S.FILLED
    assert made.filled_volume_cents == made.executed_volume_cents == 100_000


def test_an_order_can_expire() -> None:
    made = sent(LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.1", expires_at=T0 + 999))
    made.apply(accepted(kind=Kind.LIMIT), at_ms=NOW)
    change = made.apply(ended(Execution.ORDER_EXPIRED, Status.ORDER_STATUS_EXPIRED, kind=Kind.LIMIT), at_ms=NOW)
    assert change.after is S.EXPIRED


def test_an_amend_moves_no_state_but_size_and_price() -> None:
    made = sent(LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.1"))
    made.apply(accepted(kind=Kind.LIMIT, limitPrice=1.1), at_ms=NOW)
    change = made.apply(
        event(Execution.ORDER_REPLACED, order=order(kind=Kind.LIMIT, limitPrice=1.09, volume=200_000, at=2)), at_ms=NOW
    )
    assert (change.input, change.moved) == (I.REPLACED, False)
    assert (made.requested_price, made.volume_cents) == (Decimal("1.09"), 200_000)


@pytest.mark.parametrize(
    ("ticket", "kind", "price"),
    [
        (StopOrder("EURUSD", Side.BUY, lots="0.01", stop_price="1.2"), Kind.STOP, {"stopPrice": 1.21}),
        (
            MarketRangeOrder("EURUSD", Side.BUY, lots="0.01", base_price="1.2", slippage_points=5),
            Kind.MARKET_RANGE,
            {"baseSlippagePrice": 1.21},
        ),
    ],
)
def test_the_price_asked_for_follows_what_the_server_has(ticket: Any, kind: int, price: dict[str, float]) -> None:
    made = sent(ticket)
    assert made.requested_price == Decimal("1.2")
    made.apply(accepted(kind=kind, **price), at_ms=NOW)
    assert made.requested_price == Decimal("1.21")


@pytest.mark.parametrize("state", [S.ACCEPTED, S.PARTIALLY_FILLED, S.FILLED, S.CANCELLED])
def test_a_cancel_that_was_refused_moves_nothing(state: OrderState) -> None:
    made = at(state)
    said = event(Execution.ORDER_CANCEL_REJECTED, order=order(at=9), errorCode="UNABLE_TO_CANCEL_ORDER")
    change = made.apply(said, at_ms=NOW)
    assert (change.moved, change.contradiction, change.error_code) == (False, None, "UNABLE_TO_CANCEL_ORDER")
    assert made.error_code is None


# refusals


def test_a_late_refusal_comes_as_an_event() -> None:
    made = sent()
    made.apply(accepted(), at_ms=NOW)
    said = ended(Execution.ORDER_REJECTED, Status.ORDER_STATUS_REJECTED)
    said.errorCode = "NOT_ENOUGH_MONEY"
    change = made.apply(said, at_ms=NOW)
    assert (change.after, change.error_code, made.error_code) == (S.REJECTED, "NOT_ENOUGH_MONEY", "NOT_ENOUGH_MONEY")


def test_an_error_event_refuses_an_order_that_had_no_other_answer() -> None:
    made = sent()
    said = oa.ProtoOAOrderErrorEvent(ctidTraderAccountId=ACCOUNT, errorCode="MARKET_CLOSED", description="closed")
    change = made.apply(said, at_ms=NOW)
    assert (change.after, change.error_code, change.error_description) == (S.REJECTED, "MARKET_CLOSED", "closed")
    assert (made.error_code, made.error_description, made.accepted_at_ms) == ("MARKET_CLOSED", "closed", None)
    assert made.finished_at_ms == NOW


def test_an_error_event_after_the_acceptance_is_about_a_change() -> None:
    made = at(S.ACCEPTED)
    change = made.apply(oa.ProtoOAOrderErrorEvent(errorCode="UNABLE_TO_AMEND_ORDER", orderId=600), at_ms=NOW)
    assert (change.moved, change.error_code, made.error_code) == (False, "UNABLE_TO_AMEND_ORDER", None)


def test_an_error_answer_leads_out_of_an_unknown_outcome() -> None:
    made = at(S.UNKNOWN)
    assert made.refuse("REQUEST_FREQUENCY_EXCEEDED", at_ms=NOW).after is S.REJECTED


def test_an_order_that_ran_out_of_time_at_the_server_is_unknown_not_refused() -> None:
    made = sent()
    change = made.refuse("TIMEOUT_ERROR", "execution timed out", at_ms=NOW)
    assert (change.after, change.error_code, made.error_code) == (S.UNKNOWN, "TIMEOUT_ERROR", None)


def test_an_error_says_nothing_of_an_order_that_has_not_left() -> None:
    assert not record().refuse("X", at_ms=NOW).moved


@pytest.mark.parametrize("kind", [Execution.ORDER_ACCEPTED, 99])
def test_any_first_event_with_an_error_code_is_a_refusal(kind: int) -> None:
    made = sent()
    change = made.apply(event(kind, order=order(), errorCode="TRADING_DISABLED"), at_ms=NOW)
    assert (change.after, made.error_code) == (S.REJECTED, "TRADING_DISABLED")


def test_a_later_event_with_an_error_code_is_a_refused_change_unless_its_status_says_otherwise() -> None:
    made = at(S.ACCEPTED)
    change = made.apply(event(Execution.ORDER_ACCEPTED, order=order(at=2), errorCode="X"), at_ms=NOW)
    assert (change.input, change.moved, change.error_code) == (I.CHANGE_REFUSED, False, "X")
    rejected = event(99, order=order(at=3, status=Status.ORDER_STATUS_REJECTED), errorCode="Y")
    assert made.apply(rejected, at_ms=NOW).after is S.REJECTED


def test_a_fill_with_an_error_code_is_a_fill() -> None:
    made = sent()
    said = filled()
    said.errorCode = "X"
    assert made.apply(said, at_ms=NOW).after is S.FILLED


def test_a_rejected_deal_is_no_fill() -> None:
    made = sent()
    said = accepted()
    said.deal.CopyFrom(deal(status=oa.ProtoOADealStatus.REJECTED))
    assert made.apply(said, at_ms=NOW).fills == ()
    said.deal.CopyFrom(deal(volume=0))
    assert made.apply(said, at_ms=NOW).fills == ()


# unknown outcomes


@pytest.mark.parametrize("state", [S.SENT, S.ACCEPTED, S.PARTIALLY_FILLED])
def test_the_loss_of_the_link_makes_the_outcome_unknown(state: OrderState) -> None:
    made = at(state)
    assert made.lost(at_ms=NOW).after is S.UNKNOWN


@pytest.mark.parametrize("state", [S.CREATED, *sorted(FINAL_STATES, key=str)])
def test_the_loss_of_the_link_means_nothing_to_what_had_not_left_or_had_ended(state: OrderState) -> None:
    made = at(state)
    assert not made.lost(at_ms=NOW).moved


def test_an_event_that_is_replayed_proves_nothing_of_an_unknown_outcome() -> None:
    made = at(S.ACCEPTED)
    made.lost(at_ms=NOW)
    assert not made.apply(accepted(), at_ms=NOW).moved
    assert made.apply(filled(), at_ms=NOW).after is S.FILLED


def test_a_fill_that_was_not_counted_yet_is_no_replay() -> None:
    made = sent()
    made.apply(partly_filled(executed=40_000, deal_id=700, volume=40_000), at_ms=NOW)
    made.lost(at_ms=NOW)
    change = made.apply(partly_filled(executed=80_000, deal_id=701, volume=40_000), at_ms=NOW)
    assert (change.after, made.filled_volume_cents) == (S.PARTIALLY_FILLED, 80_000)


@pytest.mark.parametrize(
    ("row", "after"),
    [
        (order(at=2), S.ACCEPTED),
        (order(at=2, executedVolume=40_000), S.PARTIALLY_FILLED),
        (order(at=2, status=Status.ORDER_STATUS_FILLED, executedVolume=100_000), S.FILLED),
        (order(at=2, status=Status.ORDER_STATUS_CANCELLED), S.CANCELLED),
        (order(at=2, status=Status.ORDER_STATUS_EXPIRED), S.EXPIRED),
        (order(at=2, status=Status.ORDER_STATUS_REJECTED), S.REJECTED),
        (order(at=2, status=77), S.UNKNOWN),
    ],
)
def test_a_row_of_the_servers_lists_settles_an_unknown_outcome(row: oa.ProtoOAOrder, after: OrderState) -> None:
    made = at(S.UNKNOWN)
    change = made.settle_from_order(row, at_ms=NOW)
    assert (change.after, made.state, made.order_id) == (after, after, 600)
    assert change.look_up is (after in (S.UNKNOWN, S.FILLED, S.PARTIALLY_FILLED))  # told of volume without its deals


def test_the_same_row_settles_an_order_that_was_known_to_be_so_before_the_link_went() -> None:
    made = at(S.ACCEPTED)
    made.lost(at_ms=NOW)
    assert made.settle_from_order(order(at=1), at_ms=NOW).after is S.ACCEPTED


def test_the_deals_of_a_settled_order_are_counted_and_those_of_others_are_not() -> None:
    made = at(S.UNKNOWN)
    row = order(at=2, status=Status.ORDER_STATUS_FILLED, executedVolume=100_000)
    change = made.settle_from_order(row, [deal(), deal(id=701, order_id=999)], at_ms=NOW)
    assert ([fill.deal_id for fill in change.fills], change.look_up) == ([700], False)


def test_an_old_row_settles_nothing() -> None:
    made = at(S.ACCEPTED)
    made.apply(event(Execution.ORDER_REPLACED, order=order(at=5)), at_ms=NOW)
    made.lost(at_ms=NOW)
    assert made.settle_from_order(order(at=4), at_ms=NOW).after is S.UNKNOWN


def test_a_row_of_another_order_is_refused() -> None:
    made = at(S.ACCEPTED)
    with pytest.raises(LocalProtocolError, match="order 999 is not <order mine-1"):
        made.settle_from_order(order(id=999), at_ms=NOW)
    with pytest.raises(LocalProtocolError):
        sent().settle_from_order(protective(), at_ms=NOW)


def test_what_never_arrived_may_be_repeated() -> None:
    made = at(S.UNKNOWN)
    made.never_arrived(at_ms=NOW)
    assert made.state is S.NOT_SENT
    assert made.accepted_at_ms is None
    assert NotSent  # the error of that state


@pytest.mark.parametrize("kind", [Execution.ORDER_REPLACED, Execution.ORDER_CANCEL_REJECTED])
def test_a_change_shows_that_the_server_has_an_order_whose_outcome_was_unknown(kind: int) -> None:
    made = at(S.UNKNOWN)
    assert made.apply(event(kind, order=order()), at_ms=NOW).after is S.ACCEPTED
    made = at(S.UNKNOWN)
    assert made.apply(event(kind, order=order(executedVolume=1)), at_ms=NOW).after is S.PARTIALLY_FILLED


# words that we do not know


@pytest.mark.parametrize("kind", [1, 99])
def test_an_execution_type_of_a_newer_server_moves_nothing_and_asks_for_a_look(kind: int) -> None:
    made = at(S.ACCEPTED)
    change = made.apply(event(kind, order=order(at=2, status=55)), at_ms=NOW)
    assert (change.input, change.moved, change.look_up) == (None, False, True)


def test_a_fill_without_its_deal_asks_for_a_look() -> None:
    made = sent()
    said = filled()
    said.ClearField("deal")
    assert made.apply(said, at_ms=NOW).look_up
    said.order.ClearField("executedVolume")
    made = sent()
    assert made.apply(said, at_ms=NOW).look_up
    assert made.executed_volume_cents == 100_000


def test_an_acceptance_that_shows_fills_is_one_of_a_part() -> None:
    made = sent()
    assert made.apply(accepted(executedVolume=40_000), at_ms=NOW).after is S.PARTIALLY_FILLED


@pytest.mark.parametrize("price", [float("nan"), float("inf"), 1e300])
def test_a_price_that_is_none_leaves_the_average_unknown(price: float) -> None:
    made = sent(quoted_price=Decimal("1.12"))
    said = filled()
    said.deal.executionPrice = price
    change = made.apply(said, at_ms=NOW)
    assert (change.after, change.fills[0].price) == (S.FILLED, None)
    assert "price" not in change.fills[0].described()
    assert (made.average_price, made.slippage) == (None, None)


def test_money_on_a_scale_that_makes_no_sense_is_not_known() -> None:
    made = sent()
    said = filled()
    said.deal.moneyDigits = 4_000_000_000
    said.deal.closePositionDetail.CopyFrom(
        oa.ProtoOAClosePositionDetail(
            entryPrice=1, grossProfit=1, swap=0, commission=0, balance=1, moneyDigits=4_000_000_000
        )
    )
    fill = made.apply(said, at_ms=NOW).fills[0]
    assert (fill.commission, fill.realised, made.commission) == (None, None, 0)
    assert "commission" not in fill.described()


@pytest.mark.parametrize("kind", [Execution.SWAP, Execution.DEPOSIT_WITHDRAW, Execution.BONUS_DEPOSIT_WITHDRAW])
def test_an_event_without_an_order_moves_nothing(kind: int) -> None:
    made = at(S.ACCEPTED)
    change = made.apply(event(kind, position=position()), at_ms=NOW)
    assert (change.moved, change.look_up, change.contradiction) == (False, False, None)


# protection


def test_an_order_is_protected_when_the_protective_order_is_accepted() -> None:
    made = sent(PROTECTED)
    assert not made.apply(accepted(), at_ms=NOW).became_protected
    assert not made.apply(filled(), at_ms=NOW).became_protected
    assert not made.protected
    said = event(Execution.ORDER_ACCEPTED, order=protective(stop=1.118, take=1.124))
    change = made.apply(said, at_ms=NOW)
    assert (change.became_protected, made.protected, change.moved) == (True, True, False)
    assert (made.protection.stop_loss, made.protection.take_profit) == (Decimal("1.118"), Decimal("1.124"))
    assert not made.apply(said, at_ms=NOW).became_protected  # the first time only


def test_an_order_is_protected_when_its_position_shows_the_levels() -> None:
    made = sent(PROTECTED)
    made.apply(filled(), at_ms=NOW)
    assert made.see_position(position(stopLoss=1.118, takeProfit=1.124)).became_protected


def test_one_level_of_two_is_not_protection() -> None:
    made = sent(PROTECTED)
    made.apply(filled(), at_ms=NOW)
    assert not made.see_position(position(takeProfit=1.124)).became_protected
    assert not made.see_position(position(stopLoss=1.118)).became_protected
    both = event(Execution.ORDER_REPLACED, order=protective(stop=1.118, take=1.124))
    assert made.apply(both, at_ms=NOW).became_protected


@pytest.mark.parametrize(
    "said",
    [
        event(Execution.ORDER_ACCEPTED, order=protective(position_id=999, stop=1.118, take=1.124)),
        event(Execution.ORDER_CANCELLED, order=protective(stop=1.1, take=1.2, status=Status.ORDER_STATUS_CANCELLED)),
        event(Execution.ORDER_ACCEPTED, position=position(id=999, stopLoss=1.1, takeProfit=1.2)),
        event(Execution.ORDER_ACCEPTED, position=position(volume=0, stopLoss=1.1, takeProfit=1.2)),
        event(Execution.ORDER_ACCEPTED, order=order(id=999, kind=Kind.LIMIT, stopPrice=1.1, limitPrice=1.2)),
    ],
)
def test_levels_of_something_else_or_of_a_closed_position_protect_nothing(said: oa.ProtoOAExecutionEvent) -> None:
    made = sent(PROTECTED)
    made.apply(filled(), at_ms=NOW)
    assert not made.apply(said, at_ms=NOW).became_protected
    assert not made.protected


def test_before_its_position_is_known_nothing_protects_an_order() -> None:
    assert not sent(PROTECTED).see_position(position(stopLoss=1.1, takeProfit=1.2)).became_protected


def test_an_order_that_asked_for_nothing_is_protected_once_a_level_is_there() -> None:
    made = sent()
    made.apply(filled(), at_ms=NOW)
    assert not made.see_position(position()).became_protected
    assert made.see_position(position(takeProfit=1.2)).became_protected


# slippage and results


@pytest.mark.parametrize(
    ("side", "quoted", "worse"),
    [(Side.BUY, "1.11990", 10), (Side.BUY, "1.12010", -10), (Side.SELL, "1.12010", 10), (Side.SELL, "1.11990", -10)],
)
def test_slippage_is_positive_where_the_fill_was_worse_than_the_quote(side: Side, quoted: str, worse: int) -> None:
    made = sent(MarketOrder("EURUSD", side, lots="0.01"), quoted_price=Decimal(quoted))
    assert made.slippage is None
    made.apply(filled(side=side), at_ms=NOW)
    slippage = made.slippage
    assert slippage is not None
    assert (slippage.points, slippage.pips, slippage.price) == (worse, Decimal(worse) / 10, Decimal(worse) / 100_000)
    assert slippage.quote_money == Decimal(worse) / 100  # on 1,000 units
    assert slippage.deposit_money(Decimal("0.9")) == Decimal(worse) / 100 * Decimal("0.9")
    assert slippage.described()["slippage_pips"] == f"{worse / 10:.1f}"


def test_slippage_of_a_limit_order_is_against_its_price_and_not_the_quote() -> None:
    made = sent(LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.12005"), quoted_price=Decimal(2))
    made.apply(filled(kind=Kind.LIMIT, limitPrice=1.12005), at_ms=NOW)
    assert made.slippage is not None
    assert made.slippage.points == -5


def test_without_a_price_to_compare_there_is_no_slippage() -> None:
    made = sent()
    made.apply(filled(), at_ms=NOW)
    assert made.slippage is None


def test_a_record_tells_its_facts() -> None:
    made = sent(quoted_price=Decimal("1.11990"))
    assert made.described() == {
        "client_order_id": "mine-1",
        "account_id": ACCOUNT,
        "symbol": "EURUSD",
        "side": "BUY",
        "volume_cents": 100_000,
        "state": "sent",
        "quoted_price": "1.11990",
    }
    made.apply(filled(), at_ms=NOW)
    facts = made.described()
    assert (facts["order_id"], facts["position_id"], facts["average_price"]) == (600, 500, "1.12")
    assert facts["executed_volume_cents"] == 100_000
    assert made.fills[0].described() == {
        "deal_id": 700,
        "order_id": 600,
        "position_id": 500,
        "volume_cents": 100_000,
        "executed_at_ms": T0 + 135,
        "price": "1.12",
        "commission": "-0.03",
    }


# the table of orders


def table(*records: OrderRecord) -> OrderTable:
    made = OrderTable()
    for one in records:
        made.add(one)
    return made


def closing(**more: Any) -> OrderRecord:
    """A close of 0.01 lots of position 500, sent in request ``c1``."""
    made = OrderRecord(
        Close(500, lots="0.01"),
        environment=Environment.DEMO,
        account_id=ACCOUNT,
        client_order_id="close-1",
        symbol=EURUSD,
        side=Side.SELL,
        volume_cents=100_000,
        intent_at_ms=T0,
        **more,
    )
    made.sent(at_ms=T0 + 5, client_msg_id="c1")
    return made


def closing_order(**more: Any) -> oa.ProtoOAOrder:
    return order(**{"id": 610, "side": Side.SELL, "closingOrder": True, "client_order_id": "srv", **more})


def test_an_order_is_found_by_our_id_and_then_by_the_servers() -> None:
    made = sent()
    orders = table(made)
    assert [change.after for change in orders.apply(accepted(), at_ms=NOW)] == [S.ACCEPTED]
    assert orders.by_order_id(600) is made
    assert orders.of_position(500) == (made,)
    unnamed = filled(client_order_id="")
    assert [change.after for change in orders.apply(unnamed, at_ms=NOW)] == [S.FILLED]
    assert (orders.get("mine-1"), orders.open, len(orders), list(orders)) == (made, (), 1, [made])


def test_an_order_whose_id_the_server_wrote_over_is_found_by_request_and_by_label() -> None:
    orders = table(sent())
    said = accepted(client_order_id="srv", label="other")
    assert orders.apply(said, at_ms=NOW) == []
    assert orders.apply(said, at_ms=NOW, client_msg_id="r2") == []
    assert [change.after for change in orders.apply(said, at_ms=NOW, client_msg_id="r1")] == [S.ACCEPTED]
    orders = table(sent())
    assert [change.after for change in orders.apply(accepted(client_order_id=""), at_ms=NOW)] == [S.ACCEPTED]


@pytest.mark.parametrize(
    "foreign",
    [
        {"side": Side.SELL},
        {"symbol_id": 9},
        {"volume": 200_000, "client_order_id": "", "label": ""},
        {"kind": Kind.STOP_LOSS_TAKE_PROFIT},
        {"side": Side.SELL, "closingOrder": True},
        {"client_order_id": "", "closingOrder": True, "volume": 200_000},
    ],
)
def test_an_order_that_only_shares_an_id_with_ours_is_not_ours(foreign: dict[str, Any]) -> None:
    made = sent()
    assert table(made).apply(accepted(**foreign), at_ms=NOW, client_msg_id="r1") == []
    assert (made.state, made.order_id) == (S.SENT, None)


def test_a_second_order_with_our_id_is_a_contradiction() -> None:
    orders = table(sent())
    orders.apply(accepted(), at_ms=NOW)
    (change,) = orders.apply(accepted(id=999), at_ms=NOW)
    assert change.contradiction == "order 999 has the client order id of order 600"
    assert not change.moved
    assert change.look_up


def test_closing_and_protective_orders_that_carry_our_ids_are_no_contradiction() -> None:
    orders = table(sent())
    orders.apply(filled(), at_ms=NOW)
    assert orders.apply(event(Execution.ORDER_ACCEPTED, order=closing_order(client_order_id="mine-1")), at_ms=NOW) == []
    assert orders.apply(accepted(id=611, closingOrder=True), at_ms=NOW) == []
    cancelled = protective(client_order_id="mine-1", status=Status.ORDER_STATUS_CANCELLED)
    assert orders.apply(event(Execution.ORDER_CANCELLED, order=cancelled), at_ms=NOW) == []


def test_the_protective_order_tells_the_entry_that_it_is_protected() -> None:
    entry, stranger = sent(PROTECTED), sent(PROTECTED, client_order_id="other")
    orders = table(entry, stranger)
    orders.apply(filled(), at_ms=NOW)
    said = event(Execution.ORDER_ACCEPTED, order=protective(stop=1.118, take=1.124), position=position(at=3))
    (change,) = orders.apply(said, at_ms=NOW, client_msg_id="r1")
    assert (change.record, change.became_protected) == (entry, True)
    assert not stranger.protected
    assert orders.apply(said, at_ms=NOW) == []


def test_a_close_is_found_by_its_request_and_realises_its_result() -> None:
    made = closing()
    orders = table(made)
    said = event(Execution.ORDER_ACCEPTED, order=closing_order(), position=position())
    assert orders.apply(said, at_ms=NOW) == []
    assert [change.after for change in orders.apply(said, at_ms=NOW, client_msg_id="c1")] == [S.ACCEPTED]
    done = closing_order(status=Status.ORDER_STATUS_FILLED, executedVolume=100_000, at=2)
    detail = oa.ProtoOAClosePositionDetail(
        entryPrice=1.12,
        grossProfit=-68,
        swap=-2,
        commission=-56,
        balance=1,
        closedVolume=100_000,
        pnlConversionFee=-1,
        moneyDigits=2,
    )
    closed = deal(order_id=610, side=Side.SELL, closePositionDetail=detail)
    orders.apply(event(Execution.ORDER_FILLED, order=done, deal=closed), at_ms=NOW)
    assert made.state is S.FILLED
    assert made.is_close
    assert made.realised is not None
    assert made.realised.net == Decimal("-1.27")
    assert made.fills[0].described()["net"] == "-1.27"
    assert made.realised + made.realised == made.realised + made.realised


@pytest.mark.parametrize(
    "foreign",
    [{"position_id": 501}, {"volume": 200_000}, {"closingOrder": False}, {"side": Side.BUY}, {"symbol_id": 2}],
)
def test_a_close_is_not_taken_for_another_order_with_the_same_request_id(foreign: dict[str, Any]) -> None:
    orders = table(closing())
    said = event(Execution.ORDER_ACCEPTED, order=closing_order(**foreign))
    assert orders.apply(said, at_ms=NOW, client_msg_id="c1") == []


def test_a_close_that_somebody_else_made_does_not_move_ours() -> None:
    made = closing()
    orders = table(made)
    said = event(Execution.ORDER_FILLED, order=closing_order(), position=position(), deal=deal(order_id=610))
    assert orders.apply(said, at_ms=NOW) == []
    assert (made.state, made.fills) == (S.SENT, ())


def test_a_close_with_unknown_outcome_is_settled_by_the_one_order_that_can_be_it() -> None:
    made = closing()
    made.lost(at_ms=NOW)
    orders = table(made)
    row = closing_order(status=Status.ORDER_STATUS_FILLED, executedVolume=100_000)
    rows = [order(), protective(), row]
    deals = [deal(order_id=610), deal()]
    assert orders.settle_closes([made], rows, deals, since_ms=T0 + 1, at_ms=NOW) == []
    working = closing_order(id=611)
    assert orders.settle_closes([made], [*rows, working], deals, since_ms=T0, at_ms=NOW) == []
    (change,) = orders.settle_closes([made], rows, deals, since_ms=T0, at_ms=NOW)
    assert (change.after, len(change.fills)) == (S.FILLED, 1)
    assert orders.by_order_id(610) is made
    assert orders.settle_closes([made], rows, deals, since_ms=T0, at_ms=NOW) == []


def test_of_more_orders_than_closes_the_oldest_is_taken_once_all_have_ended() -> None:
    made = closing()
    made.lost(at_ms=NOW)
    orders = table(made)
    rows = [closing_order(id=id_, status=Status.ORDER_STATUS_FILLED, executedVolume=100_000) for id_ in (611, 610)]
    (change,) = orders.settle_closes([made], rows, since_ms=T0, at_ms=NOW)
    assert change.record is made
    assert orders.by_order_id(610) is made


def test_an_error_is_found_by_its_request_or_by_the_order_that_it_names() -> None:
    made = sent()
    orders = table(made)
    said = oa.ProtoOAOrderErrorEvent(ctidTraderAccountId=ACCOUNT, errorCode="NO_QUOTES")
    assert orders.apply(said, at_ms=NOW) == []
    assert [c.after for c in orders.apply(said, at_ms=NOW, client_msg_id="r1")] == [S.REJECTED]
    orders = table(at(S.ACCEPTED))
    said.orderId = 600
    assert [c.error_code for c in orders.apply(said, at_ms=NOW)] == ["NO_QUOTES"]


def test_an_execution_event_with_an_error_and_no_order_refuses_what_was_asked() -> None:
    orders = table(sent())
    said = event(Execution.ORDER_REJECTED, errorCode="ACCOUNT_NOT_AUTHORIZED")
    assert orders.apply(said, at_ms=NOW) == []
    assert [c.after for c in orders.apply(said, at_ms=NOW, client_msg_id="r1")] == [S.REJECTED]


def test_reconcile_and_lists_settle_what_is_unknown() -> None:
    one, two = sent(), sent(PROTECTED, client_order_id="mine-2")
    orders = table(one, two)
    assert [c.after for c in orders.lose_link(at_ms=NOW)] == [S.UNKNOWN, S.UNKNOWN]
    assert orders.unknown == (one, two)
    rows = [order(kind=Kind.LIMIT), order(id=999, client_order_id="foreign", label="foreign")]
    shown = [position(id=501, label="mine-2", stopLoss=1.118, takeProfit=1.124)]
    changes = orders.settle(rows, positions=shown, at_ms=NOW)
    assert [(c.record, c.after) for c in changes] == [(one, S.ACCEPTED)]
    assert two.position_id == 501  # where to ask for its orders
    listed = order(
        id=602,
        position_id=501,
        client_order_id="mine-2",
        status=Status.ORDER_STATUS_FILLED,
        executedVolume=100_000,
    )
    (change,) = orders.settle([listed], [deal(order_id=602, position_id=501)], at_ms=NOW)
    assert (change.after, two.filled_volume_cents, orders.unknown) == (S.FILLED, 100_000, ())
    assert change.became_protected
    assert orders.settle([], positions=shown, at_ms=NOW) == []  # confirmed already
    assert orders.settle([], positions=[position(id=7, label="")], at_ms=NOW) == []


def test_the_loss_of_the_link_leaves_what_has_not_left_alone() -> None:
    assert table(record()).lose_link(at_ms=NOW) == []


def test_a_client_order_id_is_used_once_and_a_record_can_be_forgotten() -> None:
    made = at(S.FILLED)
    orders = table(made)
    with pytest.raises(ValueError, match="there is an order 'mine-1' already"):
        orders.add(record())
    orders.forget(made)
    assert (len(orders), orders.by_order_id(600), orders.of_position(500)) == (0, None, ())
    assert orders.apply(filled(), at_ms=NOW) == []
    young = record()
    orders.add(young)
    orders.forget(young)
    orders.forget(young)
    assert len(orders) == 0
    one, two = at(S.FILLED), sent(MarketOrder("EURUSD", Side.BUY, lots="0.01", position_id=500), client_order_id="b")
    orders = table(one, two)
    orders.forget(one)
    assert orders.of_position(500) == (two,)


def test_an_order_that_adds_to_a_position_stands_beside_it_from_the_start() -> None:
    made = sent(MarketOrder("EURUSD", Side.BUY, lots="0.01", position_id=500))
    assert table(made).of_position(500) == (made,)


def test_a_record_takes_its_position_from_the_deal_where_the_order_names_none() -> None:
    made = sent()
    said = filled(position_id=0)
    made.apply(said, at_ms=NOW)
    assert made.position_id == 500


def test_the_callers_decimal_context_does_not_round_the_money() -> None:
    made = sent(quoted_price=Decimal("1.11990"))
    detail = oa.ProtoOAClosePositionDetail(entryPrice=1, grossProfit=123_456_789, swap=-1, commission=-3, balance=1)
    said = filled()
    said.deal.commission = -123_456_789
    said.deal.closePositionDetail.CopyFrom(detail)
    with localcontext(Context(prec=3)):
        made.apply(said, at_ms=NOW)
        assert made.commission == Decimal("-1234567.89")
        assert made.realised is not None
        assert made.realised.net == Decimal("1234567.85")
        assert made.slippage is not None
        assert made.slippage.points == 10


def test_a_row_without_a_volume_leaves_the_size_as_it_was() -> None:
    made = sent()
    made.apply(accepted(volume=0), at_ms=NOW)
    assert made.volume_cents == 100_000


# what a real server said


def test_the_recorded_life_of_a_market_order_and_of_its_partial_close() -> None:
    said = recorded()
    ticket = MarketOrder(
        "BTCUSD", Side.BUY, volume_cents=100, stop_loss_distance="90.01", take_profit_distance="100.01"
    )
    entry = OrderRecord(
        ticket,
        environment=Environment.DEMO,
        account_id=ACCOUNT,
        client_order_id="scrubbed",
        symbol=BITCOIN,
        side=Side.BUY,
        volume_cents=100,
        intent_at_ms=0,
        quoted_price=Decimal("85287.20"),
    )
    entry.sent(at_ms=0, client_msg_id="r1")
    orders = table(entry)
    assert [c.after for c in orders.apply(said["accepted"], at_ms=1)] == [S.ACCEPTED]
    (change,) = orders.apply(said["filled"], at_ms=2)
    assert (change.after, change.became_protected, change.look_up) == (S.FILLED, False, False)
    (change,) = orders.apply(said["prot"], at_ms=3)
    assert change.became_protected
    assert (entry.protection.stop_loss, entry.protection.take_profit) == (Decimal("85197.2"), Decimal("85387.22"))
    assert (entry.average_price, entry.commission) == (Decimal("85287.21"), Decimal("-27.72"))
    assert entry.slippage is not None
    assert entry.slippage.points == 1

    close = OrderRecord(
        Close(5000001, volume_cents=1),
        environment=Environment.DEMO,
        account_id=ACCOUNT,
        client_order_id="close-1",
        symbol=BITCOIN,
        side=Side.SELL,
        volume_cents=1,
        intent_at_ms=0,
    )
    close.sent(at_ms=0, client_msg_id="c1")
    orders.add(close)
    assert [c.record for c in orders.apply(said["partial_close_acc"], at_ms=4, client_msg_id="c1")] == [close]
    (change,) = orders.apply(said["partial_close_fill"], at_ms=5, client_msg_id="c1")
    assert (change.record, change.after) == (close, S.FILLED)
    assert close.realised is not None
    assert close.realised.net == Decimal("-1.24")
    assert entry.state is S.FILLED  # untouched by the close of its position
    assert orders.apply(said["slhit"], at_ms=6) == []  # a stop of somebody else's position


def test_the_recorded_limit_order_is_placed_and_cancelled_and_listed() -> None:
    said = recorded()

    def placed() -> OrderRecord:
        made = OrderRecord(
            LimitOrder("BTCUSD", Side.BUY, volume_cents=100, price="85100"),
            environment=Environment.DEMO,
            account_id=ACCOUNT,
            client_order_id="scrubbed",
            symbol=BITCOIN,
            side=Side.BUY,
            volume_cents=100,
            intent_at_ms=0,
        )
        made.sent(at_ms=0)
        return made

    orders = table(placed())
    steps = [orders.apply(said[name], at_ms=1)[0].after for name in ("limit_create", "limit_cancel")]
    assert steps == [S.ACCEPTED, S.CANCELLED]

    lost = placed()
    lost.lost(at_ms=1)
    lost.order_id = 6000006
    assert lost.settle_from_order(said["snapshot_pending"].order[0], at_ms=2).after is S.ACCEPTED
    assert lost.settle_from_order(said["order_list"].order[0], said["account_deals"].deal, at_ms=3).after is S.CANCELLED
    assert lost.fills == ()
    assert created().tradeData.volume == 0
