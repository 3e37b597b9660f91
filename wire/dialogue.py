"""What has been said on one connection, and so what may be said now: its states and its open ids.

It has no bytes and takes no side: both ends of a connection move it by the same messages, whether said or heard.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from . import messages as oa
from .catalog import CATALOG, Kind, account_of
from .events import AccountChanged
from .quoting import told
from .states import (
    ACCOUNT_TABLE,
    CONNECTION_TABLE,
    AccountInput,
    AccountState,
    ConnectionInput,
    ConnectionState,
)

__all__ = ["CLIENT_DISCONNECT", "LONGEST_ID", "MOVING", "ORDER_ERROR", "Dialogue"]

_APP_AUTH = oa.payload_type_of(oa.ProtoOAApplicationAuthReq)
_APP_AUTH_RES = oa.payload_type_of(oa.ProtoOAApplicationAuthRes)
_ACCOUNT_AUTH = oa.payload_type_of(oa.ProtoOAAccountAuthReq)
_ACCOUNT_AUTH_RES = oa.payload_type_of(oa.ProtoOAAccountAuthRes)
_ACCOUNT_LOGOUT_RES = oa.payload_type_of(oa.ProtoOAAccountLogoutRes)
_ACCOUNT_DISCONNECT = oa.payload_type_of(oa.ProtoOAAccountDisconnectEvent)
_TOKEN_INVALIDATED = oa.payload_type_of(oa.ProtoOAAccountsTokenInvalidatedEvent)
_EXECUTION = oa.payload_type_of(oa.ProtoOAExecutionEvent)
_ERRORS = frozenset(payload_type for payload_type, entry in CATALOG.items() if entry.kind is Kind.ERROR)
CLIENT_DISCONNECT = oa.payload_type_of(oa.ProtoOAClientDisconnectEvent)
ORDER_ERROR = oa.payload_type_of(oa.ProtoOAOrderErrorEvent)
MOVING = _ERRORS | {
    _APP_AUTH_RES,
    _ACCOUNT_AUTH_RES,
    _ACCOUNT_LOGOUT_RES,
    _ACCOUNT_DISCONNECT,
    _TOKEN_INVALIDATED,
    _EXECUTION,
}
"""What a server says that may move a state, but for the disconnect that ends it all."""

# Section 7: before application auth only these are taken, next to the auth itself.
_EARLY = frozenset({oa.payload_type_of(oa.ProtoOAVersionReq), oa.payload_type_of(oa.ProtoOARefreshTokenReq)})
# What a client says is to the table a request, but for these.
_INPUTS = MappingProxyType(
    dict.fromkeys(_EARLY, ConnectionInput.EARLY_REQUEST)
    | {
        payload_type: ConnectionInput.HEARTBEAT
        for payload_type, entry in CATALOG.items()
        if entry.kind is Kind.HEARTBEAT
    }
    | {_APP_AUTH: ConnectionInput.APP_AUTH}
)
_WITH_ACCOUNT = frozenset(payload_type for payload_type, entry in CATALOG.items() if entry.account_field is not None)
_NEEDING_ACCOUNT = _WITH_ACCOUNT - {_ACCOUNT_AUTH} - _EARLY
"""What may be said of an account that is authorised, and of no other."""
# Section 14: the session that was asked for is there.
_APP_ALREADY = ("CH_CLIENT_ALREADY_AUTHENTICATED", "ALREADY_LOGGED_IN")
_ACCOUNT_ALREADY = ("ALREADY_LOGGED_IN",)
_GIVEN_UP = "nobody waits any more for the answer to its authorisation"
_ACCOUNT_LOST = ("ACCOUNT_NOT_AUTHORIZED", "OA_AUTH_TOKEN_EXPIRED", "CH_ACCESS_TOKEN_INVALID")
LONGEST_ID = 256
"""Characters of the longest client message id that a request may have.

