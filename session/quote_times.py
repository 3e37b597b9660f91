"""When quotes were made: what follows a subscription first only repeats the last one (docs/protocol.md section 11)."""

from __future__ import annotations

import math

from . import clock

__all__ = ["QuoteTimes", "ServerLag"]


class ServerLag:
    """How far the server's time of an event is behind our clock that never jumps, at the least: what is on its way
    longest makes no difference. Clocks that differ, and the way itself, are in it.

    Attributes:
        least_ms: of all events that were live; None before any.
    """

    __slots__ = ("least_ms",)

    def __init__(self) -> None:
        self.least_ms: float | None = None

    def made_s(self, at_ms: int, now_s: float) -> float:
        """When that was, on the clock of `clock.now_s`, and not in the future.

        Args:
            at_ms: by the server's clock, milliseconds since the epoch.
            now_s: the present.
        """
        # Before anything is known of the server's clock it is taken to be right, and ours too.
        age_ms = clock.utc_ms() - at_ms if self.least_ms is None else now_s * 1000 - at_ms - self.least_ms
        return now_s - max(0.0, age_ms / 1000)


class QuoteTimes:
    """Of one symbol, from one subscription on."""

    __slots__ = ("_at_ms", "_made_s")

    def __init__(self) -> None:
        self._at_ms = -1  # of the last event, by the server's clock; 0: it did not say; -1: there was none
        self._made_s = -math.inf

    def made_s(self, at_ms: int, now_s: float, lag: ServerLag) -> float:
        """When an event's quote was made, on the clock of `clock.now_s`; minus infinity where nothing tells.

        Args:
            at_ms: `ProtoOASpotEvent.timestamp`, 0 where it has none.
            now_s: when it arrived.
            lag: of the server; it learns from it.
        """
        if self._at_ms < 0:
            self._made_s = lag.made_s(at_ms, now_s) if at_ms else -math.inf
            self._at_ms = at_ms
        elif not at_ms:
            self._made_s = now_s
        elif at_ms > self._at_ms:  # else it is told again, as after a subscription to bars
            self._at_ms, self._made_s = at_ms, now_s
            behind_ms = now_s * 1000 - at_ms
            if lag.least_ms is None or behind_ms < lag.least_ms:
                lag.least_ms = behind_ms
        return self._made_s
