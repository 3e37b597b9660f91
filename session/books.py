"""The books of one account: its orders, its positions, and what goes on record of them.

Events move the books first, then they are noted, then whoever waits is woken. After a loss the books are set right by
what the server says: reconcile, and its lists for orders whose outcome is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import messages as oa
from . import clock
from .absences import Absences
from .bounds import Timings
from .client_order_ids import ClientOrderIds
from .closing import Closing
from .deal_record import DealRecord
from .doubts import Doubts
from .environments import Mode
from .event_facts import covered, end_facts, error_facts, execution_facts, slippage_facts
from .gaps import comes_of_deals, shows_gap
from .inheritance import Inheritance
from .inquiry import Inquiry
from .ledger import Ledger
from .leftovers import Leftovers
from .order import Order
from .order_memory import OrderMemory
from .order_states import OrderState
from .orders import OrderChange, OrderRecord, OrderTable
from .past import Past
from .positions import PositionBook
from .remainders import Remainders
from .server_clock import ServerClock
from .snapshot import snapshot_of
from .suspense import Suspense
from .turns import Turns
from .verdicts import Evidence, judged

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..wire import Message
    from .account import Account
    from .connection_log import ConnectionLog
    from .gate import Gate
    from .leftovers import Leftover
    from .positions import BookChange
    from .request_record import RequestRecord
    from .verdicts import Verdict

__all__ = ["Books"]

_ANSWERS = (oa.ProtoOAExecutionEvent, oa.ProtoOAOrderErrorEvent, oa.ProtoOAErrorRes, oa.ProtoErrorRes)
_ENDED_EARLIER = "an earlier process ended before its end was told"


class Books:
    """Keeps them. Told of everything by the account's reader, in the order of arrival.

    Args:
        account: whose they are.
        gate: where facts go on record.
        log: where what a person should know is written.
        doubt: told the account where the server is to be asked about it soon.
        left: what an earlier process asked for whose end is not on record.
        timings: how long, and how often, a request is looked for in vain before it counts as never arrived.

    Attributes:
        orders: the orders of ours, by any of their ids.
        positions: the positions and working orders, whoever made them.
        handles: what callers hold, by client order id.
        ledger: what has moved the balance, whoever did.
        record: puts deals on record, those that were missed as well.
        deals: which of them are known.
        past: what the audit tells of the time before.
        provenance: what the server's orders are known to have come of.
        doubts: the requests of unknown outcome that are no orders of ours.
        closing: what of positions is being closed already.
        suspense: which orders and positions a request of unknown outcome may have changed.
        ids: which client order ids are taken.
        turns: which amendment of an order or a position is under way.
        remainders: what of orders of ours the positions are yet to show.
        unseen_levels: orders of an earlier process that were filled, and whose levels nobody is known to have seen.
    """

    def __init__(
        self,
        account: Account,
        *,
        gate: Gate,
        log: ConnectionLog | None,
        doubt: Callable[[int], None],
        left: Leftovers | None = None,
        timings: Timings | None = None,
    ) -> None:
        left = left if left is not None else Leftovers()
        self.past = left.past.get(account.id) or Past()
        self.provenance = self.past.provenance
        self.orders = OrderTable(self.provenance)
        self.positions = PositionBook()
        self.handles: dict[str, Order] = {}
        self._memory = OrderMemory(self.orders, self.positions)
        self.ledger = Ledger()
        self._left = left.of_account(account.id)
        self._inheritance = Inheritance(self._left.orders, account=account, warn=self.warn)
        self.record = DealRecord(account, gate=gate, warn=self.warn, past=self.past)
        self.deals = self.record.known
        self._filled_before: set[int] = set()  # the deals of orders taken over whose fills are on record
        self.unseen_levels = self._left.levels
        timings = timings if timings is not None else Timings()
        self._absences = Absences(looks=timings.absent_looks, over_s=timings.absent_s)
        self.doubts = Doubts(self._absences, self.provenance)
        self.closing = Closing(self.orders, self.positions)
        self.turns, self.remainders = Turns(), Remainders()
        self._doubt, self._account = doubt, account
        self._gate, self._log = gate, log
        self._server = ServerClock()
        self.suspense = Suspense(
            account,
            orders=self.orders,
            positions=self.positions,
            doubts=self.doubts,
            inheritance=self._inheritance,
        )
        self.ids = ClientOrderIds(
            orders=self.orders,
            doubts=self.doubts,
            inheritance=self._inheritance,
            provenance=self.provenance,
            mask=gate.mask,
        )
        self._inquiry = Inquiry(
            self, account=account, gate=gate, absences=self._absences, server=self._server, fill_s=timings.fill_s
        )

    def add(self, order: Order) -> None:
        """A new order of ours."""
        self.orders.add(order.record)
        self.handles[order.client_order_id] = order
        _tidy(self, self._memory, self._absences)

    # From the reader

    def heard(self, message: Message) -> None:
        """An event of this account."""
        payload = covered(message.payload, self._gate.mask)
        at_ms = clock.utc_ms()
        if isinstance(payload, _ANSWERS) and (late := self.doubts.heard(payload, message.client_msg_id)) is not None:
            self.settled(*late)
        if isinstance(payload, oa.ProtoOAExecutionEvent):
            of_request = self.provenance.heard(payload, message.client_msg_id)
            changes = self.orders.apply(payload, at_ms=at_ms, client_msg_id=message.client_msg_id)
            _take(self, moved := self.positions.apply(payload, at_ms=at_ms))
            if payload.HasField("deal"):
                self.ledger.add([payload.deal])
                self.deals.heard(payload.deal)
                self._server.heard(payload.deal.executionTimestamp, utc_ms=at_ms, now_s=clock.now_s())
            if payload.HasField("depositWithdraw"):
                self.ledger.pay([payload.depositWithdraw])
            if all(change.input is None for change in changes) and not self.provenance.owns(payload.order.orderId):
                self.remainders.seen(payload.order)
            self._gate.note("execution", execution_facts(payload, changes, of_request=of_request))
            self.changed(changes)
            if payload.HasField("deal"):
                self.record.put("deal", payload.deal, order=payload.order if payload.HasField("order") else None)
            if self.positions.reconciled and shows_gap(moved, payload.deal if payload.HasField("deal") else None):
                self._doubt(self._account.id)
        elif isinstance(payload, oa.ProtoOAOrderErrorEvent):
            changes = self.orders.apply(payload, at_ms=at_ms, client_msg_id=message.client_msg_id)
            self._gate.note("order_error", error_facts(payload, changes))
            self.changed(changes)
        elif isinstance(payload, oa.ProtoOAErrorRes | oa.ProtoErrorRes):
            self._refused_late(payload, message.client_msg_id, at_ms=at_ms)
        elif isinstance(payload, oa.ProtoOATrailingSLChangedEvent | oa.ProtoOAMarginChangedEvent):
            _take(self, self.positions.apply(payload))
        elif isinstance(payload, oa.ProtoOASymbolChangedEvent):
            self._inheritance.look_soon()

    def _refused_late(
        self, payload: oa.ProtoOAErrorRes | oa.ProtoErrorRes, client_msg_id: str | None, *, at_ms: int
    ) -> None:
        """The order's caller is gone, was cancelled or ran out of time: the order is refused all the same."""
        error = oa.ProtoOAOrderErrorEvent(
            ctidTraderAccountId=self._account.id, errorCode=payload.errorCode, description=payload.description
        )
        changes = self.orders.apply(error, at_ms=at_ms, client_msg_id=client_msg_id)
        if changes:
            self._gate.note("order_error", error_facts(error, changes))
            self.changed(changes)

    def lost(self) -> None:
        """Events may be missed from here on."""
        self.ledger.lose()
        self.deals.lose()
        self._inheritance.look_soon()
        self._absences.sever(record for record in self.orders.open if record.state is not OrderState.CREATED)
        self.doubts.lose_link()
        for change in self.orders.lose_link(at_ms=clock.utc_ms()):
            self.unknown(change.record, "the link was lost before its end was told")

    def unknown(self, record: OrderRecord, reason: str) -> None:
        """Its outcome is not known: on record, and whoever waits is told."""
        self._gate.note("outcome_unknown", {**record.described(), "reason": reason})
        self.touch(record)

    def settled(self, record: RequestRecord, verdict: Verdict) -> None:
        """A request of unknown outcome has one now."""
        assert verdict.outcome is not None
        facts = {**record.ids, "outcome": verdict.outcome.value, "reason": verdict.reason}
        if verdict.order_id is not None:
            facts["order_id"] = verdict.order_id
        self._gate.note("resolved", facts)

    def amended(self, record: RequestRecord) -> None:
        """The server has taken an amendment: what it says now is held against what was asked for."""
        kind, id_ = record.target if record.target is not None else ("order", 0)
        held = self.positions.position(id_) if kind == "position" else self.positions.order(id_)
        verdict = judged(record, Evidence(book=self.positions, orders=()))
        if held is None or verdict.outcome is not None:
            return
        self._gate.note("levels_differ", {**record.ids, "reason": verdict.reason})
        self.warn("levels_differ", request=record.name, reason=verdict.reason)

    @property
    def has_unknown(self) -> bool:
        """Whether there is anything whose outcome is unknown, and worth a look now."""
        return bool(self.doubts) or bool(self.orders.unknown) or self._inheritance.is_due or self._inquiry.is_left

    @property
    def is_left_waiting(self) -> bool:
        """Whether the outcome of something that left by the present link is unknown."""
        return any(not self._absences.is_severed(record) for record in (*self.doubts, *self.orders.unknown))

    def changed(self, changes: list[OrderChange]) -> None:
        """Puts on record what became of orders of ours, and wakes whoever waits for them."""
        for change in changes:
            record = change.record
            if record.order_id is not None:
                self.provenance.came_of(record.order_id, record.client_order_id)
            if change.left_cents > 0:
                self.remainders.add(record, change.left_cents)
                self._doubt(self._account.id)
            for fill in change.fills:
                self.deals.recorded(fill.deal_id)
                if fill.deal_id in self._filled_before:
                    continue
                self._gate.note("fill", {**record.described(), **fill.described(), **slippage_facts(record)})
            if change.became_protected:
                self._gate.note("protected", {**record.described(), **record.protection.described()})
            if change.moved and record.is_final:
                self._gate.note("finished", {**record.described(), **end_facts(record)})
            if change.contradiction is not None:
                self._gate.note("contradiction", {**record.described(), "reason": change.contradiction})
                self._gate.trip(Mode.REDUCE_ONLY, f"order {record.client_order_id}: {change.contradiction}")
            self.touch(record)

    def touch(self, record: OrderRecord) -> None:
        """Whoever waits for this order looks at it again."""
        if (handle := self.handles.get(record.client_order_id)) is not None:
            handle.touched()

    # After a loss

    async def restore(self) -> str | None:
        """Sets the books right by the server's word. Gives why it is to be asked again in a while, or None."""
        self.ledger.lose()  # it is asked for, too, where an event may have been lost on a link that stays up
        silence = await self._inheritance.take(self._adopt)
        self._take_requests()
        under_way = set(self.orders.open)
        listed = await self.reconcile()
        # A close shall not have to wait for them, nor for a server that is silent about them twice.
        if (unknown := silence or await self._account.book.know(self.positions.symbol_ids)) is not None:
            self.warn("symbols_not_known", reason=unknown)
        again = await self.record.catch_up(listed)
        if await self._inquiry.ask(under_way, listed):
            # A fill that no event told of: its position may be younger than the first list, and its levels too.
            await self.reconcile()
        self.snapshot("restored")
        return again

    def _take_requests(self) -> None:
        """Takes over those that an earlier process left, of unknown outcome, so that the server is asked about them."""
        while self._left.requests:
            request = self._left.requests.pop(0)
            if self.doubts.add(request, severed=True):
                self._gate.note("outcome_unknown", {**request.ids, "reason": _ENDED_EARLIER})

    def _adopt(self, left: Leftover, record: OrderRecord) -> None:
        self._filled_before |= left.deals
        if left.end is not None:  # nobody holds it, and nothing waits for it: only its deals are asked for
            return self.orders.add(record)
        self.add(Order(record))
        self._absences.sever([record])
        self.unknown(record, _ENDED_EARLIER)

    async def reconcile(self) -> oa.ProtoOAReconcileRes:
        """Compares with the server's whole list, and takes that over; gives the list. Its deals are looked up soon."""
        ended = {record for record in self.orders if record.is_final}
        mark, remainders = self.positions.mark(), tuple(self.remainders)
        request = oa.ProtoOAReconcileReq(returnProtectionOrders=True)
        answer: oa.ProtoOAReconcileRes = await self._account.ask(request)
        if comes_of_deals(differences := self.positions.reconcile(answer, since=mark)):
            self._doubt(self._account.id)
        self.remainders.listed(remainders)
        self.provenance.saw_rows(answer.order)
        for difference in (*differences, *self.past.differences(self.positions)):
            self.warn("difference", reason=str(difference))
            self._gate.note("difference", {"account_id": self._account.id, "reason": str(difference)})
        # One that has ended while the list was on its way still works by that list, which is older.
        ours = [self.orders.find(row) for row in answer.order]
        rows = [row for row, own in zip(answer.order, ours, strict=True) if not (own and own.is_final) or own in ended]
        changes = self.orders.settle(rows, positions=answer.position, at_ms=clock.utc_ms())
        for change in changes:
            if change.moved and change.before is OrderState.UNKNOWN:
                self._gate.note("resolved", change.record.described())
        self.changed(changes)
        return answer

    def snapshot(self, why: str) -> None:
        """A line for each open position and each pending order, and one ahead of them that counts them."""
        name_of = self._account.name_of
        for fact, said in snapshot_of(self.positions, account_id=self._account.id, name_of=name_of, why=why):
            self._gate.snapshot(said, fact=fact)

    # Inside

    def warn(self, what: str, **fields: object) -> None:
        """Something that a person should know."""
        if self._log is not None:
            self._log.write(what, account=self._account.id, **fields)


def _take(books: Books, changes: list[BookChange]) -> None:
    for change in changes:
        if change.problem is not None:
            books.warn("unreadable", reason=change.problem)


def _tidy(books: Books, memory: OrderMemory, absences: Absences) -> None:
    """Forgets orders that ended long since; none while an outcome is unknown: the others tell whose order is which."""
    if memory.is_full and not books.has_unknown:
        for record in memory.outlived():
            absences.over(record)
            books.orders.forget(record)
            books.handles.pop(record.client_order_id, None)
