"""The accounts that one session keeps authorised: who they are, and how each stands on whatever link there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..wire import AccountState, LocalProtocolError, Message, Permission
from ..wire import messages as oa
from ..wire.catalog import account_of, permission_of
from ..wire.events import (
    AccountChanged,
    AnswerDropped,
    ErrorReceived,
    EventReceived,
    SpotsReceived,
    UndecodedReceived,
)
from ..wire.messages import name_of
from . import clock
from .oddities import Oddities
from .probation import again

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..wire.events import Event
    from .account import Account
    from .gate import Gate
    from .probation import Probation

__all__ = ["AccountAway", "Roster"]

_APPLICATION_LOST = "CH_CLIENT_NOT_AUTHENTICATED"


class AccountAway(LocalProtocolError):
    """A request was to leave whose account has no session just now. By the time that is told it may have one again."""


class Roster:
    """Who they are, and how each of them stands.

    Args:
        gate: told which accounts were authorised.
        probation: which of them are left alone for a while.
        away: told of an account whose session has ended while the link stays, and why.
        unknown: told that the server no longer knows the application.
        note: writes a line for people.

    Attributes:
        accounts: the accounts that are kept authorised.
        expected: those that authorisation was asked for, and that may be heard of ahead of its answer.
        usable: those that are authorised on the present link: reads may pass.
        restored: those whose books are right again: they may trade.
    """

    def __init__(
        self,
        *,
        gate: Gate,
        probation: Probation,
        away: Callable[[int, str], None],
        unknown: Callable[[str], None],
        note: Callable[..., None],
    ) -> None:
        self.accounts: dict[int, Account] = {}
        self.expected: set[int] = set()
        self.usable: set[int] = set()
        self.restored: set[int] = set()
        self._gate = gate
        self._probation = probation
        self._away = away
        self._unknown = unknown
        self._note = note
        self._oddities = Oddities(note)

    # Coming

    def admit(self, account: Account) -> None:
        """It is authorised: requests of its own may pass, but for what trades."""
        self.usable.add(account.id)
        self._probation.admit(account.id, now_s=clock.now_s())
        self._gate.accounts.add(account.id)

    def restore(self, account: Account) -> None:
        """Its books are right again: it may trade."""
        self.restored.add(account.id)
        self._probation.restored(account.id)
        self._note("account", account=account.id, state="restored")

    @property
    def is_complete(self) -> bool:
        """Whether all are back, but for those that the server keeps away: these hold up no other."""
        return self.accounts.keys() <= self.restored | self._probation.refused

    @property
    def awaited(self) -> str:
        """What a session waits for that is not `is_complete`."""
        here, now_s = self.restored | self._probation.refused, clock.now_s()
        away = [account_id for account_id in self.accounts if account_id not in here]
        return "; ".join(f"account {each} is not back yet{self._probation.why(each, now_s=now_s)}" for each in away)

    @property
    def standing(self) -> str:
        """What a session is that `is_complete`: ready, and what is missing all the same."""
        said = ["ready"]
        for account in self.accounts.values():
            if account.id in self._probation.refused:
                said.append(f"without account {account.id}: {self._probation.said(account.id)}")
            elif account.missing:
                said.append(f"account {account.id}: {account.missing} subscriptions are not back yet")
        return "; ".join(said)

    # Going

    def renewed(self) -> None:
        """Another pair of tokens counts, or will: what was authorised with the old one is authorised anew."""
        for account_id in list(self.usable):
            self.lose(account_id, "its token is renewed")

    def link_over(self) -> None:
        """Nobody is authorised any more, and events are missed from here on."""
        self._oddities.link_over()
        self.usable.clear()
        self.restored.clear()
        for account in self.accounts.values():
            account.lost()

    def end(self, reason: str) -> None:
        """The session is left."""
        self._oddities.link_over()
        for account in self.accounts.values():
            account.end(reason)

    def lose(self, account_id: int, why: str, *, again_s: float = 0.0) -> None:
        """Its session on this link has ended: events are missed from here on.

        Args:
            account_id: whose.
            why: for people.
            again_s: seconds that it is left alone.
        """
        self.usable.discard(account_id)
        self.restored.discard(account_id)
        self.accounts[account_id].lost()  # now, and not when it is tried again: nobody is to believe in it meanwhile
        self._note("account", account=account_id, state="lost", why=why, again_s=round(again_s, 3) or None)
        if again_s:
            why = f"{why}; lost again and again, it is {again(again_s)}"
        self._away(account_id, f"account {account_id}: {why}")

    def left_half_way(self, account_id: int) -> None:
        """Whoever asked for it waits no more: it is kept if it was let in, and restored all the same."""
        if account_id in self.usable and account_id not in self.restored:
            self._away(account_id, f"account {account_id}: it is authorised, and its restoring goes on")

    # From the writer

    def release(self, message: Message) -> None:
        """The last question before its bytes are made: the gate's, and whether its account may speak.

        A renewal goes ahead of what waits in the queue, and may end the accounts' sessions: what was let in before
        must not leave after it. The wire knows of an end only once the server has told it.

        Raises:
            Refused: see `Gate.release`.
            AccountAway: its account is being authorised anew.
        """
        account_id = account_of(message.payload)
        away = account_id in self.accounts and account_id not in self.usable
        if away and permission_of(message.payload_type) is not Permission.SESSION:
            raise AccountAway(f"{message.name}: account {account_id} is being authorised anew")
        self._gate.release(message)

    # From the reader

    def heard(self, event: Event) -> None:
        """Everything that no request waits for, in the order of arrival."""
        if isinstance(event, SpotsReceived):
            for account_id, spots in event.by_account().items():
                if account_id in self.accounts:
                    self.accounts[account_id].quoted(spots)
                else:
                    self._not_ours(spots[0], account_id)
        elif isinstance(event, EventReceived):
            self._heard_event(event.message)
        elif isinstance(event, AccountChanged):
            if event.state is AccountState.LOGGED_OUT and event.account in self.usable:
                why = f"its session on this link has ended: {event.why}"
                again_s = self._probation.lost(event.account, why, now_s=clock.now_s())
                self.lose(event.account, why, again_s=again_s)
        elif isinstance(event, ErrorReceived):
            self._heard_error(event)
        elif isinstance(event, AnswerDropped):
            payload = event.message.payload
            self._odd("unasked", type=event.message.name, account=account_of(payload), reason="no request waits for it")
        elif isinstance(event, UndecodedReceived):
            self._odd("undecoded", type=name_of(event.payload_type), reason=event.reason)

    def _heard_event(self, message: Message) -> None:
        payload = message.payload
        account_id = account_of(payload)
        if isinstance(payload, oa.ProtoOAAccountsTokenInvalidatedEvent):
            for each in payload.ctidTraderAccountIds:
                self._not_ours(payload, each)
        elif account_id is not None and account_id in self.accounts:
            self.accounts[account_id].heard(message)
        elif account_id is not None:
            self._not_ours(payload, account_id)

    def _heard_error(self, event: ErrorReceived) -> None:
        write = self._note if event.client_msg_id is not None else self._odd  # we ask no flood of questions
        write("server_error", code=event.code, description=event.description, account=event.account)
        if event.code == _APPLICATION_LOST:
            self._unknown(f"the server no longer knows the application ({event.code})")
        late = event.client_msg_id is None and event.message.client_msg_id
        if late and not isinstance(event.message.payload, oa.ProtoOAOrderErrorEvent):  # which is an event too
            for account in self.accounts.values():
                account.heard_late(event.message)

    def _not_ours(self, payload: Any, account_id: int) -> None:
        if account_id not in self.accounts and account_id not in self.expected:
            self._odd("not_ours", type=type(payload).__name__, account=account_id)

    def _odd(self, what: str, **fields: object) -> None:
        self._oddities.note(what, now_s=clock.now_s(), **fields)
