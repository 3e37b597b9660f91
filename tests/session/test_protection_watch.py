from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import ExchangeSettings, FakeServer, Variants, faults
from anyctrader.fake.accounts import AccountSettings
from anyctrader.fake.book import Levels
from anyctrader.fake.exchange_settings import Delays
from anyctrader.fake.injection import Fault
from anyctrader.fake.refused import Refused as Denied
from anyctrader.fake.variants import Reversal
from anyctrader.session import (
    Desk,
    Environment,
    InvalidOrder,
    MarketOrder,
    Mode,
    OutcomeUnknown,
    PositionAmendment,
    Side,
    Timings,
    open_desk,
    protection_watch,
)
from anyctrader.session.leftovers import leftovers_of
from anyctrader.wire import messages as oa

from .rig import (
    EURUSD,
    LOT_CENTS,
    NEVER_PROTECTS,
    Denying,
    a_desk,
    a_server,
    audit_of,
    desk_settings,
    side_of,
)

pytestmark = pytest.mark.anyio
DEMO = Environment.DEMO


def protective(frame: Any) -> bool:
    """The event of the server's own order that holds the levels."""
    event = frame.payload
    return isinstance(event, oa.ProtoOAExecutionEvent) and event.order.orderType == 4 and event.isServerEvent


def strip(server: FakeServer) -> None:
    """The server never set the levels."""
    for account in server.exchange.accounts.values():
        for position in account.positions.values():
            position.levels = Levels()


async def on_record(folder: Path, desk: Any, fact: str) -> dict[str, Any]:
    with anyio.fail_after(10):
        while True:
            await desk.flush()
            for line in audit_of(folder):
                if line["fact"] == fact:
                    return line
            await anyio.lowlevel.checkpoint()


CLOSING = MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20, close_if_unprotected=True)
QUICK = Timings(protection_s=0.1, reconnect_first_s=0.02, reconnect_most_s=0.05)
UNHURRIED = replace(QUICK, protection_s=0.5)  # something is to happen before that


async def test_a_fill_whose_levels_do_not_come_is_reported_and_stays_open(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=QUICK, exchange=NEVER_PROTECTS) as (_, desk):
        order = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20))
        await order.filled()
        line = await on_record(tmp_path, desk, "unprotected")
        assert line["client_order_id"] == order.client_order_id
        assert [position.id for position in desk.positions(DEMO)] == [order.position_id]
    assert f"unprotected order={order.client_order_id}" in (tmp_path / "demo_connection.log").read_text()


async def test_a_fill_whose_levels_do_not_come_is_closed_where_its_order_asked_for_that(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=QUICK, exchange=NEVER_PROTECTS) as (_, desk):
        order = await desk.place(DEMO, CLOSING)
        await on_record(tmp_path, desk, "unprotected")
        with anyio.fail_after(10):
            while desk.positions(DEMO):
                await anyio.lowlevel.checkpoint()
        assert [o.intent.position_id for o in desk.orders.values() if o is not order] == [order.position_id]


async def test_levels_whose_event_was_lost_are_found_before_anything_is_closed(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=QUICK) as (server, desk):
        server.faults.inject(faults.Lose(1, which=protective))
        order = await desk.place(DEMO, CLOSING)
        line = await on_record(tmp_path, desk, "protected")
        assert line["client_order_id"] == order.client_order_id
        assert [position.id for position in desk.positions(DEMO)] == [order.position_id]
    assert "unprotected" not in [line["fact"] for line in audit_of(tmp_path)]


class RefuseClose(Fault):
    """The server refuses so many closes."""

    def __init__(self, count: int, error: Denied) -> None:
        self._left, self._error = count, error

    def admit(self, payload_type: int) -> None:
        if payload_type == oa.payload_type_of(oa.ProtoOAClosePositionReq) and self._left:
            self._left -= 1
            raise self._error


async def test_a_close_that_is_refused_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protection_watch, "_AGAIN_S", 0.05)
    async with a_desk(tmp_path, timings=QUICK, exchange=NEVER_PROTECTS) as (server, desk):
        server.faults.inject(RefuseClose(2, Denied("POSITION_LOCKED", "just now")))
        await desk.place(DEMO, CLOSING)
        line = await on_record(tmp_path, desk, "close_failed")
        assert "POSITION_LOCKED" in line["reason"]
        with anyio.fail_after(10):
            while desk.positions(DEMO):
                await anyio.lowlevel.checkpoint()
        assert server.seen.names().count("ProtoOAClosePositionReq") == 3
        await desk.flush()
    assert [line["fact"] for line in audit_of(tmp_path)].count("close_failed") == 1, "told once a reason"


