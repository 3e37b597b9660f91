"""Which positions are yet to get the stop loss or take profit that an order asked for. Pure.

The server sets them by a hidden order of its own, after the fill (docs/protocol.md section 10.1). Until then the
position has none, or those of an order before it, and an amendment that leaves one out would take it away: or have the
earlier one stay for good.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..wire import messages as oa
from .asked_levels import AskedLevels, ShownLevels
from .holdings import price_or_none

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from .holdings import PendingOrder, Position

__all__ = ["LevelsToCome", "ToCome"]

_FILLS: Final = frozenset({oa.ProtoOAExecutionType.ORDER_FILLED, oa.ProtoOAExecutionType.ORDER_PARTIAL_FILL})


@dataclass(frozen=True, slots=True)
class ToCome:
    """What an order of anybody's asked for, and its position does not show yet.

    Attributes:
        order_id: `orderId` of it.
        asked: what it asked for.
        is_first: whether it opened the position, so that any level there is its own.
        prices: of its fills since the position waits.
        filled_at_ms: when its fill was told, UTC milliseconds of our clock; 0 where nobody looked at that.
        ended: called once this is not to come any more.
    """

    order_id: int
    asked: AskedLevels
    is_first: bool
    prices: frozenset[Decimal]
    filled_at_ms: int
    ended: list[Callable[[], None]] = field(default_factory=list, compare=False)

    @property
    def stop_loss(self) -> bool:
        """Whether it asked for one."""
        return self.asked.stop_loss is not None

    @property
    def take_profit(self) -> bool:
        """Whether it asked for one."""
        return self.asked.take_profit is not None

    def has_come(self, shown: ShownLevels) -> bool:
        """Whether a position that shows these has it."""
        return self.asked.are_there(shown) if self.is_first else self.asked.have_come(shown, self.prices)


class LevelsToCome:
    """Of one account. Ours or not, by tickets, raw or by another client: what events show of an order is what counts.

    An entry ends with the position, and once that shows what was asked for; where the order opened the position, with
    the first word of the server's on its levels.
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
            waiting = self._of.get(position_id)
            if waiting is not None and waiting.is_first:
                self._end(position_id)
            return
        if event.executionType not in _FILLS or order.closingOrder:
            return
        if event.deal.closePositionDetail.closedVolume >= event.deal.filledVolume > 0:
            return  # it only reduced: there is nothing to protect
        try:
            asked = AskedLevels.of_order(order, known)
        except ValueError:
            return  # of a side that we do not know: so is its position, and nothing of that is amended
        if not position_id or (asked.stop_loss is None and asked.take_profit is None):
            return
        price = price_or_none(event.deal.executionPrice)
        prices = frozenset() if not price else frozenset({price})
        is_first = event.position.tradeData.volume <= event.deal.filledVolume
        waiting = self._of.get(position_id)
        if waiting is not None and waiting.order_id == order.orderId:  # another part of the same
            prices |= waiting.prices
            is_first = is_first or waiting.is_first
        self._end(position_id)
        self._of[position_id] = ToCome(order.orderId, asked, is_first, prices, at_ms)

    def shown(self, position: Position | None, position_id: int) -> None:
        """The books have the server's word on a position: None where it is closed."""
        to_come = self._of.get(position_id)
        if to_come is None:
            return
        if position is None or to_come.has_come(ShownLevels.of(position)):
            self._end(position_id)

    @property
    def positions(self) -> tuple[int, ...]:
        """The ids of the positions that wait for some."""
        return tuple(self._of)

    def _end(self, position_id: int) -> None:
        to_come = self._of.pop(position_id, None)
        for call in to_come.ended if to_come is not None else ():
            call()
