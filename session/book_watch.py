"""Has the books of a session held against the server's word while nothing tells that an event was lost.

The fill of a raw market order, or of an order that waited for its price, can be lost while the link stays up
(docs/protocol.md section 16). An opening moves no balance, so that nothing else would tell of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from ..wire import messages as oa
from . import clock
from .errors import CTraderError, SessionClosed
from .ledger import EVENT_LAG_S
from .states import SessionState

if TYPE_CHECKING:
    from .account import Account
    from .books import Books
    from .client import Session

__all__ = ["BookWatch"]

_APART_S: Final = 60.0  # between two looks: one request of the 3000 a minute that the server takes


class BookWatch:
    """Of one session.

    Args:
        session: whose accounts.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._asked = anyio.Event()
        # By account: the orders at work that should be filled at once, and those of them that were doubted.
        self._seen: dict[int, tuple[set[int], set[int]]] = {}

    def soon(self) -> None:
        """Somebody wants to know: look now. Never waits."""
        self._asked.set()

    async def serve(self) -> None:
        """Looks every minute, and when it is asked to, until the session is left."""
        next_s = clock.now_s() + _APART_S
        try:
            while True:
                await self._session.wait_for(SessionState.READY)
                for account_id, books in tuple(self._session.books.items()):
                    self._doubt_late(account_id, books)
                if self._asked.is_set() or clock.now_s() >= next_s:
                    self._asked, next_s = anyio.Event(), clock.now_s() + _APART_S
                    self._seen = {id_: (at_work, set()) for id_, (at_work, _) in self._seen.items()}
                    await self.look()
                with anyio.move_on_after(self._session.timings.fill_s):
                    await self._asked.wait()
        except SessionClosed:
            return

    async def look(self) -> None:
        """Looks at each account that is there, once: one that is not answered holds up no other.

        What parts is taken over and on record, and is reviewed soon for its deals.
        """
        async with anyio.create_task_group() as tasks:
            for account in self._session.authorized.values():
                books = self._session.books.get(account.id)
                if books is not None and books.positions.reconciled:
                    tasks.start_soon(self._look, account, books)

    async def _look(self, account: Account, books: Books) -> None:
        try:
            if not await _parts(account, books):
                return
            await anyio.sleep(EVENT_LAG_S)
            if await _parts(account, books):
                try:
                    await books.reconcile()
                finally:
                    self._session.review(account.id)
        except CTraderError as error:  # the next look tells
            books.warn("not_checked", reason=str(error))
        except Exception:  # the review meets it as well, and knows what to do with an account like that
            self._session.review(account.id)

    def _doubt_late(self, account_id: int, books: Books) -> None:
        """Some that fill at once, whoever sent them, still work: each is doubted once a look, whose list has none."""
        at_work = {order.id for order in books.positions.immediate_orders}
        before, doubted = self._seen.get(account_id, (set[int](), set[int]()))
        late = (at_work & before) - doubted
        if late:
            self._session.review(account_id)
        self._seen[account_id] = at_work, (doubted | late) & at_work


async def _parts(account: Account, books: Books) -> bool:
    """Whether the server's list has it otherwise. Callers' queries go ahead: nothing speaks against the books."""
    mark = books.positions.mark()
    answer = await account.request(oa.ProtoOAReconcileReq(returnProtectionOrders=True))
    return bool(books.positions.differences(answer, since=mark))
