"""Which events an action sends, in which order: the table of docs/protocol.md section 10.1, line by line."""

from __future__ import annotations

from typing import Any

import pytest

from anyctrader.fake.exchange_settings import Liquidity
from anyctrader.fake.pushes import Cause, Scope
from anyctrader.wire import messages as oa

from .venue import (
    BUY,
    EURUSD,
    LIMIT,
    MARKET,
    MICRO,
    RANGE,
    SELL,
    STOP,
    STOP_LIMIT,
    T0,
    Venue,
    one_account,
    words,
)

CREATED, OPEN, CLOSED = 3, 1, 2
PROTECTED = {"relativeStopLoss": 200, "relativeTakeProfit": 300}


def test_market_order_without_protection_is_accepted_and_filled() -> None:
    venue = Venue()
    assert words(venue.place()) == ["ACCEPTED(f)"]
    assert words(venue.wait()) == ["FILLED(f)"]


def test_market_order_is_filled_135_ms_after_its_acceptance_and_protected_19_ms_later() -> None:
    venue = Venue()
    venue.place(**PROTECTED)
    assert words(venue.wait(134)) == []
    assert words(venue.wait(1)) == ["FILLED(f)"]
    assert words(venue.wait(18)) == []
    assert words(venue.wait(1)) == ["ACCEPTED(t)"]


def test_protected_market_order_shows_its_levels_only_with_the_protective_order() -> None:
    venue = Venue()
    venue.place(**PROTECTED)
    filled, protected = (push.message for push in venue.wait())
    assert not filled.position.HasField("stopLoss")
    assert not filled.position.HasField("takeProfit")
    assert (protected.position.stopLoss, protected.position.takeProfit) == (1.0981, 1.1031)
    assert protected.order.orderType == 4
    assert protected.order.positionId == filled.position.positionId


def test_sell_has_its_relative_levels_mirrored() -> None:
    venue = Venue()
    event = venue.open(SELL, **PROTECTED)
    assert (event.position.stopLoss, event.position.takeProfit) == (1.102, 1.097)


def test_market_order_filled_in_parts_has_one_deal_each_and_a_growing_executed_volume() -> None:
    venue = Venue(liquidity=Liquidity(part_cents=2 * MICRO))
    venue.place(volume=5 * MICRO)
    parts = venue.wait()
    assert words(parts) == ["PARTIAL_FILL(f)", "PARTIAL_FILL(f)", "FILLED(f)"]
    assert [push.message.order.executedVolume for push in parts] == [2 * MICRO, 4 * MICRO, 5 * MICRO]
    assert [push.message.deal.filledVolume for push in parts] == [2 * MICRO, 2 * MICRO, MICRO]
    assert [push.message.deal.dealStatus for push in parts] == [3, 3, 2]
    assert {push.message.position.positionId for push in parts} == {parts[0].message.position.positionId}
    assert parts[-1].message.position.tradeData.volume == 5 * MICRO


def test_ioc_order_whose_rest_finds_nothing_is_cancelled_with_its_position_attached() -> None:
    venue = Venue(liquidity=Liquidity(total_cents=3 * MICRO))
    venue.place(volume=5 * MICRO)
    events = venue.wait()
    assert words(events) == ["PARTIAL_FILL(f)", "CANCELLED(f)"]
    last = events[-1].message
    assert last.order.orderStatus == 5
    assert (last.order.executedVolume, last.position.tradeData.volume) == (3 * MICRO, 3 * MICRO)
    assert last.position.positionStatus == OPEN


