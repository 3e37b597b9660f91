"""What may stand in a trading request that a caller wrote himself. Pure.

The same that holds for tickets, of fields that are already the wire's own. What cannot be known here is left to the
server's word: the symbol of an order or a position that the books do not know.
"""

from __future__ import annotations

import math
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from ..wire import messages as oa
from ..wire import units
from . import fields
from .errors import InvalidOrder
from .terms import Side, check_levels
from .tickets import LONGEST_CLIENT_ORDER_ID, LONGEST_COMMENT, LONGEST_LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .books import Books
    from .symbols import Symbol

__all__ = ["check_figures", "check_plain", "side_of", "symbol_id_of"]

_PRICES: Final = ("limitPrice", "stopPrice", "baseSlippagePrice", "stopLoss", "takeProfit")
_DISTANCES: Final = ("relativeStopLoss", "relativeTakeProfit")  # 1/100000 of a price
_IDS: Final = ("symbolId", "orderId", "positionId")
_TEXTS: Final = (
    ("label", LONGEST_LABEL),
    ("comment", LONGEST_COMMENT),
    ("clientOrderId", LONGEST_CLIENT_ORDER_ID),
)
_WIRE_DIGITS: Final = 5
_KINDS: Final = oa.ProtoOAOrderType
_NEEDED: Final[Mapping[int, tuple[str, ...]]] = MappingProxyType(  # docs/protocol.md section 10
    {
        _KINDS.LIMIT: ("limitPrice",),
        _KINDS.STOP: ("stopPrice",),
        _KINDS.STOP_LIMIT: ("stopPrice", "slippageInPoints"),
        _KINDS.MARKET_RANGE: ("baseSlippagePrice", "slippageInPoints"),
    }
)
_WAITING: Final[frozenset[int]] = frozenset({_KINDS.LIMIT, _KINDS.STOP, _KINDS.STOP_LIMIT})
_CHECKED: Final = (
    oa.ProtoOANewOrderReq,
    oa.ProtoOAAmendOrderReq,
    oa.ProtoOAAmendPositionSLTPReq,
    oa.ProtoOAClosePositionReq,
    oa.ProtoOACancelOrderReq,
)


def check_plain(request: Any, *, now_ms: int) -> None:
    """Returns if no field is one that no symbol could take.

    Args:
        request: any trading request.
        now_ms: UTC milliseconds.

    Raises:
        InvalidOrder: names the field, its value and what is allowed.
    """
    if not isinstance(request, _CHECKED):
        return
    for name in _given(request, *_PRICES):
        value = getattr(request, name)
        if not math.isfinite(value) or value <= 0:
            raise fields.invalid(name, value, "a price is a finite number above 0")
    for name in _given(request, *_IDS):
        if getattr(request, name) <= 0:
            raise fields.invalid(name, getattr(request, name), "an id of the server's is a whole number above 0")
    for name in _given(request, *_DISTANCES, "volume"):
        if getattr(request, name) <= 0:
            what = "a size" if name == "volume" else "a distance"
            raise fields.invalid(name, getattr(request, name), f"{what} is above 0")
    for name in _given(request, "slippageInPoints"):
        fields.slippage_points(name, getattr(request, name))
    for name, longest in _TEXTS:
        if getattr(request, name, ""):  # an empty one says nothing
            fields.text(name, getattr(request, name), longest=longest)
    for name in _given(request, "expirationTimestamp"):
        fields.expiry_ms(name, getattr(request, name), now_ms=now_ms)
    if isinstance(request, oa.ProtoOANewOrderReq):
        _check_kind(request)


def _check_kind(request: oa.ProtoOANewOrderReq) -> None:
    """That nothing is missing that an order of its kind needs."""
    for name in _NEEDED.get(request.orderType, ()):
        if not _given(request, name):
            raise InvalidOrder(f"{name}: none is given: a {_KINDS(request.orderType).name} order needs one")
    till_date = request.timeInForce == oa.ProtoOATimeInForce.GOOD_TILL_DATE
    if till_date and not request.HasField("expirationTimestamp"):
        raise InvalidOrder("expirationTimestamp: none is given: GOOD_TILL_DATE needs one")


