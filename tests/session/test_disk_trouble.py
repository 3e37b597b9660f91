"""A disk that is full or read-only: what opens is refused and nothing of it leaves; closes and cancels go on record."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from anyctrader.fake import FakeServer
from anyctrader.session import (
    Account,
    AuditUnavailable,
    Desk,
    Environment,
    LimitOrder,
    MarketOrder,
    Mode,
    Order,
    Session,
    Side,
    connection_log,
    open_audit,
    open_desk,
)
from anyctrader.session import audit as audit_module
from anyctrader.session.audit import Audit
from anyctrader.session.disk import Disk
from anyctrader.session.stories import lines_of
from anyctrader.session.verification import verify
from anyctrader.wire import messages as oa

from .rig import EURUSD, LOT_CENTS, a_server, audit_of, connected, desk_settings, facts_of, heard, side_of
from .test_audit import GatedDisk

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")
WAITING = LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.0")


class ReadOnlyDisk(Disk):
    """A folder in which no file can be made, named anew or removed any more; those that are there go on."""

    read_only = False
    files_too = False

    def writable(self, folder: Path) -> bool:
        return not self.read_only and super().writable(folder)

    def open(self, path: Path, flags: int) -> int:
        if self.read_only and flags & (os.O_WRONLY | os.O_RDWR) and (self.files_too or not path.exists()):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return super().open(path, flags)

    def rename(self, path: Path, to: Path) -> None:
        if self.read_only:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        super().rename(path, to)


@pytest.fixture
def in_place(monkeypatch: pytest.MonkeyPatch) -> type[ReadOnlyDisk]:
    """What every disk is that is made from now on; `read_only` of the class is that of all."""
    monkeypatch.setattr(ReadOnlyDisk, "read_only", False)
    monkeypatch.setattr(ReadOnlyDisk, "files_too", False)
    for module in (audit_module, connection_log):
        monkeypatch.setattr(module, "Disk", ReadOnlyDisk)
    return ReadOnlyDisk


@asynccontextmanager
async def trading_on(disk: Disk, folder: Path) -> AsyncIterator[tuple[FakeServer, Session, Account, Audit]]:
    async with open_audit(folder, disk=disk, reserve_bytes=65536) as audit, a_server() as server:
        async with connected(server, trading=Mode.ON, audit=audit) as session:
            yield server, session, await session.authorize(server.account_id), audit


def an_order(**changes: Any) -> Any:
    given = {"symbolId": EURUSD, "orderType": oa.ProtoOAOrderType.MARKET, "tradeSide": 1, "volume": LOT_CENTS}
    return oa.ProtoOANewOrderReq(**(given | changes))


@pytest.mark.parametrize("trouble", ["full", "read_only"])
async def test_opens_are_refused_unsent_while_closes_and_cancels_leave_on_record(tmp_path: Path, trouble: str) -> None:
    disk: Any = GatedDisk() if trouble == "full" else ReadOnlyDisk()
    async with trading_on(disk, tmp_path) as (server, session, account, audit):
        waiting = await account.request(an_order(orderType=oa.ProtoOAOrderType.LIMIT, limitPrice=1.0))
        async with account.events() as events:
            await account.request(an_order())
            async for event in events:
                if getattr(event.payload, "executionType", 0) == oa.ProtoOAExecutionType.ORDER_FILLED:
                    break
        (position,) = session.books[account.id].positions.positions
        await audit.flush()  # what has happened so far is no burden on what comes
        setattr(disk, trouble, True)
        with pytest.raises(AuditUnavailable):
            await account.request(an_order())
        setattr(disk, trouble, True)
        await account.request(oa.ProtoOAClosePositionReq(positionId=position.id, volume=LOT_CENTS))
        setattr(disk, trouble, True)
        await account.request(oa.ProtoOACancelOrderReq(orderId=waiting.order.orderId))
        setattr(disk, trouble, False)
        assert len(heard(server, oa.ProtoOANewOrderReq)) == 2
        assert len(heard(server, oa.ProtoOAClosePositionReq)) == len(heard(server, oa.ProtoOACancelOrderReq)) == 1
    intents = [line["request"] for line in audit_of(tmp_path) if line["fact"] == "intent"]
    assert intents == ["ProtoOANewOrderReq"] * 2 + ["ProtoOAClosePositionReq", "ProtoOACancelOrderReq"]
    assert verify(tmp_path) == []


async def test_in_a_read_only_folder_a_desk_closes_and_cancels_also_after_a_day_and_a_new_start(
    tmp_path: Path, in_place: type[ReadOnlyDisk], monkeypatch: pytest.MonkeyPatch
) -> None:
    passed_ns, now_ns = 0, time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() + passed_ns)
    async with a_server() as server:
        settings = desk_settings(tmp_path, side_of(server))
        async with open_desk(settings) as desk:
            orders = [await desk.place(DEMO, BUY) for _ in range(3)]
            waiting = [await desk.place(DEMO, WAITING) for _ in range(3)]
            for order in orders:
                await order.filled()
            await desk.flush()
            in_place.read_only = True
            await only_reduced(desk, server, orders[0], waiting[0])
            passed_ns = 86_400_000_000_000  # the file of the day cannot be named after it: it goes on
            await only_reduced(desk, server, orders[1], waiting[1])
        async with open_desk(settings) as desk:
            await only_reduced(desk, server, orders[2], waiting[2])
            assert desk.positions(DEMO) == desk.pending_orders(DEMO) == ()
        in_place.read_only = False
        async with open_desk(settings) as desk:
            await (await desk.place(DEMO, BUY)).filled()
    assert verify(tmp_path) == []
    assert "rotation_failed" in facts_of(tmp_path)
    intents = [line["request"] for line in lines_of(tmp_path) if line["fact"] == "intent"]
    assert intents == ["place"] * 6 + ["close", "cancel"] * 3 + ["place"]


async def only_reduced(desk: Desk, server: FakeServer, order: Order, waiting: Order) -> None:
    """An order that opens is refused, and a close and a cancel leave."""
    kinds = (oa.ProtoOANewOrderReq, oa.ProtoOAClosePositionReq, oa.ProtoOACancelOrderReq)
    before = [len(heard(server, kind)) for kind in kinds]
    with pytest.raises(AuditUnavailable, match="writable; until then at most closes and cancels"):
        await desk.place(DEMO, BUY)
    assert order.position_id is not None
    assert waiting.order_id is not None
    await (await desk.close(DEMO, order.position_id)).filled()
    await desk.cancel(DEMO, waiting.order_id)
    opens, closes, cancels = (len(heard(server, kind)) for kind in kinds)
    assert [opens, closes, cancels] == [before[0], before[1] + 1, before[2] + 1]


async def test_where_not_even_a_file_can_be_written_a_desk_says_how_to_close(
    tmp_path: Path, in_place: type[ReadOnlyDisk]
) -> None:
    async with a_server() as server:
        async with open_desk(desk_settings(tmp_path / "logs", side_of(server))) as desk:
            order = await desk.place(DEMO, BUY)
            await order.filled()
        in_place.read_only = in_place.files_too = True
        with pytest.raises(AuditUnavailable, match="close in cTrader itself, or copy the folder") as refused:
            async with open_desk(desk_settings(tmp_path / "logs", side_of(server))):
                pass
        assert "order_audit.jsonl" in str(refused.value)
        in_place.read_only = in_place.files_too = False
        shutil.copytree(tmp_path / "logs", tmp_path / "copy")
        async with open_desk(desk_settings(tmp_path / "copy", side_of(server))) as desk:
            assert order.position_id is not None
            await (await desk.close(DEMO, order.position_id)).filled()
    assert verify(tmp_path / "copy") == []


@pytest.mark.skipif(sys.platform == "win32", reason="a folder has no such mode there")
def test_a_folder_is_writable_to_whom_the_process_acts_for(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir(mode=0o555)
    assert not Disk().writable(tmp_path / "none")
    if (user := os.geteuid()) == 0:
        assert Disk().writable(folder)
        os.seteuid(65534)  # what may write anywhere acts for somebody who may not
    try:
        assert not Disk().writable(folder)
    finally:
        os.seteuid(user)
