"""A trading request of which no order record is kept: a cancel, an amend, or one that a caller wrote himself. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from .provenance import Departure
from .request_facts import facts_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RequestRecord", "Target"]

Target = tuple[Literal["order", "position"], int]
"""What a request is for: an order or a position, and its id."""

# What tells one request from another on the lines that follow its intent; the rest stands on that one.
_IDS: Final = ("account_id", "client_order_id", "symbol_id", "order_id", "position_id", "volume_cents")


@dataclass(slots=True, eq=False, kw_only=True)
class RequestRecord:
    """What is known of it.

    Attributes:
        intent_id: our own id of it, on each of its lines; the server never sees it.
        name: what its lines call it: `cancel`, `amend`, or the name of its message where a caller wrote it.
        payload: what left, or was to leave.
        intent_at_ms: when it was put on record.
        said: what else is on the line of its intent.
        sent_at_ms: when its bytes began to leave, or None.
        client_msg_id: id of the request that it left in, or None.
        departure: what was known of the server's orders when its bytes left.
        ids: what each of its lines names.
    """

    intent_id: str
    name: str
    payload: Any
    intent_at_ms: int
    said: Mapping[str, Any] = field(default_factory=dict)
    sent_at_ms: int | None = None
    client_msg_id: str | None = None
    departure: Departure = field(default_factory=Departure)
    ids: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        facts = facts_of(self.payload)
        self.ids = {"request": self.name, "intent_id": self.intent_id, "message": type(self.payload).__name__}
        self.ids |= {name: facts[name] for name in _IDS if name in facts}

    def __repr__(self) -> str:
        return f"<{self.name} {self.intent_id}>"

    @property
    def facts(self) -> dict[str, Any]:
        """What the line of its intent says: all that leaves."""
        return {**self.ids, **facts_of(self.payload), **self.said}

    @property
    def target(self) -> Target | None:
        """The order or position that it is about, or None."""
        if order_id := getattr(self.payload, "orderId", 0):
            return ("order", order_id)
        if position_id := getattr(self.payload, "positionId", 0):
            return ("position", position_id)
        return None

    @property
    def has_left(self) -> bool:
        """Whether its bytes may have left."""
        return self.sent_at_ms is not None

    @property
    def whereabouts(self) -> str:
        """Of one in doubt, for people."""
        return "was never answered" if self.has_left else "may have left before an earlier process ended"

    @property
    def left_at_ms(self) -> int:
        """When its bytes left, or at the earliest could have."""
        return self.intent_at_ms if self.sent_at_ms is None else self.sent_at_ms

    def sent(self, at_ms: int, client_msg_id: str) -> None:
        """Its bytes are about to leave."""
        self.sent_at_ms, self.client_msg_id = at_ms, client_msg_id
