"""Waiting for a thread's work without taking the time in which the program itself stood still for that of the work."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Errand", "came"]

# Each begins when the loop runs again: a standstill, however long, takes one of them from the work. Who waits wakes up
# so many times, so it is few.
_SPELLS: Final = 8


async def came(wait: Callable[[], Awaitable[None]], *, within_s: float) -> bool:
    """Whether the wait ended within so many seconds of a running loop. It is cancelled and begun anew meanwhile."""
    for _ in range(_SPELLS):
        with anyio.move_on_after(within_s / _SPELLS):
            await wait()
            return True
    return False


@dataclass(frozen=True, slots=True)
class Errand:
    """What a thread does just now, on the loop's clock.

    Attributes:
        since_s: when it began.
        back: set when it is done.
    """

    since_s: float = field(default_factory=anyio.current_time)
    back: anyio.Event = field(default_factory=anyio.Event)

    def is_older_than(self, age_s: float) -> bool:
        """Whether it began longer ago, by the clock: it may be done, and the loop not have run since."""
        return anyio.current_time() - self.since_s > age_s

    async def look(self, within_s: float) -> None:
        """Where it is older than that, lets it come back if it is done: waits for an eighth of that time at most."""
        if self.is_older_than(within_s):
            with anyio.move_on_after(within_s / _SPELLS):
                await self.back.wait()
