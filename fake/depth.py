"""The book behind the best price (docs/protocol.md section 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import messages as oa

if TYPE_CHECKING:
    from .floor import Floor

__all__ = ["depth_of"]

_STEPS = (0, 2, 5, 9, 15)  # points behind the best price
_LOTS = (1, 2, 5, 10, 25)


def depth_of(floor: Floor, symbol_id: int) -> dict[int, oa.ProtoOADepthQuote]:
    """The quotes of a symbol's book by id.

    A quote's id stands for its side, its price and its place: while those stay the id does, and a listener who adds and
    removes by id always has this book.
    """
    price = floor.market.prices.get(symbol_id)
    if price is None:
        return {}
    symbol = floor.market.symbols[symbol_id]
    book: dict[int, oa.ProtoOADepthQuote] = {}
    for place, (step, lots) in enumerate(zip(_STEPS, _LOTS, strict=True)):
        distance = step * symbol.point
        bid = oa.ProtoOADepthQuote(size=lots * symbol.lot_size, bid=max(1, price.bid - distance))
        bid.id = (bid.bid * len(_STEPS) + place) * 2
        ask = oa.ProtoOADepthQuote(size=lots * symbol.lot_size, ask=price.ask + distance)
        ask.id = (ask.ask * len(_STEPS) + place) * 2 + 1
        book[bid.id], book[ask.id] = bid, ask
    return book
