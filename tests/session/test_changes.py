from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from anyctrader.session.changes import KEEP, Cancel, Close, OrderAmendment, PositionAmendment
from anyctrader.session.errors import InvalidOrder
from anyctrader.session.positions import PendingOrder, Position
from anyctrader.session.symbols import NamedSymbol
from anyctrader.session.tickets import Side, TriggerMethod
from anyctrader.wire import messages as oa

from .server_words import BITCOIN, EURUSD, T0, XAUUSD, Kind, Status, order, position, protective


def held(**more: Any) -> Position:
    return Position.from_wire(position(**{"stopLoss": 1.11, "takeProfit": 1.13, "volume": 300_000, **more}))


def pending(**more: Any) -> PendingOrder:
    return PendingOrder.from_wire(order(**{"kind": Kind.LIMIT, "limitPrice": 1.1, "volume": 300_000, **more}))


def levels(change: PositionAmendment, on: Position | None = None) -> oa.ProtoOAAmendPositionSLTPReq:
    return change.to_request(on or held(), EURUSD, account_id=7)


def amended(change: OrderAmendment, on: PendingOrder | None = None) -> oa.ProtoOAAmendOrderReq:
    return change.to_request(on or pending(), EURUSD, account_id=7, now_ms=T0)


# close and cancel


def test_a_close_without_a_size_closes_all_that_is_open() -> None:
    request = Close(500).to_request(held(), EURUSD, account_id=7)
    assert request == oa.ProtoOAClosePositionReq(ctidTraderAccountId=7, positionId=500, volume=300_000)
    assert Close(500).described() == {"position_id": 500}


@pytest.mark.parametrize("size", [{"lots": "0.01"}, {"units": 1000}, {"volume_cents": "100000"}])
def test_a_close_takes_a_part(size: dict[str, Any]) -> None:
    assert Close(500, **size).to_request(held(), EURUSD, account_id=7).volume == 100_000


@pytest.mark.parametrize(
    ("size", "text"),
    [
        ({"lots": "0.04"}, "lots: 0.04 is refused: EURUSD takes 0.01 to 0.03 lots in steps of 0.01"),
        ({"units": 1500}, "units: 1500 is refused: EURUSD takes 1000 to 3000 units in steps of 1000"),
        ({"lots": "0.001"}, "lots: 0.001 is refused"),
    ],
)
def test_a_close_of_more_than_is_open_or_off_the_grid_is_refused(size: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidOrder) as caught:
        Close(500, **size).to_request(held(), EURUSD, account_id=7)
    assert str(caught.value).startswith(text)


def test_all_that_is_open_can_be_closed_even_off_the_grid_or_over_the_maximum() -> None:
    odd = held(volume=150_000)
    assert Close(500, volume_cents=150_000).size_cents(odd, EURUSD) == 150_000
    assert Close(500).size_cents(held(volume=20_000_000_000), EURUSD) == 20_000_000_000


@pytest.mark.parametrize(
    ("close", "on", "symbol", "text"),
    [
        (Close(501), held(), EURUSD, "position_id: 501 is refused: this is what the server has of 500"),
        (Close(500), held(), XAUUSD, "symbol: 'XAUUSD' is refused: it is of symbol 1, not 2"),
        (Close(500), held(volume=0), EURUSD, "position_id: 500 is refused: nothing of it is open"),
    ],
)
def test_a_close_of_something_else_is_refused(close: Close, on: Position, symbol: Any, text: str) -> None:
    with pytest.raises(InvalidOrder) as caught:
        close.to_request(on, symbol, account_id=7)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    "make",
    [
        lambda: Close(0),
        lambda: Close(500, lots=0.01),
        lambda: Close(500, lots="0.01", units=1000),
        lambda: Close(500, units=-1),
        lambda: Cancel(-1),
        lambda: Cancel("600"),  # type: ignore[arg-type]
        lambda: Cancel(True),
    ],
)
def test_a_close_or_cancel_that_cannot_be_is_not_made(make: Any) -> None:
    with pytest.raises(InvalidOrder):
        make()


def test_a_cancel_names_the_order() -> None:
    assert Cancel(600).to_request(account_id=7) == oa.ProtoOACancelOrderReq(ctidTraderAccountId=7, orderId=600)
    assert Cancel(600).described() == {"order_id": 600}


