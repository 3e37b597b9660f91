"""The books of an account: kept from events, whoever caused them, and set right by the server's word after a loss."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest

from anyctrader.fake import FakeServer, faults
from anyctrader.fake.injection import Fault, RefusedTls
from anyctrader.session import (
    Account,
    Desk,
    Environment,
    LimitOrder,
    MarketOrder,
    Mode,
    NotSent,
    OrderState,
    Refused,
    SessionState,
    Side,
    open_audit,
    open_desk,
)
from anyctrader.session.client_order_ids import ClientOrderIds
from anyctrader.session.watches import next_daily_ms
from anyctrader.wire import messages as oa

from .rig import (
    EURUSD,
    FILLED,
    LOT_CENTS,
    QUICK,
    a_desk,
    a_server,
    audit_of,
    connected,
    desk_settings,
    facts_of,
    is_execution,
    ready_again,
    side_of,
)

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")


@asynccontextmanager
async def somebody_else(server: FakeServer, folder: Path) -> AsyncIterator[Account]:
    """Another program that trades the same account."""
    async with open_audit(folder / "else") as audit, connected(server, trading=Mode.ON, audit=audit) as session:
        yield await session.authorize(server.account_id)


def an_order(**more: Any) -> Any:
    return oa.ProtoOANewOrderReq(
        symbolId=EURUSD,
        orderType=oa.ProtoOAOrderType.MARKET,
        tradeSide=oa.ProtoOATradeSide.BUY,
        **{"volume": LOT_CENTS, **more},
    )


async def told(server: FakeServer, desk: Desk) -> None:
    """Returns when all that the server had to say to the desk so far was heard."""
    await desk.session(DEMO).request(oa.ProtoOAVersionReq())


def snapshots_of(folder: Path) -> list[dict[str, Any]]:
    lines = map(orjson.loads, (folder / "position_snapshot.jsonl").read_bytes().splitlines())
    return [line for line in lines if line["fact"] != "columns"]


async def test_what_somebody_else_trades_on_the_account_is_in_the_books_and_on_record(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk), somebody_else(server, tmp_path) as account:
        await account.request(an_order(volume=2 * LOT_CENTS, clientOrderId="theirs"))
        await told(server, desk)
        (position,) = desk.positions(DEMO)
        assert position.volume_cents == 2 * LOT_CENTS
        assert desk.orders == {}
        await (await desk.close(DEMO, position.id)).filled()
        assert desk.positions(DEMO) == ()
        await desk.flush()
    assert facts_of(tmp_path, client_order_id="theirs") == ["execution", "execution"]


async def test_a_stop_that_was_hit_while_the_link_was_away_is_a_difference_on_record(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        server.set_price(EURUSD, bid=120_000, ask=120_010)
        order = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20))
        await order.protected()

        def fall() -> None:
            server.drop_clients()
            server.set_price(EURUSD, bid=119_000, ask=119_010)

        await ready_again(desk.session(DEMO), links=fall)
        assert desk.positions(DEMO) == ()
        await desk.flush()
    differences = [line["reason"] for line in audit_of(tmp_path) if line["fact"] == "difference"]
    assert any(f"position {order.position_id}, existence" in reason for reason in differences)


async def test_books_that_agree_with_the_server_after_a_drop_are_no_difference(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        server.set_price(EURUSD, bid=120_000, ask=120_010)
        order = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.01", stop_loss_pips=20))
        await order.protected()
        pending = await desk.place(DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.0"))
        before = desk.positions(DEMO), desk.pending_orders(DEMO)
        await ready_again(desk.session(DEMO), links=server.drop_clients)
        assert (desk.positions(DEMO), desk.pending_orders(DEMO)) == before
        assert pending.state is OrderState.ACCEPTED
        await desk.flush()
    assert "difference" not in facts_of(tmp_path)


async def test_snapshots_are_written_when_restored_when_asked_and_at_the_end(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (_, desk):
        order = await desk.place(DEMO, BUY)
        await order.filled()
        desk.snapshot(DEMO)
    lines = snapshots_of(tmp_path)
    assert [line["why"] for line in lines] == ["restored", "asked", "asked", "shutdown", "shutdown"]
    assert [line.get("open_positions") for line in lines] == [0, 1, None, 1, None]
    assert {(line["environment"], line["account_id"]) for line in lines} == {("demo", 1_000_001)}
    assert (lines[2]["symbol"], lines[2]["id"], lines[2]["volume_cents"]) == ("EURUSD", order.position_id, LOT_CENTS)


async def test_a_snapshot_is_written_each_day_at_the_time_that_is_set(tmp_path: Path) -> None:
    async with a_server() as server:
        async with open_desk(desk_settings(tmp_path, side_of(server))) as desk:
            order = await desk.place(DEMO, BUY)
            await order.filled()
        soon = (datetime.now(UTC) + timedelta(seconds=3)).time()  # by then a desk is open, on a slow machine too
        timings = replace(QUICK, snapshot_at=soon)
        async with open_desk(desk_settings(tmp_path, side_of(server, timings=timings))):
            with anyio.fail_after(20):
                while "daily" not in [line["why"] for line in snapshots_of(tmp_path)]:  # noqa: ASYNC110
                    await anyio.sleep(0.05)  # the file is all that tells of it
    daily = [line for line in snapshots_of(tmp_path) if line["why"] == "daily"]
    assert [line.get("open_positions") for line in daily][:2] == [1, None]
    assert daily[1]["id"] == order.position_id


@pytest.mark.parametrize(
    ("now", "at", "due"),
    [
        ("2026-11-22T10:00:00", "21:30", "2026-11-22T21:30:00"),
        ("2026-11-22T21:30:00", "21:30", "2026-11-23T21:30:00"),
        ("2026-12-31T23:59:59", "00:00", "2027-01-01T00:00:00"),
    ],
)
def test_the_next_daily_moment_is_later_than_now_and_within_a_day(now: str, at: str, due: str) -> None:
    def ms(text: str) -> int:
        return int(datetime.fromisoformat(f"{text}+00:00").timestamp() * 1000)

    assert next_daily_ms(ms(now), time.fromisoformat(at)) == ms(due)


async def test_an_event_that_contradicts_what_was_final_is_on_record_and_leaves_only_reducing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClientOrderIds, "claimed", lambda *_: nullcontext())  # a program that is not ours
    async with a_desk(tmp_path) as (server, desk), somebody_else(server, tmp_path) as account:
        order = await desk.place(DEMO, BUY)
        await order.filled()
        # A second order with the same id: the server does not mind (docs/protocol.md section 10).
        await account.request(an_order(clientOrderId=order.client_order_id, label=order.client_order_id))
        await told(server, desk)
        assert desk.mode(DEMO) is Mode.REDUCE_ONLY
        with pytest.raises(Refused, match="may only be reduced"):
            await desk.place(DEMO, BUY)
        first, second = desk.positions(DEMO)
        await (await desk.close(DEMO, first.id)).filled()
        await (await desk.close(DEMO, second.id)).filled()
        await desk.flush()
    facts = facts_of(tmp_path)
    assert "contradiction" in facts
    assert "tripped" in facts


async def test_a_close_whose_answer_was_lost_is_recognised_by_its_position_volume_and_time(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        server.set_price(EURUSD, bid=120_000, ask=120_010)
        order = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.03"))
        await order.filled()
        position_id = desk.positions(DEMO)[0].id
        first = await desk.close(DEMO, position_id, lots="0.01")
        await first.filled()
        server.faults.inject(faults.Lose(which=is_execution(FILLED)))
        second = await desk.close(DEMO, position_id, lots="0.01")
        await ready_again(desk.session(DEMO), links=server.drop_clients)
        execution = await second.filled()
        assert execution.realised is not None
        assert execution.realised.gross_profit == Decimal("-0.10")
        assert first.order_id != second.order_id
        assert desk.positions(DEMO)[0].volume_cents == LOT_CENTS


async def test_positions_are_not_told_while_the_servers_list_was_never_heard(tmp_path: Path) -> None:
    async with a_server() as server:
        server.faults.inject(faults.DropBefore(which="ProtoOAReconcileRes"))
        refusing = server.faults.inject(Afterwards())
        async with open_desk(desk_settings(tmp_path, side_of(server))) as desk:
            assert desk.session(DEMO).state is not SessionState.READY
            with pytest.raises(NotSent, match="not restored yet"):
                desk.positions(DEMO)
            refusing.remove()
            await desk.session(DEMO).wait_for(SessionState.READY)
            assert desk.positions(DEMO) == ()
    assert [line["why"] for line in snapshots_of(tmp_path)] == ["restored", "shutdown"]


class Afterwards(Fault):
    """No second connection comes about while it is at work."""

    def __init__(self) -> None:
        self._asked = 0

    def tls(self) -> RefusedTls | None:
        self._asked += 1
        return RefusedTls.REFUSED if self._asked > 1 else None
