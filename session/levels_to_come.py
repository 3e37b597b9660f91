"""Which positions are yet to get the stop loss or take profit that an order asked for. Pure.

The server sets them by a hidden order of its own, after the fill (docs/protocol.md section 10.1). Until then the
position has none, and an amendment that leaves one out would take it away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..wire import messages as oa

if TYPE_CHECKING:
    from collections.abc import Callable

    from .holdings import PendingOrder, Position

__all__ = ["LevelsToCome", "ToCome"]

_FILLS: Final = frozenset({oa.ProtoOAExecutionType.ORDER_FILLED, oa.ProtoOAExecutionType.ORDER_PARTIAL_FILL})


@dataclass(frozen=True, slots=True)
class ToCome:
    """What an order of anybody's asked for, and its position does not show yet.

    Attributes:
        order_id: `orderId` of it.
        stop_loss: whether it asked for one.
        take_profit: likewise.
        filled_at_ms: when its fill was told, UTC milliseconds of our clock; 0 where nobody looked at that.
        ended: called once this is not to come any more.
    """

    order_id: int
    stop_loss: bool
    take_profit: bool
    filled_at_ms: int
    ended: list[Callable[[], None]] = field(default_factory=list, compare=False)


class LevelsToCome:
    """Of one account. Ours or not, by tickets, raw or by another client: what events show of an order is what counts.

    An entry ends with the first word of the server's on the position's levels, or with the position.
    """

    def __init__(self) -> None:
        self._of: dict[int, ToCome] = {}

    def of(self, position_id: int) -> ToCome | None:
        """What is still to come for a position, or None."""
        return self._of.get(position_id)

    def heard(self, event: oa.ProtoOAExecutionEvent, known: PendingOrder | None, *, at_ms: int) -> None:
        """An event, ahead of what the books make of it.

        Args:
            event: it.
            known: its order as the books have it: it may have said more than at its fill.
            at_ms: UTC milliseconds of our clock.
        """
        order = event.order
        position_id = order.positionId or event.position.positionId
        if order.orderType == oa.ProtoOAOrderType.STOP_LOSS_TAKE_PROFIT:
            self._end(position_id)
            return
        if event.executionType not in _FILLS or order.closingOrder:
            return
        if event.deal.closePositionDetail.closedVolume >= event.deal.filledVolume > 0:
            return  # it only reduced: there is nothing to protect
        stop_loss = bool(order.stopLoss or order.relativeStopLoss)
        take_profit = bool(order.takeProfit or order.relativeTakeProfit)
        if known is not None:
            stop_loss = stop_loss or bool(known.stop_loss or known.relative_stop_loss)
            take_profit = take_profit or bool(known.take_profit or known.relative_take_profit)
        if position_id and (stop_loss or take_profit):
            self._end(position_id)
            self._of[position_id] = ToCome(order.orderId, stop_loss, take_profit, at_ms)

    def shown(self, position: Position | None, position_id: int) -> None:
        """The books have the server's word on a position: None where it is closed."""
        to_come = self._of.get(position_id)
        if to_come is None:
            return
        missing = position is not None and (
            (to_come.stop_loss and position.stop_loss is None) or (to_come.take_profit and position.take_profit is None)
        )
        if not missing:
            self._end(position_id)

    @property
    def positions(self) -> tuple[int, ...]:
        """The ids of the positions that wait for some."""
        return tuple(self._of)

    def _end(self, position_id: int) -> None:
        to_come = self._of.pop(position_id, None)
        for call in to_come.ended if to_come is not None else ():
            call()
