"""What orders, positions and deals contain, and the money in them (docs/protocol.md sections 8, 10 and 10.2)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from anyctrader.fake.listing import SYMBOLS
from anyctrader.wire import messages as oa

from .venue import (
    BTCUSD,
    BUY,
    DE40,
    EURUSD,
    LIMIT,
    MARKET,
    MICRO,
    SELL,
    STOP,
    T0,
    USDJPY,
    Venue,
    one_account,
)


def test_accepted_position_is_empty_with_its_zeros_written_out() -> None:
    (push,) = Venue().place()
    position = push.message.position
    assert position.positionStatus == 3
    for field in ("swap", "price", "commission", "marginRate", "mirroringCommission", "usedMargin"):
        assert position.HasField(field)
        assert getattr(position, field) == 0
    assert position.HasField("guaranteedStopLoss")
    assert position.tradeData.volume == 0
    assert not position.tradeData.HasField("openTimestamp")
    order = push.message.order
    assert order.HasField("executedVolume")
    assert order.HasField("closingOrder")
    assert order.positionId == position.positionId
    assert order.tradeData.openTimestamp == T0


@pytest.mark.parametrize(
    ("kind", "fields", "force"), [(MARKET, {}, 3), (LIMIT, {"limitPrice": 1.0}, 2), (STOP, {"stopPrice": 1.2}, 2)]
)
def test_stored_time_in_force_depends_on_the_kind(kind: int, fields: dict[str, float], force: int) -> None:
    (push,) = Venue().place(kind, **fields)
    assert push.message.order.timeInForce == force


def test_label_and_comment_go_to_position_closing_and_protective_order_but_the_client_order_id_does_not() -> None:
    venue = Venue()
    venue.place(label="mine", comment="first", clientOrderId="c-1", relativeStopLoss=300)
    filled, protected = (push.message for push in venue.wait())
    assert filled.order.clientOrderId == "c-1"
    for trade in (filled.position.tradeData, filled.order.tradeData, protected.order.tradeData):
        assert (trade.label, trade.comment) == ("mine", "first")
    (closing,) = venue.close(filled.position.positionId, MICRO)
    assert closing.message.order.tradeData.label == "mine"
    ids = {protected.order.clientOrderId, closing.message.order.clientOrderId}
    assert len(ids) == 2
    assert not ids & {"c-1", ""}


def test_used_margin_is_notional_times_rate_through_leverage() -> None:
    symbols = tuple(replace(one, min_volume=1000, step_volume=1000) for one in SYMBOLS if one.symbol_id == EURUSD)
    venue = Venue(symbols=symbols)
    venue.price(EURUSD, 112_568, 112_569)
    event = venue.open(BUY, 100_000)
    assert event.position.usedMargin == 1126
    assert event.position.marginRate == 1.12569
    assert event.deal.baseToUsdConversionRate == 1.12569


def test_example_of_section_10_2_comes_out_to_the_cent() -> None:
    venue = Venue(accounts=one_account(balance=10_000_000))
    venue.price(BTCUSD, 8_528_720_000, 8_528_721_000)
    opened = venue.open(BUY, 100, symbolId=BTCUSD)
    assert opened.position.commission == -2772
    assert venue.balance == 10_000_000, "the balance never moves at opening"
    venue.price(BTCUSD, 8_521_906_000, 8_521_907_000)
    venue.close(opened.position.positionId, 1)
    (filled,) = venue.wait()
    detail = filled.message.deal.closePositionDetail
    assert detail.grossProfit == -68
    assert detail.commission == -56
    assert detail.entryPrice == 85287.21
    assert filled.message.deal.commission == -28
    assert filled.message.position.commission == -2744
    assert filled.message.position.price == 85287.21
    assert detail.balance == venue.balance == 10_000_000 - 124


def test_charges_are_rounded_up_and_gross_profit_to_the_nearest_cent() -> None:
    venue = Venue()
    opened = venue.open(BUY, MICRO)
    assert opened.deal.commission == -3, "2.5 cents"
    venue.price(EURUSD, 110_017, 110_027)
    venue.close(opened.position.positionId, MICRO)
    (filled,) = venue.wait()
    assert filled.message.deal.closePositionDetail.grossProfit == 7
    assert filled.message.deal.closePositionDetail.commission == -6


def test_profit_in_another_currency_pays_a_conversion_fee() -> None:
    """The recorded trade of the index: -26.21 gross, -0.19 fee at a rate of 1.13666."""
    venue = Venue(accounts=one_account(balance=10_000_000))
    venue.price(EURUSD, 113_666, 113_668)
    venue.price(DE40, 2_549_420_000, 2_549_430_000)
    opened = venue.open(BUY, 100, symbolId=DE40)
    venue.price(DE40, 2_547_124_000, 2_547_134_000)
    venue.close(opened.position.positionId, 100)
    (filled,) = venue.wait()
    deal = filled.message.deal
    assert deal.closePositionDetail.quoteToDepositConversionRate == 1.13666
    assert deal.closePositionDetail.grossProfit == -2621
    assert deal.closePositionDetail.pnlConversionFee == -19
    assert deal.marginRate == pytest.approx(25471.24 * 1.13666)
    assert venue.balance == 10_000_000 - 2621 - 19


def test_profit_in_yen_is_converted_at_the_ask() -> None:
    venue = Venue()
    venue.price(USDJPY, 15_000_000, 15_001_000)
    opened = venue.open(SELL, MICRO, symbolId=USDJPY)
    venue.price(USDJPY, 14_900_000, 14_901_000)
    venue.close(opened.position.positionId, MICRO)
    (filled,) = venue.wait()
    detail = filled.message.deal.closePositionDetail
    assert detail.grossProfit == round(0.99 * 1000 / 149.01 * 100)
    assert detail.quoteToDepositConversionRate == pytest.approx(1 / 149.01)


def test_each_close_raises_the_balance_version_by_one() -> None:
    venue = Venue()
    before = venue.answer(oa.ProtoOATraderReq).trader.balanceVersion
    opened = venue.open(BUY, 3 * MICRO)
    versions = []
    for _ in range(3):
        venue.close(opened.position.positionId, MICRO)
        versions.append(venue.wait()[0].message.deal.closePositionDetail.balanceVersion)
    assert versions == [before + 1, before + 2, before + 3]


def test_closing_shares_add_up_to_what_was_charged_for_opening() -> None:
    venue = Venue()
    opened = venue.open(BUY, 7 * MICRO)
    whole = opened.position.commission
    shares = 0
    for _ in range(7):
        venue.close(opened.position.positionId, MICRO)
        deal = venue.wait()[0].message.deal
        shares += deal.closePositionDetail.commission - deal.commission
    assert shares == whole


def test_deal_of_a_trigger_was_created_when_its_price_was_met() -> None:
    venue = Venue()
    venue.open(relativeStopLoss=200)
    venue.price(EURUSD, 109_700, 109_710)
    met_ms = venue.now_ms
    (filled,) = venue.wait()
    deal = filled.message.deal
    assert (deal.createTimestamp, deal.executionTimestamp) == (met_ms, met_ms + 135)


def test_execution_event_carries_a_field_that_no_schema_has_and_can_do_without() -> None:
    (push,) = Venue().place()
    known = oa.ProtoOAExecutionEvent()
    known.CopyFrom(push.message)
    known.DiscardUnknownFields()
    assert len(known.SerializeToString()) == len(push.message.SerializeToString()) - 3


def test_symbol_with_a_minimum_commission_charges_it() -> None:
    symbols = tuple(replace(one, min_commission=10**8) for one in SYMBOLS if one.symbol_id == EURUSD)
    assert Venue(symbols=symbols).open().deal.commission == -100


@pytest.mark.parametrize(
    ("kind", "rate", "cents"),
    [
        (1, 45 * 10**8, -5),  # 45 USD a million: 1,100 USD
        (2, 3 * 10**8, -3),  # 3 USD a lot
        (3, 5 * 10**3, -56),  # 0.05 % of 1,100.10
        (4, 7 * 10**8, -7),  # 7 of the quote currency a lot
    ],
)
def test_commission_follows_its_type(kind: int, rate: int, cents: int) -> None:
    symbols = tuple(
        replace(one, commission_type=kind, commission_rate=rate) for one in SYMBOLS if one.symbol_id == EURUSD
    )
    assert Venue(symbols=symbols).open().deal.commission == cents


def test_account_in_another_currency_is_booked_in_its_own() -> None:
    venue = Venue(accounts=one_account(deposit_asset="EUR"))
    opened = venue.open(BUY, MICRO)
    assert opened.position.usedMargin == 1000
    assert opened.position.marginRate == 1.0
    venue.price(EURUSD, 110_110, 110_120)
    venue.close(opened.position.positionId, MICRO)
    (filled,) = venue.wait()
    detail = filled.message.deal.closePositionDetail
    assert detail.grossProfit == round(100 / 1.1012)
    assert detail.pnlConversionFee == 0
