"""Each public operation cancelled after 0 to n turns of the scheduler: the link still works, and nobody is mixed up."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from anyctrader.fake.injection import Fault, OutgoingFrame
from anyctrader.session import (
    EVERY,
    Account,
    AuditUnavailable,
    CTraderError,
    Desk,
    Environment,
    LimitOrder,
    MarketOrder,
    Mode,
    OrderAmendment,
    OrderState,
    Session,
    Side,
    open_desk,
)
from anyctrader.wire import messages as oa

from .rig import EURUSD, a_desk, a_server, an_account, blocked, connected, desk_settings, heard, side_of

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")
TICKS = range(14)  # an answer is here after ten turns or so
EVERY_TURN = bool(os.environ.get("ANYCTRADER_EVERY_TURN"))


def turns_to(stop: int, step: int) -> range:
    """Some of the turns; all of them where somebody has the time."""
    return range(0, stop, 1 if EVERY_TURN else step)


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
    with anyio.fail_after(
        30
    ):  # the desk may be asking for something of its own; what was cancelled would stay for good
        while session.link.queued or session.link._waiting:
            await blocked()
    assert session.link.connection.open_ids == frozenset()


async def nothing_left(session: Session, account: Account) -> None:
    assert account.board.wanted == ()
    assert account._events == []
    assert session._supervisor.course._watchers == []


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


class Parked(Fault):
    """Lets so many frames of the server's through, and none after them."""

    def __init__(self, frames: int) -> None:
        self._left = frames

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        self._left -= 1
        return (frame,) if self._left >= 0 else ()


@pytest.mark.parametrize("name", READS)
async def test_a_read_that_is_cancelled_while_the_server_keeps_any_of_its_answers_leaves_the_link_sound(
    name: str,
) -> None:
    for answers in range(4):  # symbol list, symbols, subscription, quote: no operation waits for more
        async with an_account() as (server, session, account):
            parked = server.faults.inject(Parked(answers))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(READS[name], session, account)
                await blocked()
                await anyio.sleep(0.05)  # the answers that may come have come; nothing tells that no other will
                tasks.cancel_scope.cancel()
            parked.remove()
            await still_sound(session, account)
            await nothing_left(session, account)
            assert server.seen.names().count("connected") == 1


@pytest.mark.parametrize("turns", turns_to(60, 6))
async def test_connecting_that_is_cancelled_at_any_turn_leaves_nothing_open(turns: int, tmp_path: Path) -> None:
    async with a_server() as server:
        await blocked()
        before = {task.id for task in anyio.get_running_tasks()}

        async def connect_and_wait() -> None:
            async with connected(server, token_folder=tmp_path):
                await anyio.sleep_forever()

        await cancelled_after(turns, connect_and_wait)
        opened = server.seen.names().count("connected")
        if opened:
            await server.wait_for("closed", count=opened)
        await blocked()
        # What is left, if anything, is the server's end of a handshake that it will give up.
        left = [task.name for task in anyio.get_running_tasks() if task.id not in before]
        assert [name for name in left if name is None or ".session." in name] == []
        async with connected(server, token_folder=tmp_path) as session:
            await still_sound(session, await session.authorize(server.account_id))


@pytest.mark.parametrize("turns", turns_to(60, 12))
async def test_opening_a_desk_that_is_cancelled_at_any_turn_leaves_it_to_be_opened_again(
    turns: int, tmp_path: Path
) -> None:
    async with a_server() as server:
        settings = desk_settings(tmp_path, side_of(server))

        async def open_and_wait() -> None:
            async with open_desk(settings):
                await anyio.sleep_forever()

        await cancelled_after(turns, open_and_wait)
        while True:
            try:
                async with open_desk(settings) as desk:
                    await (await desk.place(DEMO, BUY)).filled()
            except (
                AuditUnavailable
            ) as error:  # a thread that was left behind gives its lock up as soon as it is through
                assert "is being written by" in str(error)  # noqa: PT017
                await anyio.lowlevel.checkpoint()
            else:
                return


async def test_an_authorisation_that_is_cancelled_at_any_turn_can_be_had_again() -> None:
    for ticks in turns_to(len(TICKS), 2):
        async with a_server() as server, connected(server) as session:
            await cancelled_after(ticks, lambda session=session, id_=server.account_id: session.authorize(id_))  # type: ignore[misc]
            again = await session.authorize(server.account_id)
            await still_sound(session, again)


async def settled(desk: Desk) -> None:
    for order in desk.orders.values():
        await order.finished()


async def test_an_order_that_is_cancelled_at_any_turn_is_either_sent_once_or_not_at_all(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        await (await desk.place(DEMO, BUY)).filled()
        for ticks in turns_to(30, 2):
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
        for ticks in turns_to(24, 4):
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


async def test_waits_for_an_order_that_are_cancelled_at_any_turn_take_its_end_from_nobody(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        server.set_price(EURUSD, bid=120_000, ask=120_010)
        order = await desk.place(DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.19", stop_loss="1.18"))
        for ticks in TICKS:
            for wait in (order.accepted, order.filled, order.protected, order.finished):
                await cancelled_after(ticks, wait)
        await still_sound(desk.session(DEMO), desk.account(DEMO))
        async with anyio.create_task_group() as tasks:
            for wait in (order.accepted, order.filled, order.protected, order.finished):
                tasks.start_soon(wait)
            await blocked()
            server.set_price(EURUSD, bid=118_990, ask=119_000)
        assert order.state is OrderState.FILLED
        assert desk.positions(DEMO)[0].stop_loss is not None


async def test_halts_and_resumes_that_are_cancelled_at_any_turn_leave_one_or_the_other(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        for ticks in TICKS:
            await cancelled_after(ticks, lambda: desk.halt(DEMO, why="a drill"))
            assert desk.mode(DEMO) in (Mode.OFF, Mode.ON)
            await cancelled_after(ticks, lambda: desk.resume(DEMO))
            assert desk.mode(DEMO) in (Mode.OFF, Mode.ON)
        await desk.halt(DEMO, why="the last")
        assert desk.mode(DEMO) is Mode.OFF
        await desk.resume(DEMO)
        assert (await (await desk.place(DEMO, BUY)).filled()).volume_cents == 100_000
        assert len(heard(server, oa.ProtoOANewOrderReq)) == 1
        await still_sound(desk.session(DEMO), desk.account(DEMO))
