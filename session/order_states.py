"""How far an order is: the table that moves it. Nothing else does."""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FINAL_STATES", "ORDER_TABLE", "OrderInput", "OrderState"]


class OrderState(enum.Enum):
    """What the server last said of an order. A wish to amend or cancel it is a request in flight, not a state."""

    CREATED = "created"
    """It is on record; no byte of it has left."""
    SENT = "sent"
    """Its bytes leave, or have left; the server has not said anything."""
    ACCEPTED = "accepted"
    """It works, unfilled."""
    PARTIALLY_FILLED = "partially filled"
    """It works, and a part is filled."""
    FILLED = "filled"
    """Final: all of it is filled."""
    CANCELLED = "cancelled"
    """Final: taken back, or the rest of it; what was filled stays."""
    EXPIRED = "expired"
    """Final: its time ran out; what was filled stays."""
    REJECTED = "rejected"
    """Final: the server refused it; what was filled stays."""
    NOT_SENT = "not sent"
    """Final: no byte left, or the server was found never to have had it. It may be repeated."""
    UNKNOWN = "unknown"
    """It left, and sight of it was lost. Only the server's word leads out, never the passing of time."""

    @property
    def is_final(self) -> bool:
        """Whether nothing moves it any more."""
        return self in FINAL_STATES


class OrderInput(enum.Enum):
    """What moves an order, or is heard of it without moving it."""

    SENT = "its bytes are about to leave"
    NOT_SENT = "it was withdrawn before a byte left"
    LOST = "the link went, or no answer came in time"
    NEVER_ARRIVED = "the server was found not to have it, in several looks that agree"
    ACCEPTED = "accepted"
    PARTIALLY_FILLED = "a part is filled"
    FILLED = "filled"
    REPLACED = "replaced"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    CHANGE_REFUSED = "a cancel or an amend of it was refused"


FINAL_STATES = frozenset(
    {
        OrderState.FILLED,
        OrderState.CANCELLED,
        OrderState.EXPIRED,
        OrderState.REJECTED,
        OrderState.NOT_SENT,
    }
)


def _table() -> dict[tuple[OrderState, OrderInput], OrderState]:
    s, i = OrderState, OrderInput
    table = {
        (s.CREATED, i.SENT): s.SENT,
        (s.CREATED, i.NOT_SENT): s.NOT_SENT,
        (s.CREATED, i.LOST): s.CREATED,  # no byte of it was on that link
        (s.UNKNOWN, i.NEVER_ARRIVED): s.NOT_SENT,
        (s.NOT_SENT, i.LOST): s.NOT_SENT,
    }
    ends = {i.FILLED: s.FILLED, i.CANCELLED: s.CANCELLED, i.EXPIRED: s.EXPIRED, i.REJECTED: s.REJECTED}
    for state in (s.SENT, s.ACCEPTED, s.PARTIALLY_FILLED, s.UNKNOWN):
        table[state, i.LOST] = s.UNKNOWN
        table[state, i.ACCEPTED] = s.PARTIALLY_FILLED if state is s.PARTIALLY_FILLED else s.ACCEPTED
        table[state, i.PARTIALLY_FILLED] = s.PARTIALLY_FILLED
        table[state, i.REPLACED] = state
        table[state, i.CHANGE_REFUSED] = state
        for end, final in ends.items():
            table[state, end] = final
    for end, final in ends.items():
        table[final, i.LOST] = final
        table[final, end] = final  # said again
        table[final, i.PARTIALLY_FILLED] = final  # a part that was told late: counted, no more
        table[final, i.CHANGE_REFUSED] = final  # the cancel came too late
    return table


ORDER_TABLE: Mapping[tuple[OrderState, OrderInput], OrderState] = MappingProxyType(_table())
"""State and input to state. What is not in it is a fault of ours, or contradicts what the server said before."""
