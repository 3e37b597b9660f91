"""How much of a position is still what one order opened. Pure.

A netted position, and one that was added to, belongs to several orders, and the server does not say what is whose. Here
whatever is closed of it, by whomever, is taken from that one order's first: the rest is never touched for its sake.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..wire import messages as oa
    from .fills import Fill

__all__ = ["Share", "opened_by"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What an order opened of a position, or added to it.

    Attributes:
        order_id: `orderId`.
        position_id: `positionId`.
        opened_cents: how much that was, hundredths of a unit.
        others_cents: what was open of the position beside it when its first fill was told, likewise; None where no
            event told of that fill.
        since_ms: when that fill was made, by the server's clock.
        first_deal_id: its `dealId`.
    """

    order_id: int
    position_id: int
    opened_cents: int
    others_cents: int | None
    since_ms: int
    first_deal_id: int

    @classmethod
    def of(
        cls, fills: Iterable[Fill], *, order_id: int, position_id: int, opened_cents: int, others_cents: int | None
    ) -> Self:
        """Of an order with these fills; see the attributes.

        Raises:
            ValueError: there is no fill.
        """
        # Where none of them opened anything, the server opened the rest by an order of its own (section 19).
        first = min(fills, key=lambda fill: (not opened_by(fill), fill.at_ms, fill.deal_id))
        return cls(
            order_id=order_id,
            position_id=position_id,
            opened_cents=opened_cents,
            others_cents=others_cents,
            since_ms=first.at_ms,
            first_deal_id=first.deal_id,
        )

    def is_untouched(self, open_cents: int) -> bool:
        """Whether the position is as large as it was with it, so that nobody seems to have closed anything.

        Args:
            open_cents: what is open of the position, hundredths of a unit.
        """
        return self.others_cents is not None and open_cents == self.others_cents + self.opened_cents

    def left_cents(self, open_cents: int, *, deals: Iterable[oa.ProtoOADeal], fills: Iterable[Fill] = ()) -> int:
        """How much of it is left at the most, hundredths of a unit.

        Args:
            open_cents: what is open of the position.
            deals: of the account since `since_ms`, as the server lists them: the list may lag.
            fills: those that are known besides; one that is listed too counts once.
        """
        closed = {
            (deal.executionTimestamp, deal.dealId): deal.closePositionDetail.closedVolume
            for deal in deals
            if self._is_others(deal.orderId, deal.positionId) and deal.HasField("closePositionDetail")
        }
        for fill in fills:
            if self._is_others(fill.order_id, fill.position_id) and fill.realised is not None:
                closed[fill.at_ms, fill.deal_id] = fill.realised.closed_volume_cents
        since = sum(cents for made, cents in closed.items() if made > (self.since_ms, self.first_deal_id))
        # What no list has yet shows in the size of the position.
        return max(0, min(self.opened_cents - since, open_cents - (self.others_cents or 0)))

    def _is_others(self, order_id: int, position_id: int) -> bool:
        return position_id == self.position_id and order_id != self.order_id


def opened_by(fill: Fill) -> int:
    """How much of a fill opened something, hundredths of a unit: the rest closed what was there."""
    return fill.volume_cents - (fill.realised.closed_volume_cents if fill.realised is not None else 0)
