"""The quotes of what is traded, which fills are held against."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import anyio

from .errors import CTraderError
from .subscriptions import LATEST
from .terms import Side

if TYPE_CHECKING:
    from decimal import Decimal

    from .account import Account
    from .symbols import Symbol

__all__ = ["TradedQuotes"]

_QUOTE_S = 1.0  # the first order of a symbol waits so long for a quote to hold its fill against, and goes without then


class TradedQuotes:
    """Subscribes the quotes of a symbol the first time that it is traded, and keeps them.

    Args:
        account: whose.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._watched = AsyncExitStack()
        self._watching = anyio.Lock()

    def last(self, symbol: Symbol, side: Side) -> Decimal | None:
        """What an order of this side would have been filled at just now, or None where that is not known."""
        spot = self._account.board.last(symbol.id)
        if spot is None:
            return None
        return spot.ask if side is Side.BUY else spot.bid

    async def awaited(self, symbol: Symbol, side: Side) -> Decimal | None:
        """The same; the first time that a symbol is traded, its quotes are subscribed and one is waited for."""
        if symbol.id not in self._account.board.wanted:
            async with self._watching:
                if symbol.id not in self._account.board.wanted:
                    with anyio.move_on_after(_QUOTE_S):
                        await self._watch(symbol)
        return self.last(symbol, side)

    async def aclose(self) -> None:
        """Lets go of all of them."""
        await self._watched.aclose()

    async def _watch(self, symbol: Symbol) -> None:
        try:
            stream = await self._watched.enter_async_context(self._account.spots(symbol.name, policy=LATEST))
            async for _ in stream:
                break
        except CTraderError:
            return  # no quotes, no slippage figure; the order itself may still be right
