"""For how long something that was refused for its rate is left alone. Pure: told the time."""

from __future__ import annotations

__all__ = ["Patience"]

_LEAST_WAIT_S = 1.0


class Patience:
    """Waits that grow from one refusal to the next.

    Section 5 of docs/protocol.md: obeying `retryAfter` to the second fails again and again, so each wait is doubled.
    """

    def __init__(self) -> None:
        self._refusals = 0
        self._until_s = 0.0

    def refused(self, *, retry_after_s: float | None, now_s: float) -> None:
        """It was refused once more.

        Args:
            retry_after_s: what the server says, or None.
            now_s: the time.
        """
        wait_s = max(retry_after_s or 0.0, _LEAST_WAIT_S) * 2.0 ** min(self._refusals, 10)
        self._refusals += 1
        self._until_s = now_s + wait_s

    def accepted(self) -> None:
        """It was taken: the next refusal is a first one."""
        self._refusals = 0

    def left_s(self, *, now_s: float) -> float:
        """Seconds that it is to be left alone yet; 0 where it may be asked for."""
        return max(0.0, self._until_s - now_s)
