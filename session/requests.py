"""Requests on their way: what is asked, how urgent it is, until when, and what became of it."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING

import anyio

from ..wire import Budget, Permission
from ..wire.catalog import CATALOG, Kind
from . import clock
from .outbox import Urgency

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..wire import Message
    from ..wire.catalog import Entry
    from .throttle import Place

__all__ = ["Deadlines", "Request"]


class Request:
    """A request on its way.

    Attributes:
        message: what is asked, with its id.
        timeout_s: how long its answer is waited for.
        by_s: when that is over.
        leave_by_s: after this it must not leave any more.
        sent_ms: when it left, UTC milliseconds, or None while no byte of it has.
        done: set once it has ended.
        answer: the server's message, once it is here.
        error: why there is none, once that is known.
    """

    __slots__ = (
        "answer",
        "budget",
        "by_s",
        "done",
        "error",
        "leave_by_s",
        "message",
        "on_sent",
        "payload_type",
        "place",
        "sent_ms",
        "timeout_s",
        "urgency",
    )

    def __init__(
        self,
        message: Message,
        done: anyio.Event,
        *,
        now_s: float,
        timeout_s: float,
        on_sent: Callable[[int, str], None] | None = None,
    ) -> None:
        if math.isnan(timeout_s):
            raise ValueError("timeout_s is no number: the request would be waited for without end")
        self.message = message
        self.timeout_s = timeout_s
        self.by_s = now_s + timeout_s
        self.payload_type = message.payload_type
        self.urgency, self.budget = _LANES.get(self.payload_type, _ANY_LANE)
        self.leave_by_s = self.by_s
        self.on_sent = on_sent
        self.place: Place | None = None
        self.sent_ms: int | None = None
        self.answer: Message | None = None
        self.error: Exception | None = None
        self.done = done

    @property
    def client_msg_id(self) -> str:
        """`clientMsgId` of its envelope."""
        assert self.message.client_msg_id is not None
        return self.message.client_msg_id

    def fail(self, error: Exception) -> None:
        """It ends without an answer, unless it has ended."""
        if not self.done.is_set():
            self.error = error
            self.done.set()

    def result(self) -> Message:
        """The answer of a request that is done; what it ended with is raised."""
        if self.error is not None:
            raise self.error
        assert self.answer is not None
        return self.answer

    def goes_ahead(self) -> None:
        """It is the session's own: callers' queries wait for it."""
        self.urgency = Urgency.BOOKS_HISTORY if self.budget is Budget.HISTORICAL else Urgency.BOOKS


def _lane(entry: Entry) -> tuple[Urgency, Budget]:
    budget = entry.budget or Budget.ORDINARY
    match entry.permission:
        case Permission.SESSION:
            return Urgency.SESSION, budget
        case Permission.CLOSE | Permission.CANCEL:
            return Urgency.CLOSE, budget
        case Permission.OPEN | Permission.CHANGE:
            return Urgency.OPEN, budget
    return (Urgency.HISTORY if budget is Budget.HISTORICAL else Urgency.QUERY), budget


_ANY_LANE = (Urgency.QUERY, Budget.ORDINARY)
_LANES = MappingProxyType(
    {payload_type: _lane(entry) for payload_type, entry in CATALOG.items() if entry.kind is Kind.REQUEST}
)


class Deadlines:
    """One clock for many requests: a deadline of its own for each costs as much as the request.

    Args:
        overdue: ends whatever is due by this time, and tells when the next one is.
    """

    def __init__(self, overdue: Callable[[float], float]) -> None:
        self._overdue = overdue
        self._next_s = math.inf
        self._scope: anyio.CancelScope | None = None

    def add(self, by_s: float) -> None:
        """Something is due by then."""
        if by_s < self._next_s:
            self._set(by_s)

    async def run(self) -> None:
        """Keeps the time until it is cancelled."""
        while True:
            next_s = self._overdue(clock.now_s())
            with anyio.CancelScope() as self._scope:
                self._set(next_s)
                await anyio.sleep_forever()

    def _set(self, at_s: float) -> None:
        self._next_s = at_s
        if self._scope is not None:  # the loop's clock is not ours: trio's begins anywhere
            self._scope.deadline = anyio.current_time() + at_s - clock.now_s()
