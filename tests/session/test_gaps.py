"""What the server shows of positions is held against what was dealt: whatever is not explained was not told."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyctrader.session.gaps import comes_of_deals, shows_gap
from anyctrader.session.holdings import PendingOrder, Position
from anyctrader.session.positions import BookChange, Difference
from anyctrader.session.terms import Side
from anyctrader.wire import messages as oa

LONG = Position(
    id=7,
    symbol_id=1,
    side=Side.BUY,
    status=oa.ProtoOAPositionStatus.POSITION_STATUS_OPEN,
    volume_cents=300,
    price=Decimal("1.1"),
)
WORKING = PendingOrder(
    id=7,
    position_id=7,
    symbol_id=1,
    side=Side.BUY,
    type=1,
    status=oa.ProtoOAOrderStatus.ORDER_STATUS_ACCEPTED,
    volume_cents=300,
)


def deal(side: Side, volume_cents: int, *, position_id: int = 7) -> oa.ProtoOADeal:
    return oa.ProtoOADeal(
        dealId=1,
        orderId=2,
        positionId=position_id,
        volume=volume_cents,
        filledVolume=volume_cents,
        tradeSide=side.value,
    )


def held(signed_cents: int) -> Position | None:
    side = Side.BUY if signed_cents > 0 else Side.SELL
    return replace(LONG, side=side, volume_cents=abs(signed_cents)) if signed_cents else None


VOLUMES = st.integers(-5, 5).map(lambda lots: 100 * lots)


@given(before=VOLUMES, dealt=VOLUMES.filter(bool), missed=VOLUMES)
def test_a_position_that_moves_by_what_was_dealt_shows_no_gap_and_any_other_does(
    before: int, dealt: int, missed: int
) -> None:
    after = before + dealt + missed
    change = BookChange(held(before), held(after))
    told = deal(Side.BUY if dealt > 0 else Side.SELL, abs(dealt))
    if before or after:
        assert shows_gap([change], told) == bool(missed)
        assert shows_gap([change], None) == (before != after)


def test_what_is_dealt_in_one_position_explains_no_other() -> None:
    assert shows_gap([BookChange(None, LONG)], deal(Side.BUY, 300, position_id=8))


@pytest.mark.parametrize(
    "change",
    [
        BookChange(LONG, replace(LONG, stop_loss=Decimal("1.05"))),
        BookChange(None, WORKING),
        BookChange(WORKING, None),
        BookChange(None, LONG, "it cannot be read"),
    ],
    ids=["levels", "an order", "an order's end", "unreadable"],
)
def test_nothing_else_shows_one(change: BookChange) -> None:
    assert not shows_gap([change], None)


@pytest.mark.parametrize(
    ("field", "dealt"), [("existence", True), ("volume_cents", True), ("side", True), ("stop_loss", False)]
)
def test_of_what_a_list_differs_in_some_comes_of_deals(field: str, dealt: bool) -> None:
    assert comes_of_deals([Difference("position", 7, field, "1", "2")]) is dealt
