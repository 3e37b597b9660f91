"""When a request may leave. Pure: told the time.

docs/protocol.md section 5: 50 requests a second, and 5 historical ones, per connection, over a window that behaves as
a rolling one. Nobody knows whether the server counts authentication and heartbeats, so they are counted here.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..wire import Budget

if TYPE_CHECKING:
    from .settings import Rates

__all__ = ["Throttle"]

# A second as the server sees it: what left 1.00 s apart may arrive 0.98 s apart. 20 ms of jitter and 5 ms of our own
# scheduling are allowed for, which leaves more than 97 % of the budget.
_WINDOW_S = 1.025
_LEAST_WAIT_S = 1.0
_MOST_WAIT_S = 120.0  # where the one client that published its figures stops doubling (section 5)


class Throttle:
    """What one connection has sent lately, against what it may.

    Args:
        rates: requests a second of each budget.
    """

    def __init__(self, rates: Rates) -> None:
        self._most = {Budget.ORDINARY: rates.ordinary_per_s, Budget.HISTORICAL: rates.historical_per_s}
        self._sent: dict[Budget, deque[float]] = {budget: deque() for budget in Budget}
        self._blocked: dict[int, float] = {}
        self._refusals: dict[int, int] = {}

    def free_at_s(self, budget: Budget, *, now_s: float) -> float:
        """When the next request of this budget may leave: `now_s` or earlier means at once."""
        sent = self._sent[budget]
        horizon = now_s - _WINDOW_S
        while sent and sent[0] <= horizon:
            sent.popleft()
        if len(sent) < self._most[budget]:
            return now_s
        return sent[-self._most[budget]] + _WINDOW_S

    def sent(self, budget: Budget, *, now_s: float) -> None:
        """One has left. Also for what never waits: it counts."""
        self._sent[budget].append(now_s)

    def used(self, budget: Budget, *, now_s: float) -> int:
        """How many of this budget left within the window."""
        horizon = now_s - _WINDOW_S
        return sum(at > horizon for at in self._sent[budget])

    def most(self, budget: Budget) -> int:
        """How many of this budget may leave within the window."""
        return self._most[budget]

    def block(self, payload_type: int, *, until_s: float) -> None:
        """The server takes no request of this type until then (`BLOCKED_PAYLOAD_TYPE`, section 5)."""
        self._blocked[payload_type] = max(until_s, self._blocked.get(payload_type, until_s))

    def refused(self, payload_type: int, *, retry_after_s: float | None, now_s: float) -> None:
        """The server refused one of this type for its rate: the type is held back, each time for longer.

        Section 5: obeying `retryAfter` to the second fails again and again, so the wait doubles from there.
        """
        refusals = self._refusals[payload_type] = self._refusals.get(payload_type, 0) + 1
        wait_s = max(retry_after_s or 0.0, _LEAST_WAIT_S) * 2.0 ** min(refusals - 1, 10)
        self.block(payload_type, until_s=now_s + min(wait_s, max(_MOST_WAIT_S, retry_after_s or 0.0)))

    def accepted(self, payload_type: int) -> None:
        """The server took one of this type again: its next refusal is a first one."""
        if self._refusals:
            self._refusals.pop(payload_type, None)

    def blocked_until_s(self, payload_type: int, *, now_s: float) -> float | None:
        """When requests of this type may leave again, or None where they may now."""
        until_s = self._blocked.get(payload_type)
        if until_s is None:
            return None
        if until_s <= now_s:
            del self._blocked[payload_type]
            return None
        return until_s