def check_figures(
    request: Any,
    symbol: Symbol,
    *,
    open_cents: int | None = None,
    side: Side | None = None,
    quote: Decimal | None = None,
) -> None:
    """Returns if prices have no more digits than the symbol, the size is one of its sizes, and levels may lie there.

    Args:
        request: a trading request that `check_plain` let through.
        symbol: that it is about.
        open_cents: of a close: what is open of its position, hundredths of a unit, all of which may be closed.
        side: of the order that is amended, or of the position, where that is known; a new order says it itself.
        quote: what a new order that fills at once would fill at, where that is known.

    Raises:
        InvalidOrder: see `check_plain`.
    """
    for name in _given(request, *_PRICES):
        fields.price_double(name, Decimal(repr(getattr(request, name))), symbol)
    for name in _given(request, *_DISTANCES):
        distance = getattr(request, name)
        if distance % 10 ** max(0, _WIRE_DIGITS - symbol.digits):
            step = f"{symbol.name} takes steps of {symbol.point:f}"
            raise fields.invalid(name, distance, f"it is in 1/100000 of a price, and {step}")
    if _given(request, "volume"):
        sizes = {"volume": request.volume}
        if open_cents is not None:
            fields.part_cents(sizes, symbol, whole_cents=open_cents)
        else:
            fields.size_cents(sizes, symbol)
    if isinstance(request, oa.ProtoOANewOrderReq):
        side = Side(request.tradeSide)
    if side is not None:
        _check_levels(request, symbol, side=side, quote=quote)


def _check_levels(request: Any, symbol: Symbol, *, side: Side, quote: Decimal | None) -> None:
    """The same that tickets and amendments are held to."""
    prices = {name: units.decimal_from_double(getattr(request, name)) for name in _given(request, *_PRICES)}
    names: list[str] = [name for name in ("limitPrice", "stopPrice", "baseSlippagePrice") if name in prices]
    waits = True
    if isinstance(request, oa.ProtoOANewOrderReq):  # a price that its kind has no use for says nothing
        names = [name for name in _NEEDED.get(request.orderType, ()) if name in prices]
        waits = request.orderType in _WAITING
    start = prices[names[0]] if names else None
    check_levels(
        side,
        stop_loss=prices.get("stopLoss"),
        take_profit=prices.get("takeProfit"),
        entry=start if waits else None,
        names=("stopLoss", "takeProfit"),
    )
    below = "relativeStopLoss" if side.level_below == "stop_loss" else "relativeTakeProfit"
    price = start if start is not None else quote
    for name in _given(request, below):
        if price is not None:
            distance = getattr(request, name)
            fields.above_zero(name, distance, distance, price=price, symbol=symbol)


def symbol_id_of(request: Any, books: Books) -> int | None:
    """The symbol that a request is about, or None where neither it nor the books tell."""
    if isinstance(request, oa.ProtoOANewOrderReq):
        symbol_id: int = request.symbolId
        return symbol_id
    if isinstance(request, oa.ProtoOAAmendOrderReq):
        order = books.positions.order(request.orderId)
        return order.symbol_id if order is not None else None
    if isinstance(request, oa.ProtoOAAmendPositionSLTPReq | oa.ProtoOAClosePositionReq):
        position = books.positions.position(request.positionId)
        return position.symbol_id if position is not None else None
    return None


def side_of(request: Any, books: Books) -> Side | None:
    """The side of the order or position that a request changes, or None where the books do not tell."""
    if isinstance(request, oa.ProtoOAAmendOrderReq):
        order = books.positions.order(request.orderId)
        return order.side if order is not None else None
    if isinstance(request, oa.ProtoOAAmendPositionSLTPReq):
        position = books.positions.position(request.positionId)
        return position.side if position is not None else None
    return None


def _given(request: Any, *names: str) -> list[str]:
    known = request.DESCRIPTOR.fields_by_name
    return [name for name in names if name in known and request.HasField(name)]
