"""Answers that say that the server no longer knows the application, and which of them cost the link. Told the time."""

from __future__ import annotations

import math

from .patience import Patience

__all__ = ["Oblivion"]

_QUIET_S = 3600.0  # after so long it is the first time again


class Oblivion:
    """A server that has forgotten us is told again on a new link; one that only says so costs not link after link."""

    def __init__(self) -> None:
        self._patience = Patience()
        self._last_s = -math.inf

    def told(self, *, now_s: float) -> bool:
        """It says so: whether to leave the link for it. Each time that is, the next one must be longer ahead."""
        if now_s - self._last_s > _QUIET_S:
            self._patience.accepted()
        if self._patience.left_s(now_s=now_s):
            return False
        self._patience.refused(retry_after_s=None, now_s=now_s)
        self._last_s = now_s
        return True
