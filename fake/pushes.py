"""What the exchange hands out: messages with where they go, and quotes."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.protobuf.message import Message

__all__ = ["Cause", "Push", "Quote", "Scope"]


class Scope(enum.Enum):
    """Who gets a message."""

    REQUESTER = "requester"
    """The connection that asked, alone."""
    ACCOUNT = "account"
    """Each connection that has authorised the account, whoever acted (docs/protocol.md section 0, rule 2)."""


class Cause(enum.Enum):
    """Why a message was sent, which decides whether it carries a client message id (docs/protocol.md section 2)."""

    ANSWER = "answer"
    """The first frame that answers a request."""
    FOLLOW_UP = "follow_up"
    """A later event of the same request: FILLED after ACCEPTED, the protective order's ACCEPTED."""
    PENDING_FILL = "pending_fill"
    """What comes of a pending order later."""
    SERVER = "server"
    """Triggers, expiries, stop-outs, swaps, deposits: nobody's request."""


@dataclass(frozen=True, slots=True)
class Push:
    """A message on its way to the connections.

    Attributes:
        message: a response, an error or an event of the schema.
        account_id: the account that it belongs to.
        scope: who gets it.
        origin: what the one who asked gave to `Exchange.handle`; None where nobody asked.
        cause: why it is sent.
    """

    message: Message
    account_id: int
    scope: Scope
    origin: object | None
    cause: Cause

    @property
    def first(self) -> bool:
        """Whether this is the frame that answers the request."""
        return self.cause is Cause.ANSWER


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of a symbol after a tick; both sides are always there.

    Attributes:
        symbol_id: `ProtoOALightSymbol.symbolId`.
        bid: price x 100,000.
        ask: price x 100,000.
        at_ms: when, in ms since the epoch.
        bid_changed: whether the tick moved the bid.
        ask_changed: whether the tick moved the ask.
    """

    symbol_id: int
    bid: int
    ask: int
    at_ms: int
    bid_changed: bool
    ask_changed: bool
