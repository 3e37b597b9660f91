"""Amendments of one order or position go one after the other; what ends it waits for none of them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from anyctrader.fake import faults
from anyctrader.fake.injection import Fault
from anyctrader.session import (
    Desk,
    Environment,
    LimitOrder,
    MarketOrder,
    NotSent,
    OrderAmendment,
    OutcomeUnknown,
    PositionAmendment,
    Side,
)
from anyctrader.session.turns import Turns
from anyctrader.wire import messages as oa

from .rig import EURUSD, QUICK, a_desk, audit_of, facts_of, heard, saying

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO


async def a_position(server: Any, desk: Desk) -> int:
    server.set_price(EURUSD, bid=120_000, ask=120_010)
    order = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.02"))
    await order.filled()
    assert order.position_id is not None
    return order.position_id


def turns_of(desk: Desk) -> Turns:
    (books,) = desk.session(DEMO).books.values()
    return books.turns


async def amend(desk: Desk, position_id: int) -> None:
    await desk.amend(DEMO, PositionAmendment(position_id, take_profit="1.21"))


async def raw_amend(desk: Desk, position_id: int) -> None:
    await desk.account(DEMO).request(oa.ProtoOAAmendPositionSLTPReq(positionId=position_id, takeProfit=1.21))


async def test_two_levels_of_a_position_that_are_set_at_once_are_both_in_force(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        position_id = await a_position(server, desk)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(desk.amend, DEMO, PositionAmendment(position_id, stop_loss="1.19"))
            tasks.start_soon(desk.amend, DEMO, PositionAmendment(position_id, take_profit="1.21"))
        (position,) = desk.positions(DEMO)
        assert (position.stop_loss, position.take_profit) == (Decimal("1.19"), Decimal("1.21"))
        assert len(turns_of(desk)) == 0
    assert "levels_differ" not in facts_of(tmp_path)


async def test_two_levels_of_an_order_that_are_set_at_once_are_both_in_force(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        server.set_price(EURUSD, bid=120_000, ask=120_010)
        placed = await desk.place(DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.1"))
        assert placed.order_id is not None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(desk.amend, DEMO, OrderAmendment(placed.order_id, stop_loss="1.05"))
            tasks.start_soon(desk.amend, DEMO, OrderAmendment(placed.order_id, take_profit="1.15"))
        (order,) = desk.pending_orders(DEMO)
        assert (order.stop_loss, order.take_profit) == (Decimal("1.05"), Decimal("1.15"))
        assert len(turns_of(desk)) == 0
    assert "levels_differ" not in facts_of(tmp_path)


async def test_an_amendment_is_built_from_what_a_raw_one_before_it_left(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        position_id = await a_position(server, desk)
        raw = oa.ProtoOAAmendPositionSLTPReq(positionId=position_id, stopLoss=1.19)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(desk.account(DEMO).request, raw)
            with anyio.fail_after(5):
                while not len(turns_of(desk)):
                    await anyio.lowlevel.checkpoint()
            tasks.start_soon(desk.amend, DEMO, PositionAmendment(position_id, take_profit="1.21"))
        (position,) = desk.positions(DEMO)
        assert (position.stop_loss, position.take_profit) == (Decimal("1.19"), Decimal("1.21"))


@pytest.mark.parametrize("raw", [False, True], ids=["desk", "raw"])
async def test_one_that_waits_too_long_for_the_one_before_it_does_not_leave_and_a_close_does_not_wait(
    tmp_path: Path, raw: bool
) -> None:
    timings = replace(QUICK, order_queue_s=0.3)
    async with a_desk(tmp_path, timings=timings) as (server, desk):
        position_id = await a_position(server, desk)
        await desk.account(DEMO).symbol("EURUSD")
        second = raw_amend if raw else amend
        since = server.seen.total
        with server.faults.inject(faults.Unanswering("ProtoOAExecutionEvent")):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(desk.amend, DEMO, PositionAmendment(position_id, stop_loss="1.19"))
                await server.wait_for("ProtoOAAmendPositionSLTPReq", since=since)
                with pytest.raises(NotSent, match="the change before it"):
                    await second(desk, position_id)
                tasks.start_soon(desk.close, DEMO, position_id)
                with anyio.fail_after(1):
                    await server.wait_for("ProtoOAClosePositionReq", since=since)
                tasks.cancel_scope.cancel()
        assert len(heard(server, oa.ProtoOAAmendPositionSLTPReq)) == 1
        assert len(turns_of(desk)) == 0


async def test_after_one_of_unknown_outcome_the_one_that_waited_for_it_does_not_leave(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=replace(QUICK, request_s=0.4)) as (server, desk):
        position_id = await a_position(server, desk)
        failed: list[Exception] = []

        async def attempt(change: PositionAmendment) -> None:
            try:
                await desk.amend(DEMO, change)
            except (NotSent, OutcomeUnknown) as error:
                failed.append(error)

        with server.faults.inject(faults.Unanswering("ProtoOAExecutionEvent")):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(attempt, PositionAmendment(position_id, stop_loss="1.19"))
                tasks.start_soon(attempt, PositionAmendment(position_id, take_profit="1.21"))
        assert [type(error) for error in failed] == [OutcomeUnknown, NotSent]
        assert "find out first" in str(failed[1])


class WithoutStop(Fault):
    """The server tells of the position without the stop loss that was asked for."""

    def outgoing(self, frame: Any) -> tuple[Any, ...]:
        if frame.name != "ProtoOAExecutionEvent" or not frame.payload.position.stopLoss:
            return (frame,)
        event: Any = oa.ProtoOAExecutionEvent()
        event.CopyFrom(frame.payload)
        event.position.ClearField("stopLoss")
        return (saying(frame, event),)


@pytest.mark.parametrize("raw", [False, True], ids=["desk", "raw"])
async def test_levels_that_are_not_as_they_were_asked_for_are_told_and_on_record(tmp_path: Path, raw: bool) -> None:
    async with a_desk(tmp_path) as (server, desk):
        position_id = await a_position(server, desk)
        with server.faults.inject(WithoutStop()):
            if raw:
                request = oa.ProtoOAAmendPositionSLTPReq(positionId=position_id, stopLoss=1.19)
                await desk.account(DEMO).request(request)
            else:
                await desk.amend(DEMO, PositionAmendment(position_id, stop_loss="1.19"))
    (line,) = [line for line in audit_of(tmp_path) if line["fact"] == "levels_differ"]
    assert (line["position_id"], line["reason"]) == (
        position_id,
        f"position {position_id} has other levels than were asked for",
    )
    assert "levels_differ" in (tmp_path / "demo_connection.log").read_text()
