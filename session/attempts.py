"""Accounts that are being brought back just now: one attempt for each, whoever began it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from ..wire import AccountState
from .aftercare import Apart, not_taken_in
from .errors import ConnectFailed, CTraderError, NotSent, RequestFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .access import Access
    from .account import Account
    from .aftercare import Aftercare
    from .gate import Gate
    from .link import Link
    from .roster import Roster

__all__ = ["Attempt", "Attempts"]

_QUOTES_S = 1.0  # what an account waits for its subscriptions before it may trade: a position must be closable
_MOST_TRIES = 5  # an account that is lost again while it is restored, so often: better after a wait


@dataclass(slots=True, eq=False)
class Attempt:
    """One account on one link, from its authorisation until it may trade, or until that has failed.

    Attributes:
        account: whose.
        over: set when whoever waits for it should look what has come of it.
        error: why it has failed, or None.
        restoring: cancelled where the account's session ends while it is restored, or None.
    """

    account: Account
    over: anyio.Event = field(default_factory=anyio.Event)
    error: CTraderError | None = None
    restoring: anyio.CancelScope | None = None

    def lost(self) -> None:
        """The account's session has ended: what is asked for it is asked for nothing."""
        if self.restoring is not None:
            self.restoring.cancel()


class Attempts:
    """Those of one session.

    Args:
        roster: how each account stands.
        aftercare: told of whoever is restored.
        gate: covers secrets.
        tell: wakes whoever waits for the session or an account.
        back: told that one more is restored.
        wake: called when there may be something to do for an account that is there.
        note: writes a line for people.
    """

    def __init__(
        self,
        roster: Roster,
        *,
        aftercare: Aftercare,
        gate: Gate,
        tell: Callable[[], None],
        back: Callable[[], None],
        wake: Callable[[], None],
        note: Callable[..., None],
    ) -> None:
        self._roster = roster
        self._aftercare = aftercare
        self._gate = gate
        self._tell = tell
        self._back = back
        self._wake = wake
        self._note = note
        self._of: dict[int, Attempt] = {}

    def __iter__(self) -> Iterator[int]:
        """The accounts that one is under way for."""
        return iter(tuple(self._of))

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._of)

    def of(self, account_id: int) -> Attempt | None:
        """The one that is under way for an account."""
        return self._of.get(account_id)

    def begin(self, account: Account) -> Attempt:
        """One for an account that has none."""
        attempt = self._of[account.id] = Attempt(account)
        return attempt

    def end(self, attempt: Attempt) -> None:
        """It has come to something."""
        if self._of.get(attempt.account.id) is attempt:  # and not one on the next link
            del self._of[attempt.account.id]
        attempt.over.set()

    def link_over(self) -> None:
        """Nothing comes of any of them: of those that a caller's task makes, and of those that were never begun."""
        for attempt in tuple(self._of.values()):
            attempt.lost()
            self.end(attempt)

    async def make(self, attempt: Attempt, link: Link, access: Access) -> None:
        """Authorises it and sets it right, again where it is lost meanwhile. It may trade then.

        Raises:
            See `Comeback.bring_back`.
            NotSent: the link is left.
        """
        usable, restored, account = self._roster.usable, self._roster.restored, attempt.account
        for _ in range(_MOST_TRIES):
            if account.id not in usable:
                account.lost()  # events were missed
                await self._admit(link, access, account)
            try:
                if account.id in usable:
                    await self._restore(attempt)
            except CTraderError:
                if account.id in usable:  # otherwise it was lost, which says all
                    raise
            if attempt.over.is_set():
                raise NotSent(f"account {account.id} is not restored: {link.over or 'the link is left'}")
            if account.id in restored:
                return
        raise Apart("the server ends the account's session as soon as it is there")

    async def _admit(self, link: Link, access: Access, account: Account) -> None:
        """Authorises it; requests of its own may pass, but for what trades."""
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
            return
        self._roster.admit(account)
        self._tell()  # who waits for this account may ask now; a new subscription must not wait for the restoring

    async def _restore(self, attempt: Attempt) -> None:
        """Sets right what it missed; given up where its session ends meanwhile, for then nothing of it is answered."""
        account = attempt.account
        if attempt.over.is_set():
            return  # what is asked now would be asked on the next link
        with anyio.CancelScope() as scope:
            attempt.restoring = scope
            try:
                self._aftercare.restored(account, await account.restore())
                with anyio.move_on_after(_QUOTES_S) as quotes:
                    await self._aftercare.resubscribe(account)
            except CTraderError:
                raise
            except Exception as fault:
                raise not_taken_in(account, fault, gate=self._gate, log=self._note) from fault
            finally:
                attempt.restoring = None
        if scope.cancel_called or account.id not in self._roster.usable:
            return
        if quotes.cancelled_caught:
            self._note("subscriptions_wait", account=account.id, reason=f"not answered within {_QUOTES_S:g} s")
        self._roster.restore(account)
        self._wake()
        self._tell()
        self._back()
