"""The server's lists lag: what they do not have yet is not said to have never arrived while what is open shows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import FakeServer, faults
from anyctrader.fake.injection import Fault, OutgoingFrame
from anyctrader.session import CTraderError, Desk, Environment, MarketOrder, OrderState, Side

from .rig import QUICK, a_desk, ready_again, saying

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.02")
TIMINGS = replace(QUICK, request_s=0.5, absent_s=0.1, absent_looks=2)
LISTS = ("ProtoOAOrderListRes", "ProtoOADealListRes")


class LaggingLists(Fault):
    """The lists of orders and deals are empty."""

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        if frame.name not in LISTS:
            return (frame,)
        empty = type(frame.payload)(ctidTraderAccountId=frame.payload.ctidTraderAccountId, hasMore=False)
        return (saying(frame, empty),)


async def unanswered(
    server: FakeServer, desk: Desk, ask: Callable[[], Awaitable[Any]], request: str, count: int
) -> None:
    """Asks; the server does it, and the link is lost before it says so."""

    async def try_it() -> None:
        with pytest.raises(CTraderError):
            await ask()

    with server.faults.inject(faults.Silence()):
        async with anyio.create_task_group() as tasks:
            for _ in range(count):
                tasks.start_soon(try_it)
            await server.wait_for(request, count=count)
            server.drop_clients()


@pytest.mark.parametrize("label", [None, "my strategy"])
async def test_an_order_whose_position_is_open_is_not_called_unsent(tmp_path: Path, label: str | None) -> None:
    async with a_desk(tmp_path, timings=TIMINGS) as (server, desk):
        await desk.account(DEMO).symbol("EURUSD")
        order = replace(BUY, label=label) if label else BUY
        session = desk.session(DEMO)
        with server.faults.inject(LaggingLists()):
            await unanswered(server, desk, lambda: desk.place(DEMO, order), "ProtoOANewOrderReq", 1)
            for _ in range(4):
                await ready_again(session, links=server.drop_clients)
            (made,) = desk.orders.values()
            assert len(desk.positions(DEMO)) == 1
            assert made.state is OrderState.UNKNOWN
        await ready_again(session, links=server.drop_clients)
        assert made.state is OrderState.FILLED


@pytest.mark.parametrize("lots", ["0.01", None])
async def test_a_close_that_shows_in_what_is_open_is_not_called_unsent(tmp_path: Path, lots: str | None) -> None:
    async with a_desk(tmp_path, timings=TIMINGS) as (server, desk):
        opening = await desk.place(DEMO, BUY)
        await opening.filled()
        position_id = opening.position_id
        assert position_id is not None
        session = desk.session(DEMO)
        with server.faults.inject(LaggingLists()):
            await unanswered(
                server, desk, lambda: desk.close(DEMO, position_id, lots=lots), "ProtoOAClosePositionReq", 1
            )
            for _ in range(4):
                await ready_again(session, links=server.drop_clients)
            (close,) = [each for each in desk.orders.values() if each.record.is_close]
            assert close.state is OrderState.UNKNOWN
        await ready_again(session, links=server.drop_clients)
        assert close.state is OrderState.FILLED


async def test_two_closes_of_one_size_that_were_both_done_are_both_settled(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=TIMINGS) as (server, desk):
        opening = await desk.place(DEMO, replace(BUY, lots="0.03"))
        await opening.filled()
        position_id = opening.position_id
        assert position_id is not None
        await unanswered(server, desk, lambda: desk.close(DEMO, position_id, lots="0.01"), "ProtoOAClosePositionReq", 2)
        session = desk.session(DEMO)
        for _ in range(2):
            await ready_again(session, links=server.drop_clients)
        closes = [each for each in desk.orders.values() if each.record.is_close]
        assert [close.state for close in closes] == [OrderState.FILLED] * 2
        assert len({close.order_id for close in closes}) == 2
        await (await desk.close(DEMO, position_id)).filled()
