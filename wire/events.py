"""What a `Connection` reports of the bytes that it was given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform

from . import units
from .catalog import account_of

if TYPE_CHECKING:
    from .codecs import Message
    from .errors import RemoteProtocolError
    from .states import AccountState

__all__ = [
    "AccountChanged",
    "AnswerDropped",
    "ErrorReceived",
    "Event",
    "EventReceived",
    "HeartbeatReceived",
    "LinkClosed",
    "RequestReceived",
    "ResponseReceived",
    "SpotsReceived",
    "UndecodedReceived",
    "error_of",
]

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def _event(cls: type[_T]) -> type[_T]:
    """Read-only to the type checker, at a third of what a frozen dataclass costs to make."""
    return dataclass(slots=True)(cls)


@_event
class ResponseReceived:
    """Answers a request that was open; its id is now closed."""

    client_msg_id: str
    message: Message


@_event
class ErrorReceived:
    """Any of the error messages: `ProtoErrorRes`, `ProtoOAErrorRes`, `ProtoOAOrderErrorEvent`.

    Attributes:
        client_msg_id: of the request that failed, where it is one that is open; otherwise None.
        account: the account that it names, or None.
        code: `errorCode`, as the server wrote it.
        description: the server's text, or None.
        retry_after_s: `retryAfter` of `ProtoOAErrorRes`, seconds, or None.
        maintenance_end_ms: milliseconds since the epoch, whichever unit the server used, or None.
        message: the message itself.
    """

    client_msg_id: str | None
    account: int | None
    code: str
    description: str | None
    retry_after_s: float | None
    maintenance_end_ms: int | None
    message: Message


@_event
class EventReceived:
    """Pushed by the server; also every execution event and order error, answer to a request or not."""

    message: Message
    client_msg_id: str | None


@_event
class SpotsReceived:
    """Several `EventReceived` in one: spot events that came one after the other, without an id.

    A `Connection` reports them so only where it was asked to (`gather_spots`).

    Attributes:
        spots: a `ProtoOASpotEvent` each, of one or several accounts, in the order of arrival; at least one.
    """

    spots: list[Any]

    def by_account(self) -> dict[int, list[Any]]:
        """Account id to its spot events, in the order of arrival."""
        ids = [spot.ctidTraderAccountId for spot in self.spots]
        if ids.count(ids[0]) == len(ids):
            return {ids[0]: self.spots}
        found: dict[int, list[Any]] = {}
        for account_id, spot in zip(ids, self.spots, strict=True):
            found.setdefault(account_id, []).append(spot)
        return found


@_event
class RequestReceived:
    """Said by a client (to a Connection in the role of the server).

    Attributes:
        message: the request.
        client_msg_id: its id, or None where the client gave none.
        misplaced: why it may not be said now (application or account not authorised), or None.
    """

    message: Message
    client_msg_id: str | None
    misplaced: str | None


@_event
class HeartbeatReceived:
    """A sign of life."""


@_event
class UndecodedReceived:
    """A message that could not be read or placed. The link is kept; a waiter of this id has failed.

    One that carries the id of an open request of ours and cannot be its answer (another kind of message, or about
    another account) is reported without that id: the request stays open, and its answer may still come.

    Attributes:
        payload_type: the number in the envelope.
        client_msg_id: the id in the envelope, or None; None, too, where that request goes on waiting.
        body: the payload as it arrived.
        reason: what is wrong with it.
    """

    payload_type: int
    client_msg_id: str | None
    body: Any = field(repr=False)  # it may hold a secret, and a repr ends up in logs
    reason: str


@_event
class AnswerDropped:
    """A response that answers no open request: nobody asked for it, or nobody waits any more. It was dropped."""

    message: Message


@_event
class AccountChanged:
    """An account's table moved.

    Attributes:
        account: its id.
        state: where it is now.
        why: where its session has ended, by what, the server's words escaped and whole: whoever cuts them must cover
            secrets first.
    """

    account: int
    state: AccountState
    why: str = field(default="", compare=False)


@_event
class LinkClosed:
    """The connection is over; nothing follows.

    Attributes:
        reason: for people.
        error: what the peer did wrong, or None where it just ended.
    """

    reason: str
    error: RemoteProtocolError | None


Event = (
    ResponseReceived
    | ErrorReceived
    | EventReceived
    | SpotsReceived
    | RequestReceived
    | HeartbeatReceived
    | UndecodedReceived
    | AnswerDropped
    | AccountChanged
    | LinkClosed
)


def error_of(message: Message, client_msg_id: str | None) -> ErrorReceived:
    """What one of the three error messages says.

    Args:
        client_msg_id: of the request that it refuses, or None where it refuses none that is open.
    """
    payload: Any = message.payload
    retry_after_s = getattr(payload, "retryAfter", 0)
    maintenance_end = getattr(payload, "maintenanceEndTimestamp", 0)
    return ErrorReceived(
        client_msg_id=client_msg_id,
        account=account_of(payload),
        code=payload.errorCode,
        description=payload.description or None,
        retry_after_s=float(retry_after_s) if retry_after_s else None,
        maintenance_end_ms=units.maintenance_end_ms(maintenance_end) if maintenance_end else None,
        message=message,
    )