def test_fill_or_kill_order_that_finds_too_little_is_cancelled_unfilled() -> None:
    venue = Venue(liquidity=Liquidity(total_cents=3 * MICRO))
    venue.place(volume=5 * MICRO, timeInForce=4)
    (cancelled,) = venue.wait()
    assert words([cancelled]) == ["CANCELLED(f)"]
    assert cancelled.message.order.executedVolume == 0
    assert cancelled.message.position.positionStatus == CLOSED


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (LIMIT, {"limitPrice": 1.09}),
        (STOP, {"stopPrice": 1.11}),
        (STOP_LIMIT, {"stopPrice": 1.11, "slippageInPoints": 20}),
    ],
)
def test_pending_order_placed_amended_and_cancelled_sends_one_event_each(kind: int, fields: dict[str, Any]) -> None:
    venue = Venue()
    (placed,) = venue.place(kind, **fields)
    order_id = placed.message.order.orderId
    assert words([placed]) == ["ACCEPTED(f)"]
    assert placed.message.position.positionStatus == CREATED
    venue.wait(50)
    price = {name: value + 0.001 for name, value in fields.items() if name.endswith("Price")}
    price = {name: round(value, 5) for name, value in price.items()}
    (amended,) = venue.ask(oa.ProtoOAAmendOrderReq, orderId=order_id, volume=2 * MICRO, **price)
    assert words([amended]) == ["REPLACED(f)"]
    assert amended.message.order.orderId == order_id
    assert amended.message.order.tradeData.volume == 2 * MICRO
    assert amended.message.order.utcLastUpdateTimestamp == T0 + 50
    for name, value in price.items():
        assert getattr(amended.message.order, name) == value
    (cancelled,) = venue.ask(oa.ProtoOACancelOrderReq, orderId=order_id)
    assert words([cancelled]) == ["CANCELLED(f)"]
    assert cancelled.message.position.positionStatus == CLOSED
    assert cancelled.message.order.orderStatus == 5
    assert words(venue.wait()) == []


@pytest.mark.parametrize(
    ("kind", "side", "fields", "quote", "price"),
    [
        (LIMIT, BUY, {"limitPrice": 1.0995}, (109_930, 109_940), 1.0994),
        (LIMIT, SELL, {"limitPrice": 1.1005}, (110_060, 110_070), 1.1006),
        (STOP, BUY, {"stopPrice": 1.1005}, (110_060, 110_070), 1.1007),
        (STOP, SELL, {"stopPrice": 1.0995}, (109_930, 109_940), 1.0993),
        (STOP_LIMIT, BUY, {"stopPrice": 1.1005, "slippageInPoints": 30}, (110_060, 110_070), 1.1007),
    ],
)
def test_pending_order_fills_without_a_new_accepted(
    kind: int, side: int, fields: dict[str, Any], quote: tuple[int, int], price: float
) -> None:
    venue = Venue()
    venue.place(kind, side, **fields, relativeStopLoss=500)
    assert venue.price(EURUSD, *quote) == []
    events = venue.wait()
    assert words(events) == ["FILLED(f)", "ACCEPTED(t)"]
    assert events[0].message.order.executionPrice == price
    assert {push.cause for push in events} == {Cause.PENDING_FILL}
    assert events[1].message.position.stopLoss == round(price + (-0.005 if side == BUY else 0.005), 5)


def test_limit_order_that_the_market_meets_already_fills_at_the_quote() -> None:
    venue = Venue()
    venue.place(LIMIT, limitPrice=1.2)
    (filled,) = venue.wait()
    assert filled.message.order.executionPrice == 1.1001


def test_stop_limit_order_beyond_its_range_waits_as_a_limit() -> None:
    venue = Venue()
    venue.place(STOP_LIMIT, stopPrice=1.1005, slippageInPoints=10)
    venue.price(EURUSD, 110_200, 110_210)
    assert words(venue.wait()) == []
    venue.price(EURUSD, 110_045, 110_055)
    (filled,) = venue.wait()
    assert filled.message.order.executionPrice == 1.10055


def test_limit_order_filled_in_parts_waits_between_them_and_stays_listed() -> None:
    venue = Venue(liquidity=Liquidity(part_cents=2 * MICRO))
    (placed,) = venue.place(LIMIT, volume=4 * MICRO, limitPrice=1.1, relativeStopLoss=500)
    venue.price(EURUSD, 109_980, 109_990)
    assert words(venue.wait(160)) == ["PARTIAL_FILL(f)", "ACCEPTED(t)"]
    (listed,) = venue.reconcile(protective=False).order
    assert (listed.orderId, listed.executedVolume) == (placed.message.order.orderId, 2 * MICRO)
    assert words(venue.wait()) == ["FILLED(f)", "REPLACED(t)"]
    assert venue.reconcile().position[0].tradeData.volume == 4 * MICRO


