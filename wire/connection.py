"""One connection, as pure as its bytes: the same bytes give the same events.

It knows which requests are open and what may be said when; it has no socket, no clock and no task. The client is
one in the role of the client, a server one in the role of the server.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from . import messages as oa
from . import units
from .catalog import CATALOG, Kind, account_of
from .codecs import Message, UnknownPayload
from .errors import LocalProtocolError, RemoteProtocolError, UndecodablePayload
from .events import (
    AccountChanged,
    ErrorReceived,
    Event,
    EventReceived,
    HeartbeatReceived,
    LinkClosed,
    RequestReceived,
    ResponseReceived,
    UndecodedReceived,
)
from .framing import Framing, LengthFraming
from .states import (
    ACCOUNT_TABLE,
    CONNECTION_TABLE,
    AccountInput,
    AccountState,
    ConnectionInput,
    ConnectionState,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .codecs import Codec

__all__ = ["Connection", "Role"]

_APP_AUTH = oa.payload_type_of(oa.ProtoOAApplicationAuthReq)
_APP_AUTH_RES = oa.payload_type_of(oa.ProtoOAApplicationAuthRes)
_ACCOUNT_AUTH = oa.payload_type_of(oa.ProtoOAAccountAuthReq)
_ACCOUNT_AUTH_RES = oa.payload_type_of(oa.ProtoOAAccountAuthRes)
_ACCOUNT_LOGOUT_RES = oa.payload_type_of(oa.ProtoOAAccountLogoutRes)
_ACCOUNT_DISCONNECT = oa.payload_type_of(oa.ProtoOAAccountDisconnectEvent)
_TOKEN_INVALIDATED = oa.payload_type_of(oa.ProtoOAAccountsTokenInvalidatedEvent)
_CLIENT_DISCONNECT = oa.payload_type_of(oa.ProtoOAClientDisconnectEvent)
_EXECUTION = oa.payload_type_of(oa.ProtoOAExecutionEvent)
_ORDER_ERROR = oa.payload_type_of(oa.ProtoOAOrderErrorEvent)
# Section 7: before application auth only these are taken, next to the auth itself.
_EARLY = frozenset({oa.payload_type_of(oa.ProtoOAVersionReq), oa.payload_type_of(oa.ProtoOARefreshTokenReq)})
# Section 14: the session that was asked for is there.
_APP_ALREADY = ("CH_CLIENT_ALREADY_AUTHENTICATED", "ALREADY_LOGGED_IN")
_ACCOUNT_ALREADY = ("ALREADY_LOGGED_IN",)
# More requests than this without an answer, and the oldest is forgotten: a peer that never answers costs no memory.
_MOST_OPEN = 10_000


class Role(enum.Enum):
    """Which end of the wire."""

    CLIENT = "client"
    SERVER = "server"


class Connection:
    """Bytes in, events out; messages in, bytes out.

    Args:
        role: which end of the wire this is.
        codec: a fresh codec of this connection's flavour.
        framing: how messages are delimited; by default four bytes of length.

    Attributes:
        late_answers: how many answers came that nobody waited for any more; they were dropped.
    """

    def __init__(self, role: Role, codec: Codec, *, framing: Framing | None = None) -> None:
        self.late_answers = 0
        self._role = role
        self._codec = codec
        self._framing: Framing = framing if framing is not None else LengthFraming()
        self._state = ConnectionState.OPEN
        self._accounts: dict[int, AccountState] = {}
        self._open: dict[str, tuple[int, int | None]] = {}  # id to payload type and account

    @property
    def role(self) -> Role:
        """Which end of the wire this is."""
        return self._role

    @property
    def state(self) -> ConnectionState:
        """How far the application is."""
        return self._state

    @property
    def accounts(self) -> Mapping[int, AccountState]:
        """Every account that was spoken of on this connection, and how far it is."""
        return self._accounts

    @property
    def open_ids(self) -> frozenset[str]:
        """The client message ids that are waiting for an answer."""
        return frozenset(self._open)

    @property
    def _closed(self) -> bool:
        return self._state is ConnectionState.CLOSED

    # Bytes in

    def receive_data(self, data: bytes) -> list[Event]:
        """What these bytes mean, together with those before them.

        Never raises on the peer's account: what stands before a fault is reported, and the fault ends the list as
        `LinkClosed` with a `RemoteProtocolError`.
        """
        events: list[Event] = []
        if self._closed:
            return events
        try:
            for body in self._framing.feed(data):
                try:
                    message = self._codec.decode(body)
                except UndecodablePayload as fault:
                    self._undecoded(
                        Message(UnknownPayload(fault.payload_type, fault.body), fault.client_msg_id),
                        fault.reason,
                        events,
                    )
                else:
                    self._take(message, events)
                if self._closed:
                    break
        except RemoteProtocolError as error:
            self._end(events, str(error), error)
        return events

    def receive_eof(self) -> list[Event]:
        """What it means that the stream has ended."""
        events: list[Event] = []
        if not self._closed:
            try:
                self._framing.close()
            except RemoteProtocolError as error:
                self._end(events, str(error), error)
            else:
                self._end(events, "the peer ended the stream", None)
        return events

    # Messages out

    def send(self, message: Message) -> bytes:
        """The bytes that say this message; states and open ids have moved when it returns.

        Raises:
            LocalProtocolError: it may not be said now, its id is open already, or it cannot be encoded. Nothing
                has moved.
        """
        try:
            payload_type = message.payload_type
        except KeyError as error:
            raise LocalProtocolError(error.args[0]) from None
        account = account_of(message.payload)
        says_request = self._kind(payload_type, message) is Kind.REQUEST
        if says_request and self._role is Role.CLIENT and message.client_msg_id in self._open:
            raise LocalProtocolError(f"client message id {message.client_msg_id!r} is still open")
        fault = self._misplaced(payload_type, account, message)
        if fault is not None:
            raise LocalProtocolError(fault)
        data = self._framing.wrap(self._codec.encode(message))
        events: list[Event] = []
        if says_request:
            self._remember(payload_type, account, message.client_msg_id)
        self._move(payload_type, message, events)
        if not says_request and message.client_msg_id is not None:
            self._open.pop(message.client_msg_id, None)
        return data

    def abandon(self, client_msg_id: str) -> None:
        """Nobody waits for this id any more: a late answer to it is counted and dropped."""
        self._open.pop(client_msg_id, None)

    def close(self) -> None:
        """We end it. Nothing is sent or reported afterwards."""
        self._end([], "closed by us", None)

    # Inside

    def _kind(self, payload_type: int, message: Message) -> Kind:
        """The part that a message plays; what the schema does not know is judged by who may say what."""
        entry = CATALOG.get(payload_type)
        if entry is not None:
            return entry.kind
        sent_by_client = self._role is Role.CLIENT
        return Kind.REQUEST if sent_by_client else Kind.EVENT if message.client_msg_id is None else Kind.RESPONSE

    def _input(self, payload_type: int) -> ConnectionInput:
        entry = CATALOG.get(payload_type)
        if payload_type == _APP_AUTH:
            return ConnectionInput.APP_AUTH
        if payload_type in _EARLY:
            return ConnectionInput.EARLY_REQUEST
        if entry is None:
            return ConnectionInput.REQUEST if self._role is Role.CLIENT else ConnectionInput.ANSWER
        if entry.kind is Kind.HEARTBEAT:
            return ConnectionInput.HEARTBEAT
        return ConnectionInput.REQUEST if entry.kind is Kind.REQUEST else ConnectionInput.ANSWER

    def _misplaced(self, payload_type: int, account: int | None, message: Message) -> str | None:
        """Why this may not be said now, or None."""
        if self._closed:
            return f"{message.name} cannot be said: the connection is closed"
        entry = CATALOG.get(payload_type)
        if entry is not None and entry.kind is not Kind.HEARTBEAT:
            if (entry.kind is Kind.REQUEST) is not (self._role is Role.CLIENT):
                return f"{message.name} is nothing that a {self._role.value} says"
            if entry.kind is not Kind.REQUEST:
                return None
        elif self._role is Role.SERVER:
            return None
        return self._early(payload_type, account, message)

    def _early(self, payload_type: int, account: int | None, message: Message) -> str | None:
        """Why a request is too early, or None: the tables have the say."""
        asked = self._input(payload_type)
        if (self._state, asked) not in CONNECTION_TABLE:
            return f"{message.name} may not be said while the application is {self._state.value}"
        if account is None or asked is not ConnectionInput.REQUEST or payload_type == _ACCOUNT_AUTH:
            return None
        state = self._accounts.get(account, AccountState.LOGGED_OUT)
        if (state, AccountInput.REQUEST) not in ACCOUNT_TABLE:
            return f"{message.name} needs account {account} authorised; it is {state.value}"
        return None

    def _remember(self, payload_type: int, account: int | None, client_msg_id: str | None) -> None:
        if client_msg_id is None:
            return
        if len(self._open) >= _MOST_OPEN:
            del self._open[next(iter(self._open))]
        self._open[client_msg_id] = (payload_type, account)

    def _take(self, message: Message, events: list[Event]) -> None:
        payload_type = message.payload_type
        entry = CATALOG.get(payload_type)
        if self._role is Role.SERVER:
            self._take_request(payload_type, message, events)
        elif entry is not None and entry.kind is Kind.EVENT and message.client_msg_id is None:
            self._move(payload_type, message, events)
            events.append(EventReceived(message, None))
            if payload_type == _CLIENT_DISCONNECT:
                self._end(events, f"the server disconnected us: {message.payload.reason or 'no reason given'}", None)
        elif entry is not None and entry.kind is Kind.HEARTBEAT:
            events.append(HeartbeatReceived())
        elif entry is not None and entry.kind is Kind.REQUEST:
            self._undecoded(message, f"a server does not say {message.name}", events)
        elif entry is None:
            self._undecoded(message, "the schema does not know this payload type", events)
        else:
            self._take_answer(payload_type, entry.kind, message, events)

    def _take_request(self, payload_type: int, message: Message, events: list[Event]) -> None:
        entry = CATALOG.get(payload_type)
        if entry is not None and entry.kind is Kind.HEARTBEAT:
            events.append(HeartbeatReceived())
            return
        if entry is not None and entry.kind is not Kind.REQUEST:
            self._undecoded(message, f"a client does not say {message.name}", events)
            return
        account = account_of(message.payload)
        asked = ConnectionInput.REQUEST if entry is None else self._input(payload_type)
        if (self._state, asked) not in CONNECTION_TABLE:
            misplaced: str | None = f"{message.name} came while the application was {self._state.value}"
        else:
            misplaced = self._early(payload_type, account, message) if entry is not None else None
        self._remember(payload_type, account, message.client_msg_id)
        if misplaced is None:
            self._move(payload_type, message, events)
        events.append(RequestReceived(message, message.client_msg_id, misplaced))

    def _take_answer(self, payload_type: int, kind: Kind, message: Message, events: list[Event]) -> None:
        client_msg_id = message.client_msg_id
        asked = self._open.get(client_msg_id) if client_msg_id is not None else None
        if asked is not None and kind is not Kind.ERROR and not _settles(asked[0], payload_type):
            if kind is Kind.EVENT:  # an event that carries the id of a request that it does not answer
                asked = None
            else:
                reason = f"it carries the id of a {oa.name_of(asked[0])}, which it does not answer"
                self._undecoded(message, reason, events)
                return
        self._move(payload_type, message, events)
        if asked is not None and client_msg_id is not None:
            del self._open[client_msg_id]
        if kind is Kind.EVENT or payload_type == _ORDER_ERROR:
            # Before the answer, so that an order has moved when its caller wakes.
            events.append(EventReceived(message, client_msg_id))
        if kind is Kind.ERROR:
            events.append(_error(message, client_msg_id if asked is not None else None))
        elif asked is not None and client_msg_id is not None:
            events.append(ResponseReceived(client_msg_id, message))
        elif kind is Kind.RESPONSE:
            self.late_answers += 1

    def _undecoded(self, message: Message, reason: str, events: list[Event]) -> None:
        payload = message.payload
        body = payload.body if isinstance(payload, UnknownPayload) else payload.SerializePartialToString()
        if self._role is Role.CLIENT and message.client_msg_id is not None:
            self._open.pop(message.client_msg_id, None)
        events.append(UndecodedReceived(message.payload_type, message.client_msg_id, body, reason))

    def _move(self, payload_type: int, message: Message, events: list[Event]) -> None:
        """Whatever this message, said or heard, does to the tables."""
        if payload_type == _APP_AUTH:
            self._move_connection(ConnectionInput.APP_AUTH)
        elif payload_type == _APP_AUTH_RES:
            self._move_connection(ConnectionInput.APP_AUTH_ANSWERED)
        elif payload_type == _ACCOUNT_AUTH:
            self._move_account(message.payload.ctidTraderAccountId, AccountInput.AUTH, events)
        elif payload_type == _ACCOUNT_AUTH_RES:
            self._move_account(message.payload.ctidTraderAccountId, AccountInput.AUTH_ANSWERED, events)
        elif payload_type in (_ACCOUNT_DISCONNECT, _ACCOUNT_LOGOUT_RES):
            self._move_account(message.payload.ctidTraderAccountId, AccountInput.ENDED, events)
        elif payload_type == _TOKEN_INVALIDATED:
            for account in message.payload.ctidTraderAccountIds:
                self._move_account(account, AccountInput.ENDED, events)
        elif payload_type in CATALOG and CATALOG[payload_type].kind is Kind.ERROR:
            self._move_by_error(message, events)
        elif payload_type == _CLIENT_DISCONNECT and self._role is Role.SERVER:
            self._end(events, "we disconnected the client", None)

    def _move_by_error(self, message: Message, events: list[Event]) -> None:
        code, text = message.payload.errorCode, message.payload.description
        payload_type, account = self._open.get(message.client_msg_id or "", (None, None))
        if payload_type == _APP_AUTH:
            already = code in _APP_ALREADY
            self._move_connection(ConnectionInput.APP_AUTH_ANSWERED if already else ConnectionInput.APP_AUTH_REFUSED)
        elif payload_type == _ACCOUNT_AUTH and account is not None:
            already = code in _ACCOUNT_ALREADY
            asked = AccountInput.AUTH_ANSWERED if already else AccountInput.AUTH_REFUSED
            self._move_account(account, asked, events)
        elif payload_type is None and self._state is ConnectionState.AUTHENTICATING and not message.client_msg_id:
            # Section 10.4: an error of the proxy may lack the id; nothing but the auth is on its way now.
            self._move_connection(ConnectionInput.APP_AUTH_REFUSED)
        else:
            lost = account or account_of(message.payload)
            if lost is not None and _says_not_authorised(code, text):
                self._move_account(lost, AccountInput.ENDED, events)

    def _move_connection(self, moved_by: ConnectionInput) -> None:
        self._state = CONNECTION_TABLE[self._state, moved_by]

    def _move_account(self, account: int, moved_by: AccountInput, events: list[Event]) -> None:
        before = self._accounts.get(account, AccountState.LOGGED_OUT)
        after = ACCOUNT_TABLE[before, moved_by]
        self._accounts[account] = after
        if after is not before:
            events.append(AccountChanged(account, after))

    def _end(self, events: list[Event], reason: str, error: RemoteProtocolError | None) -> None:
        if self._closed:
            return
        for account in self._accounts:
            self._move_account(account, AccountInput.ENDED, events)
        self._move_connection(ConnectionInput.ENDED)
        self._open.clear()
        events.append(LinkClosed(reason, error))


def _settles(asked: int, payload_type: int) -> bool:
    """Whether a message of this type answers a request of that type."""
    entry = CATALOG.get(asked)
    return entry is None or payload_type in entry.answers


def _says_not_authorised(code: str, description: str) -> bool:
    """Section 7: the account's session is gone, which the server may tell in these two ways."""
    return code == "ACCOUNT_NOT_AUTHORIZED" or (
        code in ("INVALID_REQUEST", "UNSUPPORTED_MESSAGE") and "not authorized" in description
    )


def _error(message: Message, client_msg_id: str | None) -> ErrorReceived:
    payload: Any = message.payload
    retry_after = getattr(payload, "retryAfter", 0)
    maintenance_end = getattr(payload, "maintenanceEndTimestamp", 0)
    return ErrorReceived(
        client_msg_id=client_msg_id,
        account=account_of(payload),
        code=payload.errorCode,
        description=payload.description or None,
        retry_after_s=float(retry_after) if retry_after else None,
        maintenance_end_ms=units.maintenance_end_ms(maintenance_end) if maintenance_end else None,
        message=message,
    )
