"""The books of one account: its orders, its positions, and what goes on record of them.

Events move the books first, then they are noted, then whoever waits is woken. After a loss the books are set right by
what the server says: reconcile, and its lists for orders whose outcome is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from ..wire import messages as oa
from . import clock
from .absences import LOOKS, Absences
from .deal_memory import DealMemory, facts_of_deal
from .environments import Mode
from .errors import NotSent, Refused, ServerError
from .history import deals_between, orders_between
from .ledger import Ledger
from .order import Order
from .order_states import OrderState
from .orders import OrderChange, OrderRecord, OrderTable
from .positions import PositionBook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..wire import Message
    from .account import Account
    from .connection_log import ConnectionLog
    from .gate import Gate
    from .leftovers import Leftover

__all__ = ["Books", "Target"]

Target = tuple[Literal["order", "position"], int]
"""What a request is for: an order or a position, and its id."""

# History lags (docs/protocol.md section 12), and the server's clock is not ours.
_LOOK_BACK_MS = 60_000
_LOOK_AHEAD_MS = 60_000
_CLOCKS_APART_MS = 5_000


class Books:
    """Keeps them. Told of everything by the account's reader, in the order of arrival.

    Args:
        account: whose they are.
        gate: where facts go on record.
        log: where what a person should know is written.
        left: orders of an earlier process whose end is not on record.
        absent_s: over how long an order must be looked for in vain before it counts as never arrived.

    Attributes:
        orders: the orders of ours, by any of their ids.
        positions: the positions and working orders, whoever made them.
        handles: what callers hold, by client order id.
        ledger: what deals have booked, whoever made them.
        deals: which deals are known.
    """

    def __init__(
        self,
        account: Account,
        *,
        gate: Gate,
        log: ConnectionLog | None,
        left: Iterable[Leftover] = (),
        absent_s: float = 30.0,
    ) -> None:
        self.orders = OrderTable()
        self.positions = PositionBook()
        self.handles: dict[str, Order] = {}
        self.ledger = Ledger()
        self.deals = DealMemory()
        self._doubts: set[Target] = set()
        self._left = [each for each in left if each.account_id == account.id]
        self._absences = Absences(over_s=absent_s)
        self._account = account
        self._gate = gate
        self._log = log

    def add(self, order: Order) -> None:
        """A new order of ours."""
        self.orders.add(order.record)
        self.handles[order.client_order_id] = order

    # From the reader

    def heard(self, message: Message) -> None:
        """An event of this account."""
        payload = covered(message.payload, self._gate.mask)
        at_ms = clock.utc_ms()
        if isinstance(payload, oa.ProtoOAExecutionEvent):
            changes = self.orders.apply(payload, at_ms=at_ms, client_msg_id=message.client_msg_id)
            self._take(self.positions.apply(payload))
            if payload.HasField("deal"):
                self.ledger.add([payload.deal])
                self.deals.heard(payload.deal)
            self._gate.note("execution", _execution_facts(payload, changes))
            self.changed(changes)
        elif isinstance(payload, oa.ProtoOAOrderErrorEvent):
            changes = self.orders.apply(payload, at_ms=at_ms, client_msg_id=message.client_msg_id)
            self._gate.note("order_error", _error_facts(payload, changes))
            self.changed(changes)
        elif isinstance(payload, oa.ProtoOAErrorRes | oa.ProtoErrorRes):
            self._refused_late(payload, message.client_msg_id, at_ms=at_ms)
        elif isinstance(payload, oa.ProtoOATrailingSLChangedEvent | oa.ProtoOAMarginChangedEvent):
            self._take(self.positions.apply(payload))

    def _refused_late(
        self, payload: oa.ProtoOAErrorRes | oa.ProtoErrorRes, client_msg_id: str | None, *, at_ms: int
    ) -> None:
        """The order's caller is gone, was cancelled or ran out of time: the order is refused all the same."""
        error = oa.ProtoOAOrderErrorEvent(
            ctidTraderAccountId=self._account.id, errorCode=payload.errorCode, description=payload.description
        )
        changes = self.orders.apply(error, at_ms=at_ms, client_msg_id=client_msg_id)
        if changes:
            self._gate.note("order_error", _error_facts(error, changes))
            self.changed(changes)

    def lost(self) -> None:
        """Events may be missed from here on."""
        self.ledger.lose()
        self._absences.sever(record for record in self.orders.open if record.state is not OrderState.CREATED)
        for change in self.orders.lose_link(at_ms=clock.utc_ms()):
            self.unknown(change.record, "the link was lost before its end was told")

    def unknown(self, record: OrderRecord, reason: str) -> None:
        """Its outcome is not known: on record, and whoever waits is told."""
        self._gate.note("outcome_unknown", {**record.described(), "reason": reason})
        self.touch(record)

    def doubt(self, target: Target) -> None:
        """A change of it left and was never answered: nothing more may leave for it until the server is asked."""
        self._doubts.add(target)

    def in_doubt(self, target: Target) -> bool:
        """Whether a change of it was never answered, and the server not asked since."""
        return target in self._doubts

    def check_settled(self, target: Target) -> None:
        """Returns if no request for this order or position has an unknown outcome.

        Raises:
            NotSent: one has. Nothing may leave for it.
        """
        kind, id_ = target
        records = self.orders.of_position(id_) if kind == "position" else [self.orders.by_order_id(id_)]
        for record in records:
            if record is not None and record.state is OrderState.UNKNOWN:
                raise NotSent(
                    f"nothing left for {kind} {id_}: the outcome of {record.client_order_id} is unknown, find out first"
                )
        if target in self._doubts:
            raise NotSent(f"nothing left for {kind} {id_}: a change of it was never answered, find out first")

    def changed(self, changes: list[OrderChange]) -> None:
        """Puts on record what became of orders of ours, and wakes whoever waits for them."""
        for change in changes:
            record = change.record
            for fill in change.fills:
                self._gate.note("fill", {**record.described(), **fill.described(), **_slippage_facts(record)})
            if change.moved and record.is_final:
                self._gate.note("finished", {**record.described(), **_latency_facts(record), **_result_facts(record)})
            if change.contradiction is not None:
                self._gate.note("contradiction", {**record.described(), "reason": change.contradiction})
                self._gate.trip(Mode.REDUCE_ONLY, f"order {record.client_order_id}: {change.contradiction}")
            self.touch(record)

    def touch(self, record: OrderRecord) -> None:
        """Whoever waits for this order looks at it again."""
        handle = self.handles.get(record.client_order_id)
        if handle is not None:
            handle.touched()

    # After a loss

    async def restore(self) -> None:
        """Sets the books right by the server's word; asked each time that the account is authorised."""
        self.ledger.lose()  # it is asked for, too, where an event may have been lost on a link that stays up
        await self._inherit()
        under_way = set(self.orders.open)
        listed = await self.reconcile()
        await self._account.book.know(self.positions.symbol_ids)  # a close shall not have to wait for them
        await self._catch_up()
        if await self._resolve(self._untold(under_way, {order.orderId for order in listed.order})):
            # A fill that no event told of: its position may be younger than the first list, and its levels too.
            await self.reconcile()
        self.snapshot("restored")

    async def _inherit(self) -> None:
        """Takes over the orders of an earlier process, of unknown outcome, so that the server is asked about them."""
        while self._left:
            each = self._left[0]
            try:
                record = each.record(await self._account.symbol(each.symbol))
            except Refused as error:  # the symbol is gone: a person has to look
                self._warn("not_followed", order=each.client_order_id, reason=str(error))
            else:
                self.add(Order(record))
                self._absences.sever([record])
                self.unknown(record, "an earlier process ended before its end was told")
            del self._left[0]

    async def reconcile(self) -> oa.ProtoOAReconcileRes:
        """Compares with the server's whole list, and takes that over; gives the list."""
        ended = {record for record in self.orders if record.is_final}
        mark, doubts = self.positions.mark(), set(self._doubts)
        request = oa.ProtoOAReconcileReq(returnProtectionOrders=True)
        answer: oa.ProtoOAReconcileRes = await self._account.ask(request)
        for difference in self.positions.reconcile(answer, since=mark):
            self._warn("difference", reason=str(difference))
            self._gate.note("difference", {"account_id": self._account.id, "reason": str(difference)})
        self._doubts -= doubts
        # One that has ended while the list was on its way still works by that list, which is older.
        ours = [self.orders.find(row) for row in answer.order]
        rows = [row for row, own in zip(answer.order, ours, strict=True) if not (own and own.is_final) or own in ended]
        changes = self.orders.settle(rows, positions=answer.position, at_ms=clock.utc_ms())
        for change in changes:
            if change.moved and change.before is OrderState.UNKNOWN:
                self._gate.note("resolved", change.record.described())
        self.changed(changes)
        return answer

    def _untold(self, under_way: set[OrderRecord], working: set[int]) -> list[OrderRecord]:
        """The orders that the server must be asked about.

        Those whose outcome is unknown, those that more is filled of than we know deals of, and those that were under
        way and that the server works on no more: the event of their end was lost, or is on its way.
        """
        at_work = (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)
        return [
            record
            for record in self.orders
            if record.state is OrderState.UNKNOWN
            or record.executed_volume_cents > record.filled_volume_cents
            or (record in under_way and record.state in at_work and record.order_id not in working)
        ]

    def snapshot(self, why: str) -> None:
        """A line for each open position, and one that counts them."""
        head = {"account_id": self._account.id, "why": why, "open_positions": len(self.positions.positions)}
        self._gate.snapshot(head)
        for position in self.positions.positions:
            facts = {"account_id": self._account.id, "symbol": self._account.name_of(position.symbol_id)}
            self._gate.snapshot({**facts, **position.described(), "why": why})

    async def _catch_up(self) -> None:
        """Asks for the deals since the last known one, and puts on record those that no event told of."""
        if self.deals.since_ms is None:
            self.deals.begin(clock.utc_ms())
            return
        since_ms, until_ms = self.deals.since_ms - _LOOK_BACK_MS, clock.utc_ms() + _LOOK_AHEAD_MS
        try:
            listed = await deals_between(self._account, since_ms, until_ms)
        except ServerError as error:
            self._warn("not_looked_up", deals="since the last known one", reason=str(error))  # the next look tells
            return
        for deal in self.deals.missed(listed):
            self._gate.note("missed_deal", {"account_id": self._account.id, **facts_of_deal(deal)})

    async def _resolve(self, untold: list[OrderRecord]) -> bool:
        """Asks the server what became of orders; whether that told of fills that were not known."""
        if not untold:
            return False
        since_ms = min(_left_at_ms(record) for record in untold) - _LOOK_BACK_MS
        until_ms = clock.utc_ms() + _LOOK_AHEAD_MS
        try:
            orders = await orders_between(self._account, since_ms, until_ms)
            deals = await deals_between(self._account, since_ms, until_ms)
        except ServerError as error:
            # One order that cannot be looked up must not keep the whole account away; it stays unknown.
            self._warn("not_looked_up", orders=len(untold), reason=str(error))
            return False
        at_ms = clock.utc_ms()
        # Only those: the lists lag, and of an order that an event has ended they may still say that it works.
        changes = self.orders.settle([row for row in orders if self.orders.find(row) in untold], deals, at_ms=at_ms)
        for record in self.orders.unknown:
            if record.is_close:
                # Its own time, not the window's: another close of the same size may have come before it.
                left_ms = _left_at_ms(record) - _CLOCKS_APART_MS
                change = self.orders.settle_close(record, orders, deals, since_ms=left_ms, at_ms=at_ms)
                changes += [change] if change is not None else []
        for change in changes:
            if change.moved:
                self._gate.note("resolved", change.record.described())
        self.changed(changes)
        for record in self.orders.unknown:
            self._look_for(record, orders)
        return any(change.fills for change in changes)

    def _look_for(self, record: OrderRecord, orders: list[Any]) -> None:
        """The lists have settled nothing of it: whether they have nothing of it at all, and often enough."""
        since_ms = _left_at_ms(record) - _CLOCKS_APART_MS
        if record.is_close and self.orders.candidates(record, orders, since_ms=since_ms):
            self._absences.found(record)  # one of several: that it arrived may well be
        elif self._absences.missed(record, now_s=clock.now_s()):
            change = record.never_arrived(at_ms=clock.utc_ms())
            reason = f"{LOOKS} looks at the server's lists found nothing of it, and its link is closed"
            self._gate.note("resolved", {**record.described(), "reason": reason})
            self.changed([change])
            return
        self._warn("outcome_unknown", order=record.client_order_id)

    # Inside

    def _take(self, changes: list[Any]) -> None:
        for change in changes:
            if change.problem is not None:
                self._warn("unreadable", reason=change.problem)

    def _warn(self, what: str, **fields: object) -> None:
        if self._log is not None:
            self._log.write(what, account=self._account.id, **fields)


