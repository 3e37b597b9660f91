from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyctrader.session.errors import InvalidOrder
from anyctrader.session.symbols import Symbol
from anyctrader.session.tickets import (
    LimitOrder,
    MarketOrder,
    MarketRangeOrder,
    Side,
    StopLimitOrder,
    StopOrder,
    Ticket,
    TimeInForce,
    TriggerMethod,
)
from anyctrader.wire import messages as oa

from .server_words import EURUSD, T0, XAUUSD

SIZE: dict[str, Any] = {"lots": "0.01"}


def request(ticket: Ticket, *, symbol: Symbol = EURUSD, client_order_id: str = "mine-1") -> oa.ProtoOANewOrderReq:
    return ticket.to_request(symbol, account_id=7, client_order_id=client_order_id, now_ms=T0)


def buy(kind: type[Any] = MarketOrder, **more: Any) -> Any:
    return kind("EURUSD", Side.BUY, **{**({} if "units" in more or "volume_cents" in more else SIZE), **more})


def limit(**more: Any) -> Any:
    return buy(LimitOrder, **{"price": "1.10000", **more})


# what is sent


def test_a_market_order_says_how_far_its_levels_are_from_the_fill() -> None:
    ticket = MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20, take_profit_distance="0.005")
    assert request(ticket) == oa.ProtoOANewOrderReq(
        ctidTraderAccountId=7,
        symbolId=1,
        orderType=oa.ProtoOAOrderType.MARKET,
        tradeSide=oa.ProtoOATradeSide.BUY,
        volume=100_000,
        clientOrderId="mine-1",
        label="mine-1",
        relativeStopLoss=200,
        relativeTakeProfit=500,
    )


def test_a_label_of_ones_own_stays_and_the_client_order_id_stands_in_for_none() -> None:
    assert request(buy(label="strategy 3", comment="why")).label == "strategy 3"
    assert request(buy(label="strategy 3", comment="why")).comment == "why"
    assert not request(buy()).HasField("comment")


def test_a_market_order_can_add_to_a_position_and_trail_its_stop() -> None:
    ticket = buy(position_id=500, stop_loss_pips="20.5", trailing_stop=True, guaranteed_stop_loss=True)
    sent = request(ticket)
    assert (sent.positionId, sent.relativeStopLoss) == (500, 205)
    assert sent.trailingStopLoss
    assert sent.guaranteedStopLoss


def test_a_limit_order_names_its_price_and_its_levels() -> None:
    sent = request(limit(stop_loss="1.09", take_profit=Decimal("1.12")))
    assert (sent.orderType, sent.limitPrice) == (oa.ProtoOAOrderType.LIMIT, 1.1)
    assert (sent.stopLoss, sent.takeProfit) == (1.09, 1.12)
    assert sent.timeInForce == oa.ProtoOATimeInForce.GOOD_TILL_CANCEL
    assert not sent.HasField("expirationTimestamp")
    assert not sent.HasField("relativeStopLoss")


def test_a_stop_order_names_its_trigger() -> None:
    sent = request(buy(StopOrder, stop_price="1.2", stop_trigger_method=TriggerMethod.OPPOSITE))
    assert (sent.orderType, sent.stopPrice) == (oa.ProtoOAOrderType.STOP, 1.2)
    assert sent.stopTriggerMethod == oa.ProtoOAOrderTriggerMethod.OPPOSITE
    assert not request(buy(StopOrder, stop_price="1.2")).HasField("stopTriggerMethod")


def test_a_stop_limit_order_names_its_range() -> None:
    sent = request(buy(StopLimitOrder, stop_price="1.2", slippage_points=30, stop_loss_pips=10))
    assert (sent.orderType, sent.stopPrice, sent.slippageInPoints) == (oa.ProtoOAOrderType.STOP_LIMIT, 1.2, 30)
    assert sent.relativeStopLoss == 100
    assert not sent.HasField("limitPrice")


def test_a_market_range_order_names_the_price_that_its_range_starts_from() -> None:
    sent = request(buy(MarketRangeOrder, base_price="1.12345", slippage_points=0))
    assert sent.orderType == oa.ProtoOAOrderType.MARKET_RANGE
    assert (sent.baseSlippagePrice, sent.slippageInPoints) == (1.12345, 0)
    assert sent.HasField("slippageInPoints")


