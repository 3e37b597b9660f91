"""What each message is: request or answer or event, which answer it waits for, what it is allowed to do.

One table, by payload type. What is not in it is unknown to us, and whoever guards a connection treats it so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from ..proto.schema import MESSAGES
from . import messages as oa
from .words import Word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message as ProtobufMessage

__all__ = [
    "CATALOG",
    "SECRET_FIELDS",
    "Budget",
    "Entry",
    "Kind",
    "Permission",
    "account_of",
    "ends_as_secret",
    "entry_of",
    "is_secret",
    "may_be_secret",
    "permission_of",
]


class Kind(Word):
    """The part that a message plays."""

    REQUEST = "request"
    RESPONSE = "response"
    ERROR = "error"
    EVENT = "event"
    HEARTBEAT = "heartbeat"


class Budget(Word):
    """Which of the server's two rate limits a request counts against (docs/protocol.md section 5)."""

    ORDINARY = "ordinary"
    HISTORICAL = "historical"


class Permission(Word):
    """What a request does to the world: what a guard judges it by."""

    SESSION = "session"
    """Connects, authenticates, keeps alive."""
    READ = "read"
    """Changes nothing at the server but what this connection is told."""
    OPEN = "open"
    """May open or enlarge a position."""
    CHANGE = "change"
    """Alters an order or the protection of a position."""
    CLOSE = "close"
    """Closes a position, whole or in part."""
    CANCEL = "cancel"
    """Takes back a pending order."""
    WRITE = "write"
    """Changes something that is not trading."""

    @property
    def trades(self) -> bool:
        """Whether it is about orders and positions."""
        return self in (Permission.OPEN, Permission.CHANGE, Permission.CLOSE, Permission.CANCEL)


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the catalog.

    Attributes:
        kind: the part that it plays.
        permission: what it does; None for what a server says.
        budget: which rate limit it counts against; None for what a server says, and for heartbeats.
        answers: the payload types that settle it, errors aside; empty where nothing does.
        account_field: the name of its account id field, or None.
    """

    kind: Kind
    permission: Permission | None = None
    budget: Budget | None = None
    answers: frozenset[int] = frozenset()
    account_field: str | None = None


SECRET_FIELDS: frozenset[str] = frozenset({"clientSecret", "accessToken", "refreshToken"})
"""Fields whose value is never shown: of the application auth, the account auth and list, the token refresh."""

_SECRET = frozenset(name.lower() for name in (*SECRET_FIELDS, "password"))


def is_secret(name: str) -> bool:
    """Whether a field of this name holds what may never be shown or written down, however the name is spelt."""
    return _spelt_plainly(name) in _SECRET


_SECRET_PARTS = re.compile(
    "secret|passw|passphrase|passcode|passkey|token|apikey|accesskey|privatekey|privkey|credential|authoriz|authcode|"
    "oauth|bearer|jwt|cookie|signature|hmac|sessionid|mfacode|totpcode"
)
_LAST_WORDS = ("pass", "pwd", "pin", "otp", "totp", "auth", "sid")
_SECRET_ENDS = re.compile(  # no bypass, no spin
    rf"(?:^|[^A-Za-z]|(?<=[a-z0-9])(?=[A-Z]))(?i:{'|'.join(_LAST_WORDS)})$"
)


def may_be_secret(name: str) -> bool:
    """Whether a member that no schema describes holds, by its name, what may never be shown: `authToken`, `pass`.

    For what a peer may call anything: rather too much than too little.
    """
    return _SECRET_PARTS.search(_spelt_plainly(name)) is not None or _SECRET_ENDS.search(name) is not None


def ends_as_secret(text: str) -> bool:
    """Whether a text may end with such a name, where nobody knows with which of its letters that begins."""
    return _SECRET_PARTS.search(_spelt_plainly(text)) is not None or text.lower().endswith(_LAST_WORDS)


def _spelt_plainly(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


_SESSION = (
    oa.ProtoOAApplicationAuthReq,
    oa.ProtoOAAccountAuthReq,
    oa.ProtoOAAccountLogoutReq,
    oa.ProtoOARefreshTokenReq,
)
_TRADES = MappingProxyType(
    {
        oa.ProtoOANewOrderReq: Permission.OPEN,
        oa.ProtoOAAmendOrderReq: Permission.CHANGE,
        oa.ProtoOAAmendPositionSLTPReq: Permission.CHANGE,
        oa.ProtoOAClosePositionReq: Permission.CLOSE,
        oa.ProtoOACancelOrderReq: Permission.CANCEL,
    }
)
_WRITES = (oa.ProtoOAMarginCallUpdateReq,)
# Section 5: four are agreed to be historical, OrderListReq is disputed, the rest unproven. Counting one too many
# against the smaller budget costs time; one too few costs a refusal.
_HISTORICAL = (
    oa.ProtoOAGetTrendbarsReq,
    oa.ProtoOAGetTickDataReq,
    oa.ProtoOADealListReq,
    oa.ProtoOACashFlowHistoryListReq,
    oa.ProtoOAOrderListReq,
    oa.ProtoOADealListByPositionIdReq,
    oa.ProtoOAOrderListByPositionIdReq,
    oa.ProtoOAOrderDetailsReq,
    oa.ProtoOADealOffsetListReq,
)


def _kind(name: str) -> Kind:
    if name in ("ProtoErrorRes", "ProtoOAErrorRes", "ProtoOAOrderErrorEvent"):
        return Kind.ERROR
    if name == "ProtoHeartbeatEvent":
        return Kind.HEARTBEAT
    return {"Req": Kind.REQUEST, "Res": Kind.RESPONSE}.get(name[-3:], Kind.EVENT)


def _row(payload_type: int, cls: type[ProtobufMessage]) -> Entry:
    name = cls.__name__
    kind = _kind(name)
    field = "ctidTraderAccountId" if "ctidTraderAccountId" in cls.DESCRIPTOR.fields_by_name else None
    if kind is Kind.HEARTBEAT:
        return Entry(kind, Permission.SESSION)
    if kind is not Kind.REQUEST:
        return Entry(kind, account_field=field)
    if cls in _TRADES:  # section 2: the first execution event with the request's id is the answer
        permission, answers = _TRADES[cls], frozenset({oa.payload_type_of(oa.ProtoOAExecutionEvent)})
    else:
        permission = Permission.SESSION if cls in _SESSION else Permission.WRITE if cls in _WRITES else Permission.READ
        answers = frozenset({oa.payload_type_of(MESSAGES[name[:-3] + "Res"])})
    budget = Budget.HISTORICAL if cls in _HISTORICAL else Budget.ORDINARY
    return Entry(kind, permission, budget, answers, field)


CATALOG: Mapping[int, Entry] = MappingProxyType(
    {payload_type: _row(payload_type, cls) for payload_type, cls in oa.PAYLOAD_CLASSES.items()}
)
"""Payload type to what it is."""


def entry_of(payload_type: int) -> Entry | None:
    """The row for a payload type, or None where the schema does not know it."""
    return CATALOG.get(payload_type)


def permission_of(payload_type: int) -> Permission | None:
    """What a request of this type does, or None where it is unknown or nothing that a client says."""
    entry = CATALOG.get(payload_type)
    return entry.permission if entry is not None else None


def account_of(payload: Any) -> int | None:
    """The account that a message names (`ctidTraderAccountId`), or None where it names none or is unknown to us.

    A zero counts as none: the server writes it into errors that belong to no account (section 5).
    """
    # Asked of every message: looking for a field that is not there costs protobuf ten times what this does.
    return payload.ctidTraderAccountId or None if type(payload) in _WITH_ACCOUNT else None


_WITH_ACCOUNT = frozenset(cls for cls in MESSAGES.values() if "ctidTraderAccountId" in cls.DESCRIPTOR.fields_by_name)
