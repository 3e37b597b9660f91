"""What is due when: things that the exchange has promised to itself, in order of time and then of promise."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Timeline"]


class Timeline:
    """Actions with their times. It knows no clock: whoever has one takes what is due."""

    def __init__(self) -> None:
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = count()

    def at(self, at_ms: int, action: Callable[[], None]) -> None:
        """Promise an action. An action that has lost its point by then must notice that itself."""
        heappush(self._due, (at_ms, next(self._numbers), action))

    def next_ms(self) -> int | None:
        """When the first of them is due, or None."""
        return self._due[0][0] if self._due else None

    def take(self) -> Callable[[], None]:
        """Take the first."""
        return heappop(self._due)[2]