def test_partly_filled_order_can_be_cancelled_and_keeps_its_position() -> None:
    venue = Venue(liquidity=Liquidity(part_cents=2 * MICRO))
    (placed,) = venue.place(LIMIT, volume=4 * MICRO, limitPrice=1.1)
    venue.price(EURUSD, 109_980, 109_990)
    venue.wait(140)
    (cancelled,) = venue.ask(oa.ProtoOACancelOrderReq, orderId=placed.message.order.orderId)
    assert words([cancelled]) == ["CANCELLED(f)"]
    assert cancelled.message.order.executedVolume == 2 * MICRO
    assert cancelled.message.position.positionStatus == OPEN
    assert words(venue.wait()) == []


def test_order_that_expires_between_its_parts_does_not_go_on() -> None:
    venue = Venue(liquidity=Liquidity(part_cents=2 * MICRO))
    venue.place(LIMIT, volume=6 * MICRO, limitPrice=1.1, timeInForce=1, expirationTimestamp=T0 + 300)
    venue.price(EURUSD, 109_980, 109_990)
    # The second part was in execution when the time came.
    assert words(venue.wait()) == ["PARTIAL_FILL(f)", "PARTIAL_FILL(f)", "EXPIRED(t)"]
    assert not venue.reconcile().order


@pytest.mark.parametrize(
    ("method", "quotes"),
    [
        (1, [(110_100, 110_200)]),
        (2, [(110_200, 110_300)]),
        (3, [(110_100, 110_200), (110_101, 110_201)]),
        (4, [(110_200, 110_300), (110_201, 110_301)]),
    ],
    ids=["TRADE", "OPPOSITE", "DOUBLE_TRADE", "DOUBLE_OPPOSITE"],
)
def test_stop_is_triggered_by_its_method(method: int, quotes: list[tuple[int, int]]) -> None:
    venue = Venue()
    venue.place(STOP, stopPrice=1.102, stopTriggerMethod=method)
    venue.price(EURUSD, 110_099, 110_199)
    for quote in quotes:
        assert words(venue.wait()) == []
        venue.price(EURUSD, *quote)
    assert words(venue.wait()) == ["FILLED(f)"]


def test_double_method_starts_anew_when_the_second_quote_falls_back() -> None:
    venue = Venue()
    venue.place(STOP, stopPrice=1.102, stopTriggerMethod=3)
    for ask in (110_200, 110_150, 110_200):
        venue.price(EURUSD, 110_100, ask)
        assert words(venue.wait()) == []
    venue.price(EURUSD, 110_100, 110_210)
    assert words(venue.wait()) == ["FILLED(f)"]


@pytest.mark.parametrize(("price", "expected"), [(1.1001, ["FILLED(f)"]), (1.1, ["CANCELLED(f)"])])
def test_limit_order_that_must_not_wait_is_filled_or_cancelled(price: float, expected: list[str]) -> None:
    venue = Venue()
    venue.place(LIMIT, limitPrice=price, timeInForce=3)
    assert words(venue.wait()) == expected


def test_pending_order_expires_as_the_servers_doing() -> None:
    venue = Venue()
    venue.place(LIMIT, limitPrice=1.09, timeInForce=1, expirationTimestamp=T0 + 5_000)
    assert words(venue.wait(4_999)) == []
    (expired,) = venue.wait(1)
    assert words([expired]) == ["EXPIRED(t)"]
    assert expired.message.order.orderStatus == 4
    assert expired.cause is Cause.SERVER


def test_full_close_of_a_protected_position_is_closed_by_the_event_after_the_fill() -> None:
    venue = Venue()
    position = venue.open(**PROTECTED).position
    (accepted,) = venue.close(position.positionId, MICRO)
    assert words([accepted]) == ["ACCEPTED(f)"]
    assert accepted.message.order.closingOrder
    assert accepted.message.position.positionStatus == OPEN
    filled, cancelled = venue.wait()
    assert words([filled, cancelled]) == ["FILLED(f)", "CANCELLED(t)"]
    assert filled.message.position.positionStatus == CREATED
    assert filled.message.position.tradeData.volume == 0
    assert filled.message.position.stopLoss == 1.0981
    assert not filled.message.position.tradeData.HasField("closeTimestamp")
    assert cancelled.message.position.positionStatus == CLOSED
    assert cancelled.message.position.tradeData.closeTimestamp == T0 + 1_000 + 135 + 19
    assert not cancelled.message.position.HasField("stopLoss")
    assert cancelled.message.order.orderType == 4


