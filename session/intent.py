"""A trading request whose intent is on record, and for how long what was found of it before that holds. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .errors import NotSent

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ALWAYS", "Intent", "Validity"]

# A healthy disk takes a few milliseconds for an intent, a busy one tens. A quote that was young enough is young enough
# so much later, and who is not held up does not look twice: that keeps the way from tick to order short.
_MOMENT_S: Final = 0.1


def _nothing() -> None:
    """Nothing of it goes stale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """How long the checks of a request hold.

    Attributes:
        found_s: when they were made, by `clock.now_s`.
        within_s: seconds from then in which it leaves or not at all.
        look_again: holds what goes stale (the age of the quote, prices against it) against the limits as it is now;
            raises `Refused`. Called by the link's writer: must not wait.
        settled: whether the outcome of another request for the same has become unknown meanwhile; raises `NotSent`.
            Called likewise.
    """

    found_s: float
    within_s: float
    look_again: Callable[[], None] = _nothing
    settled: Callable[[], None] = _nothing

    def check(self, name: str, *, now_s: float) -> None:
        """Returns if the request may still leave.

        Raises:
            NotSent: its time is over, or `settled` did.
            Refused: `look_again` did.
        """
        self.left_s(name, now_s=now_s)
        self.settled()
        if now_s - self.found_s > _MOMENT_S:
            self.look_again()

    def left_s(self, name: str, *, now_s: float) -> float:
        """Seconds in which it may leave yet.

        Raises:
            NotSent: none are left.
        """
        waited_s = now_s - self.found_s
        if waited_s >= self.within_s:
            raise NotSent(
                f"{name} did not leave: it was checked {waited_s:.1f} s ago, and an order leaves within "
                f"{self.within_s:g} s or not at all"
            )
        return self.within_s - waited_s


ALWAYS: Final = Validity(found_s=0.0, within_s=math.inf)
"""Of what closes, cancels or tightens: rather late than not at all."""


@dataclass(frozen=True, slots=True, eq=False)
class Intent:
    """A trading request whose intent is on disk. It opens the gate for that request, once.

    Attributes:
        payload: the request.
        validity: how long it may leave.
        read_first: whether what it changes was read from the server just before. Where it may only be reduced, levels
            are not changed without: the event that tightened one may have been lost.
    """

    payload: Any
    validity: Validity = ALWAYS
    read_first: bool = False

    def check(self, *, now_s: float) -> None:
        """Returns if it may still leave. See `Validity.check`."""
        self.validity.check(type(self.payload).__name__, now_s=now_s)

    def left_s(self, most_s: float, *, now_s: float) -> float:
        """Seconds that it may wait yet, and no more than this many. See `Validity.left_s`."""
        return min(most_s, self.validity.left_s(type(self.payload).__name__, now_s=now_s))