async def test_a_close_that_a_halt_forbids_is_done_when_that_is_lifted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protection_watch, "_AGAIN_S", 0.05)
    async with a_desk(tmp_path, timings=QUICK, exchange=NEVER_PROTECTS) as (server, desk):
        order = await desk.place(DEMO, CLOSING)
        await order.filled()
        await desk.halt(DEMO, why="a test", mode=Mode.OFF)
        await on_record(tmp_path, desk, "close_failed")
        assert "ProtoOAClosePositionReq" not in server.seen.names()
        await desk.resume(DEMO)
        with anyio.fail_after(10):
            while desk.positions(DEMO):
                await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("reversal", list(Reversal))
async def test_the_stop_of_a_position_that_is_turned_around_protects_nothing(
    tmp_path: Path, reversal: Reversal
) -> None:
    netted = AccountSettings(
        account_id=1_000_001,
        trader_login=3_000_001,
        balance=10_000_000,
        account_type=oa.ProtoOAAccountType.NETTED,
    )
    exchange = replace(NEVER_PROTECTS, accounts=(netted,), variants=Variants(reversal=reversal))
    async with a_desk(tmp_path, timings=Timings(protection_s=30), exchange=exchange) as (server, desk):
        server.set_price(EURUSD, bid=119_000, ask=119_010)
        first = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.10"))
        await first.filled()
        assert first.position_id is not None
        await desk.amend(DEMO, PositionAmendment(first.position_id, stop_loss="1.18"))
        turned = await desk.place(DEMO, MarketOrder("EURUSD", Side.SELL, lots="0.30", stop_loss_pips=30))
        await turned.filled()
        with pytest.raises(OutcomeUnknown):
            await turned.protected(timeout_s=0.1)


def bought(server: FakeServer) -> dict[int, int]:
    """What is open, by position: hundredths of a unit, sales negative."""
    positions = server.exchange.accounts[server.account_id].positions.values()
    return {each.position_id: each.volume * (3 - 2 * each.message().tradeData.tradeSide) for each in positions}


def accounts(netted: bool) -> tuple[AccountSettings]:
    kind = oa.ProtoOAAccountType.NETTED if netted else oa.ProtoOAAccountType.HEDGED
    return (AccountSettings(account_id=1_000_001, trader_login=3_000_001, account_type=kind),)


@pytest.mark.parametrize("netted", [True, False])
async def test_an_order_that_only_reduces_has_nothing_to_protect_and_closes_nothing(
    tmp_path: Path, netted: bool
) -> None:
    exchange = ExchangeSettings(accounts=accounts(netted), delays=Delays.none())
    async with a_desk(tmp_path, timings=QUICK, exchange=exchange) as (server, desk):
        first = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.05", stop_loss_pips=100))
        await first.protected()
        assert first.position_id is not None
        ticket = replace(CLOSING, side=Side.SELL, lots="0.02", position_id=None if netted else first.position_id)
        order = await desk.place(DEMO, ticket)
        with pytest.raises(InvalidOrder, match="it only reduced"):
            await order.protected()
        await anyio.sleep(3 * QUICK.protection_s)  # nothing is to happen: there is nothing to wait for
        await desk.flush()
        assert bought(server) == {first.position_id: 300_000}
    assert "unprotected" not in [line["fact"] for line in audit_of(tmp_path)]


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("netted", [True, False])
async def test_of_a_position_that_was_there_before_no_more_is_closed_than_the_order_added(
    tmp_path: Path, netted: bool, restarted: bool
) -> None:
    exchange = replace(NEVER_PROTECTS, accounts=accounts(netted))
    async with a_server(exchange=exchange) as server:
        slow = replace(QUICK, protection_s=30)
        async with open_desk(desk_settings(tmp_path, side_of(server, timings=slow if restarted else QUICK))) as desk:
            first = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.05"))
            await first.filled()
            assert first.position_id is not None
            second = await desk.place(DEMO, replace(CLOSING, lots="0.02", position_id=first.position_id))
            await second.filled()
            if not restarted:
                await closed_again(server, desk, tmp_path)
        for _ in range(2 * restarted):  # the second start finds that it is done
            async with open_desk(desk_settings(tmp_path, side_of(server, timings=QUICK))) as desk:
                await closed_again(server, desk, tmp_path)
        assert bought(server) == {first.position_id: 500_000}
        closes = [seen for seen in server.seen.names() if seen == "ProtoOAClosePositionReq"]
        assert len(closes) == 1


