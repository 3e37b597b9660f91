"""What of an account is in suspense: the orders and positions that a request of unknown outcome may have changed.

While it is unknown, no second request for them leaves. A netted account has one position a symbol, which each order of
that symbol joins, reduces or turns, whether it names it or not, and though it may not be there yet: there, every such
order is a request for it. So are those that wait for their price: one may be filled as it arrives, and only the server
knows whether it was.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ..wire import messages as oa
from .errors import NotSent
from .order_states import OrderState
from .preparing import prepared

if TYPE_CHECKING:
    from typing import Any

    from .account import Account
    from .doubts import Doubts
    from .inheritance import Inheritance
    from .orders import OrderTable
    from .positions import PositionBook
    from .request_record import Target

__all__ = ["Suspense"]

_OF_POSITIONS = (oa.ProtoOAClosePositionReq, oa.ProtoOAAmendPositionSLTPReq)


class Suspense:
    """Of one account.

    Args:
        account: whose.
        orders: of ours.
        positions: its positions and working orders.
        doubts: requests of unknown outcome that are no orders of ours.
        inheritance: orders of an earlier process that are not among ours yet.
    """

    def __init__(
        self,
        account: Account,
        *,
        orders: OrderTable,
        positions: PositionBook,
        doubts: Doubts,
        inheritance: Inheritance,
    ) -> None:
        self._account = account
        self._orders = orders
        self._positions = positions
        self._doubts = doubts
        self._inheritance = inheritance

    async def check(self, target: Target | None, *, symbol_id: int | None = None, within_s: float) -> None:
        """Returns if no request for the same has an unknown outcome.

        Args:
            target: the order or position that a request names, or None.
            symbol_id: of a new order: what it trades.
            within_s: seconds that the server may take to say whether the account is netted, where that decides.

        Raises:
            NotSent: one has. Nothing may leave for it.
        """
        if target is not None:
            self._check_target(target)
        if self._account.is_netted is None and self._waits_for(self._symbol_of(target, symbol_id)) is not None:
            # As a rule a look at the balance has told it. Where nobody says, it may be netted.
            with suppress(NotSent):
                reading = self._account.ask(oa.ProtoOATraderReq())
                await prepared("ProtoOATraderReq", reading, within_s=within_s)
        self.look(target, symbol_id=symbol_id)

    def look(self, target: Target | None, *, symbol_id: int | None = None) -> None:
        """The same, now: never waits. Where nobody knows whether the account is netted, it is taken for that."""
        if target is not None:
            self._check_target(target)
        netted = self._account.is_netted
        if netted is False:
            return
        about = self._symbol_of(target, symbol_id)
        if (why := self._waits_for(about)) is not None:
            name = self._account.name_of(about or 0)
            kind = "is netted" if netted else "may be netted (the server does not say)"
            raise NotSent(f"nothing left for {name}: the account {kind}, so that {name} has one position, and {why}")

    # How

    def _check_target(self, target: Target) -> None:
        kind, id_ = target
        records = self._orders.of_position(id_) if kind == "position" else [self._orders.by_order_id(id_)]
        for record in records:
            if record is not None and record.state is OrderState.UNKNOWN:
                raise NotSent(
                    f"nothing left for {kind} {id_}: the outcome of {record.client_order_id} is unknown, find out first"
                )
        self._inheritance.check_settled(target, waiting=self._positions.pending_orders)
        if (doubt := self._doubts.of(target)) is not None:
            raise NotSent(f"nothing left for {kind} {id_}: {doubt.name} {doubt.whereabouts}, find out first")

    def _symbol_of(self, target: Target | None, symbol_id: int | None) -> int | None:
        """The symbol whose position a request is for, if it is one for a position."""
        if symbol_id is not None or target is None or target[0] == "order":
            return symbol_id
        return self._symbol_of_position(target[1])

    def _symbol_of_position(self, position_id: int) -> int | None:
        position = self._positions.position(position_id)
        return position.symbol_id if position is not None else None

    def _waits_for(self, symbol_id: int | None) -> str | None:
        """What may have changed the one position of a symbol, for people; None where nothing may."""
        if symbol_id is None:
            return None
        for record in self._orders.unknown:
            if record.symbol.id == symbol_id:
                return f"the outcome of {record.client_order_id} is unknown, find out first"
        for doubt in self._doubts:
            if self._symbol_in(doubt.payload) == symbol_id:
                return f"{doubt.name} {doubt.whereabouts}, find out first"
        name, waiting = self._account.name_of(symbol_id), self._positions.pending_orders
        left = self._inheritance.of_symbol(symbol_id, name, waiting=waiting)
        return f"{left.client_order_id} of an earlier process has no end on record" if left is not None else None

    def _symbol_in(self, payload: Any) -> int | None:
        if isinstance(payload, oa.ProtoOANewOrderReq):
            symbol_id: int = payload.symbolId
            return symbol_id
        return self._symbol_of_position(payload.positionId) if isinstance(payload, _OF_POSITIONS) else None
