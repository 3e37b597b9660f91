"""Sees that the end of an order which fills at once is heard of, and has the server asked where it is not.

An execution event can be lost on its way while the link stays up (docs/protocol.md section 16): the order is filled
at the server then, its position is open, and no event will ever say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from . import clock
from .tasks import Following

if TYPE_CHECKING:
    from collections.abc import Callable

    from .order import Order

__all__ = ["FillWatch"]

_MOST_S = 60.0  # between two looks at an order whose end the server's lists do not have yet either


class FillWatch:
    """Follows the orders of one account whose end must come soon.

    Args:
        review: has the books of the account held against the server's word, soon. Nothing is sent again by it.
        within_s: how long the end, with its deals, may take.
    """

    def __init__(self, review: Callable[[], None], *, within_s: float) -> None:
        self._review = review
        self._within_s = within_s
        self._following: Following[Order] = Following(self._follow)
        self._asked_s: float | None = None

    def add(self, order: Order) -> None:
        """Follow this one too. Never waits."""
        self._following.add(order)

    def doubt(self) -> None:
        """Somebody waited for an order in vain: have the server asked, unless that was done just now. Never waits."""
        now_s = clock.now_s()
        if self._asked_s is None or now_s - self._asked_s >= self._within_s:
            self._asked_s = now_s
            self._review()

    async def serve(self) -> None:
        """Follows them until it is cancelled: one task an order, for as long as it is under way."""
        await self._following.serve()

    async def _follow(self, order: Order) -> None:
        within_s = self._within_s
        while not order.record.is_told:
            with anyio.move_on_after(within_s):
                await order.told()
                return
            # The lists may lag behind (section 12), so one look need not be enough.
            self._review()
            within_s = min(2 * within_s, max(_MOST_S, self._within_s))