async def closed_again(server: FakeServer, desk: Desk, folder: Path, *, left_cents: int = 500_000) -> None:
    await on_record(folder, desk, "unprotected")
    with anyio.fail_after(10):
        while sum(bought(server).values()) != left_cents:
            await anyio.lowlevel.checkpoint()
    await anyio.sleep(3 * QUICK.protection_s)  # a second close would have left by then


@pytest.mark.parametrize("lag_ms", [0, 600_000])
@pytest.mark.parametrize("raw", [True, False])
async def test_a_close_by_anybody_counts_as_that_of_the_order(tmp_path: Path, raw: bool, lag_ms: int) -> None:
    delays = replace(NEVER_PROTECTS.delays, history_lag_ms=lag_ms)
    exchange = replace(NEVER_PROTECTS, accounts=accounts(netted=True), delays=delays)
    async with a_desk(tmp_path, timings=UNHURRIED, exchange=exchange) as (server, desk):
        position_id = await added(desk, "0.02")
        if raw:
            await desk.account(DEMO).request(oa.ProtoOAClosePositionReq(positionId=position_id, volume=LOT_CENTS))
        else:
            await (await desk.close(DEMO, position_id, lots="0.01")).filled()
        await closed_again(server, desk, tmp_path)
        assert bought(server) == {position_id: 500_000}


async def test_what_is_added_after_a_close_by_others_is_not_taken_for_the_orders(tmp_path: Path) -> None:
    exchange = replace(NEVER_PROTECTS, accounts=accounts(netted=True))
    async with a_desk(tmp_path, timings=UNHURRIED, exchange=exchange) as (server, desk):
        position_id = await added(desk, "0.03")
        close = oa.ProtoOAClosePositionReq(positionId=position_id, volume=2 * LOT_CENTS)
        await desk.account(DEMO).request(close)
        await (await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.04"))).filled()
        await closed_again(server, desk, tmp_path, left_cents=900_000)
        assert bought(server) == {position_id: 900_000}


@pytest.mark.parametrize("touched", [True, False])
async def test_where_the_deals_cannot_be_read_only_what_nobody_touched_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, touched: bool
) -> None:
    monkeypatch.setattr(protection_watch, "_AGAIN_S", 0.05)
    exchange = replace(NEVER_PROTECTS, accounts=accounts(netted=True))
    async with a_desk(tmp_path, timings=UNHURRIED, exchange=exchange) as (server, desk):
        position_id = await added(desk, "0.03")
        with server.faults.inject(Denying(oa.ProtoOADealListReq, code="TIMEOUT_ERROR")):
            if touched:
                close = oa.ProtoOAClosePositionReq(positionId=position_id, volume=2 * LOT_CENTS)
                await desk.account(DEMO).request(close)
                line = await on_record(tmp_path, desk, "close_failed")
                assert "TIMEOUT_ERROR" in line["reason"]
                assert bought(server) == {position_id: 600_000}
            else:
                await closed_again(server, desk, tmp_path)
        await closed_again(server, desk, tmp_path)
        assert bought(server) == {position_id: 500_000}


@pytest.mark.parametrize("added_cents", [0, 2 * LOT_CENTS])
async def test_what_others_closed_while_the_process_was_down_counts_too(tmp_path: Path, added_cents: int) -> None:
    exchange = replace(NEVER_PROTECTS, accounts=accounts(netted=True))
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    async with a_server(exchange=exchange) as server:
        slow = replace(QUICK, protection_s=30)
        async with open_desk(desk_settings(ours, side_of(server, timings=slow))) as desk:
            position_id = await added(desk, "0.03")
        async with open_desk(desk_settings(theirs, side_of(server, timings=slow))) as desk:
            await (await desk.close(DEMO, position_id, lots="0.02")).filled()
            if added_cents:
                await (await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, volume_cents=added_cents))).filled()
        async with open_desk(desk_settings(ours, side_of(server, timings=QUICK))) as desk:
            await closed_again(server, desk, ours, left_cents=500_000 + added_cents)
        assert bought(server) == {position_id: 500_000 + added_cents}


