"""The pending orders of the time before, as the record has them: a snapshot, and the events since. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .positions import Difference

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .holdings import PendingOrder

__all__ = ["TOLD_BY_EVENTS", "PastOrders"]

TOLD_BY_EVENTS: Final = (
    "volume_cents",
    "executed_volume_cents",
    "limit_price",
    "stop_price",
    "stop_loss",
    "take_profit",
    "relative_stop_loss",
    "relative_take_profit",
    "expires_at_ms",
)
"""What the line of an execution event says of a pending order, under the names of `PendingOrder`."""

_TOLD_BY_SNAPSHOTS: Final = (
    "symbol_id",
    "side",
    *TOLD_BY_EVENTS,
    "slippage_points",
    "trailing_stop",
    "guaranteed_stop_loss",
    "stop_trigger_method",
    "time_in_force",
)
_WAITING: Final = frozenset({"LIMIT", "STOP", "STOP_LIMIT"})
_AT_WORK: Final = frozenset({"ORDER_ACCEPTED", "ORDER_REPLACED", "ORDER_PARTIAL_FILL"})
_ENDS: Final = frozenset({"ORDER_FILLED", "ORDER_CANCELLED", "ORDER_EXPIRED", "ORDER_REJECTED"})


class PastOrders:
    """Of one account.

    Args:
        listed: the lines of the last snapshot.
    """

    def __init__(self, listed: Iterable[Mapping[str, Any]]) -> None:
        self._orders = {line["order_id"]: dict(line) for line in listed}

    def move(self, line: Mapping[str, Any]) -> None:
        """What a line of an execution event since then did."""
        order_id, execution = line.get("order_id"), line.get("execution")
        if not isinstance(order_id, int):
            return
        if execution in _ENDS:
            self._orders.pop(order_id, None)
        elif execution in _AT_WORK and line.get("order_type") in _WAITING:
            told = {name: line[name] for name in TOLD_BY_EVENTS if name in line}
            known = self._orders.get(order_id, {})
            self._orders[order_id] = {name: known[name] for name in known if name not in TOLD_BY_EVENTS} | told

    def differences(self, actual: Iterable[PendingOrder]) -> list[Difference]:
        """What works now, by the server's word, against what worked when the record ended.

        Args:
            actual: all that works, protective and closing orders included.
        """
        believed, found = dict(self._orders), list[Difference]()
        for order in actual:
            theirs, ours = order.described(), believed.pop(order.id, None)
            if ours is not None:
                compared = _TOLD_BY_SNAPSHOTS if "side" in ours else TOLD_BY_EVENTS
                found += [
                    Difference("order", order.id, name, _text(ours.get(name)), _text(theirs.get(name)))
                    for name in compared
                    if ours.get(name) != theirs.get(name)
                ]
            elif order.is_opening and order.is_waiting:
                found.append(Difference("order", order.id, "existence", None, _shown(theirs)))
        return found + [
            Difference("order", id_, "existence", _shown(ours), None) for id_, ours in sorted(believed.items())
        ]


def _shown(order: Mapping[str, Any]) -> str:
    words = [str(order[name]) for name in ("side", "volume_cents") if name in order]
    if "symbol_id" in order:
        words.append(f"of symbol {order['symbol_id']}")
    price = order.get("limit_price") or order.get("stop_price")
    return " ".join(words) + (f" at {price}" if price else "")


def _text(value: object) -> str | None:
    return None if value is None else str(value)