@pytest.mark.parametrize(
    ("size", "volume_cents"),
    [
        ({"lots": "0.01"}, 100_000),
        ({"lots": 2}, 20_000_000),
        ({"lots": Decimal("1.50")}, 15_000_000),
        ({"units": 1000}, 100_000),
        ({"units": "2000.00"}, 200_000),
        ({"volume_cents": 100_000}, 100_000),
        ({"volume_cents": "1e6"}, 1_000_000),
    ],
)
def test_a_size_is_lots_units_or_hundredths(size: dict[str, Any], volume_cents: int) -> None:
    assert request(MarketOrder("EURUSD", Side.SELL, **size)).volume == volume_cents


@settings(deadline=None)  # the machine may be busy
@given(st.integers(1, 100_000))
def test_every_size_on_the_grid_is_sent_as_it_is_in_all_three_ways(steps: int) -> None:
    volume = steps * EURUSD.step_volume_cents
    for size in ({"lots": EURUSD.lots(volume)}, {"units": EURUSD.units(volume)}, {"volume_cents": volume}):
        assert request(MarketOrder("EURUSD", Side.BUY, **size)).volume == volume


@settings(deadline=None)  # the machine may be busy
@given(st.decimals(allow_nan=False, allow_infinity=False, places=5, min_value=-2000, max_value=2000))
def test_a_size_is_sent_exactly_or_refused_never_changed(lots: Decimal) -> None:
    try:
        volume = request(MarketOrder("EURUSD", Side.BUY, lots=lots)).volume
    except InvalidOrder:
        return
    assert EURUSD.lots(volume) == lots
    assert volume % EURUSD.step_volume_cents == 0


def test_an_expiry_makes_it_good_till_date() -> None:
    at = datetime(2020, 9, 13, 13, tzinfo=UTC)
    sent = request(limit(expires_at=at))
    assert (sent.timeInForce, sent.expirationTimestamp) == (oa.ProtoOATimeInForce.GOOD_TILL_DATE, 1_600_002_000_000)
    assert request(limit(expires_at=T0 + 1, time_in_force=TimeInForce.GTD)).expirationTimestamp == T0 + 1


@pytest.mark.parametrize("member", [TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK])
def test_time_in_force_is_sent_as_said(member: TimeInForce) -> None:
    assert request(limit(time_in_force=member)).timeInForce == member.value


def test_sides_and_methods_have_the_servers_numbers() -> None:
    for ours, theirs in (
        (Side, oa.ProtoOATradeSide),
        (TriggerMethod, oa.ProtoOAOrderTriggerMethod),
    ):
        assert {m.name: m.value for m in ours} == {m.name: m.value for m in theirs}
    assert {m.name: m.value for m in TimeInForce}.items() <= {m.name: m.value for m in oa.ProtoOATimeInForce}.items()
    assert TimeInForce.IOC is TimeInForce.IMMEDIATE_OR_CANCEL


def test_sides_know_their_opposite_and_their_sign() -> None:
    assert (Side.BUY.opposite, Side.SELL.opposite) == (Side.SELL, Side.BUY)
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)


def test_a_ticket_knows_the_price_that_it_asks_for() -> None:
    assert buy().requested_price is None
    assert limit().requested_price == Decimal("1.1")
    assert buy(StopOrder, stop_price="1.2").requested_price == Decimal("1.2")
    assert buy(MarketRangeOrder, base_price="1.3", slippage_points=1).requested_price == Decimal("1.3")


def test_a_ticket_tells_what_was_said_for_the_record() -> None:
    at = datetime(2020, 9, 13, 13, tzinfo=UTC)
    ticket = limit(expires_at=at, stop_loss_pips=Decimal("20.50"), trailing_stop=True, time_in_force=TimeInForce.GTD)
    assert ticket.described() == {
        "type": "LIMIT",
        "symbol": "EURUSD",
        "side": "BUY",
        "lots": "0.01",
        "price": "1.10000",
        "stop_loss_pips": "20.50",
        "trailing_stop": True,
        "time_in_force": "GOOD_TILL_DATE",
        "expires_at_ms": 1_600_002_000_000,
    }
    assert buy(MarketRangeOrder, base_price=1, slippage_points=7).described()["range_points"] == 7
    assert MarketOrder("EURUSD", Side.BUY, lots=10**30).described()["lots"] == str(10**30)


# what is refused, and how


