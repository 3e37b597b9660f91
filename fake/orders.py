"""The states of orders: accepted, cancelled, rejected, expired, filled; each change says so in one event.

The events are those of docs/protocol.md section 10.1.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..wire import messages as oa
from .book import PENDING_KINDS, Order, Position, opposite
from .pushes import Cause
from .variants import AcceptedPosition, ServerMark, StopOutMark, TriggerEvents

if TYPE_CHECKING:
    from .accounts import Account
    from .floor import Floor

__all__ = ["Orders", "closing_order", "later"]

_Event = oa.ProtoOAExecutionType
_Kind = oa.ProtoOAOrderType
_Order = oa.ProtoOAOrderStatus
_Position = oa.ProtoOAPositionStatus
_STOPS = frozenset((_Kind.STOP, _Kind.STOP_LIMIT, _Kind.MARKET_RANGE))


def later(order: Order) -> Cause:
    """Why something happens to an order after its acceptance."""
    if order.kind == _Kind.STOP_LOSS_TAKE_PROFIT or order.stop_out:
        return Cause.SERVER
    return Cause.PENDING_FILL if order.kind in PENDING_KINDS else Cause.FOLLOW_UP


def closing_order(
    position: Position, volume: int, *, origin: object | None, now_ms: int, stop_out: bool = False
) -> Order:
    """A market order that closes `volume` of a position; not filed yet."""
    return Order(
        order_id=0,
        symbol=position.symbol,
        position=position,
        side=opposite(position.side),
        kind=_Kind.MARKET,
        volume=volume,
        time_in_force=oa.ProtoOATimeInForce.IMMEDIATE_OR_CANCEL,
        created_ms=now_ms,
        client_order_id="",
        label=position.label,
        comment=position.comment,
        origin=origin,
        closing=True,
        stop_out=stop_out,
    )


class Orders:
    """Moves orders from state to state.

    Args:
        floor: where.
    """

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def accept(self, account: Account, order: Order, cause: Cause) -> None:
        """File an order and its position, number them, and say ACCEPTED. What comes next is the caller's."""
        floor, position = self._floor, order.position
        order.order_id = floor.numbers.next_order()
        if not position.position_id:
            position.position_id = floor.numbers.next_position()
        if not order.client_order_id:
            order.client_order_id = floor.written_id()
        order.created_ms = order.updated_ms = floor.now_ms
        if order.has_levels and position.trailing is None:
            position.trailing = bool(order.trailing)
        account.file_order(order)
        hidden = (
            floor.settings.variants.accepted_position is AcceptedPosition.ABSENT
            and position.status == _Position.POSITION_STATUS_CREATED
        )
        floor.execution(
            account,
            _Event.ORDER_ACCEPTED,
            cause,
            origin=order.origin,
            by_server=self._by_server(order),
            position=None if hidden else position,
            order=order,
        )

    def say_triggered(self, account: Account, order: Order) -> None:
        """What some servers may send before the FILLED of a stop (docs/protocol.md section 19)."""
        variant = self._floor.settings.variants.trigger_events
        if variant is TriggerEvents.FILLED or order.kind not in _STOPS:
            return
        first = variant is TriggerEvents.ACCEPTED_FIRST
        self._floor.execution(
            account,
            _Event.ORDER_ACCEPTED if first else _Event.ORDER_REPLACED,
            later(order),
            origin=order.origin,
            by_server=True,
            position=order.position,
            order=order,
        )

    def fill(self, account: Account, order: Order, volume: int, price: int) -> None:
        """Count a fill of `volume` at `price` (x 100,000). Its event is `say_filled`."""
        order.executed += volume
        order.turnover += volume * price
        order.updated_ms = self._floor.now_ms
        if not order.rest:
            order.status = _Order.ORDER_STATUS_FILLED
            order.closed_ms = self._floor.now_ms
            account.orders.pop(order.order_id, None)

    def say_filled(self, account: Account, order: Order, deal: oa.ProtoOADeal) -> None:
        """Say FILLED, or PARTIAL_FILL while something is left, with the deal."""
        floor = self._floor
        floor.execution(
            account,
            _Event.ORDER_PARTIAL_FILL if order.rest else _Event.ORDER_FILLED,
            later(order),
            origin=order.origin,
            by_server=self._by_server(order, filled=True),
            position=order.position,
            order=order,
            deal=deal,
        )
        # From here on the deal is history, which shows another time of its last change (docs/protocol.md section 12).
        deal.utcLastUpdateTimestamp = deal.createTimestamp

    def cancel(self, account: Account, order: Order, cause: Cause, *, origin: object | None) -> None:
        """Cancel what is left of an order: one CANCELLED."""
        self._end(account, order, _Order.ORDER_STATUS_CANCELLED)
        self._floor.execution(
            account, _Event.ORDER_CANCELLED, cause, origin=origin, position=order.position, order=order
        )

    def reject(self, account: Account, order: Order, code: str) -> None:
        """Refuse an accepted order after all: one REJECTED with the error code (docs/protocol.md section 10.4)."""
        self._end(account, order, _Order.ORDER_STATUS_REJECTED)
        self._floor.execution(
            account,
            _Event.ORDER_REJECTED,
            later(order),
            origin=order.origin,
            by_server=self._by_server(order),
            position=order.position,
            order=order,
            error=code,
        )

    def expire_at(self, account: Account, order: Order) -> None:
        """Promise the end of an order that got a new expiry."""
        if order.expires_ms is not None:
            self._floor.timeline.at(order.expires_ms, partial(self._expire, account, order, order.expires_ms))

    def _expire(self, account: Account, order: Order, expires_ms: int) -> None:
        """End an order whose time has come: one EXPIRED."""
        if not order.is_active or order.executing or order.expires_ms != expires_ms:
            return
        self._end(account, order, _Order.ORDER_STATUS_EXPIRED)
        self._floor.execution(
            account,
            _Event.ORDER_EXPIRED,
            Cause.SERVER,
            by_server=self._floor.settings.variants.server_mark is ServerMark.EXPIRY_ONLY,
            position=order.position,
            order=order,
        )

    def wait_on(self, account: Account, order: Order) -> None:
        """Let an order wait for its price again, unless its end has come meanwhile."""
        if not order.is_active or order.executing:
            return
        if order.expires_ms is not None and order.expires_ms <= self._floor.now_ms:
            self._expire(account, order, order.expires_ms)
        else:
            self._floor.waiting(order.symbol.symbol_id).arm(order)

    def _end(self, account: Account, order: Order, status: int) -> None:
        floor, position = self._floor, order.position
        order.status = status
        order.executing = False
        order.updated_ms = floor.now_ms
        account.orders.pop(order.order_id, None)
        floor.waiting(order.symbol.symbol_id).disarm(order)
        self.unlock(order)
        if not position.volume and position.status == _Position.POSITION_STATUS_CREATED:
            position.status = _Position.POSITION_STATUS_CLOSED
            position.updated_ms = position.closed_ms = floor.now_ms

    def unlock(self, order: Order) -> None:
        """Let a position be worked on again; a level that was met in the meantime is looked at anew."""
        position = order.position
        if position.busy is not order:
            return
        position.busy = None
        if position.missed and position.volume and position.protection is not None:
            self._floor.waiting(order.symbol.symbol_id).arm(position.protection)
        position.missed = False

    def _by_server(self, order: Order, *, filled: bool = False) -> bool:
        """`isServerEvent` of what happens to an order (docs/protocol.md section 10.1)."""
        variants = self._floor.settings.variants
        if order.stop_out:
            return variants.stop_out_mark is not StopOutMark.ORDER_ONLY
        if order.kind == _Kind.STOP_LOSS_TAKE_PROFIT:
            return True
        return filled and order.kind in PENDING_KINDS and variants.server_mark is ServerMark.FILL_ONLY
