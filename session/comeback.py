"""How accounts come back: authorised, their books set right, their subscriptions asked for again; each by itself.

docs/protocol.md section 7: an account's session may end while the link stays, announced or not. Then that account is
authorised again on the same link, and what was missed is set right, before anything of it trades. What fails for one
account keeps only that one away; what speaks of the whole link or application ends the link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from ..wire import messages as oa
from . import clock
from .aftercare import Aftercare, Apart
from .attempts import Attempts
from .errors import (
    AuthenticationFailed,
    ConnectFailed,
    CTraderError,
    NotSent,
    RateLimited,
    ServerError,
    UnderMaintenance,
)
from .reconnect import LONGEST_UNSEEN_S, SHARED_CODES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from anyio.abc import TaskGroup

    from .access import Access
    from .account import Account
    from .attempts import Attempt
    from .gate import Gate
    from .link import Link
    from .probation import Probation
    from .roster import Roster

__all__ = ["Comeback"]

_ACCOUNT_AUTH = oa.payload_type_of(oa.ProtoOAAccountAuthReq)


class Comeback:
    """Brings them back, all at a time, so that none waits for another.

    Args:
        roster: how each of them stands.
        probation: which of them are left alone for a while.
        gate: covers secrets.
        tell: wakes whoever waits for the session or an account.
        back: told when none is away any more, or only such as are kept away for themselves.
        note: writes a line for people.
    """

    def __init__(
        self,
        roster: Roster,
        *,
        probation: Probation,
        gate: Gate,
        tell: Callable[[], None],
        back: Callable[[], None],
        note: Callable[..., None],
    ) -> None:
        self._roster = roster
        self._probation = probation
        self._back = back
        self._note = note
        self._aftercare = Aftercare(roster, gate=gate, wake=self.mend_soon, note=note)
        self._attempts = Attempts(
            roster,
            aftercare=self._aftercare,
            gate=gate,
            tell=tell,
            back=self._look_whether_all_are_back,
            wake=self.mend_soon,
            note=note,
        )
        self._mending = anyio.Event()

    # All of them

    async def bring_back(self, link: Link, access: Access, accounts: Iterable[Account]) -> None:
        """Authorises each of them, then restores it: books first, then what its owner listens to.

        One that is lost again before the last of them is there, or whose token is renewed, is taken up again, unless
        it is to be left alone for a while: then the roster is not complete afterwards. One that fails for itself takes
        the others not along: it is left alone, too.

        Raises:
            AuthenticationFailed: the server refused all of them, or what they share.
            ConnectFailed: all of them are lost again and again, or the pair of tokens cannot be used.
            RequestFailed: the server did not answer what the restoring of any of them asks, or the link has ended.
        """
        self._link_over()  # of the one before
        ends: list[CTraderError] = []
        async with anyio.create_task_group() as tasks:
            self._begin(accounts, link, access, tasks, ends)
            try:
                while self._attempts:
                    await self._mending.wait()
                    self._mending = anyio.Event()
                    await self._take_up(link, access, tasks, ends, but=self._probation.refused)
            except CTraderError as error:
                ends.append(error)
                tasks.cancel_scope.cancel()
        if ends:
            raise ends[0]

    async def mend(self, link: Link, access: Access) -> None:
        """Brings back whoever is lost while the link stays, and reviews books that are in doubt. Never returns.

        Raises:
            See `bring_back`.
        """
        ends: list[CTraderError] = []
        try:
            await self._mend(link, access, ends)
        finally:
            self._link_over()
        raise ends[0]

    async def _mend(self, link: Link, access: Access, ends: list[CTraderError]) -> None:
        async with anyio.create_task_group() as tasks:
            try:
                while True:
                    next_s = min(self._probation.next_s, self._aftercare.next_s)
                    with anyio.move_on_after(next_s - clock.now_s()):
                        await self._mending.wait()
                    if ends:
                        break
                    self._mending = anyio.Event()
                    await self._take_up(link, access, tasks, ends)
                    for account in self._aftercare.due():
                        tasks.start_soon(self._look, account, link, tasks, ends)
            except CTraderError as error:
                ends.append(error)
                tasks.cancel_scope.cancel()

    def _link_over(self) -> None:
        """A task that was cancelled before it began has put nothing in order."""
        self._attempts.link_over()
        self._aftercare.link_over()

    async def _look(self, account: Account, link: Link, tasks: TaskGroup, ends: list[CTraderError]) -> None:
        try:
            await self._aftercare.look(account)
            self._look_whether_all_are_back()  # and what is missing all the same
        except CTraderError as error:
            self._failed(account, error, link, tasks, ends)

    async def _take_up(
        self,
        link: Link,
        access: Access,
        tasks: TaskGroup,
        ends: list[CTraderError],
        *,
        but: frozenset[int] = frozenset(),
    ) -> None:
        """Begins with those that are lost, but for these and for whoever is to be left alone yet."""
        now_s, accounts = clock.now_s(), self._roster.accounts.values()
        due = [account for account in accounts if not self._probation.waits(account.id, now_s=now_s)]
        here = self._roster.restored.union(self._attempts, but)
        if due := [account for account in due if account.id not in here]:
            await access.look_again()
            self._begin(due, link, access, tasks, ends)

    def _begin(
        self, accounts: Iterable[Account], link: Link, access: Access, tasks: TaskGroup, ends: list[CTraderError]
    ) -> None:
        here = self._roster.restored.union(self._attempts)
        for account in accounts:
            if account.id not in here:
                tasks.start_soon(self._bring, self._attempts.begin(account), link, access, tasks, ends)

    async def _bring(
        self, attempt: Attempt, link: Link, access: Access, tasks: TaskGroup, ends: list[CTraderError]
    ) -> None:
        try:
            await self._attempts.make(attempt, link, access)
        except CTraderError as error:
            attempt.error = error
            self._failed(attempt.account, error, link, tasks, ends)
        finally:
            self._attempts.end(attempt)
            self._mending.set()

    # One that fails

    def _failed(
        self, account: Account, error: CTraderError, link: Link, tasks: TaskGroup, ends: list[CTraderError]
    ) -> None:
        if not self._leave_alone(account, error, link):
            ends.append(self._worst(error))
            tasks.cancel_scope.cancel()

    def _leave_alone(self, account: Account, error: CTraderError, link: Link) -> bool:
        """Sets one apart that failed for itself; False where that tells of them all."""
        if link.over is not None or _is_of_all(error):
            return False
        roster = self._roster
        roster.accounts[account.id] = account  # it stays one of those that are wanted
        roster.restored.discard(account.id)
        now_s = clock.now_s()
        least_s = _least_s(error, held_until_s=link.throttle.blocked_until_s(_ACCOUNT_AUTH, now_s=now_s) or now_s)
        again_s = self._probation.refuse(account.id, error, now_s=now_s, least_s=least_s)
        state = "refused" if isinstance(error, AuthenticationFailed | ServerError) else "away"
        self._note("account", account=account.id, state=state, why=str(error), again_s=round(again_s, 3))
        self._mending.set()
        if set(self._attempts) <= {account.id} and roster.accounts.keys() <= self._probation.refused:
            return False  # there is nobody for whom the link is worth keeping
        self._look_whether_all_are_back()
        return True

    def _worst(self, error: CTraderError) -> CTraderError:
        """What the link ends with: where one of them may come back by itself, nobody needs to act."""
        if _is_of_all(error):
            return error
        failures = [error, *self._probation.failures]
        return next((each for each in failures if not isinstance(each, AuthenticationFailed)), error)

    # One

    async def join(self, link: Link, access: Access, account: Account) -> None:
        """One that somebody asks for: what is under way for it is waited for, or else it is tried at once.

        Raises:
            See `bring_back`. It is tried again, as one that was there before.
            NotSent: it was lost again, or the link is.
        """
        attempt = self._attempts.of(account.id)
        if attempt is not None:
            await attempt.over.wait()
            if attempt.error is not None:
                raise attempt.error
        elif account.id not in self._roster.restored:
            attempt = self._attempts.begin(account)
            try:
                await self._attempts.make(attempt, link, access)
            finally:
                self._attempts.end(attempt)
                if account.id not in self._roster.restored:
                    self._mending.set()  # whoever asked for it is gone, or it has failed
                    if link.over is None:
                        self._roster.left_half_way(account.id)
        if account.id not in self._roster.restored:
            why = link.over or self._probation.why(account.id, now_s=clock.now_s()).removeprefix(": ")
            raise NotSent(f"account {account.id} is not restored: {why or 'it was lost again'}")

    def _look_whether_all_are_back(self) -> None:
        if self._roster.is_complete:
            self._back()

    # Told from outside

    def lost(self, account_id: int) -> None:
        """Its session has ended: what is asked for it is asked for nothing."""
        if (attempt := self._attempts.of(account_id)) is not None:
            attempt.lost()
        self._aftercare.lost(account_id)
        self._mending.set()

    def mend_soon(self) -> None:
        """Somebody is lost, or was left half restored."""
        self._mending.set()

    def doubt(self, account_id: int | None) -> None:
        """The books of an account are in doubt: the server is asked again, soon."""
        if account_id in self._roster.accounts:
            self._aftercare.doubt(account_id)


def _is_of_all(error: CTraderError) -> bool:
    """Whether it speaks of the application, the pair of tokens or the store: it is true of every account."""
    if isinstance(error, ConnectFailed):
        return not isinstance(error, Apart)
    return getattr(error, "code", None) in SHARED_CODES


def _least_s(error: CTraderError, *, held_until_s: float) -> float:
    """How long it is to be left alone at least: a maintenance, as far as it is believed, or a block of its rate."""
    if isinstance(error, UnderMaintenance) and error.until_ms is not None:
        return min(max(0.0, (error.until_ms - clock.utc_ms()) / 1000), LONGEST_UNSEEN_S)
    blocked_s = max(0.0, held_until_s - clock.now_s())
    return max(blocked_s, error.retry_after_s or 0.0) if isinstance(error, RateLimited) else blocked_s
