"""Which requests may leave now, by which link, and what the others are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from ..wire import AccountState, LocalProtocolError
from . import clock
from .errors import NotSent, SessionClosed
from .roster import AccountAway
from .states import SessionState

if TYPE_CHECKING:
    from .course import Course
    from .environments import Environment
    from .link import Link
    from .probation import Probation
    from .roster import Roster

__all__ = ["Passage"]


class Passage:
    """Of one session.

    Args:
        environment: of the session.
        course: its state.
        roster: its accounts.
        probation: which of them are left alone for a while.

    Attributes:
        link: the present link, or None.
        ready_s: since when the session is ready on it, or None where it never was.
    """

    def __init__(self, environment: Environment, *, course: Course, roster: Roster, probation: Probation) -> None:
        self.link: Link | None = None
        self.ready_s: float | None = None
        self._environment = environment
        self._course = course
        self._roster = roster
        self._probation = probation

    async def usable_link(self, name: str, account_id: int | None, *, by_s: float) -> Link:
        """The present link, once a request of this account may pass; waits for the session up to the deadline.

        Raises:
            NotSent: it did not come in time.
            SessionClosed: it will not come.
        """
        link = self._usable_now(account_id)  # mostly it is there, and waiting for nothing costs as much as a request
        if link is not None:
            return link
        with anyio.move_on_after(max(0.0, by_s - clock.now_s())):
            while True:
                moved = self._course.told
                if (link := self._usable_now(account_id)) is not None:
                    return link
                await moved.wait()
        if self.serves and (why := self._probation.why(account_id, now_s=clock.now_s())):
            raise NotSent(f"{name} did not leave: account {account_id} is away just now{why}")
        raise self._not_ready(name)

    def _usable_now(self, account_id: int | None) -> Link | None:
        if self._course.state is SessionState.CLOSED:
            raise SessionClosed(f"the session of {self._environment.value} was {self._course.reason}")
        link = self.link
        roster = self._roster
        serving = self.serves or (self._course.state is SessionState.RESTORING and account_id in roster.usable)
        known = account_id not in roster.accounts or account_id in roster.usable
        return link if link is not None and link.over is None and serving and known else None

    def trading_link(self, name: str, account_id: int | None) -> Link:
        """The present link, if this account may trade on it just now. Never waits.

        Raises:
            NotSent: the session is not ready, or the account is not restored.
        """
        if not self.serves or self.link is None or self.link.over is not None:
            raise self._not_ready(name)
        if account_id is not None and account_id not in self._roster.restored:
            why = self._probation.why(account_id, now_s=clock.now_s())
            raise NotSent(f"{name} did not leave: account {account_id} is not restored just now{why}")
        return self.link

    def is_away(self, error: LocalProtocolError, account_id: int | None) -> bool:
        """Whether that is said of an account that will be back, and not of the request itself.

        A caller who authorises it by a request of his own is not heard of before the answer.
        """
        said = self.link.connection.accounts.get(account_id or 0) if self.link is not None else None
        reopened = said is not AccountState.AUTHENTICATED and account_id in self._roster.accounts
        return isinstance(error, AccountAway) or reopened

    @property
    def serves(self) -> bool:
        """Whether the link has been ready: one account that is lost then holds up no other."""
        state = self._course.state
        return state is SessionState.READY or (state is SessionState.RESTORING and self.ready_s is not None)

    @property
    def lives(self) -> bool:
        """Whether there is a link that has not ended."""
        return self.link is not None and self.link.over is None

    def _not_ready(self, name: str) -> NotSent:
        where, link = self._environment.value, self.link
        if link is not None and link.over is not None:  # the state follows in the same turn
            return NotSent(f"{name} did not leave: the link of {where} has ended ({link.over})")
        return NotSent(f"{name} did not leave: {where} is {self._course.state.value} ({self._course.reason})")