@pytest.mark.parametrize("text", ["1_0", "_1", "1__0", "٣", "１", " 1", "1\n"])
def test_a_number_that_is_written_oddly_is_refused_like_a_float(text: str) -> None:
    for ticket, field in (
        (lambda: buy(lots=text), "lots"),
        (lambda: buy(units=text), "units"),
        (lambda: buy(volume_cents=text), "volume_cents"),
        (lambda: buy(stop_loss_pips=text), "stop_loss_pips"),
        (lambda: buy(take_profit_distance=text), "take_profit_distance"),
        (lambda: limit(price=text), "price"),
        (lambda: limit(stop_loss=text), "stop_loss"),
        (lambda: buy(StopOrder, stop_price=text), "stop_price"),
        (lambda: buy(MarketRangeOrder, base_price=text, slippage_points=1), "base_price"),
    ):
        assert refusal(ticket).startswith(f"{field}: {text!r} is refused: ")


def test_a_level_so_far_from_the_fill_that_it_is_not_above_zero_is_refused() -> None:
    for ticket, said in (
        (
            limit(stop_loss_pips=11_000),
            "stop_loss_pips: 11000 is refused: EURUSD is at 1.10000, and a level is above 0",
        ),
        (limit(stop_loss_distance="1.1"), "stop_loss_distance: 1.1 is refused"),
        (
            LimitOrder("EURUSD", Side.SELL, lots="0.01", price="1.1", take_profit_pips=20_000),
            "take_profit_pips: 20000 is refused",
        ),
        (
            buy(MarketRangeOrder, base_price="1.1", slippage_points=1, stop_loss_pips=20_000),
            "stop_loss_pips: 20000 is refused",
        ),
    ):
        assert refusal(partial(replace, ticket)).startswith(said)
    assert refusal(lambda: limit(stop_loss_pips=11_000)).endswith("at most 10999.9 pips below it")
    # As far as that, and on the side that has no end, all is well.
    assert request(limit(stop_loss_pips="10999.9")).relativeStopLoss == 109_999
    assert request(limit(take_profit_pips=20_000)).relativeTakeProfit == 200_000
    assert request(buy(stop_loss_pips=20_000)).relativeStopLoss == 200_000  # where it will fill is not known here


def refusal(make: Any) -> str:
    with pytest.raises(InvalidOrder) as caught:
        request(make())
    return str(caught.value)


@pytest.mark.parametrize("value", [0.01, 1.0, float("nan"), True, b"1", [1]])
@pytest.mark.parametrize("field", ["lots", "units", "volume_cents", "stop_loss_pips", "take_profit_distance"])
def test_a_float_is_refused_where_money_is_meant(field: str, value: Any) -> None:
    sizes = {field: value} if "_" not in field or field == "volume_cents" else {**SIZE, field: value}
    text = refusal(lambda: MarketOrder("EURUSD", Side.BUY, **sizes))
    assert text.startswith(f"{field}: ")
    assert repr(value) in text
    assert "Decimal, an int or a str" in text


@pytest.mark.parametrize("field", ["price", "stop_loss", "take_profit"])
def test_a_float_is_refused_where_a_price_is_meant(field: str) -> None:
    assert refusal(lambda: limit(**{field: 1.1})).startswith(f"{field}: 1.1 is refused: give a Decimal")


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-inf", "", "a lot", Decimal("sNaN"), "1" * 50])
@pytest.mark.parametrize("field", ["lots", "units", "volume_cents"])
def test_a_size_that_is_no_number_is_refused(field: str, value: Any) -> None:
    assert refusal(lambda: MarketOrder("EURUSD", Side.BUY, **{field: value})).startswith(f"{field}: ")


@pytest.mark.parametrize("value", [0, -1, "-0.01", Decimal(0)])
def test_a_size_that_is_not_positive_is_refused(value: Any) -> None:
    assert refusal(lambda: buy(lots=value)) == f"lots: {Decimal(value)} is refused: a size is above 0"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        ({"lots": "0.015"}, "lots: 0.015 is refused: EURUSD takes 0.01 to 1000 lots in steps of 0.01"),
        ({"lots": "0.001"}, "lots: 0.001 is refused: EURUSD takes 0.01 to 1000 lots in steps of 0.01"),
        ({"lots": "1000.01"}, "lots: 1000.01 is refused: EURUSD takes 0.01 to 1000 lots in steps of 0.01"),
        ({"lots": "0.010000000001"}, "lots: 0.010000000001 is refused: EURUSD takes 0.01 to 1000 lots"),
        ({"units": 1500}, "units: 1500 is refused: EURUSD takes 1000 to 100000000 units in steps of 1000"),
        ({"units": "0.001"}, "units: 0.001 is refused: EURUSD takes 1000 to 100000000 units"),
        ({"volume_cents": 150_000}, "volume_cents: 150000 is refused: EURUSD takes 100000 to 10000000000 hundredths"),
        ({"volume_cents": "100000.5"}, "volume_cents: 100000.5 is refused"),
        ({"volume_cents": 2**63}, "volume_cents: 9223372036854775808 is refused: no order is that large"),
    ],
)
def test_a_size_off_the_symbols_grid_is_refused_and_not_clamped(size: dict[str, Any], text: str) -> None:
    assert refusal(lambda: MarketOrder("EURUSD", Side.BUY, **size)).startswith(text)


