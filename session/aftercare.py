"""What is done for accounts that are there: books in doubt are reviewed, and what is yet to come is asked for again."""

from __future__ import annotations

import math
import traceback
from typing import TYPE_CHECKING

import anyio

from . import clock
from .errors import ConnectFailed, CTraderError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .account import Account
    from .gate import Gate
    from .roster import Roster

__all__ = ["Aftercare", "Apart", "not_taken_in"]

_AGAIN_S = 5.0  # what failed on a link that stays is tried again after so long; a server in trouble is spared


class Apart(ConnectFailed):
    """Something failed that speaks of one account alone."""


class Aftercare:
    """Of each account by itself: one that is not answered holds up no other.

    Args:
        roster: how each of them stands.
        gate: covers secrets.
        wake: called when it is worth asking who is due.
        note: writes a line for people.
    """

    def __init__(self, roster: Roster, *, gate: Gate, wake: Callable[[], None], note: Callable[..., None]) -> None:
        self._roster = roster
        self._gate = gate
        self._wake = wake
        self._note = note
        self._doubted: set[int] = set()  # whose books are to be held against the server's word again
        self._looks: dict[int, anyio.CancelScope] = {}  # that are under way
        self._later_s: dict[int, float] = {}  # when to look at one again that could not be set right

    def doubt(self, account_id: int) -> None:
        """The books of an account are in doubt: the server is asked again, soon."""
        self._doubted.add(account_id)
        self._later_s.pop(account_id, None)
        self._wake()

    def restored(self, account: Account, again: str | None) -> None:
        """Its books are right again; `again` says why they are to be looked at in a while all the same."""
        self._doubted.discard(account.id)
        self._later_s.pop(account.id, None)
        if again is not None:
            self._again(account, again)

    def lost(self, account_id: int) -> None:
        """Its session has ended: it is restored after that."""
        if account_id in self._looks:
            self._looks[account_id].cancel()

    def link_over(self) -> None:
        """No look is under way any more, begun or not."""
        self._looks.clear()

    @property
    def next_s(self) -> float:
        """When the next look is due that was put off; infinity where there is none."""
        return min([*self._later_s.values(), *(account.next_look_s for account in self._idle)], default=math.inf)

    def due(self) -> list[Account]:
        """Those to `look` at now, each of them once: not while a look is under way, or too early for another."""
        now_s = clock.now_s()
        self._later_s = {id_: at_s for id_, at_s in self._later_s.items() if at_s > now_s}
        due = [account for account in self._idle if self._needs_look(account)]
        self._looks |= {account.id: anyio.CancelScope() for account in due}
        return due

    @property
    def _idle(self) -> list[Account]:
        busy, restored = self._looks.keys() | self._later_s.keys(), self._roster.restored
        return [each for each in self._roster.accounts.values() if each.id in restored and each.id not in busy]

    def _needs_look(self, account: Account) -> bool:
        return account.id in self._doubted or account.is_silent or account.next_look_s <= clock.now_s()

    async def look(self, account: Account) -> None:
        """What an account that is due needs.

        Raises:
            Apart: what the server says could not be taken in.
        """
        try:
            with self._looks[account.id]:
                if account.id in self._doubted:
                    await self._review(account)
                if account.next_look_s <= clock.now_s():
                    await self._look_again(account)
                if account.is_silent:
                    await self.resubscribe(account)
        finally:
            self._looks.pop(account.id, None)
            if self._needs_look(account) or account.next_look_s < math.inf:  # more of it came meanwhile, or is to come
                self._wake()

    async def _review(self, account: Account) -> None:
        self._doubted.discard(account.id)  # ahead of the look: what is doubted meanwhile needs another
        again: str | None = "given up"
        try:
            again = await account.review()
        except CTraderError as error:
            again = str(error)
        except Exception as fault:
            raise not_taken_in(account, fault, gate=self._gate, log=self._note) from fault
        finally:
            if again is not None:
                self._again(account, again)

    async def _look_again(self, account: Account) -> None:
        try:
            await account.look_again()
        except CTraderError:
            raise
        except Exception as fault:
            raise not_taken_in(account, fault, gate=self._gate, log=self._note) from fault

    def _again(self, account: Account, why: str) -> None:
        self._doubted.add(account.id)
        self._note("review_failed", account=account.id, reason=why)
        self._put_off(account, _AGAIN_S)

    async def resubscribe(self, account: Account) -> None:
        """Quotes that the server does not give now keep no account away, whatever its reason."""
        lost, waiting = await account.resubscribe()
        for refused in lost:
            self._note("subscription_lost", account=account.id, reason=refused)
        if waiting is None:
            return
        self._note("subscriptions_wait", account=account.id, reason=str(waiting))
        self._put_off(account, max(_AGAIN_S, getattr(waiting, "retry_after_s", None) or 0.0))

    def _put_off(self, account: Account, after_s: float) -> None:
        at_s = clock.now_s() + after_s
        self._later_s[account.id] = min(self._later_s.get(account.id, at_s), at_s)
        self._wake()


def not_taken_in(account: Account, fault: Exception, *, gate: Gate, log: Callable[..., None]) -> ConnectFailed:
    """Ours, and yet met in what the server says: the account is away and is tried again, the session stays."""
    where = traceback.extract_tb(fault.__traceback__)[-1]
    text = gate.mask(f"what the server says of account {account.id} could not be taken in: {fault!r}")
    log("not_taken_in", account=account.id, reason=text, where=f"{where.filename}:{where.lineno}")
    return Apart(text)
