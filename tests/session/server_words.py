"""What a server says of orders and positions, made up; and what a real one said, where the recordings are."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest

from anyctrader.session.environments import Environment
from anyctrader.session.orders import OrderRecord
from anyctrader.session.symbols import Symbol
from anyctrader.session.tickets import MarketOrder, Side, Ticket
from anyctrader.wire import messages as oa

T0 = 1_600_000_000_000
ACCOUNT = 1_000_001

EURUSD = Symbol(
    id=1,
    name="EURUSD",
    digits=5,
    pip_position=4,
    lot_size_cents=10_000_000,
    min_volume_cents=100_000,
    step_volume_cents=100_000,
    max_volume_cents=10_000_000_000,
)
XAUUSD = Symbol(
    id=2,
    name="XAUUSD",
    digits=2,
    pip_position=0,
    lot_size_cents=10_000,
    min_volume_cents=100,
    step_volume_cents=100,
    max_volume_cents=1_000_000,
)
BITCOIN = Symbol(id=324, name="BTCUSD", digits=2, pip_position=0, lot_size_cents=100)

Execution = oa.ProtoOAExecutionType
Status = oa.ProtoOAOrderStatus
Kind = oa.ProtoOAOrderType


def order(
    *,
    id: int = 600,
    position_id: int = 500,
    side: Side = Side.BUY,
    volume: int = 100_000,
    kind: int = Kind.MARKET,
    status: int = Status.ORDER_STATUS_ACCEPTED,
    at: int = 1,
    symbol_id: int = 1,
    label: str = "mine-1",
    comment: str = "",
    client_order_id: str = "mine-1",
    **more: Any,
) -> oa.ProtoOAOrder:
    return oa.ProtoOAOrder(
        orderId=id,
        tradeData=oa.ProtoOATradeData(
            symbolId=symbol_id,
            volume=volume,
            tradeSide=side.value,
            label=label,
            comment=comment,
            openTimestamp=T0,
            guaranteedStopLoss=False,
        ),
        orderType=kind,
        orderStatus=status,
        utcLastUpdateTimestamp=T0 + at,
        clientOrderId=client_order_id,
        positionId=position_id,
        **{"executedVolume": 0, "closingOrder": False, **more},
    )


def protective(
    *, id: int = 601, side: Side = Side.SELL, stop: float = 1.1, take: float = 0.0, **more: Any
) -> oa.ProtoOAOrder:
    levels = {name: value for name, value in (("stopPrice", stop), ("limitPrice", take)) if value}
    made_by_server = {"client_order_id": "", "kind": Kind.STOP_LOSS_TAKE_PROFIT, "closingOrder": True}
    return order(id=id, side=side, **{**made_by_server, **levels, **more})


def position(
    *,
    id: int = 500,
    side: Side = Side.BUY,
    volume: int = 100_000,
    status: int = oa.ProtoOAPositionStatus.POSITION_STATUS_OPEN,
    at: int = 1,
    symbol_id: int = 1,
    label: str = "mine-1",
    price: float = 1.12,
    **more: Any,
) -> oa.ProtoOAPosition:
    return oa.ProtoOAPosition(
        positionId=id,
        tradeData=oa.ProtoOATradeData(
            symbolId=symbol_id, volume=volume, tradeSide=side.value, label=label, openTimestamp=T0
        ),
        positionStatus=status,
        price=price,
        utcLastUpdateTimestamp=T0 + at,
        **{"swap": 0, "moneyDigits": 2, **more},
    )


def created(**more: Any) -> oa.ProtoOAPosition:
    """A position before its first fill (docs/protocol.md section 10.2): no volume, no time of a change."""
    raw = position(volume=0, price=0.0, status=oa.ProtoOAPositionStatus.POSITION_STATUS_CREATED, **more)
    raw.ClearField("utcLastUpdateTimestamp")
    return raw


def deal(
    *,
    id: int = 700,
    order_id: int = 600,
    position_id: int = 500,
    side: Side = Side.BUY,
    volume: int = 100_000,
    price: float = 1.12,
    status: int = oa.ProtoOADealStatus.FILLED,
    **more: Any,
) -> oa.ProtoOADeal:
    return oa.ProtoOADeal(
        dealId=id,
        orderId=order_id,
        positionId=position_id,
        volume=volume,
        filledVolume=volume,
        symbolId=1,
        createTimestamp=T0,
        executionTimestamp=T0 + 135,
        executionPrice=price,
        tradeSide=side.value,
        dealStatus=status,
        **{"commission": -3, "moneyDigits": 2, **more},
    )


def event(said: int, **parts: Any) -> oa.ProtoOAExecutionEvent:
    return oa.ProtoOAExecutionEvent(ctidTraderAccountId=ACCOUNT, executionType=said, **parts)


def accepted(**more: Any) -> oa.ProtoOAExecutionEvent:
    return event(Execution.ORDER_ACCEPTED, order=order(**more), position=created())


def filled(**more: Any) -> oa.ProtoOAExecutionEvent:
    made = order(**{"status": Status.ORDER_STATUS_FILLED, "at": 2, "executedVolume": 100_000, **more})
    return event(Execution.ORDER_FILLED, order=made, position=position(at=2), deal=deal())


def partly_filled(*, executed: int, deal_id: int, volume: int, at: int = 2, **more: Any) -> oa.ProtoOAExecutionEvent:
    return event(
        Execution.ORDER_PARTIAL_FILL,
        order=order(at=at, executedVolume=executed, **more),
        position=position(at=at, volume=executed),
        deal=deal(id=deal_id, volume=volume, status=oa.ProtoOADealStatus.PARTIALLY_FILLED),
    )


def ended(said: int, status: int, *, at: int = 3, **more: Any) -> oa.ProtoOAExecutionEvent:
    return event(said, order=order(status=status, at=at, **more))


def record(ticket: Ticket | None = None, *, client_order_id: str = "mine-1", **more: Any) -> OrderRecord:
    """A record of an order that was just meant: by default one of 0.01 lots of EURUSD, bought at the market."""
    intent = ticket or MarketOrder("EURUSD", Side.BUY, lots="0.01")
    return OrderRecord(
        intent,
        **{
            "environment": Environment.DEMO,
            "account_id": ACCOUNT,
            "client_order_id": client_order_id,
            "symbol": EURUSD,
            "side": intent.side,
            "volume_cents": intent.size_cents(EURUSD),
            "intent_at_ms": T0,
            **more,
        },
    )


def sent(ticket: Ticket | None = None, **more: Any) -> OrderRecord:
    """The same, sent in request ``r1``."""
    made = record(ticket, **more)
    made.sent(at_ms=T0 + 5, client_msg_id="r1")
    return made


_CLASSES = {
    2107: oa.ProtoOATrailingSLChangedEvent,
    2125: oa.ProtoOAReconcileRes,
    2126: oa.ProtoOAExecutionEvent,
    2134: oa.ProtoOADealListRes,
    2176: oa.ProtoOAOrderListRes,
}


def recorded() -> dict[str, Any]:
    """The recorded messages of the real server, by their notes; skips the test where they are not."""
    here = Path(__file__).resolve().parents[2]
    folder = Path(os.environ.get("ANYCTRADER_CAPTURES", here.parent / "shared" / "captures"))
    file = folder / "execution.txt"
    if not file.is_file():
        pytest.skip(f"no recorded messages in {folder} (set ANYCTRADER_CAPTURES)")
    found = {}
    for line in file.read_text().splitlines():
        note, payload_type, body = line.split("|")
        if int(payload_type) in _CLASSES:
            found[note.lstrip("0123456789")] = _CLASSES[int(payload_type)].FromString(base64.b64decode(body))
    return found