def test_a_symbol_without_a_maximum_takes_more_and_one_without_a_lot_size_no_lots() -> None:
    symbol = Symbol(id=9, name="X", digits=0, pip_position=0, lot_size_cents=None, step_volume_cents=100)
    ticket = MarketOrder("X", Side.BUY, volume_cents=150)
    with pytest.raises(InvalidOrder, match="X takes 1 or more hundredths of a unit in steps of 100"):
        ticket.to_request(symbol, account_id=7, client_order_id="a", now_ms=T0)
    with pytest.raises(InvalidOrder, match="lots: 1 is refused: the server does not say what a lot of X is"):
        MarketOrder("X", Side.BUY, lots=1).to_request(symbol, account_id=7, client_order_id="a", now_ms=T0)


def test_exactly_one_size_is_given() -> None:
    assert refusal(lambda: MarketOrder("EURUSD", Side.BUY)).startswith("size: none is given: give exactly one of lots=")
    both = refusal(lambda: MarketOrder("EURUSD", Side.BUY, lots="0.01", units=1000))
    assert both == "lots and units: '0.01 and 1000' is refused: give one of lots=, units=, volume_cents="


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: limit(price="1.100001"), "price: 1.100001 is refused: EURUSD has 5 decimals (steps of 0.00001)"),
        (lambda: limit(price="-1.1"), "price: -1.1 is refused: a price is above 0"),
        (lambda: limit(price=0), "price: 0 is refused: a price is above 0"),
        (lambda: limit(price="NaN"), "price: 'NaN' is refused: 'NaN' is not a finite number"),
        (lambda: limit(stop_loss="1.0900001"), "stop_loss: 1.0900001 is refused: EURUSD has 5 decimals"),
        (lambda: limit(take_profit=-2), "take_profit: -2 is refused: it is above 0"),
        (lambda: buy(StopOrder, stop_price="1.123456"), "stop_price: 1.123456 is refused: EURUSD has 5 decimals"),
        (
            lambda: buy(MarketRangeOrder, base_price="1.123456", slippage_points=1),
            "base_price: 1.123456 is refused: EURUSD has 5 decimals",
        ),
        (
            lambda: buy(MarketRangeOrder, base_price=-1, slippage_points=1),
            "base_price: -1 is refused: a price is above 0",
        ),
    ],
)
def test_a_price_that_the_symbol_cannot_have_is_refused(make: Any, text: str) -> None:
    assert refusal(make).startswith(text)


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("stop_loss_pips", "20.55", "stop_loss_pips: 20.55 is refused: EURUSD takes distances above 0 in steps of 0.1"),
        ("take_profit_pips", -20, "take_profit_pips: -20 is refused: it is above 0"),
        ("stop_loss_distance", 0, "stop_loss_distance: 0 is refused: it is above 0"),
        ("take_profit_distance", "0.000001", "take_profit_distance: 0.000001 is refused: EURUSD takes distances"),
        ("stop_loss_distance", 10**20, "stop_loss_distance: 100000000000000000000 is refused: no price is that far"),
    ],
)
def test_a_distance_finer_than_a_point_or_not_positive_is_refused(field: str, value: Any, text: str) -> None:
    assert refusal(lambda: buy(**{field: value})).startswith(text)


def test_distances_of_a_coarser_symbol_have_coarser_steps() -> None:
    ticket = MarketOrder("XAUUSD", Side.SELL, units=1, stop_loss_pips="1.5", take_profit_distance="90.01")
    sent = request(ticket, symbol=XAUUSD)
    assert (sent.relativeStopLoss, sent.relativeTakeProfit) == (150_000, 9_001_000)
    with pytest.raises(InvalidOrder, match=r"in steps of 0\.01"):
        request(MarketOrder("XAUUSD", Side.SELL, units=1, stop_loss_pips="1.555"), symbol=XAUUSD)


