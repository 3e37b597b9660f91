"""The one adapter: what is written against it works with the desk and with any other engine."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from anyctrader.session import (
    Desk,
    Environment,
    MarketOrder,
    OrderAmendment,
    PlacedOrder,
    Position,
    PositionAmendment,
    Side,
    Ticket,
    Venue,
)

from .rig import LOT_CENTS, a_desk

pytestmark = pytest.mark.anyio

CALLS = ("place", "amend", "cancel", "close", "positions")


@dataclass
class PaperOrder:
    client_order_id: str
    order_id: int | None = None
    position_id: int | None = None

    async def filled(self, *, timeout_s: float = 10.0) -> Any:
        return self


@dataclass
class Paper:
    """An engine that fills everything in its head."""

    held: dict[Environment, list[Position]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def place(self, environment: Environment, ticket: Ticket) -> PlacedOrder:
        self.asked.append(f"place {environment.value} {ticket.symbol}")
        number = len(self.asked)
        self.held.setdefault(environment, []).append(
            Position(id=number, symbol_id=1, side=ticket.side, status=1, volume_cents=LOT_CENTS, price=None)
        )
        return PaperOrder(f"paper-{number}", number, number)

    async def amend(self, environment: Environment, change: OrderAmendment | PositionAmendment) -> None:
        self.asked.append(f"amend {environment.value}")

    async def cancel(self, environment: Environment, order_id: int) -> None:
        self.asked.append(f"cancel {environment.value} {order_id}")

    async def close(
        self,
        environment: Environment,
        position_id: int,
        *,
        lots: Any = None,
        units: Any = None,
        volume_cents: Any = None,
    ) -> PlacedOrder:
        self.asked.append(f"close {environment.value} {position_id}")
        self.held[environment] = [position for position in self.held[environment] if position.id != position_id]
        return PaperOrder(f"paper-{len(self.asked)}", position_id=position_id)

    def positions(self, environment: Environment) -> Sequence[Position]:
        return self.held.get(environment, [])


async def in_and_out(venue: Venue, environment: Environment) -> None:
    """What a router does: it knows the adapter and nothing else."""
    order = await venue.place(environment, MarketOrder("EURUSD", Side.BUY, lots="0.01"))
    await order.filled()
    assert [position.id for position in venue.positions(environment)] == [order.position_id]
    assert order.position_id is not None
    await venue.amend(environment, PositionAmendment(order.position_id, stop_loss="0.5"))
    closing = await venue.close(environment, order.position_id)
    await closing.filled()
    assert list(venue.positions(environment)) == []
    assert order.client_order_id != closing.client_order_id


async def test_a_router_trades_through_the_desk(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        assert isinstance(desk, Venue)
        await in_and_out(desk, Environment.DEMO)
        assert server.violations == ()


async def test_the_same_router_trades_on_paper() -> None:
    paper = Paper()
    assert isinstance(paper, Venue)
    await in_and_out(paper, Environment.LIVE)
    assert paper.asked == ["place live EURUSD", "amend live", "close live 1"]


@pytest.mark.parametrize("call", CALLS)
def test_the_desk_takes_what_the_adapter_promises(call: str) -> None:
    promised = inspect.signature(getattr(Venue, call)).parameters
    taken = inspect.signature(getattr(Desk, call)).parameters
    assert [(p.name, p.kind, p.default) for p in taken.values()] == [
        (p.name, p.kind, p.default) for p in promised.values()
    ]
    assert inspect.iscoroutinefunction(getattr(Desk, call)) is inspect.iscoroutinefunction(getattr(Venue, call))
