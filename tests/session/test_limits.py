"""The limits of the settings."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from anyctrader.session.bounds import AllowedSymbols, LargestOrder, Limits, NoLimit, Percent
from anyctrader.session.environments import Environment
from anyctrader.session.errors import LimitExceeded, Refused
from anyctrader.session.limits import (
    Picture,
    Proposal,
    Result,
    check_account,
    check_order,
    check_result,
    largest_order_cents,
)
from anyctrader.session.symbols import Symbol
from anyctrader.session.terms import Side

EURUSD = Symbol(
    id=1,
    name="EURUSD",
    digits=5,
    pip_position=4,
    lot_size_cents=10_000_000,
    min_volume_cents=100_000,
    step_volume_cents=100_000,
)
XAUUSD = replace(EURUSD, id=2, name="XAUUSD", digits=2, lot_size_cents=10_000, min_volume_cents=100)


OPEN = Limits.standard(Environment.DEMO)


def proposed(volume_cents: int = 100_000, **changes: Any) -> Proposal:
    """A new order."""
    given: dict[str, Any] = {"symbol": EURUSD, "side": Side.BUY, "added_cents": volume_cents}
    return Proposal(volume_cents=volume_cents, **(given | changes))


def check(limits: Limits, volume_cents: int, symbol: Symbol = EURUSD) -> None:
    check_order(limits, proposed(volume_cents, symbol=symbol))


def test_what_an_order_may_grow_to_where_its_volume_means_the_rest_is_said() -> None:
    limits = replace(OPEN, largest_order_lots=Decimal("0.02"))
    grown = proposed(300_000, added_cents=100_000, filled_cents=100_000, is_new=False)
    with pytest.raises(LimitExceeded, match=r"more than 0\.02 .* allowed: 0\.01 lots .* of the order are filled"):
        check_order(limits, grown)
    check_order(limits, replace(grown, volume_cents=200_000))


def test_live_takes_the_smallest_order_of_a_symbol_unless_the_settings_say_more() -> None:
    limits = Limits.standard(Environment.LIVE)
    check(limits, 100_000)
    check(limits, 100, XAUUSD)
    with pytest.raises(LimitExceeded) as refusal:
        check(limits, 200_000)
    assert isinstance(refusal.value, Refused)
    assert str(refusal.value) == (
        "largest_order_lots: an order of 0.02 lots (2000.00 units) EURUSD is more than 0.01 lots (1000.00 units), "
        "the smallest that the symbol takes"
    )


def test_demo_takes_any_size_unless_the_settings_say_less() -> None:
    assert largest_order_cents(Limits.standard(Environment.DEMO), EURUSD) is None
    check(Limits.standard(Environment.DEMO), 10**15)


@pytest.mark.parametrize(("symbol", "most"), [(EURUSD, 5_000_000), (XAUUSD, 5_000)])
def test_a_limit_in_lots_is_of_the_symbols_own_lot(symbol: Symbol, most: int) -> None:
    limits = Limits(largest_order_lots=Decimal("0.5"))
    assert largest_order_cents(limits, symbol) == most
    check(limits, most, symbol)
    with pytest.raises(LimitExceeded, match=r"0\.5 lots .*, the largest that is allowed"):
        check(limits, most + 1, symbol)


def test_a_limit_between_two_sizes_allows_the_smaller() -> None:
    assert largest_order_cents(Limits(largest_order_lots=Decimal("0.00000019")), EURUSD) == 1


def test_a_limit_in_lots_refuses_what_it_cannot_be_applied_to() -> None:
    unknown = replace(EURUSD, name="", lot_size_cents=None)
    with pytest.raises(LimitExceeded, match=r"symbol 1.* does not say what a lot"):
        check(Limits(largest_order_lots=Decimal(1)), 1, unknown)


def test_the_smallest_order_needs_no_lots() -> None:
    unknown = replace(EURUSD, lot_size_cents=None)
    check(Limits(largest_order_lots=LargestOrder.SMALLEST), 100_000, unknown)
    with pytest.raises(LimitExceeded, match=r"more than 1000\.00 units, the smallest"):
        check(Limits(largest_order_lots=LargestOrder.SMALLEST), 200_000, unknown)


def test_only_the_symbols_that_are_allowed_are_traded() -> None:
    limits = replace(OPEN, allowed_symbols=("EURUSD", "GBPUSD"))
    check(limits, 100_000)
    with pytest.raises(LimitExceeded) as refusal:
        check(limits, 100, XAUUSD)
    assert str(refusal.value) == "allowed_symbols: XAUUSD is not one of EURUSD, GBPUSD, which are allowed"
    check(replace(limits, allowed_symbols=AllowedSymbols.ALL), 100, XAUUSD)


def test_an_order_of_a_symbol_that_is_not_allowed_may_be_made_smaller() -> None:
    smaller = proposed(100, symbol=XAUUSD, added_cents=0, is_new=False, opens_position=False)
    check_order(replace(OPEN, allowed_symbols=("EURUSD",)), smaller)


def test_no_more_positions_are_opened_than_the_settings_say() -> None:
    limits = replace(OPEN, most_positions=3)
    check_account(limits, proposed(), Picture(positions=2))
    with pytest.raises(LimitExceeded, match=r"most_positions: 4 positions would be open.* and 3 are allowed"):
        check_account(limits, proposed(), Picture(positions=3))
    check_account(limits, proposed(opens_position=False), Picture(positions=3))


def test_no_more_of_a_symbol_is_open_on_a_side_than_the_settings_say() -> None:
    limits = replace(OPEN, most_exposure_lots=Decimal("0.05"))
    check_account(limits, proposed(), Picture(side_cents=400_000))
    with pytest.raises(LimitExceeded) as refusal:
        check_account(limits, proposed(200_000), Picture(side_cents=400_000))
    assert str(refusal.value) == (
        "most_exposure_lots: 0.06 lots (6000.00 units) EURUSD would be open as BUY, orders that are under way counted "
        "as filled, and 0.05 lots (5000.00 units) are allowed"
    )
    check_account(limits, proposed(900_000, added_cents=0, is_new=False), Picture(side_cents=900_000))


def test_no_more_orders_leave_within_a_minute_than_the_settings_say() -> None:
    limits = replace(OPEN, orders_per_minute=2)
    check_account(limits, proposed(), Picture(orders_in_minute=1))
    with pytest.raises(LimitExceeded, match=r"orders_per_minute: this would be order 3 within 60 s, and 2 are allowed"):
        check_account(limits, proposed(), Picture(orders_in_minute=2))
    check_account(limits, proposed(is_new=False), Picture(orders_in_minute=2))


COLLAR = replace(OPEN, price_collar_percent=Decimal("0.5"), quote_age_s=4)


@pytest.mark.parametrize("price", ["0.995", "1.005", "1"])
def test_a_price_within_the_collar_passes(price: str) -> None:
    check_account(COLLAR, proposed(prices=(Decimal(price),)), Picture(quote=Decimal(1), quote_age_s=4))


@pytest.mark.parametrize("prices", [("0.9949",), ("1.0051",), ("1", "10")])
def test_a_price_beyond_the_collar_is_refused(prices: tuple[str, ...]) -> None:
    proposal = proposed(prices=tuple(map(Decimal, prices)))
    with pytest.raises(LimitExceeded, match=r"price_collar_percent: .* away from the quote of EURUSD, 1, and 0\.5 %"):
        check_account(COLLAR, proposal, Picture(quote=Decimal(1)))


def test_without_a_young_quote_nothing_passes_the_collar() -> None:
    with pytest.raises(LimitExceeded, match="price_collar_percent: there is no quote of EURUSD"):
        check_account(COLLAR, proposed(), Picture())
    with pytest.raises(LimitExceeded, match=r"quote_age_s: the last quote of EURUSD is 4\.1 s old, and 4 s"):
        check_account(COLLAR, proposed(), Picture(quote=Decimal(1), quote_age_s=4.1))
    check_account(COLLAR, proposed(is_new=False, added_cents=0), Picture())  # a stop loss amended: no new price


def result(realised: str, unrealised: str = "0", start_balance: str = "10000") -> Result:
    return Result(realised=Decimal(realised), unrealised=Decimal(unrealised), start_balance=Decimal(start_balance))


@pytest.mark.parametrize("day", [result("-60", "-39.99"), result("-150", "51"), result("5000", "-5000"), result("0")])
def test_below_the_loss_of_the_day_orders_leave(day: Result) -> None:
    for limit in (Decimal(100), Percent(Decimal(1))):
        check_result(replace(OPEN, loss_of_day=limit), day)


@pytest.mark.parametrize("day", [result("-60", "-40"), result("-100"), result("0", "-100"), result("900", "-1000")])
def test_at_the_loss_of_the_day_no_order_leaves(day: Result) -> None:
    for limit in (Decimal(100), Percent(Decimal(1))):
        with pytest.raises(LimitExceeded, match=r"loss_of_day: 100 are lost since the day began .* at 100"):
            check_account(replace(OPEN, loss_of_day=limit), proposed(), Picture(result=day))
    check_account(OPEN, proposed(), Picture(result=day))


@pytest.mark.parametrize("start_balance", ["0", "-5"])
def test_a_share_of_nothing_allows_no_loss(start_balance: str) -> None:
    limits = replace(OPEN, loss_of_day=Percent(Decimal(1)))
    check_result(limits, result("0", start_balance=start_balance))
    with pytest.raises(LimitExceeded):
        check_result(limits, result("-0.01", start_balance=start_balance))


def test_what_makes_nothing_larger_passes_the_loss_of_the_day() -> None:
    smaller = proposed(added_cents=0, is_new=False, opens_position=False)
    check_account(replace(OPEN, loss_of_day=Decimal(1)), smaller, Picture(result=result("-50")))


def test_nothing_is_limited_that_nobody_limits_on_demo() -> None:
    assert NoLimit.UNLIMITED in (OPEN.most_positions, OPEN.loss_of_day)
    crowd = Picture(positions=10**6, side_cents=10**15, orders_in_minute=10**6, result=result("-1000000"))
    check_account(OPEN, proposed(10**12, prices=(Decimal(10**6),)), crowd)