def test_full_close_of_a_bare_position_is_closed_by_the_fill() -> None:
    venue = Venue()
    position = venue.open().position
    assert words(venue.close(position.positionId, MICRO)) == ["ACCEPTED(f)"]
    (filled,) = venue.wait()
    assert words([filled]) == ["FILLED(f)"]
    assert filled.message.position.positionStatus == CLOSED


def test_partial_close_reduces_the_protective_order() -> None:
    venue = Venue()
    opened = venue.open(volume=3 * MICRO, **PROTECTED)
    assert words(venue.close(opened.position.positionId, MICRO)) == ["ACCEPTED(f)"]
    filled, replaced = venue.wait()
    assert words([filled, replaced]) == ["FILLED(f)", "REPLACED(t)"]
    assert filled.message.position.positionStatus == OPEN
    assert filled.message.position.tradeData.volume == 2 * MICRO
    assert replaced.message.order.orderId == opened.order.orderId
    assert replaced.message.order.tradeData.volume == 2 * MICRO


def test_partial_close_of_a_bare_position_is_accepted_and_filled() -> None:
    venue = Venue()
    opened = venue.open(volume=3 * MICRO)
    venue.close(opened.position.positionId, MICRO)
    assert words(venue.wait()) == ["FILLED(f)"]


@pytest.mark.parametrize(
    ("side", "quote", "price"),
    [
        (BUY, (109_800, 109_810), 1.098),
        (BUY, (110_400, 110_410), 1.104),
        (SELL, (110_300, 110_310), 1.1031),
        (SELL, (109_600, 109_610), 1.0961),
    ],
)
def test_level_that_triggers_sends_filled_alone(side: int, quote: tuple[int, int], price: float) -> None:
    venue = Venue()
    opened = venue.open(side, **PROTECTED)
    venue.price(EURUSD, *quote)
    (filled,) = venue.wait()
    event = filled.message
    assert words([filled]) == ["FILLED(t)"]
    assert event.order.orderId == opened.order.orderId
    assert event.position.positionStatus == CLOSED
    assert not event.position.HasField("stopLoss")
    assert not event.position.HasField("takeProfit")
    assert event.order.executionPrice == price
    assert filled.cause is Cause.SERVER
    assert filled.origin is None


def test_amending_levels_that_exist_replaces_the_protective_order() -> None:
    venue = Venue()
    opened = venue.open(**PROTECTED)
    (replaced,) = venue.ask(
        oa.ProtoOAAmendPositionSLTPReq, positionId=opened.position.positionId, stopLoss=1.097, takeProfit=1.105
    )
    assert words([replaced]) == ["REPLACED(f)"]
    assert replaced.message.order.orderId == opened.order.orderId
    assert (replaced.message.order.stopPrice, replaced.message.order.limitPrice) == (1.097, 1.105)
    assert (replaced.message.position.stopLoss, replaced.message.position.takeProfit) == (1.097, 1.105)


def test_amending_a_bare_position_accepts_a_protective_order() -> None:
    venue = Venue()
    opened = venue.open()
    (accepted,) = venue.ask(oa.ProtoOAAmendPositionSLTPReq, positionId=opened.position.positionId, stopLoss=1.097)
    assert words([accepted])[0].startswith("ACCEPTED")
    assert accepted.message.order.orderType == 4


def test_amend_that_leaves_a_level_out_removes_it() -> None:
    venue = Venue()
    opened = venue.open(**PROTECTED)
    (replaced,) = venue.ask(oa.ProtoOAAmendPositionSLTPReq, positionId=opened.position.positionId, takeProfit=1.105)
    assert words([replaced]) == ["REPLACED(f)"]
    assert not replaced.message.position.HasField("stopLoss")
    assert not replaced.message.order.HasField("stopPrice")


