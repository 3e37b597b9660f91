"""Orders of one account: checked, recorded, sent, never twice."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import anyio

from ..wire import LocalProtocolError, Message
from ..wire import messages as oa
from . import clock
from .changes import Close
from .changing import Changing
from .environments import Mode
from .errors import OutcomeUnknown, RequestFailed, ServerError
from .fill_watch import FillWatch
from .intent import ALWAYS
from .order import Order
from .order_states import OrderState
from .orders import OrderRecord
from .preparing import check_open, figures, figures_if_told, open_position, prepared
from .protection_watch import ProtectionWatch
from .symbols import Symbol
from .tickets import ImmediateTicket, Ticket
from .traded_quotes import TradedQuotes

if TYPE_CHECKING:
    from ..wire.units import ExactNumber
    from .account import Account
    from .allowance import Allowance
    from .amendments import OrderAmendment, PositionAmendment
    from .books import Books
    from .client import Session
    from .connection_log import ConnectionLog
    from .gate import Gate
    from .intent import Validity
    from .request_record import Target

__all__ = ["Trading"]

_UNCHECKED: Final = "the figures of {} are not known: nothing was checked against them"


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
        self._changes = Changing(session, account, books=books, gate=gate, allowance=allowance)
        within_s = session.timings.protection_s
        self._protection = ProtectionWatch(self, account=account, books=books, gate=gate, log=log, within_s=within_s)

    async def place(self, ticket: Ticket) -> Order:
        """Places an order. See `Desk.place`."""
        account_id, said = self._account.id, ticket.described()
        check_open(self._gate, oa.ProtoOANewOrderReq, Mode.OFF, Mode.REDUCE_ONLY, account_id=account_id, said=said)
        symbol = await figures("ProtoOANewOrderReq", ticket.symbol, session=self._session, account=self._account)
        into = getattr(ticket, "position_id", None)
        target: Target | None = ("position", into) if into is not None else None
        queue_s, suspense = self._session.timings.order_queue_s, self._books.suspense
        await suspense.check(target, symbol_id=symbol.id, within_s=queue_s)
        now_ms = clock.utc_ms()
        client_order_id = uuid.uuid4().hex
        request = ticket.to_request(symbol, account_id=self._account.id, client_order_id=client_order_id, now_ms=now_ms)
        self._allowance.check_order(request, symbol)
        quote = await self._quotes.awaited(symbol, ticket.side)
        if quote is not None and ticket.requested_price is None:
            ticket.check_reach(symbol, quote)
        reading = self._allowance.result(request)
        result = await prepared("ProtoOANewOrderReq", reading, within_s=queue_s)
        suspense.look(target, symbol_id=symbol.id)
        self._allowance.check_account(request, symbol, result)
        validity = replace(
            self._allowance.validity(request, symbol, within_s=queue_s),
            settled=lambda: suspense.look(target, symbol_id=symbol.id),
        )
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
        return await self._send(record, request, facts, validity=validity)

    async def close(
        self,
        position_id: int,
        *,
        lots: ExactNumber | None = None,
        units: ExactNumber | None = None,
        volume_cents: ExactNumber | None = None,
    ) -> Order:
        """Closes a position, or a part of it. See `Desk.close`."""
        close = Close(position_id, lots=lots, units=units, volume_cents=volume_cents)
        said = close.described()
        check_open(self._gate, oa.ProtoOAClosePositionReq, Mode.OFF, account_id=self._account.id, said=said)
        if self._books.positions.position(position_id) is None:
            await self._look_for_position()
        position = open_position(self._books, position_id, account_id=self._account.id)
        target: Target = ("position", position_id)
        suspense = self._books.suspense
        await suspense.check(target, within_s=self._session.timings.order_queue_s)
        read = figures if close.needs_figures else figures_if_told
        symbol = await read("ProtoOAClosePositionReq", position.symbol_id, session=self._session, account=self._account)
        # As it is now: reading the figures may have taken a while.
        position = open_position(self._books, position_id, account_id=self._account.id)
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
            quoted_price=self._quotes.last(symbol.id, side),
        )
        record.open_before = (position.volume_cents, self._books.deals.since_ms or 0)
        facts = {"request": "close", **close.described()}
        if not isinstance(symbol, Symbol):
            facts |= {
                "symbol_id": symbol.id,
                "reason": _UNCHECKED.format(symbol.name),
            }
        validity = replace(ALWAYS, settled=lambda: suspense.look(target))
        return await self._send(record, request, facts, essential=True, validity=validity)

    async def cancel(self, order_id: int) -> None:
        """Takes back a pending order. See `Desk.cancel`."""
        await self._changes.cancel(order_id)

    async def amend(self, change: OrderAmendment | PositionAmendment) -> None:
        """Changes a pending order or the levels of a position. See `Desk.amend`."""
        await self._changes.amend(change)

    async def serve(self) -> None:
        """Sees after the fills of its orders until it is cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._fills.serve)
            await self._protection.serve()

    async def aclose(self) -> None:
        """Lets go of the quotes that it watched."""
        await self._quotes.aclose()

    # How

    async def _look_for_position(self) -> None:
        """Somebody knows of one that the books do not have: its event may have been lost."""
        name = "ProtoOAClosePositionReq"
        self._session.check_ready(name, self._account.id)
        await prepared(name, self._books.reconcile(), within_s=self._session.timings.order_queue_s)
        self._fills.doubt()

    async def _send(
        self,
        record: OrderRecord,
        request: Any,
        facts: dict[str, Any],
        *,
        essential: bool = False,
        validity: Validity = ALWAYS,
    ) -> Order:
        order = Order(record, doubt=self._fills.doubt)
        self._books.add(order)
        self._protection.add([order])
        try:
            self._gate.judge(Message(request))
            said = {**facts, **record.described()}
            intent = await self._gate.intend(request, said, essential=essential, validity=validity)
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
        if record.state is OrderState.SENT:
            self._answered_by_another(record)
        return order

    def _answered_by_another(self, record: OrderRecord) -> None:
        """Its request has an answer, and that is not about this order: its own events are lost, or still to come.

        That of the protective order carries the id of the request as well, and comes after the fill (docs/protocol.md
        sections 2 and 10.1). It tells neither order nor deal, so the server is asked for them.
        """
        record.lost(at_ms=clock.utc_ms())
        self._books.unknown(record, "what answered it was not about this order: its own events may be lost")
        self._session.review(self._account.id)

    def _sent(self, order: Order, at_ms: int, client_msg_id: str) -> None:
        record = order.record
        record.sent(at_ms=at_ms, client_msg_id=client_msg_id)
        closes = self._books.positions.position(order.intent.position_id) if isinstance(order.intent, Close) else None
        self._books.provenance.leaves(record, closes)
        self._gate.note("sent", {**record.described(), "sent_after_ms": at_ms - record.intent_at_ms})
        if isinstance(order.intent, ImmediateTicket | Close):  # others may wait for their price for days
            self._fills.add(order)

    def _not_sent(self, record: OrderRecord, reason: str) -> None:
        record.not_sent(at_ms=clock.utc_ms())
        self._gate.note("not_sent", {**record.described(), "reason": reason})
        self._books.touch(record)
