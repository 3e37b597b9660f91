"""When orders are executed: at once, at their price, in parts, or not at all (docs/protocol.md sections 1 and 10)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..wire import messages as oa
from .book import PENDING_KINDS, Order
from .orders import later
from .settlement import opening_cost
from .variants import OutOfRange

if TYPE_CHECKING:
    from .accounts import Account
    from .fills import Fills
    from .floor import Floor
    from .orders import Orders

__all__ = ["CLOSED_CODES", "Execution"]

_Kind = oa.ProtoOAOrderType
_Force = oa.ProtoOATimeInForce
CLOSED_CODES = frozenset(("MARKET_CLOSED", "SYMBOL_HAS_HOLIDAY"))
"""Error codes of a market that will open again."""
_LIMITS = frozenset((_Kind.LIMIT, _Kind.STOP_LIMIT))
_AT_ONCE = frozenset((_Force.IMMEDIATE_OR_CANCEL, _Force.FILL_OR_KILL))


class Execution:
    """Brings orders to their fills.

    Args:
        floor: where.
        orders: their states.
        fills: what fills do.
    """

    def __init__(self, floor: Floor, orders: Orders, fills: Fills) -> None:
        self._floor = floor
        self._orders = orders
        self._fills = fills

    def start(self, account: Account, order: Order) -> None:
        """Send an accepted order on its way: to be filled shortly, or to wait for its price or its end."""
        floor = self._floor
        if order.kind in PENDING_KINDS and not (order.kind == _Kind.LIMIT and order.time_in_force in _AT_ONCE):
            floor.waiting(order.symbol.symbol_id).arm(order)
            self._orders.expire_at(account, order)
            return
        order.executing = True
        if order.closing:
            order.position.busy = order
        floor.timeline.at(floor.now_ms + floor.settings.delays.fill_ms, partial(self._run, account, order))

    def meet(self, symbol_id: int) -> None:
        """Set off the waiting orders whose price the present quote meets."""
        floor = self._floor
        triggers, price = floor.triggers.get(symbol_id), floor.market.prices.get(symbol_id)
        if triggers is None or price is None or not floor.market.is_open(symbol_id, floor.now_ms):
            return
        for order, is_stop in triggers.met(price.bid, price.ask):
            if order.is_active and not order.executing:
                self._trigger(floor.accounts[order.position.account_id], order, is_stop=is_stop)

    def _trigger(self, account: Account, order: Order, *, is_stop: bool) -> None:
        floor, position = self._floor, order.position
        protective = order.kind == _Kind.STOP_LOSS_TAKE_PROFIT
        if protective and position.busy is not None:
            # Somebody is closing the position already; should volume be left, its levels hold from then on.
            position.missed = True
            return
        order.executing = True
        order.triggered_ms = floor.now_ms
        floor.waiting(order.symbol.symbol_id).disarm(order)
        if protective:
            position.busy = order
            order.stopped = is_stop
        elif is_stop:
            order.stopped = True
            self._orders.say_triggered(account, order)
        floor.timeline.at(floor.now_ms + floor.settings.delays.fill_ms, partial(self._run, account, order))

    def _run(self, account: Account, order: Order) -> None:
        """Fill what can be filled of an order that is in execution, and decide about the rest."""
        if not order.is_active:
            return
        floor = self._floor
        problem = self.obstacle(account, order)
        if problem is not None:
            self._blocked(account, order, problem)
            return
        price = self._price(order)
        if price is None:
            self._out_of_range(account, order)
            return
        limits = floor.settings.liquidity
        wanted = min(order.rest, order.position.volume) if order.closing else order.rest
        found = wanted
        patient = order.kind in _LIMITS and order.time_in_force not in _AT_ONCE
        if limits.total_cents is not None and not order.closing and not patient:
            found = min(found, limits.total_cents - order.executed)
        if found < wanted and order.time_in_force == _Force.FILL_OR_KILL:
            found = 0
        part = found if limits.part_cents is None or order.closing else min(found, limits.part_cents)
        if part <= 0:
            self._rest(account, order)
            return
        if order.kind == _Kind.MARKET_RANGE and not order.executed:
            self._orders.say_triggered(account, order)
        self._fills.fill(account, order, part, price)
        if not order.is_active:
            return
        if part == found:
            self._rest(account, order)
        elif patient:
            # Between its parts a limit order waits like any other: it may be cancelled, and the price may leave it.
            order.executing = False
            floor.timeline.at(
                floor.now_ms + floor.settings.delays.part_ms, partial(self._orders.wait_on, account, order)
            )
        else:
            floor.timeline.at(floor.now_ms + floor.settings.delays.part_ms, partial(self._run, account, order))

    def obstacle(self, account: Account, order: Order) -> str | None:
        """The error code of what keeps an order from being filled now, or None."""
        floor, symbol_id = self._floor, order.symbol.symbol_id
        if not floor.is_priced(account, order.symbol):
            return "NO_QUOTES"
        if not floor.market.is_open(symbol_id, floor.now_ms):
            holiday = floor.market.schedules[symbol_id].is_holiday(floor.now_ms)
            return "SYMBOL_HAS_HOLIDAY" if holiday else "MARKET_CLOSED"
        position = order.position
        if position.is_gone and not account.is_netted:
            return "POSITION_NOT_FOUND"
        if order.closing:
            return None
        opens = order.rest
        if position.volume and position.side != order.side:
            opens = max(0, order.rest - position.volume)
        if opens:
            free = account.equity(floor.market) - account.used_margin()
            if opening_cost(floor, account, order, opens) > free:
                return "NOT_ENOUGH_MONEY"
        return None

    def _price(self, order: Order) -> int | None:
        """The price at which an order is filled now, x 100,000; None when it must not be filled at the quote."""
        quote = self._floor.market.prices[order.symbol.symbol_id]
        buy = order.is_buy
        price = quote.ask if buy else quote.bid
        limit = order.limit
        if order.kind == _Kind.STOP_LOSS_TAKE_PROFIT and order.stopped:
            if order.guaranteed and order.stop is not None:
                return order.stop
            limit = None
        if limit is not None:
            if order.triggered_ms is None and (price > limit if buy else price < limit):
                return None
            # The price was met when it was triggered: what has moved since then is not the trader's loss.
            return min(limit, price) if buy else max(limit, price)
        worst = order.worst
        if order.kind == _Kind.STOP_LIMIT and worst is not None:
            within = price <= worst if buy else price >= worst
            return price if within else None
        slippage = self._floor.settings.liquidity.slippage_points
        if slippage:
            points = int(self._floor.rng.random() * (slippage + 1)) * order.symbol.point
            price += points if buy else -points
        if worst is not None and (price > worst if buy else price < worst):
            return None
        return price

    def _rest(self, account: Account, order: Order) -> None:
        """What becomes of an order of which nothing more can be filled now."""
        if order.kind in _LIMITS and order.time_in_force not in _AT_ONCE:
            order.executing = False
            self._orders.wait_on(account, order)
        else:
            self._orders.cancel(account, order, later(order), origin=order.origin)

    def _blocked(self, account: Account, order: Order, problem: str) -> None:
        """An order that was accepted or triggered and cannot be filled."""
        floor = self._floor
        waits = order.time_in_force == _Force.MARKET_ON_OPEN or order.kind == _Kind.STOP_LOSS_TAKE_PROFIT
        if problem in CLOSED_CODES and waits:
            schedule = floor.market.schedules[order.symbol.symbol_id]
            floor.timeline.at(schedule.opens_ms(floor.now_ms), partial(self._run, account, order))
        else:
            self._orders.reject(account, order, problem)

    def _out_of_range(self, account: Account, order: Order) -> None:
        if order.kind == _Kind.STOP_LIMIT:
            self._rest(account, order)
        elif self._floor.settings.variants.out_of_range is OutOfRange.REJECTED and not order.executed:
            self._orders.reject(account, order, "TRADING_BAD_PRICES")
        else:
            self._orders.cancel(account, order, later(order), origin=order.origin)