def covered(payload: Any, mask: Callable[[str], str]) -> Any:
    """The message with the secrets in its error texts covered; a copy where there are any."""
    said = {name: getattr(payload, name, "") for name in ("errorCode", "description")}
    changed = {name: masked for name, text in said.items() if text and (masked := mask(text)) != text}
    if changed:
        copy = type(payload)()
        copy.CopyFrom(payload)
        for name, text in changed.items():
            setattr(copy, name, text)
        payload = copy
    return payload


def _left_at_ms(record: OrderRecord) -> int:
    return record.sent_at_ms or record.intent_at_ms


def _execution_facts(event: oa.ProtoOAExecutionEvent, changes: list[OrderChange]) -> dict[str, Any]:
    """What an execution event says, and of which order of ours."""
    own = next((change for change in changes if change.input is not None), None)
    facts: dict[str, Any] = {
        "account_id": event.ctidTraderAccountId,
        "execution": _name(oa.ProtoOAExecutionType, event.executionType),
        "server_event": event.isServerEvent,
    }
    if own is not None:
        facts["client_order_id"] = own.record.client_order_id
        facts["state"] = own.after.value
    elif event.HasField("order") and event.order.clientOrderId:
        facts["client_order_id"] = event.order.clientOrderId
    if event.HasField("order"):
        order = event.order
        facts |= {"order_id": order.orderId, "order_type": _name(oa.ProtoOAOrderType, order.orderType)}
        facts |= {"volume_cents": order.tradeData.volume, "executed_volume_cents": order.executedVolume}
    if event.HasField("position"):
        facts |= {"position_id": event.position.positionId, "open_volume_cents": event.position.tradeData.volume}
    if event.HasField("deal"):
        facts["deal_id"] = event.deal.dealId
    if event.errorCode:
        facts["error_code"] = event.errorCode
    return facts


