"""Whether the levels that an order asked for stand on its position."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..wire import messages as oa
from .asked_levels import AskedLevels, ShownLevels
from .holdings import level_or_none
from .order_inputs import is_protective
from .shares import opened_by

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from .fills import Fill

__all__ = ["Protection"]


class Protection:
    """The levels of an order's position, as last seen.

    They come after the fill, with the hidden protective order (docs/protocol.md section 10.1). Where the order adds
    to a position, those that stood there before are not its own.

    Args:
        asked: what the order asks for.

    Attributes:
        confirmed: whether all levels that were asked for, and at least one, were seen together since it opened
            something.
    """

    def __init__(self, asked: AskedLevels) -> None:
        self.confirmed = False
        self._asked = asked
        self._shown = ShownLevels()
        self._before: ShownLevels | None = None  # as the event of its first fill showed them; None where none did
        self._opened_at_ms = 0  # the position, by the server's clock; 0 where that is not known
        self._is_first = False  # it opened the position
        self._by_hand: ShownLevels | None = None  # as somebody has amended them since

    @property
    def stop_loss(self) -> Decimal | None:
        """The price of the stop loss, or None."""
        return self._shown.stop_loss

    @property
    def take_profit(self) -> Decimal | None:
        """The price of the take profit, or None."""
        return self._shown.take_profit

    def opened(self, position: oa.ProtoOAPosition, *, others_cents: int) -> None:
        """An event tells that it opened something, or more: what its position shows there was there before.

        Args:
            position: of that event.
            others_cents: what is open of it besides, hundredths of a unit.
        """
        shown = ShownLevels.of(position)
        if self._before is None:
            self._before, self._is_first = shown, not others_cents
        elif self.confirmed and not self._asked.are_there(shown):
            # They have gone with what was open, and what is opened now has none.
            self.confirmed, self._before, self._is_first = False, shown, not others_cents

    def see(
        self,
        position_id: int | None,
        *,
        fills: Sequence[Fill],
        position: oa.ProtoOAPosition | None = None,
        order: oa.ProtoOAOrder | None = None,
        by_hand: bool = False,
    ) -> bool:
        """Take over what a message shows.

        Args:
            position_id: of the order's position; None while it is not known.
            fills: of the order; empty while it has opened nothing.
            position: any position.
            order: any order.
            by_hand: whether somebody's request has changed that, and not the server by itself.

        Returns:
            whether the levels are confirmed by this, and were not.
        """
        if position is not None and position_id == position.positionId:
            if position.tradeData.volume <= 0:
                return False  # closed, though it may show its levels still; or yet to open
            if position.tradeData.tradeSide != self._asked.side.value:
                return False  # on a netted account: those of what this order reduces, or turns around
            self._shown = ShownLevels.of(position)
            self._opened_at_ms = position.tradeData.openTimestamp
        if order is not None and position_id == order.positionId and self._protects(order):
            self._shown = replace(
                self._shown,
                stop_loss=level_or_none(order.stopPrice) or self.stop_loss,
                take_profit=level_or_none(order.limitPrice) or self.take_profit,
            )
            if by_hand and self._before is not None:
                self._by_hand = self._shown
        if self.confirmed or not fills or not self._stand(fills):
            return False
        self.confirmed = True
        return True

    def settle(self) -> bool:
        """The time for them is over: those that somebody has set by hand since its fill are what it has.

        Such a one is newer than what the order asked for, and the server may have left it alone for that. What it set
        for another order is not.

        Returns:
            whether there is such a one, or its own, for each level that it asked for.
        """
        if self._by_hand is not None and self._before is not None and self._any():
            stand = self._asked.are_there(self._shown) and self._asked.were_set(self._by_hand, before=self._before)
            self.confirmed = self.confirmed or stand
        return self.confirmed

    def described(self) -> dict[str, str]:
        """The levels, for a record."""
        levels = {"stop_loss": self.stop_loss, "take_profit": self.take_profit}
        return {name: f"{level:f}" for name, level in levels.items() if level is not None}

    def _any(self) -> bool:
        return self.stop_loss is not None or self.take_profit is not None

    def _stand(self, fills: Sequence[Fill]) -> bool:
        if not (self._any() and self._asked.are_there(self._shown)):
            return False
        first = min(fill.at_ms for fill in fills)
        if self._is_first or (self._before is None and self._opened_at_ms >= first):
            return True  # nobody else's: it opened the position
        prices = [fill.price for fill in fills if fill.price is not None and opened_by(fill)]
        return self._asked.are_met(self._shown, prices)

    def _protects(self, order: oa.ProtoOAOrder) -> bool:
        works = order.orderStatus == oa.ProtoOAOrderStatus.ORDER_STATUS_ACCEPTED
        return is_protective(order) and works and order.tradeData.tradeSide != self._asked.side.value
