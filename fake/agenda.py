"""What happens when: one task, one clock, one list of things to come.

Everything timed in a fake server (answers, ticks, heartbeats, idle closes, faults) is a call on this agenda, so that
two things that are due in some order happen in that order.
"""

from __future__ import annotations

import heapq
import math
import time
from itertools import count
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Agenda", "Timer"]


class Timer:
    """A call to come; `cancel()` withdraws it."""

    __slots__ = ("call", "due_s")

    def __init__(self, due_s: float, call: Callable[[], None]) -> None:
        self.due_s = due_s
        self.call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """The call will not be made."""
        self.call = None


class Agenda:
    """Makes calls when they are due, in the order of their times and then of their entry.

    Args:
        clock_ms: the time of day at the start, ms since the epoch; None for the system's. From then on the event
            loop's clock counts: a change of the system's time moves nothing.
        failed: gets each exception that a call raised; the agenda goes on.
    """

    def __init__(self, *, clock_ms: int | None, failed: Callable[[Exception], None]) -> None:
        self._started_s = anyio.current_time()
        self._epoch_ms = time.time_ns() // 1_000_000 if clock_ms is None else clock_ms
        self._failed = failed
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = count()
        self._changed = anyio.Event()

    def now_s(self) -> float:
        """The event loop's clock, seconds."""
        return anyio.current_time()

    def now_ms(self) -> int:
        """The server's time of day, ms since the epoch."""
        return self._epoch_ms + int((anyio.current_time() - self._started_s) * 1000)

    def due_s(self, at_ms: int) -> float:
        """The first moment, on the event loop's clock, at which `now_ms()` says `at_ms`."""
        return self._started_s + (at_ms - self._epoch_ms) / 1000 + 1e-6

    def call_at(self, due_s: float, call: Callable[[], None]) -> Timer:
        """Calls once the event loop's clock says `due_s`."""
        timer = Timer(due_s, call)
        if not self._timers or due_s < self._timers[0][0]:
            self._changed.set()
        heapq.heappush(self._timers, (due_s, next(self._numbers), timer))
        return timer

    def call_after(self, delay_s: float, call: Callable[[], None]) -> Timer:
        """Calls `delay_s` from now."""
        return self.call_at(anyio.current_time() + delay_s, call)

    async def run(self) -> None:
        """Makes the calls, for ever."""
        while True:
            deadline = self._timers[0][0] if self._timers else math.inf
            with anyio.CancelScope(deadline=deadline):
                await self._changed.wait()
            self._changed = anyio.Event()
            self._call_due()
            # A call that is always due again must not keep the others of this event loop from running.
            await anyio.lowlevel.checkpoint()

    def _call_due(self) -> None:
        now = anyio.current_time()
        while self._timers and self._timers[0][0] <= now:
            call = heapq.heappop(self._timers)[2].call
            if call is None:
                continue
            try:
                call()
            except Exception as error:
                self._failed(error)
