"""What the deals of an account have booked, each counted once. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from .fills import Fill

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..wire import messages as oa

__all__ = ["Ledger"]


class Ledger:
    """The deals that closed something, by their ids, whoever made them; from events and from the server's list.

    Attributes:
        version: another number each time that something was learned.
        has_gap: deals may have been missed: the server's list is to be read.
    """

    def __init__(self) -> None:
        self.version = 0
        self.has_gap = True
        self._booked: dict[int, tuple[int, Decimal | None]] = {}  # the server's time, and what was booked

    def add(self, deals: Iterable[oa.ProtoOADeal]) -> None:
        """Counts deals; one that was counted before, or that closed nothing, changes nothing."""
        for deal in deals:
            if deal.dealId in self._booked or not deal.HasField("closePositionDetail"):
                continue
            fill = Fill.from_wire(deal)
            if fill is None:
                continue
            self._booked[deal.dealId] = (fill.at_ms, fill.realised.net if fill.realised is not None else None)
            self.version += 1

    def lose(self) -> None:
        """Deals may be missed from here on."""
        self.has_gap = True
        self.version += 1

    def booked_since(self, since_ms: int) -> Decimal:
        """What the balance was moved by: gross profit, swap, commissions and conversion fees; deposit currency.

        Args:
            since_ms: from this time on, by the server's clock; what is older is forgotten.

        Raises:
            ValueError: an amount could not be read, so the sum is not known.
        """
        self._booked = {id_: booked for id_, booked in self._booked.items() if booked[0] >= since_ms}
        total = Decimal(0)
        for deal_id, (_, net) in self._booked.items():
            if net is None:
                raise ValueError(f"what deal {deal_id} has booked cannot be read")
            total += net
        return total
