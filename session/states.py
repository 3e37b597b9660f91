"""How far the access to one environment is: the table that moves it. Nothing else does."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SESSION_TABLE", "SessionInput", "SessionState", "StateChange"]


class SessionState(enum.Enum):
    """What a session is doing."""

    CONNECTING = "connecting"
    """Name, TCP, TLS."""
    AUTHENTICATING = "authenticating"
    """The application, and which accounts there are."""
    RESTORING = "restoring"
    """Accounts, positions and orders, unknown outcomes, subscriptions: after a link was lost that of all accounts,
    after an account's session was lost that of this account, while the others go on."""
    READY = "ready"
    """Requests pass."""
    WAITING = "waiting"
    """The link is lost; another is tried after a while."""
    REFUSED = "refused"
    """The server refused the credentials: nothing is tried until somebody acts."""
    CLOSED = "closed"
    """Left, for good."""


class SessionInput(enum.Enum):
    """What moves a session."""

    CONNECTED = "connected"
    AUTHENTICATED = "authenticated"
    RESTORED = "restored"
    RETOLD = "retold"
    ACCOUNT_LOST = "account lost"
    LOST = "lost"
    REFUSED = "refused"
    RETRY = "retry"
    LEFT = "left"


def _table() -> dict[tuple[SessionState, SessionInput], SessionState]:
    s, i = SessionState, SessionInput
    table = {
        (s.CONNECTING, i.CONNECTED): s.AUTHENTICATING,
        (s.AUTHENTICATING, i.AUTHENTICATED): s.RESTORING,
        (s.RESTORING, i.RESTORED): s.READY,
        (s.READY, i.RETOLD): s.READY,  # what is missing all the same, subscriptions or an account, has changed
        (s.READY, i.ACCOUNT_LOST): s.RESTORING,  # one of those that are kept; the link stays
        (s.RESTORING, i.ACCOUNT_LOST): s.RESTORING,
        (s.WAITING, i.RETRY): s.CONNECTING,
        (s.REFUSED, i.RETRY): s.CONNECTING,  # new credentials, or somebody's resume()
    }
    for state in (s.CONNECTING, s.AUTHENTICATING, s.RESTORING, s.READY):
        table[state, i.LOST] = s.WAITING
        # READY too: a token can be refused when an account is authorised anew on a link that is up.
        table[state, i.REFUSED] = s.REFUSED
    return table | {(state, i.LEFT): s.CLOSED for state in s}


SESSION_TABLE: Mapping[tuple[SessionState, SessionInput], SessionState] = MappingProxyType(_table())


@dataclass(frozen=True, slots=True)
class StateChange:
    """A session has moved.

    Attributes:
        at_ms: when, UTC milliseconds.
        state: what it does now.
        reason: why, for people.
    """

    at_ms: int
    state: SessionState
    reason: str
