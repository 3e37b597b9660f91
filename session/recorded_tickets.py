"""The ticket that the line of an intent was written from. Pure."""

from __future__ import annotations

from dataclasses import fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from .fields import RECORDED
from .terms import Side, TimeInForce, TriggerMethod
from .tickets import LimitOrder, MarketOrder, MarketRangeOrder, StopLimitOrder, StopOrder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .tickets import Ticket

__all__ = ["ticket_of"]

_TICKETS: Final = MappingProxyType(
    {
        ticket.order_type.name: ticket
        for ticket in (MarketOrder, LimitOrder, StopOrder, StopLimitOrder, MarketRangeOrder)
    }
)
_ENUMS: Final = MappingProxyType({"time_in_force": TimeInForce, "stop_trigger_method": TriggerMethod})
# The record has these by itself, and in one unit.
_OWN: Final = frozenset({"symbol", "side", "lots", "units", "volume_cents"})


def ticket_of(facts: Mapping[str, Any]) -> Ticket:
    """The ticket again.

    Args:
        facts: the members of the line.

    Raises:
        KeyError, ValueError, InvalidOrder: the line is of no ticket, or of one that cannot be.
    """
    kind = _TICKETS[facts["type"]]
    said: dict[str, Any] = {
        each.name: _said(each.name, facts[recorded])
        for each in fields(kind)
        if (recorded := RECORDED.get(each.name, each.name)) in facts and each.name not in _OWN
    }
    volume_cents = int(facts["volume_cents"])
    return kind(symbol=facts["symbol"], side=Side[facts["side"]], volume_cents=volume_cents, **said)


def _said(name: str, value: Any) -> Any:
    """A field of a ticket from what `described` made of it."""
    return _ENUMS[name][value] if name in _ENUMS else value
