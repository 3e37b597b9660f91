"""Requests that have not left yet, and which of them goes next. Pure: told the time.

What closes goes ahead of what the session itself must know, that ahead of what opens, that ahead of callers' queries,
those ahead of history. Nothing in here outlives its link.
"""

from __future__ import annotations

import enum
import math
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..wire import Budget
    from .throttle import Place, Throttle

__all__ = ["Outbox", "Taken", "Urgency", "Waiting"]


class Urgency(enum.IntEnum):
    """Who goes first where not all can."""

    SESSION = 0
    """Authentication and its like: nothing else works without."""
    CLOSE = 1
    """Closes and cancels: what makes risk smaller."""
    BOOKS = 2
    """What the session reads of its own accord: without it an account is not restored, and no order can be made."""
    OPEN = 3
    """What opens or changes."""
    QUERY = 4
    """Anything else that is not history."""
    BOOKS_HISTORY = 5
    """As `BOOKS`, counted against the smaller budget."""
    HISTORY = 6
    """What counts against the smaller budget."""


class Waiting(Protocol):
    """What the outbox needs to know of a request.

    Attributes:
        urgency: its lane.
        budget: which rate limit it counts against.
        payload_type: its type, which the server may have blocked.
        leave_by_s: after this it must not leave any more.
        place: its place in the throttle's window, once it is taken.
    """

    urgency: Urgency
    budget: Budget
    payload_type: int
    leave_by_s: float
    place: Place | None


W = TypeVar("W", bound=Waiting)


class Taken(Generic[W]):
    """What one look into the outbox gave.

    Attributes:
        ready: may leave now, in this order; they are counted as sent.
        overdue: were not let out in time, or will not be, and why, for people; they are in the outbox no more.
        look_again_s: when another look is worth it; infinity where only something new can change the picture.
    """

    __slots__ = ("look_again_s", "overdue", "ready")

    def __init__(self) -> None:
        self.ready: list[W] = []
        self.overdue: list[tuple[W, str]] = []
        self.look_again_s = math.inf


class Outbox(Generic[W]):
    """The lanes of one link."""

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle
        self._lanes: tuple[deque[W], ...] = tuple(deque() for _ in Urgency)

    def __len__(self) -> int:
        return sum(map(len, self._lanes))

    def __iter__(self) -> Iterator[W]:
        return chain.from_iterable(self._lanes)

    def add(self, request: W) -> None:
        """It waits behind all of its urgency."""
        self._lanes[request.urgency].append(request)

    def withdraw(self, request: W) -> bool:
        """Takes it out again; False where it had left, or was never in here."""
        try:
            self._lanes[request.urgency].remove(request)
        except ValueError:
            return False
        return True

    def take(self, *, now_s: float) -> Taken[W]:
        """Everything that may leave now, most urgent first, oldest first among equals."""
        taken: Taken[W] = Taken()
        for lane in self._lanes:
            if lane:
                self._take_from(lane, now_s, taken)
        return taken

    def clear(self) -> list[W]:
        """All that is left, which is in here no more."""
        left = [request for lane in self._lanes for request in lane]
        for lane in self._lanes:
            lane.clear()
        return left

    def _take_from(self, lane: deque[W], now_s: float, taken: Taken[W]) -> None:
        throttle = self._throttle
        kept: list[W] = []
        while lane:
            request = lane.popleft()
            if request.leave_by_s <= now_s:
                taken.overdue.append((request, "waited in the queue too long"))
                continue
            free_s = throttle.blocked_until_s(request.payload_type, now_s=now_s)
            if free_s is not None and free_s >= request.leave_by_s:
                taken.overdue.append((request, f"is held back by the server for another {free_s - now_s:.0f} s"))
                continue
            if free_s is None:
                free_s = throttle.free_at_s(request.budget, now_s=now_s)
                if free_s <= now_s:
                    request.place = throttle.sent(request.budget, now_s=now_s, awaited=True)
                    taken.ready.append(request)
                    continue
                # A lane has one budget: who stands behind this one cannot leave either.
                kept.append(request)
                taken.look_again_s = min(taken.look_again_s, free_s, request.leave_by_s)
                break
            kept.append(request)
            taken.look_again_s = min(taken.look_again_s, free_s, request.leave_by_s)
        lane.extendleft(reversed(kept))
