"""Fills: what they do to positions, and the events that tell of them (docs/protocol.md section 10.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import messages as oa
from .book import Levels, Order, Position
from .orders import later
from .pushes import Cause
from .settlement import settle_closing, settle_opening
from .variants import CloseStatus, Notices, Reversal

if TYPE_CHECKING:
    from .accounts import Account
    from .floor import Floor
    from .orders import Orders
    from .protection import Protection

__all__ = ["Fills"]

_Kind = oa.ProtoOAOrderType
_Position = oa.ProtoOAPositionStatus


class Fills:
    """Fills orders at given prices.

    Args:
        floor: where.
        orders: their states.
        protection: what follows fills.
    """

    def __init__(self, floor: Floor, orders: Orders, protection: Protection) -> None:
        self._floor = floor
        self._orders = orders
        self._protection = protection

    def fill(self, account: Account, order: Order, volume: int, price: int) -> None:
        """Fill `volume` at `price` (x 100,000): one event with one deal, two when a netted account turns around."""
        if account.is_netted and not order.closing:
            current = account.netted(order.symbol.symbol_id)
            if current is not None:
                order.position = current
            elif order.position.is_gone:
                order.position = self._new_position(account, order)
        position = order.position
        if not position.volume or order.side == position.side:
            self._open(account, order, volume, price)
            return
        closed = min(volume, position.volume)
        if closed == volume:
            self._close(account, order, volume, price)
        else:
            self._reverse(account, order, closed, volume, price)

    def _open(self, account: Account, order: Order, volume: int, price: int) -> None:
        deal = settle_opening(self._floor, account, order, volume, price)
        self._orders.fill(account, order, volume, price)
        self._say(account, order, deal)
        self._protection.after_fill(account, order, later(order))

    def _close(self, account: Account, order: Order, volume: int, price: int) -> None:
        floor, position = self._floor, order.position
        variants = floor.settings.variants
        own = order.kind == _Kind.STOP_LOSS_TAKE_PROFIT
        if order.closing and not own:
            order.listed = position.levels
        deal = settle_closing(floor, account, order, volume, price)
        self._orders.unlock(order)
        self._orders.fill(account, order, volume, price)
        if not position.volume:
            guarded = position.protection is not None and not own
            variant = variants.protected_close if guarded else variants.unprotected_close
            if own:
                position.protection = None
                position.levels = Levels()
                variant = CloseStatus.CLOSED
            elif position.protection is not None:
                floor.waiting(order.symbol.symbol_id).disarm(position.protection)
            if variant is CloseStatus.CLOSED:
                position.status = _Position.POSITION_STATUS_CLOSED
                position.closed_ms = floor.now_ms
            else:
                position.status = _Position.POSITION_STATUS_CREATED
        self._say(account, order, deal)
        if not own:
            self._protection.after_fill(account, order, later(order))

    def _reverse(self, account: Account, order: Order, closed: int, volume: int, price: int) -> None:
        """Close a netted position and open the opposite one."""
        floor, old = self._floor, order.position
        new = self._new_position(account, order)
        if floor.settings.variants.reversal is Reversal.SAME_ORDER:
            self._close(account, order, closed, price)
            order.position = new
            self._open(account, order, volume - closed, price)
            return
        second = Order(
            order_id=0,
            symbol=order.symbol,
            position=new,
            side=order.side,
            kind=_Kind.MARKET,
            volume=order.volume - closed,
            time_in_force=oa.ProtoOATimeInForce.IMMEDIATE_OR_CANCEL,
            created_ms=floor.now_ms,
            client_order_id="",
            label=order.label,
            comment=order.comment,
            origin=order.origin,
            levels=order.levels,
            relative=order.relative,
            trailing=order.trailing,
        )
        order.volume = closed
        order.position = old
        self._close(account, order, closed, price)
        self._orders.accept(account, second, later(order))
        self._open(account, second, volume - closed, price)
        if second.is_active:
            self._orders.cancel(account, second, later(order), origin=order.origin)

    def _new_position(self, account: Account, order: Order) -> Position:
        position = Position(
            self._floor.numbers.next_position(),
            account.account_id,
            order.symbol,
            order.side,
            order.label,
            order.comment,
            account.settings.money_digits,
        )
        if order.has_levels:
            position.trailing = bool(order.trailing)
        return position

    def _say(self, account: Account, order: Order, deal: oa.ProtoOADeal) -> None:
        self._orders.say_filled(account, order, deal)
        if self._floor.settings.variants.notices is Notices.SENT:
            self._notices(account, order.position)

    def _notices(self, account: Account, position: Position) -> None:
        floor = self._floor
        changed = oa.ProtoOAMarginChangedEvent(
            ctidTraderAccountId=account.account_id,
            positionId=position.position_id,
            usedMargin=position.used_margin,
            moneyDigits=account.settings.money_digits,
        )
        floor.push(account, changed, Cause.SERVER)
        updated = oa.ProtoOATraderUpdatedEvent(ctidTraderAccountId=account.account_id)
        updated.trader.CopyFrom(account.message(floor.settings))
        floor.push(account, updated, Cause.SERVER)
