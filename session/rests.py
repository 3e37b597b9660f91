"""Where the server goes on with orders of ours that it cut as it filled them. Pure.

A netted account may turn a position around by two orders: ours closes it, and one of the server's own opens the
opposite position with the rest (docs/protocol.md section 19). No id of ours leads to that one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ..wire import messages as oa
    from .order_record import OrderRecord

__all__ = ["Rests"]

_SOON_MS: Final = 5_000  # the second order fills with the first: one that names nobody is not looked for any longer


@dataclass(slots=True)
class _Rest:
    record: OrderRecord
    left_cents: int
    cut_at_ms: int  # by the server's clock
    order_id: int | None = None


class Rests:
    """Of one account. Each ends with its order."""

    def __init__(self) -> None:
        self._of: dict[str, _Rest] = {}

    def add(self, record: OrderRecord, left_cents: int) -> None:
        """The server has filled an order and left so much of it, hundredths of a unit, for another one."""
        if left_cents > 0 and not record.is_close and record.fills:
            record.is_astray = True
            self._of[record.client_order_id] = _Rest(record, left_cents, max(fill.at_ms for fill in record.fills))

    def forget(self, record: OrderRecord) -> None:
        """Nothing of it is looked for any more."""
        self._of.pop(record.client_order_id, None)

    def shown(self, order: oa.ProtoOAOrder, *, position_id: int, client_msg_id: str | None) -> OrderRecord | None:
        """The record that an order of the server's goes on with, or None: it has its position from here on.

        Args:
            order: that is of no record itself.
            position_id: of the position that its event shows.
            client_msg_id: of that event: it is that of the request as a rule (docs/protocol.md section 2).
        """
        trade = order.tradeData
        for rest in self._of.values():
            record = rest.record
            if rest.order_id is None and not order.closingOrder and trade.volume == rest.left_cents:
                named = trade.label == _label(record) or (client_msg_id and client_msg_id == record.client_msg_id)
                if named and _fits(record, trade):
                    rest.order_id = order.orderId
            if rest.order_id == order.orderId:
                record.goes_on_in(order.positionId or position_id)
                return record
        return None

    def listed(self, position: oa.ProtoOAPosition) -> OrderRecord | None:
        """The record that a position of the server's list holds the rest of, if no event told of that, or None.

        Args:
            position: one that no record is known to have to do with.
        """
        trade = position.tradeData
        for rest in self._of.values():
            record, after_ms = rest.record, trade.openTimestamp - rest.cut_at_ms
            if rest.order_id is not None or not record.is_astray or after_ms < 0 or not _fits(record, trade):
                continue
            nameless = not trade.label and after_ms <= _SOON_MS and trade.volume == rest.left_cents
            if nameless or trade.label == _label(record):
                record.goes_on_in(position.positionId)
                return record
        return None


def _label(record: OrderRecord) -> str:
    label = getattr(record.intent, "label", None)
    return record.client_order_id if label is None else label


def _fits(record: OrderRecord, trade: oa.ProtoOATradeData) -> bool:
    return trade.symbolId == record.symbol.id and trade.tradeSide == record.side.value
