"""Trading requests that a caller writes himself: they get around nothing, and their end is found out like any other."""

from __future__ import annotations

import copy
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ..wire import LocalProtocolError, Message, Permission
from ..wire import messages as oa
from ..wire.catalog import permission_of
from . import clock, raw_fields
from .errors import OutcomeUnknown, RequestFailed, ServerError
from .guard import tightens
from .intent import ALWAYS, Validity
from .order_inputs import is_protective
from .preparing import prepared
from .request_record import RequestRecord
from .terms import Side

if TYPE_CHECKING:
    from collections.abc import Callable

    from .allowance import Allowance
    from .books import Books
    from .client import Session
    from .gate import Gate

__all__ = ["RawTrading"]

_AMENDMENTS: Final = (oa.ProtoOAAmendOrderReq, oa.ProtoOAAmendPositionSLTPReq)


class RawTrading:
    """Sends whatever may change something at the server: in the limits, its intent and its departure on record.

    Args:
        session: of its environment.
        gate: guard and audit.
    """

    def __init__(self, session: Session, *, gate: Gate) -> None:
        self._session = session
        self._gate = gate

    async def request(self, message: Message, *, timeout_s: float) -> Any:
        """Asks, once, and gives the payload of the answer. See `Session.request`."""
        payload = copy.deepcopy(message.payload)  # what is on record is what leaves, whatever becomes of the caller's
        account_id = getattr(payload, "ctidTraderAccountId", 0)
        self._session.check_ready(message.name, account_id or None)
        books = self._session.books.get(account_id)
        await self._check_fields(message.name, payload, books)
        record = RequestRecord(
            intent_id=uuid.uuid4().hex, name=message.name, payload=payload, intent_at_ms=clock.utc_ms()
        )
        if books is None:
            return await self._request(message.name, record, books=None, timeout_s=timeout_s)
        if record.target is None or not isinstance(payload, _AMENDMENTS):
            await self._check_settled(record, books)
            with books.closing.claimed(payload), books.ids.claimed(payload):
                return await self._request(message.name, record, books=books, timeout_s=timeout_s)
        async with books.turns.of(record.target, within_s=self._session.timings.order_queue_s) as left_s:
            by_s = clock.now_s() + left_s
            read_first = await self._read_levels(message.name, payload, books, within_s=left_s)
            left_s = max(0.0, by_s - clock.now_s())
            answer = await self._request(
                message.name, record, books=books, timeout_s=timeout_s, leave_within_s=left_s, read_first=read_first
            )
            if not getattr(answer, "errorCode", ""):
                books.amended(record)
            return answer

    async def _request(
        self,
        name: str,
        record: RequestRecord,
        *,
        books: Books | None,
        timeout_s: float,
        leave_within_s: float | None = None,
        read_first: bool = False,
    ) -> Any:
        payload = record.payload
        account_id = getattr(payload, "ctidTraderAccountId", 0)
        if books is not None:
            await self._check_settled(record, books)
        # The last question is asked and answered without waiting: what is let through counts at once.
        settle, validity = await self._within_limits(name, payload, self._session.allowances.get(account_id), books)
        essential = _ends(payload)
        if books is not None:
            suspense, symbol_id = books.suspense, _traded_by(payload)
            validity = replace(validity, settled=lambda: suspense.look(record.target, symbol_id=symbol_id))

        def sent(at_ms: int, client_msg_id: str) -> None:
            record.sent(at_ms, client_msg_id)
            if books is not None:
                closes = isinstance(payload, oa.ProtoOAClosePositionReq)
                books.provenance.leaves(record, books.positions.position(payload.positionId) if closes else None)
                books.provenance.asks(record)
            self._gate.note("sent", {**record.ids, "request_id": client_msg_id, "sent_at_ms": at_ms})

        try:
            intent = await self._gate.intend(
                payload, record.facts, essential=essential, validity=validity, read_first=read_first
            )
            answer = await self._session.trade(intent, timeout_s=timeout_s, leave_within_s=leave_within_s, on_sent=sent)
        except ServerError as error:
            self._gate.note("server_error", {**record.ids, "error_code": error.code})
            raise
        except (RequestFailed, LocalProtocolError) as error:
            self._unanswered(record, str(error), left=isinstance(error, OutcomeUnknown), books=books)
            raise
        except BaseException:
            # Also while its intent was being written, which may be on the disk by then: that has an end as well.
            self._unanswered(record, "the caller was cancelled", left=record.has_left, books=books)
            if record.has_left:
                self._session.review(account_id or None)
            raise
        else:
            facts = {**record.ids, **_answer_facts(payload, answer)}
            self._gate.note("answered", facts)
            if books is not None:
                books.provenance.answered(facts)
            return answer
        finally:
            if books is not None:
                books.provenance.asked(record)
            settle(record if books is not None and record in books.doubts else None)

    async def _read_levels(self, name: str, payload: Any, books: Books, *, within_s: float) -> bool:
        """Where a level may only tighten, what there is is read first, as the desk does: an event may have been lost.

        Raises:
            NotSent: it could not be read.
            Refused: it would loosen one.
        """
        if not self._gate.must_read(payload):
            return False
        await prepared(name, books.reconcile(), within_s=within_s)
        self._gate.judge(Message(payload))
        return True

    async def _check_fields(self, name: str, payload: Any, books: Books | None) -> None:
        """Nothing leaves, and nothing is written, that cannot be right.

        Raises:
            InvalidOrder: a field cannot be right.
            Refused: the account has no such symbol.
            NotSent: the symbol of an order that opens could not be read.
        """
        raw_fields.check_plain(payload, now_ms=clock.utc_ms())
        symbol_id = raw_fields.symbol_id_of(payload, books) if books is not None else None
        if books is None or symbol_id is None:
            return
        account = self._session.authorized[payload.ctidTraderAccountId]
        symbol = account.book.known(symbol_id)
        if symbol is None and isinstance(payload, oa.ProtoOANewOrderReq):
            # Only what opens waits for that: what reduces must not hang on a list of symbols.
            within_s = self._session.timings.order_queue_s
            symbol = await prepared(name, account.symbol_by_id(symbol_id), within_s=within_s)
        if symbol is not None:
            closes = isinstance(payload, oa.ProtoOAClosePositionReq)
            position = books.positions.position(payload.positionId) if closes else None
            spot, buys = account.board.last(symbol_id), getattr(payload, "tradeSide", 0) == Side.BUY.value
            raw_fields.check_figures(
                payload,
                symbol,
                open_cents=position.volume_cents if position is not None else None,
                side=raw_fields.side_of(payload, books),
                quote=None if spot is None else spot.ask if buys else spot.bid,
            )

    async def _check_settled(self, record: RequestRecord, books: Books) -> None:
        within_s, symbol_id = self._session.timings.order_queue_s, _traded_by(record.payload)
        await books.suspense.check(record.target, symbol_id=symbol_id, within_s=within_s)

    def _unanswered(self, record: RequestRecord, reason: str, *, left: bool, books: Books | None) -> None:
        """How it ended, on record; what has left is in doubt."""
        self._gate.note("outcome_unknown" if left else "not_sent", {**record.ids, "reason": reason})
        if left and books is not None:
            books.doubts.add(record)

    async def _within_limits(
        self, name: str, payload: Any, allowance: Allowance | None, books: Books | None
    ) -> tuple[Callable[[RequestRecord | None], None], Validity]:
        """Returns what ends its claim on the limits, told the request where its outcome is unknown; and how long all
        that was found of it holds.

        Raises:
            LimitExceeded: it does not. It is on record.
            NotSent: what the limits need to know could not be read.
        """
        symbol_id = allowance.symbol_id_of(payload) if allowance is not None else None
        within_s = self._session.timings.order_queue_s
        if allowance is None or symbol_id is None:
            late = _ends(payload) or tightens(payload, books.positions if books is not None else None)
            return _nothing, ALWAYS if late else Validity(found_s=clock.now_s(), within_s=within_s)
        account = self._session.authorized[payload.ctidTraderAccountId]
        symbol = await prepared(name, account.symbol_by_id(symbol_id), within_s=within_s)
        allowance.check_order(payload, symbol)
        result = await prepared(name, allowance.result(payload), within_s=within_s)
        allowance.check_account(payload, symbol, result)
        validity = allowance.validity(payload, symbol, within_s=within_s)
        claim = allowance.claim(payload, symbol)
        return lambda in_doubt: allowance.settle(claim, in_doubt=in_doubt), validity


