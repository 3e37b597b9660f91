"""What was filled and asks for levels, as the watch over those sees it: of this process, and of an earlier one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import anyio

from .asked_levels import ShownLevels
from .errors import OutcomeUnknown, RequestFailed

if TYPE_CHECKING:
    from .account import Account
    from .books import Books
    from .gate import Gate
    from .holdings import Position
    from .leftovers import UnseenLevels
    from .order import Order
    from .shares import Share

__all__ = ["FilledOrder", "InheritedOrder", "OwnOrder"]

_LOOKS = 15  # at the server's list, which may lag behind the fill: then the position counts as closed


class FilledOrder(Protocol):
    """What was filled and asks for levels."""

    @property
    def intent(self) -> Any:
        """The ticket that it came from."""

    @property
    def client_order_id(self) -> str:
        """Our id of it."""

    @property
    def position_id(self) -> int | None:
        """`positionId`."""

    @property
    def share(self) -> Share | None:
        """What it is known to have opened, or None."""

    @property
    def is_astray(self) -> bool:
        """Whether the server goes on with the rest of it in a position that was not seen open yet."""

    @property
    def exposed_cents(self) -> int:
        """How much it may have opened so far, hundredths of a unit."""

    def described(self) -> dict[str, Any]:
        """Its facts, for a record."""

    async def opened(self, *, beyond_cents: int) -> bool:
        """Waits until it may have opened more than so much: whether it has, or opens nothing more. No deadline."""

    async def protected(self, *, timeout_s: float) -> None:
        """Waits until the levels stand: `OutcomeUnknown` if not within the time, another error if they need not."""

    def settle(self) -> bool:
        """The time for them is over: whether others stand in their place that somebody has set since its fill."""


class OwnOrder:
    """An order of this process.

    Args:
        order: it.
        books: of its account.
    """

    def __init__(self, order: Order, *, books: Books) -> None:
        self._order = order
        self._books = books
        self.intent = order.intent
        self.client_order_id = order.client_order_id

    @property
    def position_id(self) -> int | None:
        """See `FilledOrder`."""
        return self._order.position_id

    @property
    def share(self) -> Share | None:
        """See `FilledOrder`."""
        return self._order.record.share

    @property
    def is_astray(self) -> bool:
        """See `FilledOrder`."""
        return self._order.record.is_astray

    @property
    def exposed_cents(self) -> int:
        """See `FilledOrder`."""
        return self._order.record.exposed_volume_cents

    def described(self) -> dict[str, Any]:
        """See `FilledOrder`."""
        return self._order.record.described()

    async def opened(self, *, beyond_cents: int) -> bool:
        """See `FilledOrder`."""
        return await self._order.opened(beyond_cents=beyond_cents)

    async def protected(self, *, timeout_s: float) -> None:
        """See `FilledOrder`."""
        await self._order.protected(timeout_s=timeout_s)

    def settle(self) -> bool:
        """See `FilledOrder`."""
        self._books.changed([self._order.record.settle_levels()])
        return self._order.record.protected


class InheritedOrder:
    """An order that an earlier process saw filled, and not protected before it ended.

    Args:
        levels: what that process left.
        account: whose.
        books: of that account.
        gate: where facts go on record.
    """

    def __init__(self, levels: UnseenLevels, *, account: Account, books: Books, gate: Gate) -> None:
        self._levels = levels
        self._account = account
        self._books = books
        self._gate = gate
        self._looks = _LOOKS
        self.intent = levels.intent
        self.client_order_id = levels.client_order_id
        self.position_id: int | None = levels.position_id
        self.share: Share | None = levels.share
        self.is_astray = False
        self.exposed_cents = levels.share.opened_cents

    async def opened(self, *, beyond_cents: int) -> bool:
        """See `FilledOrder`: it was at its end."""
        return self.exposed_cents > beyond_cents

    def described(self) -> dict[str, Any]:
        """See `FilledOrder`."""
        levels = self._levels
        return {
            "client_order_id": levels.client_order_id,
            "account_id": levels.account_id,
            "symbol": levels.symbol,
            "position_id": levels.position_id,
        }

    async def protected(self, *, timeout_s: float) -> None:
        """See `FilledOrder`."""
        id_ = self._levels.position_id
        position = None
        while position is None:
            if not self._looks:
                raise RequestFailed(f"position {id_} is closed")
            self._looks -= 1
            await anyio.sleep(timeout_s)
            position = self._books.positions.position(id_)
        if position.side is not self.intent.side:
            raise RequestFailed(f"position {id_} holds nothing that order {self.client_order_id} opened")
        self._looks = 1  # it was on the list: once it is not, it is closed
        if not self._stand(position):
            raise OutcomeUnknown(
                f"position {id_} of order {self.client_order_id} does not have the levels it asked for"
            )
        levels = {"stop_loss": position.stop_loss, "take_profit": position.take_profit}
        stand = {name: f"{level:f}" for name, level in levels.items() if level is not None}
        self._gate.note("protected", {**self.described(), **stand})

    def settle(self) -> bool:
        """See `FilledOrder`: what stood there before its fill is not on record."""
        return False

    def _stand(self, position: Position) -> bool:
        symbol = self._account.book.known(position.symbol_id)
        if symbol is None:
            return False  # nor can it be closed before that is known
        asked, shown, share = self.intent.asked_levels(symbol), ShownLevels.of(position), self._levels.share
        is_first = share.others_cents == 0 or (position.opened_at_ms or 0) >= share.since_ms
        return bool(asked.are_there(shown) if is_first else asked.are_met(shown, self._levels.prices))
