"""Orders of one account: checked, recorded, sent, never twice."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from ..wire import LocalProtocolError, Message
from ..wire import messages as oa
from . import clock
from .amendments import OrderAmendment, PositionAmendment
from .changes import Cancel, Close
from .environments import Mode
from .errors import OutcomeUnknown, Refused, RequestFailed, ServerError
from .fill_watch import FillWatch
from .order import Order
from .order_states import OrderState
from .orders import OrderRecord
from .preparing import prepared
from .protection_watch import ProtectionWatch
from .request_record import RequestRecord
from .tickets import ImmediateTicket, Ticket
from .traded_quotes import TradedQuotes

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from ..wire.units import ExactNumber
    from .account import Account
    from .allowance import Allowance
    from .books import Books
    from .client import Session
    from .connection_log import ConnectionLog
    from .gate import Gate
    from .holdings import PendingOrder, Position
    from .request_record import Target
    from .symbols import Symbol

__all__ = ["Trading"]

T = TypeVar("T")


class Trading:
    """Places, changes and ends orders of one account.

    Args:
        session: of its environment.
        account: whose orders.
        books: of that account.
        gate: guard and audit.
        allowance: what the limits leave it.
        log: where what a person should know is written, or None.
    """

    def __init__(
        self,
        session: Session,
        account: Account,
        *,
        books: Books,
        gate: Gate,
        allowance: Allowance,
        log: ConnectionLog | None = None,
    ) -> None:
        self._session = session
        self._account = account
        self._books = books
        self._gate = gate
        self._allowance = allowance
        self._quotes = TradedQuotes(account, most_age_s=allowance.quote_age_s)
        self._fills = FillWatch(lambda: session.review(account.id), within_s=session.timings.fill_s)
        within_s = session.timings.protection_s
        self._protection = ProtectionWatch(self, books=books, gate=gate, log=log, within_s=within_s)

    async def place(self, ticket: Ticket) -> Order:
        """Places an order. See `Desk.place`."""
        self._check_open(oa.ProtoOANewOrderReq, Mode.OFF, Mode.REDUCE_ONLY)
        symbol = await self._figures("ProtoOANewOrderReq", ticket.symbol)
        now_ms = clock.utc_ms()
        client_order_id = uuid.uuid4().hex
        request = ticket.to_request(symbol, account_id=self._account.id, client_order_id=client_order_id, now_ms=now_ms)
        self._allowance.check_order(request, symbol)
        quote = await self._quotes.awaited(symbol, ticket.side)
        if quote is not None and ticket.requested_price is None:
            ticket.check_reach(symbol, quote)
        result = await self._prepared("ProtoOANewOrderReq", self._allowance.result(request))
        self._allowance.check_account(request, symbol, result)
        record = OrderRecord(
            ticket,
            environment=self._account.environment,
            account_id=self._account.id,
            client_order_id=client_order_id,
            symbol=symbol,
            side=ticket.side,
            volume_cents=request.volume,
            intent_at_ms=clock.utc_ms(),
            quoted_price=quote,
        )
        facts = {"request": "place", **ticket.described()}
        return await self._send(record, request, facts)

    async def close(
        self,
        position_id: int,
        *,
        lots: ExactNumber | None = None,
        units: ExactNumber | None = None,
        volume_cents: ExactNumber | None = None,
    ) -> Order:
        """Closes a position, or a part of it. See `Desk.close`."""
        self._check_open(oa.ProtoOAClosePositionReq, Mode.OFF)
        close = Close(position_id, lots=lots, units=units, volume_cents=volume_cents)
        position = self._position(position_id)
        self._books.check_settled(("position", position_id))
        symbol = await self._figures("ProtoOAClosePositionReq", position.symbol_id)
        position = self._position(position_id)  # as it is now: reading the figures may have taken a while
        request = close.to_request(position, symbol, account_id=self._account.id)
        self._books.closing.check(request)
        side = position.side.opposite
        record = OrderRecord(
            close,
            environment=self._account.environment,
            account_id=self._account.id,
            client_order_id=uuid.uuid4().hex,
            symbol=symbol,
            side=side,
            volume_cents=request.volume,
            intent_at_ms=clock.utc_ms(),
            quoted_price=self._quotes.last(symbol, side),
        )
        record.open_before = (position.volume_cents, self._books.deals.since_ms or 0)
        return await self._send(record, request, {"request": "close", **close.described()}, essential=True)

    async def cancel(self, order_id: int) -> None:
        """Takes back a pending order. See `Desk.cancel`."""
        cancel = Cancel(order_id)
        request = cancel.to_request(account_id=self._account.id)
        await self._change(self._record("cancel", request), essential=True)

    async def amend(self, change: OrderAmendment | PositionAmendment) -> None:
        """Changes a pending order or the levels of a position. See `Desk.amend`."""
        of_position = isinstance(change, PositionAmendment)
        self._check_open(oa.ProtoOAAmendPositionSLTPReq if of_position else oa.ProtoOAAmendOrderReq, Mode.OFF)
        target = _target(change)
        async with self._books.turns.of(target, within_s=self._session.timings.order_queue_s) as left_s:
            if isinstance(change, PositionAmendment):
                await self._amend_position(change, leave_within_s=left_s)
            else:
                await self._amend_order(change, leave_within_s=left_s)

    async def serve(self) -> None:
        """Sees after the fills of its orders until it is cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._fills.serve)
            await self._protection.serve()

    async def aclose(self) -> None:
        """Lets go of the quotes that it watched."""
        await self._quotes.aclose()

    # How

    async def _amend_position(self, change: PositionAmendment, *, leave_within_s: float) -> None:
        symbol = await self._figures("ProtoOAAmendPositionSLTPReq", self._position(change.position_id).symbol_id)
        position = self._position(change.position_id)  # as it is now: reading the figures may have taken a while
        request = change.to_request(position, symbol, account_id=self._account.id)
        await self._change(self._record("amend", request, change), leave_within_s=leave_within_s)

    async def _amend_order(self, change: OrderAmendment, *, leave_within_s: float) -> None:
        symbol = await self._figures("ProtoOAAmendOrderReq", self._order(change.order_id).symbol_id)
        order = self._order(change.order_id)
        request = change.to_request(order, symbol, account_id=self._account.id, now_ms=clock.utc_ms())
        self._allowance.check_order(request, symbol)
        result = await self._prepared("ProtoOAAmendOrderReq", self._allowance.result(request))
        self._allowance.check_account(request, symbol, result)
        claim = self._allowance.claim(request, symbol)
        record = self._record("amend", request, change)
        try:
            await self._change(record, leave_within_s=leave_within_s)
        finally:
            self._allowance.settle(claim, in_doubt=record if record in self._books.doubts else None)

    async def _send(
        self,
        record: OrderRecord,
        request: Any,
        facts: dict[str, Any],
        *,
        essential: bool = False,
    ) -> Order:
        order = Order(record, doubt=self._fills.doubt)
        self._books.add(order)
        self._protection.add([order])
        try:
            self._gate.judge(Message(request))
            intent = await self._gate.intend(request, {**facts, **record.described()}, essential=essential)
            await self._session.trade(intent, on_sent=lambda at_ms, id_: self._sent(order, at_ms, id_))
        except ServerError as error:
            self._books.changed([record.refuse(error.code, error.description, at_ms=clock.utc_ms())])
            error.order = order
            raise
        except OutcomeUnknown as error:
            if not record.is_final:
                if known := record.state is not OrderState.UNKNOWN:
                    record.lost(at_ms=clock.utc_ms())
                if known or isinstance(error.__cause__, ServerError):  # the books took it from the error, unremarked
                    self._books.unknown(record, str(error))
            error.order = order
            raise
        except (RequestFailed, LocalProtocolError) as error:
            self._not_sent(record, str(error))
            if isinstance(error, RequestFailed):
                error.order = order
            raise
        except BaseException:
            # Our caller was cancelled. What had not left was withdrawn; what had is followed further, and until the
            # server tells of it, it is as unknown as if no answer had come.
            if record.state is OrderState.CREATED:
                self._not_sent(record, "the caller was cancelled")
            elif record.state is OrderState.SENT:
                record.lost(at_ms=clock.utc_ms())
                self._books.unknown(record, "the caller was cancelled before the answer came")
                self._session.review(self._account.id)
            raise
        if record.state is OrderState.REJECTED:
            refusal = ServerError(record.error_code or "ORDER_REJECTED", record.error_description)
            refusal.order = order
            raise refusal
        return order

    def _record(
        self, name: str, request: Any, change: OrderAmendment | PositionAmendment | None = None
    ) -> RequestRecord:
        said = {} if change is None else {"changes": ", ".join(list(change.described())[1:])}
        return RequestRecord(
            intent_id=uuid.uuid4().hex, name=name, payload=request, intent_at_ms=clock.utc_ms(), said=said
        )

    async def _change(
        self, record: RequestRecord, *, essential: bool = False, leave_within_s: float | None = None
    ) -> None:
        """A cancel or an amend: on record, sent, answered."""
        assert record.target is not None
        self._books.check_settled(record.target)
        self._gate.judge(Message(record.payload))
        intent = await self._gate.intend(record.payload, record.facts, essential=essential)

        def sent(at_ms: int, client_msg_id: str) -> None:
            record.sent(at_ms, client_msg_id)
            self._gate.note("sent", {**record.ids, "sent_at_ms": at_ms})

        try:
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

    def _sent(self, order: Order, at_ms: int, client_msg_id: str) -> None:
        record = order.record
        record.sent(at_ms=at_ms, client_msg_id=client_msg_id)
        self._gate.note("sent", {**record.described(), "sent_after_ms": at_ms - record.intent_at_ms})
        if isinstance(order.intent, ImmediateTicket | Close):  # others may wait for their price for days
            self._fills.add(order)

    def _not_sent(self, record: OrderRecord, reason: str) -> None:
        record.not_sent(at_ms=clock.utc_ms())
        self._gate.note("not_sent", {**record.described(), "reason": reason})
        self._books.touch(record)

    def _check_open(self, cls: Any, *shut: Mode) -> None:
        """A guard that is shut says so, before anything is looked up here or asked of the server."""
        if self._gate.standing().mode in shut:
            self._gate.judge(Message(cls(ctidTraderAccountId=self._account.id)))

    def _position(self, position_id: int) -> Position:
        position = self._books.positions.position(position_id)
        if position is None:
            raise Refused(f"position {position_id} is not known to be open in account {self._account.id}")
        return position

    def _order(self, order_id: int) -> PendingOrder:
        order = self._books.positions.order(order_id)
        if order is None:
            raise Refused(f"order {order_id} is not known to be working in account {self._account.id}")
        return order

    async def _figures(self, name: str, symbol: str | int) -> Symbol:
        """A symbol's figures, by its name or id. A request that could not leave anyway says so, and asks nothing."""
        self._session.check_ready(name, self._account.id)
        account = self._account
        reading = account.symbol(symbol) if isinstance(symbol, str) else account.symbol_by_id(symbol)
        return await self._prepared(name, reading)

    async def _prepared(self, name: str, reading: Awaitable[T]) -> T:
        return await prepared(name, reading, within_s=self._session.timings.order_queue_s)


def _target(change: OrderAmendment | PositionAmendment) -> Target:
    if isinstance(change, PositionAmendment):
        return ("position", change.position_id)
    return ("order", change.order_id)
