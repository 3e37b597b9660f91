"""What must keep no session away, and no account: callers' own reads, subscriptions, a look that failed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from anyctrader.fake import faults
from anyctrader.fake.injection import Fault
from anyctrader.fake.refused import Refused as Denied
from anyctrader.session import (
    CTraderError,
    Desk,
    Environment,
    MarketOrder,
    NotSent,
    Order,
    PositionAmendment,
    ServerError,
    SessionState,
    Side,
)
from anyctrader.wire import messages as oa

from .rig import QUICK, a_desk, audit_of, heard, ready_again

pytestmark = [pytest.mark.anyio, pytest.mark.uvloop]

DEMO = Environment.DEMO
GBPUSD = 2
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")
SPOTS = oa.payload_type_of(oa.ProtoOASubscribeSpotsReq)


class RefuseSpots(Fault):
    """Subscriptions to quotes are refused, so many times."""

    def __init__(self, *, times: int = 1_000) -> None:
        self._left = times

    def admit(self, payload_type: int) -> None:
        if payload_type == SPOTS and self._left:
            self._left -= 1
            raise Denied("SYMBOL_NOT_FOUND", "Symbol is disabled")


async def test_callers_reads_that_wait_keep_no_session_away(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        account, answered = desk.account(DEMO), 0
        await (await desk.place(DEMO, BUY)).filled()  # there is something to catch up with

        async def ask() -> None:
            nonlocal answered
            try:
                await account.request(oa.ProtoOADealListReq(fromTimestamp=0, toTimestamp=1_000), timeout_s=100)
            except CTraderError:
                return  # it was under way when the link was lost
            answered += 1

        async with anyio.create_task_group() as tasks:
            for _ in range(300):  # a minute's worth
                tasks.start_soon(ask)
            await server.wait_for("ProtoOADealListReq", count=3)
            with anyio.fail_after(30):  # a machine may stall for seconds
                await ready_again(desk.session(DEMO), links=server.drop_clients)
            assert answered < 160
            tasks.cancel_scope.cancel()


async def test_quotes_that_the_server_gives_no_more_end_their_streams_and_keep_nobody_away(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        account = desk.account(DEMO)
        order = await desk.place(DEMO, BUY)
        await order.filled()
        async with account.spots("GBPUSD") as spots:
            await anext(spots)
            with server.faults.inject(RefuseSpots()):
                await ready_again(desk.session(DEMO), links=server.drop_clients)
            with pytest.raises(ServerError, match="SYMBOL_NOT_FOUND"):
                async for _ in spots:
                    pass
        assert order.position_id is not None
        await (await desk.close(DEMO, order.position_id)).filled()
        assert server.seen.names().count("connected") == 2
    told = (tmp_path / "demo_connection.log").read_text()
    assert "subscription_lost" in told
    assert "quotes of GBPUSD" in told


async def test_of_several_symbols_only_what_is_refused_is_given_up(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        account = desk.account(DEMO)
        async with account.spots("EURUSD") as gone, account.spots("GBPUSD") as kept:
            for stream in (gone, kept):
                await anext(stream)
            with server.faults.inject(RefuseSpots(times=2)):  # the list, and then the first of it
                await ready_again(desk.session(DEMO), links=server.drop_clients)
            with pytest.raises(ServerError, match="SYMBOL_NOT_FOUND"):
                async for _ in gone:
                    pass
            server.set_price(GBPUSD, bid=130_000, ask=130_010)
            async for spot in kept:
                if spot.bid_wire == 130_000:
                    break


async def test_a_block_of_subscriptions_holds_back_nothing_else_and_they_are_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anyctrader.session.aftercare._AGAIN_S", 0.2)
    async with a_desk(tmp_path, timings=replace(QUICK, request_s=2)) as (server, desk):
        order = await desk.place(DEMO, BUY)
        await order.filled()
        async with desk.account(DEMO).spots("EURUSD") as spots:
            with server.faults.inject(faults.Blocked(oa.ProtoOASubscribeSpotsReq, retry_after_s=1)):
                await ready_again(desk.session(DEMO), links=server.drop_clients)
                assert order.position_id is not None
                await (await desk.close(DEMO, order.position_id)).filled()
            before = len(heard(server, oa.ProtoOASubscribeSpotsReq))
            await server.wait_for("ProtoOASubscribeSpotsReq", count=before + 1)
            await anext(spots)
        assert server.seen.names().count("connected") == 2
        assert "subscriptions_wait" in (tmp_path / "demo_connection.log").read_text()


async def test_a_request_whose_end_is_not_told_is_looked_for_until_it_is_known_on_a_new_link_if_need_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anyctrader.session.aftercare._AGAIN_S", 0.2)
    timings = replace(QUICK, request_s=1, absent_s=0.6, absent_looks=2)
    async with a_desk(tmp_path, timings=timings) as (server, desk):
        order = await desk.place(DEMO, BUY)
        await order.filled()
        assert order.position_id is not None
        with (
            server.faults.inject(faults.Deafness("ProtoOAAmendPositionSLTPReq")),
            server.faults.inject(faults.Unanswering("ProtoOAReconcileRes")),
        ):
            with pytest.raises(CTraderError):
                await desk.amend(DEMO, PositionAmendment(order.position_id, stop_loss="0.9", take_profit=None))
            looks = len(heard(server, oa.ProtoOAReconcileReq))  # the amendment's own is among them
            await server.wait_for("ProtoOAReconcileReq", count=looks + 1)
            with pytest.raises(NotSent, match="find out first"):
                await desk.close(DEMO, order.position_id)
            await server.wait_for("ProtoOAReconcileReq", count=looks + 2)  # the look that failed is repeated
        with anyio.fail_after(20):
            while (close := await closed_or_none(desk, order.position_id)) is None:  # noqa: ASYNC110 - as a user would
                await anyio.sleep(0.05)
        await close.filled()
    assert "a new link finds it out" in (tmp_path / "demo_connection.log").read_text()
    (verdict,) = [line for line in audit_of(tmp_path) if line["fact"] == "resolved"]
    assert (verdict["request"], verdict["outcome"]) == ("amend", "without_effect")


async def closed_or_none(desk: Desk, position_id: int) -> Order | None:
    """Tries once: no close leaves while a change of the position is in doubt."""
    try:
        return await desk.close(DEMO, position_id)
    except NotSent:
        return None


async def test_quotes_can_be_left_at_once_while_there_is_no_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anyctrader.session.subscriber._FAREWELL_S", 60.0)
    async with a_desk(tmp_path) as (server, desk):
        with server.faults.inject(faults.RefuseTls()), anyio.fail_after(10):
            async with desk.account(DEMO).spots("EURUSD"):
                server.drop_clients()
                await desk.session(DEMO).wait_for(SessionState.WAITING)
