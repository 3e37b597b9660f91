"""What a walk through the runbook has opened in one environment, and taking it back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import anyio

from anyctrader.session import NotSent, OrderState, OutcomeUnknown, ServerError
from anyctrader.session.tickets import PendingTicket
from anyctrader.wire.errors import CTraderError

from .failures import told
from .steps import StepFailed

if TYPE_CHECKING:
    from anyctrader.session import Order

    from .probe import Probe

__all__ = ["Clearing"]

_LOOKS: Final = 3  # a resting order may fill while it is cancelled, and its position shows only at the next look


class Clearing:
    """Knows what of the present walk is under way, working or open, by the server's word; and ends it.

    Args:
        probe: acts in the environment.
    """

    def __init__(self, probe: Probe) -> None:
        self._probe = probe

    async def left_behind(self) -> list[str]:
        """What the server still has of this walk, in words."""
        orders, positions = await self._ours()
        return [f"order {order.orderId}" for order in orders] + [f"position {each.positionId}" for each in positions]

    async def clear(self) -> None:
        """Cancels and closes whatever of this walk is still working or open here; what is not ours stays.

        One that cannot be taken back does not keep the others; and what fills meanwhile is met by the next look.

        Raises:
            StepFailed: the server still has something of it afterwards, or may have.
        """
        failures: list[str] = []
        for _ in range(_LOOKS):
            unsettled = await self._settle()
            orders, positions = await self._ours()
            if not orders and not positions:
                if unsettled:
                    raise StepFailed(f"what became of {', '.join(unsettled)} is not known: look at the account")
                return
            failures = []
            for order in orders:
                try:
                    await self._probe.stage.open_desk.cancel(self._probe.environment, order.orderId)
                except CTraderError as error:
                    failures.append(f"order {order.orderId}: {told(error)}")
            for position in positions:
                try:
                    await self._close_again(position.positionId)
                except CTraderError as error:
                    failures.append(f"position {position.positionId}: {told(error)}")
        left = await self.left_behind()
        if left:
            raise StepFailed("; ".join([f"still there at the server: {', '.join(left)}", *failures]))

    async def _close_again(self, position_id: int) -> None:
        closing = await self._probe.stage.open_desk.close(self._probe.environment, position_id)
        self._probe.stage.orders.append(closing)
        await closing.filled(timeout_s=self._probe.stage.pace.fill_s)

    async def _settle(self) -> list[str]:
        """Waits until no order of ours here is under way; gives, in words, those of which that cannot be told."""
        unsettled = []
        with anyio.move_on_after(self._probe.stage.pace.fill_s):
            for order in self._desk_orders():
                try:
                    if isinstance(order.intent, PendingTicket):
                        await order.accepted(timeout_s=self._probe.stage.pace.fill_s)
                    else:
                        await order.finished(timeout_s=self._probe.stage.pace.fill_s)
                except (NotSent, ServerError):
                    continue  # that is an end, too
                except OutcomeUnknown:
                    pass  # told below, as those are that were not reached
        for order in self._desk_orders():
            pending = isinstance(order.intent, PendingTicket)
            settled = order.record.is_final or (pending and order.state is not OrderState.UNKNOWN)
            if not settled:
                unsettled.append(f"order {order.order_id or order.client_order_id}")
        return unsettled

    def _desk_orders(self) -> list[Order]:
        """All of the present desk, those included whose caller was cancelled before it got them."""
        return [
            order
            for order in self._probe.stage.open_desk.orders.values()
            if order.environment is self._probe.environment
        ]

    async def check_clear(self) -> None:
        """Sees that the server has nothing of this walk any more.

        Raises:
            StepFailed: it has.
        """
        left = await self.left_behind()
        if left:
            raise StepFailed(f"still there at the server: {', '.join(left)}")

    async def _ours(self) -> tuple[list[Any], list[Any]]:
        walked = [order for order in self._probe.stage.orders if order.environment is self._probe.environment]
        mine = {order.client_order_id: order for order in (*walked, *self._desk_orders())}
        position_ids = {order.position_id for order in mine.values() if order.position_id is not None}
        if not mine:
            return [], []
        listed = await self._probe.reconcile()
        return (
            [order for order in listed.order if order.clientOrderId in mine],
            # A position whose fill we were not told of shows its order by the label only.
            [
                position
                for position in listed.position
                if position.positionId in position_ids or position.tradeData.label in mine
            ],
        )
