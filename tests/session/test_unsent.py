"""Requests whose intent is on record and that did not leave, or that nobody saw leave: what is said of them later."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import FakeServer
from anyctrader.session import Desk, Environment, Limits, Mode, open_audit
from anyctrader.session.gate import Gate
from anyctrader.session.leftovers import leftovers_of
from anyctrader.session.positions import PositionBook
from anyctrader.session.proxied import ProxiedClient
from anyctrader.session.proxied_amends import ProxiedAmends
from anyctrader.session.proxied_closes import ProxiedCloses
from anyctrader.session.proxied_orders import ProxiedOrders
from anyctrader.session.request_record import RequestRecord
from anyctrader.session.verdicts import Evidence, judged
from anyctrader.wire import Message, ProtobufCodec
from anyctrader.wire import messages as oa

from .rig import LOT_CENTS, a_server, audit_of
from .test_audit import GatedDisk
from .test_doubts import KINDS, NEW, a_desk_at, crashed, raw, something_open, until_resolved

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> GatedDisk:
    """That of the desks which are opened next."""
    disk = GatedDisk()
    monkeypatch.setattr("anyctrader.session.desk.open_audit", partial(open_audit, disk=disk))
    return disk


@asynccontextmanager
async def while_written(disk: GatedDisk, desk: Desk, ask: Any) -> AsyncIterator[None]:
    """Within it, a request's intent is in the file and its caller waits for the disk; it is cancelled then."""
    await desk.flush()
    async with anyio.create_task_group() as tasks:
        disk.hold()
        tasks.start_soon(ask)
        await disk.held()
        yield
        tasks.cancel_scope.cancel()
    disk.gate.set()
    await desk.flush()


async def left_unsent(server: FakeServer, disk: GatedDisk, folder: Path, to: Path, ask: Any) -> tuple[Path, int]:
    """What a process leaves that dies before a request has left; and the position that was open."""
    async with a_desk_at(server, folder) as desk:
        ids = await something_open(server, desk)
        async with while_written(disk, desk, lambda: ask(desk, *ids)):
            left = crashed(folder, to)
    return left, ids[1]


async def test_what_is_cancelled_while_its_intent_is_written_has_an_end_on_record(
    tmp_path: Path, disk: GatedDisk
) -> None:
    async with a_server() as server, a_desk_at(server, tmp_path) as desk:
        ids = await something_open(server, desk)
        before = Counter(server.seen.names())
        for kind in KINDS.values():
            async with while_written(disk, desk, partial(kind.ask, desk, *ids)):
                pass
        asked = {kind.name for kind in KINDS.values()}
        assert not {name for name in Counter(server.seen.names()) - before if name in asked}
        assert leftovers_of(tmp_path, DEMO).requests == []
    told = [(line["message"], line["fact"], line.get("reason")) for line in audit_of(tmp_path) if "message" in line]
    why = "the caller was cancelled"
    assert told == [
        each for kind in KINDS.values() for each in ((kind.name, "intent", None), (kind.name, "not_sent", why))
    ]


@pytest.mark.parametrize("name", ["raw order", "raw close"])
async def test_an_order_of_another_client_is_not_taken_for_one_that_nobody_saw_leave(
    tmp_path: Path, name: str, disk: GatedDisk
) -> None:
    kind = KINDS[name]
    async with a_server() as server:
        folder, position_id = await left_unsent(server, disk, tmp_path / "a", tmp_path / "b", kind.ask)
        assert leftovers_of(folder, DEMO).requests[0].has_left is False
        async with a_desk_at(server, tmp_path / "other") as other:
            theirs = await kind.ask(other, 0, position_id)
        async with a_desk_at(server, folder) as desk:
            await until_resolved(desk, folder)
    (line,) = [line for line in audit_of(folder) if line["fact"] == "resolved" and "outcome" in line]
    assert line["outcome"] == "undecided"
    assert f"order {theirs.order.orderId} may be it, or another client's" in line["reason"]
    assert line["order_id"] == theirs.order.orderId


