"""What follows upon the answer to a raw trading request: the deals of its order, which come as events of their own."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import anyio

from ..wire import messages as oa
from .errors import CTraderError
from .fills import Fill, Fills

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ..wire import Message
    from .client import Session
    from .subscriptions import EventStream

__all__ = ["Aftermath", "aftermath_of"]

# Whatever else waits for its price, for days maybe.
_AT_ONCE: Final = frozenset({oa.ProtoOAOrderType.MARKET, oa.ProtoOAOrderType.MARKET_RANGE})
_ENDS: Final = frozenset(
    {
        oa.ProtoOAExecutionType.ORDER_FILLED,
        oa.ProtoOAExecutionType.ORDER_CANCELLED,
        oa.ProtoOAExecutionType.ORDER_EXPIRED,
        oa.ProtoOAExecutionType.ORDER_REJECTED,
    }
)


class Aftermath:
    """Of one request. Made by `aftermath_of`.

    Attributes:
        is_over: whether the order was seen at its end.
    """

    def __init__(self, events: EventStream[Message] | None) -> None:
        self.is_over = False
        self._events = events

    async def fills(self, answer: Any, *, within_s: float) -> tuple[Fill, ...] | None:
        """The fills of the order that an answer names, when it has ended or the time is over.

        Args:
            answer: the payload of the answer.
            within_s: how long to wait, seconds.

        Returns:
            each fill once; None where the answer names no order that is filled at once.
        """
        order = answer.order if isinstance(answer, oa.ProtoOAExecutionEvent) and answer.HasField("order") else None
        if self._events is None or order is None or order.orderType not in _AT_ONCE or answer.errorCode:
            return None
        fills = Fills()
        with anyio.move_on_after(within_s):
            try:
                async for message in self._events:
                    event = message.payload
                    if event.order.orderId != order.orderId:
                        continue
                    if event.HasField("deal"):
                        fills.add(event.deal)
                    if event.executionType in _ENDS:
                        self.is_over = True
                        break
            except CTraderError:  # the session ends, and what is known by now is all
                pass
        return tuple(fills)


@asynccontextmanager
async def aftermath_of(session: Session, account_id: int) -> AsyncIterator[Aftermath]:
    """Listens to an account's executions. To be entered before the request is sent.

    Args:
        session: that sends it.
        account_id: whose; one that is not authorised has no executions.
    """
    account = session.authorized.get(account_id)
    if account is None:
        yield Aftermath(None)
        return
    async with account.events(wanted=lambda message: isinstance(message.payload, oa.ProtoOAExecutionEvent)) as events:
        yield Aftermath(events)
