"""What a request would have an account do, in the terms that the limits are in. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..wire import messages as oa
from .errors import LimitExceeded
from .holdings import price_or_none
from .limits import Proposal
from .terms import Side

if TYPE_CHECKING:
    from decimal import Decimal

    from .holdings import PendingOrder
    from .positions import PositionBook
    from .symbols import Symbol

__all__ = ["not_known", "proposed"]

_PRICES: Final = ("limitPrice", "stopPrice", "baseSlippagePrice")
_RANGE: Final = "slippageInPoints"


def proposed(request: Any, symbol: Symbol, book: PositionBook) -> Proposal:
    """The order of a `ProtoOANewOrderReq`, or what a `ProtoOAAmendOrderReq` would make of one.

    Args:
        request: one of the two.
        symbol: what it trades.
        book: the positions and orders of its account.

    Raises:
        LimitExceeded: a price of it is none, or the order is not known that it changes.
    """
    if isinstance(request, oa.ProtoOANewOrderReq):
        return Proposal(
            symbol=symbol,
            side=Side(request.tradeSide),
            volume_cents=request.volume,
            added_cents=request.volume,
            prices=_prices(request, symbol, Side(request.tradeSide)),
            opens_position=book.position(request.positionId) is None,
        )
    order = book.order(request.orderId)
    if order is None:
        raise LimitExceeded(not_known(request))
    now, filled_cents = _prices_of(order, symbol), order.executed_volume_cents
    return Proposal(
        symbol=symbol,
        side=order.side,
        volume_cents=request.volume + filled_cents,
        added_cents=max(0, request.volume + filled_cents - order.volume_cents),
        filled_cents=filled_cents,
        prices=tuple(price for price in _prices(request, symbol, order.side) if price not in now),
        is_new=False,
        opens_position=False,
    )


def not_known(request: Any) -> str:
    """What to say of a change to an order that is not known."""
    return f"no limit can be applied to order {request.orderId}, which is not known to be working"


def _prices(request: Any, symbol: Symbol, side: Side) -> tuple[Decimal, ...]:
    """Those that a request names, and the worst that its range allows."""
    fields = [name for name in _PRICES if name in request.DESCRIPTOR.fields_by_name and request.HasField(name)]
    named = {name: _price(request, name) for name in fields}
    points = request.slippageInPoints if request.HasField(_RANGE) else 0
    starts = [price for name, price in named.items() if name != "limitPrice"]
    return (*named.values(), *(_worst(price, points, symbol, side) for price in starts if points))


def _prices_of(order: PendingOrder, symbol: Symbol) -> tuple[Decimal, ...]:
    named = [price for price in (order.limit_price, order.stop_price) if price is not None]
    if order.stop_price is not None and order.slippage_points:
        named.append(_worst(order.stop_price, order.slippage_points, symbol, order.side))
    return tuple(named)


def _worst(price: Decimal, points: int, symbol: Symbol, side: Side) -> Decimal:
    """The price that is so many points worse for whoever trades on this side."""
    return price + points * symbol.point * (1 if side is Side.BUY else -1)


def _price(request: Any, name: str) -> Decimal:
    value = getattr(request, name)
    price = price_or_none(value)
    if price is None:
        raise LimitExceeded(f"price_collar_percent: {name} {value!r} is no price")
    return price
