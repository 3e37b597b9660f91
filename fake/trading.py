"""The trading requests: new, amend, cancel, close (docs/protocol.md sections 10 and 10.3)."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from ..wire import messages as oa
from .admission import (
    admitted,
    checked_distances,
    checked_expiry,
    checked_levels,
    checked_price,
    checked_prices,
    checked_relative,
    checked_volume,
)
from .book import PENDING_KINDS, Levels, Order, Position
from .denials import Denial, denied_order, invalid
from .orders import closing_order
from .pushes import Cause
from .variants import BadLevels, BothRemoved, Carrier, OmittedFields, OutOfRange, SameValues, TooLate, VolumeMeaning

if TYPE_CHECKING:
    from .accounts import Account
    from .execution import Execution
    from .floor import Floor
    from .orders import Orders
    from .protection import Protection

__all__ = ["Trading"]

_Event = oa.ProtoOAExecutionType
_Kind = oa.ProtoOAOrderType
_Force = oa.ProtoOATimeInForce
_TEXTS = MappingProxyType(
    {
        "MARKET_CLOSED": "Market is closed",
        "SYMBOL_HAS_HOLIDAY": "Symbol has a holiday",
        "NO_QUOTES": "No quotes for symbol",
        "NOT_ENOUGH_MONEY": "Not enough funds to open position",
        "POSITION_NOT_FOUND": "Position not found",
    }
)


class Trading:
    """Does what a trader asks, or raises a `Denial` and changes nothing.

    Args:
        floor: where.
        orders: their states.
        execution: brings them to their fills.
        protection: of levels.
    """

    def __init__(self, floor: Floor, orders: Orders, execution: Execution, protection: Protection) -> None:
        self._floor = floor
        self._orders = orders
        self._execution = execution
        self._protection = protection

    def new_order(self, account: Account, req: oa.ProtoOANewOrderReq, origin: object) -> None:
        """Place an order: ACCEPTED at once, the rest later.

        Raises:
            Denial: nothing was placed.
        """
        order = admitted(self._floor, account, req, origin=origin)
        waits = order.kind in PENDING_KINDS or order.time_in_force == _Force.MARKET_ON_OPEN
        problem = None if waits else self._execution.obstacle(account, order)
        if problem is not None and self._carrier(problem) is Carrier.ORDER_ERROR:
            raise denied_order(problem, _TEXTS[problem])
        if order.kind == _Kind.MARKET_RANGE and problem is None:
            self._refuse_out_of_range(order)
        self._orders.accept(account, order, Cause.ANSWER)
        if problem is None:
            self._execution.start(account, order)
            return
        order.executing = True
        due_ms = self._floor.now_ms + self._floor.settings.delays.fill_ms
        self._floor.timeline.at(due_ms, partial(self._orders.reject, account, order, problem))

    def _carrier(self, problem: str) -> Carrier:
        variants = self._floor.settings.variants
        return {
            "MARKET_CLOSED": variants.market_closed,
            "SYMBOL_HAS_HOLIDAY": variants.market_closed,
            "NO_QUOTES": variants.no_quotes,
            "NOT_ENOUGH_MONEY": variants.not_enough_money,
        }.get(problem, Carrier.ORDER_ERROR)

    def _refuse_out_of_range(self, order: Order) -> None:
        if self._floor.settings.variants.out_of_range is not OutOfRange.REFUSED or order.worst is None:
            return
        price = self._floor.market.prices[order.symbol.symbol_id]
        if price.ask > order.worst if order.is_buy else price.bid < order.worst:
            raise denied_order("TRADING_BAD_PRICES", "Price is out of the requested range")

    # -- pending orders --------------------------------------------------------------------------------------------

    def _order(self, account: Account, order_id: int) -> Order:
        order = account.orders.get(order_id)
        if order is None:
            raise denied_order("ORDER_NOT_FOUND", f"Order not found with id {order_id}", order_id=order_id)
        return order

    def cancel_order(self, account: Account, req: oa.ProtoOACancelOrderReq, origin: object) -> None:
        """Cancel a pending order, or the protective order of a position.

        Raises:
            Denial: there is no such order, or it is too late.
        """
        order = self._order(account, req.orderId)
        if order.executing or order.position.busy is not None:
            if self._floor.settings.variants.cancel_too_late is TooLate.ORDER_ERROR:
                raise denied_order(
                    "UNABLE_TO_CANCEL_ORDER", f"Order {order.order_id} is being executed", order_id=order.order_id
                )
            self._floor.execution(
                account,
                _Event.ORDER_CANCEL_REJECTED,
                Cause.ANSWER,
                origin=origin,
                position=order.position,
                order=order,
                error="UNABLE_TO_CANCEL_ORDER",
            )
        elif order.kind == _Kind.STOP_LOSS_TAKE_PROFIT:
            if order.position.guaranteed and order.stop is not None:
                raise _worse(order.position)
            self._protection.cancel(account, order.position, Cause.ANSWER, origin=origin, by_server=False)
        else:
            self._orders.cancel(account, order, Cause.ANSWER, origin=origin)

    def amend_order(self, account: Account, req: oa.ProtoOAAmendOrderReq, origin: object) -> None:
        """Give a pending order new values: one REPLACED. What the request leaves out is dropped from the order.

        Raises:
            Denial: nothing was changed.
        """
        order = self._order(account, req.orderId)
        order_id, symbol = order.order_id, order.symbol
        if order.kind not in PENDING_KINDS:
            raise denied_order("UNABLE_TO_AMEND_ORDER", f"Order {order_id} cannot be amended", order_id=order_id)
        if order.executing:
            raise denied_order("UNABLE_TO_AMEND_ORDER", f"Order {order_id} is being executed", order_id=order_id)
        volume = self._amended_volume(order, req)
        limit, stop = order.limit, order.stop
        if req.HasField("limitPrice") and order.kind == _Kind.LIMIT:
            limit = checked_price(req.limitPrice, symbol, "Order price")
        if req.HasField("stopPrice") and order.kind != _Kind.LIMIT:
            stop = checked_price(req.stopPrice, symbol, "Order price")
        levels, relative = self._amended_levels(order, req)
        checked_prices(self._floor, order, limit=limit, stop=stop, levels=levels)
        start = limit if limit is not None else stop
        if start is not None:
            checked_distances(relative, buy=order.is_buy, price=start)
        bare = levels.stop_loss is None and relative.stop_loss is None
        given_up = req.HasField("guaranteedStopLoss") and not req.guaranteedStopLoss
        if account.settings.limited_risk and not order.position.volume and (bare or given_up):
            raise invalid("Guaranteed stop loss is required for limited risk accounts")
        if req.trailingStopLoss and levels.stop_loss is None and relative.stop_loss is None:
            raise invalid("Trailing stop loss requires stop loss")
        if req.stopTriggerMethod not in (1, 2, 3, 4):
            raise invalid(f"Stop trigger method {req.stopTriggerMethod} is unknown")
        keeps = self._floor.settings.variants.omitted_fields is OmittedFields.KEPT
        expires_ms = order.expires_ms if keeps else None
        if req.HasField("expirationTimestamp"):
            expires_ms = checked_expiry(req.expirationTimestamp, now_ms=self._floor.now_ms)
        if req.HasField("slippageInPoints"):
            order.slippage_points = req.slippageInPoints
        if req.HasField("stopTriggerMethod") and order.trigger_method is not None:
            order.trigger_method = req.stopTriggerMethod
        order.volume, order.limit, order.stop = volume, limit, stop
        order.levels, order.relative, order.expires_ms = levels, relative, expires_ms
        order.time_in_force = _Force.GOOD_TILL_CANCEL if expires_ms is None else _Force.GOOD_TILL_DATE
        if order.has_levels:
            order.trailing = req.trailingStopLoss or bool(keeps and order.trailing)
            if order.position.trailing is None:
                order.position.trailing = order.trailing
        else:
            order.trailing = None
        order.updated_ms = self._floor.now_ms
        self._floor.waiting(symbol.symbol_id).arm(order)
        self._orders.expire_at(account, order)
        self._floor.execution(
            account, _Event.ORDER_REPLACED, Cause.ANSWER, origin=origin, position=order.position, order=order
        )

    def _amended_volume(self, order: Order, req: oa.ProtoOAAmendOrderReq) -> int:
        if not req.HasField("volume"):
            return order.volume
        volume: int = req.volume
        if self._floor.settings.variants.amended_volume is VolumeMeaning.REST:
            volume += order.executed
        checked_volume(volume, order.symbol)
        if volume <= order.executed:
            raise denied_order(
                "TRADING_BAD_VOLUME",
                f"Order volume = {volume / 100:.2f} is not bigger than executed volume = {order.executed / 100:.2f}.",
                order_id=order.order_id,
            )
        return volume

    def _amended_levels(self, order: Order, req: oa.ProtoOAAmendOrderReq) -> tuple[Levels, Levels]:
        """The absolute and the relative levels after an amend."""
        symbol = order.symbol
        if self._floor.settings.variants.both_levels is BadLevels.REFUSED:
            if req.HasField("stopLoss") and req.HasField("relativeStopLoss"):
                raise invalid("Absolute and relative stop loss must not be given together")
            if req.HasField("takeProfit") and req.HasField("relativeTakeProfit"):
                raise invalid("Absolute and relative take profit must not be given together")
        stop = profit = relative_stop = relative_profit = None
        if self._floor.settings.variants.omitted_fields is OmittedFields.KEPT:
            if not req.HasField("relativeStopLoss"):
                stop = order.levels.stop_loss
            if not req.HasField("relativeTakeProfit"):
                profit = order.levels.take_profit
            if not req.HasField("stopLoss"):
                relative_stop = order.relative.stop_loss
            if not req.HasField("takeProfit"):
                relative_profit = order.relative.take_profit
        if req.HasField("stopLoss"):
            stop = checked_price(req.stopLoss, symbol, "Order protection")
        if req.HasField("takeProfit"):
            profit = checked_price(req.takeProfit, symbol, "Order protection")
        if req.HasField("relativeStopLoss") and not req.HasField("stopLoss"):
            relative_stop = checked_relative(req.relativeStopLoss, symbol, "stop loss")
        if req.HasField("relativeTakeProfit") and not req.HasField("takeProfit"):
            relative_profit = checked_relative(req.relativeTakeProfit, symbol, "take profit")
        return Levels(stop, profit), Levels(relative_stop, relative_profit)

    # -- positions -------------------------------------------------------------------------------------------------

    def _position(self, account: Account, position_id: int) -> Position:
        position = account.positions.get(position_id)
        if position is None:
            raise denied_order("POSITION_NOT_FOUND", f"Position not found with id {position_id}")
        if position.busy is not None:
            raise denied_order(
                self._floor.settings.variants.locked_code,
                f"Position {position_id} is being executed",
                position_id=position_id,
            )
        return position

    def amend_position(self, account: Account, req: oa.ProtoOAAmendPositionSLTPReq, origin: object) -> None:
        """Overwrite both levels of a position; one that is left out is removed (docs/protocol.md section 10.3).

        Raises:
            Denial: nothing was changed.
        """
        floor = self._floor
        position = self._position(account, req.positionId)
        settled_ms = (position.opened_ms or 0) + floor.settings.delays.settling_ms
        if floor.now_ms < settled_ms:
            raise denied_order("POSITION_NOT_FOUND", f"Position not found with id {req.positionId}")
        symbol = position.symbol
        levels = Levels(
            checked_price(req.stopLoss, symbol, "Order protection") if req.HasField("stopLoss") else None,
            checked_price(req.takeProfit, symbol, "Order protection") if req.HasField("takeProfit") else None,
        )
        trailing = req.trailingStopLoss if req.HasField("trailingStopLoss") else bool(position.trailing)
        if not levels and position.protection is None:
            raise invalid("Nothing to amend.")
        if levels.stop_loss is None and (req.HasField("trailingStopLoss") or trailing):
            raise invalid("Trailing stop loss requires stop loss")
        _judge_guarantee(account, position, req, levels)
        changes = levels != position.levels or trailing != bool(position.trailing)
        if not changes and floor.settings.variants.same_values is SameValues.NOTHING_TO_AMEND:
            raise invalid("Nothing to amend.")
        price = floor.market.prices[symbol.symbol_id]
        checked_levels(levels, buy=position.is_buy, bid=price.bid, ask=price.ask, symbol=symbol, what="current")
        position.trailing = trailing
        if req.HasField("guaranteedStopLoss"):
            position.guaranteed = req.guaranteedStopLoss
        if account.settings.limited_risk:
            position.guaranteed = True
        if req.HasField("stopLossTriggerMethod"):
            position.trigger_method = req.stopLossTriggerMethod
        if position.protection is None:
            act = self._protection.place
        elif levels or floor.settings.variants.both_removed is BothRemoved.REPLACED:
            act = self._protection.replace
        else:
            self._protection.cancel(account, position, Cause.ANSWER, origin=origin, by_server=True)
            return
        act(account, position, levels, Cause.ANSWER, origin=origin, by_server=False)

    def close_position(self, account: Account, req: oa.ProtoOAClosePositionReq, origin: object) -> None:
        """Close a position, whole or in part, by a market order of the server's own making.

        Raises:
            Denial: nothing was done.
        """
        position = self._position(account, req.positionId)
        symbol = position.symbol
        if req.volume != position.volume:
            checked_volume(req.volume, symbol)
            if req.volume > position.volume:
                raise denied_order(
                    "TRADING_BAD_VOLUME",
                    f"Order volume = {req.volume / 100:.2f} is bigger than "
                    f"position volume = {position.volume / 100:.2f}.",
                    position_id=position.position_id,
                )
        if account.settings.access_rights >= oa.ProtoOAAccessRights.NO_TRADING:
            raise denied_order("TRADING_NOT_ALLOWED", "Trading is not allowed for this account")
        order = closing_order(position, req.volume, origin=origin, now_ms=self._floor.now_ms)
        problem = self._execution.obstacle(account, order)
        if problem is not None:
            raise denied_order(problem, _TEXTS[problem], position_id=position.position_id)
        self._orders.accept(account, order, Cause.ANSWER)
        self._execution.start(account, order)


def _judge_guarantee(account: Account, position: Position, req: oa.ProtoOAAmendPositionSLTPReq, levels: Levels) -> None:
    """A guaranteed stop loss may not be made worse (docs/protocol.md section 14, WORSE_GSL_NOT_ALLOWED)."""
    if req.guaranteedStopLoss and not account.settings.limited_risk:
        raise invalid("Guaranteed stop loss is allowed only for limited risk accounts")
    old, new = position.levels.stop_loss, levels.stop_loss
    # The protective order of a fill comes a moment later: until then the account tells that it will be guaranteed.
    guaranteed = position.guaranteed or account.settings.limited_risk
    if not guaranteed:
        return
    given_up = req.HasField("guaranteedStopLoss") and not req.guaranteedStopLoss
    if given_up or new is None or (old is not None and (new < old if position.is_buy else new > old)):
        raise _worse(position)


def _worse(position: Position) -> Denial:
    return denied_order(
        "WORSE_GSL_NOT_ALLOWED", "Guaranteed stop loss must not be made worse", position_id=position.position_id
    )
