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
from anyctrader.session import CTraderError, Desk, Environment, MarketOrder, OrderState, Side, open_desk
from anyctrader.wire import messages as oa

from .rig import (
    EURUSD,
    LOT_CENTS,
    QUICK,
    a_desk,
    a_server,
    audit_of,
    desk_settings,
    ready_again,
    saying,
    side_of,
)

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.02")
TIMINGS = replace(QUICK, absent_s=0.1, absent_looks=2)
LISTS = ("ProtoOAOrderListRes", "ProtoOADealListRes")


class LaggingLists(Fault):
    """The lists of orders and deals are empty."""

    def outgoing(self, frame: OutgoingFrame) -> Iterable[OutgoingFrame]:
        if frame.name not in LISTS:
            return (frame,)
        empty = type(frame.payload)(ctidTraderAccountId=frame.payload.ctidTraderAccountId, hasMore=False)
        return (saying(frame, empty),)


async def unanswered(
    server: FakeServer,
    desk: Desk,
    ask: Callable[[], Awaitable[Any]],
    request: str,
    count: int,
    times: int | None = None,
) -> None:
    """Asks; the server does it, and the link is lost before it says so."""

    async def try_it() -> None:
        with pytest.raises(CTraderError):
            await ask()

    with server.faults.inject(faults.Silence()):
        async with anyio.create_task_group() as tasks:
            for _ in range(count if times is None else times):
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


RAW_BUY = oa.ProtoOANewOrderReq(
    symbolId=EURUSD,
    orderType=oa.ProtoOAOrderType.MARKET,
    tradeSide=oa.ProtoOATradeSide.BUY,
    volume=LOT_CENTS,
    clientOrderId="mine",
)


@pytest.mark.parametrize("closes", [False, True])
async def test_a_raw_request_whose_work_is_open_to_see_is_never_called_without_effect(
    tmp_path: Path, closes: bool
) -> None:
    async with a_desk(tmp_path, timings=TIMINGS) as (server, desk):
        opening = await desk.place(DEMO, BUY)
        await opening.filled()
        request: Any = RAW_BUY
        if closes:
            request = oa.ProtoOAClosePositionReq(positionId=opening.position_id, volume=LOT_CENTS)
        books, session = desk.session(DEMO).books[server.account_id], desk.session(DEMO)
        with server.faults.inject(LaggingLists()):
            name = type(request).__name__
            count = server.seen.names().count(name) + 1
            await unanswered(server, desk, lambda: desk.account(DEMO).request(request), name, count, times=1)
            with anyio.fail_after(10):
                while books.doubts:
                    await ready_again(session, links=server.drop_clients)
        await desk.flush()
    (line,) = [line for line in audit_of(tmp_path) if "outcome" in line]
    assert (line["outcome"], "look yourself" in line["reason"]) == ("undecided", True)


async def test_a_close_that_shows_in_what_is_open_after_a_restart_is_not_called_unsent(tmp_path: Path) -> None:
    async with a_server() as server:
        settings = desk_settings(tmp_path, side_of(server, timings=TIMINGS))
        with server.faults.inject(LaggingLists()):
            async with open_desk(settings) as desk:
                opening = await desk.place(DEMO, BUY)
                await opening.filled()
                position_id = opening.position_id
                assert position_id is not None
                await unanswered(
                    server, desk, lambda: desk.close(DEMO, position_id, lots="0.01"), "ProtoOAClosePositionReq", 1
                )
                await desk.flush()
            async with open_desk(settings) as desk:
                for _ in range(4):
                    await ready_again(desk.session(DEMO), links=server.drop_clients)
                (close,) = [each for each in desk.orders.values() if each.record.is_close]
                assert close.state is OrderState.UNKNOWN
