"""An amendment overwrites what it does not mention, so that is read from the server just before, and never dropped."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import ExchangeSettings, faults
from anyctrader.fake.exchange_settings import Delays
from anyctrader.session import (
    Desk,
    Environment,
    LimitOrder,
    MarketOrder,
    Mode,
    NotSent,
    OrderAmendment,
    PositionAmendment,
    Refused,
    Side,
    open_desk,
)
from anyctrader.wire import messages as oa

from .rig import EURUSD, LOT_CENTS, QUICK, a_desk, a_server, desk_settings, heard, side_of
from .test_trading import hold_back, queued

pytestmark = pytest.mark.anyio
DEMO = Environment.DEMO
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")


async def levels(desk: Desk) -> tuple[Decimal | None, Decimal | None]:
    """Those of the only position, as the server has them."""
    (position,) = (await desk.account(DEMO).request(oa.ProtoOAReconcileReq())).position
    stop_loss, take_profit = (
        Decimal(str(round(level, 5))) or None for level in (position.stopLoss, position.takeProfit)
    )
    return stop_loss, take_profit


async def with_a_stop(server: Any, desk: Desk) -> Any:
    server.set_price(EURUSD, bid=119_000, ask=119_010)
    order = await desk.place(DEMO, replace(BUY, stop_loss_pips=20))
    await order.filled()
    return order


async def test_levels_that_a_fill_is_to_bring_are_waited_for(tmp_path: Path) -> None:
    exchange = ExchangeSettings(delays=replace(Delays.none(), follow_up_ms=300))
    async with a_desk(tmp_path, exchange=exchange) as (server, desk):
        order = await with_a_stop(server, desk)
        assert desk.positions(DEMO)[0].stop_loss is None
        await desk.amend(DEMO, PositionAmendment(order.position_id, take_profit="1.195"))
        assert await levels(desk) == (Decimal("1.1881"), Decimal("1.195"))
        await order.protected()


async def test_nothing_leaves_while_they_may_still_come_and_time_is_up(tmp_path: Path) -> None:
    exchange = ExchangeSettings(delays=replace(Delays.none(), follow_up_ms=60_000))
    timings = replace(QUICK, order_queue_s=0.2, protection_s=60)
    async with a_desk(tmp_path, exchange=exchange, timings=timings) as (server, desk):
        order = await with_a_stop(server, desk)
        with pytest.raises(NotSent, match=r"the stop loss that order .* asked for is still to come"):
            await desk.amend(DEMO, PositionAmendment(order.position_id, take_profit="1.195"))
        assert heard(server, oa.ProtoOAAmendPositionSLTPReq) == []
        await desk.amend(DEMO, PositionAmendment(order.position_id, stop_loss="1.18"))  # who gives it need not wait
        assert await levels(desk) == (Decimal("1.18"), None)


@pytest.mark.parametrize("which", ["late", "lost"])
async def test_a_stop_whose_event_has_not_come_is_kept(tmp_path: Path, which: str) -> None:
    fault = {"late": faults.Late(1.0, nth=3, which="ProtoOAExecutionEvent")}.get(
        which, faults.Lose(3, which="ProtoOAExecutionEvent")
    )
    async with a_desk(tmp_path, timings=replace(QUICK, protection_s=0.2)) as (server, desk):
        server.faults.inject(fault)
        order = await with_a_stop(server, desk)
        await desk.amend(DEMO, PositionAmendment(order.position_id, take_profit="1.195"))
        assert await levels(desk) == (Decimal("1.1881"), Decimal("1.195"))


async def test_what_another_client_has_changed_unheard_is_kept(tmp_path: Path) -> None:
    async with a_server() as server:
        server.set_price(EURUSD, bid=119_000, ask=119_010)
        async with (
            open_desk(desk_settings(tmp_path / "a", side_of(server))) as desk,
            open_desk(desk_settings(tmp_path / "b", side_of(server))) as other,
        ):
            order = await desk.place(DEMO, BUY)
            await order.filled()
            assert order.position_id is not None
            pending = await desk.place(
                DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.18", stop_loss="1.17")
            )
            assert pending.order_id is not None
            with anyio.fail_after(5):
                while not (other.positions(DEMO) and other.pending_orders(DEMO)):  # noqa: ASYNC110
                    await anyio.sleep(0.01)
            server.faults.inject(faults.Lose(1, which="ProtoOAExecutionEvent"), client=1)
            await other.amend(DEMO, PositionAmendment(order.position_id, stop_loss="1.18"))
            server.faults.inject(faults.Lose(1, which="ProtoOAExecutionEvent"), client=1)
            await other.amend(DEMO, OrderAmendment(pending.order_id, stop_loss="1.175"))
            assert desk.positions(DEMO)[0].stop_loss is None
            await desk.amend(DEMO, PositionAmendment(order.position_id, take_profit="1.195"))
            await desk.amend(DEMO, OrderAmendment(pending.order_id, price="1.181"))
            assert await levels(desk) == (Decimal("1.18"), Decimal("1.195"))
            (held,) = desk.pending_orders(DEMO)
            assert (held.limit_price, held.stop_loss) == (Decimal("1.181"), Decimal("1.175"))


async def test_where_it_may_only_be_reduced_a_trailing_stop_is_not_put_back(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        server.set_price(EURUSD, bid=119_000, ask=119_010)
        order = await desk.place(DEMO, replace(BUY, stop_loss_pips=20, trailing_stop=True))
        await order.protected()
        assert order.position_id is not None
        await desk.halt(DEMO, why="a test", mode=Mode.REDUCE_ONLY)
        with server.faults.inject(faults.Lose(1, which="ProtoOATrailingSLChangedEvent")):
            server.set_price(EURUSD, bid=119_100, ask=119_110)
            moved, _ = await levels(desk)
            assert moved is not None
            assert desk.positions(DEMO)[0].stop_loss == Decimal("1.1881") < moved
            await desk.amend(DEMO, PositionAmendment(order.position_id, take_profit="1.195"))
        assert await levels(desk) == (moved, Decimal("1.195"))


async def test_who_gives_both_levels_is_not_held_up_by_a_list_that_cannot_be_read(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=replace(QUICK, order_queue_s=0.3)) as (server, desk):
        server.set_price(EURUSD, bid=119_000, ask=119_010)
        order = await desk.place(DEMO, BUY)
        await order.filled()
        assert order.position_id is not None
        with server.faults.inject(faults.Unanswering("ProtoOAReconcileRes")):
            with pytest.raises((NotSent, Refused), match="what it needs to know did not come"):
                await desk.amend(DEMO, PositionAmendment(order.position_id, take_profit="1.195"))
            await desk.amend(DEMO, PositionAmendment(order.position_id, take_profit="1.195", stop_loss="1.18"))
        assert await levels(desk) == (Decimal("1.18"), Decimal("1.195"))


RAW = {
    "market": oa.ProtoOANewOrderReq(symbolId=EURUSD, orderType=1, tradeSide=1, volume=LOT_CENTS, relativeStopLoss=1000),
    "limit": oa.ProtoOANewOrderReq(
        symbolId=EURUSD, orderType=2, tradeSide=1, volume=LOT_CENTS, limitPrice=1.19, stopLoss=1.18
    ),
}


async def opened_by(desk: Desk) -> int:
    """The only position, as soon as its event has come."""
    with anyio.fail_after(10):
        while not desk.positions(DEMO):
            await anyio.lowlevel.checkpoint()
    return desk.positions(DEMO)[0].id


@pytest.mark.parametrize("which", RAW)
async def test_levels_that_the_fill_of_a_raw_order_is_to_bring_are_waited_for(tmp_path: Path, which: str) -> None:
    exchange = ExchangeSettings(delays=replace(Delays.none(), follow_up_ms=300))
    async with a_desk(tmp_path, exchange=exchange) as (server, desk):
        server.set_price(EURUSD, bid=119_500, ask=119_510)
        await desk.account(DEMO).request(RAW[which])
        server.set_price(EURUSD, bid=118_990, ask=119_000)
        position_id = await opened_by(desk)
        assert desk.positions(DEMO)[0].stop_loss is None
        await desk.amend(DEMO, PositionAmendment(position_id, take_profit="1.21"))
        stop_loss, take_profit = await levels(desk)
        assert (stop_loss, take_profit) == (Decimal("1.18") if which == "limit" else Decimal("1.1851"), Decimal("1.21"))


async def test_of_a_raw_order_too_nothing_leaves_while_they_may_still_come(tmp_path: Path) -> None:
    exchange = ExchangeSettings(delays=replace(Delays.none(), follow_up_ms=60_000))
    timings = replace(QUICK, order_queue_s=0.2, protection_s=60)
    async with a_desk(tmp_path, exchange=exchange, timings=timings) as (server, desk):
        server.set_price(EURUSD, bid=119_500, ask=119_510)
        await desk.account(DEMO).request(RAW["market"])
        position_id = await opened_by(desk)
        with pytest.raises(NotSent, match=r"the stop loss that order \d+ asked for is still to come"):
            await desk.amend(DEMO, PositionAmendment(position_id, take_profit="1.21"))
        assert heard(server, oa.ProtoOAAmendPositionSLTPReq) == []
        await desk.amend(DEMO, PositionAmendment(position_id, stop_loss="1.18", take_profit="1.21"))


async def test_where_it_may_only_be_reduced_what_a_fill_is_to_bring_is_not_left_out(tmp_path: Path) -> None:
    exchange = ExchangeSettings(delays=replace(Delays.none(), follow_up_ms=300))
    async with a_desk(tmp_path, exchange=exchange) as (server, desk):
        order = await with_a_stop(server, desk)
        await desk.halt(DEMO, why="enough", mode=Mode.REDUCE_ONLY)
        account = desk.account(DEMO)
        with pytest.raises(Refused, match=r"take away the stop loss that order \d+ asked for and is yet to get"):
            await account.request(oa.ProtoOAAmendPositionSLTPReq(positionId=order.position_id, takeProfit=1.195))
        await order.protected()
        both = oa.ProtoOAAmendPositionSLTPReq(positionId=order.position_id, stopLoss=1.1881, takeProfit=1.195)
        await account.request(both)
        assert await levels(desk) == (Decimal("1.1881"), Decimal("1.195"))


async def with_a_lost_trail(server: Any, desk: Desk) -> tuple[int, Decimal]:
    """A position whose stop has trailed further than the books know, and where the server has it."""
    server.set_price(EURUSD, bid=119_000, ask=119_010)
    order = await desk.place(DEMO, replace(BUY, stop_loss_pips=20, trailing_stop=True))
    await order.protected()
    assert order.position_id is not None
    with server.faults.inject(faults.Lose(1, which="ProtoOATrailingSLChangedEvent")):
        server.set_price(EURUSD, bid=119_200, ask=119_210)
        stop_loss, _ = await levels(desk)
    assert stop_loss == Decimal("1.1901")
    return order.position_id, stop_loss


def raw_amend(position_id: int, stop_loss: float) -> Any:
    return oa.ProtoOAAmendPositionSLTPReq(positionId=position_id, stopLoss=stop_loss, takeProfit=1.3)


async def test_where_it_may_only_be_reduced_a_raw_amendment_is_held_against_what_the_server_has(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        position_id, stop_loss = await with_a_lost_trail(server, desk)
        assert desk.positions(DEMO)[0].stop_loss == Decimal("1.1881")
        await desk.halt(DEMO, why="enough", mode=Mode.REDUCE_ONLY)
        with pytest.raises(Refused, match=r"from 1\.1901 away, to 1\.1895"):
            await desk.account(DEMO).request(raw_amend(position_id, 1.1895))
        assert await levels(desk) == (stop_loss, None)
        assert heard(server, oa.ProtoOAAmendPositionSLTPReq) == []
        await desk.account(DEMO).request(raw_amend(position_id, 1.1905))
        assert await levels(desk) == (Decimal("1.1905"), Decimal("1.3"))


async def test_where_it_may_only_be_reduced_no_level_moves_that_could_not_be_read(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        position_id, _ = await with_a_lost_trail(server, desk)
        await desk.halt(DEMO, why="enough", mode=Mode.REDUCE_ONLY)
        desk.session(DEMO).timings = replace(QUICK, order_queue_s=0.3)
        with server.faults.inject(faults.Unanswering("ProtoOAReconcileRes")):
            with pytest.raises(NotSent, match="what it needs to know did not come"):
                await desk.account(DEMO).request(raw_amend(position_id, 1.1895))
            change = PositionAmendment(position_id, stop_loss="1.1895", take_profit="1.3")
            with pytest.raises(NotSent, match="a level may only tighten, and what there is could not be read"):
                await desk.amend(DEMO, change)
        assert heard(server, oa.ProtoOAAmendPositionSLTPReq) == []


async def test_a_halt_that_comes_while_an_amendment_waits_has_it_read_first(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=replace(QUICK, order_queue_s=60)) as (server, desk):
        position_id, stop_loss = await with_a_lost_trail(server, desk)
        hold_back(desk, oa.ProtoOAAmendPositionSLTPReq)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(refused_unread, desk, raw_amend(position_id, 1.1895))
            await queued(desk)
            await desk.halt(DEMO, why="enough", mode=Mode.REDUCE_ONLY)
        assert await levels(desk) == (stop_loss, None)
        assert heard(server, oa.ProtoOAAmendPositionSLTPReq) == []


async def refused_unread(desk: Desk, request: Any) -> None:
    with pytest.raises(Refused, match="the levels that it changes were not read just before: ask again"):
        await desk.account(DEMO).request(request)
