"""Which levels of a position can be those that an order asked for."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest

from anyctrader.session.asked_levels import AskedLevel, AskedLevels, ShownLevels
from anyctrader.session.terms import Side

PRICES = [D("1.19510"), D("1.19530")]
POINT = D("0.00001")


def stop(distance: str, side: Side = Side.BUY) -> AskedLevels:
    return AskedLevels(side=side, stop_loss=AskedLevel(distance=D(distance)), point=POINT)


def shown(stop_loss: str | None = None, take_profit: str | None = None, **more: Any) -> ShownLevels:
    return ShownLevels(D(stop_loss) if stop_loss else None, D(take_profit) if take_profit else None, **more)


@pytest.mark.parametrize(
    ("stop_loss", "come", "met"),
    [
        (None, False, False),
        ("1.10000", False, False),  # one of before
        ("1.19308", False, False),
        ("1.19309", True, True),  # a point below, by rounding
        ("1.19310", True, True),
        ("1.19320", True, True),  # by the average of the two
        ("1.19330", True, True),
        ("1.19400", False, True),  # stricter
    ],
)
def test_a_distance_is_counted_from_the_prices_of_the_fills(stop_loss: str | None, come: bool, met: bool) -> None:
    asked = stop("0.002")
    assert asked.have_come(shown(stop_loss), PRICES) is come
    assert asked.are_met(shown(stop_loss), PRICES) is met


@pytest.mark.parametrize(
    ("stop_loss", "met"), [("1.30000", False), ("1.19732", False), ("1.19731", True), ("1.1", True)]
)
def test_of_a_sale_the_stop_lies_above(stop_loss: str, met: bool) -> None:
    assert stop("0.002", Side.SELL).are_met(shown(stop_loss), PRICES) is met


def test_a_distance_may_be_counted_from_the_average_of_the_position_too_but_that_makes_nothing_strict() -> None:
    asked, average = stop("0.002"), D("1.10200")
    assert asked.have_come(shown("1.10000", price=average), PRICES)
    assert not asked.are_met(shown("1.10100", price=average), PRICES)


def test_an_absolute_level_is_known_by_its_price_and_a_take_profit_never_by_being_nearer() -> None:
    both = AskedLevels(side=Side.BUY, stop_loss=AskedLevel(D("1.18")), take_profit=AskedLevel(D("1.25")), point=POINT)
    assert both.have_come(shown("1.18", "1.25"), [])
    assert both.are_met(shown("1.185", "1.25"), [])
    assert not both.are_met(shown("1.18", "1.24"), [])
    assert not both.are_met(shown("1.18"), [])
    assert not both.are_there(shown("1.18"))


def test_where_nothing_is_known_of_the_fill_nothing_is_known_of_its_levels() -> None:
    assert not stop("0.002").are_met(shown("1.19310"), [])
    assert stop("0.002").are_there(shown("1.19310"))


@pytest.mark.parametrize(
    ("before", "after", "was_set"),
    [
        (shown(), shown("1.1"), True),
        (shown("1.1"), shown("1.1"), False),
        (shown("1.1"), shown(None), False),
        (shown("1.1"), shown("1.15"), True),
        (shown("1.1", trailing_stop=True), shown("1.15"), False),  # it moves that way by itself
        (shown("1.1", trailing_stop=True), shown("1.05"), True),
    ],
)
def test_what_trailing_has_moved_nobody_has_set(before: ShownLevels, after: ShownLevels, was_set: bool) -> None:
    assert stop("0.002").were_set(after, before=before) is was_set
