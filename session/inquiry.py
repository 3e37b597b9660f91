"""Asks the server what became of whatever has an unknown outcome, and takes over what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..wire import messages as oa
from . import clock
from .errors import RequestFailed, ServerError
from .history import LONGEST_SPAN_MS, ListIncomplete, deals_between, orders_between
from .order_states import OrderState
from .secret import could_be
from .server_clock import ServerClock
from .verdicts import Evidence, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .absences import Absences
    from .account import Account
    from .books import Books
    from .gate import Gate
    from .holdings import PendingOrder
    from .orders import OrderRecord
    from .request_record import RequestRecord

__all__ = ["Inquiry"]

# An order that fills at once does so within 0.2 s; one that has worked for longer than that is the server's trouble.
_AT_WORK_MS: Final = 300_000
# From its intent on it waits for the disk and in the queue, seconds; a network delivers what a process that has died
# left to it, minutes at most.
_ON_ITS_WAY_MS: Final = 300_000
_UNMARKED: Final = (
    "an order of its position, side and size came after its intent; that it left is not on record, so that this may be "
    "another client's"
)


class Inquiry:
    """Of one account.

    Args:
        books: those that are set right.
        account: whose they are.
        gate: where facts go on record.
        absences: counts the looks that found nothing.
        server: its clock.
        fill_s: how long an order may go without a word of the server's.

    Attributes:
        is_left: whether the last look left an order of this process without its end, or a part of its fills: the lists
            may lag, or could not be had.
    """

    def __init__(
        self,
        books: Books,
        *,
        account: Account,
        gate: Gate,
        absences: Absences,
        server: ServerClock,
        fill_s: float,
    ) -> None:
        self._books = books
        self._account = account
        self._gate = gate
        self._absences = absences
        self._server = server
        # The watch over fills has waited for so long by another clock, and must not find it a little early.
        self._late_ms = int(900 * fill_s)
        self._is_first = True
        self.is_left = False

    async def ask(self, under_way: set[OrderRecord], listed: oa.ProtoOAReconcileRes) -> bool:
        """One look at the server's lists: where there is anything to look up, and the first one in any case.

        The first costs one request, for nothing else tells of an order that an earlier process, or another program, has
        made just before and that is yet to be filled.

        Args:
            under_way: the orders of ours that had not ended before that was told.
            listed: what is open and works, as it was just told.

        Returns:
            whether it told of fills that were not known.
        """
        untold = self._untold(under_way, {order.orderId for order in listed.order})
        self.is_left = bool(untold)
        doubts, others = tuple(self._books.doubts), self._others()
        if not (untold or doubts or others or self._is_first):
            return False
        left_ms = [_left_at_ms(record) for record in untold] + [record.left_at_ms for record in doubts]
        until_ms = ServerClock.latest_ms(clock.utc_ms())
        taken_ms = [order.created_at_ms or until_ms - LONGEST_SPAN_MS for order in others]
        if self._is_first:
            left_ms.append(clock.utc_ms() - _AT_WORK_MS)
        since_ms = min([self._earliest_ms(at_ms) for at_ms in left_ms] + taken_ms)
        try:
            orders = await orders_between(self._account, since_ms, until_ms)
            deals = await deals_between(self._account, since_ms, until_ms) if untold else []
            orders += await self._unlisted(untold, orders, deals)
            details = await self._details(doubts)
        except RequestFailed as error:
            if (untold or doubts) and not isinstance(error, ServerError | ListIncomplete):
                raise
            # What cannot be looked up must not keep the whole account away; it stays unknown.
            asked_for = len(untold) + len(doubts) + len(others)
            self._books.warn("not_looked_up", orders=asked_for, reason=str(error))
            return False
        if untold and deals:
            # Whoever waits for a fill finds its position as it left it: the list that was told may be older than that.
            await self._books.reconcile()
        self._is_first = False
        told = self._tell(orders)
        told = self._settle(untold, orders, deals) or told
        handles = self._books.handles  # what an earlier process saw the end of has none
        self.is_left = any(not record.is_told and record.client_order_id in handles for record in untold)
        self._judge(doubts, [*orders, *listed.order], details)
        self._books.provenance.saw_rows(orders)
        for deal in deals:
            self._books.provenance.saw_deal(deal)
        return told

    def _untold(self, under_way: set[OrderRecord], working: set[int]) -> list[OrderRecord]:
        """The orders that the server must be asked about.

        Those whose outcome is unknown, those that more is filled of than we know deals of, those that were under way
        and that the server works on no more: the event of their end was lost, or is on its way; and those that it
        should have said something of by now.
        """
        late_ms = clock.utc_ms() - self._late_ms
        at_work = (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)
        return [
            record
            for record in self._books.orders
            if record.state is OrderState.UNKNOWN
            or record.executed_volume_cents > record.filled_volume_cents
            or (record in under_way and record.state in at_work and record.order_id not in working)
            or (record in under_way and record.state is OrderState.SENT and (record.sent_at_ms or 0) <= late_ms)
        ]

    def _others(self) -> list[PendingOrder]:
        """The orders at work that fill at once and that no record of ours stands for, raw ones and those of others.

        They count as filled, and where their end was lost, nothing else would tell of it: the whole list has none.
        """
        record_of = self._books.orders.by_order_id
        return [
            order
            for order in self._books.positions.immediate_orders
            if (record := record_of(order.id)) is None or record.is_final
        ]

    def _tell(self, orders: list[Any]) -> bool:
        """Takes over what became of those that fill at once; whether more is filled of them than was known."""
        told = False
        for row in orders:
            filled_cents = self._books.positions.told(row)
            if filled_cents > 0 and self._books.orders.find(row) is None:
                self._books.remainders.told(row, filled_cents)
                told = True
        return told

    def _earliest_ms(self, at_ms: int) -> int:
        return self._server.earliest_ms(at_ms, utc_ms=clock.utc_ms(), now_s=clock.now_s())

    def _arrived_by_ms(self, intent_at_ms: int) -> int:
        by_ms = intent_at_ms + _ON_ITS_WAY_MS
        return self._server.told_by_ms(by_ms, utc_ms=clock.utc_ms(), now_s=clock.now_s())

    async def _details(self, doubts: Iterable[RequestRecord]) -> dict[int, Any]:
        """The orders that doubts are about and that work no more: a list of a span need not have them."""
        found: dict[int, Any] = {}
        for record in doubts:
            kind, id_ = record.target or ("", 0)
            if kind != "order" or id_ in found or self._books.positions.order(id_) is not None:
                continue
            if (order := await self._order(id_)) is not None:
                found[id_] = order
        return found

    async def _unlisted(self, untold: list[OrderRecord], orders: list[Any], deals: list[Any]) -> list[Any]:
        """The orders of deals that may be the work of one of ours, where the list of orders does not have them."""
        listed = {order.orderId for order in orders}
        ids = {deal.orderId for record in untold for deal in deals if self._may_be_of(record, deal)} - listed
        return [order for id_ in sorted(ids) if (order := await self._order(id_)) is not None]

    async def _order(self, order_id: int) -> Any:
        try:
            return (await self._account.ask(oa.ProtoOAOrderDetailsReq(orderId=order_id))).order
        except ServerError as error:
            if error.code not in ("ORDER_NOT_FOUND", "ENTITY_NOT_FOUND"):
                raise
        return None

    def _may_be_of(self, record: OrderRecord, deal: Any) -> bool:
        """Whether a deal is of an order that is not known, and of what a record asked for."""
        if record.order_id is not None or self._books.orders.by_order_id(deal.orderId) is not None:
            return False
        if not self._books.provenance.allows(deal.orderId, record.client_order_id, record.departure):
            return False
        if (deal.symbolId, deal.tradeSide) != (record.symbol.id, record.side.value):
            return False
        if record.is_close and deal.positionId != record.position_id:
            return False
        return (
            deal.filledVolume <= record.volume_cents
            and deal.executionTimestamp >= self._earliest_ms(_left_at_ms(record))
            and bool(_closes(deal)) >= record.is_close
        )

    def _settle(self, untold: list[OrderRecord], orders: list[Any], deals: list[Any]) -> bool:
        table, at_ms = self._books.orders, clock.utc_ms()
        # Only those: the lists lag, and of an order that an event has ended they may still say that it works.
        changes = table.settle([row for row in orders if table.find(row) in untold], deals, at_ms=at_ms)
        alike: dict[tuple[int | None, int], list[OrderRecord]] = {}
        unanswered = [record for record in untold if record.state is OrderState.SENT]
        for record in sorted((*table.unknown, *unanswered), key=_left_at_ms):
            if record.is_close:
                alike.setdefault((record.position_id, record.volume_cents), []).append(record)
        for records in alike.values():
            # Their own time, not the window's: another close of the same size may have come before them.
            since_ms = self._earliest_ms(_left_at_ms(records[0]))
            changes += table.settle_closes(records, orders, deals, since_ms=since_ms, at_ms=at_ms)
        for change in changes:
            if change.moved:
                unmarked = change.record.is_close and change.record.sent_at_ms is None
                reason = {"reason": _UNMARKED} if unmarked else {}
                self._gate.note("resolved", {**change.record.described(), **reason})
            opened = (fill.volume_cents for fill in change.fills if fill.realised is None)
            self._books.remainders.add(change.record, sum(opened))
        self._books.changed(changes)
        for record in table.unknown:
            self._look_for(record, orders, deals)
        return any(change.fills for change in changes)

    def _look_for(self, record: OrderRecord, orders: list[Any], deals: list[Any]) -> None:
        """The lists have settled nothing of it: whether they have nothing of it at all, and often enough."""
        if self._may_have_arrived(record, orders, deals):
            self._absences.found(record)
        elif record.order_id is None and self._absences.missed(record, now_s=clock.now_s()):
            change = record.never_arrived(at_ms=clock.utc_ms())
            reason = f"{self._absences} found nothing of it, and its link is closed"
            self._gate.note("resolved", {**record.described(), "reason": reason})
            self._absences.over(record)
            self._books.changed([change])
            return
        self._books.warn("outcome_unknown", order=record.client_order_id)

    def _may_have_arrived(self, record: OrderRecord, orders: list[Any], deals: list[Any]) -> bool:
        """Whether anything that the server shows may be its work. Its lists lag, so what is open has a say too."""
        since_ms, book = self._earliest_ms(_left_at_ms(record)), self._books.positions
        told = {order.orderId for order in orders}
        if any(deal.orderId not in told and self._may_be_of(record, deal) for deal in deals):
            return True  # whose order that is, the server does not say
        if not record.is_close:
            taken = {other.position_id for other in self._books.orders if other is not record}
            intent: Any = record.intent
            return record.position_id != getattr(intent, "position_id", None) or any(
                could_be(intent.label or record.client_order_id, position.label)  # each of our orders gives one
                and (position.opened_at_ms or 0) >= since_ms
                and position.id not in taken
                for position in book.positions
            )
        if self._books.orders.candidates(record, orders, since_ms=since_ms):
            return True  # one of several
        position = book.position(record.position_id or 0)
        left_cents = position.volume_cents if position is not None and position.is_open else 0
        closing = [deal for deal in deals if deal.positionId == record.position_id and _closes(deal)]
        if record.open_before is None:  # an earlier process's: how much was open then is not known
            return not left_cents and not closing
        open_cents, known_ms = record.open_before
        closed_cents = sum(_closes(deal) for deal in closing if deal.executionTimestamp > known_ms)
        return left_cents < open_cents - closed_cents  # less is open than the deals that are listed explain

    def _judge(self, doubts: Iterable[RequestRecord], orders: list[Any], details: dict[int, Any]) -> None:
        evidence = Evidence(
            book=self._books.positions,
            orders=orders,
            details=details,
            earliest_ms=self._earliest_ms,
            latest_ms=self._arrived_by_ms,
            mask=self._gate.mask,
        )
        for record in doubts:
            if record not in self._books.doubts:
                continue  # its answer came while the lists were on their way
            verdict = self._books.doubts.looked(record, evidence, now_s=clock.now_s())
            if verdict.outcome is not None:
                self._books.settled(record, verdict)
                if verdict.outcome is Outcome.UNDECIDED:  # it counts no longer, and a person is to know that
                    self._books.warn("undecided", request=record.name, intent=record.intent_id, reason=verdict.reason)
            else:
                self._books.warn("outcome_unknown", request=record.name, intent=record.intent_id, reason=verdict.reason)


def _closes(deal: Any) -> int:
    """How much a deal closes, hundredths of a unit."""
    closed: int = deal.closePositionDetail.closedVolume if deal.HasField("closePositionDetail") else 0
    return closed


def _left_at_ms(record: OrderRecord) -> int:
    return record.sent_at_ms or record.intent_at_ms
