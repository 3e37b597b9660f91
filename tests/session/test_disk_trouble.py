"""A disk that is full or read-only: what opens is refused and nothing of it leaves; closes and cancels go on record."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from anyctrader.fake import FakeServer
from anyctrader.session import Account, AuditUnavailable, Mode, Session, open_audit
from anyctrader.session.audit import Audit
from anyctrader.session.disk import Disk
from anyctrader.session.verification import verify
from anyctrader.wire import messages as oa

from .rig import EURUSD, LOT_CENTS, a_server, audit_of, connected, heard
from .test_audit import GatedDisk

pytestmark = pytest.mark.anyio


class ReadOnlyDisk(Disk):
    """A folder in which no file can be made any more; the open ones go on."""

    read_only = False

    def writable(self, folder: Path) -> bool:
        return not self.read_only and super().writable(folder)


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
