"""For how long a pair of tokens that is refused soon after its renewal is left alone. Pure: told the time."""

from __future__ import annotations

import math

__all__ = ["Respite"]

_YOUNG_S = 60.0  # nothing that lives for weeks ends by itself within that
_FIRST_S = 5.0
_MOST_S = 600.0


class Respite:
    """Waits ahead of renewals whose pairs do not last.

    A renewal may itself be what the server answers with "invalidated" (docs/protocol.md section 7), and an access token
    may be revoked while its refresh token is good. So a young pair that is refused is renewed at once, too; where the
    next one does not last either, it is left alone, and each time for longer. A pair that has lasted ends that.
    """

    def __init__(self) -> None:
        self._renewed_s = -math.inf
        self._in_a_row = 0
        self._judged = True  # the pair has been refused before
        self._until_s = -math.inf

    def renewed(self, *, now_s: float) -> None:
        """A new pair is there."""
        self._renewed_s, self._judged = now_s, False

    def left_s(self, *, now_s: float) -> float:
        """The newest pair is refused: seconds until it may be renewed; 0 where it may be now."""
        if not self._judged:
            self._judged = True
            self._in_a_row = self._in_a_row + 1 if now_s - self._renewed_s < _YOUNG_S else 0
            if self._in_a_row > 1:
                self._until_s = now_s + min(_MOST_S, _FIRST_S * 2.0 ** min(self._in_a_row - 2, 16))
        return max(0.0, self._until_s - now_s)
