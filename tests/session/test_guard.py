"""The guard: an allow-list, three modes, and nothing that says other than it is."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from anyctrader.session.environments import Environment, Mode
from anyctrader.session.errors import (
    AuditUnavailable,
    InvalidOrder,
    LimitExceeded,
    LiveTradingDisabled,
    Refused,
    WrongEnvironment,
)
from anyctrader.session.guard import Guard, Standing, strictest
from anyctrader.session.holdings import PendingOrder, Position
from anyctrader.session.positions import PositionBook
from anyctrader.session.terms import Side
from anyctrader.wire import Kind, Permission, UnknownPayload
from anyctrader.wire import messages as oa
from anyctrader.wire.catalog import CATALOG

from .writing import UNKNOWN

DEMO, LIVE = Environment.DEMO, Environment.LIVE
MINE, FOREIGN, OTHER = 1001, 2002, 3003
TRADES = [row for row, entry in CATALOG.items() if entry.permission is not None and entry.permission.trades]
HARMLESS = [row for row, entry in CATALOG.items() if entry.permission in (Permission.SESSION, Permission.READ)]
WRITES = [row for row, entry in CATALOG.items() if entry.permission is Permission.WRITE]
SAID_BY_THE_SERVER = [row for row, entry in CATALOG.items() if entry.kind not in (Kind.REQUEST, Kind.HEARTBEAT)]

LONG = Position(
    id=7,
    symbol_id=1,
    side=Side.BUY,
    status=1,
    volume_cents=500_000,
    price=Decimal("1.10000"),
    stop_loss=Decimal("1.09000"),
    take_profit=Decimal("1.12000"),
    protective_order_id=71,
)
SHORT = Position(
    id=8,
    symbol_id=1,
    side=Side.SELL,
    status=1,
    volume_cents=500_000,
    price=Decimal("1.10000"),
    stop_loss=Decimal("1.11000"),
    take_profit=Decimal("1.08000"),
)
BARE = Position(id=9, symbol_id=1, side=Side.BUY, status=1, volume_cents=500_000, price=Decimal("1.10000"))
TRAILING = Position(
    id=10,
    symbol_id=1,
    side=Side.BUY,
    status=1,
    volume_cents=500_000,
    price=Decimal("1.10000"),
    stop_loss=Decimal("1.09000"),
    trailing_stop=True,
    guaranteed_stop_loss=True,
    stop_trigger_method=2,
)
CLOSED = Position(id=11, symbol_id=1, side=Side.BUY, status=1, volume_cents=0, price=Decimal("1.10000"))


def pending(order_id: int, order_type: int, *, closing: bool = False) -> PendingOrder:
    return PendingOrder(
        id=order_id,
        position_id=7,
        symbol_id=1,
        side=Side.BUY,
        type=order_type,
        status=1,
        volume_cents=100_000,
        closing=closing,
    )


class Holdings:
    """A book of these few."""

    def position(self, position_id: int) -> Position | None:
        return {each.id: each for each in (LONG, SHORT, BARE, TRAILING, CLOSED)}.get(position_id)

    def levels_to_come(self, position_id: int) -> None:
        return None

    def order(self, order_id: int) -> PendingOrder | None:
        orders = (
            pending(70, oa.ProtoOAOrderType.LIMIT),
            pending(71, oa.ProtoOAOrderType.STOP_LOSS_TAKE_PROFIT, closing=True),
            pending(72, oa.ProtoOAOrderType.LIMIT, closing=True),
        )
        return {each.id: each for each in orders}.get(order_id)


def guard(mode: Mode, environment: Environment = DEMO) -> Guard:
    return Guard(environment, standing=lambda: Standing(mode, "the test says so"))


def judge(guard: Guard, payload: Any, payload_type: int | None = None, **given: Any) -> None:
    known = {"authorised": {MINE}, "audited": True, "foreign": {FOREIGN}, "book": Holdings()}
    guard.judge(oa.payload_type_of(payload) if payload_type is None else payload_type, payload, **known | given)


def sample(payload_type: int, account: int = MINE) -> Any:
    cls = oa.PAYLOAD_CLASSES[payload_type]
    named = "ctidTraderAccountId" in cls.DESCRIPTOR.fields_by_name
    return cls(ctidTraderAccountId=account) if named else cls()


def name(value: Any) -> str:
    return oa.name_of(value) if isinstance(value, int) else str(value)


@pytest.mark.parametrize("payload_type", HARMLESS, ids=name)
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("environment", Environment)
def test_session_and_read_requests_pass_in_every_mode(payload_type: int, mode: Mode, environment: Environment) -> None:
    judge(guard(mode, environment), sample(payload_type), audited=False)


@pytest.mark.parametrize("payload_type", TRADES + WRITES + SAID_BY_THE_SERVER, ids=name)
def test_nothing_else_passes_live_while_trading_is_off(payload_type: int) -> None:
    with pytest.raises(LiveTradingDisabled, match=r"trading on live is off \(the test says so\)"):
        judge(guard(Mode.OFF, LIVE), sample(payload_type))


@pytest.mark.parametrize("payload_type", TRADES + WRITES + SAID_BY_THE_SERVER, ids=name)
def test_nothing_else_passes_demo_while_trading_is_off(payload_type: int) -> None:
    with pytest.raises(Refused, match="trading on demo is off") as refusal:
        judge(guard(Mode.OFF), sample(payload_type))
    assert not isinstance(refusal.value, LiveTradingDisabled)


@pytest.mark.parametrize("payload_type", TRADES + WRITES, ids=name)
@pytest.mark.parametrize("environment", Environment)
def test_everything_passes_while_trading_is_on_and_recorded(payload_type: int, environment: Environment) -> None:
    judge(guard(Mode.ON, environment), sample(payload_type))
    with pytest.raises(AuditUnavailable, match="needs an audit"):
        judge(guard(Mode.ON, environment), sample(payload_type), audited=False)


@pytest.mark.parametrize("payload_type", UNKNOWN)
def test_an_unknown_type_passes_only_on_demo_without_limits_while_trading_is_on_and_recorded(payload_type: int) -> None:
    unknown = UnknownPayload(payload_type, b"")
    judge(guard(Mode.ON), unknown, payload_type)
    with pytest.raises(AuditUnavailable, match=f"{payload_type}"):
        judge(guard(Mode.ON), unknown, payload_type, audited=False)
    for mode in (Mode.OFF, Mode.REDUCE_ONLY):
        with pytest.raises(Refused, match=f"{payload_type}"):
            judge(guard(mode), unknown, payload_type)
    limited = Guard(DEMO, standing=lambda: Standing(Mode.ON, "a test"), limits=("most_positions",))
    with pytest.raises(LimitExceeded, match=r"limits are set for demo \(most_positions\)"):
        judge(limited, unknown, payload_type)
    for mode in Mode:
        with pytest.raises(Refused, match=f"{payload_type}"):
            judge(guard(mode, LIVE), unknown, payload_type)
    with pytest.raises(Refused, match="does not go to live, whatever the mode"):
        judge(guard(Mode.ON, LIVE), unknown, payload_type)


def test_the_mode_is_asked_at_each_judgement() -> None:
    mode = Mode.ON
    changing = Guard(LIVE, standing=lambda: Standing(mode, "it changes"))
    order = sample(oa.payload_type_of(oa.ProtoOANewOrderReq))
    judge(changing, order)
    mode = Mode.OFF
    with pytest.raises(LiveTradingDisabled, match="it changes"):
        judge(changing, order)


@pytest.mark.parametrize(
    "disguise",
    [
        (oa.payload_type_of(oa.ProtoOAVersionReq), oa.ProtoOANewOrderReq(ctidTraderAccountId=MINE)),
        (oa.payload_type_of(oa.ProtoOANewOrderReq), oa.ProtoOAVersionReq()),
        (oa.payload_type_of(oa.ProtoOAVersionReq), oa.ProtoOAVersionReq(payloadType=2106)),
        (oa.payload_type_of(oa.ProtoOAVersionReq), UnknownPayload(2104, b"")),
        (oa.payload_type_of(oa.ProtoOANewOrderReq), UnknownPayload(2106, b"")),
        (9999, UnknownPayload(2106, b"")),
        (9999, oa.ProtoOAVersionReq()),
        (oa.payload_type_of(oa.ProtoOAVersionReq), object()),
        (oa.payload_type_of(oa.ProtoOAVersionReq), None),
    ],
)
@pytest.mark.parametrize("mode", Mode)
def test_a_message_that_is_not_what_its_envelope_says_is_refused_in_every_mode(
    disguise: tuple[int, Any], mode: Mode
) -> None:
    payload_type, payload = disguise
    with pytest.raises(Refused, match="its payload is"):
        judge(guard(mode), payload, payload_type)


@pytest.mark.parametrize(
    "payload_type",
    [
        row
        for row, entry in CATALOG.items()
        if entry.account_field is not None and entry.permission not in (None, Permission.SESSION)
    ],
    ids=name,
)
@pytest.mark.parametrize("account", [OTHER, FOREIGN, 0])
@pytest.mark.parametrize("mode", Mode)
def test_an_account_that_was_not_authorised_is_refused(payload_type: int, account: int, mode: Mode) -> None:
    with pytest.raises(WrongEnvironment, match=str(account) if account else "None"):
        judge(guard(mode), sample(payload_type, account))


def test_an_account_may_be_authorised_unless_it_is_the_other_environments() -> None:
    judge(guard(Mode.OFF), oa.ProtoOAAccountAuthReq(ctidTraderAccountId=OTHER))
    judge(guard(Mode.OFF), oa.ProtoOAAccountLogoutReq(ctidTraderAccountId=OTHER))
    with pytest.raises(WrongEnvironment, match="account 2002 is live, this is demo"):
        judge(guard(Mode.OFF), oa.ProtoOAAccountAuthReq(ctidTraderAccountId=FOREIGN))
    with pytest.raises(WrongEnvironment, match="account 2002 is demo, this is live"):
        judge(guard(Mode.ON, LIVE), oa.ProtoOAAccountAuthReq(ctidTraderAccountId=FOREIGN))


def test_a_refusal_shows_no_secret() -> None:
    with pytest.raises(WrongEnvironment) as refusal:
        judge(guard(Mode.ON), oa.ProtoOAAccountAuthReq(ctidTraderAccountId=FOREIGN, accessToken="hunter2"))
    assert "hunter2" not in str(refusal.value)


# reduce_only


def reduces(payload: Any, **given: Any) -> None:
    judge(guard(Mode.REDUCE_ONLY, LIVE), payload, **given)


def refused(payload: Any, match: str, **given: Any) -> None:
    with pytest.raises(Refused, match=match) as refusal:
        reduces(payload, **given)
    assert "may only be reduced (the test says so)" in str(refusal.value)


def close(position_id: int, volume: int) -> Any:
    return oa.ProtoOAClosePositionReq(ctidTraderAccountId=MINE, positionId=position_id, volume=volume)


def amend(position: Position, **levels: Any) -> Any:
    return oa.ProtoOAAmendPositionSLTPReq(ctidTraderAccountId=MINE, positionId=position.id, **levels)


@pytest.mark.parametrize("volume", [1, 100_000, 500_000])
def test_reducing_closes_up_to_what_is_open(volume: int) -> None:
    reduces(close(7, volume))


@pytest.mark.parametrize("volume", [500_001, 0, -1])
def test_reducing_does_not_close_more_than_is_open(volume: int) -> None:
    refused(close(7, volume), "500000 that are open")


@pytest.mark.parametrize("position_id", [11, 99])
def test_reducing_does_not_close_what_is_not_known_to_be_open(position_id: int) -> None:
    refused(close(position_id, 1), f"position {position_id} is not known to be open")


def cancel(order_id: int) -> Any:
    return oa.ProtoOACancelOrderReq(ctidTraderAccountId=MINE, orderId=order_id)


def test_the_order_that_holds_the_levels_of_a_position_is_never_cancelled() -> None:
    for environment in Environment:
        with pytest.raises(InvalidOrder, match=r"^order_id: 71 .* position 7, .*: amend the levels of that position"):
            judge(guard(Mode.ON, environment), cancel(71))
        for other in (70, 72, 99):
            judge(guard(Mode.ON, environment), cancel(other))
        judge(guard(Mode.ON, environment), cancel(71), book=None)


def test_reducing_cancels_orders_that_open_and_no_others() -> None:
    reduces(cancel(70))
    refused(cancel(71), "closes or protects")
    refused(cancel(72), "closes or protects")
    refused(cancel(99), "order 99 is not known")


@pytest.mark.parametrize(
    "payload",
    [
        oa.ProtoOANewOrderReq(ctidTraderAccountId=MINE, symbolId=1, orderType=1, tradeSide=1, volume=1),
        # Though it would only reduce a long position, it opens one where that is gone when it arrives.
        oa.ProtoOANewOrderReq(ctidTraderAccountId=MINE, symbolId=1, orderType=1, tradeSide=2, volume=1, positionId=7),
        oa.ProtoOAAmendOrderReq(ctidTraderAccountId=MINE, orderId=70, volume=100_000),
        oa.ProtoOAAmendOrderReq(ctidTraderAccountId=MINE, orderId=71, stopPrice=1.0),
        oa.ProtoOAMarginCallUpdateReq(ctidTraderAccountId=MINE),
    ],
    ids=lambda payload: type(payload).__name__,
)
def test_reducing_is_nothing_else(payload: Any) -> None:
    refused(payload, "more than close, cancel or tighten")


def test_without_a_book_nothing_is_known_to_reduce() -> None:
    for payload in (close(7, 1), cancel(70), amend(BARE, stopLoss=1.0)):
        refused(payload, "not known", book=None)


def test_reducing_needs_an_audit_too() -> None:
    with pytest.raises(AuditUnavailable):
        reduces(close(7, 1), audited=False)


@pytest.mark.parametrize(
    "payload",
    [
        amend(LONG, stopLoss=1.09, takeProfit=1.12),
        amend(LONG, stopLoss=1.095, takeProfit=1.11),
        amend(SHORT, stopLoss=1.11, takeProfit=1.08),
        amend(SHORT, stopLoss=1.105, takeProfit=1.09),
        amend(BARE),
        amend(BARE, stopLoss=1.09),
        amend(BARE, stopLoss=1.09, takeProfit=1.2, trailingStopLoss=True, stopLossTriggerMethod=2),
        amend(LONG, stopLoss=1.09, takeProfit=1.12, trailingStopLoss=True, guaranteedStopLoss=True),
        amend(TRAILING, stopLoss=1.09, guaranteedStopLoss=True, stopLossTriggerMethod=2),
        amend(TRAILING, stopLoss=1.09, guaranteedStopLoss=True, stopLossTriggerMethod=2, trailingStopLoss=True),
    ],
)
def test_levels_may_stay_or_tighten(payload: Any) -> None:
    reduces(payload)


@pytest.mark.parametrize(
    ("payload", "match"),
    [
        (amend(LONG), "remove the stop loss at 1.09000"),
        (amend(LONG, takeProfit=1.12), "remove the stop loss"),
        (amend(LONG, stopLoss=1.09), "remove the take profit at 1.12000"),
        (amend(LONG, stopLoss=1.08999, takeProfit=1.12), "move the stop loss from 1.09000 away, to 1.08999"),
        (amend(LONG, stopLoss=1.09, takeProfit=1.12001), "move the take profit from 1.12000 away, to 1.12001"),
        (amend(SHORT, stopLoss=1.11001, takeProfit=1.08), "move the stop loss"),
        (amend(SHORT, stopLoss=1.11, takeProfit=1.07999), "move the take profit"),
        (amend(LONG, stopLoss=0.0, takeProfit=1.12), "not a price: 0.0"),
        (amend(LONG, stopLoss=-1.0, takeProfit=1.12), "not a price: -1.0"),
        (amend(LONG, stopLoss=1.09, takeProfit=float("nan")), "not a price: nan"),
        (amend(BARE, stopLoss=float("inf")), "not a price: inf"),
        (amend(LONG, stopLoss=1.09, takeProfit=1.12, stopLossTriggerMethod=3), "sets off the stop loss"),
        (amend(TRAILING, stopLoss=1.09, guaranteedStopLoss=True), "sets off the stop loss"),
        (amend(TRAILING, stopLoss=1.09, stopLossTriggerMethod=2), "no longer be guaranteed"),
        (
            amend(TRAILING, stopLoss=1.09, guaranteedStopLoss=True, stopLossTriggerMethod=2, trailingStopLoss=False),
            "no longer trail",
        ),
        (amend(CLOSED, stopLoss=1.09), "not known to be open"),
    ],
)
def test_levels_may_not_loosen(payload: Any, match: str) -> None:
    refused(payload, match)


def test_the_book_of_an_account_is_what_the_guard_asks() -> None:
    book: Any = PositionBook()
    refused(close(7, 1), "not known", book=book)


def test_of_several_standings_the_strictest_holds_and_of_equals_the_first() -> None:
    on, off, reduce = Standing(Mode.ON, "on"), Standing(Mode.OFF, "off"), Standing(Mode.REDUCE_ONLY, "reduce")
    assert strictest(on, reduce, off) is off
    assert strictest(on, reduce) is reduce
    assert strictest(off, Standing(Mode.OFF, "second")) is off