async def test_an_id_of_ones_own_tells_it_from_another_clients(tmp_path: Path, disk: GatedDisk) -> None:
    async with a_server() as server:
        ask = KINDS["raw order with an id"].ask
        folder, _ = await left_unsent(server, disk, tmp_path / "a", tmp_path / "b", ask)
        async with a_desk_at(server, tmp_path / "other") as other:
            await raw(oa.ProtoOANewOrderReq(**NEW, clientOrderId="theirs", label="my label"))(other, 0, 0)
        async with a_desk_at(server, folder) as desk:
            await until_resolved(desk, folder)
    (line,) = [line for line in audit_of(folder) if line["fact"] == "resolved" and "outcome" in line]
    assert "order_id" not in line
    assert line["outcome"] in ("without_effect", "undecided")  # what is open shows a position that it may have made


async def test_the_record_says_what_a_close_that_nobody_saw_leave_was_known_by(tmp_path: Path, disk: GatedDisk) -> None:
    async def close(desk: Desk, _: int, position_id: int) -> Any:
        return await desk.close(DEMO, position_id, volume_cents=LOT_CENTS)

    async with a_server() as server:
        folder, position_id = await left_unsent(server, disk, tmp_path / "a", tmp_path / "b", close)
        async with a_desk_at(server, tmp_path / "other") as other:
            await (await close(other, 0, position_id)).filled()
        async with a_desk_at(server, folder) as desk:
            (closing,) = [order for order in desk.orders.values() if order.record.is_close]
            await closing.finished()
    (line,) = [line for line in audit_of(folder) if line["fact"] == "resolved" and line["state"] == "filled"]
    assert "may be another client's" in line["reason"]


def test_an_order_that_came_later_than_an_unsent_request_could_have_is_none_of_it() -> None:
    payload = oa.ProtoOANewOrderReq(ctidTraderAccountId=1, **NEW)
    record = RequestRecord(intent_id="a", name="raw", payload=payload, intent_at_ms=1_000)
    order = oa.ProtoOAOrder(orderId=7, orderType=1, orderStatus=oa.ProtoOAOrderStatus.ORDER_STATUS_FILLED)
    order.tradeData.symbolId, order.tradeData.tradeSide = payload.symbolId, payload.tradeSide
    order.tradeData.volume, order.tradeData.openTimestamp = payload.volume, 5_000
    for latest_ms, among in ((5_000, (7,)), (4_999, ())):
        evidence = Evidence(book=PositionBook(), orders=[order], latest_ms=lambda _, by_ms=latest_ms: by_ms)
        assert judged(record, evidence).among == among
    record.sent(1_000, "x")
    assert judged(record, Evidence(book=PositionBook(), orders=[order], latest_ms=lambda _: 0)).order_id == 7


async def test_what_a_client_of_the_proxy_leaves_while_its_intent_is_written_has_an_end_too(tmp_path: Path) -> None:
    disk, codec = GatedDisk(), ProtobufCodec()
    asked = oa.ProtoOAClosePositionReq(ctidTraderAccountId=1, positionId=5, volume=LOT_CENTS)
    async with open_audit(tmp_path, disk=disk) as audit:
        gate = Gate(DEMO, mode=Mode.ON, audit=audit)
        client = ProxiedClient(
            gate,
            codec=codec,
            limits=Limits(),
            within_s=600,
            orders=ProxiedOrders(),
            closes=ProxiedCloses(),
            amends=ProxiedAmends(),
        )
        for request, answer in (
            (oa.ProtoOAApplicationAuthReq(clientId="a", clientSecret="b"), oa.ProtoOAApplicationAuthRes()),
            (
                oa.ProtoOAAccountAuthReq(ctidTraderAccountId=1, accessToken="c"),
                oa.ProtoOAAccountAuthRes(ctidTraderAccountId=1),
            ),
        ):
            assert await client.judge(codec.encode(Message(request, "x"))) is None
            client.heard(codec.encode(Message(answer, "x")))
        await audit.flush()
        async with anyio.create_task_group() as tasks:
            disk.hold()
            tasks.start_soon(client.judge, codec.encode(Message(asked, "y")))
            await disk.held()
            tasks.cancel_scope.cancel()
        disk.gate.set()
    told = [(line["fact"], line.get("via")) for line in audit_of(tmp_path)]
    assert told == [("intent", "proxy"), ("not_sent", "proxy")]