# levels of a position


def test_a_level_that_is_not_mentioned_is_sent_again_as_it_is() -> None:
    request = levels(PositionAmendment(500, stop_loss="1.115"))
    assert (request.stopLoss, request.takeProfit) == (1.115, 1.13)
    request = levels(PositionAmendment(500, take_profit=Decimal("1.14")))
    assert (request.stopLoss, request.takeProfit) == (1.11, 1.14)


def test_none_removes_a_level_and_leaves_the_other() -> None:
    request = levels(PositionAmendment(500, stop_loss=None))
    assert not request.HasField("stopLoss")
    assert request.takeProfit == 1.13
    assert PositionAmendment(500, stop_loss=None).described() == {"position_id": 500, "stop_loss": "remove"}
    assert repr(KEEP) == "KEEP"


def test_levels_can_be_set_where_there_are_none() -> None:
    request = levels(PositionAmendment(500, stop_loss="1.1", take_profit="1.2"), held(stopLoss=0.0, takeProfit=0.0))
    assert (request.stopLoss, request.takeProfit) == (1.1, 1.2)


def test_the_newest_place_of_a_trailing_stop_is_what_is_kept() -> None:
    moved = replace(held(trailingStopLoss=True), stop_loss=Decimal("1.1177"))
    request = levels(PositionAmendment(500, take_profit="1.2"), moved)
    assert request.stopLoss == 1.1177
    assert not request.HasField("trailingStopLoss")  # left out, it keeps its state


def test_a_kept_level_is_rounded_to_the_symbols_digits() -> None:
    noisy = replace(held(), stop_loss=Decimal("1.11000000004"))
    assert levels(PositionAmendment(500, take_profit="1.2"), noisy).stopLoss == 1.11


def test_trailing_is_switched_with_the_stop_loss_in_the_same_request() -> None:
    assert levels(PositionAmendment(500, trailing_stop=True)).trailingStopLoss
    off = levels(PositionAmendment(500, trailing_stop=False), held(trailingStopLoss=True))
    assert off.HasField("trailingStopLoss")
    assert not off.trailingStopLoss
    assert off.stopLoss == 1.11


def test_a_trailing_stop_cannot_be_removed_and_switched_off_in_one_step() -> None:
    with pytest.raises(InvalidOrder, match="trailing_stop: False is refused: it needs the stop loss"):
        levels(PositionAmendment(500, stop_loss=None, trailing_stop=False), held(trailingStopLoss=True))


def test_a_guarantee_and_a_trigger_stay_with_the_stop_loss() -> None:
    special = held(guaranteedStopLoss=True, stopLossTriggerMethod=oa.ProtoOAOrderTriggerMethod.OPPOSITE)
    request = levels(PositionAmendment(500, take_profit="1.2"), special)
    assert request.guaranteedStopLoss
    assert request.stopLossTriggerMethod == oa.ProtoOAOrderTriggerMethod.OPPOSITE
    request = levels(PositionAmendment(500, stop_loss=None), special)
    assert not request.HasField("guaranteedStopLoss")
    assert not request.HasField("stopLossTriggerMethod")
    change = PositionAmendment(500, guaranteed_stop_loss=False, stop_trigger_method=TriggerMethod.DOUBLE_TRADE)
    request = levels(change, special)
    assert request.HasField("guaranteedStopLoss")
    assert not request.guaranteedStopLoss
    assert request.stopLossTriggerMethod == oa.ProtoOAOrderTriggerMethod.DOUBLE_TRADE


