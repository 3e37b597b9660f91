"""Which orders of ours need not be remembered any more, so that memory does not grow with every order. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .order_states import OrderState
from .tickets import Ticket

if TYPE_CHECKING:
    from .orders import OrderRecord, OrderTable
    from .positions import PositionBook

__all__ = ["MOST_ENDED", "OrderMemory"]

MOST_ENDED: Final = 1_000
"""Orders at their end that are kept for each account, some 6 kB each: the newest.

An event that comes late does so by seconds, and the fastest that the server's budget allows takes twenty for so many.
The audit has all of them.
"""
_LOOK_EACH: Final = 100  # orders between two looks: a look goes through all of them


class OrderMemory:
    """Of one account.

    Args:
        orders: of the account.
        positions: likewise.
        most: how many that have ended are kept.
    """

    def __init__(self, orders: OrderTable, positions: PositionBook, *, most: int = MOST_ENDED) -> None:
        self._orders = orders
        self._positions = positions
        self._most = most
        self._look_at = most + _LOOK_EACH

    @property
    def is_full(self) -> bool:
        """Whether a look is worth it."""
        return len(self._orders) >= self._look_at

    def outlived(self) -> list[OrderRecord]:
        """Those that may be forgotten, oldest first.

        Not before its end, nor while fills of it are missing. While the levels that an order asked for are not
        confirmed, all that was done with its position is kept: how much of it is to be closed again depends on that.
        That an order never arrived is no word of the server's, so it is kept: it may show up yet.
        """
        unprotected = {record.position_id for record in self._orders if self._wants_levels(record)}
        ended = [
            record
            for record in self._orders
            if record.is_told
            and not (record.state is OrderState.NOT_SENT and record.sent_at_ms is not None)
            and (record.position_id is None or record.position_id not in unprotected)
        ]
        gone = ended[: max(0, len(ended) - self._most)]
        self._look_at = len(self._orders) - len(gone) + _LOOK_EACH
        return gone

    def _wants_levels(self, record: OrderRecord) -> bool:
        intent = record.intent
        asks = isinstance(intent, Ticket) and (intent.asks_stop_loss or intent.asks_take_profit)
        if not asks or record.protected or record.position_id is None:
            return False
        return self._positions.position(record.position_id) is not None
