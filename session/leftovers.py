"""What an earlier process left behind: orders whose intent is on record and whose end is not. Blocking."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from .changes import Close
from .errors import InvalidOrder
from .order_record import OrderRecord
from .stories import lines_of
from .terms import Side, TimeInForce, TriggerMethod
from .tickets import LimitOrder, MarketOrder, MarketRangeOrder, StopLimitOrder, StopOrder, Ticket

if TYPE_CHECKING:
    from pathlib import Path

    from .environments import Environment
    from .symbols import Symbol

__all__ = ["Leftover", "leftovers_of"]

_TICKETS: Final = MappingProxyType(
    {
        ticket.order_type.name: ticket
        for ticket in (MarketOrder, LimitOrder, StopOrder, StopLimitOrder, MarketRangeOrder)
    }
)
_ENUMS: Final = MappingProxyType({"time_in_force": TimeInForce, "stop_trigger_method": TriggerMethod})
# The record has these by itself, and in one unit.
_OWN: Final = frozenset({"symbol", "side", "lots", "units", "volume_cents"})
_ENDS: Final = frozenset({"not_sent", "finished"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """An order of an earlier process. Its bytes may have left, whether or not that is on record.

    Attributes:
        intent: the ticket, or the close, that it came from.
        environment: where it belongs.
        account_id: whose it is.
        client_order_id: our id of it.
        symbol: the name of its symbol.
        side: of the order itself.
        volume_cents: hundredths of a unit.
        intent_at_ms: when it was put on record.
        sent_at_ms: when its bytes began to leave, or None where that is not on record.
        order_id: `orderId`, where the server had named one.
        quoted_price: what the market stood at, or None.
    """

    intent: Ticket | Close
    environment: Environment
    account_id: int
    client_order_id: str
    symbol: str
    side: Side
    volume_cents: int
    intent_at_ms: int
    sent_at_ms: int | None
    order_id: int | None
    quoted_price: Decimal | None

    def record(self, symbol: Symbol) -> OrderRecord:
        """Its record, its outcome unknown: only the server's word leads out of that."""
        record = OrderRecord(
            self.intent,
            environment=self.environment,
            account_id=self.account_id,
            client_order_id=self.client_order_id,
            symbol=symbol,
            side=self.side,
            volume_cents=self.volume_cents,
            intent_at_ms=self.intent_at_ms,
            quoted_price=self.quoted_price,
        )
        record.sent(at_ms=self.intent_at_ms)
        record.lost(at_ms=self.intent_at_ms)
        record.sent_at_ms = self.sent_at_ms  # where it is not on record, no latency is told either
        record.order_id = self.order_id
        return record


def leftovers_of(folder: Path, environment: Environment) -> tuple[list[Leftover], list[str]]:
    """Reads the order audit of a folder.

    Args:
        folder: where the audit's files are; there may be none yet.
        environment: whose orders are wanted.

    Returns:
        the orders that have no end on record, oldest first, and what of them cannot be understood, for people.

    Raises:
        OSError: a file could not be read.
    """
    open_: dict[str, dict[str, Any]] = {}
    try:
        for line in lines_of(folder):
            if line.get("environment") == environment.value:
                _follow(open_, line)
    except FileNotFoundError:  # the first process of this folder
        return [], []
    found, problems = [], []
    for client_order_id, facts in open_.items():
        try:
            found.append(_leftover(client_order_id, facts, environment))
        except (InvalidOrder, KeyError, TypeError, ValueError) as error:
            problems.append(f"order {client_order_id} of an earlier process cannot be followed: {error!r}")
    return found, problems


def _follow(open_: dict[str, dict[str, Any]], line: dict[str, Any]) -> None:
    client_order_id, fact = line.get("client_order_id"), line.get("fact")
    if not isinstance(client_order_id, str):
        return
    if fact == "intent" and line.get("request") in ("place", "close"):
        open_[client_order_id] = dict(line)
    elif client_order_id in open_:
        if fact in _ENDS:
            del open_[client_order_id]
            return
        for name in ("sent_after_ms", "order_id"):
            if name in line:
                open_[client_order_id][name] = line[name]


def _leftover(client_order_id: str, facts: dict[str, Any], environment: Environment) -> Leftover:
    at_ms = int(datetime.fromisoformat(facts["at"]).timestamp() * 1000)
    volume_cents = int(facts["volume_cents"])
    intent: Ticket | Close
    if facts["request"] == "close":
        intent = Close(facts["position_id"], volume_cents=volume_cents)
    else:
        ticket = _TICKETS[facts["type"]]
        said: dict[str, Any] = {
            field.name: _said(field.name, facts[field.name])
            for field in fields(ticket)
            if field.name in facts and field.name not in _OWN
        }
        intent = ticket(symbol=facts["symbol"], side=Side[facts["side"]], volume_cents=volume_cents, **said)
    quoted = facts.get("quoted_price")
    return Leftover(
        intent=intent,
        environment=environment,
        account_id=int(facts["account_id"]),
        client_order_id=client_order_id,
        symbol=facts["symbol"],
        side=Side[facts["side"]],
        volume_cents=volume_cents,
        intent_at_ms=at_ms,
        sent_at_ms=at_ms + int(facts["sent_after_ms"]) if "sent_after_ms" in facts else None,
        order_id=facts.get("order_id"),
        quoted_price=Decimal(quoted) if quoted is not None else None,
    )


def _said(name: str, value: Any) -> Any:
    """A field of a ticket from what `described` made of it."""
    if name in _ENUMS:
        return _ENUMS[name][value]
    if name == "expires_at" and isinstance(value, str):
        return datetime.fromisoformat(value)
    return value