@pytest.mark.parametrize(
    ("change", "on", "text"),
    [
        (PositionAmendment(500, stop_loss="1.14"), held(), "take_profit: 1.13 is refused: for a BUY it lies above"),
        (
            PositionAmendment(500, take_profit="1.1"),
            held(side=Side.BUY),
            "take_profit: 1.1 is refused: for a BUY it lies above stop_loss 1.11",
        ),
        (
            PositionAmendment(500, stop_loss="1.12", take_profit="1.13"),
            held(side=Side.SELL),
            "stop_loss: 1.12 is refused: for a SELL it lies above take_profit 1.13",
        ),
        (PositionAmendment(500, stop_loss="1.123456"), held(), "stop_loss: 1.123456 is refused: EURUSD has 5"),
        (PositionAmendment(500, trailing_stop=True), held(stopLoss=0.0), "trailing_stop: True is refused"),
        (PositionAmendment(500, guaranteed_stop_loss=True), held(stopLoss=0.0), "guaranteed_stop_loss: True"),
        (
            PositionAmendment(500, stop_trigger_method=TriggerMethod.TRADE),
            held(stopLoss=0.0),
            "stop_trigger_method: <TriggerMethod.TRADE: 1> is refused: it needs a stop loss",
        ),
        (PositionAmendment(501, stop_loss="1.1"), held(), "position_id: 501 is refused: this is what the server has"),
        (PositionAmendment(500, stop_loss="1.1"), held(symbol_id=2), "symbol: 'EURUSD' is refused: it is of symbol 2"),
    ],
)
def test_levels_that_cannot_stand_are_refused(change: PositionAmendment, on: Position, text: str) -> None:
    with pytest.raises(InvalidOrder) as caught:
        levels(change, on)
    assert str(caught.value).startswith(text)


def test_levels_of_a_position_without_a_stop_loss_keep_only_the_take_profit() -> None:
    request = levels(PositionAmendment(500, stop_loss=None, take_profit=None), held(stopLoss=0.0))
    assert not request.HasField("stopLoss")
    assert not request.HasField("takeProfit")


def test_a_stop_in_profit_is_no_mistake() -> None:
    assert levels(PositionAmendment(500, stop_loss="1.125")).stopLoss == 1.125  # the position is at 1.12


@pytest.mark.parametrize(
    "make",
    [
        lambda: PositionAmendment(500),
        lambda: PositionAmendment(0, stop_loss=1),
        lambda: PositionAmendment(500, stop_loss=1.1),
        lambda: PositionAmendment(500, stop_loss="NaN"),
        lambda: PositionAmendment(500, take_profit=-1),
        lambda: PositionAmendment(500, trailing_stop=1),
        lambda: PositionAmendment(500, guaranteed_stop_loss=None),
        lambda: PositionAmendment(500, stop_trigger_method=1),
        lambda: OrderAmendment(600),
        lambda: OrderAmendment(0, price=1),
        lambda: OrderAmendment(600, price=1.1),
        lambda: OrderAmendment(600, price=None),
        lambda: OrderAmendment(600, stop_price=None),
        lambda: OrderAmendment(600, stop_price="inf"),
        lambda: OrderAmendment(600, lots="0.01", units=1000),
        lambda: OrderAmendment(600, stop_loss_pips=0),
        lambda: OrderAmendment(600, stop_loss_pips=1.5),
        lambda: OrderAmendment(600, stop_loss_pips=10, stop_loss="1.1"),
        lambda: OrderAmendment(600, take_profit_pips=10, take_profit=None),
        lambda: OrderAmendment(600, slippage_points=-1),
        lambda: OrderAmendment(600, expires_at=datetime(2030, 1, 1)),
        lambda: OrderAmendment(600, trailing_stop="yes"),
    ],
)
def test_an_amendment_that_cannot_be_is_not_made(make: Any) -> None:
    with pytest.raises(InvalidOrder):
        make()


# pending orders


def test_what_is_not_mentioned_of_an_order_is_sent_again() -> None:
    on = pending(
        kind=Kind.STOP_LIMIT,
        limitPrice=0.0,
        stopPrice=1.2,
        slippageInPoints=30,
        stopLoss=1.19,
        relativeTakeProfit=500,
        expirationTimestamp=T0 + 9,
        trailingStopLoss=True,
        stopTriggerMethod=oa.ProtoOAOrderTriggerMethod.OPPOSITE,
    )
    on = replace(on, guaranteed_stop_loss=True)
    assert amended(OrderAmendment(600, lots="0.02"), on) == oa.ProtoOAAmendOrderReq(
        ctidTraderAccountId=7,
        orderId=600,
        volume=200_000,
        stopPrice=1.2,
        slippageInPoints=30,
        stopLoss=1.19,
        relativeTakeProfit=500,
        expirationTimestamp=T0 + 9,
        trailingStopLoss=True,
        guaranteedStopLoss=True,
        stopTriggerMethod=oa.ProtoOAOrderTriggerMethod.OPPOSITE,
    )


