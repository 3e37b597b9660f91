"""Sees that an order's levels come after its fill, and says so loudly where they do not.

The server sets them by a hidden order of its own, some 20 ms after the fill (docs/protocol.md section 10.1). Until
then, and for ever if it fails, the position is open without a stop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .errors import CTraderError, NotSent, OutcomeUnknown, RequestFailed
from .tasks import Following
from .tickets import Ticket

if TYPE_CHECKING:
    from .connection_log import ConnectionLog
    from .gate import Gate
    from .order import Order

__all__ = ["ProtectionWatch"]

_AGAIN_S = 1.0  # between tries to close what has no stop: each costs nothing while there is no session


class _Closing(Protocol):
    async def close(self, position_id: int) -> Order:
        """Closes all of a position."""


class ProtectionWatch:
    """Follows the orders of one account that ask for a stop loss or a take profit.

    Args:
        trading: closes what its order wants closed.
        gate: where facts go on record.
        log: where a person is warned, or None.
        within_s: how long the levels may take after the fill.
    """

    def __init__(self, trading: _Closing, *, gate: Gate, log: ConnectionLog | None, within_s: float) -> None:
        self._trading = trading
        self._gate = gate
        self._log = log
        self._within_s = within_s
        self._following: Following[Order] = Following(self._follow)

    def add(self, *orders: Order) -> None:
        """Follow those of these that ask for levels. Never waits."""
        for order in orders:
            intent = order.intent
            if isinstance(intent, Ticket) and (intent.asks_stop_loss or intent.asks_take_profit):
                self._following.add(order)

    async def serve(self) -> None:
        """Follows them until it is cancelled: one task an order, for as long as it is under way."""
        await self._following.serve()

    async def _follow(self, order: Order) -> None:
        await order.touched_by_fill()  # a pending order may wait for days: no deadline
        try:
            await order.protected(timeout_s=self._within_s)
        except OutcomeUnknown:
            await self._unprotected(order)
        except RequestFailed:
            return  # it ended without a fill: there is nothing to protect

    async def _unprotected(self, order: Order) -> None:
        facts = {**order.record.described(), "within_ms": round(self._within_s * 1000)}
        self._gate.note("unprotected", facts)
        self._warn("unprotected", order)
        if not getattr(order.intent, "close_if_unprotected", False) or order.position_id is None:
            return
        told = False
        while True:
            try:
                await self._trading.close(order.position_id)
            except CTraderError as error:
                if not told:
                    self._gate.note("close_failed", {**facts, "reason": str(error)})
                    self._warn("close_failed", order, reason=str(error))
                told = True
                if not isinstance(error, NotSent):
                    return
            else:
                return
            # The session is away, or a change of the position is in doubt: it is tried again when that is over.
            try:
                await order.protected(timeout_s=_AGAIN_S)
            except OutcomeUnknown:
                continue
            except RequestFailed:
                return  # nothing of it is filled after all
            return  # the levels have come after all

    def _warn(self, what: str, order: Order, **fields: object) -> None:
        if self._log is not None:
            self._log.write(what, order=order.client_order_id, position=order.position_id, **fields)
