"""The tables that move a connection and its accounts (docs/protocol.md section 7).

Nothing else moves a state. The tables do not know which side they are on: the same inputs are what a client sends
and a server receives. A pair that is not listed is a fault of whoever caused it; what a peer may say at an odd
moment without effect is listed as such.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from .words import Word

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ACCOUNT_TABLE",
    "CONNECTION_TABLE",
    "AccountInput",
    "AccountState",
    "ConnectionInput",
    "ConnectionState",
]


class ConnectionState(Word):
    """How far the application is."""

    OPEN = "open"
    AUTHENTICATING = "authenticating"
    READY = "ready"
    CLOSED = "closed"


class ConnectionInput(Word):
    """What moves, or is allowed by, a connection's state."""

    APP_AUTH = "application auth requested"
    APP_AUTH_ANSWERED = "application auth answered"
    APP_AUTH_REFUSED = "application auth refused"
    EARLY_REQUEST = "version or token refresh requested"
    REQUEST = "any other request"
    ANSWER = "anything else that a server says"
    HEARTBEAT = "heartbeat"
    ENDED = "end of the stream, disconnect event, broken framing, close"


class AccountState(Word):
    """How far one account is on this connection."""

    LOGGED_OUT = "logged out"
    AUTHENTICATING = "authenticating"
    AUTHENTICATED = "authenticated"


class AccountInput(Word):
    """What moves, or is allowed by, an account's state."""

    AUTH = "account auth requested"
    AUTH_ANSWERED = "account auth answered"
    AUTH_REFUSED = "account auth refused"
    REQUEST = "any other request of the account"
    ENDED = "account disconnect, token invalidated, logout, not authorized, link closed"


def _connection() -> dict[tuple[ConnectionState, ConnectionInput], ConnectionState]:
    s, i = ConnectionState, ConnectionInput
    table = {
        (s.OPEN, i.APP_AUTH): s.AUTHENTICATING,
        (s.OPEN, i.APP_AUTH_ANSWERED): s.OPEN,  # nobody asked: no effect
        (s.OPEN, i.APP_AUTH_REFUSED): s.OPEN,
        (s.AUTHENTICATING, i.APP_AUTH_ANSWERED): s.READY,
        (s.AUTHENTICATING, i.APP_AUTH_REFUSED): s.OPEN,
        (s.READY, i.APP_AUTH_ANSWERED): s.READY,
        (s.READY, i.APP_AUTH_REFUSED): s.READY,  # a second auth is refused, the first still holds
        (s.READY, i.REQUEST): s.READY,
    }
    for state in (s.OPEN, s.AUTHENTICATING, s.READY):
        table |= {(state, i.EARLY_REQUEST): state, (state, i.ANSWER): state, (state, i.HEARTBEAT): state}
    return table | {(state, i.ENDED): s.CLOSED for state in s}


def _account() -> dict[tuple[AccountState, AccountInput], AccountState]:
    s, i = AccountState, AccountInput
    table = {(s.AUTHENTICATED, i.REQUEST): s.AUTHENTICATED}
    for state in s:
        table |= {
            # Again while authenticated is how a renewed token is put to use on the same link.
            (state, i.AUTH): s.AUTHENTICATING,
            # The server's word holds even where a disconnect event has come between question and answer.
            (state, i.AUTH_ANSWERED): s.AUTHENTICATED,
            (state, i.AUTH_REFUSED): s.LOGGED_OUT,
            (state, i.ENDED): s.LOGGED_OUT,
        }
    return table


CONNECTION_TABLE: Mapping[tuple[ConnectionState, ConnectionInput], ConnectionState] = MappingProxyType(_connection())
ACCOUNT_TABLE: Mapping[tuple[AccountState, AccountInput], AccountState] = MappingProxyType(_account())
