"""Which deals of an account are known, so that those made while nobody listened can be told apart. Pure.

A stop that is hit while the link is down sends its events to nobody; nothing is sent again (docs/protocol.md
section 17). The server's deal list tells of it, and an event that was merely late must not be told twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..wire import messages as oa

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["DealMemory", "facts_of_deal"]

_MOST_KNOWN = 10_000  # the oldest is forgotten: a span between two looks never held as many


class DealMemory:
    """The deals that are known.

    Attributes:
        since_ms: when the last known one was made, by the server's clock; before any, where the list began that was
            read first; None before that.
    """

    def __init__(self) -> None:
        self.since_ms: int | None = None
        self._known: dict[int, None] = {}

    def begin(self, listed: Iterable[oa.ProtoOADeal], *, since_ms: int) -> None:
        """Listening begins: what was made before is nobody's loss.

        Args:
            listed: what the server has of the time before. Known by their ids, for its clock is not ours.
            since_ms: where that list begins.
        """
        self.since_ms = since_ms
        for deal in listed:
            self.heard(deal)

    def heard(self, deal: oa.ProtoOADeal) -> None:
        """An event told of it. The second event of one deal changes nothing."""
        self._known[deal.dealId] = None
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]
        if self.since_ms is not None:
            self.since_ms = max(self.since_ms, deal.executionTimestamp)

    def missed(self, listed: Iterable[oa.ProtoOADeal]) -> list[oa.ProtoOADeal]:
        """Those of the server's list that no event told of, oldest first. They are known from now on."""
        fresh = {deal.dealId: deal for deal in listed if deal.dealId not in self._known}
        missed = sorted(fresh.values(), key=lambda deal: (deal.executionTimestamp, deal.dealId))
        for deal in missed:
            self.heard(deal)
        return missed


def facts_of_deal(deal: oa.ProtoOADeal) -> dict[str, Any]:
    """What the record of a deal says."""
    facts: dict[str, Any] = {
        "deal_id": deal.dealId,
        "order_id": deal.orderId,
        "position_id": deal.positionId,
        "symbol_id": deal.symbolId,
        "volume_cents": deal.volume,
        "executed_volume_cents": deal.filledVolume,
        "closes": deal.HasField("closePositionDetail"),
        "executed_at_ms": deal.executionTimestamp,
    }
    if deal.HasField("executionPrice"):
        facts["price"] = f"{deal.executionPrice:.10g}"
    return facts
