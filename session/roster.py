"""The accounts that one session keeps authorised: admitted, restored, lost, brought back, on whatever link there is.

docs/protocol.md section 7: an account's session may end while the link stays, announced or not. Then that account is
authorised again on the same link, and what was missed is set right, before anything of it trades.
"""

from __future__ import annotations

import math
import traceback
from typing import TYPE_CHECKING

import anyio

from ..wire import AccountState, LocalProtocolError, Message, Permission
from ..wire import messages as oa
from ..wire.catalog import account_of, permission_of
from ..wire.events import AccountChanged, ErrorReceived, EventReceived, SpotsReceived, UndecodedReceived
from ..wire.messages import name_of
from . import clock
from .errors import (
    AuthenticationFailed,
    ConnectFailed,
    CTraderError,
    RateLimited,
    ServerError,
    UnderMaintenance,
)
from .reconnect import LONGEST_UNSEEN_S, SHARED_CODES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..wire.events import Event
    from .access import Access
    from .account import Account
    from .gate import Gate
    from .link import Link
    from .probation import Probation

__all__ = ["Roster"]

_APPLICATION_LOST = "CH_CLIENT_NOT_AUTHENTICATED"
_AGAIN_S = 5.0  # what failed on a link that stays is tried again after so long; a server in trouble is spared
_QUOTES_S = 1.0  # what an account waits for its subscriptions before it may trade: a position must be closable
_MOST_TRIES = 5  # an account that is lost again while it is restored, so often: better another link, after a wait


