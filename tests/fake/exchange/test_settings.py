"""Settings that cannot work are refused when they are made; those that can say what they mean."""

from __future__ import annotations

from dataclasses import replace

import pytest

from anyctrader.fake.accounts import AccountSettings
from anyctrader.fake.exchange_settings import ExchangeSettings
from anyctrader.fake.listing import SYMBOLS
from anyctrader.wire import messages as oa

from .venue import DE40, EURUSD, LIMIT, MARKET, MICRO, STOP_LIMIT, Venue, one_account, only, words


def test_symbol_without_tiers_or_assets_is_refused() -> None:
    with pytest.raises(ValueError, match="EURUSD has leverage id 9"):
        ExchangeSettings(symbols=(replace(SYMBOLS[0], leverage_id=9),))
    with pytest.raises(ValueError, match="EURUSD is of EUR in CHF"):
        ExchangeSettings(symbols=(replace(SYMBOLS[0], quote="CHF"),))


def test_two_accounts_of_one_id_are_refused() -> None:
    account = AccountSettings(account_id=1, trader_login=2)
    with pytest.raises(ValueError, match="same account_id"):
        ExchangeSettings(accounts=(account, account))


def test_unknown_asset_has_no_id() -> None:
    with pytest.raises(LookupError, match="CHF"):
        ExchangeSettings().asset_id("CHF")


def test_account_may_begin_with_nothing() -> None:
    venue = Venue(accounts=one_account(balance=0))
    assert venue.balance == 0
    assert words(venue.place()) == ["NOT_ENOUGH_MONEY"]


def test_symbol_whose_value_cannot_be_told_has_no_quotes_for_the_account() -> None:
    venue = Venue(symbols=only(DE40), hold=False)  # in euros, and nothing leads from them to dollars
    assert words(venue.place(symbolId=DE40, volume=1)) == ["NO_QUOTES"]
    assert venue.answer(oa.ProtoOAExpectedMarginReq, symbolId=DE40, volume=[1]).errorCode == "NO_QUOTES"


def test_symbol_without_prices_has_neither_quote_nor_book() -> None:
    venue = Venue(symbols=(replace(SYMBOLS[0], prices=None),), hold=False)
    assert venue.exchange.quote(EURUSD) is None
    assert venue.exchange.depth(EURUSD) == {}
    (placed,) = venue.place(LIMIT, limitPrice=1.0)
    assert words([placed]) == ["ACCEPTED(f)"]
    assert venue.exchange.next_due_ms() is not None


def test_symbol_may_have_an_exposure_limit_and_units() -> None:
    symbols = (replace(SYMBOLS[0], max_exposure=5 * MICRO, units="Euros"),)
    venue = Venue(symbols=symbols)
    (symbol,) = venue.answer(oa.ProtoOASymbolByIdReq, symbolId=[EURUSD]).symbol
    assert (symbol.maxExposure, symbol.measurementUnits) == (5 * MICRO, "Euros")
    opened = venue.open(volume=4 * MICRO)
    assert opened.position.tradeData.measurementUnits == "Euros"
    assert words(venue.place(volume=2 * MICRO)) == ["MAX_EXPOSURE_REACHED"]


def test_positions_and_orders_are_counted_together() -> None:
    venue = Venue(accounts=one_account(max_positions=2))
    venue.open(relativeStopLoss=300)
    venue.place(LIMIT, limitPrice=1.0)
    assert words(venue.place()) == ["TOO_MANY_POSITIONS"]


def test_account_that_lost_its_rights_cannot_close() -> None:
    venue = Venue()
    position_id = venue.open().position.positionId
    venue.exchange.change_account(venue.account, now_ms=venue.now_ms, access_rights=2)
    assert words(venue.close(position_id, MICRO)) == ["TRADING_NOT_ALLOWED"]
    venue.exchange.change_account(venue.account, now_ms=venue.now_ms, access_rights=1)
    assert words(venue.close(position_id, MICRO)) == ["ACCEPTED(f)"]


def test_amend_changes_range_and_trigger_of_a_stop_limit_order() -> None:
    venue = Venue()
    (placed,) = venue.place(STOP_LIMIT, stopPrice=1.11, slippageInPoints=10, relativeStopLoss=100)
    amend = {"orderId": placed.message.order.orderId, "stopPrice": 1.11}
    order = venue.answer(
        oa.ProtoOAAmendOrderReq,
        **amend,
        slippageInPoints=30,
        stopTriggerMethod=2,
        relativeStopLoss=200,
        trailingStopLoss=True,
    ).order
    assert (order.slippageInPoints, order.stopTriggerMethod) == (30, 2)
    assert (order.relativeStopLoss, order.trailingStopLoss) == (200, True)
    order = venue.answer(oa.ProtoOAAmendOrderReq, **amend).order
    assert (order.slippageInPoints, order.stopTriggerMethod) == (30, 2)
    assert not order.HasField("trailingStopLoss")
    assert venue.answer(oa.ProtoOAAmendOrderReq, **amend, stopTriggerMethod=7).errorCode == "INVALID_REQUEST"
    assert (
        venue.answer(oa.ProtoOAAmendOrderReq, orderId=amend["orderId"], stopPrice=1.0).errorCode == "TRADING_BAD_PRICES"
    )


def test_amend_of_a_position_changes_its_trigger_method() -> None:
    venue = Venue()
    position_id = venue.open().position.positionId
    event = venue.answer(oa.ProtoOAAmendPositionSLTPReq, positionId=position_id, stopLoss=1.09, stopLossTriggerMethod=2)
    assert event.position.stopLossTriggerMethod == event.order.stopTriggerMethod == 2
    venue.price(EURUSD, 108_990, 109_005)
    assert words(venue.wait()) == [], "the ask has not met it"
    venue.price(EURUSD, 108_980, 108_999)
    assert words(venue.wait()) == ["FILLED(t)"]


def test_level_met_while_a_part_is_being_closed_holds_for_the_rest() -> None:
    venue = Venue()
    position_id = venue.open(volume=3 * MICRO, relativeStopLoss=200).position.positionId
    venue.close(position_id, MICRO)
    venue.price(EURUSD, 109_700, 109_710)
    assert words(venue.wait()) == ["FILLED(f)", "REPLACED(t)", "FILLED(t)"]
    assert not venue.reconcile().position


def test_order_for_a_position_that_has_gone_is_rejected() -> None:
    venue = Venue()
    position_id = venue.open().position.positionId
    venue.place(LIMIT, positionId=position_id, limitPrice=1.09)
    venue.close(position_id, MICRO)
    venue.wait()
    venue.price(EURUSD, 108_900, 108_910)
    (rejected,) = venue.wait()
    assert rejected.message.errorCode == "POSITION_NOT_FOUND"


def test_cancel_of_a_market_order_in_execution_is_too_late() -> None:
    venue = Venue()
    (accepted,) = venue.place(MARKET)
    (rejected,) = venue.ask(oa.ProtoOACancelOrderReq, orderId=accepted.message.order.orderId)
    assert words([rejected]) == ["CANCEL_REJECTED(f)"]
    assert words(venue.wait()) == ["FILLED(f)"]
