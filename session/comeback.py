"""How accounts come back: authorised, their books set right, their subscriptions asked for again; each by itself.

docs/protocol.md section 7: an account's session may end while the link stays, announced or not. Then that account is
authorised again on the same link, and what was missed is set right, before anything of it trades. What fails for one
account keeps only that one away; what speaks of the whole link or application ends the link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from ..wire import AccountState
from ..wire import messages as oa
from . import clock
from .aftercare import Aftercare, Apart, not_taken_in
from .errors import (
    AuthenticationFailed,
    ConnectFailed,
    CTraderError,
    RateLimited,
    RequestFailed,
    ServerError,
    UnderMaintenance,
)
from .reconnect import LONGEST_UNSEEN_S, SHARED_CODES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from anyio.abc import TaskGroup

    from .access import Access
    from .account import Account
    from .gate import Gate
    from .link import Link
    from .probation import Probation
    from .roster import Roster

__all__ = ["Comeback"]

_QUOTES_S = 1.0  # what an account waits for its subscriptions before it may trade: a position must be closable
_MOST_TRIES = 5  # an account that is lost again while it is restored, so often: better after a wait
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
        self._gate = gate
        self._tell = tell
        self._back = back
        self._note = note
        self._coming: set[int] = set()
        self._restoring: dict[int, anyio.CancelScope] = {}
        self._mending = anyio.Event()
        self._aftercare = Aftercare(roster, gate=gate, wake=self.mend_soon, note=note)

    # All of them

    async def bring_back(self, link: Link, access: Access, accounts: Iterable[Account]) -> None:
        """Authorises each of them, then restores it: books first, then what its owner listens to.

        One that is lost again meanwhile, or whose token is renewed under it, is taken up again. One that fails for
        itself takes the others not along: it is left alone for a while.

        Raises:
            AuthenticationFailed: the server refused all of them, or what they share.
            ConnectFailed: all of them are lost again and again, or the pair of tokens cannot be used.
            RequestFailed: the server did not answer what the restoring of any of them asks, or the link has ended.
        """
        self._link_over()  # of the one before
        ends: list[CTraderError] = []
        async with anyio.create_task_group() as tasks:
            self._begin(accounts, link, access, tasks, ends)
        if ends:
            raise ends[0]

    async def mend(self, link: Link, access: Access) -> None:
        """Brings back whoever is lost while the link stays, and reviews books that are in doubt. Never returns.

        Raises:
            See `bring_back`.
        """
        ends: list[CTraderError] = []
        async with anyio.create_task_group() as tasks:
            try:
                while True:
                    next_s = min(self._probation.next_s, self._aftercare.next_s)
                    with anyio.move_on_after(next_s - clock.now_s()):
                        await self._mending.wait()
                    if ends:
                        break
                    self._mending = anyio.Event()
                    if not self._roster.restored.issuperset(self._roster.accounts):
                        await access.look_again()
                        self._begin(self._due(), link, access, tasks, ends)
                    for account in self._aftercare.due():
                        tasks.start_soon(self._look, account, link, tasks, ends)
            except CTraderError as error:
                ends.append(error)
                tasks.cancel_scope.cancel()
        raise ends[0]

    def _link_over(self) -> None:
        """A task that was cancelled before it began has put nothing in order."""
        self._coming.clear()
        self._restoring.clear()
        self._aftercare.link_over()

    async def _look(self, account: Account, link: Link, tasks: TaskGroup, ends: list[CTraderError]) -> None:
        try:
            await self._aftercare.look(account)
            self._look_whether_all_are_back()  # and what is missing all the same
        except CTraderError as error:
            self._failed(account, error, link, tasks, ends)

    def _due(self) -> list[Account]:
        now_s = clock.now_s()
        accounts = self._roster.accounts.values()
        return [account for account in accounts if not self._probation.waits(account.id, now_s=now_s)]

    def _begin(
        self, accounts: Iterable[Account], link: Link, access: Access, tasks: TaskGroup, ends: list[CTraderError]
    ) -> None:
        here = self._roster.restored.union(self._restoring, self._coming)
        away = [account for account in accounts if account.id not in here]
        self._coming.update(account.id for account in away)
        for account in away:
            tasks.start_soon(self._bring, account, link, access, tasks, ends)

    async def _bring(
        self, account: Account, link: Link, access: Access, tasks: TaskGroup, ends: list[CTraderError]
    ) -> None:
        try:
            await self._one(account, link, access)
        except CTraderError as error:
            self._failed(account, error, link, tasks, ends)
        finally:
            self._coming.discard(account.id)
            if account.id not in self._roster.restored:
                self._mending.set()

    async def _one(self, account: Account, link: Link, access: Access) -> None:
        usable, restored = self._roster.usable, self._roster.restored
        for _ in range(_MOST_TRIES):
            if account.id not in usable:
                account.lost()  # events were missed
                await self.admit(link, access, account)
            try:
                if account.id in usable:
                    await self.restore(account)
            except CTraderError:
                if account.id in usable:  # otherwise it was lost, which says all
                    raise
            if account.id in restored:
                return
        raise Apart("the server ends the account's session as soon as it is there")

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
        if self._coming <= {account.id} and roster.accounts.keys() <= self._probation.refused:
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
        """One that somebody asks for.

        Raises:
            See `bring_back`. It is tried again, as one that was there before.
        """
        try:
            if await self.admit(link, access, account):
                await self.restore(account)
        finally:
            if account.id not in self._roster.restored:
                self._mending.set()  # whoever asked for it is gone, or it was lost again

    async def admit(self, link: Link, access: Access, account: Account) -> bool:
        """Authorises it; requests of its own may pass, but for what trades. False where it is lost again already."""
        self._roster.expected.add(account.id)
        try:
            await access.authorize(link, account.id)
        except RequestFailed as error:
            if link.over is None and access.tells_of_pair(error):
                raise ConnectFailed(str(error)) from error
            raise
        self._roster.accounts[account.id] = account
        if link.connection.accounts.get(account.id) is not AccountState.AUTHENTICATED:
            # The end came right behind the answer: the reader heard of it before we did of the answer.
            self._roster.lose(account.id, "its session ended as soon as it was there")
            return False
        self._roster.admit(account)
        self._tell()  # who waits for this account may ask now; a new subscription must not wait for the restoring
        return True

    async def restore(self, account: Account) -> None:
        """Sets right what it missed; given up where its session ends meanwhile, for then nothing of it is answered."""
        with anyio.CancelScope() as scope:
            self._restoring[account.id] = scope
            try:
                self._aftercare.restored(account, await account.restore())
                with anyio.move_on_after(_QUOTES_S) as quotes:
                    await self._aftercare.resubscribe(account)
            except CTraderError:
                raise
            except Exception as fault:
                raise not_taken_in(account, fault, gate=self._gate, log=self._note) from fault
            finally:
                if self._restoring.get(account.id) is scope:
                    del self._restoring[account.id]
        if scope.cancel_called or account.id not in self._roster.usable:
            return
        if quotes.cancelled_caught:
            self._note("subscriptions_wait", account=account.id, reason=f"not answered within {_QUOTES_S:g} s")
            self._mending.set()
        self._roster.restore(account)
        self._tell()
        self._look_whether_all_are_back()

    def _look_whether_all_are_back(self) -> None:
        if self._roster.is_complete:
            self._back()

    # Told from outside

    def lost(self, account_id: int) -> None:
        """Its session has ended: what is asked for it is asked for nothing."""
        if account_id in self._restoring:
            self._restoring.pop(account_id).cancel()
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
