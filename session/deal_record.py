"""Puts the deals of an account on record with what they booked: each once, those that were missed as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import clock
from .chain import iso_ms
from .deal_memory import DealMemory
from .errors import ServerError
from .event_facts import deal_facts
from .history import ListIncomplete, deals_between
from .server_clock import FAR_APART_MS, ServerClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..wire import messages as oa
    from .account import Account
    from .gate import Gate
    from .past import Past

__all__ = ["DealRecord"]

_LOOK_BACK_MS = 60_000  # history lags (docs/protocol.md section 12)
# An earlier process may have heard of a deal after a loss and ended before it could ask for those made during the loss:
# then the newest on record is no sign that all before it are. Losses seldom last a day.
_LOOK_BACK_AT_START_MS = 86_400_000
_FURTHEST_BACK_MS = 30 * 86_400_000  # five pages of a week: as many as a second's budget for history has


class DealRecord:
    """Of one account.

    Args:
        account: whose deals.
        gate: where facts go on record.
        warn: told what a person should know, as `ConnectionLog.write` is.
        past: what the audit tells of the time before.

    Attributes:
        known: which deals are known.
    """

    def __init__(self, account: Account, *, gate: Gate, warn: Callable[..., None], past: Past) -> None:
        self.known = DealMemory()
        self._account = account
        self._gate = gate
        self._warn = warn
        self._provenance = past.provenance
        self._look_back_ms = _LOOK_BACK_MS
        if past.deals_until_ms is not None:
            # No further than the record goes: files of days that are over may have been put elsewhere.
            span_ms = past.deals_until_ms - min(past.deals_since_ms or past.deals_until_ms, past.deals_until_ms)
            self._look_back_ms = max(_LOOK_BACK_MS, min(span_ms, _LOOK_BACK_AT_START_MS))
            self.known.go_on(past.deals, since_ms=past.deals_until_ms, begins_ms=past.begins_ms)

    def put(self, fact: str, deal: oa.ProtoOADeal, *, order: oa.ProtoOAOrder | None = None) -> None:
        """Puts what a deal booked on record, once; a fill of an order of ours has a line of its own.

        Args:
            fact: the name of the line.
            deal: whoever made it.
            order: what it filled, where an event has shown that.
        """
        if self.known.is_on_record(deal.dealId):
            return
        self.known.recorded(deal.dealId)
        symbol = self._account.name_of(deal.symbolId)
        self._gate.note(fact, {"account_id": self._account.id, **deal_facts(deal, symbol=symbol, order=order)})

    async def catch_up(self, open_: oa.ProtoOAReconcileRes) -> str | None:
        """Asks for the deals since the last known one, and puts on record those that no event told of.

        The record begins with the first look, whether or not the list could be had: what is missed after it is missed.

        Args:
            open_: what is open, as the server has just told.

        Returns:
            why they are to be asked for again in a while, or None.

        Raises:
            NotSent, OutcomeUnknown: the server was not asked, or did not answer.
        """
        now_ms, known_ms = clock.utc_ms(), self.known.unbroken_until_ms
        since_ms = now_ms - FAR_APART_MS if known_ms is None else known_ms - self._look_back_ms
        if since_ms < (earliest_ms := now_ms - FAR_APART_MS - _FURTHEST_BACK_MS):
            span = f"from {iso_ms(since_ms)} to {iso_ms(earliest_ms)}"
            self._warn("not_looked_up", deals=span, reason="deals are asked for 30 days back: the broker has the rest")
            since_ms = earliest_ms
        try:
            listed = await deals_between(self._account, since_ms, ServerClock.latest_ms(now_ms))
        except (ServerError, ListIncomplete) as error:
            self._warn("not_looked_up", deals="since the last known one", reason=str(error))
            if known_ms is None:
                begins_ms = self._last_change_ms(open_, now_ms=now_ms)
                self.known.go_on((), since_ms=begins_ms, begins_ms=begins_ms)
                self._begun()
            # Asked again soon, a list that is too long for its pages would be no shorter.
            return f"deals cannot be listed: {error}" if isinstance(error, ServerError) else None
        for deal in listed:
            self._provenance.saw_deal(deal)
        if known_ms is None:
            self._look_back_ms = _LOOK_BACK_MS
            self.known.begin(listed, since_ms=since_ms)
            self._begun()
            return None
        self._look_back_ms = _LOOK_BACK_MS
        for deal in self.known.missed(listed, until_ms=now_ms - FAR_APART_MS):
            self.put("missed_deal", deal)
        return None

    def _begun(self) -> None:
        self._gate.note("record_begins", {"account_id": self._account.id, "executed_at_ms": self.known.since_ms})

    def _last_change_ms(self, open_: oa.ProtoOAReconcileRes, *, now_ms: int) -> int:
        """When the account was last dealt on, by the server's clock: no deal that is younger was made before.

        What opened something that is still there is in the list of that, and what closed something in the account list.
        Where the server does not say the latter, our clock has to do.
        """
        rows: tuple[oa.ProtoOAPosition | oa.ProtoOAOrder, ...] = (*open_.position, *open_.order)
        told = [max(row.utcLastUpdateTimestamp, row.tradeData.openTimestamp) for row in rows]
        return max(now_ms - FAR_APART_MS, self._account.closed_at_ms or now_ms, *told)
