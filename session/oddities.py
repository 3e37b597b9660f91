"""Lines for what a server says that nobody asked for: each kind is told, and a flood of it does not fill the disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Oddities"]

_MOST = 10
_SPELL_S = 60.0
"""Ten lines a minute tell a person all that a thousand would, and are a megabyte or two a day at the worst."""


class Oddities:
    """Of one session. Each kind by itself: a flood of one hides no other. Told the time.

    Args:
        note: writes a line.
    """

    def __init__(self, note: Callable[..., None]) -> None:
        self._note = note
        self._since_s: dict[str, float] = {}
        self._told: dict[str, int] = {}
        self._untold: dict[str, int] = {}

    def note(self, what: str, *, now_s: float, **fields: object) -> None:
        """One more. Beyond ten within a minute it is counted, and the count told with the next line (`untold`)."""
        if now_s - self._since_s.get(what, -_SPELL_S) >= _SPELL_S:
            self._since_s[what], self._told[what] = now_s, 0
        if self._told[what] >= _MOST:
            self._untold[what] = self._untold.get(what, 0) + 1
            return
        self._told[what] += 1
        self._note(what, **fields, untold=self._untold.pop(what, None))

    def link_over(self) -> None:
        """No more of them comes by this link: what was only counted is told."""
        untold, self._untold = self._untold, {}
        for what, count in untold.items():
            self._note(what, untold=count)
