"""Changes of what is there: cancels of pending orders, amendments of those and of positions' levels.

The server overwrites (docs/protocol.md section 10.3): an amendment is made from what it says that there is, read just
before, with the change on top; afterwards what it says then is held against that.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio

from ..wire import LocalProtocolError, Message
from ..wire import messages as oa
from . import clock
from .amendments import KEEP, OrderAmendment, PositionAmendment
from .changes import Cancel
from .environments import Mode
from .errors import NotSent, OutcomeUnknown, Refused, RequestFailed, ServerError
from .guard import tightens
from .intent import ALWAYS, Validity
from .preparing import check_open, figures, figures_if_told, open_position, prepared
from .request_record import RequestRecord
from .tickets import Ticket

if TYPE_CHECKING:
    from .account import Account
    from .allowance import Allowance
    from .books import Books
    from .client import Session
    from .gate import Gate
    from .holdings import PendingOrder, Position
    from .request_record import Target
    from .symbols import Symbol

__all__ = ["Changing"]


class Changing:
    """Changes orders and positions of one account.

    Args:
        session: of its environment.
        account: whose.
        books: of that account.
        gate: guard and audit.
        allowance: what the limits leave it.
    """

    def __init__(self, session: Session, account: Account, *, books: Books, gate: Gate, allowance: Allowance) -> None:
        self._session = session
        self._account = account
        self._books = books
        self._gate = gate
        self._allowance = allowance

    async def cancel(self, order_id: int) -> None:
        """Takes back a pending order. See `Desk.cancel`."""
        cancel = Cancel(order_id)
        request = cancel.to_request(account_id=self._account.id)
        await self._change(self._record("cancel", request), essential=True)

    async def amend(self, change: OrderAmendment | PositionAmendment) -> None:
        """Changes a pending order or the levels of a position. See `Desk.amend`."""
        of_position = isinstance(change, PositionAmendment)
        request_class = oa.ProtoOAAmendPositionSLTPReq if of_position else oa.ProtoOAAmendOrderReq
        check_open(self._gate, request_class, Mode.OFF, account_id=self._account.id, said=change.described())
        async with self._books.turns.of(_target(change), within_s=self._session.timings.order_queue_s) as left_s:
            by_s = clock.now_s() + left_s
            if isinstance(change, PositionAmendment):
                await self._amend_position(change, by_s=by_s)
            else:
                await self._amend_order(change, by_s=by_s)

    # How

    async def _amend_position(self, change: PositionAmendment, *, by_s: float) -> None:
        name = "ProtoOAAmendPositionSLTPReq"
        symbol_id = self._position(change.position_id).symbol_id
        symbol = await figures_if_told(name, symbol_id, session=self._session, account=self._account)
        await self._books.suspense.check(_target(change), within_s=_left_s(by_s))
        await self._levels_told(change, by_s=by_s)
        await self._others_levels_told(change, by_s=by_s)
        both = KEEP not in (change.stop_loss, change.take_profit)
        read_first = True
        try:
            await self._read_again(name, within_s=_left_s(by_s) / (2 if both else 1))
        except NotSent:
            # Who must move a stop now, and gives both levels, is not held up by a list that cannot be read. Only where
            # it may but tighten, against what nobody knows, the gate lets nothing out.
            if not both:
                raise
            read_first = False
        request = change.to_request(self._position(change.position_id), symbol, account_id=self._account.id)
        record = self._record("amend", request, change)
        if not read_first and self._gate.must_read(request):
            raise NotSent(f"{name} did not leave: a level may only tighten, and what there is could not be read")
        late, within_s = tightens(request, self._books.positions), self._session.timings.order_queue_s
        validity = ALWAYS if late else Validity(found_s=clock.now_s(), within_s=within_s)
        await self._change(record, leave_within_s=_left_s(by_s), validity=validity, read_first=read_first)

    async def _amend_order(self, change: OrderAmendment, *, by_s: float) -> None:
        name = "ProtoOAAmendOrderReq"
        symbol = await self._figures(name, self._order(change.order_id).symbol_id)
        await self._books.suspense.check(_target(change), within_s=_left_s(by_s))
        await self._read_again(name, within_s=_left_s(by_s))
        order = self._order(change.order_id)
        request = change.to_request(order, symbol, account_id=self._account.id, now_ms=clock.utc_ms())
        self._allowance.check_order(request, symbol)
        result = await prepared(name, self._allowance.result(request), within_s=_left_s(by_s))
        self._allowance.check_account(request, symbol, result)
        validity = self._allowance.validity(request, symbol, within_s=self._session.timings.order_queue_s)
        claim = self._allowance.claim(request, symbol)
        record = self._record("amend", request, change)
        try:
            await self._change(record, leave_within_s=_left_s(by_s), validity=validity)
        finally:
            self._allowance.settle(claim, in_doubt=record if record in self._books.doubts else None)

    async def _read_again(self, name: str, *, within_s: float) -> None:
        """Sets the books right: another client may have changed it, and a trailing stop moves by itself.

        Raises:
            NotSent: the server's list could not be read in time.
        """
        await prepared(name, self._books.reconcile(), within_s=within_s)

    async def _levels_told(self, change: PositionAmendment, *, by_s: float) -> None:
        """Waits for levels that the change leaves as they are and that the server is about to set: they follow a fill.

        Raises:
            NotSent: they may still come, and there is no time left to wait for them.
        """
        kept = {"stop loss": change.stop_loss is KEEP, "take profit": change.take_profit is KEEP}
        for record in self._books.orders.of_position(change.position_id):
            asked = record.intent
            held = record.client_order_id in self._books.handles  # not so where it ended in an earlier process
            if not isinstance(asked, Ticket) or record.protected or not record.fills or not held:
                continue
            asks = {"stop loss": asked.asks_stop_loss, "take profit": asked.asks_take_profit}
            missing = [level for level in kept if kept[level] and asks[level]]
            filled_ms = record.filled_at_ms or clock.utc_ms()
            due_s = self._session.timings.protection_s - (clock.utc_ms() - filled_ms) / 1000
            if not missing or due_s <= 0:  # what has not come by then is reported as unprotected, and does not come
                continue
            try:
                await self._books.handles[record.client_order_id].protected(timeout_s=min(due_s, _left_s(by_s)))
            except OutcomeUnknown:
                if _left_s(by_s) <= 0:
                    raise NotSent(
                        f"nothing left for position {change.position_id}: the {missing[0]} that order "
                        f"{record.client_order_id} asked for is still to come and would be taken away: amend again "
                        "once it is there, or give both levels"
                    ) from None

    async def _others_levels_told(self, change: PositionAmendment, *, by_s: float) -> None:
        """Likewise, of whatever filled the position: a raw order, or one of another client.

        Raises:
            NotSent: see `_levels_told`.
        """
        while (to_come := self._books.positions.levels_to_come(change.position_id)) is not None:
            wanted = {
                "stop loss": to_come.stop_loss and change.stop_loss is KEEP,
                "take profit": to_come.take_profit and change.take_profit is KEEP,
            }
            missing = [level for level, waited in wanted.items() if waited]
            due_s = self._session.timings.protection_s - (clock.utc_ms() - to_come.filled_at_ms) / 1000
            if not missing or due_s <= 0:
                return
            left_s = _left_s(by_s)
            if left_s <= 0:
                raise NotSent(
                    f"nothing left for position {change.position_id}: the {missing[0]} that order "
                    f"{to_come.order_id} asked for is still to come and would be taken away: amend again "
                    "once it is there, or give both levels"
                )
            told = anyio.Event()
            to_come.ended.append(told.set)
            with anyio.move_on_after(min(due_s, left_s)):
                await told.wait()

    async def _figures(self, name: str, symbol_id: int) -> Symbol:
        return await figures(name, symbol_id, session=self._session, account=self._account)

    def _position(self, position_id: int) -> Position:
        return open_position(self._books, position_id, account_id=self._account.id)

    def _order(self, order_id: int) -> PendingOrder:
        order = self._books.positions.order(order_id)
        if order is None:
            raise Refused(f"order {order_id} is not known to be working in account {self._account.id}")
        return order

    def _record(
        self, name: str, request: Any, change: OrderAmendment | PositionAmendment | None = None
    ) -> RequestRecord:
        said = {} if change is None else {"changes": ", ".join(list(change.described())[1:])}
        return RequestRecord(
            intent_id=uuid.uuid4().hex, name=name, payload=request, intent_at_ms=clock.utc_ms(), said=said
        )

    async def _change(
        self,
        record: RequestRecord,
        *,
        essential: bool = False,
        leave_within_s: float | None = None,
        validity: Validity = ALWAYS,
        read_first: bool = False,
    ) -> None:
        """A cancel or an amend: on record, sent, answered."""
        target, suspense = record.target, self._books.suspense
        await suspense.check(target, within_s=self._session.timings.order_queue_s)
        self._gate.judge(Message(record.payload))
        validity = replace(validity, settled=lambda: suspense.look(target))

        def sent(at_ms: int, client_msg_id: str) -> None:
            record.sent(at_ms, client_msg_id)
            self._gate.note("sent", {**record.ids, "sent_at_ms": at_ms})

        try:
            intent = await self._gate.intend(
                record.payload, record.facts, essential=essential, validity=validity, read_first=read_first
            )
            answer = await self._session.trade(intent, leave_within_s=leave_within_s, on_sent=sent)
        except ServerError as error:
            self._gate.note("change_refused", {**record.ids, "error_code": error.code})
            raise
        except OutcomeUnknown as error:
            self._books.doubts.add(record)
            self._gate.note("outcome_unknown", {**record.ids, "reason": str(error)})
            raise
        except (RequestFailed, LocalProtocolError) as error:
            self._gate.note("not_sent", {**record.ids, "reason": str(error)})
            raise
        except BaseException:
            # Our caller was cancelled: what has left may be done or not, and nothing more leaves for it until we know.
            # What has not may have its intent on the disk, or on the way there, and so has an end on record.
            if record.has_left:
                self._books.doubts.add(record)
                self._session.review(self._account.id)
            reason = "the caller was cancelled"
            self._gate.note("outcome_unknown" if record.has_left else "not_sent", {**record.ids, "reason": reason})
            raise
        rejected = oa.ProtoOAExecutionType.ORDER_CANCEL_REJECTED
        if answer.errorCode or answer.executionType == rejected:
            refusal = ServerError(self._gate.mask(answer.errorCode) or rejected.name)
            self._gate.note("change_refused", {**record.ids, "error_code": refusal.code})
            raise refusal
        self._gate.note("change_done", record.ids)
        if record.name == "amend":
            self._books.amended(record)


def _target(change: OrderAmendment | PositionAmendment) -> Target:
    if isinstance(change, PositionAmendment):
        return ("position", change.position_id)
    return ("order", change.order_id)


def _left_s(by_s: float) -> float:
    return max(0.0, by_s - clock.now_s())
