"""Puts the deals of an account on record with what they booked: each once, those that were missed as well."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import anyio

from . import clock
from .chain import iso_ms
from .deal_memory import DealMemory
from .errors import RequestFailed, ServerError
from .event_facts import deal_facts
from .history import HISTORY_LAG_S, ListIncomplete, deals_between
from .ledger import EVENT_LAG_S
from .server_clock import FAR_APART_MS, ServerClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..wire import messages as oa
    from .account import Account
    from .gate import Gate
    from .past import Past

__all__ = ["DealRecord"]

# An event that is lost on a link that stays is noticed a minute later at the most (`BookWatch`), and others were told
# meanwhile; another minute for a look that was late.
_LOOK_BACK_MS = 120_000
# Until the list is asked for again, twice as long each time: four requests a gap, and the fourth is beyond the lag.
_AGAIN_S = 5.0
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
        next_look_s: when the list is to be asked for again, by the clock that never jumps; infinity where it is not.
    """

    def __init__(self, account: Account, *, gate: Gate, warn: Callable[..., None], past: Past) -> None:
        self.known = DealMemory()
        self.next_look_s = math.inf
        self._pause_s = _AGAIN_S
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
        A list of later looks lags: `next_look_s` says when to `look_again`.

        Args:
            open_: what is open, as the server has just told.

        Returns:
            why all is to be asked for again in a while, or None.

        Raises:
            NotSent, OutcomeUnknown: the server was not asked, or did not answer.
        """
        self.known.lose()  # the link is new, or an event may have been lost on it: nobody looks otherwise
        self.next_look_s, self._pause_s = math.inf, _AGAIN_S
        now_ms, now_s, known_ms = clock.utc_ms(), clock.now_s(), self.known.unbroken_until_ms
        since_ms = now_ms - FAR_APART_MS if known_ms is None else known_ms - self._look_back_ms
        if since_ms < (earliest_ms := now_ms - FAR_APART_MS - _FURTHEST_BACK_MS):
            span = f"from {iso_ms(since_ms)} to {iso_ms(earliest_ms)}"
            self._warn("not_looked_up", deals=span, reason="deals are asked for 30 days back: the broker has the rest")
            since_ms = earliest_ms
        try:
            listed = await self._listed(since_ms, now_ms)
        except (ServerError, ListIncomplete) as error:
            self._warn("not_looked_up", deals="since the last known one", reason=str(error))
            if known_ms is None:
                begins_ms = self._last_change_ms(open_, now_ms=now_ms)
                self.known.go_on((), since_ms=begins_ms, begins_ms=begins_ms)
                self._begun()
            # Asked again soon, a list that is too long for its pages would be no shorter.
            return f"deals cannot be listed: {error}" if isinstance(error, ServerError) else None
        self._look_back_ms = _LOOK_BACK_MS
        if known_ms is None:
            self.known.begin(listed, since_ms=since_ms)
            self._begun()
        else:
            self._take_in(listed, asked_ms=now_ms, asked_s=now_s)
        return None

    async def look_again(self) -> None:
        """The second look at a gap, and those after it, while all else goes on: no more than the list is asked for."""
        now_ms, now_s, known_ms = clock.utc_ms(), clock.now_s(), self.known.unbroken_until_ms
        self._put_off()
        if known_ms is None:
            return
        try:
            listed = await self._listed(known_ms - self._look_back_ms, now_ms)
        except RequestFailed as error:
            self._warn("not_looked_up", deals="since the last known one", reason=str(error))
            if isinstance(error, ListIncomplete):
                self.next_look_s = math.inf
            return
        await anyio.sleep(EVENT_LAG_S)  # what is told just now was not missed
        self._take_in(listed, asked_ms=now_ms, asked_s=now_s)

    async def _listed(self, since_ms: int, now_ms: int) -> list[Any]:
        listed = await deals_between(self._account, since_ms, ServerClock.latest_ms(now_ms))
        for deal in listed:
            self._provenance.saw_deal(deal)
        return listed

    def _take_in(self, listed: list[Any], *, asked_ms: int, asked_s: float) -> None:
        for deal in self.known.missed(listed):
            self.put("missed_deal", deal)
        whole_until_ms = asked_ms - FAR_APART_MS - int(HISTORY_LAG_S * 1000)
        self.known.mend(asked_s=asked_s, now_s=clock.now_s(), until_ms=whole_until_ms)
        if not self.known.has_gap:
            self.next_look_s = math.inf
        elif self.next_look_s == math.inf:
            self._put_off()

    def _put_off(self) -> None:
        self.next_look_s = clock.now_s() + self._pause_s
        self._pause_s = min(2 * self._pause_s, HISTORY_LAG_S)

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
