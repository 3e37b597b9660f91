"""Each line of docs/protocol.md section 19 that concerns the exchange, set to its alternatives."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from anyctrader.fake.exchange_settings import Delays, Liquidity
from anyctrader.fake.variants import (
    AcceptedPosition,
    BadLevels,
    BothRemoved,
    Carrier,
    CloseStatus,
    FeeRounding,
    LongText,
    Notices,
    OmittedFields,
    OutOfRange,
    Reversal,
    SameId,
    SameValues,
    ServerMark,
    StopOutMark,
    SwapNotice,
    TooLate,
    TriggerEvents,
    UnknownInList,
    Variants,
    VolumeMeaning,
)
from anyctrader.wire import messages as oa

from .venue import BUY, EURUSD, LIMIT, MARKET, MICRO, RANGE, SELL, STOP, T0, Venue, calm, one_account, only, words

CREATED, CLOSED = 3, 2
PROTECTED = {"relativeStopLoss": 200, "relativeTakeProfit": 300}
DAY_MS = 86_400_000


def make(**variants: Any) -> Venue:
    return Venue(variants=Variants(**variants))


def test_every_setting_has_a_line_of_documentation() -> None:
    for field in fields(Variants):
        assert f"{field.name}:" in (Variants.__doc__ or ""), field.name


def test_accepted_may_come_without_the_new_position() -> None:
    venue = make(accepted_position=AcceptedPosition.ABSENT)
    (accepted,) = venue.place()
    assert not accepted.message.HasField("position")
    position_id = venue.wait()[0].message.position.positionId
    (closing,) = venue.close(position_id, MICRO)
    assert closing.message.HasField("position")


def test_full_close_may_be_closed_at_once_or_left_created() -> None:
    venue = make(protected_close=CloseStatus.CLOSED, unprotected_close=CloseStatus.CREATED)
    venue.close(venue.open(**PROTECTED).position.positionId, MICRO)
    filled, cancelled = venue.wait()
    assert filled.message.position.positionStatus == CLOSED
    assert words([cancelled]) == ["CANCELLED(t)"]
    venue.close(venue.open().position.positionId, MICRO)
    (filled,) = venue.wait()
    assert filled.message.position.positionStatus == CREATED


def test_server_mark_of_pending_fill_and_expiry_may_be_swapped() -> None:
    venue = make(server_mark=ServerMark.FILL_ONLY)
    venue.place(LIMIT, limitPrice=1.2)
    assert words(venue.wait()) == ["FILLED(t)"]
    venue.place(LIMIT, limitPrice=1.0, timeInForce=1, expirationTimestamp=venue.now_ms + 10)
    assert words(venue.wait()) == ["EXPIRED(f)"]


@pytest.mark.parametrize(
    ("variant", "first"),
    [(TriggerEvents.ACCEPTED_FIRST, "ACCEPTED(t)"), (TriggerEvents.REPLACED_FIRST, "REPLACED(t)")],
)
def test_trigger_of_a_stop_may_send_something_before_the_fill(variant: TriggerEvents, first: str) -> None:
    venue = make(trigger_events=variant)
    venue.place(STOP, stopPrice=1.1005)
    assert words(venue.price(EURUSD, 110_060, 110_070)) == [first]
    assert words(venue.wait()) == ["FILLED(f)"]
    venue.place(RANGE, baseSlippagePrice=1.1, slippageInPoints=100)
    assert words(venue.wait()) == [first, "FILLED(f)"]
    venue.place(LIMIT, limitPrice=1.2)
    assert words(venue.wait()) == ["FILLED(f)"]


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        (OutOfRange.CANCELLED, ["ACCEPTED(f)", "CANCELLED(f)"]),
        (OutOfRange.REJECTED, ["ACCEPTED(f)", "REJECTED(f)"]),
        (OutOfRange.REFUSED, ["TRADING_BAD_PRICES"]),
    ],
)
def test_market_range_order_outside_its_range(variant: OutOfRange, expected: list[str]) -> None:
    venue = make(out_of_range=variant)
    assert words(venue.place(RANGE, baseSlippagePrice=1.09, slippageInPoints=20) + venue.wait()) == expected


def test_absolute_level_may_win_over_a_relative_one() -> None:
    venue = make(both_levels=BadLevels.ABSOLUTE_WINS)
    venue.place(LIMIT, limitPrice=1.2, stopLoss=1.05, relativeStopLoss=100)
    assert venue.wait()[-1].message.position.stopLoss == 1.05


def test_removing_both_levels_may_be_a_replaced() -> None:
    venue = make(both_removed=BothRemoved.REPLACED)
    position_id = venue.open(**PROTECTED).position.positionId
    (replaced,) = venue.ask(oa.ProtoOAAmendPositionSLTPReq, positionId=position_id)
    assert words([replaced]) == ["REPLACED(f)"]
    assert not replaced.message.position.HasField("stopLoss")


def test_amend_that_changes_nothing_is_replaced_or_refused() -> None:
    for variant, expected in (
        (SameValues.REPLACED, ["REPLACED(f)"]),
        (SameValues.NOTHING_TO_AMEND, ["INVALID_REQUEST"]),
    ):
        venue = make(same_values=variant)
        position = venue.open(**PROTECTED).position
        same = {"stopLoss": position.stopLoss, "takeProfit": position.takeProfit}
        pushes = venue.ask(oa.ProtoOAAmendPositionSLTPReq, positionId=position.positionId, **same)
        assert words(pushes) == expected


def test_fields_left_out_of_an_amend_are_dropped_or_kept() -> None:
    order_fields = {"limitPrice": 1.09, "stopLoss": 1.08, "timeInForce": 1, "expirationTimestamp": T0 + 10_000}
    for variant, kept in ((OmittedFields.REMOVED, False), (OmittedFields.KEPT, True)):
        venue = make(omitted_fields=variant)
        (placed,) = venue.place(LIMIT, **order_fields)
        order = venue.answer(
            oa.ProtoOAAmendOrderReq, orderId=placed.message.order.orderId, limitPrice=1.091, takeProfit=1.2
        ).order
        assert order.takeProfit == 1.2
        assert order.HasField("stopLoss") is kept
        assert order.HasField("expirationTimestamp") is kept
        assert order.timeInForce == (1 if kept else 2)
        assert words(venue.wait(20_000)) == (["EXPIRED(t)"] if kept else [])


def test_relative_level_replaces_a_kept_absolute_one() -> None:
    venue = make(omitted_fields=OmittedFields.KEPT)
    (placed,) = venue.place(LIMIT, limitPrice=1.09, stopLoss=1.08, relativeTakeProfit=500)
    order = venue.answer(
        oa.ProtoOAAmendOrderReq, orderId=placed.message.order.orderId, relativeStopLoss=300, takeProfit=1.2
    ).order
    assert (order.HasField("stopLoss"), order.relativeStopLoss) == (False, 300)
    assert (order.takeProfit, order.HasField("relativeTakeProfit")) == (1.2, False)


@pytest.mark.parametrize(("variant", "volume"), [(VolumeMeaning.WHOLE, 5 * MICRO), (VolumeMeaning.REST, 7 * MICRO)])
def test_amended_volume_of_a_partly_filled_order_is_the_whole_or_the_rest(variant: VolumeMeaning, volume: int) -> None:
    venue, order_id = partly_filled(variants=Variants(amended_volume=variant))
    order = venue.answer(oa.ProtoOAAmendOrderReq, orderId=order_id, volume=5 * MICRO).order
    assert (order.tradeData.volume, order.executedVolume) == (volume, 2 * MICRO)


def partly_filled(**settings: Any) -> tuple[Venue, int]:
    """A limit order of 4 of which 2 are filled, and the price has left it."""
    venue = Venue(liquidity=Liquidity(part_cents=2 * MICRO), **settings)
    (placed,) = venue.place(LIMIT, volume=4 * MICRO, limitPrice=1.1)
    venue.price(EURUSD, 109_980, 109_990)
    assert words(venue.wait(135)) == ["PARTIAL_FILL(f)"]
    venue.price(EURUSD, 110_000, 110_010)
    assert words(venue.wait()) == []
    return venue, placed.message.order.orderId


def test_amend_to_what_is_filled_already_is_refused() -> None:
    venue, order_id = partly_filled()
    refused = venue.answer(oa.ProtoOAAmendOrderReq, orderId=order_id, volume=2 * MICRO)
    assert refused.errorCode == "TRADING_BAD_VOLUME"


def test_netted_account_may_turn_around_with_two_orders() -> None:
    venue = Venue(accounts=one_account(account_type=1), variants=Variants(reversal=Reversal.TWO_ORDERS))
    venue.open(BUY, 2 * MICRO)
    venue.place(MARKET, SELL, 5 * MICRO)
    events = venue.wait()
    assert words(events) == ["FILLED(f)", "ACCEPTED(f)", "FILLED(f)"]
    assert events[0].message.order.orderId != events[2].message.order.orderId
    assert events[2].message.position.tradeData.volume == 3 * MICRO


def test_second_use_of_a_client_order_id_is_accepted_or_refused() -> None:
    for variant, expected in ((SameId.ACCEPTED, "ACCEPTED(f)"), (SameId.REFUSED, "INVALID_REQUEST")):
        venue = make(same_client_order_id=variant)
        venue.place(clientOrderId="a")
        assert words(venue.place(clientOrderId="a")) == [expected]


def test_long_texts_may_be_truncated() -> None:
    venue = make(long_text=LongText.TRUNCATED)
    (accepted,) = venue.place(comment="c" * 600, label="l" * 200, clientOrderId="i" * 60)
    order = accepted.message.order
    assert (len(order.tradeData.comment), len(order.tradeData.label), len(order.clientOrderId)) == (512, 100, 50)


def test_refusals_may_arrive_as_rejected_events() -> None:
    venue = make(not_enough_money=Carrier.REJECTED)
    (accepted,) = venue.place(volume=1_000_000_000)
    assert words([accepted]) == ["ACCEPTED(f)"]
    (rejected,) = venue.wait()
    assert rejected.message.errorCode == "NOT_ENOUGH_MONEY"
    assert rejected.message.order.orderStatus == 3
    assert not venue.reconcile().position


@pytest.mark.parametrize(
    ("variant", "on_order", "on_event"),
    [
        (StopOutMark.BOTH, True, True),
        (StopOutMark.ORDER_ONLY, True, False),
        (StopOutMark.EVENT_ONLY, False, True),
    ],
)
def test_marks_of_a_stop_out(variant: StopOutMark, on_order: bool, on_event: bool) -> None:
    venue = Venue(accounts=one_account(balance=20_000), variants=Variants(stop_out_mark=variant))
    venue.open(BUY, 15 * MICRO)
    accepted = venue.price(EURUSD, 109_200, 109_210)[-1].message
    assert accepted.order.orderType == MARKET
    assert (accepted.order.isStopOut, accepted.isServerEvent) == (on_order, on_event)


def test_swap_may_be_booked_without_a_word() -> None:
    venue = Venue(market=calm(), symbols=only(EURUSD), variants=Variants(swap_notice=SwapNotice.NONE))
    venue.open()
    assert words(venue.wait(DAY_MS)) == []
    assert venue.reconcile().position[0].swap < 0


def test_trader_and_margin_events_may_follow_each_fill() -> None:
    venue = make(notices=Notices.SENT)
    venue.place()
    assert words(venue.wait()) == ["FILLED(f)", "MarginChangedEvent", "TraderUpdatedEvent"]


def test_unknown_symbols_in_a_list_may_be_left_out() -> None:
    refused = Venue().answer(oa.ProtoOASymbolByIdReq, symbolId=[EURUSD, 77])
    assert refused.errorCode == "SYMBOL_NOT_FOUND"
    served = make(unknown_in_list=UnknownInList.LEFT_OUT).answer(oa.ProtoOASymbolByIdReq, symbolId=[EURUSD, 77])
    assert [symbol.symbolId for symbol in served.symbol] == [EURUSD]


def test_charges_may_be_rounded_to_the_nearest_cent() -> None:
    venue = make(fee_rounding=FeeRounding.NEAREST)
    assert venue.open(volume=5 * MICRO).deal.commission == -13
    venue = make(fee_rounding=FeeRounding.UP)
    assert venue.open(volume=5 * MICRO).deal.commission == -13


def test_extra_field_of_execution_events_may_be_left_out() -> None:
    (push,) = make(extra_field=False).place()
    known = oa.ProtoOAExecutionEvent()
    known.CopyFrom(push.message)
    known.DiscardUnknownFields()
    assert known.SerializeToString() == push.message.SerializeToString()


def test_cancel_that_is_too_late_may_be_an_order_error() -> None:
    venue = make(cancel_too_late=TooLate.ORDER_ERROR)
    (placed,) = venue.place(LIMIT, limitPrice=1.2)
    message = venue.answer(oa.ProtoOACancelOrderReq, orderId=placed.message.order.orderId)
    assert message.errorCode == "UNABLE_TO_CANCEL_ORDER"
    assert message.orderId == placed.message.order.orderId


def test_code_of_a_locked_position_is_a_setting() -> None:
    venue = make(locked_code="PENDING_EXECUTION")
    position_id = venue.open().position.positionId
    venue.close(position_id, MICRO)
    assert words(venue.close(position_id, MICRO)) == ["PENDING_EXECUTION"]


def test_levels_right_after_the_fill_may_meet_position_not_found() -> None:
    venue = Venue(delays=Delays(settling_ms=100))
    venue.place()
    (filled,) = venue.wait(135)
    amend = {"positionId": filled.message.position.positionId, "stopLoss": 1.05}
    assert words(venue.ask(oa.ProtoOAAmendPositionSLTPReq, **amend)) == ["POSITION_NOT_FOUND"]
    venue.wait(100)
    assert words(venue.ask(oa.ProtoOAAmendPositionSLTPReq, **amend)) == ["ACCEPTED(f)"]
