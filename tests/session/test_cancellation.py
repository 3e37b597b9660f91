"""Each public operation cancelled after 0 to n turns of the scheduler: the link still works, and nobody is mixed up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from anyctrader.session import (
    EVERY,
    Account,
    CTraderError,
    Desk,
    Environment,
    LimitOrder,
    MarketOrder,
    OrderAmendment,
    OrderState,
    Session,
    Side,
)
from anyctrader.wire import messages as oa

from .rig import EURUSD, a_desk, an_account, blocked, heard

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")
TICKS = range(14)  # an answer is here after ten turns or so


async def cancelled_after(ticks: int, operation: Callable[[], Awaitable[Any]]) -> None:
    """Starts an operation, and cancels it after so many turns of the scheduler, unless it has ended."""
    async with anyio.create_task_group() as tasks:

        async def run() -> None:
            try:
                await operation()
            except CTraderError:
                pass  # ended in its own way before it could be cancelled

        tasks.start_soon(run)
        for _ in range(ticks):
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()


async def still_sound(session: Session, account: Account) -> None:
    """The link is the same one, it answers, and each gets its own answer."""
    answers: dict[int, Any] = {}

    async def ask(symbol_id: int) -> None:
        answers[symbol_id] = await account.request(oa.ProtoOASymbolByIdReq(symbolId=[symbol_id]))

    async with anyio.create_task_group() as tasks:
        for symbol_id in (1, 2, 4):
            tasks.start_soon(ask, symbol_id)
    assert {wanted: answer.symbol[0].symbolId for wanted, answer in answers.items()} == {1: 1, 2: 2, 4: 4}
    assert session.link is not None
    assert session.link.queued == 0
    assert session.link._waiting == {}
    assert session.link.connection.open_ids == frozenset()


async def nothing_left(session: Session, account: Account) -> None:
    assert account.board.wanted == ()
    assert account._events == []
    assert session._supervisor._watchers == []


async def subscribe(account: Account) -> None:
    async with account.spots("EURUSD", "GBPUSD", policy=EVERY) as spots:
        async for _ in spots:
            break


async def listen(account: Account) -> None:
    async with account.events() as events, account.spots("EURUSD"):
        async for _ in events:
            break


async def watch(session: Session) -> None:
    async with session.changes() as changes:
        async for _ in changes:
            pass


READS: dict[str, Callable[[Session, Account], Awaitable[Any]]] = {
    "request": lambda session, _: session.request(oa.ProtoOAVersionReq()),
    "account request": lambda _, account: account.request(oa.ProtoOATraderReq()),
    "accounts": lambda session, _: session.accounts(),
    "symbol": lambda _, account: account.symbol_by_id(EURUSD),
    "spots": lambda _, account: subscribe(account),
    "events": lambda _, account: listen(account),
    "changes": lambda session, _: watch(session),
}


@pytest.mark.parametrize("name", READS)
async def test_a_read_that_is_cancelled_at_any_turn_leaves_the_link_sound(name: str) -> None:
    async with an_account() as (server, session, account):
        for ticks in TICKS:
            await cancelled_after(ticks, lambda: READS[name](session, account))
        await still_sound(session, account)
        await nothing_left(session, account)
        assert server.seen.names().count("connected") == 1
        assert all("subscri" in violation for violation in server.violations)  # asked twice, or given up unasked


async def test_an_authorisation_that_is_cancelled_at_any_turn_can_be_had_again() -> None:
    for ticks in range(0, len(TICKS), 2):
        async with an_account() as (_, session, account):
            session._supervisor.accounts.clear()
            await cancelled_after(ticks, lambda session=session, id_=account.id: session.authorize(id_))  # type: ignore[misc]
            again = await session.authorize(account.id)
            await still_sound(session, again)


async def settled(desk: Desk) -> None:
    for order in desk.orders.values():
        await order.finished()


async def test_an_order_that_is_cancelled_at_any_turn_is_either_sent_once_or_not_at_all(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        await (await desk.place(DEMO, BUY)).filled()
        for ticks in range(0, 30, 2):
            await cancelled_after(ticks, lambda: desk.place(DEMO, BUY))
        await settled(desk)
        sent = [request.clientOrderId for request in heard(server, oa.ProtoOANewOrderReq)]
        left = [id_ for id_, order in desk.orders.items() if order.state is not OrderState.NOT_SENT]
        assert sorted(sent) == sorted(left)
        assert {order.state for order in desk.orders.values()} <= {OrderState.FILLED, OrderState.NOT_SENT}
        assert {position.id for position in desk.positions(DEMO)} == {
            order.position_id for order in desk.orders.values() if order.state is OrderState.FILLED
        }
        await still_sound(desk.session(DEMO), desk.account(DEMO))


async def test_closes_amends_and_cancels_that_are_cancelled_at_any_turn_happen_once_or_not_at_all(
    tmp_path: Path,
) -> None:
    positions: set[int] = set()
    async with a_desk(tmp_path) as (server, desk):
        for ticks in range(0, 24, 4):
            opened = await desk.place(DEMO, BUY)
            await opened.filled()
            pending = await desk.place(DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.0"))
            assert opened.position_id is not None
            assert pending.order_id is not None
            positions.add(opened.position_id)
            change = OrderAmendment(pending.order_id, price="1.01")
            await cancelled_after(ticks, lambda id_=opened.position_id: desk.close(DEMO, id_))  # type: ignore[misc]
            await cancelled_after(ticks, lambda change=change: desk.amend(DEMO, change))  # type: ignore[misc]
            await cancelled_after(ticks, lambda id_=pending.order_id: desk.cancel(DEMO, id_))  # type: ignore[misc]
        await still_sound(desk.session(DEMO), desk.account(DEMO))
        await blocked()
        closes = [request.positionId for request in heard(server, oa.ProtoOAClosePositionReq)]
        assert len(closes) == len(set(closes))
        exchange = server.exchange.accounts[server.account_id]
        assert {position.id for position in desk.positions(DEMO)} == {
            position.position_id for position in exchange.positions.values() if position.volume
        }
        assert {position.id for position in desk.positions(DEMO)} ^ set(closes) == positions
        closings = [order for order in desk.orders.values() if order.side is Side.SELL]
        assert {await order.finished() for order in closings} <= {OrderState.FILLED, OrderState.NOT_SENT}
