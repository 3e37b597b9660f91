"""Trading requests that a caller writes himself: nobody keeps books of them, and they get around nothing."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from ..wire import LocalProtocolError, Message, Permission
from ..wire import messages as oa
from ..wire.catalog import permission_of
from . import limits
from .errors import LimitExceeded, OutcomeUnknown, RequestFailed, ServerError
from .gate import facts_of
from .settings import LargestOrder

if TYPE_CHECKING:
    from .books import Books, Target
    from .client import Session
    from .gate import Gate
    from .settings import Limits

__all__ = ["RawTrading"]


class RawTrading:
    """Sends whatever may change something at the server: in the limits, its intent and its departure on record.

    Args:
        session: of its environment.
        gate: guard and audit.
        bounds: what an order may not exceed.
    """

    def __init__(self, session: Session, *, gate: Gate, bounds: Limits) -> None:
        self._session = session
        self._gate = gate
        self._bounds = bounds

    async def request(self, message: Message, *, timeout_s: float) -> Any:
        """Asks, once, and gives the payload of the answer. See `Session.request`."""
        payload = copy.deepcopy(message.payload)  # what is on record is what leaves, whatever becomes of the caller's
        self._session.check_ready(message.name, getattr(payload, "ctidTraderAccountId", None))
        await self._check_limits(message.name, payload)
        books = self._session.books.get(getattr(payload, "ctidTraderAccountId", 0))
        target = _target(payload)
        if books is not None and target is not None:
            books.check_settled(target)
        facts = {"request": message.name, **facts_of(payload)}
        essential = permission_of(message.payload_type) in (Permission.CLOSE, Permission.CANCEL)
        intent = await self._gate.intend(payload, facts, essential=essential)

        left = False

        def sent(at_ms: int, client_msg_id: str) -> None:
            nonlocal left
            left = True
            self._gate.note("sent", {**facts, "request_id": client_msg_id, "sent_at_ms": at_ms})

        try:
            return await self._session.trade(intent, timeout_s=timeout_s, on_sent=sent)
        except ServerError as error:
            self._gate.note("server_error", {**facts, "error_code": error.code})
            raise
        except (RequestFailed, LocalProtocolError) as error:
            self._unanswered(facts, str(error), left=isinstance(error, OutcomeUnknown), books=books, target=target)
            raise
        except BaseException:
            self._unanswered(facts, "the caller was cancelled", left=left, books=books, target=target)
            self._session.review(getattr(payload, "ctidTraderAccountId", None))
            raise

    def _unanswered(
        self, facts: dict[str, Any], reason: str, *, left: bool, books: Books | None, target: Target | None
    ) -> None:
        """How it ended, on record; what has left puts its order or position in doubt."""
        self._gate.note("outcome_unknown" if left else "not_sent", {**facts, "reason": reason})
        if left and books is not None and target is not None:
            books.doubt(target)

    async def _check_limits(self, name: str, payload: Any) -> None:
        if self._bounds.largest_order_lots is LargestOrder.UNLIMITED:
            return
        try:
            symbol_id = self._enlarged(payload)
            if symbol_id is None:
                return
            account = self._session.authorized[payload.ctidTraderAccountId]
            symbol = await self._session.prepared(name, account.symbol_by_id(symbol_id))
            limits.check_order(self._bounds, limits.Proposal(symbol=symbol, volume_cents=payload.volume))
        except LimitExceeded as refusal:
            self._gate.refused(Message(payload), refusal)
            raise

    def _enlarged(self, payload: Any) -> int | None:
        """The symbol of which more may be traded by this request, or None."""
        if isinstance(payload, oa.ProtoOANewOrderReq):
            return payload.symbolId
        if not isinstance(payload, oa.ProtoOAAmendOrderReq):
            return None
        books = self._session.books.get(payload.ctidTraderAccountId)
        order = books.positions.order(payload.orderId) if books is not None else None
        if order is None:
            raise LimitExceeded(
                f"largest_order_lots: the limit cannot be applied to order {payload.orderId}, which is not known to "
                "be working"
            )
        return order.symbol_id if payload.volume > order.volume_cents else None


def _target(payload: Any) -> Target | None:
    """The order or position that a raw request is about, or None."""
    if order_id := getattr(payload, "orderId", 0):
        return ("order", order_id)
    if position_id := getattr(payload, "positionId", 0):
        return ("position", position_id)
    return None
