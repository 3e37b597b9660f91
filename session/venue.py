"""The adapter: what an order router, or an engine that trades on paper, programs against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .amendments import OrderAmendment, PositionAmendment
    from .environments import Environment
    from .holdings import Position
    from .tickets import Ticket

__all__ = ["PlacedOrder", "Venue"]


class PlacedOrder(Protocol):
    """What a venue gives for an order. `anyctrader.session.Order` is one."""

    @property
    def client_order_id(self) -> str:
        """Our id of it."""

    @property
    def order_id(self) -> int | None:
        """The venue's id of it, once there is one."""

    @property
    def position_id(self) -> int | None:
        """The position that it opens or closes, once that is known."""

    async def filled(self, *, timeout_s: float = ...) -> Any:
        """Waits until all of it is filled: `price`, `volume_cents`, `realised`."""


@runtime_checkable
class Venue(Protocol):
    """Where orders go, by environment. `Desk` is one; docs/venue.md shows another behind the same calls.

    All of them raise the subclasses of `RequestFailed`, which say whether the call may be repeated.
    """

    async def place(self, environment: Environment, ticket: Ticket) -> PlacedOrder:
        """Places an order; returns at the venue's first answer."""

    async def amend(self, environment: Environment, change: OrderAmendment | PositionAmendment) -> None:
        """Changes a pending order, or the levels of a position."""

    async def cancel(self, environment: Environment, order_id: int) -> None:
        """Takes back a pending order."""

    async def close(
        self,
        environment: Environment,
        position_id: int,
        *,
        lots: Any = None,
        units: Any = None,
        volume_cents: Any = None,
    ) -> PlacedOrder:
        """Closes a position, or a part of it."""

    def positions(self, environment: Environment) -> Sequence[Position]:
        """What is open."""
