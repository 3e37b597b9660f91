"""When a request may leave. Pure: told the time.

docs/protocol.md section 5: 50 requests a second, and 5 historical ones, per connection, over a window that behaves as
a rolling one. Nobody knows whether the server counts authentication and heartbeats, so they are counted here.

What counts is when a request *arrives*, which only its answer tells: a network that stalls hands the server in one go
what left over a second. So a place in the window is free again a second after the answer, less what an answer usually
takes.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

from ..wire import Budget

if TYPE_CHECKING:
    from .settings import Rates

__all__ = ["Place", "Throttle"]

_WINDOW_S = 1.0
# What left 1.00 s apart may arrive 0.98 s apart. 20 ms of jitter and 5 ms of our own scheduling are allowed for, which
# leaves more than 97 % of the budget.
_MARGIN_S = 0.025
_LEAST_WAIT_S = 1.0
_MOST_WAIT_S = 120.0  # where the one client that published its figures stops doubling (section 5)
_LOST_S = 3.0  # a request without an answer for so long has arrived, or never will
_SPELL_S = 10.0  # a way that becomes longer for good is learned within two spells
# By so much the shortest of a spell may be longer than an answer must be. Twice as much costs another percent of the
# budget; with half as much, a network that stalls ten times in half a minute costs a refusal in every other run, and
# with this in every fifth (tests/session/test_throttle.py).
_UNSURE_S = 0.01
_LOOK_S = 0.025  # how often a place whose answer is late is looked at


class Place:
    """One request's place in the window.

    Attributes:
        sent_s: when it left.
        answered_s: when its answer came, or None.
    """

    __slots__ = ("answered_s", "awaited", "budget", "sent_s")

    def __init__(self, budget: Budget, *, sent_s: float, awaited: bool) -> None:
        self.budget = budget
        self.sent_s = sent_s
        self.answered_s: float | None = None
        self.awaited = awaited


class _Window:
    """What has left of one budget and still counts."""

    __slots__ = ("_before_s", "_since_s", "_spell_s", "most", "places", "usual_s")

    def __init__(self, most: int) -> None:
        self.most = most
        self.places: deque[Place] = deque()
        self.usual_s = math.inf  # what an answer takes when nothing is in its way
        self._spell_s = math.inf  # the shortest of this spell, and of the one before
        self._before_s = math.inf
        self._since_s = -math.inf

    def learn(self, took_s: float, now_s: float) -> None:
        """The shortest of late. By time and not by number: a hundred answers that a stall held up come in one go."""
        if now_s - self._since_s > _SPELL_S:
            self._before_s, self._spell_s, self._since_s = self._spell_s, math.inf, now_s
        self._spell_s = min(self._spell_s, took_s)
        self.usual_s = min(self._spell_s, self._before_s)

    def free_s(self, place: Place, now_s: float) -> float:
        """When a place is free again; for an answer that is late, when to look again."""
        by_s = place.sent_s + _WINDOW_S + _MARGIN_S
        if place.answered_s is not None:
            return max(by_s, place.answered_s - self.usual_s + _WINDOW_S + _UNSURE_S)
        if place.awaited and by_s <= now_s < place.sent_s + _LOST_S:
            return now_s + _LOOK_S
        return by_s

    def next_s(self, now_s: float) -> float:
        """When one more may leave; what is free again is in here no more."""
        places = self.places
        while places and self.free_s(places[0], now_s) <= now_s:
            places.popleft()
        return self.free_s(places[len(places) - self.most], now_s) if len(places) >= self.most else now_s


class Throttle:
    """What one connection has sent lately, against what it may.

    Args:
        rates: requests a second of each budget.
    """

    def __init__(self, rates: Rates) -> None:
        self._windows = {
            Budget.ORDINARY: _Window(rates.ordinary_per_s),
            Budget.HISTORICAL: _Window(rates.historical_per_s),
        }
        self._blocked: dict[int, float] = {}
        self._refusals: dict[int, tuple[int, float]] = {}  # how many in a row, and when the last block was set

    def free_at_s(self, budget: Budget, *, now_s: float) -> float:
        """When the next request of this budget may leave: `now_s` or earlier means at once."""
        window = self._windows[budget]
        if len(window.places) < window.most:
            return now_s
        return window.next_s(now_s)

    def sent(self, budget: Budget, *, now_s: float, awaited: bool = False) -> Place:
        """One has left. Also for what never waits: it counts.

        Args:
            budget: what it counts against.
            now_s: the time.
            awaited: an answer will tell when it arrived: see `answered`.
        """
        place = Place(budget, sent_s=now_s, awaited=awaited)
        window = self._windows[budget]
        if len(window.places) >= window.most:
            window.next_s(now_s)  # heartbeats alone never ask when they may
        window.places.append(place)
        return place

    def answered(self, place: Place, *, now_s: float) -> None:
        """Its answer is here, so the server had counted it by now."""
        place.answered_s = now_s
        self._windows[place.budget].learn(now_s - place.sent_s, now_s)

    def withdraw(self, place: Place | None) -> None:
        """It did not leave after all, in the turn in which it was to: nothing of it arrives, so nothing counts."""
        if place is not None:
            self._windows[place.budget].places.remove(place)

    def used(self, budget: Budget, *, now_s: float) -> int:
        """How many of this budget left within the last second."""
        horizon = now_s - _WINDOW_S
        return sum(place.sent_s > horizon for place in self._windows[budget].places)

    def most(self, budget: Budget) -> int:
        """How many of this budget may leave within a second."""
        return self._windows[budget].most

    def block(self, payload_type: int, *, until_s: float) -> None:
        """The server takes no request of this type until then (`BLOCKED_PAYLOAD_TYPE`, section 5)."""
        self._blocked[payload_type] = max(until_s, self._blocked.get(payload_type, until_s))

    def refused(
        self, payload_type: int, *, retry_after_s: float | None, now_s: float, sent_s: float | None = None
    ) -> None:
        """The server refused one of this type for its rate: the type is held back, each time for longer.

        Section 5: obeying `retryAfter` to the second fails again and again, so the wait doubles from there. Requests
        that were on their way together are refused together: that is one breach, however many they are.

        Args:
            payload_type: which type.
            retry_after_s: what the server says, or None.
            now_s: the time.
            sent_s: when the refused request left.
        """
        refusals, set_s = self._refusals.get(payload_type, (0, -math.inf))
        if sent_s is None or sent_s >= set_s:
            refusals, set_s = refusals + 1, now_s
        self._refusals[payload_type] = (refusals, set_s)
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
