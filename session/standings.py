"""What the mode of one environment is made of: what the settings allow, and what that has lost since. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..wire import messages as oa
from .environments import Mode
from .guard import Standing, strictest

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Standings"]


class Standings:
    """Those that count in this process alone. What other processes see, a halt's file, is not among them.

    Args:
        granted: what the settings allow.

    Attributes:
        halts: those whose file is not there yet, or could not be placed.
    """

    def __init__(self, granted: Standing) -> None:
        self.halts: tuple[Standing, ...] = ()
        self._granted = granted
        self._scope: Standing | None = None  # of a token that may only look
        self._tripped: Standing | None = None

    def __iter__(self) -> Iterator[Standing]:
        """All that are in force; the strictest counts."""
        found = (self._granted, self._scope, self._tripped, *self.halts)
        return (standing for standing in found if standing is not None)

    def trip(self, standing: Standing) -> None:
        """No more than this is allowed until the session ends."""
        self._tripped = strictest(*filter(None, (standing, self._tripped)))

    def take_scope(self, answer: Any, *, where: str) -> bool:
        """What the account list says that the token may do; whether that is more or less than before.

        Args:
            answer: a `ProtoOAGetAccountListByAccessTokenRes`.
            where: the environment, for people.
        """
        # HasField: SCOPE_VIEW is 0, what a field that is not there reads as.
        views = (
            answer.HasField("permissionScope") and answer.permissionScope == oa.ProtoOAClientPermissionScope.SCOPE_VIEW
        )
        why = f"the access token has view scope (permissionScope 0): `anyctrader login {where}` gets one that may trade"
        before, self._scope = self._scope, Standing(Mode.OFF, why) if views else None
        return self._scope != before

    def halt(self, standing: Standing) -> None:
        """No more than this is allowed until it is lifted."""
        self.halts = (*self.halts, standing)

    def lift(self, halt: Standing) -> None:
        """That one counts no more."""
        self.halts = tuple(each for each in self.halts if each is not halt)

    def left(self, mode: Mode) -> Mode:
        """What a halt to this mode leaves: one that is stricter stays as strict."""
        return strictest(Standing(mode, ""), *self.halts).mode
