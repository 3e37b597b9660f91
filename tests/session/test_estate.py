"""A single session goes on with what earlier processes left on record, as a desk does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from anyctrader.fake import FakeServer, faults
from anyctrader.session import Account, AuditUnavailable, Environment, Mode, OutcomeUnknown, Session, open_audit
from anyctrader.session.audit import Audit
from anyctrader.session.estate import inherited
from anyctrader.wire import messages as oa

from .rig import EURUSD, LOT_CENTS, a_server, audit_of, by_name, connected, facts_of
from .test_past import market

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO


@asynccontextmanager
async def a_session(server: FakeServer, audit: Audit) -> AsyncIterator[tuple[Session, Account]]:
    async with connected(server, trading=Mode.ON, audit=audit) as session:
        account = await session.authorize(server.account_id)
        yield session, account
        await session.request(oa.ProtoOAVersionReq())  # all that the server had to say was heard


def an_order(**more: Any) -> Any:
    given = {"symbolId": EURUSD, "orderType": oa.ProtoOAOrderType.MARKET, "tradeSide": 1, "volume": LOT_CENTS}
    return oa.ProtoOANewOrderReq(**given | more)


async def test_what_happened_while_no_session_was_there_is_on_record(tmp_path: Path) -> None:
    async with a_server() as server:
        market(server, 120_000)
        for price in (120_000, 119_000):
            async with open_audit(tmp_path) as audit, a_session(server, audit) as (session, account):
                if price == 120_000:
                    opened = await account.request(an_order(relativeStopLoss=200))
                    await session.request(oa.ProtoOAVersionReq())
            market(server, 119_000)
    position_id = opened.position.positionId
    (missed,) = by_name(audit_of(tmp_path), "fact", "missed_deal")
    assert missed["position_id"] == position_id
    assert Decimal(missed["net"]) < 0
    (difference,) = by_name(audit_of(tmp_path), "fact", "difference")
    assert f"position {position_id}, existence" in difference["reason"]
    assert facts_of(tmp_path).count("record_begins") == 1
    lines = [orjson.loads(line) for line in (tmp_path / "position_snapshot.jsonl").read_bytes().splitlines()]
    heads = [(line["why"], line["open_positions"]) for line in lines if "open_positions" in line][1:]
    assert heads == [("restored", 0), ("shutdown", 1), ("restored", 0), ("shutdown", 0)]


async def test_a_request_of_unknown_outcome_is_asked_about_by_the_next_session(tmp_path: Path) -> None:
    async with a_server() as server, open_audit(tmp_path) as audit:
        silent = server.faults.inject(faults.Unanswering("ProtoOAExecutionEvent"))
        async with a_session(server, audit) as (_, account):
            with silent, server.faults.inject(faults.Deafness("ProtoOAOrderListReq")):
                with pytest.raises(OutcomeUnknown):
                    await account.request(an_order(orderType=oa.ProtoOAOrderType.LIMIT, limitPrice=1.0), timeout_s=0.1)
        async with a_session(server, audit) as (session, _):
            while "resolved" not in facts_of(tmp_path):
                await session.request(oa.ProtoOAVersionReq())
                await audit.flush()
    (resolved,) = by_name(audit_of(tmp_path), "fact", "resolved")
    assert resolved["outcome"] == "done"


async def test_what_another_session_of_the_account_has_under_way_is_not_taken_over(tmp_path: Path) -> None:
    async with open_audit(tmp_path) as audit:
        async with inherited(audit, DEMO, 1, log=None) as left:
            assert left is not None
            async with inherited(audit, DEMO, 1, log=None) as second:
                assert second is None
            async with inherited(audit, DEMO, 2, log=None) as other:
                assert other is not None
        async with inherited(audit, DEMO, 1, log=None) as again:
            assert again is not None
    async with open_audit(tmp_path / "sandbox", sandbox=True) as audit, inherited(audit, DEMO, 1, log=None) as left:
        assert left is None
    async with inherited(None, DEMO, 1, log=None) as left:
        assert left is None


async def test_a_record_that_cannot_be_read_lets_nobody_connect(tmp_path: Path) -> None:
    async with a_server() as server, open_audit(tmp_path) as audit:
        (tmp_path / "order_audit.2020-01-01.jsonl").mkdir()
        with pytest.raises(AuditUnavailable, match="cannot be read"):
            async with a_session(server, audit):
                pass
        assert "ProtoOAApplicationAuthReq" not in server.seen.names()
