"""Sees that an order's levels come after its fill, and says so loudly where they do not.

The server sets them by a hidden order of its own, some 20 ms after the fill (docs/protocol.md section 10.1). Until
then, and for ever if it fails, the position is open without a stop.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from ..wire import LocalProtocolError
from . import clock
from .errors import CTraderError, OutcomeUnknown, RequestFailed
from .filled_orders import FilledOrder, InheritedOrder, OwnOrder
from .history import LONGEST_SPAN_MS, deals_between
from .order import Order
from .order_states import OrderState
from .server_clock import ServerClock
from .tasks import Following
from .tickets import Ticket

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .account import Account
    from .books import Books
    from .connection_log import ConnectionLog
    from .gate import Gate
    from .positions import Position

__all__ = ["ProtectionWatch"]

_LOOK_S = 2.0  # for a list of the server's, before a position counts as unprotected
_AGAIN_S = 1.0  # between the first tries to close what has no stop: each costs a list of deals, and a close
_MOST_S = 30.0  # between later ones: a halt, a refusal or a full disk may last


class _Closing(Protocol):
    async def close(self, position_id: int, *, volume_cents: int) -> Order:
        """Closes so much of a position."""


class ProtectionWatch:
    """Follows the orders of one account that ask for a stop loss or a take profit.

    Args:
        trading: closes what its order wants closed.
        account: whose deals are looked at before that.
        books: of the account.
        gate: where facts go on record.
        log: where a person is warned, or None.
        within_s: how long the levels may take after the fill.
    """

    def __init__(
        self,
        trading: _Closing,
        *,
        account: Account,
        books: Books,
        gate: Gate,
        log: ConnectionLog | None,
        within_s: float,
    ) -> None:
        self._trading = trading
        self._account = account
        self._books = books
        self._gate = gate
        self._log = log
        self._within_s = within_s
        self._following: Following[FilledOrder] = Following(self._follow)
        self.add(books.handles.values())  # of an earlier process
        for levels in books.unseen_levels:
            self._following.add(InheritedOrder(levels, account=account, books=books, gate=gate))

    def add(self, orders: Iterable[Order]) -> None:
        """Follow those of these that ask for levels. Never waits."""
        for order in orders:
            intent = order.intent
            if isinstance(intent, Ticket) and (intent.asks_stop_loss or intent.asks_take_profit):
                self._following.add(OwnOrder(order, books=self._books))

    async def serve(self) -> None:
        """Follows them until it is cancelled: one task an order, for as long as it is under way."""
        await self._following.serve()

    async def _follow(self, filled: FilledOrder) -> None:
        seen_cents = 0
        try:
            # Parts of it may fill later, when what was filled before is closed again.
            while await filled.opened(beyond_cents=seen_cents):
                seen_cents = filled.exposed_cents
                if not await self._has_levels(filled):
                    self._tell_unprotected(filled)
                    if not getattr(filled.intent, "close_if_unprotected", False):
                        return
                    seen_cents = await self._close_again(filled)
        except RequestFailed:
            return  # there is nothing to protect

    async def _has_levels(self, filled: FilledOrder) -> bool:
        try:
            await filled.protected(timeout_s=self._within_s)
        except OutcomeUnknown:
            return filled.settle() or await self._has_levels_after_all(filled)
        return True

    async def _has_levels_after_all(self, filled: FilledOrder) -> bool:
        """Asks the server, since the event that tells of them may be lost: what has its stop must not be closed."""
        with suppress(CTraderError, LocalProtocolError), anyio.move_on_after(_LOOK_S):
            await self._books.reconcile()
        try:
            await filled.protected(timeout_s=0)
        except OutcomeUnknown:
            return filled.settle()
        return True

    def _tell_unprotected(self, filled: FilledOrder) -> None:
        self._gate.note("unprotected", {**filled.described(), "within_ms": round(self._within_s * 1000)})
        self._warn("unprotected", filled)

    async def _close_again(self, filled: FilledOrder) -> int:
        """Closes what it has opened; gives how much that was, or how much the levels stand for that came after all.

        Raises:
            RequestFailed: nothing of it is open after all.
        """
        told, wait_s = "", _AGAIN_S
        while True:
            seen_cents = filled.exposed_cents
            why = await self._not_found(filled) if filled.is_astray else None
            if why is None and filled.position_id is not None:
                why = await self._close(filled, filled.position_id)
            if why is None:
                return seen_cents
            if why != told:
                facts = {**filled.described(), "within_ms": round(self._within_s * 1000)}
                self._gate.note("close_failed", {**facts, "reason": why})
                self._warn("close_failed", filled, reason=why)
            told = why
            try:
                await filled.protected(timeout_s=wait_s)
            except OutcomeUnknown:
                wait_s = min(2 * wait_s, _MOST_S)
            else:
                return filled.exposed_cents

    async def _not_found(self, filled: FilledOrder) -> str | None:
        """Looks for the position that holds the rest of it; why that is not known, or None: it is, or there is none."""
        try:
            with anyio.fail_after(_LOOK_S):
                await self._books.reconcile()
        except (CTraderError, LocalProtocolError, TimeoutError) as error:
            why = str(error) or "the server did not answer in time"
            return f"the server goes on with it in a position that was not seen yet: {why}"
        return None

    async def _close(self, filled: FilledOrder, position_id: int) -> str | None:
        """Closes what it opened, and waits for the end of that; why it did not come to it, or None where it did.

        Never more than that: on a netted account, or where a position was added to, the rest was there before, and
        whoever opened it did not ask for this. What has been closed since counts as this order's, whoever did that.
        """
        share = filled.share
        if self._held(filled, position_id) is None:
            return None
        if share is None:
            return "how much it opened is not known yet"
        deals: list[Any] = []
        unlisted = ""
        try:
            deals = await self._deals_since(share.since_ms)
        except (CTraderError, LocalProtocolError, TimeoutError) as error:
            unlisted = str(error) or "the server did not answer in time"
        if (position := self._held(filled, position_id)) is None:
            return None
        if unlisted and not share.is_untouched(position.volume_cents):
            return f"how much of it is left is not known: its deals could not be read: {unlisted}"
        known = [fill for record in self._books.orders.of_position(position_id) for fill in record.fills]
        left_cents = share.left_cents(position.volume_cents, deals=deals, fills=known)
        if not left_cents:
            return None
        try:
            order = await self._trading.close(position_id, volume_cents=left_cents)
        except CTraderError as error:
            asked = error.order if isinstance(error, RequestFailed) else None
            if not isinstance(asked, Order) or asked.record.is_final:
                return str(error)
            order = asked
        await order.told()  # one of unknown outcome is found out, or known never to have arrived
        return None if order.state is OrderState.FILLED else f"its close ended {order.state.value}"

    def _held(self, filled: FilledOrder, position_id: int) -> Position | None:
        """The position, if what it holds can be what was filled."""
        position = self._books.positions.position(position_id)
        return position if position is not None and position.side is filled.intent.side else None

    async def _deals_since(self, since_ms: int) -> list[Any]:
        """What the account has dealt since then. No record of ours has what others closed while nobody listened.

        One page, as a rule: it is asked for seconds after the fill. After a restart it is one a week, as the deals
        that were missed are read, and has its time for each.
        """
        until_ms = ServerClock.latest_ms(clock.utc_ms())
        with anyio.fail_after(_LOOK_S * (1 + (until_ms - since_ms) // LONGEST_SPAN_MS)):
            return await deals_between(self._account, since_ms, until_ms)

    def _warn(self, what: str, filled: FilledOrder, **fields: object) -> None:
        if self._log is not None:
            self._log.write(what, order=filled.client_order_id, position=filled.position_id, **fields)
