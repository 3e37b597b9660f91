"""How many requests a connection may make (docs/protocol.md section 5). Pure."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

from ..wire import messages as oa
from ..wire.catalog import Budget, entry_of
from .choices import Disputed, HeartbeatCost, Window

if TYPE_CHECKING:
    from .settings import Limits

__all__ = ["RateWindow", "RequestRates"]

_DISPUTED = frozenset(
    oa.payload_type_of(cls)
    for cls in (
        oa.ProtoOAOrderListReq,
        oa.ProtoOADealListByPositionIdReq,
        oa.ProtoOAOrderListByPositionIdReq,
        oa.ProtoOAOrderDetailsReq,
        oa.ProtoOADealOffsetListReq,
    )
)
# Each further breach within this many windows makes the next `retryAfter` longer.
_MEMORY_WINDOWS = 10


class RateWindow:
    """Admits so many in any window of so many seconds, or in each one since the first."""

    __slots__ = ("_admitted", "_limit", "_window", "_window_s")

    def __init__(self, limit: int, *, window_s: float, window: Window) -> None:
        self._limit = limit
        self._window_s = window_s
        self._window = window
        self._admitted: deque[float] = deque()

    def admit(self, now_s: float) -> bool:
        """Counts one, or refuses it; a refused one does not count."""
        admitted = self._admitted
        if self._window is Window.SLIDING:
            while admitted and admitted[0] <= now_s - self._window_s:
                admitted.popleft()
        elif admitted and admitted[0] <= now_s - self._window_s:
            admitted.clear()
        if len(admitted) >= self._limit:
            return False
        admitted.append(now_s)
        return True


class RequestRates:
    """What one connection has asked for lately, and what it is locked out of."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._windows = {
            Budget.ORDINARY: self._window(limits.ordinary_per_window),
            Budget.HISTORICAL: self._window(limits.historical_per_window),
        }
        self._locked_until_s: dict[int, float] = {}
        self._breaches: deque[float] = deque(maxlen=limits.longest_retry_after_s)
        self.breaches = 0

    def admit(self, payload_type: int, *, now_s: float) -> int | None:
        """None if this request may pass, otherwise `retryAfter` in seconds, at least 1."""
        locked_until_s = self._locked_until_s.get(payload_type)
        if locked_until_s is not None:
            if now_s < locked_until_s:
                self.breaches += 1
                return max(1, math.ceil(locked_until_s - now_s))
            del self._locked_until_s[payload_type]
        if self._windows[self._budget(payload_type)].admit(now_s):
            return None
        self.breaches += 1
        while self._breaches and self._breaches[0] < now_s - _MEMORY_WINDOWS * self._limits.window_s:
            self._breaches.popleft()
        retry_after_s = min(self._limits.first_retry_after_s + len(self._breaches), self._limits.longest_retry_after_s)
        self._breaches.append(now_s)
        return retry_after_s

    def lock(self, payload_type: int, *, until_s: float) -> None:
        """Refuses this payload type until then (`BLOCKED_PAYLOAD_TYPE` locks that one only)."""
        self._locked_until_s[payload_type] = until_s

    def admit_heartbeat(self, *, now_s: float) -> None:
        """A heartbeat came; it is never refused, but it may count."""
        if self._limits.heartbeats is HeartbeatCost.COUNTED:
            self._windows[Budget.ORDINARY].admit(now_s)

    def _window(self, limit: int) -> RateWindow:
        return RateWindow(limit, window_s=self._limits.window_s, window=self._limits.window)

    def _budget(self, payload_type: int) -> Budget:
        if self._limits.disputed is Disputed.ORDINARY and payload_type in _DISPUTED:
            return Budget.ORDINARY
        entry = entry_of(payload_type)
        return entry.budget if entry is not None and entry.budget is not None else Budget.ORDINARY
