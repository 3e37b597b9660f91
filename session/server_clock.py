"""How far the server's clock is from ours, as far as its own timestamps tell. Pure: told the time.

Nothing of the protocol asks the server for its time. But whoever hears of an execution hears when it happened by the
server's clock, and it happened before we heard of it: so the server is at least that far ahead of us. Where nothing was
heard yet the clocks may be a day apart: a machine that is further off cannot verify a certificate for long either.
"""

from __future__ import annotations

from typing import Final

__all__ = ["FAR_APART_MS", "ServerClock"]

FAR_APART_MS: Final = 86_400_000
"""A day: further apart the clocks are not taken to be."""

_CLOSE_MS: Final = 5_000  # what is heard late, and clocks that drift
_STEP_MS: Final = 1_000  # a clock that moved by more against one that never jumps was set


class ServerClock:
    """One server's."""

    def __init__(self) -> None:
        self._ahead_ms: int | None = None  # at least so far is it ahead of ours
        self._base_ms = 0.0  # of our clock against the one that never jumps, when that was learned

    def heard(self, server_ms: int, *, utc_ms: int, now_s: float) -> None:
        """An event tells when it happened.

        Args:
            server_ms: by the server's clock.
            utc_ms: by ours, when it was heard.
            now_s: likewise, by the clock that never jumps.
        """
        ahead_ms, base_ms = server_ms - utc_ms, utc_ms - now_s * 1000
        if self._ahead_ms is None or abs(base_ms - self._base_ms) > _STEP_MS:
            self._ahead_ms, self._base_ms = ahead_ms, base_ms
        else:
            self._ahead_ms = max(self._ahead_ms, ahead_ms)

    def earliest_ms(self, at_ms: int, *, utc_ms: int, now_s: float) -> int:
        """What the server's clock showed at the least when ours showed this.

        Args:
            at_ms: by our clock, milliseconds since the epoch.
            utc_ms: the time now.
            now_s: likewise, by the clock that never jumps.
        """
        ahead_ms = self._known_ahead_ms(utc_ms=utc_ms, now_s=now_s)
        return at_ms - FAR_APART_MS if ahead_ms is None else at_ms + ahead_ms - _CLOSE_MS

    def told_by_ms(self, at_ms: int, *, utc_ms: int, now_s: float) -> int:
        """What the server's clock showed at the most when ours showed this, if what was heard of it came soon.

        Args:
            at_ms: by our clock, milliseconds since the epoch.
            utc_ms: the time now.
            now_s: likewise, by the clock that never jumps.
        """
        ahead_ms = self._known_ahead_ms(utc_ms=utc_ms, now_s=now_s)
        return self.latest_ms(at_ms) if ahead_ms is None else at_ms + ahead_ms + _CLOSE_MS

    def _known_ahead_ms(self, *, utc_ms: int, now_s: float) -> int | None:
        """How far ahead it is; None where nothing was heard of it, or ours was set since."""
        was_set = abs(utc_ms - now_s * 1000 - self._base_ms) > _STEP_MS
        return None if was_set else self._ahead_ms

    @staticmethod
    def latest_ms(at_ms: int) -> int:
        """What the server's clock showed at the most when ours showed this: how far ahead it is, nothing tells."""
        return at_ms + FAR_APART_MS
