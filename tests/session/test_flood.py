"""Trading requests while more queries wait than may leave in a long time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from anyctrader.fake import FakeServer
from anyctrader.session import CTraderError, Desk, Environment, LimitOrder, MarketOrder, Side, open_desk
from anyctrader.wire import messages as oa

from .rig import LOT_CENTS, a_server, desk_settings, heard, ready_again, side_of

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO


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


@pytest.mark.parametrize("size", [{}, {"volume_cents": LOT_CENTS}], ids=["all of it", "a part"])
async def test_what_was_open_before_this_process_closes_ahead_of_the_queries_that_wait(
    tmp_path: Path, size: dict[str, int]
) -> None:
    async with a_server() as server:
        settings = desk_settings(tmp_path, side_of(server))
        async with open_desk(settings) as desk:
            order = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.02"))
            await order.filled()
            pending = await desk.place(DEMO, LimitOrder("GBPUSD", Side.BUY, lots="0.01", price="1.0"))
        assert order.position_id is not None
        assert pending.order_id is not None
        async with open_desk(settings) as desk, flooded(server, desk):
            close = await desk.close(DEMO, order.position_id, **size)
            await close.filled()
            await desk.cancel(DEMO, pending.order_id)
            assert len(heard(server, oa.ProtoOATraderReq)) < 250


async def test_the_symbols_of_what_is_open_are_read_before_anybody_needs_them_and_once(tmp_path: Path) -> None:
    async with a_server() as server:
        settings = desk_settings(tmp_path, side_of(server))
        async with open_desk(settings) as desk:
            await (await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.01"))).filled()
            await desk.place(DEMO, LimitOrder("GBPUSD", Side.BUY, lots="0.01", price="1.0"))
        before = len(heard(server, oa.ProtoOASymbolByIdReq))
        async with open_desk(settings) as desk:
            await ready_again(desk.session(DEMO), links=server.drop_clients)
        read = [id_ for request in heard(server, oa.ProtoOASymbolByIdReq)[before:] for id_ in request.symbolId]
        assert len(read) == len(set(read)) == 2


async def test_the_first_order_of_a_symbol_goes_ahead_of_the_queries_that_wait(tmp_path: Path) -> None:
    async with a_server() as server, open_desk(desk_settings(tmp_path, side_of(server))) as desk:
        async with flooded(server, desk):
            await (await desk.place(DEMO, MarketOrder("GBPUSD", Side.BUY, lots="0.01"))).filled()
            assert len(heard(server, oa.ProtoOATraderReq)) < 200
