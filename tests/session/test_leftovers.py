"""Orders that an earlier process left behind: read back from the audit, and followed to their end."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest

from anyctrader.fake import FakeServer, faults
from anyctrader.fake.accounts import AccountSettings
from anyctrader.fake.injection import Fault
from anyctrader.session import (
    Desk,
    Environment,
    LimitOrder,
    MarketOrder,
    MarketRangeOrder,
    NotSent,
    Order,
    OrderState,
    OutcomeUnknown,
    SessionState,
    Side,
    StopLimitOrder,
    StopOrder,
    inheritance,
    open_desk,
)
from anyctrader.session.account import Account
from anyctrader.session.changes import Close
from anyctrader.session.leftovers import Leftovers, leftovers_of
from anyctrader.session.terms import TimeInForce, TriggerMethod
from anyctrader.session.verification import verify
from anyctrader.wire import messages as oa

from .rig import (
    EURUSD,
    LOT_CENTS,
    NEVER_PROTECTS,
    QUICK,
    Denying,
    Rewritten,
    a_server,
    audit_of,
    desk_settings,
    heard,
    ready_again,
    side_of,
)

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")
GBPUSD = 2


@asynccontextmanager
async def a_desk_at(server: FakeServer, folder: Path, **timings: float) -> AsyncIterator[Desk]:
    side = side_of(server, timings=replace(QUICK, **timings))
    async with open_desk(desk_settings(folder, side)) as desk:
        yield desk


def crashed(folder: Path, to: Path) -> Path:
    """What is on the disk at this moment, as a process that dies now would leave it."""
    to.mkdir()
    for path in sorted(folder.iterdir()):  # first what tells where the chains stand: lines may be added meanwhile
        shutil.copy(path, to)
    return to


def impatient(desk: Desk) -> Desk:
    """Its requests are given up soon from here on; what it needed to come up had the usual time."""
    session = desk.session(DEMO)
    session.timings = replace(session.timings, request_s=0.3)
    return desk


async def left_behind(desk: Desk) -> Order:
    """The one order of an earlier process."""
    (order,) = desk.orders.values()
    return order


LATER = datetime.now(UTC) + timedelta(days=1)
TICKETS = [
    BUY,
    MarketOrder("EURUSD", Side.SELL, units=1000, stop_loss_pips=20, take_profit_distance="0.01", label="x"),
    MarketRangeOrder("EURUSD", Side.BUY, lots="0.01", base_price="1.2", slippage_points=7),
    LimitOrder("EURUSD", Side.BUY, volume_cents=LOT_CENTS, price="1.0", stop_loss="0.9", expires_at=LATER),
    StopOrder("EURUSD", Side.BUY, lots="0.01", stop_price="1.9", stop_trigger_method=TriggerMethod.OPPOSITE),
    StopLimitOrder("EURUSD", Side.BUY, lots="0.01", stop_price="1.9", slippage_points=3, time_in_force=TimeInForce.GTC),
]


@pytest.mark.parametrize("ticket", TICKETS, ids=lambda ticket: type(ticket).__name__)
async def test_every_kind_of_order_is_read_back_as_it_was_meant(tmp_path: Path, ticket: Any) -> None:
    async with a_server() as server, a_desk_at(server, tmp_path / "a") as desk:
        await desk.account(DEMO).symbol("EURUSD")
        with server.faults.inject(faults.Deafness("ProtoOANewOrderReq")), pytest.raises(OutcomeUnknown):
            await impatient(desk).place(DEMO, ticket)
        (order,) = desk.orders.values()
        await desk.flush()
        found = leftovers_of(crashed(tmp_path / "a", tmp_path / "b"), DEMO)
    assert (found.requests, found.problems) == ([], [])
    (left,) = found.orders
    assert (left.client_order_id, left.account_id) == (order.client_order_id, server.account_id)
    assert (left.symbol, left.side, left.volume_cents) == ("EURUSD", ticket.side, LOT_CENTS)
    assert left.sent_at_ms is not None
    assert left.sent_at_ms - left.intent_at_ms == order.record.latencies_ms["sent"]
    wanted = replace(ticket, lots=None, units=None, volume_cents=LOT_CENTS)
    assert type(left.intent) is type(ticket)
    assert left.intent.described() == wanted.described()


async def test_an_order_that_was_filled_unseen_is_found_at_the_next_start(tmp_path: Path) -> None:
    async with a_server() as server:
        async with a_desk_at(server, tmp_path / "a") as desk:
            await desk.account(DEMO).symbol("EURUSD")
            with server.faults.inject(faults.Silence()):  # to the end: a look that is answered would settle it
                with pytest.raises(OutcomeUnknown):
                    await impatient(desk).place(DEMO, BUY)
                await desk.flush()
                folder = crashed(tmp_path / "a", tmp_path / "b")
        async with a_desk_at(server, folder) as desk:
            order = await left_behind(desk)
            assert order.state is OrderState.FILLED
            assert (await order.filled()).volume_cents == LOT_CENTS
            assert [position.id for position in desk.positions(DEMO)] == [order.position_id]
            await desk.flush()
        assert len(heard(server, oa.ProtoOANewOrderReq)) == 1
    assert [line["fact"] for line in audit_of(folder) if line.get("client_order_id") == order.client_order_id][-3:] == [
        "resolved",
        "fill",
        "finished",
    ]
    assert verify(folder) == []
    assert leftovers_of(folder, DEMO) == Leftovers()


async def test_an_order_that_never_arrived_is_found_out_by_several_looks(tmp_path: Path) -> None:
    async with a_server() as server:
        async with a_desk_at(server, tmp_path / "a") as desk:
            await desk.account(DEMO).symbol("EURUSD")
            with server.faults.inject(
                faults.Deafness("ProtoOANewOrderReq")
            ):  # to the end: a look that is answered would settle it
                with pytest.raises(OutcomeUnknown):
                    await impatient(desk).place(DEMO, BUY)
                await desk.flush()
                folder = crashed(tmp_path / "a", tmp_path / "b")
        async with a_desk_at(server, folder, absent_s=0.3) as desk:
            order = await left_behind(desk)
            assert order.state is OrderState.UNKNOWN
            with pytest.raises(NotSent, match="never reached the server"):
                await order.filled()
            await desk.flush()
        looks = len(heard(server, oa.ProtoOAOrderListReq))
    assert looks >= 3
    (line,) = [line for line in audit_of(folder) if line["fact"] == "resolved"]
    assert (line["state"], line["client_order_id"]) == (OrderState.NOT_SENT.value, order.client_order_id)
    assert leftovers_of(folder, DEMO) == Leftovers()


async def test_a_close_that_was_done_unseen_is_found_at_the_next_start(tmp_path: Path) -> None:
    async with a_server() as server:
        async with a_desk_at(server, tmp_path / "a") as desk:
            opened = await desk.place(DEMO, BUY)
            await opened.filled()
            assert opened.position_id is not None
            with server.faults.inject(faults.Silence()):  # to the end: a look that is answered would settle it
                with pytest.raises(OutcomeUnknown):
                    await impatient(desk).close(DEMO, opened.position_id)
                await desk.flush()
                folder = crashed(tmp_path / "a", tmp_path / "b")
        (left,) = leftovers_of(folder, DEMO).orders
        assert left.intent == Close(opened.position_id, volume_cents=LOT_CENTS)
        async with a_desk_at(server, folder) as desk:
            order = await left_behind(desk)
            assert (order.client_order_id, order.state) == (left.client_order_id, OrderState.FILLED)
            assert desk.positions(DEMO) == ()
        assert len(heard(server, oa.ProtoOAClosePositionReq)) == 1


async def test_a_pending_order_is_followed_on_after_a_restart(tmp_path: Path) -> None:
    async with a_server() as server:
        async with a_desk_at(server, tmp_path) as desk:
            placed = await desk.place(DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.0"))
        async with a_desk_at(server, tmp_path) as desk:
            order = await left_behind(desk)
            assert (order.state, order.order_id) == (OrderState.ACCEPTED, placed.order_id)
            assert order.order_id is not None
            await desk.cancel(DEMO, order.order_id)
            assert await order.finished() is OrderState.CANCELLED
        async with a_desk_at(server, tmp_path) as desk:
            assert desk.orders == {}


async def test_an_order_of_another_account_and_one_that_makes_no_sense_are_not_followed(tmp_path: Path) -> None:
    async with a_server() as server:
        async with a_desk_at(server, tmp_path / "a") as desk:
            await desk.account(DEMO).symbol("EURUSD")
            with server.faults.inject(faults.Deafness("ProtoOANewOrderReq")), pytest.raises(OutcomeUnknown):
                await impatient(desk).place(DEMO, BUY)
            await desk.flush()
        (intent,) = [line for line in audit_of(tmp_path / "a") if line["fact"] == "intent"]
        (tmp_path / "b").mkdir()
        lines = [intent | {"account_id": 1}, intent | {"client_order_id": "odd", "side": "UP"}]
        (tmp_path / "b" / "order_audit.jsonl").write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
        left = leftovers_of(tmp_path / "b", DEMO)
        assert len(left.orders) == 1
        (problem,) = left.problems
        assert "order odd of an earlier process cannot be followed" in problem
        async with a_desk_at(server, tmp_path / "b") as desk:
            assert desk.orders == {}
        assert "order odd of an earlier process" in (tmp_path / "b" / "demo_connection.log").read_text()


async def test_the_other_environment_has_nothing_of_it(tmp_path: Path) -> None:
    assert leftovers_of(tmp_path, DEMO) == Leftovers()
    async with a_server() as server, a_desk_at(server, tmp_path) as desk:
        await desk.place(DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.0"))
        await desk.flush()
        assert len((await anyio.to_thread.run_sync(leftovers_of, tmp_path, DEMO)).orders) == 1
        assert leftovers_of(tmp_path, Environment.LIVE) == Leftovers()


# A symbol that is not told


SYMBOLS, FIGURES = oa.ProtoOASymbolsListReq, oa.ProtoOASymbolByIdReq


def without_eurusd(answer: Any) -> None:
    rows = [row for row in answer.symbol if row.symbolId != EURUSD]
    del answer.symbol[:]
    answer.symbol.extend(rows)


UNTOLD = [
    pytest.param(lambda: Denying(SYMBOLS, code="TIMEOUT_ERROR"), id="the list is refused"),
    pytest.param(lambda: Denying(FIGURES, code="TIMEOUT_ERROR"), id="the figures are refused"),
    pytest.param(lambda: Rewritten("ProtoOASymbolsListRes", without_eurusd), id="the list is without it"),
    pytest.param(lambda: Rewritten("ProtoOASymbolByIdRes", without_eurusd), id="the figures are missing"),
]


@asynccontextmanager
async def left_without_an_end(folder: Path) -> AsyncIterator[FakeServer]:
    """A server that has filled an order, and a folder where only its intent is on record."""
    async with a_server() as server:
        async with a_desk_at(server, folder / "a") as desk:
            await (await desk.place(DEMO, BUY)).filled()
        (intent,) = [line for line in audit_of(folder / "a") if line["fact"] == "intent"]
        (folder / "b").mkdir()
        (folder / "b" / "order_audit.jsonl").write_bytes(orjson.dumps(intent) + b"\n")
        yield server


@pytest.mark.parametrize("untold", UNTOLD)
async def test_an_order_whose_symbol_is_not_told_is_taken_up_when_it_is(
    tmp_path: Path, untold: Callable[[], Fault]
) -> None:
    folder = tmp_path / "b"
    async with left_without_an_end(tmp_path) as server:
        with ExitStack() as untelling:
            untelling.enter_context(server.faults.inject(untold()))
            async with a_desk_at(server, folder) as desk:
                assert desk.session(DEMO).state is SessionState.READY
                assert desk.orders == {}
                untelling.close()
                await ready_again(desk.session(DEMO), links=server.drop_clients)
                order = await left_behind(desk)
                assert (await order.filled()).volume_cents == LOT_CENTS
    (line,) = [line for line in (folder / "demo_connection.log").read_text().splitlines() if "not_followed" in line]
    assert order.client_order_id in line
    assert "it is taken up when the server says what EURUSD is" in line
    assert leftovers_of(folder, DEMO) == Leftovers()


SILENT = [
    pytest.param(lambda: faults.Deafness("ProtoOASymbolsListReq"), id="the list is not told"),
    pytest.param(lambda: faults.Deafness("ProtoOASymbolByIdReq"), id="the figures are not told"),
    pytest.param(lambda: Denying(FIGURES, code="REQUEST_FREQUENCY_EXCEEDED"), id="the figures are held back"),
]


@pytest.mark.parametrize("silent", SILENT)
async def test_a_server_that_is_silent_about_their_symbols_keeps_no_account_away(
    tmp_path: Path, silent: Callable[[], Fault], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask(account: Account, payload: Any) -> Any:
        of_symbols = isinstance(payload, SYMBOLS | FIGURES)
        return await account.request(payload, timeout_s=0.5 if of_symbols else None, ahead=True)

    async with a_server() as server:
        server.set_price(GBPUSD, bid=120_000, ask=120_010)
        async with a_desk_at(server, tmp_path) as desk:
            opened = await desk.place(DEMO, MarketOrder("GBPUSD", Side.BUY, lots="0.01"))
            await opened.filled()
            left = set[str]()
            for symbol in ("EURUSD", "GBPUSD"):
                left.add(
                    (await desk.place(DEMO, LimitOrder(symbol, Side.BUY, lots="0.01", price="1.0"))).client_order_id
                )
        assert opened.position_id is not None
        monkeypatch.setattr(inheritance, "_AGAIN_S", 0.2)
        monkeypatch.setattr(Account, "ask", ask)
        before = len(server.seen.names())
        with ExitStack() as silence:
            silence.enter_context(server.faults.inject(silent()))
            async with a_desk_at(server, tmp_path, absent_s=0.2) as desk:
                await (await desk.close(DEMO, opened.position_id)).filled()
                assert left.isdisjoint(desk.orders)
                silence.close()
                with anyio.fail_after(30):
                    while not left <= desk.orders.keys():  # noqa: ASYNC110 - nothing tells of it
                        await anyio.sleep(0.01)
        names = server.seen.names()[before:]
    assert names.count("connected") == 1
    at_first = names[: names.index("ProtoOAReconcileReq")]
    if isinstance(silent(), faults.Deafness):  # what is held back is repeated, for as long as it may take
        assert at_first.count(at_first[-1]) == 1  # waited for once, and not for each of them
    log = (tmp_path / "demo_connection.log").read_text().splitlines()
    assert len([line for line in log if "not_followed" in line]) == 2


async def test_a_link_that_is_lost_while_their_symbols_are_asked_for_is_no_silence(tmp_path: Path) -> None:
    async with a_server() as server:
        async with a_desk_at(server, tmp_path) as desk:
            await desk.place(DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.0"))
        since, before = server.seen.total, len(heard(server, oa.ProtoOAReconcileReq))
        with ExitStack() as silence:
            silence.enter_context(server.faults.inject(faults.Deafness("ProtoOASymbolByIdReq")))

            async def drop() -> None:
                await server.wait_for(lambda seen: isinstance(seen.message, FIGURES), since=since)
                silence.close()
                server.drop_clients()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(drop)
                async with a_desk_at(server, tmp_path) as desk:
                    with anyio.fail_after(20):
                        await desk.session(DEMO).wait_for(SessionState.READY)
                    assert (await left_behind(desk)).state is OrderState.ACCEPTED
                    assert len(heard(server, oa.ProtoOAReconcileReq)) == before + 1
    assert "not_followed" not in (tmp_path / "demo_connection.log").read_text()


async def test_it_is_taken_up_on_a_link_that_stays_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inheritance, "_AGAIN_S", 0.02)
    async with left_without_an_end(tmp_path) as server:
        with ExitStack() as untelling:
            untelling.enter_context(server.faults.inject(Rewritten("ProtoOASymbolsListRes", without_eurusd)))
            async with a_desk_at(server, tmp_path / "b", absent_s=0.1) as desk:
                untelling.close()
                with anyio.fail_after(10):
                    while not desk.orders:  # noqa: ASYNC110 - nothing tells of it
                        await anyio.sleep(0.01)
                assert (await (await left_behind(desk)).filled()).volume_cents == LOT_CENTS
                assert server.seen.names().count("connected") == 2


async def test_nothing_leaves_for_a_position_whose_close_waits_for_its_symbol(tmp_path: Path) -> None:
    async with a_server() as server:
        async with a_desk_at(server, tmp_path / "a") as desk:
            opened = await desk.place(DEMO, BUY)
            await opened.filled()
            assert opened.position_id is not None
            with server.faults.inject(faults.Deafness("ProtoOAClosePositionReq")):
                with pytest.raises(OutcomeUnknown):
                    await impatient(desk).close(DEMO, opened.position_id)
                await desk.flush()
                folder = crashed(tmp_path / "a", tmp_path / "b")
        with server.faults.inject(Denying(SYMBOLS, code="TIMEOUT_ERROR")):
            async with a_desk_at(server, folder) as desk:
                account = desk.account(DEMO)
                close = oa.ProtoOAClosePositionReq(positionId=opened.position_id, volume=LOT_CENTS)
                with pytest.raises(NotSent, match="has no end on record"):
                    await account.request(close)
        assert len(heard(server, oa.ProtoOAClosePositionReq)) == 1


async def test_what_an_order_opened_beside_others_is_read_back_until_that_is_closed(tmp_path: Path) -> None:
    netted = AccountSettings(account_id=1_000_001, trader_login=3_000_001, account_type=oa.ProtoOAAccountType.NETTED)
    async with a_server(exchange=replace(NEVER_PROTECTS, accounts=(netted,))) as server:
        async with a_desk_at(server, tmp_path, protection_s=30) as desk:
            first = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.05"))
            await first.filled()
            order = await desk.place(DEMO, replace(BUY, lots="0.03", stop_loss_pips=20, close_if_unprotected=True))
            await order.filled()
            await desk.flush()
            (left,) = leftovers_of(tmp_path, DEMO).levels
            assert left.share == order.record.share
            assert (left.share.opened_cents, left.share.others_cents) == (3 * LOT_CENTS, 5 * LOT_CENTS)
            close = oa.ProtoOAClosePositionReq(positionId=left.position_id, volume=3 * LOT_CENTS)
            await desk.account(DEMO).request(close)
            await desk.flush()
            assert leftovers_of(tmp_path, DEMO).levels == [], "whoever closed it"