def test_amend_that_leaves_both_levels_out_cancels_the_protective_order() -> None:
    venue = Venue()
    opened = venue.open(**PROTECTED)
    (cancelled,) = venue.ask(oa.ProtoOAAmendPositionSLTPReq, positionId=opened.position.positionId)
    assert words([cancelled]) == ["CANCELLED(t)"]
    assert cancelled.message.position.positionStatus == OPEN
    assert not cancelled.message.position.HasField("stopLoss")
    assert len(venue.reconcile().order) == 0


def test_trailing_stop_moves_with_an_event_of_its_own_and_leaves_the_positions_time_alone() -> None:
    venue = Venue()
    opened = venue.open(relativeStopLoss=200, trailingStopLoss=True)
    assert opened.position.trailingStopLoss
    venue.wait(50)
    (moved,) = venue.price(EURUSD, 110_100, 110_110)
    message = moved.message
    assert type(message) is oa.ProtoOATrailingSLChangedEvent
    assert (message.positionId, message.orderId) == (opened.position.positionId, opened.order.orderId)
    assert message.stopPrice == 1.0991
    (position,) = venue.reconcile().position
    assert position.stopLoss == 1.0991
    assert position.utcLastUpdateTimestamp == opened.position.utcLastUpdateTimestamp
    assert venue.price(EURUSD, 110_050, 110_060) == [], "it never moves back"
    venue.price(EURUSD, 109_900, 109_910)
    assert words(venue.wait()) == ["FILLED(t)"]


def test_market_range_order_within_its_range_is_filled() -> None:
    venue = Venue()
    assert words(venue.place(RANGE, baseSlippagePrice=1.1, slippageInPoints=20)) == ["ACCEPTED(f)"]
    assert words(venue.wait()) == ["FILLED(f)"]


def test_market_range_order_that_the_price_has_left_is_cancelled() -> None:
    venue = Venue()
    venue.place(RANGE, baseSlippagePrice=1.1, slippageInPoints=20)
    venue.price(EURUSD, 110_100, 110_110)
    assert words(venue.wait()) == ["CANCELLED(f)"]


def test_deposit_and_withdrawal_send_events_without_an_order() -> None:
    venue = Venue()
    (push,) = venue.exchange.deposit(venue.account, amount=-2_500, now_ms=venue.now_ms, note="rent")
    event = push.message
    assert words([push]) == ["DEPOSIT_WITHDRAW(t)"]
    assert not event.HasField("order")
    assert not event.HasField("position")
    assert (event.depositWithdraw.delta, event.depositWithdraw.balance) == (-2_500, 997_500)
    assert event.depositWithdraw.operationType == 1


def test_bonus_sends_an_event_of_its_own_and_leaves_the_balance_alone() -> None:
    venue = Venue()
    (push,) = venue.exchange.bonus(venue.account, amount=5_000, now_ms=venue.now_ms)
    assert push.message.executionType == oa.ProtoOAExecutionType.BONUS_DEPOSIT_WITHDRAW
    assert push.message.bonusDepositWithdraw.managerBonus == 5_000
    assert venue.balance == 1_000_000
    assert venue.answer(oa.ProtoOATraderReq).trader.managerBonus == 5_000


def test_change_by_the_broker_is_announced() -> None:
    venue = Venue()
    (push,) = venue.exchange.change_account(venue.account, now_ms=venue.now_ms, leverage_cents=5_000)
    assert push.message.trader.leverageInCents == 5_000
    assert venue.open().position.usedMargin == 2200
    pushes = venue.exchange.change_symbol(EURUSD, now_ms=venue.now_ms, min_volume=5 * MICRO)
    assert words(pushes) == ["SymbolChangedEvent"] * 2
    assert words(venue.place()) == ["TRADING_BAD_VOLUME"]
    with pytest.raises(TypeError, match="digits"):
        venue.exchange.change_symbol(EURUSD, now_ms=venue.now_ms, digits=4)


def test_position_survives_a_change_of_its_symbol() -> None:
    venue = Venue()
    position_id = venue.open().position.positionId
    venue.exchange.change_symbol(EURUSD, now_ms=venue.now_ms, swap_long=-1.0)
    venue.place(MARKET, BUY, positionId=position_id)
    assert venue.wait()[0].message.position.tradeData.volume == 2 * MICRO


