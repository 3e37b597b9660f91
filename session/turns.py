"""One amendment at a time for each order and each position of an account.

An amendment overwrites (docs/protocol.md section 10.3), so it is built from what the server has: of two that were
built from the same, the second would take back what the first changed.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from . import clock
from .errors import NotSent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from .request_record import Target

__all__ = ["Turns"]


@dataclass(slots=True, eq=False)
class _Turn:
    lock: anyio.Lock = field(default_factory=anyio.Lock)
    wanted: int = 0


class Turns:
    """Whose turn it is. What ends an order or a position needs none: nothing of it is merged, and it must not wait."""

    def __init__(self) -> None:
        self._turns: dict[Target, _Turn] = {}

    def __len__(self) -> int:
        return len(self._turns)

    @asynccontextmanager
    async def of(self, target: Target, *, within_s: float) -> AsyncIterator[float]:
        """Holds the turn of an order or a position; gives how many seconds are left of those that it may wait.

        Args:
            target: which.
            within_s: how long it may wait for those before it.

        Raises:
            NotSent: that was not enough.
        """
        by_s = clock.now_s() + within_s
        turn = self._turns.setdefault(target, _Turn())
        turn.wanted += 1
        try:
            try:
                with anyio.fail_after(within_s):
                    await turn.lock.acquire()
            except TimeoutError:
                kind, id_ = target
                why = f"the change before it was not answered within {within_s:g} s"
                raise NotSent(f"nothing left for {kind} {id_}: {why}") from None
            try:
                yield max(0.0, by_s - clock.now_s())
            finally:
                turn.lock.release()
        finally:
            turn.wanted -= 1
            if not turn.wanted:
                del self._turns[target]
