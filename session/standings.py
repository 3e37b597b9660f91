"""What the mode of one environment is made of: what the settings allow, and what that has lost since. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .guard import Standing, strictest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Standings"]


class Standings:
    """Those that count in this process alone. What other processes see, a halt's file, is not among them.

    Args:
        granted: what the settings allow.

    Attributes:
        scope: of a token that may only look, or None.
    """

    def __init__(self, granted: Standing) -> None:
        self.scope: Standing | None = None
        self._granted = granted
        self._tripped: Standing | None = None
        self._halted: Standing | None = None

    def __iter__(self) -> Iterator[Standing]:
        """All that are in force; the strictest counts."""
        found = (self._granted, self.scope, self._tripped, self._halted)
        return (standing for standing in found if standing is not None)

    def trip(self, standing: Standing) -> None:
        """No more than this is allowed until the session ends."""
        self._tripped = strictest(*filter(None, (standing, self._tripped)))

    def halt(self, standing: Standing) -> None:
        """No more than this is allowed until it is lifted: a halt whose file is not there yet, or cannot be made."""
        self._halted = strictest(*filter(None, (standing, self._halted)))

    def resume(self) -> bool:
        """Lifts such a halt; whether there was one."""
        lifted, self._halted = self._halted is not None, None
        return lifted
