"""The requests of one account whose outcome is unknown and that no order record follows. Pure.

While one is in doubt, nothing more leaves for its order or position. Only the server's word leads out: a late answer,
what its lists show, or enough looks that agree: that there is nothing of it, or that it may be any of the same orders,
more than were asked for. Which of those it is, nothing will tell later either, so that is an end too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ..wire import messages as oa
from .order_inputs import is_out_of_time
from .provenance import could_come_of
from .request_facts import TRADING
from .verdicts import Evidence, Outcome, Verdict, judged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .absences import Absences
    from .provenance import Provenance
    from .request_record import RequestRecord, Target

__all__ = ["Doubts"]

# What the server gives back of a new order or a close: two that agree in these cannot be told apart.
_TOLD_APART_BY: Final = ("symbolId", "tradeSide", "orderType", "volume", "positionId", "clientOrderId", "label")


class Doubts:
    """Keeps them.

    Args:
        absences: counts the looks that agree.
        provenance: what the server's orders are known to have come of.
    """

    def __init__(self, absences: Absences, provenance: Provenance) -> None:
        self._absences = absences
        self._provenance = provenance
        self._records: dict[str, RequestRecord] = {}
        self._found: dict[str, object] = {}  # by intent: what the last look found that may be its work

    def __iter__(self) -> Iterator[RequestRecord]:
        """In the order in which they left."""
        return iter(sorted(self._records.values(), key=lambda record: (record.left_at_ms, record.departure.seen)))

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, record: RequestRecord) -> bool:
        return record.intent_id in self._records

    def add(self, record: RequestRecord, *, severed: bool = False) -> bool:
        """It left, and was not answered; whether that can be told from the server's lists at all.

        Args:
            record: of the request.
            severed: the link that it left by is closed already.
        """
        if type(record.payload).__name__ not in TRADING:
            return False
        self._records[record.intent_id] = record
        if severed:
            self._absences.sever([record])
        return True

    def of(self, target: Target) -> RequestRecord | None:
        """One that is about this order or position, or None."""
        return next((record for record in self._records.values() if record.target == target), None)

    def lose_link(self) -> None:
        """The link is closed: nothing of them is still on its way."""
        self._absences.sever(self._records.values())

    def heard(self, message: Any, client_msg_id: str | None) -> tuple[RequestRecord, Verdict] | None:
        """An answer that came late settles what it answers; None where it answers none of these."""
        found = (record for record in self._records.values() if record.client_msg_id == client_msg_id)
        record = next(found, None) if client_msg_id else None
        if record is None:
            return None
        code = message.errorCode
        if is_out_of_time(code):
            return None
        order_id = self._order_in(message, record)
        rejected = (oa.ProtoOAExecutionType.ORDER_CANCEL_REJECTED, oa.ProtoOAExecutionType.ORDER_REJECTED)
        if code or getattr(message, "executionType", 0) in rejected:
            verdict = Verdict(Outcome.REFUSED, f"it was answered late: {code or 'rejected'}", order_id=order_id)
        else:
            verdict = Verdict(Outcome.DONE, "it was answered late", order_id=order_id)
        self._settle(record, verdict)
        return record, verdict

    def looked(self, record: RequestRecord, evidence: Evidence, *, now_s: float) -> Verdict:
        """Holds one against what a look found; with an outcome it is no longer in doubt."""
        alike = sum(self._is_alike(record, other) for other in self._records.values())
        verdict = judged(record, replace(evidence, provenance=self._provenance, alike=alike))
        if verdict.outcome is None:
            found = verdict.among, verdict.shown_by
            if found != self._found.get(record.intent_id, ((), None)):
                self._absences.found(record)  # the looks before this one found something else
                self._found[record.intent_id] = found
            if verdict.arrived and not verdict.among:
                self._absences.found(record)
                return verdict
            if not self._absences.missed(record, now_s=now_s):
                return verdict
            verdict = self._agreed(verdict)
        self._settle(record, verdict)
        return verdict

    # How

    def _agreed(self, verdict: Verdict) -> Verdict:
        """What looks that are enough have found."""
        if verdict.among:
            reason = f"{self._absences} agree that {verdict.reason}: look yourself"
            # The only one is not looked for by another request of ours as well, for which it would be as good a guess.
            only = verdict.among[0] if len(verdict.among) == 1 else None
            return Verdict(Outcome.UNDECIDED, reason, among=verdict.among, order_id=only)
        if verdict.shown_by is not None:
            reason = f"{self._absences} agree that {verdict.reason}, and the lists tell of no order: look yourself"
            return Verdict(Outcome.UNDECIDED, reason)
        reason = f"{self._absences} found it without effect ({verdict.reason}), and its link is closed"
        return Verdict(Outcome.WITHOUT_EFFECT, reason)

    @staticmethod
    def _is_alike(one: RequestRecord, other: RequestRecord) -> bool:
        return one is other or (
            type(one.payload) is type(other.payload)
            and one.target == other.target
            and all(getattr(one.payload, name, None) == getattr(other.payload, name, None) for name in _TOLD_APART_BY)
        )

    @staticmethod
    def _order_in(message: Any, record: RequestRecord) -> int | None:
        """The order that an answer says came of it."""
        if not isinstance(record.payload, oa.ProtoOANewOrderReq | oa.ProtoOAClosePositionReq):
            return None
        if not isinstance(message, oa.ProtoOAExecutionEvent) or not could_come_of(record.payload, message.order):
            return None
        return message.order.orderId

    def _settle(self, record: RequestRecord, verdict: Verdict) -> None:
        if verdict.order_id is not None:
            self._provenance.came_of(verdict.order_id, record.intent_id)
        if verdict.outcome in (Outcome.DONE, Outcome.UNDECIDED):  # which order it is, nothing need have told
            self._provenance.names(getattr(record.payload, "clientOrderId", ""), verdict.order_id or 0)
        del self._records[record.intent_id]
        self._found.pop(record.intent_id, None)
        self._absences.over(record)
