"""What nobody keeps a record of, raw orders and changes, and that counts as filled until its outcome is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..wire import messages as oa
from .terms import Side

if TYPE_CHECKING:
    from .books import Books
    from .request_record import RequestRecord

__all__ = ["Claim", "Claims"]


@dataclass(frozen=True, slots=True, eq=False)
class Claim:
    """What nobody keeps a record of, a raw order or a change: it counts as filled until `Claims.settle` ends it.

    Attributes:
        symbol_id: what it trades.
        side: buy or sell.
        volume_cents: by how much that grows, hundredths of a unit.
        opens_position: whether a position may come of it that is not there yet.
    """

    symbol_id: int
    side: Side
    volume_cents: int
    opens_position: bool


class Claims:
    """Those of one account.

    Args:
        books: of that account: what of them is in doubt.
    """

    def __init__(self, books: Books) -> None:
        self._books = books
        self._held: dict[Claim, RequestRecord | None] = {}  # for as long as that is in doubt; None: under way

    def add(self, claim: Claim) -> None:
        """One more."""
        self._held[claim] = None

    def settle(self, claim: Claim, *, in_doubt: RequestRecord | None) -> None:
        """A request has ended.

        Args:
            claim: of it.
            in_doubt: the request, where its outcome is unknown: it counts until that is known. Otherwise it did not
                leave, was refused, or is in the books by now.
        """
        if in_doubt is None:
            del self._held[claim]
        else:
            self._held[claim] = in_doubt

    @property
    def all(self) -> tuple[Claim, ...]:
        """Those that count now."""
        doubts = self._books.doubts
        for claim in [claim for claim, record in self._held.items() if record is not None and record not in doubts]:
            del self._held[claim]
        # What an earlier process left has no claim of this one's.
        inherited = [self._inherited(record) for record in doubts if record not in self._held.values()]
        return (*self._held, *(claim for claim in inherited if claim is not None), *self._books.remainders)

    def _inherited(self, record: RequestRecord) -> Claim | None:
        request = record.payload
        if isinstance(request, oa.ProtoOANewOrderReq):
            opens = self._books.positions.position(request.positionId) is None
            return Claim(request.symbolId, Side(request.tradeSide), request.volume, opens)
        order = self._books.positions.order(request.orderId) if isinstance(request, oa.ProtoOAAmendOrderReq) else None
        if order is None:
            return None
        left_cents = order.volume_cents - order.executed_volume_cents  # the volume may mean that: see `Proposal`
        return Claim(order.symbol_id, order.side, max(0, request.volume - left_cents), False)
