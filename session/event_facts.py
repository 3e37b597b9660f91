"""What audit lines say of the server's events, and of what became of an order by them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..wire import messages as oa
from .fills import Fill
from .holdings import PendingOrder
from .past_orders import TOLD_BY_EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from .orders import OrderChange, OrderRecord

__all__ = ["covered", "deal_facts", "end_facts", "error_facts", "execution_facts", "slippage_facts"]


def covered(payload: Any, mask: Callable[[str], str]) -> Any:
    """The message with the secrets in its error texts covered; a copy where there are any."""
    said = {name: getattr(payload, name, "") for name in ("errorCode", "description")}
    changed = {name: masked for name, text in said.items() if text and (masked := mask(text)) != text}
    if changed:
        copy = type(payload)()
        copy.CopyFrom(payload)
        for name, text in changed.items():
            setattr(copy, name, text)
        payload = copy
    return payload


def execution_facts(
    event: oa.ProtoOAExecutionEvent, changes: list[OrderChange], *, of_request: str | None = None
) -> dict[str, Any]:
    """What an execution event says, and of which order of ours.

    Args:
        event: as it came.
        changes: what it did to orders of ours.
        of_request: the id of the intent of the raw request that it is the work of, or None.
    """
    own = next((change for change in changes if change.input is not None), None)
    facts: dict[str, Any] = {
        "account_id": event.ctidTraderAccountId,
        "execution": _name(oa.ProtoOAExecutionType, event.executionType),
        "server_event": event.isServerEvent,
    }
    if own is not None:
        facts["client_order_id"] = own.record.client_order_id
        facts["state"] = own.after.value
    elif event.HasField("order") and event.order.clientOrderId:
        facts["client_order_id"] = event.order.clientOrderId
    if of_request is not None:
        facts["intent_id"] = of_request
    if event.HasField("order"):
        order = event.order
        facts |= {"order_id": order.orderId, "order_type": _name(oa.ProtoOAOrderType, order.orderType)}
        facts |= {"volume_cents": order.tradeData.volume, "executed_volume_cents": order.executedVolume}
        facts |= _terms(order)
    if event.HasField("position"):
        facts |= {"position_id": event.position.positionId, "open_volume_cents": event.position.tradeData.volume}
    if event.HasField("deal"):
        facts["deal_id"] = event.deal.dealId
    if event.errorCode:
        facts["error_code"] = event.errorCode
    return facts


def _terms(order: oa.ProtoOAOrder) -> dict[str, Any]:
    """What a pending order waits for: with it the next process knows what there was, when this one has crashed."""
    try:
        pending = PendingOrder.from_wire(order)
    except ValueError:  # the books tell that
        return {}
    if not (pending.is_opening and pending.is_waiting):
        return {}
    described = pending.described()
    return {name: described[name] for name in TOLD_BY_EVENTS if name in described}


def error_facts(event: oa.ProtoOAOrderErrorEvent, changes: list[OrderChange]) -> dict[str, Any]:
    """What an order error says, and of which order of ours."""
    facts: dict[str, Any] = {"account_id": event.ctidTraderAccountId, "error_code": event.errorCode}
    if changes:
        facts["client_order_id"] = changes[0].record.client_order_id
    if event.description:
        facts["error_description"] = event.description
    for field, name in (("orderId", "order_id"), ("positionId", "position_id")):
        if getattr(event, field):
            facts[name] = getattr(event, field)
    return facts


def deal_facts(deal: oa.ProtoOADeal, *, symbol: str, order: oa.ProtoOAOrder | None = None) -> dict[str, Any]:
    """What a deal was and booked, under the names that a fill of an order of ours has.

    Args:
        deal: whoever made it.
        symbol: the name of its symbol.
        order: what it filled, where an event has shown that.
    """
    facts: dict[str, Any] = {
        "deal_id": deal.dealId,
        "order_id": deal.orderId,
        "position_id": deal.positionId,
        "symbol": symbol,
        "symbol_id": deal.symbolId,
        "side": _name(oa.ProtoOATradeSide, deal.tradeSide),
        "volume_cents": deal.volume,
        "executed_volume_cents": 0,
        "closes": deal.HasField("closePositionDetail"),
        "executed_at_ms": deal.executionTimestamp,
    }
    if (fill := Fill.from_wire(deal)) is not None:
        facts |= fill.described()
        facts["executed_volume_cents"] = fill.volume_cents
    if order is not None:
        facts["order_type"] = _name(oa.ProtoOAOrderType, order.orderType)
    return facts


def slippage_facts(record: OrderRecord) -> dict[str, str]:
    """How much worse than asked or quoted an order was filled, where that is known."""
    return record.slippage.described() if record.slippage is not None else {}


def end_facts(record: OrderRecord) -> dict[str, Any]:
    """What an order came to: its latencies, slippage and cost, and what it realised."""
    facts: dict[str, Any] = {f"{name}_after_ms": value for name, value in record.latencies_ms.items()}
    facts |= slippage_facts(record)
    if record.fills:
        facts["commission"] = f"{record.commission:f}"
    realised = record.realised
    if realised is not None:
        facts |= {
            "gross_profit": f"{realised.gross_profit:f}",
            "swap": f"{realised.swap:f}",
            "closing_commission": f"{realised.commission:f}",
            "conversion_fee": f"{realised.conversion_fee:f}",
            "net_profit": f"{realised.net:f}",
        }
    return facts


def _name(enum: Any, number: int) -> str:
    """The published name of a value, or the number that a newer server uses."""
    try:
        return str(enum(number).name)
    except ValueError:
        return str(number)
