"""What the server has nothing of: looked for several times, over a span, before that counts. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

__all__ = ["Absences"]


class Absences:
    """Counts the looks that found nothing of a request: the server's history lags, so a few of them prove nothing.

    Args:
        looks: how many of them must agree.
        over_s: the time that must lie between the first and the last of them.
    """

    def __init__(self, *, looks: int, over_s: float) -> None:
        self._enough = looks
        self._over_s = over_s
        self._severed: set[Hashable] = set()
        self._looks: dict[Hashable, tuple[float, int]] = {}  # the first, and how many

    def __str__(self) -> str:
        return f"{self._enough} looks at the server's lists over at least {self._over_s:g} s"

    def sever(self, requests: Iterable[Hashable]) -> None:
        """The link that these left by is closed: nothing of them is still on its way. Only then do looks count."""
        self._severed.update(requests)

    def is_severed(self, request: Hashable) -> bool:
        """Whether the link that it left by is closed."""
        return request in self._severed

    def found(self, request: Hashable) -> None:
        """A look found something that may be it: earlier ones that did not prove nothing."""
        self._looks.pop(request, None)

    def missed(self, request: Hashable, *, now_s: float) -> bool:
        """A look found nothing; whether that now is proof that it never arrived."""
        if request not in self._severed:
            return False
        first_s, looks = self._looks.get(request, (now_s, 0))
        self._looks[request] = (first_s, looks + 1)
        return looks + 1 >= self._enough and now_s - first_s >= self._over_s

    def over(self, request: Hashable) -> None:
        """Nobody asks about it any more."""
        self._severed.discard(request)
        self._looks.pop(request, None)