class Roster:
    """Who they are, and how each of them stands.

    Args:
        gate: told which accounts were authorised.
        probation: which of them are left alone for a while.
        tell: wakes whoever waits for the session or an account.
        away: told why, when one of the accounts that were restored no longer is, while the link stays.
        back: told when all of them are restored.
        unknown: told that the server no longer knows the application.
        note: writes a line for people.

    Attributes:
        accounts: the accounts that are kept authorised.
        usable: those that are authorised on the present link: reads may pass.
        restored: those whose books are right again: they may trade.
    """

    def __init__(
        self,
        *,
        gate: Gate,
        probation: Probation,
        tell: Callable[[], None],
        away: Callable[[str], None],
        back: Callable[[], None],
        unknown: Callable[[str], None],
        note: Callable[..., None],
    ) -> None:
        self.accounts: dict[int, Account] = {}
        self.usable: set[int] = set()
        self.restored: set[int] = set()
        self._gate = gate
        self._probation = probation
        self._tell = tell
        self._away = away
        self._back = back
        self._unknown = unknown
        self._note = note
        self._restoring: dict[int, anyio.CancelScope] = {}
        self._doubted: set[int] = set()  # whose books are to be held against the server's word again
        self._looking = anyio.CancelScope()  # of what may wait while an account is brought back
        self._mending = anyio.Event()
        self._again_s = math.inf  # when to look after them without being told

    # Coming back

    async def bring_back(self, link: Link, access: Access, accounts: Iterable[Account]) -> None:
        """Authorises all of them, then restores each: books first, then what its owner listens to.

        One that is lost again meanwhile, or whose token is renewed under it, is taken up again. One that is refused
        takes the others not along: it is left alone for a while.

        Raises:
            AuthenticationFailed: the server refused all of them, or what they share.
            ConnectFailed: one is lost again and again.
            RequestFailed: the server did not answer what the restoring asks.
        """
        accounts, tries, refused = list(accounts), 0, dict[int, Exception]()
        while away := [each for each in accounts if each.id not in self.restored.union(self._restoring, refused)]:
            tries += 1
            if tries > _MOST_TRIES:
                raise ConnectFailed("the server ends the accounts' sessions as soon as they are there")
            for account in away:
                if account.id not in self.usable:
                    account.lost()  # events were missed
                    try:
                        await self.admit(link, access, account)
                    except (AuthenticationFailed, ServerError) as error:
                        if isinstance(error, RateLimited) or error.code in SHARED_CODES:
                            raise
                        refused[account.id] = error
                        self._refuse(account, error)
            if refused and self._probation.refused.issuperset(self.accounts):
                raise next((e for e in refused.values() if isinstance(e, ServerError)), next(iter(refused.values())))
            for account in away:
                if account.id in self.usable:
                    await self.restore(account)
        self._look_whether_all_are_back()

    def _refuse(self, account: Account, error: AuthenticationFailed | ServerError) -> None:
        self.accounts[account.id] = account  # it stays one of those that are wanted
        again_s = self._probation.refuse(account.id, str(error), now_s=clock.now_s(), least_s=_least_s(error))
        self._note("account", account=account.id, state="refused", why=str(error), again_s=round(again_s, 3))

    async def admit(self, link: Link, access: Access, account: Account) -> bool:
        """Authorises it; requests of its own may pass, but for what trades. False where it is lost again already."""
        await access.authorize(link, account.id)
        self.accounts[account.id] = account
        if link.connection.accounts.get(account.id) is not AccountState.AUTHENTICATED:
            # The end came right behind the answer: the reader heard of it before we did of the answer.
            self._lose(account.id, "its session ended as soon as it was there")
            return False
        self.usable.add(account.id)
        self._probation.admit(account.id, now_s=clock.now_s())
        self._gate.accounts.add(account.id)
        self._tell()  # who waits for this account may ask now; a new subscription must not wait for the restoring
        return True

    async def restore(self, account: Account) -> None:
        """Sets right what it missed; given up where its session ends meanwhile, for then nothing of it is answered."""
        with anyio.CancelScope() as scope:
            self._restoring[account.id] = scope
            try:
                again = await account.restore()
                with anyio.move_on_after(_QUOTES_S) as quotes:
                    await self._resubscribe(account)
            except CTraderError:
                raise
            except Exception as fault:
                raise _not_taken_in(account, fault, gate=self._gate, log=self._note) from fault
            finally:
                if self._restoring.get(account.id) is scope:
                    del self._restoring[account.id]
        if scope.cancel_called or account.id not in self.usable:
            return
        self._doubted.discard(account.id)
        if again is not None:
            self._review_again(account, again)
        if quotes.cancelled_caught:
            self._note("subscriptions_wait", account=account.id, reason=f"not answered within {_QUOTES_S:g} s")
            self._look_again(0.0)
        self.restored.add(account.id)
        self._note("account", account=account.id, state="restored")
        self._tell()
        self._look_whether_all_are_back()

    def _look_whether_all_are_back(self) -> None:
        if self.accounts.keys() <= self.restored | self._probation.refused:  # who is refused holds up no other
            self._back()

    async def mend(self, link: Link, access: Access) -> None:
        """Brings back whoever is lost while the link stays, and reviews books that are in doubt. Never returns.

        Raises:
            See `bring_back`.
        """
        while True:
            with anyio.move_on_after(min(self._again_s, self._probation.next_s) - clock.now_s()):
                await self._mending.wait()
            self._mending, self._again_s = anyio.Event(), math.inf
            if not self.restored.issuperset(self.accounts):
                await access.look_again()
                now_s = clock.now_s()
                due = [each for each in self.accounts.values() if not self._probation.waits(each.id, now_s=now_s)]
                await self.bring_back(link, access, due)
            with anyio.CancelScope() as self._looking:
                await self._look()

    async def _look(self) -> None:
        """What is done for accounts that are there; given up where one of them is lost, and done anew after that."""
        for account in list(self.accounts.values()):
            if account.id in self._doubted and account.id in self.restored:
                await self._review(account)
        for account in list(self.accounts.values()):
            if account.is_silent and account.id in self.restored:
                await self._resubscribe(account)

    def mend_soon(self) -> None:
        """Somebody is lost, or was left half restored."""
        self._mending.set()

    def doubt(self, account_id: int | None) -> None:
        """The books of an account are in doubt: the server is asked again, soon."""
        if account_id in self.accounts:
            self._doubted.add(account_id)
            self._mending.set()

    async def _review(self, account: Account) -> None:
        self._doubted.discard(account.id)  # ahead of the look: what is doubted meanwhile needs another
        again: str | None = "given up"
        try:
            again = await account.review()
        except CTraderError as error:
            again = str(error)
        except Exception as fault:
            raise _not_taken_in(account, fault, gate=self._gate, log=self._note) from fault
        finally:
            if again is not None:
                self._review_again(account, again)

    def _review_again(self, account: Account, why: str) -> None:
        self._doubted.add(account.id)
        self._note("review_failed", account=account.id, reason=why)
        self._look_again(_AGAIN_S)

    async def _resubscribe(self, account: Account) -> None:
        """Quotes that the server does not give now keep no account away, whatever its reason."""
        lost, waiting = await account.resubscribe()
        for refused in lost:
            self._note("subscription_lost", account=account.id, reason=refused)
        if waiting is None:
            return
        self._note("subscriptions_wait", account=account.id, reason=str(waiting))
        self._look_again(max(_AGAIN_S, getattr(waiting, "retry_after_s", None) or 0.0))

    def _look_again(self, after_s: float) -> None:
        self._again_s = min(self._again_s, clock.now_s() + after_s)

    # Going

    def renewed(self) -> None:
        """Another pair of tokens counts, or will: what was authorised with the old one is authorised anew."""
        for account_id in list(self.usable):
            self._lose(account_id, "its token is renewed")

    def link_over(self) -> None:
        """Nobody is authorised any more, and events are missed from here on."""
        self.usable.clear()
        self.restored.clear()
        for account in self.accounts.values():
            account.lost()

    def end(self, reason: str) -> None:
        """The session is left."""
        for account in self.accounts.values():
            account.end(reason)

    def _lose(self, account_id: int, why: str) -> None:
        self.usable.discard(account_id)
        self._away(f"account {account_id}: {why}")
        self.restored.discard(account_id)
        if account_id in self._restoring:
            self._restoring.pop(account_id).cancel()
        self._note("account", account=account_id, state="lost", why=why)
        self._looking.cancel()
        self._mending.set()

    # From the writer

    def release(self, message: Message) -> None:
        """The last question before its bytes are made: the gate's, and whether its account may speak.

        A renewal goes ahead of what waits in the queue, and may end the accounts' sessions: what was let in before
        must not leave after it. The wire knows of an end only once the server has told it.

        Raises:
            Refused: see `Gate.release`.
            LocalProtocolError: its account is being authorised anew.
        """
        account_id = account_of(message.payload)
        away = account_id in self.accounts and account_id not in self.usable
        if away and permission_of(message.payload_type) is not Permission.SESSION:
            raise LocalProtocolError(f"{message.name}: account {account_id} is being authorised anew")
        self._gate.release(message)

    # From the reader

    def heard(self, event: Event) -> None:
        """Everything that no request waits for, in the order of arrival."""
        if isinstance(event, SpotsReceived):
            for account_id, spots in event.by_account().items():
                if account_id in self.accounts:
                    self.accounts[account_id].quoted(spots)
        elif isinstance(event, EventReceived):
            account = self.accounts.get(account_of(event.message.payload) or 0)
            if account is not None:
                account.heard(event.message)
        elif isinstance(event, AccountChanged):
            if event.state is AccountState.LOGGED_OUT and event.account in self.usable:
                self._probation.lost(event.account, now_s=clock.now_s())
                self._lose(event.account, "its session on this link has ended")
        elif isinstance(event, ErrorReceived):
            self._note("server_error", code=event.code, description=event.description, account=event.account)
            if event.code == _APPLICATION_LOST:
                self._unknown(f"the server no longer knows the application ({event.code})")
            late = event.client_msg_id is None and event.message.client_msg_id
            if late and not isinstance(event.message.payload, oa.ProtoOAOrderErrorEvent):  # which is an event too
                for account in self.accounts.values():
                    account.heard_late(event.message)
        elif isinstance(event, UndecodedReceived):
            self._note("undecoded", type=name_of(event.payload_type), reason=event.reason)


def _least_s(error: Exception) -> float:
    """How long a maintenance that the error tells of lasts, as far as that is believed; 0 where it tells of none."""
    if isinstance(error, UnderMaintenance) and error.until_ms is not None:
        return min(max(0.0, (error.until_ms - clock.utc_ms()) / 1000), LONGEST_UNSEEN_S)
    return 0.0


def _not_taken_in(account: Account, fault: Exception, *, gate: Gate, log: Callable[..., None]) -> ConnectFailed:
    """Ours, and yet met in what the server says: the link goes and is tried again, the session stays."""
    where = traceback.extract_tb(fault.__traceback__)[-1]
    text = gate.mask(f"what the server says of account {account.id} could not be taken in: {fault!r}")
    log("not_taken_in", account=account.id, reason=text, where=f"{where.filename}:{where.lineno}")
    return ConnectFailed(text)
