"""Accounts that are left alone for a while: refused as they were authorised, or lost again and again. Told the time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .errors import CTraderError
    from .reconnect import Backoff

__all__ = ["Probation", "again"]

_FREE = 3  # losses in a row that cost no wait: a rotation and a server's own trouble may come together


def again(wait_s: float) -> str:
    """When something is tried again, for people."""
    return f"tried again in {wait_s:.1f} s" if wait_s < 10 else f"tried again in {wait_s:.0f} s"


class Probation:
    """Until when, and why. Each wait may be longer than the one before, up to the ceiling of the reconnects.

    Args:
        backoff: makes the delays of one account.
        steady_s: an account that was there for so long begins anew.
    """

    def __init__(self, backoff: Callable[[], Backoff], *, steady_s: float) -> None:
        self._backoff = backoff
        self._steady_s = steady_s
        self._delays: dict[int, Backoff] = {}
        self._losses: dict[int, int] = {}
        self._there_s: dict[int, float] = {}
        self._until_s: dict[int, float] = {}
        self._refused: dict[int, CTraderError] = {}
        self._said: dict[int, str] = {}
        self._ended: dict[int, str] = {}  # why the session of one has ended that is not back yet

    @property
    def refused(self) -> frozenset[int]:
        """Those that the server refuses, or does not serve, for themselves, while others are let in."""
        return frozenset(self._refused)

    @property
    def failures(self) -> list[CTraderError]:
        """Why those are."""
        return list(self._refused.values())

    def why(self, account_id: int | None, *, now_s: float) -> str:
        """Why an account is away and for how long, to stand behind a sentence; empty where nothing is known."""
        why = self._refused.get(account_id or 0, self._ended.get(account_id or 0))
        if why is None:
            return ""
        left_s = self._until_s.get(account_id or 0, now_s) - now_s
        return f": {why}; {again(left_s)}" if left_s > 0 else f": {why}"

    @property
    def next_s(self) -> float:
        """When the first of the waits ends; infinity where there is none."""
        return min(self._until_s.values(), default=math.inf)

    def waits(self, account_id: int, *, now_s: float) -> bool:
        """Whether it is to be left alone yet."""
        if self._until_s.get(account_id, 0.0) > now_s:
            return True
        self._until_s.pop(account_id, None)
        return False

    def refuse(self, account_id: int, why: CTraderError, *, now_s: float, least_s: float = 0.0) -> float:
        """The server refuses it, or does not give what its restoring asks.

        Returns:
            seconds until it is tried again.
        """
        self._refused[account_id] = why
        ready_s = now_s - self._there_s.pop(account_id, now_s)
        delay_s = self._delay_s(account_id, ready_s=ready_s) + least_s
        self._until_s[account_id] = now_s + delay_s
        self._said[account_id] = f"{why}; {again(delay_s)}"
        return delay_s

    def said(self, account_id: int) -> str:
        """What was to be said of one of the refused when it was: why, and for how long."""
        return self._said.get(account_id, "")

    def lost(self, account_id: int, why: str, *, now_s: float) -> float:
        """Its session has ended on a link that stays.

        Returns:
            seconds until it is tried again; 0 where that is now.
        """
        ready_s = now_s - self._there_s.pop(account_id, now_s)
        losses = 0 if ready_s >= self._steady_s else self._losses.get(account_id, 0)
        self._losses[account_id] = losses + 1
        self._ended[account_id] = why
        if losses < _FREE:
            return 0.0
        delay_s = self._delay_s(account_id, ready_s=ready_s)
        self._until_s[account_id] = now_s + delay_s
        return delay_s

    def admit(self, account_id: int, *, now_s: float) -> None:
        """The server has let it in."""
        self._there_s[account_id] = now_s

    def restored(self, account_id: int) -> None:
        """It is back, with all that it needs."""
        self._refused.pop(account_id, None)
        self._ended.pop(account_id, None)
        self._until_s.pop(account_id, None)

    def pardon(self, account_ids: Iterable[int] | None = None) -> None:
        """Somebody has acted, or there is another link: these, or all of them, may be tried at once."""
        for account_id in tuple(self._until_s) if account_ids is None else account_ids:
            self._until_s.pop(account_id, None)

    def _delay_s(self, account_id: int, *, ready_s: float) -> float:
        if account_id not in self._delays:
            self._delays[account_id] = self._backoff()
        return self._delays[account_id].lost(ready_s=ready_s)