def test_a_limit_order_keeps_its_size_and_gets_a_new_price() -> None:
    request = amended(OrderAmendment(600, price="1.09"), pending(timeInForce=oa.ProtoOATimeInForce.GOOD_TILL_CANCEL))
    assert request == oa.ProtoOAAmendOrderReq(ctidTraderAccountId=7, orderId=600, volume=300_000, limitPrice=1.09)
    assert OrderAmendment(600, price="1.09").described() == {"order_id": 600, "price": "1.09"}


def test_a_stop_order_gets_a_new_trigger() -> None:
    on = pending(kind=Kind.STOP, limitPrice=0.0, stopPrice=1.2)
    request = amended(OrderAmendment(600, stop_price="1.21", stop_trigger_method=TriggerMethod.DOUBLE_OPPOSITE), on)
    assert (request.stopPrice, request.stopTriggerMethod) == (1.21, 4)
    assert not request.HasField("slippageInPoints")
    assert not amended(OrderAmendment(600, stop_price="1.21"), on).HasField("stopTriggerMethod")


def test_a_stop_limit_order_gets_a_new_range() -> None:
    on = pending(kind=Kind.STOP_LIMIT, limitPrice=0.0, stopPrice=1.2)
    assert amended(OrderAmendment(600, slippage_points=5), on).slippageInPoints == 5
    assert not amended(OrderAmendment(600, stop_price="1.21"), on).HasField("slippageInPoints")


def test_an_expiry_is_set_moved_and_removed() -> None:
    dated = pending(expirationTimestamp=T0 + 9)
    later = datetime(2020, 9, 13, 13, tzinfo=UTC)
    assert amended(OrderAmendment(600, expires_at=later), dated).expirationTimestamp == 1_600_002_000_000
    assert not amended(OrderAmendment(600, expires_at=None), dated).HasField("expirationTimestamp")
    with pytest.raises(InvalidOrder, match="expires_at: 1600000000000 is refused: it is not after now"):
        amended(OrderAmendment(600, expires_at=T0), dated)


def test_levels_of_an_order_are_moved_removed_and_turned_into_distances() -> None:
    on = pending(stopLoss=1.09, relativeTakeProfit=500)
    request = amended(OrderAmendment(600, stop_loss_pips=20, take_profit=None), on)
    assert request.relativeStopLoss == 200
    assert not request.HasField("stopLoss")
    assert not request.HasField("takeProfit")
    assert not request.HasField("relativeTakeProfit")
    request = amended(OrderAmendment(600, take_profit="1.2"), on)
    assert (request.stopLoss, request.takeProfit) == (1.09, 1.2)
    assert not request.HasField("relativeTakeProfit")


def test_trailing_and_guarantee_of_an_order_are_switched() -> None:
    on = pending(stopLoss=1.09, trailingStopLoss=True)
    request = amended(OrderAmendment(600, trailing_stop=False, guaranteed_stop_loss=True), on)
    assert request.HasField("trailingStopLoss")
    assert not request.trailingStopLoss
    assert request.guaranteedStopLoss
    assert not amended(OrderAmendment(600, stop_loss=None), on).HasField("trailingStopLoss")