def _error_facts(event: oa.ProtoOAOrderErrorEvent, changes: list[OrderChange]) -> dict[str, Any]:
    facts: dict[str, Any] = {"account_id": event.ctidTraderAccountId, "error_code": event.errorCode}
    if changes:
        facts["client_order_id"] = changes[0].record.client_order_id
    if event.description:
        facts["error_description"] = event.description
    for field, name in (("orderId", "order_id"), ("positionId", "position_id")):
        if getattr(event, field):
            facts[name] = getattr(event, field)
    return facts


def _name(enum: Any, number: int) -> str:
    """The published name of a value, or the number that a newer server uses."""
    try:
        return str(enum(number).name)
    except ValueError:
        return str(number)


def _slippage_facts(record: OrderRecord) -> dict[str, str]:
    return record.slippage.described() if record.slippage is not None else {}


def _latency_facts(record: OrderRecord) -> dict[str, int]:
    return {f"{name}_after_ms": value for name, value in record.latencies_ms.items()}


def _result_facts(record: OrderRecord) -> dict[str, str]:
    """Slippage and cost of the whole order, and what it realised."""
    facts = _slippage_facts(record)
    if record.fills:
        facts["commission"] = f"{record.commission:f}"
    realised = record.realised
    if realised is not None:
        facts |= {
            "gross_profit": f"{realised.gross_profit:f}",
            "swap": f"{realised.swap:f}",
            "closing_commission": f"{realised.commission:f}",
            "conversion_fee": f"{realised.conversion_fee:f}",
            "net_profit": f"{realised.net:f}",
        }
    return facts
