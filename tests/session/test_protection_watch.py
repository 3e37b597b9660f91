from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import faults
from anyctrader.fake.book import Levels
from anyctrader.session import Environment, MarketOrder, Side, Timings
from anyctrader.wire import messages as oa

from .rig import a_desk, audit_of

pytestmark = pytest.mark.anyio
DEMO = Environment.DEMO


def protective(frame: Any) -> bool:
    """The event of the server's own order that holds the levels."""
    event = frame.payload
    return isinstance(event, oa.ProtoOAExecutionEvent) and event.order.orderType == 4 and event.isServerEvent


async def on_record(folder: Path, desk: Any, fact: str) -> dict[str, Any]:
    with anyio.fail_after(10):
        while True:
            await desk.flush()
            for line in audit_of(folder):
                if line["fact"] == fact:
                    return line
            await anyio.lowlevel.checkpoint()


QUICK = Timings(protection_s=0.1, reconnect_first_s=0.02, reconnect_most_s=0.05)


async def test_a_fill_whose_levels_do_not_come_is_reported_and_stays_open(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=QUICK) as (server, desk):
        server.faults.inject(faults.Lose(1, which=protective))
        order = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20))
        await order.filled()
        line = await on_record(tmp_path, desk, "unprotected")
        assert line["client_order_id"] == order.client_order_id
        assert [position.id for position in desk.positions(DEMO)] == [order.position_id]
    assert f"unprotected order={order.client_order_id}" in (tmp_path / "demo_connection.log").read_text()


async def test_a_fill_whose_levels_do_not_come_is_closed_where_its_order_asked_for_that(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=QUICK) as (server, desk):
        server.faults.inject(faults.Lose(1, which=protective))
        ticket = MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20, close_if_unprotected=True)
        order = await desk.place(DEMO, ticket)
        await on_record(tmp_path, desk, "unprotected")
        with anyio.fail_after(10):
            while desk.positions(DEMO):
                await anyio.lowlevel.checkpoint()
        assert [o.intent.position_id for o in desk.orders.values() if o is not order] == [order.position_id]


async def test_a_fill_whose_levels_come_is_not_reported(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=QUICK) as (_, desk):
        ticket = MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20, close_if_unprotected=True)
        order = await desk.place(DEMO, ticket)
        await order.protected()
        second = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.01"))
        await second.filled()
        assert len(desk.positions(DEMO)) == 2
    assert "unprotected" not in [line["fact"] for line in audit_of(tmp_path)]


async def test_what_has_no_stop_is_closed_as_soon_as_the_session_is_back(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=QUICK) as (server, desk):
        server.faults.inject(faults.Lose(1, which=protective))
        ticket = MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20, close_if_unprotected=True)
        with server.faults.inject(faults.RefuseTls()):
            order = await desk.place(DEMO, ticket)
            await order.filled()
            for account in server.exchange.accounts.values():
                for position in account.positions.values():
                    position.levels = Levels()  # the server never set them
            server.drop_clients()
            await on_record(tmp_path, desk, "close_failed")
        with anyio.fail_after(20):
            await server.wait_for("ProtoOAClosePositionReq")
            while desk.positions(DEMO):
                await anyio.lowlevel.checkpoint()