@pytest.mark.parametrize(
    ("change", "on", "text"),
    [
        (OrderAmendment(600, price="1.123456"), pending(), "price: 1.123456 is refused: EURUSD has 5 decimals"),
        (OrderAmendment(600, lots="0.015"), pending(), "lots: 0.015 is refused: EURUSD takes 0.01 to 1000 lots"),
        (
            OrderAmendment(600, lots="0.02"),
            pending(executedVolume=200_000),
            "lots: '0.02' is refused: 200000 hundredths of a unit are filled already: cancel the rest instead",
        ),
        (OrderAmendment(600, stop_price="1.2"), pending(), "stop_price: '1.2' is refused: order 600 is a LIMIT order"),
        (OrderAmendment(600, slippage_points=1), pending(), "slippage_points: 1 is refused: order 600 is a LIMIT"),
        (
            OrderAmendment(600, stop_trigger_method=TriggerMethod.TRADE),
            pending(),
            "stop_trigger_method: <TriggerMethod.TRADE: 1> is refused: order 600 is a LIMIT order",
        ),
        (
            OrderAmendment(600, price="1.2"),
            pending(kind=Kind.STOP, stopPrice=1.2),
            "price: '1.2' is refused: order 600 is a STOP order",
        ),
        (
            OrderAmendment(600, slippage_points=3),
            pending(kind=Kind.STOP, stopPrice=1.2),
            "slippage_points: 3 is refused: order 600 is a STOP order",
        ),
        (OrderAmendment(600, lots="0.01"), pending(limitPrice=0.0), "price: none is given, and that of order 600"),
        (OrderAmendment(600, stop_loss="1.1"), pending(), "stop_loss: 1.1 is refused: for a BUY it lies below its"),
        (OrderAmendment(600, price="1.05"), pending(stopLoss=1.09), "stop_loss: 1.09 is refused: for a BUY it lies"),
        (OrderAmendment(600, stop_loss_pips="0.05"), pending(), "stop_loss_pips: 0.05 is refused: EURUSD takes"),
        (OrderAmendment(600, trailing_stop=True), pending(), "trailing_stop: True is refused: it needs a stop loss"),
        (OrderAmendment(600, guaranteed_stop_loss=True), pending(), "guaranteed_stop_loss: True is refused"),
        (
            OrderAmendment(601, stop_price="1.2"),
            PendingOrder.from_wire(protective()),
            "order_id: 601 is refused: it is no pending order: the levels of its position are amended instead",
        ),
        (
            OrderAmendment(600, lots="0.01"),
            pending(kind=Kind.MARKET),
            "order_id: 600 is refused: it is no pending order: it cannot be amended",
        ),
        (
            OrderAmendment(600, lots="0.01"),
            pending(status=Status.ORDER_STATUS_CANCELLED),
            "order_id: 600 is refused: it is no pending order",
        ),
        (OrderAmendment(601, price=1), pending(), "order_id: 601 is refused: this is what the server has of 600"),
        (OrderAmendment(600, price=1), pending(symbol_id=2), "symbol: 'EURUSD' is refused: it is of symbol 2"),
    ],
)
def test_an_amendment_that_does_not_fit_the_order_is_refused(
    change: OrderAmendment, on: PendingOrder, text: str
) -> None:
    with pytest.raises(InvalidOrder) as caught:
        amended(change, on)
    assert str(caught.value).startswith(text)


def test_an_unlimited_symbol_takes_any_new_size() -> None:
    on = pending(symbol_id=324, limitPrice=85100.0)
    request = OrderAmendment(600, volume_cents=7).to_request(on, BITCOIN, account_id=7, now_ms=T0)
    assert request.volume == 7


def test_an_amendment_that_would_leave_a_level_at_zero_or_below_is_refused() -> None:
    with pytest.raises(
        InvalidOrder, match=r"stop_loss_pips: 11000 is refused: EURUSD is at 1\.10000, and a level is above 0"
    ):
        amended(OrderAmendment(600, stop_loss_pips=11_000))
    with pytest.raises(InvalidOrder, match=r"stop_loss: 0\.50000 is refused: EURUSD is at 0\.4"):
        amended(OrderAmendment(600, price="0.4"), pending(relativeStopLoss=50_000))
    assert amended(OrderAmendment(600, price="0.6"), pending(relativeStopLoss=50_000)).relativeStopLoss == 50_000


@pytest.mark.parametrize("field", ["stop_loss", "take_profit"])
def test_a_level_that_no_double_holds_is_refused_with_the_symbols_figures_or_without(field: str) -> None:
    change: dict[str, Any] = {field: Decimal("1E+30")}
    with pytest.raises(InvalidOrder, match=rf"^{field}: 1E\+30 is refused: EURUSD has 5 decimals"):
        levels(PositionAmendment(500, **change))
    named = NamedSymbol(id=EURUSD.id, name="EURUSD")
    with pytest.raises(InvalidOrder, match=rf"^{field}: 1E\+30 is refused: prices have at most 15 digits$"):
        PositionAmendment(500, **change).to_request(held(), named, account_id=7)
    for name in (field, "price"):
        with pytest.raises(InvalidOrder, match=rf"^{name}: 1E\+30 is refused: EURUSD has 5 decimals"):
            amended(OrderAmendment(600, **{name: Decimal("1E+30")}))
