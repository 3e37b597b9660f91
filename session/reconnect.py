"""How long to wait before the next try, and which failures no try can mend."""

from __future__ import annotations

import random

__all__ = ["FATAL_CODES", "LONGEST_UNSEEN_S", "SHARED_CODES", "TOKEN_CODES", "Backoff"]

LONGEST_UNSEEN_S = 3600.0
"""A maintenance may end sooner than was said, or a clock be wrong: a look every hour."""

FATAL_CODES = frozenset(
    {
        "CH_CLIENT_AUTH_FAILURE",
        "CH_OA_CLIENT_NOT_FOUND",
        "CH_ACCESS_TOKEN_INVALID",
        "OA_AUTH_TOKEN_EXPIRED",
        "CH_CTID_TRADER_ACCOUNT_NOT_FOUND",
        "RET_NO_SUCH_LOGIN",
        "RET_ACCOUNT_DISABLED",
        "CHANNEL_IS_BLOCKED",
        "UNSUPPORTED_MESSAGE",
    }
)
"""Credentials or version refused (docs/protocol.md section 14). Whatever else fails is tried again, for ever."""

TOKEN_CODES = frozenset({"CH_ACCESS_TOKEN_INVALID", "OA_AUTH_TOKEN_EXPIRED"})
"""The access token is refused (section 7): clients have to take either."""

SHARED_CODES = frozenset(
    {
        "CH_CLIENT_AUTH_FAILURE",
        "CH_CLIENT_NOT_AUTHENTICATED",
        "CH_OA_CLIENT_NOT_FOUND",
        "CH_ACCESS_TOKEN_INVALID",
        "OA_AUTH_TOKEN_EXPIRED",
    }
)
"""What an account is refused for that is the application's or the pair's: it is true of all accounts."""


class Backoff:
    """Delays with full jitter: each anywhere between nothing and a ceiling that doubles.

    Full jitter, because all clients of a server lose it at the same moment; the ceiling, because a server that is back
    should not be left alone for long.

    Args:
        first_s: the first ceiling.
        most_s: the last one.
        steady_s: how long a session must have been ready for the next loss to count as the first.
    """

    def __init__(self, *, first_s: float, most_s: float, steady_s: float) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._steady_s = steady_s
        self._failures = 0
        self._random = random.Random()

    def lost(self, *, ready_s: float) -> float:
        """Seconds to wait now.

        Args:
            ready_s: how long the session was ready before this loss; 0 where it never got there. A connection that
                comes up and breaks again at once is a failure like any other.
        """
        if ready_s >= self._steady_s:
            self._failures = 0
        ceiling_s = min(self._most_s, self._first_s * 2**self._failures)
        self._failures = min(self._failures + 1, 32)
        return self._random.uniform(0.0, ceiling_s)
