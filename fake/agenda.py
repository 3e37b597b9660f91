"""What happens when: one task, one clock, one list of things to come.

Everything timed in a fake server (answers, ticks, heartbeats, idle closes, faults) is a call on this agenda, so that
two things that are due in some order happen in that order.
"""

from __future__ import annotations

import enum
import heapq
import math
import time
from itertools import count
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Agenda", "Clock", "Timer"]

_ROUNDING_MS = 1e-3  # a sum of seconds that should say 570 ms may say 569.9999999999999


class Clock(enum.Enum):
    """What moves a server's time."""

    RUNNING = "running"
    """The event loop's clock."""
    HELD = "held"
    """Nothing but `Agenda.pass_time`: what a server sends then depends on what it was told, and on nothing else."""


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
        clock: what moves the time.
    """

    def __init__(
        self, *, clock_ms: int | None, failed: Callable[[Exception], None], clock: Clock = Clock.RUNNING
    ) -> None:
        self._held_s = 0.0 if clock is Clock.HELD else None
        self._started_s = self.now_s()
        self._epoch_ms = time.time_ns() // 1_000_000 if clock_ms is None else clock_ms
        self._failed = failed
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = count()
        self._changed = anyio.Event()

    def now_s(self) -> float:
        """The clock that moves this agenda, seconds."""
        return anyio.current_time() if self._held_s is None else self._held_s

    def now_ms(self) -> int:
        """The server's time of day, ms since the epoch."""
        return self.ms_at(self.now_s())

    def ms_at(self, at_s: float) -> int:
        """The server's time of day when this agenda's clock says `at_s`."""
        return self._epoch_ms + int((at_s - self._started_s) * 1000 + _ROUNDING_MS)

    def due_s(self, at_ms: int) -> float:
        """The first moment, on this agenda's clock, at which `now_ms()` says `at_ms`."""
        return self._started_s + (at_ms - self._epoch_ms) / 1000 + 1e-6

    def call_at(self, due_s: float, call: Callable[[], None]) -> Timer:
        """Calls once this agenda's clock says `due_s`."""
        timer = Timer(due_s, call)
        if not self._timers or due_s < self._timers[0][0]:
            self._changed.set()
        heapq.heappush(self._timers, (due_s, next(self._numbers), timer))
        return timer

    def call_after(self, delay_s: float, call: Callable[[], None]) -> Timer:
        """Calls `delay_s` from now."""
        return self.call_at(self.now_s() + delay_s, call)

    def pass_time(self, seconds: float) -> None:
        """Moves a held clock on, and makes every call that falls due on the way, each at its own moment.

        Raises:
            RuntimeError: the clock runs by itself.
            ValueError: time does not go back.
        """
        if self._held_s is None:
            raise RuntimeError("this server's clock runs by itself: it is held only where its settings say so")
        if seconds < 0:
            raise ValueError(f"{seconds} s: time does not go back")
        until_s = self._held_s + seconds
        while self._timers and self._timers[0][0] <= until_s:
            self._held_s = max(self._held_s, self._timers[0][0])
            self._call_due()
        self._held_s = until_s

    async def run(self) -> None:
        """Makes the calls, for ever."""
        while True:
            deadline = self._timers[0][0] if self._timers and self._held_s is None else math.inf
            with anyio.CancelScope(deadline=deadline):
                await self._changed.wait()
            self._changed = anyio.Event()
            self._call_due()
            # A call that is always due again must not keep the others of this event loop from running.
            await anyio.lowlevel.checkpoint()

    def _call_due(self) -> None:
        now = self.now_s()
        while self._timers and self._timers[0][0] <= now:
            call = heapq.heappop(self._timers)[2].call
            if call is None:
                continue
            try:
                call()
            except Exception as error:
                self._failed(error)
