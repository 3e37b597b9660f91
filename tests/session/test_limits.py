"""The limits of the settings."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from anyctrader.session.bounds import LargestOrder, Limits
from anyctrader.session.environments import Environment
from anyctrader.session.errors import LimitExceeded, Refused
from anyctrader.session.limits import Proposal, check_order, largest_order_cents
from anyctrader.session.symbols import Symbol

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


def check(limits: Limits, volume_cents: int, symbol: Symbol = EURUSD) -> None:
    check_order(limits, Proposal(symbol=symbol, volume_cents=volume_cents))


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
