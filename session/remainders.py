"""What of orders of ours the book of positions is yet to show, though no order of theirs works on it any more. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .claims import Claim
from .order_inputs import is_protective
from .terms import Side

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..wire import messages as oa
    from .orders import OrderRecord

__all__ = ["Remainders"]


class Remainders:
    """Of one account: it counts as filled until the server's whole list is taken over.

    One kind is what is left of an order that turns a netted account around, where the server closes the position with
    that order and opens the opposite one with another, which it may tell of later (docs/protocol.md section 19). The
    other is a fill that only the server's lists told of, of an order of ours or of anybody's.
    """

    def __init__(self) -> None:
        self._claims: list[Claim] = []

    def __iter__(self) -> Iterator[Claim]:
        return iter(tuple(self._claims))

    def add(self, record: OrderRecord, volume_cents: int) -> None:
        """So much of an order."""
        if volume_cents > 0 and not record.is_close:
            self._claims.append(Claim(record.symbol.id, record.side, volume_cents, opens_position=True))

    def told(self, order: oa.ProtoOAOrder, volume_cents: int) -> None:
        """So much of an order that no record of ours stands for, by the server's list of orders."""
        if volume_cents > 0 and not order.closingOrder:
            side = Side(order.tradeData.tradeSide)
            self._claims.append(Claim(order.tradeData.symbolId, side, volume_cents, opens_position=True))

    def seen(self, order: oa.ProtoOAOrder) -> None:
        """An event is about an order that is none of ours: it may be the one that goes on with what was left."""
        if order.closingOrder or is_protective(order):
            return
        trade = order.tradeData
        found = (trade.symbolId, trade.tradeSide, trade.volume)
        for claim in self._claims:
            if (claim.symbol_id, claim.side.value, claim.volume_cents) == found:
                self._claims.remove(claim)
                return

    def listed(self, before: tuple[Claim, ...]) -> None:
        """The server's whole list is in the book: what was left before it was asked shows there.

        Args:
            before: what there was then.
        """
        self._claims = [claim for claim in self._claims if claim not in before]
