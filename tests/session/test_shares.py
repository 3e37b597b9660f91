"""How much of a position is still what one order opened."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from anyctrader.session.fills import Fill, Realised
from anyctrader.session.shares import Share
from anyctrader.wire import messages as oa

OURS, THEIRS, POSITION = 20, 30, 7


def fill(deal_id: int, cents: int, *, order_id: int = OURS, closed: int = 0, at_ms: int = 1_000) -> Fill:
    nothing = Decimal(0)
    realised = Realised(
        gross_profit=nothing, swap=nothing, commission=nothing, conversion_fee=nothing, closed_volume_cents=closed
    )
    return Fill(
        deal_id=deal_id,
        order_id=order_id,
        position_id=POSITION,
        volume_cents=cents,
        price=None,
        at_ms=at_ms,
        commission=None,
        realised=realised if closed else None,
    )


def deal(deal_id: int, *, closed: int, order_id: int = THEIRS, position_id: int = POSITION, at_ms: int = 1_000) -> Any:
    listed = oa.ProtoOADeal(dealId=deal_id, orderId=order_id, positionId=position_id, executionTimestamp=at_ms)
    if closed:
        listed.closePositionDetail.closedVolume = closed
    return listed


def share(*fills: Fill, others: int | None = 500) -> Share:
    return Share.of(
        fills or (fill(2, 300),), order_id=OURS, position_id=POSITION, opened_cents=300, others_cents=others
    )


@pytest.mark.parametrize(
    ("open_cents", "deals", "left"),
    [
        (800, [], 300),
        (600, [deal(3, closed=200)], 100),
        (600, [], 100),  # the list lags
        (1_000, [deal(3, closed=200), deal(4, closed=0)], 100),  # and 400 were added
        (500, [deal(3, closed=300)], 0),
        (100, [deal(3, closed=700)], 0),
        (800, [deal(1, closed=200)], 300),  # it was closed before the order was filled
        (800, [deal(9, closed=200, at_ms=999)], 300),
        (800, [deal(3, closed=200, position_id=8)], 300),
        (800, [deal(3, closed=200, order_id=OURS)], 300),  # what it closed itself, as it turned the position around
        (1_200, [], 300),
    ],
)
def test_what_is_closed_by_anybody_is_taken_from_the_orders_share(open_cents: int, deals: list[Any], left: int) -> None:
    assert share().left_cents(open_cents, deals=deals) == left


def test_a_deal_that_is_listed_and_known_counts_once() -> None:
    known = [fill(3, 200, order_id=THEIRS, closed=200)]
    assert share().left_cents(600, deals=[deal(3, closed=200)], fills=known) == 100
    assert share(others=None).left_cents(600, deals=[], fills=known) == 100


def test_the_first_fill_is_the_first_that_opened_something() -> None:
    turned = share(fill(5, 300, at_ms=1_001), fill(2, 400, closed=400))
    assert (turned.since_ms, turned.first_deal_id) == (1_001, 5)
    assert share(fill(2, 400, closed=400)).first_deal_id == 2, "the server opened the rest by an order of its own"


def test_only_a_position_that_is_as_large_as_the_order_left_it_is_untouched() -> None:
    assert share().is_untouched(800)
    assert not share().is_untouched(600)
    assert not share(others=None).is_untouched(300)
