"""Prices that somebody waits for: which orders a new quote sets off."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from ..wire import messages as oa

if TYPE_CHECKING:
    from .book import Order

__all__ = ["Triggers"]

_Method = oa.ProtoOAOrderTriggerMethod


class _Wait(enum.Enum):
    BID_UP = enum.auto()
    BID_DOWN = enum.auto()
    ASK_UP = enum.auto()
    ASK_DOWN = enum.auto()


@dataclass(frozen=True, slots=True)
class _Waiting:
    """One price of one order. `key` is the price so signed that the quote meets it from below."""

    wait: _Wait
    key: int
    number: int
    armed: int
    order: Order
    is_stop: bool
    twice: bool

    @property
    def is_void(self) -> bool:
        return self.armed != self.order.armed


class Triggers:
    """The waiting orders of one symbol, of all accounts.

    A heap for each of the four ways to wait (the bid or the ask, rising or falling to a price) makes a quote that sets
    nothing off cost the same however many orders wait.
    """

    def __init__(self) -> None:
        self._heaps: dict[_Wait, list[tuple[int, int, _Waiting]]] = {wait: [] for wait in _Wait}
        self._half_met: list[_Waiting] = []
        self._number = 0
        self.fresh = False
        """Whether something was armed that no quote has been held against yet."""

    def arm(self, order: Order) -> None:
        """Wait for the prices of an order; what it waited for before is void.

        A limit (for a protective order: its take profit) waits on the side of the quote at which the order would be
        filled, a stop as its trigger method says (`ProtoOAOrderTriggerMethod`). A double method asks for two quotes
        in a row.
        """
        order.armed += 1
        limit, stop = order.limit, order.stop
        if order.kind == oa.ProtoOAOrderType.STOP_LIMIT and order.triggered_ms is not None:
            limit, stop = order.worst, None
        if limit is not None:
            self._wait(_Wait.ASK_DOWN if order.is_buy else _Wait.BID_UP, limit, order)
        if stop is not None:
            own_side = order.trigger_method in (None, _Method.TRADE, _Method.DOUBLE_TRADE)
            if order.is_buy:
                self._wait(_Wait.ASK_UP if own_side else _Wait.BID_UP, stop, order, is_stop=True)
            else:
                self._wait(_Wait.BID_DOWN if own_side else _Wait.ASK_DOWN, stop, order, is_stop=True)

    def disarm(self, order: Order) -> None:
        """Wait no longer."""
        order.armed += 1

    def _wait(self, wait: _Wait, price: int, order: Order, *, is_stop: bool = False) -> None:
        key = price if wait in (_Wait.BID_UP, _Wait.ASK_UP) else -price
        self.fresh = True
        twice = is_stop and order.trigger_method in (_Method.DOUBLE_TRADE, _Method.DOUBLE_OPPOSITE)
        self._number += 1
        waiting = _Waiting(wait, key, self._number, order.armed, order, is_stop, twice)
        heappush(self._heaps[wait], (key, self._number, waiting))

    def met(self, bid: int, ask: int) -> list[tuple[Order, bool]]:
        """Take out the orders whose price a quote meets, in the order in which they began to wait.

        Returns:
            Each order, with whether it was its stop that was met.
        """
        self.fresh = False
        levels = {_Wait.BID_UP: bid, _Wait.BID_DOWN: -bid, _Wait.ASK_UP: ask, _Wait.ASK_DOWN: -ask}
        found: list[_Waiting] = []
        for waiting in self._half_met:
            if waiting.key <= levels[waiting.wait]:
                found.append(waiting)
            elif not waiting.is_void:
                heappush(self._heaps[waiting.wait], (waiting.key, waiting.number, waiting))
        self._half_met = []
        for wait, level in levels.items():
            heap = self._heaps[wait]
            while heap and heap[0][0] <= level:
                waiting = heappop(heap)[2]
                (self._half_met if waiting.twice else found).append(waiting)
        found.sort(key=lambda waiting: waiting.number)
        return [(waiting.order, waiting.is_stop) for waiting in found if not waiting.is_void]
