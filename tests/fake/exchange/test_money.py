"""Roundings, to the cent (docs/protocol.md section 10.2)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyctrader.fake import money
from anyctrader.fake.symbols import Tier
from anyctrader.fake.variants import FeeRounding

AMOUNT = st.integers(-(10**15), 10**15)
POSITIVE = st.integers(1, 10**12)


@pytest.mark.parametrize(
    ("numerator", "denominator", "whole"), [(6815, 10_000, 1), (5, 10, 1), (-5, 10, -1), (4, 10, 0), (-14, 10, -1)]
)
def test_nearest_takes_halves_away_from_zero(numerator: int, denominator: int, whole: int) -> None:
    assert money.nearest(numerator, denominator) == whole


@given(AMOUNT, POSITIVE)
def test_nearest_is_never_more_than_half_away(numerator: int, denominator: int) -> None:
    assert abs(Fraction(numerator, denominator) - money.nearest(numerator, denominator)) <= Fraction(1, 2)
    assert money.nearest(-numerator, denominator) == -money.nearest(numerator, denominator)


@pytest.mark.parametrize(
    ("tenths", "up", "nearest"), [(-25, -3, -3), (-21, -3, -2), (-20, -2, -2), (29, 2, 3), (-1, -1, 0)]
)
def test_charges_go_up_or_to_the_nearest(tenths: int, up: int, nearest: int) -> None:
    assert money.charge(tenths, 10, FeeRounding.UP) == up
    assert money.charge(tenths, 10, FeeRounding.NEAREST) == nearest


@given(st.integers(1, 10**6), st.integers(1, 10**9), st.integers(1, 10**9), st.booleans())
def test_profit_of_a_buy_is_the_loss_of_a_sell(volume: int, entry: int, exit_price: int, buy: bool) -> None:
    def profit(side: bool) -> int:
        return money.gross_profit(volume, entry * money.ENTRY_SCALE, exit_price, buy=side, rate=money.ONE, unit=100)

    assert profit(buy) == -profit(not buy)
    exact = Fraction((exit_price - entry) * volume, 100_000)
    assert abs(profit(True) - exact) <= Fraction(1, 2)


@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 10**9)), min_size=1, max_size=6))
def test_mean_entry_is_the_mean_to_ten_decimals(fills: list[tuple[int, int]]) -> None:
    entry = volume = 0
    for added, price in fills:
        entry = money.mean_entry(entry, volume, price, added)
        volume += added
    exact = Fraction(sum(added * price for added, price in fills) * money.ENTRY_SCALE, volume)
    assert abs(entry - exact) <= len(fills)


@given(AMOUNT, st.integers(1, 100), st.integers(1, 100))
def test_shares_leave_nothing_over(amount: int, part: int, more: int) -> None:
    assert money.share(amount, part, part) == amount
    kept = money.share(amount, part, part + more)
    assert abs(kept) <= abs(amount)


TIERS = (Tier(1_000, 20_000), Tier(5_000, 10_000), Tier(9_000, 2_000))


@given(st.integers(0, 20_000), st.integers(1, 20_000), st.integers(100, 50_000))
def test_margin_in_slices_is_the_sum_over_cents(held: int, added: int, leverage: int) -> None:
    rates = money.Rates((1, 1), (1, 1), (1, 1), (1, 1))
    margin = money.tiered_margin(held, added, leverage_cents=leverage, tiers=TIERS, rates=rates, unit=100)
    exact = Fraction(0)
    for start, end, tier_leverage in ((0, 1_000, 20_000), (1_000, 5_000, 10_000), (5_000, 10**9, 2_000)):
        piece = max(0, min(end, held + added) - max(start, held))
        exact += Fraction(piece * 100, min(leverage, tier_leverage))
    assert abs(margin - exact) <= Fraction(1, 2)