async def added(desk: Desk, lots: str) -> int:
    """Of an order that is to be closed again, on top of what was there; gives the position."""
    first = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.05"))
    await first.filled()
    second = await desk.place(DEMO, replace(CLOSING, lots=lots))
    await second.filled()
    assert first.position_id is not None
    return first.position_id


async def test_a_fill_whose_levels_come_is_not_reported(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=QUICK) as (_, desk):
        ticket = MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20, close_if_unprotected=True)
        order = await desk.place(DEMO, ticket)
        await order.protected()
        second = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.01"))
        await second.filled()
        assert len(desk.positions(DEMO)) == 2
    assert "unprotected" not in [line["fact"] for line in audit_of(tmp_path)]


async def test_what_has_no_stop_is_closed_as_soon_as_the_session_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protection_watch, "_LOOK_S", 0.1)
    monkeypatch.setattr(protection_watch, "_AGAIN_S", 0.1)
    async with a_desk(tmp_path, timings=QUICK) as (server, desk):
        server.faults.inject(faults.Lose(1, which=protective))
        ticket = MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20, close_if_unprotected=True)
        with server.faults.inject(faults.RefuseTls()):
            order = await desk.place(DEMO, ticket)
            await order.filled()
            strip(server)
            server.drop_clients()
            await on_record(tmp_path, desk, "close_failed")
        with anyio.fail_after(20):
            await server.wait_for("ProtoOAClosePositionReq")
            while desk.positions(DEMO):
                await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("closes", [True, False])
async def test_a_crash_between_a_fill_and_its_levels_leaves_the_watch_to_the_next_start(
    tmp_path: Path, closes: bool
) -> None:
    slow, before, after = Timings(protection_s=30), tmp_path / "before", tmp_path / "after"
    async with a_server() as server:
        async with open_desk(desk_settings(before, side_of(server, timings=slow))) as desk:
            server.faults.inject(faults.Lose(1, which=protective))
            ticket = MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20, close_if_unprotected=closes)
            order = await desk.place(DEMO, ticket)
            await order.finished()
            await desk.flush()
            await anyio.to_thread.run_sync(shutil.copytree, before, after)
            strip(server)
        async with open_desk(desk_settings(after, side_of(server, timings=QUICK))) as desk:
            assert [position.id for position in desk.positions(DEMO)] == [order.position_id]
            line = await on_record(after, desk, "unprotected")
            assert (line["client_order_id"], line["position_id"]) == (order.client_order_id, order.position_id)
            with anyio.fail_after(10):
                while closes and desk.positions(DEMO):
                    await anyio.lowlevel.checkpoint()
            assert len(desk.positions(DEMO)) == (0 if closes else 1)


async def test_levels_that_were_seen_only_at_the_next_start_are_on_record_then(tmp_path: Path) -> None:
    slow, before, after = Timings(protection_s=30), tmp_path / "before", tmp_path / "after"
    async with a_server() as server:
        async with open_desk(desk_settings(before, side_of(server, timings=slow))) as desk:
            server.faults.inject(faults.Lose(1, which=protective))
            ticket = MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20, close_if_unprotected=True)
            order = await desk.place(DEMO, ticket)
            await order.finished()
            await desk.flush()
            await anyio.to_thread.run_sync(shutil.copytree, before, after)
        (left,) = leftovers_of(after, DEMO).levels
        assert (left.position_id, left.intent.described()["stop_loss_pips"]) == (order.position_id, "20")
        async with open_desk(desk_settings(after, side_of(server, timings=QUICK))) as desk:
            line = await on_record(after, desk, "protected")
            assert line["position_id"] == order.position_id
            assert line["stop_loss"] == f"{desk.positions(DEMO)[0].stop_loss:f}"
    assert leftovers_of(after, DEMO).levels == []
    assert "unprotected" not in [line["fact"] for line in audit_of(after)]
