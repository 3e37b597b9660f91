"""What the server shows of positions and no deal that was told explains: an event before it is lost, or late. Pure.

The event of a fill can be lost, and one of the next fill, or of the protective order, show the position as it is since
(docs/protocol.md section 16). Nothing else would tell of the deal then: the books are right again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .holdings import Position
from .terms import Side

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..wire import messages as oa
    from .holdings import PendingOrder
    from .positions import BookChange, Difference

__all__ = ["comes_of_deals", "shows_gap"]

_DEALT: Final = frozenset({"existence", "side", "volume_cents", "executed_volume_cents"})


def shows_gap(changes: Iterable[BookChange], deal: oa.ProtoOADeal | None) -> bool:
    """Whether a position has grown or shrunk by other than what was dealt.

    Args:
        changes: what an event did to the book.
        deal: of that event, or None.
    """
    return any(_grown_cents(change) != _dealt_cents(change, deal) for change in changes if _of_position(change))


def comes_of_deals(differences: Iterable[Difference]) -> bool:
    """Whether the server's whole list differs from the book in what a deal, or the end of an order, has changed."""
    return any(difference.field in _DEALT for difference in differences)


def _of_position(change: BookChange) -> bool:
    return isinstance(change.after or change.before, Position) and change.problem is None


def _grown_cents(change: BookChange) -> int:
    return _signed_cents(change.after) - _signed_cents(change.before)


def _signed_cents(held: Position | PendingOrder | None) -> int:
    return 0 if held is None else held.volume_cents * held.side.sign


def _dealt_cents(change: BookChange, deal: oa.ProtoOADeal | None) -> int:
    held = change.after or change.before
    if deal is None or held is None or deal.positionId != held.id:
        return 0
    volume_cents: int = deal.filledVolume
    return volume_cents if deal.tradeSide == Side.BUY.value else -volume_cents