@pytest.mark.parametrize(
    ("side", "levels", "field"),
    [
        (Side.BUY, {"stop_loss": "1.1"}, "stop_loss"),
        (Side.BUY, {"stop_loss": "1.2"}, "stop_loss"),
        (Side.BUY, {"take_profit": "1.05"}, "take_profit"),
        (Side.SELL, {"stop_loss": "1.05"}, "stop_loss"),
        (Side.SELL, {"take_profit": "1.2"}, "take_profit"),
        (Side.SELL, {"take_profit": "1.1"}, "take_profit"),
    ],
)
def test_a_level_on_the_wrong_side_of_the_price_is_refused(side: Side, levels: Any, field: str) -> None:
    text = refusal(lambda: LimitOrder("EURUSD", side, lots="0.01", price="1.1", **levels))
    assert text.startswith(f"{field}: {levels[field]} is refused: for a {side.name} it lies")


def test_a_level_is_given_once() -> None:
    assert refusal(lambda: limit(stop_loss="1.09", stop_loss_pips=10)) == (
        "stop_loss_pips and stop_loss: '10 and 1.09' is refused: give the stop loss once"
    )
    assert refusal(lambda: buy(take_profit_pips=1, take_profit_distance=1)).startswith("take_profit_pips and")


def test_a_price_and_a_distance_can_stand_for_different_levels() -> None:
    sent = request(limit(stop_loss="1.09", take_profit_pips=50))
    assert (sent.stopLoss, sent.relativeTakeProfit) == (1.09, 500)


def test_absolute_levels_are_no_fields_of_a_market_order() -> None:
    with pytest.raises(TypeError, match="stop_loss"):
        MarketOrder("EURUSD", Side.BUY, lots=1, stop_loss="1.1")  # type: ignore[call-arg]


@pytest.mark.parametrize("flag", ["trailing_stop", "guaranteed_stop_loss", "close_if_unprotected"])
def test_what_needs_a_level_is_refused_without(flag: str) -> None:
    assert refusal(lambda: buy(**{flag: True})).startswith(f"{flag}: True is refused: it needs a stop loss")
    assert refusal(lambda: buy(stop_loss_pips=10, **{flag: 1})) == f"{flag}: 1 is refused: True or False"


def test_closing_what_is_unprotected_is_satisfied_by_either_level() -> None:
    assert buy(take_profit_pips=10, close_if_unprotected=True).close_if_unprotected
    assert (buy(take_profit_pips=10).asks_stop_loss, buy(take_profit_pips=10).asks_take_profit) == (False, True)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: limit(expires_at=T0), "expires_at: 1600000000000 is refused: it is not after now, 2020-09-13"),
        (lambda: limit(expires_at=datetime(2020, 1, 1, tzinfo=UTC)), "expires_at: datetime"),
        (
            lambda: limit(expires_at=datetime(2030, 1, 1)),
            "expires_at: datetime.datetime(2030, 1, 1, 0, 0) is refused: a",
        ),
        (lambda: limit(expires_at=1.6e12), "expires_at: 1600000000000.0 is refused: an aware datetime, or milli"),
        (lambda: limit(expires_at=-1), "expires_at: -1 is refused"),
        (lambda: limit(expires_at=True), "expires_at: True is refused"),
        (lambda: limit(time_in_force=TimeInForce.GTD), "expires_at: none is given: GOOD_TILL_DATE needs one"),
        (
            lambda: limit(time_in_force=TimeInForce.GTC, expires_at=T0 + 9),
            "time_in_force: <TimeInForce.GOOD_TILL_CANCEL",
        ),
        (lambda: limit(time_in_force="GTC"), "time_in_force: 'GTC' is refused: one of TimeInForce.GOOD_TILL_DATE"),
        (lambda: buy(StopOrder, stop_price=1, stop_trigger_method=1), "stop_trigger_method: 1 is refused: one of"),
        (lambda: buy(StopLimitOrder, stop_price=1, slippage_points=-1), "slippage_points: -1 is refused: a whole"),
        (lambda: buy(StopLimitOrder, stop_price=1, slippage_points=1.5), "slippage_points: 1.5 is refused"),
        (lambda: buy(StopLimitOrder, stop_price=1, slippage_points=2**31), "slippage_points: 2147483648 is refused"),
        (lambda: buy(position_id=0), "position_id: 0 is refused: an id is a positive integer"),
        (lambda: buy(position_id="500"), "position_id: '500' is refused"),
        (lambda: MarketOrder("EURUSD", "BUY", lots=1), "side: 'BUY' is refused: one of Side.BUY, Side.SELL"),
        (lambda: MarketOrder("", Side.BUY, lots=1), "symbol: '' is refused: the name of a symbol"),
        (lambda: MarketOrder(1, Side.BUY, lots=1), "symbol: 1 is refused: the name of a symbol"),
        (
            lambda: MarketOrder("GBPUSD", Side.BUY, lots=1),
            "symbol: 'GBPUSD' is refused: these are the figures of 'EURUSD'",
        ),
        (lambda: buy(label="x" * 101), "label: a text of 101 characters is refused"),
        (lambda: buy(label=""), "label: '' is refused: text of 1 to 100 characters; leave it out for none"),
        (lambda: buy(label=7), "label: 7 is refused: text of 1 to 100 characters"),
        (lambda: buy(label="\ud800"), "label: '\\ud800' is refused: half of a surrogate pair is not text"),
        (lambda: buy(comment="x" * 513), "comment: a text of 513 characters is refused"),
        (lambda: buy(lots=10**2000), "lots: an integer of 6644 bits is refused"),
    ],
)
def test_other_fields_that_cannot_be_are_refused_by_name(make: Any, text: str) -> None:
    assert refusal(make).startswith(text)


