"""Protective orders: the hidden order of type STOP_LOSS_TAKE_PROFIT behind a position's levels.

It comes to be after the fill, has an id of its own that stays through amends and partial closes, and is cleaned up when
its position is closed (docs/protocol.md sections 10.1 to 10.3).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..wire import messages as oa
from .book import Levels, Order, Position, opposite
from .pushes import Cause

if TYPE_CHECKING:
    from .accounts import Account
    from .floor import Floor

__all__ = ["Protection"]

_Event = oa.ProtoOAExecutionType
_Order = oa.ProtoOAOrderStatus
_Position = oa.ProtoOAPositionStatus
_SCALE = 100_000


class Protection:
    """Places, changes, moves and removes protective orders.

    Args:
        floor: where.
    """

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._trailing: dict[int, dict[int, Position]] = {}

    def after_fill(self, account: Account, order: Order, cause: Cause) -> None:
        """Promise what follows a fill: the protective order comes, grows, shrinks or goes a little later."""
        position = order.position
        wanted: Levels | None = None
        if position.volume and order.side == position.side and order.has_levels:
            wanted = _wanted(order)
        if wanted is None and position.protection is None:
            return
        floor = self._floor
        due_ms = floor.now_ms + floor.settings.delays.follow_up_ms
        floor.timeline.at(due_ms, partial(self._follow_up, account, order, wanted, cause, floor.now_ms))

    def _follow_up(self, account: Account, order: Order, wanted: Levels | None, cause: Cause, filled_ms: int) -> None:
        position, origin = order.position, order.origin
        protection = position.protection
        if not position.volume:
            if protection is not None:
                self.cancel(account, position, cause, origin=origin, by_server=True)
            return
        if wanted is None or (protection is not None and protection.updated_ms > filled_ms):
            # Levels that the trader has set since the fill are newer than those of the order.
            wanted = position.levels
        elif order.trailing is not None:
            position.trailing = order.trailing
            position.guaranteed = order.guaranteed
        if protection is None:
            if wanted:
                self.place(account, position, wanted, cause, origin=origin, by_server=True)
        elif wanted != position.levels or protection.volume != position.volume:
            self.replace(account, position, wanted, cause, origin=origin, by_server=True)

    def place(
        self,
        account: Account,
        position: Position,
        levels: Levels,
        cause: Cause,
        *,
        origin: object | None,
        by_server: bool,
    ) -> None:
        """Give a bare position its protective order: one ACCEPTED of that order."""
        floor = self._floor
        order = Order(
            order_id=floor.numbers.next_order(),
            symbol=position.symbol,
            position=position,
            side=opposite(position.side),
            kind=oa.ProtoOAOrderType.STOP_LOSS_TAKE_PROFIT,
            volume=position.volume,
            time_in_force=oa.ProtoOATimeInForce.GOOD_TILL_CANCEL,
            created_ms=floor.now_ms,
            client_order_id=floor.written_id(),
            label=position.label,
            comment=position.comment,
            closing=True,
            trigger_method=position.trigger_method,
        )
        account.file_order(order)
        position.protection = order
        self._set(position, order, levels)
        floor.execution(
            account,
            _Event.ORDER_ACCEPTED,
            cause,
            origin=origin,
            by_server=by_server,
            position=position,
            order=order,
        )

    def replace(
        self,
        account: Account,
        position: Position,
        levels: Levels,
        cause: Cause,
        *,
        origin: object | None,
        by_server: bool,
    ) -> None:
        """Give a protective order new levels, and the volume that its position has: one REPLACED."""
        order = position.protection
        if order is None:
            raise AssertionError("only a protected position has an order to replace")
        order.volume = position.volume
        self._set(position, order, levels)
        self._floor.execution(
            account,
            _Event.ORDER_REPLACED,
            cause,
            origin=origin,
            by_server=by_server,
            position=position,
            order=order,
        )

    def _set(self, position: Position, order: Order, levels: Levels) -> None:
        floor = self._floor
        symbol_id = position.symbol.symbol_id
        position.levels = levels
        position.trailing = bool(position.trailing)
        position.updated_ms = order.updated_ms = floor.now_ms
        order.stop, order.limit = levels.stop_loss, levels.take_profit
        order.trigger_method = position.trigger_method
        order.trailing, order.guaranteed = position.trailing, position.guaranteed
        floor.waiting(symbol_id).arm(order)
        if position.trailing and levels.stop_loss is not None:
            price = floor.market.prices[symbol_id]
            position.trail = abs((price.bid if position.is_buy else price.ask) - levels.stop_loss)
            self._trailing.setdefault(symbol_id, {})[position.position_id] = position
        else:
            self._trailing.get(symbol_id, {}).pop(position.position_id, None)

    def drop(self, account: Account, position: Position) -> Order | None:
        """Take a position's protective order away without a word; the position keeps showing its levels.

        Returns:
            The order, cancelled, or None where there was none.
        """
        order = position.protection
        if order is None:
            return None
        position.protection = None
        symbol_id = position.symbol.symbol_id
        self._floor.waiting(symbol_id).disarm(order)
        self._trailing.get(symbol_id, {}).pop(position.position_id, None)
        order.status = _Order.ORDER_STATUS_CANCELLED
        order.updated_ms = self._floor.now_ms
        account.orders.pop(order.order_id, None)
        return order

    def cancel(
        self, account: Account, position: Position, cause: Cause, *, origin: object | None, by_server: bool
    ) -> None:
        """Remove a protective order: one CANCELLED. A position without volume is CLOSED with it."""
        order = self.drop(account, position)
        if order is None:
            return
        position.levels = Levels()
        position.updated_ms = self._floor.now_ms
        if not position.volume:
            position.status = _Position.POSITION_STATUS_CLOSED
            position.closed_ms = self._floor.now_ms
        self._floor.execution(
            account,
            _Event.ORDER_CANCELLED,
            cause,
            origin=origin,
            by_server=by_server,
            position=position,
            order=order,
        )

    def trail(self, symbol_id: int) -> None:
        """Move the trailing stops of a symbol after a tick; each move is a `ProtoOATrailingSLChangedEvent` alone."""
        positions = self._trailing.get(symbol_id)
        if not positions:
            return
        floor = self._floor
        price = floor.market.prices[symbol_id]
        for position in list(positions.values()):
            order = position.protection
            if order is None or order.stop is None or order.executing or position.busy is not None:
                continue
            stop = price.bid - position.trail if position.is_buy else price.ask + position.trail
            if stop <= order.stop if position.is_buy else stop >= order.stop:
                continue
            order.stop = stop
            order.updated_ms = floor.now_ms
            position.levels = Levels(stop, position.levels.take_profit)
            floor.waiting(symbol_id).arm(order)
            moved = oa.ProtoOATrailingSLChangedEvent(
                ctidTraderAccountId=position.account_id,
                positionId=position.position_id,
                orderId=order.order_id,
                stopPrice=stop / _SCALE,
                utcLastUpdateTimestamp=floor.now_ms,
            )
            floor.push(floor.accounts[position.account_id], moved, Cause.SERVER)


def _wanted(order: Order) -> Levels:
    """The levels of an order's position: absolute ones, else relative ones from the price of the fill."""
    price = round(order.turnover / order.executed / order.symbol.point) * order.symbol.point
    sign = 1 if order.is_buy else -1
    stop, profit = order.levels.stop_loss, order.levels.take_profit
    if stop is None and order.relative.stop_loss is not None:
        stop = price - sign * order.relative.stop_loss
    if profit is None and order.relative.take_profit is not None:
        profit = price + sign * order.relative.take_profit
    return Levels(stop, profit)
