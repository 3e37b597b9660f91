"""What of an account's positions is being closed already, so that no more is asked for than is left."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..wire import messages as oa
from .fields import invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .orders import OrderTable
    from .positions import PositionBook

__all__ = ["Closing"]


class Closing:
    """Adds it up: closes of ours to their end, raw ones while they wait for their answer, and what the server works on.

    One of unknown outcome is not added: nothing leaves for its position anyway (`Suspense.check`).

    Args:
        orders: of the account.
        positions: likewise.
        raw: raw closes that wait for their answer already.
    """

    def __init__(self, orders: OrderTable, positions: PositionBook, *, raw: Iterable[Any] = ()) -> None:
        self._orders = orders
        self._positions = positions
        self._raw = list(raw)

    def check(self, request: oa.ProtoOAClosePositionReq) -> None:
        """Returns if a close asks for no more than is left. What passes counts once it is in the books, or claimed.

        Raises:
            InvalidOrder: it asks for more. Nothing left.
        """
        position = self._positions.position(request.positionId)
        under_way_cents = self._under_way_cents(request.positionId)
        if position is None or not under_way_cents:
            return  # the server's answer, and the guard's, are as good as ours
        left_cents = max(0, position.volume_cents - under_way_cents)
        if request.volume > left_cents:
            raise invalid(
                "volume_cents",
                request.volume,
                f"of the {position.volume_cents} of position {position.id} that are open, {under_way_cents} are being "
                f"closed already: {left_cents} are left",
            )

    @contextmanager
    def claimed(self, request: Any) -> Iterator[None]:
        """Within it, a raw request counts, if it closes.

        Raises:
            InvalidOrder: see `check`.
        """
        if not isinstance(request, oa.ProtoOAClosePositionReq):
            yield
            return
        self.check(request)
        self._raw.append(request)
        try:
            yield
        finally:
            self._raw = [each for each in self._raw if each is not request]

    def _under_way_cents(self, position_id: int) -> int:
        ours = [each for each in self._orders.of_position(position_id) if each.is_close]
        known = {each.order_id for each in ours}
        others = [
            order
            for order in self._positions.orders
            # One that waits for its price may never be filled.
            if order.position_id == position_id
            and order.is_working
            and not (order.is_opening or order.is_protective or order.is_waiting or order.id in known)
        ]
        raw_cents: int = sum(each.volume for each in self._raw if each.positionId == position_id)
        return (
            raw_cents
            + sum(each.volume_cents - each.filled_volume_cents for each in ours if not each.is_final)
            + sum(each.volume_cents - each.executed_volume_cents for each in others)
        )