def test_of_a_text_that_is_too_long_no_part_is_said_back() -> None:
    secret = "b9670fd3a1e84c5f9b72d6e0a4c8f1352b1c"
    with pytest.raises(InvalidOrder, match=r"^label: a text of 136 characters is refused: text of 1 to 100") as raised:
        buy(label=f"{'x' * 50}{secret}{'x' * 50}")
    assert secret[:4] not in str(raised.value)


def test_the_longest_texts_pass_and_characters_outside_the_plane_count_twice() -> None:
    assert request(buy(label="x" * 100, comment="ü" * 512)).label == "x" * 100
    assert refusal(lambda: buy(label="😀" * 51)).startswith("label: ")


def test_an_own_id_that_the_server_could_not_keep_is_refused() -> None:
    for client_order_id in ("", "x" * 51):
        with pytest.raises(InvalidOrder, match="client_order_id"):
            request(buy(), client_order_id=client_order_id)
    with pytest.raises(InvalidOrder, match="account_id: 0 is refused"):
        buy().to_request(EURUSD, account_id=0, client_order_id="a", now_ms=T0)


def test_a_long_value_is_cut_in_the_error() -> None:
    assert len(refusal(lambda: buy(comment="x" * 100_000))) < 200


def test_an_expiry_a_moment_ahead_passes() -> None:
    at = datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC) + timedelta(milliseconds=1)
    assert request(limit(expires_at=at)).expirationTimestamp == T0 + 1


@settings(deadline=None)  # the machine may be busy
@given(st.text(max_size=60), st.one_of(st.none(), st.integers(), st.floats(), st.text(), st.decimals()))
def test_whatever_is_said_is_a_request_or_a_refusal(label: str, number: Any) -> None:
    try:
        ticket = LimitOrder("EURUSD", Side.BUY, lots=number, price=number, label=label, stop_loss_pips=number)
        request(ticket).SerializeToString()
    except InvalidOrder:
        pass


@pytest.mark.parametrize("price", [Decimal("1E+30"), 10**30, "10000000000", "9999999999.999999"])
@pytest.mark.parametrize(
    ("field", "made"),
    [
        ("price", lambda price: buy(LimitOrder, price=price)),
        ("stop_price", lambda price: buy(StopOrder, stop_price=price)),
        ("stop_price", lambda price: buy(StopLimitOrder, stop_price=price, slippage_points=1)),
        ("base_price", lambda price: buy(MarketRangeOrder, base_price=price, slippage_points=1)),
        ("stop_loss", lambda price: limit(stop_loss=price)),
        ("take_profit", lambda price: limit(take_profit=price)),
    ],
)
def test_a_price_that_no_double_holds_to_its_last_digit_is_refused(field: str, made: Any, price: Any) -> None:
    allowed = r"EURUSD has 5 decimals \(steps of 0.00001\), and prices have at most 15 digits, those included$"
    with pytest.raises(InvalidOrder, match=rf"^{field}: \S+ is refused: {allowed}"):
        request(made(price))


def test_the_largest_price_that_a_double_holds_leaves_as_it_was_said() -> None:
    assert request(limit(price="9999999999.99999")).limitPrice == 9999999999.99999