def test_cancel_that_comes_too_late_is_rejected_and_the_fill_comes_all_the_same() -> None:
    venue = Venue()
    (placed,) = venue.place(LIMIT, limitPrice=1.0995)
    venue.price(EURUSD, 109_930, 109_940)
    (rejected,) = venue.ask(oa.ProtoOACancelOrderReq, orderId=placed.message.order.orderId)
    assert words([rejected]) == ["CANCEL_REJECTED(f)"]
    assert rejected.message.errorCode == "UNABLE_TO_CANCEL_ORDER"
    assert rejected.first
    assert words(venue.wait()) == ["FILLED(f)"]


def test_every_event_of_a_request_goes_to_the_account_and_names_who_asked() -> None:
    venue = Venue()
    pushes = venue.place(**PROTECTED) + venue.wait()
    assert [push.scope for push in pushes] == [Scope.ACCOUNT] * 3
    assert [push.origin for push in pushes] == ["me"] * 3
    assert [push.cause for push in pushes] == [Cause.ANSWER, Cause.FOLLOW_UP, Cause.FOLLOW_UP]


def test_levels_set_by_the_trader_before_the_follow_up_are_kept() -> None:
    venue = Venue()
    venue.place(**PROTECTED)
    (filled,) = venue.wait(136)
    venue.ask(oa.ProtoOAAmendPositionSLTPReq, positionId=filled.message.position.positionId, stopLoss=1.05)
    assert words(venue.wait()) == []
    (position,) = venue.reconcile().position
    assert position.stopLoss == 1.05


def test_order_for_a_position_enlarges_it_on_its_side_and_reduces_it_on_the_other() -> None:
    venue = Venue()
    opened = venue.open(**PROTECTED)
    position_id = opened.position.positionId
    venue.place(MARKET, BUY, MICRO, positionId=position_id)
    filled, replaced = venue.wait()
    assert words([filled, replaced]) == ["FILLED(f)", "REPLACED(t)"]
    assert filled.message.position.positionId == position_id
    assert replaced.message.order.tradeData.volume == 2 * MICRO
    venue.place(MARKET, SELL, MICRO, positionId=position_id)
    filled, replaced = venue.wait()
    assert filled.message.deal.HasField("closePositionDetail")
    assert replaced.message.order.tradeData.volume == MICRO


def test_hedged_account_opens_a_position_an_order() -> None:
    venue = Venue()
    first, second = venue.open(BUY), venue.open(SELL)
    assert first.position.positionId != second.position.positionId
    assert len(venue.reconcile().position) == 2


@pytest.mark.parametrize("balance", [1_000_000])
def test_netted_account_turns_around_with_a_closing_and_an_opening_deal_of_one_order(balance: int) -> None:
    venue = Venue(accounts=one_account(account_type=1, balance=balance))
    opened = venue.open(BUY, 2 * MICRO)
    venue.place(MARKET, SELL, 5 * MICRO)
    closing, opening = venue.wait()
    assert words([closing, opening]) == ["PARTIAL_FILL(f)", "FILLED(f)"]
    assert closing.message.order.orderId == opening.message.order.orderId
    assert closing.message.position.positionId == opened.position.positionId
    assert closing.message.position.positionStatus == CLOSED
    assert closing.message.deal.closePositionDetail.closedVolume == 2 * MICRO
    assert opening.message.position.tradeData.tradeSide == SELL
    assert opening.message.position.tradeData.volume == 3 * MICRO
    assert not opening.message.deal.HasField("closePositionDetail")
    assert len(venue.reconcile().position) == 1


def test_netted_account_adds_to_its_position_and_reduces_it() -> None:
    venue = Venue(accounts=one_account(account_type=1))
    opened = venue.open(BUY, MICRO)
    venue.price(EURUSD, 110_100, 110_110)
    more = venue.open(BUY, MICRO)
    assert more.position.positionId == opened.position.positionId
    assert more.position.price == pytest.approx(1.1006)
    less = venue.open(SELL, MICRO)
    assert less.position.tradeData.volume == MICRO
    assert less.position.price == pytest.approx(1.1006)
    assert less.deal.closePositionDetail.grossProfit == 40
