"""Trading requests that a caller writes himself: nobody keeps books of them, and they get around nothing."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from ..wire import LocalProtocolError, Message, Permission
from ..wire.catalog import permission_of
from .errors import OutcomeUnknown, RequestFailed, ServerError
from .gate import facts_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .allowance import Allowance
    from .books import Books, Target
    from .client import Session
    from .gate import Gate

__all__ = ["RawTrading"]


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
        target = _target(payload)
        if books is not None and target is not None:
            books.check_settled(target)
        # The last question is asked and answered without waiting: what is let through counts at once.
        settle = await self._within_limits(message.name, payload, self._session.allowances.get(account_id))
        facts = {"request": message.name, **facts_of(payload)}
        essential = permission_of(message.payload_type) in (Permission.CLOSE, Permission.CANCEL)
        left = doubtful = False

        def sent(at_ms: int, client_msg_id: str) -> None:
            nonlocal left
            left = True
            self._gate.note("sent", {**facts, "request_id": client_msg_id, "sent_at_ms": at_ms})

        try:
            intent = await self._gate.intend(payload, facts, essential=essential)
        except BaseException:
            settle(False)
            raise
        try:
            return await self._session.trade(intent, timeout_s=timeout_s, on_sent=sent)
        except ServerError as error:
            self._gate.note("server_error", {**facts, "error_code": error.code})
            raise
        except (RequestFailed, LocalProtocolError) as error:
            doubtful = isinstance(error, OutcomeUnknown)
            self._unanswered(facts, str(error), left=doubtful, books=books, target=target)
            raise
        except BaseException:
            doubtful = left
            self._unanswered(facts, "the caller was cancelled", left=left, books=books, target=target)
            self._session.review(account_id or None)
            raise
        finally:
            settle(doubtful)

    def _unanswered(
        self, facts: dict[str, Any], reason: str, *, left: bool, books: Books | None, target: Target | None
    ) -> None:
        """How it ended, on record; what has left puts its order or position in doubt."""
        self._gate.note("outcome_unknown" if left else "not_sent", {**facts, "reason": reason})
        if left and books is not None and target is not None:
            books.doubt(target)

    async def _within_limits(self, name: str, payload: Any, allowance: Allowance | None) -> Callable[[bool], None]:
        """Returns what ends its claim on the limits, told whether its outcome is unknown.

        Raises:
            LimitExceeded: it does not. It is on record.
            NotSent: what the limits need to know could not be read.
        """
        symbol_id = allowance.symbol_id_of(payload) if allowance is not None else None
        if allowance is None or symbol_id is None:
            return _nothing
        account = self._session.authorized[payload.ctidTraderAccountId]
        symbol = await self._session.prepared(name, account.symbol_by_id(symbol_id))
        allowance.check_order(payload, symbol)
        allowance.check_account(payload, symbol, await self._session.prepared(name, allowance.result(payload)))
        claim = allowance.claim(payload, symbol)
        return lambda in_doubt: allowance.settle(claim, in_doubt=in_doubt, target=_target(payload))


def _nothing(in_doubt: bool) -> None:
    """There is no claim to settle."""


def _target(payload: Any) -> Target | None:
    """The order or position that a raw request is about, or None."""
    if order_id := getattr(payload, "orderId", 0):
        return ("order", order_id)
    if position_id := getattr(payload, "positionId", 0):
        return ("position", position_id)
    return None
