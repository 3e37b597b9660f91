"""What an audit line says of a trading request, and the request that such a line speaks of. Pure.

All that leaves is on the line of its intent, so that the next process can tell what became of it
(docs/orders.md). A name means one thing and has one type on all lines, whoever writes it.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from ..wire import messages as oa
from .holdings import price_or_none

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .guard import Book

__all__ = ["TRADING", "about_of", "facts_of", "request_of"]

TRADING: Final[Mapping[str, Any]] = MappingProxyType(
    {
        cls.__name__: cls
        for cls in (
            oa.ProtoOANewOrderReq,
            oa.ProtoOAAmendOrderReq,
            oa.ProtoOAAmendPositionSLTPReq,
            oa.ProtoOAClosePositionReq,
            oa.ProtoOACancelOrderReq,
        )
    }
)
"""The requests that trade, by name: what became of one of these can be told from the server's lists."""

_NAMES: Final = MappingProxyType(
    {
        "ctidTraderAccountId": "account_id",
        "clientOrderId": "client_order_id",
        "symbolId": "symbol_id",
        "orderId": "order_id",
        "positionId": "position_id",
        "orderType": "type",
        "tradeSide": "side",
        "volume": "volume_cents",
        "limitPrice": "price",
        "stopPrice": "stop_price",
        "baseSlippagePrice": "base_price",
        "slippageInPoints": "range_points",
        "timeInForce": "time_in_force",
        "expirationTimestamp": "expires_at_ms",
        "stopLoss": "stop_loss",
        "takeProfit": "take_profit",
        "relativeStopLoss": "relative_stop_loss",
        "relativeTakeProfit": "relative_take_profit",
        "trailingStopLoss": "trailing_stop",
        "guaranteedStopLoss": "guaranteed_stop_loss",
        "stopTriggerMethod": "stop_trigger_method",
        "stopLossTriggerMethod": "stop_trigger_method",
        "label": "label",
        "comment": "comment",
    }
)

# On the wire they are plain numbers: a newer server may know more of them.
_WORDS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "orderType": oa.ProtoOAOrderType,
        "tradeSide": oa.ProtoOATradeSide,
        "timeInForce": oa.ProtoOATimeInForce,
        "stopTriggerMethod": oa.ProtoOAOrderTriggerMethod,
        "stopLossTriggerMethod": oa.ProtoOAOrderTriggerMethod,
    }
)


def facts_of(payload: Any) -> dict[str, Any]:
    """What a request asks for, under the names of audit lines; nothing of what is no trading request."""
    if not hasattr(payload, "ListFields"):
        return {}
    return {_NAMES[field.name]: _plain(field, value) for field, value in payload.ListFields() if field.name in _NAMES}


def about_of(facts: Mapping[str, Any], book: Book, *, closes: bool = False) -> dict[str, Any]:
    """Symbol, side and size of the order or position that a request names, as far as the books know it.

    Args:
        facts: of the request.
        book: of its account.
        closes: it closes its position, so that its own side is the other one.
    """
    if "order_id" in facts:
        held: Any = book.order(facts["order_id"])
    else:
        held = book.position(facts["position_id"]) if "position_id" in facts else None
    if held is None:
        return {}
    side = held.side.opposite if closes else held.side
    sized = {} if "lots" in facts or "units" in facts else {"volume_cents": held.volume_cents}
    return {"symbol_id": held.symbol_id, "side": side.name, **sized}


def request_of(name: str, facts: Mapping[str, Any]) -> Any:
    """The request that a line of its intent speaks of.

    Args:
        name: of its class.
        facts: of that line.

    Raises:
        KeyError: it is none that trades.
        TypeError: a fact is of another kind than its field.
        ValueError: a fact is not what its field can hold.
    """
    request = TRADING[name]()
    for field in request.DESCRIPTOR.fields:
        value = facts.get(_NAMES.get(field.name, ""))
        if value is not None:
            setattr(request, field.name, _wired(field, value))
    if not request.IsInitialized():
        raise ValueError(f"no {name} can be made of its record: {', '.join(request.FindInitializationErrors())}")
    return request


def _plain(field: Any, value: Any) -> Any:
    if (words := _WORDS.get(field.name)) is not None:
        return words(value).name if value in words.__members__.values() else str(value)
    if field.type == field.TYPE_DOUBLE:
        price = price_or_none(value)
        return f"{price:f}" if price is not None else repr(value)
    return value


def _wired(field: Any, value: Any) -> Any:
    if (words := _WORDS.get(field.name)) is not None:
        return words[value].value if value in words.__members__ else int(value)
    return float(value) if field.type == field.TYPE_DOUBLE else value
