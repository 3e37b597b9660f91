"""The requests of one account whose outcome is unknown and that no order record follows. Pure.

While one is in doubt, nothing more leaves for its order or position. Only the server's word leads out: a late answer,
what its lists show, or that enough looks found nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..wire import messages as oa
from .order_inputs import is_out_of_time
from .request_facts import TRADING
from .verdicts import Evidence, Outcome, Verdict, judged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .absences import Absences
    from .request_record import RequestRecord, Target

__all__ = ["Doubts"]


class Doubts:
    """Keeps them.

    Args:
        absences: counts the looks that found nothing.
    """

    def __init__(self, absences: Absences) -> None:
        self._absences = absences
        self._records: dict[str, RequestRecord] = {}
        self._taken: set[int] = set()  # the orders that came of earlier ones

    def __iter__(self) -> Iterator[RequestRecord]:
        return iter(tuple(self._records.values()))

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
        rejected = (oa.ProtoOAExecutionType.ORDER_CANCEL_REJECTED, oa.ProtoOAExecutionType.ORDER_REJECTED)
        if code or getattr(message, "executionType", 0) in rejected:
            verdict = Verdict(Outcome.REFUSED, f"it was answered late: {code or 'rejected'}")
        else:
            verdict = Verdict(Outcome.DONE, "it was answered late")
        self._settle(record, verdict)
        return record, verdict

    def looked(self, record: RequestRecord, evidence: Evidence, *, now_s: float) -> Verdict:
        """Holds one against what a look found; with an outcome it is no longer in doubt."""
        verdict = judged(record, self._untaken(evidence))
        if verdict.outcome is None:
            if verdict.arrived:
                self._absences.found(record)
                return verdict
            if not self._absences.missed(record, now_s=now_s):
                return verdict
            reason = f"{self._absences} found it without effect ({verdict.reason}), and its link is closed"
            verdict = Verdict(Outcome.WITHOUT_EFFECT, reason)
        self._settle(record, verdict)
        return verdict

    def _untaken(self, evidence: Evidence) -> Evidence:
        return Evidence(
            book=evidence.book,
            orders=evidence.orders,
            details=evidence.details,
            earliest_ms=evidence.earliest_ms,
            taken=lambda order: order.orderId in self._taken or evidence.taken(order),
        )

    def _settle(self, record: RequestRecord, verdict: Verdict) -> None:
        if verdict.order_id is not None:
            self._taken.add(verdict.order_id)
        del self._records[record.intent_id]
        self._absences.over(record)
