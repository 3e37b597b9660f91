"""Which deals of an account are known, so that those made while nobody listened can be told apart. Pure.

A stop that is hit while the link is down sends its events to nobody; nothing is sent again (docs/protocol.md
section 17). The server's deal list tells of it, and an event that was merely late must not be told twice. That list
lags (section 12): what is missing in it may have been made all the same, until it was asked for again later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .history import HISTORY_LAG_S

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..wire import messages as oa

__all__ = ["DealMemory"]

_MOST_KNOWN = 10_000  # the oldest is forgotten: a span between two looks never held as many


class DealMemory:
    """The deals that are known, and which of them are on record with what they booked.

    Attributes:
        since_ms: when the last known one was made, by the server's clock, or a later moment until when there was none;
            before any, where the list began that was read first; None before that.
    """

    def __init__(self) -> None:
        self.since_ms: int | None = None
        self._gap_ms: int | None = None
        # When a list was first taken in after that, by the clock that never jumps, and what was known then.
        self._first_list: tuple[float, int] | None = None
        self._is_lost_since = False
        self._begins_ms: int | None = None
        self._known: dict[int, bool] = {}  # whether it is on record

    @property
    def unbroken_until_ms(self) -> int | None:
        """Up to when none was missed: events that come after a loss tell nothing of what was made during it."""
        return self.since_ms if self._gap_ms is None else self._gap_ms

    @property
    def has_gap(self) -> bool:
        """Whether any may be missed yet."""
        return self._gap_ms is not None

    def begin(self, listed: Iterable[oa.ProtoOADeal], *, since_ms: int) -> None:
        """Listening begins: what was made before is nobody's loss.

        Args:
            listed: what the server has of the time before. Known by their ids, for its clock is not ours.
            since_ms: where that list begins.
        """
        self.since_ms = since_ms
        for deal in listed:
            self.heard(deal)

    def go_on(self, on_record: Iterable[int], *, since_ms: int, begins_ms: int | None) -> None:
        """An earlier process listened, and its record tells.

        Args:
            on_record: the ids of the newest deals of it.
            since_ms: when the last of them was made, by the server's clock.
            begins_ms: what was made until then was made before there was a record; None where that is not known.
        """
        for deal_id in on_record:
            self.recorded(deal_id)
        self.since_ms = self._gap_ms = since_ms
        self._begins_ms = begins_ms

    def lose(self) -> None:
        """Deals may be missed from here on."""
        self._gap_ms = self.unbroken_until_ms
        self._is_lost_since = True

    def heard(self, deal: oa.ProtoOADeal) -> None:
        """An event told of it. The second event of one deal changes nothing."""
        self._keep(deal.dealId, on_record=False)
        if self.since_ms is not None:
            self.since_ms = max(self.since_ms, deal.executionTimestamp)

    def recorded(self, deal_id: int) -> None:
        """What it booked is on record."""
        self._keep(deal_id, on_record=True)

    def is_on_record(self, deal_id: int) -> bool:
        """Whether what it booked is on record."""
        return self._known.get(deal_id, False)

    def missed(self, listed: Iterable[oa.ProtoOADeal]) -> list[oa.ProtoOADeal]:
        """Those of the server's list that no event told of, oldest first. They are known from now on.

        Args:
            listed: what the server has of the time since none was missed.
        """
        fresh = {
            deal.dealId: deal
            for deal in listed
            if deal.dealId not in self._known and (self._begins_ms is None or deal.executionTimestamp > self._begins_ms)
        }
        missed = sorted(fresh.values(), key=lambda deal: (deal.executionTimestamp, deal.dealId))
        for deal in missed:
            self.heard(deal)
        return missed

    def mend(self, *, asked_s: float, now_s: float, until_ms: int) -> None:
        """Such a list was taken in.

        The gap is closed by one that was asked for so late that it has all that the first one may have lacked. Where
        more may be missed since, another begins at what was known by that first one: the list grows no longer.

        Args:
            asked_s: when it was asked for, by the clock that never jumps.
            now_s: likewise, the time now.
            until_ms: by the server's clock that list is whole up to then, at least.
        """
        self.since_ms = until_ms if self.since_ms is None else max(self.since_ms, until_ms)
        if self._gap_ms is None:
            return
        self._gap_ms = max(self._gap_ms, until_ms)
        if self._first_list is not None:
            first_s, known_ms = self._first_list
            if asked_s < first_s + HISTORY_LAG_S:
                return
            self._gap_ms = max(self._gap_ms, known_ms) if self._is_lost_since else None
        self._first_list = None if self._gap_ms is None else (now_s, self.since_ms)
        self._is_lost_since = False

    def _keep(self, deal_id: int, *, on_record: bool) -> None:
        self._known[deal_id] = on_record or self._known.get(deal_id, False)
        if len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]
