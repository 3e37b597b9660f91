"""Whether the levels that an order asked for stand on its position."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import messages as oa
from .holdings import level_or_none
from .order_inputs import is_protective

if TYPE_CHECKING:
    from decimal import Decimal

    from .terms import Side

__all__ = ["Protection"]


class Protection:
    """The levels of an order's position, as last seen.

    They come after the fill, with the hidden protective order (docs/protocol.md section 10.1).

    Args:
        side: of the order.
        asks_stop_loss: whether it asks for a stop loss.
        asks_take_profit: whether it asks for a take profit.

    Attributes:
        stop_loss: the price of the stop loss, or None.
        take_profit: the price of the take profit, or None.
        confirmed: whether all levels that were asked for, and at least one, were once seen together.
    """

    def __init__(self, side: Side, *, asks_stop_loss: bool, asks_take_profit: bool) -> None:
        self.stop_loss: Decimal | None = None
        self.take_profit: Decimal | None = None
        self.confirmed = False
        self._side = side
        self._asks_stop_loss = asks_stop_loss
        self._asks_take_profit = asks_take_profit

    def see(
        self,
        position_id: int | None,
        *,
        position: oa.ProtoOAPosition | None = None,
        order: oa.ProtoOAOrder | None = None,
    ) -> bool:
        """Take over what a message shows.

        Args:
            position_id: of the order's position; None while it is not known.
            position: any position.
            order: any order.

        Returns:
            whether the levels are confirmed by this, for the first time.
        """
        seen = False
        if position is not None and position_id == position.positionId:
            if position.tradeData.volume <= 0:
                return False  # closed, though it may show its levels still; or yet to open
            if position.tradeData.tradeSide != self._side.value:
                return False  # on a netted account: those of what this order reduces, or turns around
            self.stop_loss = level_or_none(position.stopLoss)
            self.take_profit = level_or_none(position.takeProfit)
            seen = True
        if order is not None and position_id == order.positionId and self._protects(order):
            self.stop_loss = level_or_none(order.stopPrice) or self.stop_loss
            self.take_profit = level_or_none(order.limitPrice) or self.take_profit
            seen = True
        if not seen or self.confirmed or not self._complete():
            return False
        self.confirmed = True
        return True

    def described(self) -> dict[str, str]:
        """The levels, for a record."""
        levels = {"stop_loss": self.stop_loss, "take_profit": self.take_profit}
        return {name: f"{level:f}" for name, level in levels.items() if level is not None}

    def _complete(self) -> bool:
        if (self._asks_stop_loss and self.stop_loss is None) or (self._asks_take_profit and self.take_profit is None):
            return False
        return self.stop_loss is not None or self.take_profit is not None

    def _protects(self, order: oa.ProtoOAOrder) -> bool:
        works = order.orderStatus == oa.ProtoOAOrderStatus.ORDER_STATUS_ACCEPTED
        return is_protective(order) and works and order.tradeData.tradeSide != self._side.value
