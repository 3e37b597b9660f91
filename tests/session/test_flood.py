"""Trading requests while more queries wait than may leave in a long time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from anyctrader.fake import FakeServer
from anyctrader.session import CTraderError, Desk, Environment, MarketOrder, OrderState, Side
from anyctrader.wire import Message
from anyctrader.wire import messages as oa

from .rig import LOT_CENTS, a_desk, heard

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.02")


@asynccontextmanager
async def flooded(server: FakeServer, desk: Desk) -> AsyncIterator[None]:
    """Six seconds' worth of queries, of which the first have left."""

    async def ask() -> None:
        try:
            await desk.account(DEMO).request(oa.ProtoOATraderReq())
        except CTraderError:
            pass  # not answered in its time

    before = len(heard(server, oa.ProtoOATraderReq))
    async with anyio.create_task_group() as tasks:
        for _ in range(300):
            tasks.start_soon(ask)
        await server.wait_for("ProtoOATraderReq", count=before + 1)
        yield
        tasks.cancel_scope.cancel()


def forget_symbols(desk: Desk) -> None:
    account = desk.account(DEMO)
    symbols = oa.ProtoOASymbolChangedEvent(ctidTraderAccountId=account.id, symbolId=[1])
    account.heard(Message(symbols))


@pytest.mark.parametrize("size", [{}, {"volume_cents": LOT_CENTS}], ids=["all of it", "a part"])
async def test_a_close_goes_ahead_of_the_queries_that_wait_with_all_that_it_needs_to_know(
    tmp_path: Path, size: dict[str, int]
) -> None:
    async with a_desk(tmp_path) as (server, desk):
        order = await desk.place(DEMO, BUY)
        await order.filled()
        assert order.position_id is not None
        forget_symbols(desk)
        async with flooded(server, desk):
            close = await desk.close(DEMO, order.position_id, **size)
            await close.filled()
            assert len(heard(server, oa.ProtoOATraderReq)) < 250


async def test_an_order_of_a_symbol_never_read_goes_ahead_of_the_queries_that_wait(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        async with flooded(server, desk):
            order = await desk.place(DEMO, BUY)
            await order.filled()
            assert order.state is OrderState.FILLED
            assert len(heard(server, oa.ProtoOATraderReq)) < 250