Clients count, or take a UUID of 36. With the number of open ids it bounds what a peer makes us remember, to 10 MB at
most: an id may be as long as a frame otherwise.
"""
# More requests than this without an answer, or more accounts, and the oldest is forgotten: a peer costs no memory
# without end. Whoever authorises thousands of accounts uses several connections.
_MOST_OPEN = 10_000
_MOST_ACCOUNTS = 10_000


class Dialogue:
    """The states of one connection and of its accounts, and the requests that wait for an answer.

    Attributes:
        state: how far the application is.
        accounts: every account whose authorisation was asked for, and how far it is.
        open: client message id to payload type and account of a request that waits for its answer.
    """

    def __init__(self) -> None:
        self.state = ConnectionState.OPEN
        self.accounts: dict[int, AccountState] = {}
        self.open: dict[str, tuple[int, int | None]] = {}

    # What a client says

    def too_early(self, payload_type: int, payload: Any) -> str | None:
        """Why a request may not be said now, or None: the tables have the say."""
        asked = _INPUTS.get(payload_type, ConnectionInput.REQUEST)
        if (self.state, asked) not in CONNECTION_TABLE:
            return f"{oa.name_of(payload_type)} may not be said while the application is {self.state.value}"
        if payload_type not in _NEEDING_ACCOUNT:
            return None
        account = getattr(payload, "ctidTraderAccountId", 0)
        state = self.accounts.get(account, AccountState.LOGGED_OUT)
        if (state, AccountInput.REQUEST) not in ACCOUNT_TABLE:
            return f"{oa.name_of(payload_type)} needs account {account} authorised; it is {state.value}"
        return None

    def unusable(self, client_msg_id: Any) -> str | None:
        """Why we may not give a request this id, or None."""
        if client_msg_id is not None and not isinstance(client_msg_id, str):
            return "a client message id is a string"
        if client_msg_id in self.open:
            return f"client message id {client_msg_id!r} is still open"
        return self.too_long(client_msg_id)

    def too_long(self, client_msg_id: str | None) -> str | None:
        """Why an id is not remembered, whoever says it, or None."""
        if not client_msg_id or len(client_msg_id) <= LONGEST_ID:
            return None
        return f"its clientMsgId has {len(client_msg_id)} characters; at most {LONGEST_ID} are taken"

    def ask(self, payload_type: int, payload: Any, client_msg_id: str | None) -> list[AccountChanged]:
        """A request was said that may be said now. Without an id nobody can be told of its answer."""
        if client_msg_id:
            if len(self.open) >= _MOST_OPEN:
                del self.open[next(iter(self.open))]
            named = payload_type in _WITH_ACCOUNT
            self.open[client_msg_id] = (payload_type, payload.ctidTraderAccountId if named else None)
        if payload_type == _APP_AUTH:
            self._move(ConnectionInput.APP_AUTH)
        elif payload_type == _ACCOUNT_AUTH:
            return self._move_account(payload.ctidTraderAccountId, AccountInput.AUTH)
        return []

    def give_up(self, client_msg_id: str | None) -> list[AccountChanged]:
        """Nobody waits for this id any more. An authorisation that was asked for with it counts as refused.

        Not that of an account that the answer to another request has authenticated meanwhile.
        """
        payload_type, account = self.open.pop(client_msg_id or "", (0, None))
        if payload_type == _APP_AUTH:
            self._move(ConnectionInput.APP_AUTH_REFUSED)
        elif payload_type == _ACCOUNT_AUTH and self.accounts.get(account or 0) is AccountState.AUTHENTICATING:
            return self._move_account(account or 0, AccountInput.AUTH_REFUSED, why=_GIVEN_UP)
        return []

    # What a server says

    def settled_by(self, payload_type: int, kind: Kind, payload: Any, client_msg_id: str | None) -> tuple[str, str]:
        """Which open id a message answers, and what is wrong where it carries an open id that it cannot answer.

        Both are empty where the message belongs to no request.
        """
        if kind is Kind.HEARTBEAT:
            return "", ""  # no answer, whatever id it carries: also of a request whose answers nobody knows
        if not client_msg_id:
            return (self._lone_auth if kind is Kind.ERROR else ""), ""
        asked_type, asked_account = self.open.get(client_msg_id, (0, None))
        if not asked_type:
            return "", ""
        account = account_of(payload)
        if not self.may_answer(payload_type, client_msg_id):
            problem = f"it carries the id of a {oa.name_of(asked_type)}, which it does not answer"
        elif account is not None and asked_account is not None and account != asked_account:
            # Section 2: ids of other connections to the same account are heard here, and may look like ours.
            problem = f"it carries the id of a request of account {asked_account}, and is about account {account}"
        else:
            return client_msg_id, ""
        return "", problem if kind is Kind.RESPONSE else ""

    def may_answer(self, payload_type: int, client_msg_id: str | None) -> bool:
        """Whether a message of this type can be the answer to the request of this id; so, too, where none is open.

        An error answers anything, and whatever the schema does not know may.
        """
        asked = CATALOG.get(self.open.get(client_msg_id or "", (0, None))[0])
        said = CATALOG.get(payload_type)
        return asked is None or said is None or said.kind is Kind.ERROR or payload_type in asked.answers

    def hear(self, payload_type: int, payload: Any, client_msg_id: str | None, settled: str) -> list[AccountChanged]:
        """A server said one of `MOVING`, or anything else, which moves nothing.

        Args:
            settled: the open id that it answers, or nothing. It is closed afterwards.
        """
        changes = self._hear(payload_type, payload, client_msg_id, settled) if payload_type in MOVING else []
        if settled:
            del self.open[settled]
        return changes

    def _hear(self, payload_type: int, payload: Any, client_msg_id: str | None, settled: str) -> list[AccountChanged]:
        if payload_type == _APP_AUTH_RES:
            self._move(ConnectionInput.APP_AUTH_ANSWERED)
        elif payload_type == _ACCOUNT_AUTH_RES:
            return self._move_account(payload.ctidTraderAccountId, AccountInput.AUTH_ANSWERED)
        elif payload_type == _ACCOUNT_DISCONNECT:
            return self._end_account(payload.ctidTraderAccountId, "the server disconnected the account")
        elif payload_type == _ACCOUNT_LOGOUT_RES:
            return self._end_account(payload.ctidTraderAccountId, "it was logged out")
        elif payload_type == _TOKEN_INVALIDATED:
            why = f"the server invalidated its token: {told(payload.reason) or 'no reason given'}"
            known = set(self.accounts)  # and each of them once: a frame has room for 15 million
            ended = dict.fromkeys(account for account in payload.ctidTraderAccountIds if account in known)
            return [change for account in ended for change in self._end_account(account, why)]
        elif payload_type == _EXECUTION:
            if payload.errorCode and _says_not_authorised(payload.errorCode, ""):
                return self._end_account(payload.ctidTraderAccountId, _unannounced(payload.errorCode, ""))
        elif payload_type in _ERRORS:
            unnamed = not client_msg_id and self.state is ConnectionState.AUTHENTICATING and not self.open
            return self._hear_error(payload, (_APP_AUTH, None) if unnamed else self.open.get(settled, (0, None)))
        return []

    def end(self) -> list[AccountChanged]:
        """It is over: nobody is authorised and nobody waits."""
        changes = [self._end_account(account, "the connection has ended") for account in self.accounts]
        self._move(ConnectionInput.ENDED)
        self.open.clear()
        return [change for each in changes for change in each]

    def _hear_error(self, payload: Any, asked: tuple[int, int | None]) -> list[AccountChanged]:
        code = payload.errorCode
        payload_type, account = asked
        if payload_type == _APP_AUTH:
            already = code in _APP_ALREADY
            self._move(ConnectionInput.APP_AUTH_ANSWERED if already else ConnectionInput.APP_AUTH_REFUSED)
        elif payload_type == _ACCOUNT_AUTH and account is not None:
            already = code in _ACCOUNT_ALREADY
            return self._move_account(account, AccountInput.AUTH_ANSWERED if already else AccountInput.AUTH_REFUSED)
        elif _says_not_authorised(code, payload.description):
            lost = account or account_of(payload)
            if lost is not None:
                return self._end_account(lost, _unannounced(code, payload.description))
        return []

    @property
    def _lone_auth(self) -> str:
        """The id of the application auth, where nothing else waits for an answer.

        Section 10.4: an error of the proxy may lack the id. It is taken for the answer where nothing else can be
        meant; never for that of any other request, whose fate it would decide by a guess.
        """
        if self.state is not ConnectionState.AUTHENTICATING or len(self.open) != 1:
            return ""
        client_msg_id, (payload_type, _) = next(iter(self.open.items()))
        return client_msg_id if payload_type == _APP_AUTH else ""

    def _move(self, moved_by: ConnectionInput) -> None:
        self.state = CONNECTION_TABLE[self.state, moved_by]

    def _end_account(self, account: int, why: str) -> list[AccountChanged]:
        return self._move_account(account, AccountInput.ENDED, why=why)

    def _move_account(self, account: int, moved_by: AccountInput, *, why: str = "") -> list[AccountChanged]:
        before = self.accounts.get(account)
        if before is None:
            if moved_by is not AccountInput.AUTH:
                return []  # nobody asked for it: a peer that names accounts without end costs nothing
            if len(self.accounts) >= _MOST_ACCOUNTS:
                del self.accounts[next(iter(self.accounts))]
            before = AccountState.LOGGED_OUT
        after = self.accounts[account] = ACCOUNT_TABLE[before, moved_by]
        return [AccountChanged(account, after, why)] if after is not before else []


def _unannounced(code: str, description: str) -> str:
    said = f"{code}: {description}" if description else code
    return f"not announced, an answer says {told(said)}"


def _says_not_authorised(code: str, description: str) -> bool:
    """Section 7: the account's session is gone, or the token that it rests on has ended."""
    return code in _ACCOUNT_LOST or (
        code in ("INVALID_REQUEST", "UNSUPPORTED_MESSAGE") and "not authori" in description.casefold()
    )
