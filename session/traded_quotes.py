"""The quotes of what is traded, which fills are held against."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import anyio

from . import clock
from .errors import CTraderError
from .subscriptions import LATEST
from .terms import Side

if TYPE_CHECKING:
    from decimal import Decimal

    from .account import Account
    from .subscriptions import Spot, SpotStream
    from .symbols import Symbol

__all__ = ["TradedQuotes"]

_QUOTE_S = 1.0  # the first order of a symbol waits so long for a quote to hold its fill against, and goes without then


class TradedQuotes:
    """Subscribes the quotes of a symbol the first time that it is traded, and keeps them.

    Args:
        account: whose.
        most_age_s: how old a quote may be that an order is held against; None: as old as it is.
    """

    def __init__(self, account: Account, *, most_age_s: float | None = None) -> None:
        self._account = account
        self._most_age_s = most_age_s
        self._watched = AsyncExitStack()
        self._watching = anyio.Lock()

    def last(self, symbol_id: int, side: Side) -> Decimal | None:
        """What an order of this side would have been filled at just now, or None where that is not known."""
        spot = self._account.board.last(symbol_id)
        if spot is None:
            return None
        return spot.ask if side is Side.BUY else spot.bid

    async def awaited(self, symbol: Symbol, side: Side) -> Decimal | None:
        """The same; the first time that a symbol is traded, its quotes are subscribed and one is waited for.

        So is a younger one, where the last only repeats what was quoted before the subscription, and too long ago.
        """
        if symbol.id not in self._account.board.wanted:
            async with self._watching:
                if symbol.id not in self._account.board.wanted:
                    with anyio.move_on_after(_QUOTE_S):
                        await self._watch(symbol)
        elif self._repeats(self._account.board.last(symbol.id)):
            with anyio.move_on_after(_QUOTE_S):
                async with self._account.spots(symbol.name, policy=LATEST) as stream:
                    await self._listen(stream)
        return self.last(symbol.id, side)

    async def aclose(self) -> None:
        """Lets go of all of them."""
        await self._watched.aclose()

    async def _watch(self, symbol: Symbol) -> None:
        try:
            stream = await self._watched.enter_async_context(self._account.spots(symbol.name, policy=LATEST))
            await self._listen(stream)
        except CTraderError:
            return  # no quotes, no slippage figure; the order itself may still be right

    async def _listen(self, stream: SpotStream) -> None:
        """Returns with the first quote that an order may be held against."""
        async for spot in stream:
            if not self._repeats(spot):
                return

    def _repeats(self, spot: Spot | None) -> bool:
        """Whether it repeats one that is too old. Of live ones the last is the last, however old."""
        if spot is None or self._most_age_s is None or spot.made_s == spot.heard_s:
            return False
        return clock.now_s() - spot.made_s > self._most_age_s
