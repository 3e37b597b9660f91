"""Margin, margin calls, stop-out and unrealised profit (docs/protocol.md section 13)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from anyctrader.fake.listing import SYMBOLS
from anyctrader.fake.symbols import Tier
from anyctrader.wire import messages as oa

from .venue import BUY, EURUSD, LOT, MARKET, MICRO, SELL, Venue, instant, one_account, words


def test_trader_has_neither_equity_nor_margin_and_its_balance_stands_still_while_positions_are_open() -> None:
    venue = Venue()
    venue.open()
    trader = venue.answer(oa.ProtoOATraderReq).trader
    assert trader.balance == 1_000_000
    assert trader.leverageInCents == 10_000
    assert trader.moneyDigits == 2
    assert trader.accountType == 0


def test_unrealised_profit_net_leaves_out_the_closing_commission() -> None:
    venue = Venue()
    venue.open(BUY, 2 * MICRO)
    venue.open(SELL, MICRO)
    venue.price(EURUSD, 110_110, 110_120)
    res = venue.answer(oa.ProtoOAGetPositionUnrealizedPnLReq)
    long, short = res.positionUnrealizedPnL
    assert (long.grossUnrealizedPnL, long.netUnrealizedPnL) == (200, 195)
    assert (short.grossUnrealizedPnL, short.netUnrealizedPnL) == (-120, -123)
    assert res.moneyDigits == 2


def test_expected_margin_is_that_of_the_fill() -> None:
    venue = Venue()
    res = venue.answer(oa.ProtoOAExpectedMarginReq, symbolId=EURUSD, volume=[MICRO, LOT])
    assert [(one.volume, one.buyMargin, one.sellMargin) for one in res.margin] == [
        (MICRO, 1100, 1100),
        (LOT, 110_010, 110_000),
    ]
    assert venue.open(BUY, LOT // 2).position.usedMargin == 55_005


def test_margin_is_cut_into_the_slices_of_the_tiers_by_side() -> None:
    tiers = {1: (Tier(100_000_00, 10_000), Tier(200_000_00, 5_000), Tier(300_000_00, 1_000)), 2: (), 3: (), 4: ()}
    venue = Venue(
        tiers=tiers,
        symbols=tuple(one for one in SYMBOLS if one.symbol_id == EURUSD),
        accounts=one_account(balance=10**9),
    )
    venue.price(EURUSD, 100_000, 100_000)
    # 350,000 USD: 100,000 at 1:100, 100,000 at 1:50, 100,000 at 1:10 and the rest at the last tier's as well.
    assert venue.open(BUY, 35 * MICRO * 10).position.usedMargin == 100_000 + 200_000 + 1_500_000
    assert venue.open(BUY, MICRO).position.usedMargin == 10_000, "the next one begins in the last tier"
    assert venue.open(SELL, MICRO).position.usedMargin == 1_000, "the other side has tiers of its own"


@pytest.mark.parametrize(("margin_type", "used"), [(0, 22_002), (1, 33_002), (2, 11_002)])
def test_margins_of_both_sides_are_added_up_in_the_accounts_way(margin_type: int, used: int) -> None:
    venue = Venue(accounts=one_account(margin_type=margin_type))
    venue.open(BUY, 20 * MICRO)
    venue.open(SELL, 10 * MICRO)
    assert venue.exchange.accounts[venue.account].used_margin() == used


def test_margin_calls_are_listed_set_and_announced() -> None:
    venue = Venue()
    listed = venue.answer(oa.ProtoOAMarginCallListReq).marginCall
    assert [(call.marginCallType, call.marginLevelThreshold) for call in listed] == [(61, 100), (62, 80), (63, 60)]
    pushes = venue.ask(
        oa.ProtoOAMarginCallUpdateReq,
        marginCall=oa.ProtoOAMarginCall(marginCallType=62, marginLevelThreshold=90.0),
    )
    assert words(pushes) == ["MarginCallUpdateRes", "MarginCallUpdateEvent"]
    assert pushes[1].message.marginCall.marginLevelThreshold == 90
    assert venue.answer(oa.ProtoOAMarginCallListReq).marginCall[1].marginLevelThreshold == 90


@pytest.mark.parametrize(("kind", "level"), [(60, 90.0), (61, -1.0), (61, float("nan"))])
def test_margin_call_that_makes_no_sense_is_refused(kind: int, level: float) -> None:
    venue = Venue()
    message = venue.answer(
        oa.ProtoOAMarginCallUpdateReq,
        marginCall=oa.ProtoOAMarginCall(marginCallType=kind, marginLevelThreshold=level),
    )
    assert message.errorCode == "INVALID_REQUEST"


def test_margin_call_is_announced_once_in_ten_minutes() -> None:
    venue = Venue(accounts=one_account(balance=20_000))
    venue.open(BUY, 15 * MICRO)  # margin 165.02
    pushes = venue.price(EURUSD, 109_750, 109_760)
    assert words(pushes) == ["MarginCallTriggerEvent"]
    assert pushes[0].message.marginCall.marginCallType == 61
    venue.wait(599_000)
    assert words(venue.price(EURUSD, 109_740, 109_750)) == []
    venue.wait(1_000)
    assert words(venue.price(EURUSD, 109_750, 109_760)) == ["MarginCallTriggerEvent"]


def test_stop_out_closes_the_position_with_most_margin_first_and_marks_it() -> None:
    venue = Venue(accounts=one_account(balance=20_000))
    small = venue.open(BUY, 5 * MICRO, relativeStopLoss=5_000).position.positionId
    large = venue.open(BUY, 10 * MICRO, relativeStopLoss=5_000).position.positionId
    events = venue.price(EURUSD, 109_200, 109_210)
    assert words(events) == [*["MarginCallTriggerEvent"] * 3, "ACCEPTED(t)"]
    accepted = events[-1].message
    assert accepted.order.isStopOut
    assert accepted.order.orderType == MARKET
    assert accepted.order.closingOrder
    assert accepted.position.positionId == large
    events = venue.wait()
    assert words(events) == ["FILLED(t)", "CANCELLED(t)"]
    assert all(push.origin is None for push in events)
    assert [position.positionId for position in venue.reconcile().position] == [small]


def test_stop_out_may_take_the_most_losing_first() -> None:
    strategy = oa.ProtoOAStopOutStrategy.MOST_LOSING_FIRST
    venue = Venue(accounts=one_account(balance=20_000, stop_out_strategy=strategy))
    venue.open(BUY, 8 * MICRO)
    venue.price(EURUSD, 110_500, 110_510)
    losing = venue.open(BUY, 7 * MICRO).position.positionId
    events = venue.price(EURUSD, 109_300, 109_310)
    assert events[-1].message.position.positionId == losing


@pytest.mark.parametrize("settings", [{}, instant()])
def test_stop_out_goes_on_at_the_same_price_until_nothing_is_left(settings: dict[str, Any]) -> None:
    venue = Venue(accounts=one_account(balance=20_000), **settings)
    for _ in range(3):
        venue.place(MARKET, BUY, 5 * MICRO)
        venue.wait()
    assert len(venue.reconcile().position) == 3
    venue.price(EURUSD, 97_000, 97_010)
    venue.wait()
    assert not venue.reconcile().position


def test_stop_out_ends_once_the_level_is_above_its_own() -> None:
    venue = Venue(accounts=one_account(balance=20_000))
    for _ in range(3):
        venue.open(BUY, 5 * MICRO)
    venue.price(EURUSD, 108_950, 108_960)  # about 40 USD for a margin of 165: two closings are needed
    venue.wait()
    (left,) = venue.reconcile().position
    assert venue.exchange.accounts[venue.account].used_margin() == left.usedMargin
    assert venue.balance > left.usedMargin // 2


def test_stop_out_waits_for_a_closing_under_way_and_then_goes_on() -> None:
    venue = Venue(accounts=one_account(balance=20_000))
    first, _ = (venue.open(BUY, 7 * MICRO).position.positionId for _ in range(2))
    venue.close(first, MICRO)
    assert "ACCEPTED(t)" not in words(venue.price(EURUSD, 97_000, 97_010))
    venue.wait()
    assert not venue.reconcile().position


def test_free_margin_counts_open_losses() -> None:
    venue = Venue(accounts=one_account(balance=20_000))
    venue.open(BUY, 10 * MICRO)
    assert words(venue.place(volume=8 * MICRO)) == ["ACCEPTED(f)"]
    venue.wait()
    venue = Venue(accounts=one_account(balance=20_000))
    venue.open(BUY, 10 * MICRO)
    venue.price(EURUSD, 109_800, 109_810)
    assert words(venue.place(volume=8 * MICRO)) == ["NOT_ENOUGH_MONEY"]


def test_leverage_is_never_more_than_the_accounts() -> None:
    venue = Venue(accounts=one_account(leverage_cents=3_000))
    assert venue.open(BUY, MICRO).position.usedMargin == 3667
    symbols = tuple(replace(one, leverage_id=4) for one in SYMBOLS if one.symbol_id == EURUSD)
    venue = Venue(symbols=symbols)
    assert venue.open(BUY, MICRO).position.usedMargin == round(110_010 / 3.33)
