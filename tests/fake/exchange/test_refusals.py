"""Where errors show up and what they say (docs/protocol.md sections 8, 10, 10.3 and 10.4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from anyctrader.fake.listing import SYMBOLS
from anyctrader.fake.pushes import Scope
from anyctrader.wire import messages as oa

from .venue import (
    ACCOUNT,
    BUY,
    EURUSD,
    LIMIT,
    LOT,
    MARKET,
    MICRO,
    PROTECTIVE,
    RANGE,
    SELL,
    STOP,
    STOP_LIMIT,
    T0,
    XAUUSD,
    Venue,
    one_account,
    words,
)

ABSOLUTE = "SL/TP in absolute values are allowed only for order types: [LIMIT, STOP, STOP_LIMIT]"


@pytest.mark.parametrize(
    ("fields", "code", "text"),
    [
        ({"stopLoss": 1.09}, "INVALID_REQUEST", ABSOLUTE),
        ({"takeProfit": 1.12}, "INVALID_REQUEST", ABSOLUTE),
        (
            {"kind": LIMIT, "limitPrice": 1.123456},
            "INVALID_REQUEST",
            "Order price = 1.123456 has more digits than symbol allows. Allowed 5 digits",
        ),
        (
            {"kind": LIMIT, "limitPrice": 1.09, "stopLoss": 1.0800001},
            "INVALID_REQUEST",
            "Order protection = 1.0800001 has more digits than symbol allows. Allowed 5 digits",
        ),
        (
            {"kind": LIMIT, "limitPrice": 2300.123, "symbolId": XAUUSD, "volume": 100},
            "INVALID_REQUEST",
            "Order price = 2300.123 has more digits than symbol allows. Allowed 2 digits",
        ),
        (
            {"symbolId": XAUUSD, "volume": 100, "relativeStopLoss": 1_000_500},
            "INVALID_REQUEST",
            "Relative stop loss has invalid precision",
        ),
        ({"relativeTakeProfit": -5}, "INVALID_REQUEST", "Relative take profit has invalid precision"),
        ({"symbolId": 77}, "SYMBOL_NOT_FOUND", "Symbol not found with id 77"),
        ({"kind": PROTECTIVE}, "INVALID_REQUEST", "Order type 4 is not allowed"),
        ({"kind": 17}, "INVALID_REQUEST", "Order type 17 is not allowed"),
        ({"side": 3}, "INVALID_REQUEST", "Trade side 3 is unknown"),
        ({"timeInForce": 9}, "INVALID_REQUEST", "Time in force 9 is unknown"),
        ({"kind": LIMIT}, "INVALID_REQUEST", "limitPrice is required for order type LIMIT"),
        ({"kind": STOP}, "INVALID_REQUEST", "stopPrice is required for order type STOP"),
        ({"kind": STOP_LIMIT, "stopPrice": 1.2}, "INVALID_REQUEST", "slippageInPoints is required"),
        ({"kind": RANGE, "slippageInPoints": 5}, "INVALID_REQUEST", "baseSlippagePrice is required"),
        (
            {"kind": RANGE, "baseSlippagePrice": 1.1, "slippageInPoints": -5},
            "INVALID_REQUEST",
            "slippageInPoints must not be negative",
        ),
        ({"kind": LIMIT, "limitPrice": float("nan")}, "INVALID_REQUEST", "is not a valid price"),
        ({"kind": LIMIT, "limitPrice": -1.0}, "INVALID_REQUEST", "is not a valid price"),
        ({"kind": LIMIT, "limitPrice": 1.0, "timeInForce": 1}, "INVALID_REQUEST", "expirationTimestamp is required"),
        ({"comment": "x" * 513}, "INVALID_REQUEST", "comment is longer than 512 characters"),
        ({"label": "x" * 101}, "INVALID_REQUEST", "label is longer than 100 characters"),
        ({"clientOrderId": "x" * 51}, "INVALID_REQUEST", "clientOrderId is longer than 50 characters"),
        ({"trailingStopLoss": True}, "INVALID_REQUEST", "Trailing stop loss requires stop loss"),
        (
            {"guaranteedStopLoss": True, "relativeStopLoss": 500},
            "INVALID_REQUEST",
            "Guaranteed stop loss is allowed only for limited risk accounts",
        ),
        (
            {"kind": LIMIT, "limitPrice": 1.0, "stopLoss": 0.99, "relativeStopLoss": 100},
            "INVALID_REQUEST",
            "Absolute and relative stop loss must not be given together",
        ),
        ({"kind": STOP, "stopPrice": 1.2, "stopTriggerMethod": 8}, "INVALID_REQUEST", "Stop trigger method 8"),
    ],
)
def test_shape_and_digits_are_refused_by_an_error_response(fields: dict[str, Any], code: str, text: str) -> None:
    venue = Venue()
    (push,) = venue.place(fields.pop("kind", MARKET), **fields)
    assert type(push.message) is oa.ProtoOAErrorRes
    assert push.message.errorCode == code
    assert text in push.message.description
    assert push.message.ctidTraderAccountId == venue.account
    assert push.scope is Scope.REQUESTER
    assert push.first
    assert push.origin == "me"
    assert not venue.reconcile().order


@pytest.mark.parametrize(
    ("fields", "code", "text"),
    [
        (
            {"volume": 0},
            "TRADING_BAD_VOLUME",
            "Order volume = 0.00 is smaller than minimum allowed volume = 1000.00.",
        ),
        (
            {"volume": 20_000_000_000},
            "TRADING_BAD_VOLUME",
            "Order volume = 200000000.00 is bigger than maximum allowed volume = 100000000.00.",
        ),
        (
            {"volume": 150_000},
            "TRADING_BAD_VOLUME",
            "Order volume = 1500.00 is not a multiple of volume step = 1000.00.",
        ),
        ({"volume": 1000 * LOT}, "NOT_ENOUGH_MONEY", "Not enough funds"),
        (
            {"kind": LIMIT, "limitPrice": 1.09, "stopLoss": 1.095},
            "TRADING_BAD_STOPS",
            "New SL for BUY position should be <= order BID price. order BID: 1.09, SL: 1.095",
        ),
        ({"kind": STOP, "stopPrice": 1.09}, "TRADING_BAD_PRICES", "should be >= current ASK price"),
        ({"kind": STOP, "side": SELL, "stopPrice": 1.2}, "TRADING_BAD_PRICES", "should be <= current BID price"),
        (
            {"kind": LIMIT, "limitPrice": 1.0, "timeInForce": 1, "expirationTimestamp": T0 - 1},
            "TRADING_BAD_EXPIRATION_DATE",
            "should be greater than",
        ),
        ({"positionId": 99}, "POSITION_NOT_FOUND", "Position not found with id 99"),
    ],
)
def test_volume_money_and_levels_are_refused_by_an_order_error(fields: dict[str, Any], code: str, text: str) -> None:
    venue = Venue()
    (push,) = venue.place(fields.pop("kind", MARKET), fields.pop("side", BUY), **fields)
    assert type(push.message) is oa.ProtoOAOrderErrorEvent
    assert push.message.errorCode == code
    assert text in push.message.description
    assert push.scope is Scope.REQUESTER
    assert not venue.reconcile().order


def test_cancel_of_an_unknown_order_names_it() -> None:
    message = Venue().answer(oa.ProtoOACancelOrderReq, orderId=42)
    assert type(message) is oa.ProtoOAOrderErrorEvent
    assert (message.errorCode, message.orderId) == ("ORDER_NOT_FOUND", 42)
    assert message.description == "Order not found with id 42"


@pytest.mark.parametrize(
    ("cls", "fields"),
    [(oa.ProtoOAClosePositionReq, {"volume": MICRO}), (oa.ProtoOAAmendPositionSLTPReq, {"stopLoss": 1.0})],
)
def test_unknown_position_is_named_in_the_text_only(cls: type[Any], fields: dict[str, Any]) -> None:
    message = Venue().answer(cls, positionId=42, **fields)
    assert type(message) is oa.ProtoOAOrderErrorEvent
    assert message.errorCode == "POSITION_NOT_FOUND"
    assert message.description == "Position not found with id 42"
    assert not message.HasField("positionId")
    assert not message.HasField("orderId")


def test_unknown_order_in_details_is_an_error_response() -> None:
    venue = Venue()
    message = venue.answer(oa.ProtoOAOrderDetailsReq, orderId=42)
    assert type(message) is oa.ProtoOAErrorRes
    assert message.errorCode == "ORDER_NOT_FOUND"
    assert message.description == f"Order 42 not found or not belong to trader {venue.account}"


@pytest.mark.parametrize(
    ("side", "levels", "text"),
    [
        (
            BUY,
            {"takeProfit": 1.09},
            "New TP for BUY position should be >= current BID price. current BID: 1.1, TP: 1.09",
        ),
        (BUY, {"stopLoss": 1.2}, "New SL for BUY position should be <= current BID price. current BID: 1.1, SL: 1.2"),
        (SELL, {"takeProfit": 1.2}, "New TP for SELL position should be <= current ASK price."),
        (SELL, {"stopLoss": 1.09}, "New SL for SELL position should be >= current ASK price."),
        (BUY, {"stopLoss": 1.05, "takeProfit": 1.09}, "New TP for BUY position"),
    ],
)
def test_level_on_the_wrong_side_refuses_both(side: int, levels: dict[str, float], text: str) -> None:
    venue = Venue()
    position = venue.open(side).position
    message = venue.answer(oa.ProtoOAAmendPositionSLTPReq, positionId=position.positionId, **levels)
    assert type(message) is oa.ProtoOAOrderErrorEvent
    assert message.errorCode == "TRADING_BAD_STOPS"
    assert text in message.description
    (after,) = venue.reconcile().position
    assert not after.HasField("stopLoss")


def test_amend_of_nothing_is_refused() -> None:
    venue = Venue()
    position = venue.open().position
    message = venue.answer(oa.ProtoOAAmendPositionSLTPReq, positionId=position.positionId)
    assert (message.errorCode, message.description) == ("INVALID_REQUEST", "Nothing to amend.")


def test_clearing_a_trailing_stop_takes_two_amends() -> None:
    venue = Venue()
    position_id = venue.open(relativeStopLoss=200, trailingStopLoss=True).position.positionId
    amend = {"positionId": position_id}
    kept = venue.answer(oa.ProtoOAAmendPositionSLTPReq, **amend, stopLoss=1.097)
    assert kept.position.trailingStopLoss
    for fields in ({}, {"trailingStopLoss": False}, {"takeProfit": 1.12}):
        refused = venue.answer(oa.ProtoOAAmendPositionSLTPReq, **amend, **fields)
        assert refused.errorCode == "INVALID_REQUEST"
    cleared = venue.answer(oa.ProtoOAAmendPositionSLTPReq, **amend, stopLoss=1.097, trailingStopLoss=False)
    assert not cleared.position.trailingStopLoss
    (removed,) = venue.ask(oa.ProtoOAAmendPositionSLTPReq, **amend)
    assert words([removed]) == ["CANCELLED(t)"]


def test_position_that_is_being_closed_is_locked() -> None:
    venue = Venue()
    position_id = venue.open().position.positionId
    venue.close(position_id, MICRO)
    for push in (
        *venue.close(position_id, MICRO),
        *venue.ask(oa.ProtoOAAmendPositionSLTPReq, positionId=position_id, stopLoss=1.0),
        *venue.place(MARKET, SELL, positionId=position_id),
    ):
        assert push.message.errorCode == "POSITION_LOCKED"
        assert push.message.positionId == position_id
    assert words(venue.wait()) == ["FILLED(f)"]


@pytest.mark.parametrize("volume", [0, 150_000, 5 * MICRO])
def test_close_of_a_wrong_volume_is_refused(volume: int) -> None:
    venue = Venue()
    position_id = venue.open(volume=3 * MICRO).position.positionId
    (push,) = venue.close(position_id, volume)
    assert push.message.errorCode == "TRADING_BAD_VOLUME"
    assert venue.reconcile().position[0].tradeData.volume == 3 * MICRO


def test_order_in_execution_cannot_be_amended() -> None:
    venue = Venue()
    (placed,) = venue.place(LIMIT, limitPrice=1.0995)
    venue.price(EURUSD, 109_930, 109_940)
    message = venue.answer(oa.ProtoOAAmendOrderReq, orderId=placed.message.order.orderId, limitPrice=1.09)
    assert message.errorCode == "UNABLE_TO_AMEND_ORDER"


def test_protective_order_is_not_amended_as_an_order_but_can_be_cancelled() -> None:
    venue = Venue()
    order_id = venue.open(relativeStopLoss=200).order.orderId
    message = venue.answer(oa.ProtoOAAmendOrderReq, orderId=order_id, stopPrice=1.0)
    assert message.errorCode == "UNABLE_TO_AMEND_ORDER"
    (cancelled,) = venue.ask(oa.ProtoOACancelOrderReq, orderId=order_id)
    assert words([cancelled]) == ["CANCELLED(f)"]
    assert not cancelled.message.position.HasField("stopLoss")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"volume": 150_000}, "TRADING_BAD_VOLUME"),
        ({"limitPrice": 1.0912345}, "INVALID_REQUEST"),
        ({"stopLoss": 1.2}, "TRADING_BAD_STOPS"),
        ({"trailingStopLoss": True}, "INVALID_REQUEST"),
        ({"expirationTimestamp": T0 - 5}, "TRADING_BAD_EXPIRATION_DATE"),
        ({"relativeTakeProfit": 0}, "INVALID_REQUEST"),
        ({"stopLoss": 1.08, "relativeStopLoss": 500}, "INVALID_REQUEST"),
        ({"takeProfit": 1.2, "relativeTakeProfit": 500}, "INVALID_REQUEST"),
    ],
)
def test_refused_amend_leaves_the_order_as_it_was(fields: dict[str, Any], code: str) -> None:
    venue = Venue()
    (placed,) = venue.place(LIMIT, limitPrice=1.09, takeProfit=1.2)
    message = venue.answer(oa.ProtoOAAmendOrderReq, orderId=placed.message.order.orderId, **fields)
    assert message.errorCode == code
    (order,) = venue.reconcile().order
    assert order == placed.message.order


@pytest.mark.parametrize(
    ("account", "symbol", "side", "code"),
    [
        ({"access_rights": 2}, {}, BUY, "TRADING_NOT_ALLOWED"),
        ({"access_rights": 1}, {}, BUY, "TRADING_NOT_ALLOWED"),
        ({"max_positions": 0}, {}, BUY, "TOO_MANY_POSITIONS"),
        ({}, {"trading_mode": 1}, BUY, "TRADING_DISABLED"),
        ({}, {"trading_mode": 3}, BUY, "TRADING_DISABLED"),
        ({}, {"short_selling": False}, SELL, "SHORT_SELLING_NOT_ALLOWED"),
        ({}, {"max_exposure": 0}, BUY, "MAX_EXPOSURE_REACHED"),
        ({}, {"prices": None}, BUY, "NO_QUOTES"),
    ],
)
def test_account_and_symbol_may_forbid_an_order(
    account: dict[str, Any], symbol: dict[str, Any], side: int, code: str
) -> None:
    symbols = tuple(replace(one, **symbol) if one.symbol_id == EURUSD else one for one in SYMBOLS)
    venue = Venue(accounts=one_account(**account), symbols=symbols, hold=False)
    (push,) = venue.place(MARKET, side)
    assert type(push.message) is oa.ProtoOAOrderErrorEvent
    assert push.message.errorCode == code


@pytest.mark.parametrize(
    ("account", "symbol", "code"),
    [
        ({"access_rights": 1}, {}, "TRADING_NOT_ALLOWED"),
        ({}, {"trading_mode": 3}, "TRADING_DISABLED"),
        ({}, {"short_selling": False}, "SHORT_SELLING_NOT_ALLOWED"),
        ({}, {"max_exposure": MICRO}, "MAX_EXPOSURE_REACHED"),
        ({"max_positions": 1}, {}, None),
    ],
)
def test_what_a_reversal_opens_is_judged_as_an_opening(
    account: dict[str, Any], symbol: dict[str, Any], code: str | None
) -> None:
    venue = Venue(accounts=one_account(account_type=oa.ProtoOAAccountType.NETTED))
    venue.open(BUY, MICRO)
    venue.exchange.change_account(ACCOUNT, now_ms=venue.now_ms, **account)
    venue.exchange.change_symbol(EURUSD, now_ms=venue.now_ms, **symbol)
    if code is not None:
        assert words(venue.place(MARKET, SELL, 3 * MICRO)) == [code]
        assert words(venue.place(MARKET, SELL, MICRO)) == ["ACCEPTED(f)"], "what only reduces passes"
    else:
        assert words(venue.place(MARKET, SELL, 3 * MICRO)) == ["ACCEPTED(f)"], "it is still one position"


def test_level_too_close_to_the_market_is_refused() -> None:
    symbols = tuple(replace(one, stop_distance_points=50) if one.symbol_id == EURUSD else one for one in SYMBOLS)
    venue = Venue(symbols=symbols)
    position_id = venue.open().position.positionId
    message = venue.answer(oa.ProtoOAAmendPositionSLTPReq, positionId=position_id, stopLoss=1.0997)
    assert message.errorCode == "PROTECTION_IS_TOO_CLOSE_TO_MARKET"


def test_limited_risk_account_needs_a_guaranteed_stop_and_may_not_make_it_worse() -> None:
    venue = Venue(accounts=one_account(limited_risk=True))
    (refused,) = venue.place()
    assert refused.message.errorCode == "INVALID_REQUEST"
    opened = venue.open(relativeStopLoss=500, guaranteedStopLoss=True)
    assert opened.position.guaranteedStopLoss
    position_id = opened.position.positionId
    worse = venue.answer(oa.ProtoOAAmendPositionSLTPReq, positionId=position_id, stopLoss=1.08)
    assert worse.errorCode == "WORSE_GSL_NOT_ALLOWED"
    venue.price(EURUSD, 105_000, 105_010)
    (filled,) = venue.wait()
    assert filled.message.order.executionPrice == 1.0951, "a guaranteed stop fills at its price, whatever the market"


@pytest.mark.parametrize(
    "fields",
    [
        {"stopLoss": 1.0951, "guaranteedStopLoss": False},
        {"stopLoss": 1.097, "guaranteedStopLoss": False},
        {"takeProfit": 1.2},
        {},
    ],
)
@pytest.mark.parametrize("early", [False, True])
def test_a_guaranteed_stop_cannot_be_shed(fields: dict[str, Any], early: bool) -> None:
    venue = Venue(accounts=one_account(limited_risk=True))
    venue.place(relativeStopLoss=500, guaranteedStopLoss=True)
    filled = venue.wait(140 if early else 1000)[-1].message
    position_id = filled.position.positionId
    refused = venue.answer(oa.ProtoOAAmendPositionSLTPReq, positionId=position_id, **fields)
    assert refused.errorCode == ("INVALID_REQUEST" if early and not fields else "WORSE_GSL_NOT_ALLOWED")
    venue.wait()
    (position,) = venue.reconcile().position
    assert (position.stopLoss, position.guaranteedStopLoss) == (1.0951, True)
    (protective,) = venue.reconcile().order
    kept = venue.answer(oa.ProtoOACancelOrderReq, orderId=protective.orderId)
    assert kept.errorCode == "WORSE_GSL_NOT_ALLOWED"
    better = venue.answer(oa.ProtoOAAmendPositionSLTPReq, positionId=position_id, stopLoss=1.097)
    assert better.position.guaranteedStopLoss


@pytest.mark.parametrize("fields", [{}, {"takeProfit": 1.2}, {"stopLoss": 1.08, "guaranteedStopLoss": False}])
def test_a_pending_order_of_a_limited_risk_account_keeps_its_guaranteed_stop(fields: dict[str, Any]) -> None:
    venue = Venue(accounts=one_account(limited_risk=True))
    (placed,) = venue.place(LIMIT, limitPrice=1.09, stopLoss=1.08, guaranteedStopLoss=True)
    order_id = placed.message.order.orderId
    assert venue.answer(oa.ProtoOAAmendOrderReq, orderId=order_id, **fields).errorCode == "INVALID_REQUEST"
    assert words(venue.ask(oa.ProtoOAAmendOrderReq, orderId=order_id, stopLoss=1.07)) == ["REPLACED(f)"]


@pytest.mark.parametrize(
    ("kind", "side", "fields"),
    [
        (MARKET, BUY, {"relativeStopLoss": 10**9}),
        (MARKET, BUY, {"relativeTakeProfit": 10**18}),
        (MARKET, SELL, {"relativeTakeProfit": 110_000}),
        (LIMIT, BUY, {"limitPrice": 1.09, "relativeStopLoss": 109_000}),
        (STOP, SELL, {"stopPrice": 1.09, "relativeTakeProfit": 109_000}),
    ],
)
def test_a_relative_level_that_leads_to_no_price_is_refused(kind: int, side: int, fields: dict[str, Any]) -> None:
    venue = Venue()
    assert words(venue.place(kind, side, **fields)) == ["INVALID_REQUEST"]
    distance = next(key for key in fields if key.startswith("relative"))
    assert words(venue.place(kind, side, **{**fields, distance: 108_999})) == ["ACCEPTED(f)"]


def test_a_relative_level_that_leads_to_no_price_is_refused_in_an_amend() -> None:
    venue = Venue()
    (placed,) = venue.place(LIMIT, limitPrice=1.09)
    far = {"orderId": placed.message.order.orderId, "relativeStopLoss": 109_000}
    assert venue.answer(oa.ProtoOAAmendOrderReq, **far).errorCode == "INVALID_REQUEST"


def test_late_refusal_is_a_rejected_event_with_the_code() -> None:
    venue = Venue(accounts=one_account(balance=2_000))
    venue.place(LIMIT, limitPrice=1.0995, volume=LOT)
    venue.price(EURUSD, 109_930, 109_940)
    (rejected,) = venue.wait()
    assert words([rejected]) == ["REJECTED(f)"]
    assert rejected.message.errorCode == "NOT_ENOUGH_MONEY"
    assert rejected.message.order.orderStatus == 3
    assert rejected.message.position.positionStatus == 2


def test_request_that_is_not_the_exchanges_is_unsupported() -> None:
    message = Venue().answer(oa.ProtoOAAccountLogoutReq)
    assert message.errorCode == "UNSUPPORTED_MESSAGE"


def test_account_that_there_is_not_is_the_callers_mistake() -> None:
    venue = Venue()
    with pytest.raises(KeyError):
        venue.exchange.handle(5, oa.ProtoOATraderReq(ctidTraderAccountId=5), now_ms=T0, origin=None)
