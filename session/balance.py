"""The balance of an account, held against what was told of it: where they part, an event was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio

from ..wire import messages as oa
from . import clock
from .ledger import EVENT_LAG_S, money_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from .account import Account
    from .ledger import Ledger

__all__ = ["Balance"]

_KEPT_MS: Final = 86_400_000  # movements that are summed up anew at each look; a day of them is not many


class Balance:
    """Looks at it where nobody limits the loss of the day, which looks by itself (`Day`).

    It costs one request a look and reads no list: what was made while nobody listened is looked up after each gap
    anyway, so that only what goes missing on a link that stays up is to be noticed here.

    Args:
        account: whose.
        ledger: what has moved it, from events.
        doubt: called where it has moved, and nothing was told that moved it: a position may be gone, too.
    """

    def __init__(self, account: Account, *, ledger: Ledger, doubt: Callable[[], None]) -> None:
        self._account = account
        self._ledger = ledger
        self._doubt = doubt
        self._untold: Decimal | None = None  # the balance without all that was told: it stays, as long as all is told

    async def look(self) -> None:
        """Looks at it once.

        Raises:
            RequestFailed: it could not be read.
            ValueError: it cannot be understood, or a movement cannot.
        """
        had_gap, self._ledger.has_gap = self._ledger.has_gap, False
        try:
            untold = await self._read()
            if untold != self._untold and self._untold is not None and not had_gap:
                await anyio.sleep(EVENT_LAG_S)
                untold = await self._read()
        except BaseException:
            self._ledger.has_gap = True
            raise
        news = self._untold is not None and untold != self._untold and not (had_gap or self._ledger.has_gap)
        told = self._told()
        self._ledger.forget(clock.utc_ms() - _KEPT_MS)
        self._untold = untold + told - self._told()  # what is forgotten moved it, and is not summed up any more
        if news:
            self._doubt()

    async def _read(self) -> Decimal:
        trader = (await self._account.ask(oa.ProtoOATraderReq())).trader
        # No event can come between this answer and the sums: all are of the same moment.
        return money_of(trader, "balance") - self._told()

    def _told(self) -> Decimal:
        return self._ledger.booked_since(0) + self._ledger.paid_since(0)