def _ends(payload: Any) -> bool:
    """Whether it closes or cancels."""
    return permission_of(Message(payload).payload_type) in (Permission.CLOSE, Permission.CANCEL)


def _traded_by(payload: Any) -> int | None:
    """What a new order trades, or None: it is none."""
    return payload.symbolId if isinstance(payload, oa.ProtoOANewOrderReq) else None


def _nothing(in_doubt: RequestRecord | None) -> None:
    """There is no claim to settle."""


def _answer_facts(payload: Any, answer: Any) -> dict[str, Any]:
    """What of an answer tells how the request ended."""
    facts: dict[str, Any] = {}
    makes_order = isinstance(payload, oa.ProtoOANewOrderReq | oa.ProtoOAClosePositionReq)
    for holder, field, name in (
        ("order", "orderId", "order_id"),
        ("position", "positionId", "position_id"),
        ("deal", "dealId", "deal_id"),
    ):
        if makes_order and name == "order_id" and is_protective(getattr(answer, "order", oa.ProtoOAOrder())):
            continue  # not what came of it: the event of that one is lost, or late (docs/protocol.md section 2)
        if id_ := getattr(getattr(answer, holder, None), field, 0):
            facts[name] = id_
    if code := getattr(answer, "errorCode", ""):
        facts["error_code"] = code
    return facts
