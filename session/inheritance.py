"""Orders of an earlier process that are not in the books yet, for the server has not told what their symbol is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from . import clock
from .changes import Close
from .errors import NotSent, OutcomeUnknown, RateLimited, RequestFailed
from .symbols import NamedSymbol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from .account import Account
    from .holdings import PendingOrder
    from .leftovers import Leftover
    from .order_record import OrderRecord
    from .request_record import Target
    from .symbols import Symbol

__all__ = ["Inheritance"]

# A list of symbols may be some hundred kilobytes: one that goes on without this symbol is not read every few seconds.
_AGAIN_S = 15.0
_AGAIN_MOST_S = 3_600.0
# After all the time that a read has: the next one would take as long.
_UNANSWERED = (NotSent, OutcomeUnknown, RateLimited)


class Inheritance:
    """Keeps them until their symbol is told: one that is not known now may be at the next look.

    Args:
        orders: what an earlier process left.
        account: whose they are.
        warn: told what a person should know, as `ConnectionLog.write` is.
    """

    def __init__(self, orders: Iterable[Leftover], *, account: Account, warn: Callable[..., None]) -> None:
        self._orders = list(orders)
        self._account = account
        self._warn = warn
        self._told: set[str] = set()  # the client order ids that a person was told of
        self._again_s = _AGAIN_S
        self._due_s = -math.inf

    def look_soon(self) -> None:
        """What the server says of its symbols may have changed."""
        self._again_s, self._due_s = _AGAIN_S, -math.inf

    @property
    def is_due(self) -> bool:
        """Whether one waits that is to be looked after now."""
        return bool(self._orders) and clock.now_s() >= self._due_s

    def check_settled(self, target: Target, *, waiting: Collection[PendingOrder]) -> None:
        """Returns if none of them that may have changed this order or position since was about it.

        Args:
            target: the order or position.
            waiting: the orders that are known to wait for their price. What is one of them is not in doubt.

        Raises:
            NotSent: one was. Nothing may leave for it.
        """
        kind, id_ = target
        for each in self._unsettled(waiting):
            named = getattr(each.intent, "position_id", None)  # of a close, or of an order into a position
            if id_ == (named if kind == "position" else each.order_id):
                raise NotSent(
                    f"nothing left for {kind} {id_}: {each.client_order_id} of an earlier process has no end on "
                    f"record, and the server does not say what {each.symbol} is: find out first"
                )

    def of_symbol(self, symbol_id: int, name: str, *, waiting: Collection[PendingOrder]) -> Leftover | None:
        """One of them that may have changed the position of a symbol since, or None. See `check_settled`."""
        unsettled = self._unsettled(waiting)
        return next((each for each in unsettled if each.symbol_id == symbol_id or each.symbol == name), None)

    def of_client_order_id(self, client_order_id: str) -> Leftover | None:
        """The one that has this id, or None."""
        return next((each for each in self._orders if each.client_order_id == client_order_id), None)

    async def take(self, adopt: Callable[[Leftover, OrderRecord], None]) -> str | None:
        """Gives those whose symbol is known; the others wait on.

        A server that does not answer keeps the account no more away than one that refuses. It is waited for once, and
        not for each of them.

        Args:
            adopt: takes one into the books. Called at once when its symbol is there: one is never lost in between.

        Returns:
            why the server is silent about symbols, or None where it is not.

        Raises:
            NotSent, OutcomeUnknown, RateLimited: the link is lost. The rest waits.
        """
        if not self.is_due:
            return None
        if self._told:
            self._account.book.changed(())  # its list may have the symbol by now
        silence: RequestFailed | None = None
        for each in tuple(self._orders):
            found = self._known(each) or silence or await self._asked(each)
            if isinstance(found, RequestFailed):
                self._tell(each, found)
                silence = found if isinstance(found, _UNANSWERED) else silence
                continue
            self._orders.remove(each)
            adopt(each, each.record(found))
        self._due_s = clock.now_s() + self._again_s
        self._again_s = min(2 * self._again_s, _AGAIN_MOST_S)
        return str(silence) if silence is not None else None

    def _unsettled(self, waiting: Collection[PendingOrder]) -> Iterator[Leftover]:
        for each in self._orders:
            if each.end is None and not any(_came_of(order, each) for order in waiting):
                yield each

    async def _asked(self, each: Leftover) -> Symbol | RequestFailed:
        """What the server says of its symbol, or why that is not known."""
        try:
            return await self._account.symbol(each.symbol)
        except RequestFailed as error:
            if isinstance(error, _UNANSWERED) and not self._account.has_link:
                raise
            return error

    def _known(self, each: Leftover) -> Symbol | NamedSymbol | None:
        """What is known of its symbol, as far as it is needed; None where the server must be asked."""
        if each.symbol_id is None:
            return self._account.book.known(each.symbol)
        # It left without its figures, and what became of it is found out without them.
        known = self._account.book.known(each.symbol_id)
        return known or NamedSymbol(id=each.symbol_id, name=self._account.name_of(each.symbol_id))

    def _tell(self, left: Leftover, error: RequestFailed) -> None:
        if left.client_order_id in self._told:
            return
        self._told.add(left.client_order_id)
        why = f"{error}; it is taken up when the server says what {left.symbol} is"
        self._warn("not_followed", order=left.client_order_id, reason=why)


def _came_of(order: PendingOrder, left: Leftover) -> bool:
    """Whether an order that opens is that of an earlier process: by its own id, or by what was given with it."""
    if left.order_id is not None:
        return order.id == left.order_id
    given = left.client_order_id in (order.client_order_id, order.label)
    return given and order.side is left.side and not isinstance(left.intent, Close)
