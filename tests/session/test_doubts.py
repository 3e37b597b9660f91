"""Cancels, amends and raw requests of unknown outcome: found out, over a reconnect and over a crash."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import FakeServer, faults
from anyctrader.session import (
    CTraderError,
    Desk,
    Environment,
    LimitOrder,
    MarketOrder,
    NotSent,
    OrderAmendment,
    OutcomeUnknown,
    PositionAmendment,
    Side,
    Timings,
    open_desk,
)
from anyctrader.session.leftovers import Leftovers, leftovers_of
from anyctrader.session.verification import verify
from anyctrader.wire import messages as oa

from .rig import EURUSD, LOT_CENTS, QUICK, a_server, audit_of, desk_settings, heard, ready_again, side_of

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
SOON = replace(QUICK, absent_s=0.3)


@dataclass(frozen=True)
class Kind:
    """A request that no order record follows, and how one sees that it was done."""

    message: type[Any]
    ask: Callable[[Desk, int, int], Awaitable[Any]]
    done: Callable[[Desk], bool]

    @property
    def name(self) -> str:
        return self.message.__name__


def order_of(desk: Desk) -> Any:
    return next(iter(desk.pending_orders(DEMO)), None)


def position_of(desk: Desk) -> Any:
    return next(iter(desk.positions(DEMO)), None)


def raw(payload: Any) -> Callable[[Desk, int, int], Awaitable[Any]]:
    def ask(desk: Desk, order_id: int, position_id: int) -> Awaitable[Any]:
        request = type(payload)()
        request.CopyFrom(payload)
        for name, id_ in (("orderId", order_id), ("positionId", position_id)):
            if name in request.DESCRIPTOR.fields_by_name and not isinstance(request, oa.ProtoOANewOrderReq):
                setattr(request, name, id_)
        return desk.account(DEMO).request(request)

    return ask


NEW = {
    "symbolId": EURUSD,
    "orderType": oa.ProtoOAOrderType.MARKET,
    "tradeSide": oa.ProtoOATradeSide.SELL,
    "volume": 3 * LOT_CENTS,
}
KINDS = {
    "cancel": Kind(
        oa.ProtoOACancelOrderReq, lambda desk, order, _: desk.cancel(DEMO, order), lambda desk: order_of(desk) is None
    ),
    "amend of an order": Kind(
        oa.ProtoOAAmendOrderReq,
        lambda desk, order, _: desk.amend(DEMO, OrderAmendment(order, price="1.05", stop_loss="1.01")),
        lambda desk: f"{order_of(desk).limit_price:f}" == "1.05",
    ),
    "amend of a position": Kind(
        oa.ProtoOAAmendPositionSLTPReq,
        lambda desk, _, position: desk.amend(DEMO, PositionAmendment(position, stop_loss="1.15")),
        lambda desk: f"{position_of(desk).stop_loss or 0:f}" == "1.15",
    ),
    "raw cancel": Kind(oa.ProtoOACancelOrderReq, raw(oa.ProtoOACancelOrderReq()), lambda desk: order_of(desk) is None),
    "raw close": Kind(
        oa.ProtoOAClosePositionReq,
        raw(oa.ProtoOAClosePositionReq(volume=LOT_CENTS)),
        lambda desk: position_of(desk).volume_cents == LOT_CENTS,
    ),
    "raw order": Kind(
        oa.ProtoOANewOrderReq, raw(oa.ProtoOANewOrderReq(**NEW)), lambda desk: len(desk.positions(DEMO)) == 2
    ),
    "raw order with an id": Kind(
        oa.ProtoOANewOrderReq,
        raw(oa.ProtoOANewOrderReq(**NEW, clientOrderId="mine", label="my label")),
        lambda desk: len(desk.positions(DEMO)) == 2,
    ),
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))


def a_desk_at(server: FakeServer, folder: Path, timings: Timings = SOON) -> AbstractAsyncContextManager[Desk]:
    return open_desk(desk_settings(folder, side_of(server, timings=timings)))


async def something_open(server: FakeServer, desk: Desk) -> tuple[int, int]:
    """A pending order and a position; their ids."""
    server.set_price(EURUSD, bid=120_000, ask=120_010)
    pending = await desk.place(DEMO, LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.1", stop_loss="1.0"))
    opened = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.02"))
    await opened.filled()
    assert pending.order_id is not None
    assert opened.position_id is not None
    return pending.order_id, opened.position_id


@contextmanager
def impatient(desk: Desk) -> Iterator[None]:
    session = desk.session(DEMO)
    usual, session.timings = session.timings, replace(session.timings, request_s=0.3)
    try:
        yield
    finally:
        session.timings = usual


async def asked_in_vain(server: FakeServer, desk: Desk, kind: Kind, fault: Any) -> tuple[int, int]:
    """Asks, with no answer; the ids of order and position."""
    ids = await something_open(server, desk)
    with impatient(desk), server.faults.inject(fault), pytest.raises(OutcomeUnknown):
        await kind.ask(desk, *ids)
    return ids


def crashed(folder: Path, to: Path) -> Path:
    """What is on the disk at this moment, as a process that dies now would leave it."""
    to.mkdir()
    for path in sorted(folder.iterdir()):
        shutil.copy(path, to)
    return to


def resolved(folder: Path) -> list[tuple[str, str]]:
    """The requests that were resolved, and how."""
    return [
        (line["message"], line["outcome"])
        for line in audit_of(folder)
        if line["fact"] == "resolved" and "outcome" in line
    ]


async def until_resolved(desk: Desk, folder: Path) -> None:
    with anyio.fail_after(20):
        while not resolved(folder):
            await anyio.sleep(0.02)  # the record is all that tells of it
            await desk.flush()


@every_kind
async def test_one_that_was_done_unseen_is_found_after_a_reconnect(tmp_path: Path, kind: Kind) -> None:
    async with a_server() as server, a_desk_at(server, tmp_path) as desk:
        ids = await something_open(server, desk)
        since, session = server.seen.total, desk.session(DEMO)

        async def ask() -> None:
            with pytest.raises(OutcomeUnknown):
                await kind.ask(desk, *ids)

        async with anyio.create_task_group() as tasks:
            with server.faults.inject(faults.Unanswering(lambda frame: frame.name != "ProtoOAReconcileRes")):
                tasks.start_soon(ask)
                await server.wait_for(kind.name, since=since)
            await ready_again(session, links=server.drop_clients)
        assert kind.done(desk)
        await until_resolved(desk, tmp_path)
        assert len(heard(server, kind.message)) == (2 if kind.name == "ProtoOANewOrderReq" else 0) + 1
    assert resolved(tmp_path) == [(kind.name, "done")]
    assert verify(tmp_path) == []


@every_kind
async def test_one_that_was_done_unseen_before_a_crash_is_found_at_the_next_start(tmp_path: Path, kind: Kind) -> None:
    async with a_server() as server:
        async with a_desk_at(server, tmp_path / "a") as desk:
            ids = await something_open(server, desk)
            since = server.seen.total
            async with anyio.create_task_group() as tasks:
                with server.faults.inject(faults.Unanswering(lambda frame: frame.name != "ProtoOAReconcileRes")):
                    tasks.start_soon(kind.ask, desk, *ids)
                    await server.wait_for(kind.name, since=since)
                    await desk.flush()
                    folder = crashed(tmp_path / "a", tmp_path / "b")
                    tasks.cancel_scope.cancel()
        (left,) = leftovers_of(folder, DEMO).requests
        assert type(left.payload) is kind.message
        async with a_desk_at(server, folder) as desk:
            assert kind.done(desk)
            await until_resolved(desk, folder)
    assert resolved(folder) == [(kind.name, "done")]
    assert leftovers_of(folder, DEMO).requests == []
    assert verify(folder) == []


@every_kind
async def test_one_that_never_arrived_shuts_its_target_until_enough_looks_agree(tmp_path: Path, kind: Kind) -> None:
    async with a_server() as server:
        async with a_desk_at(server, tmp_path / "a") as desk:
            await asked_in_vain(server, desk, kind, faults.Deafness(kind.name))
            assert len(desk.session(DEMO).books[server.account_id].doubts) == 1
            await desk.flush()
            folder = crashed(tmp_path / "a", tmp_path / "b")
        before = len(heard(server, kind.message))
        async with a_desk_at(server, folder) as desk:
            order, position = order_of(desk), position_of(desk)
            if kind.message is not oa.ProtoOANewOrderReq:
                with pytest.raises(NotSent, match="was never answered, find out first"):
                    await kind.ask(desk, order.id, position.id)
            await until_resolved(desk, folder)
            assert not kind.done(desk)
            looks = len(heard(server, oa.ProtoOAOrderListReq))
            assert looks >= 3
            await kind.ask(desk, order.id, position.id)  # a person may ask again now
        assert len(heard(server, kind.message)) == before + 1
    assert resolved(folder) == [(kind.name, "without_effect")]
    (line,) = [line for line in audit_of(folder) if line.get("outcome")]
    assert "3 looks at the server's lists over at least 0.3 s" in line["reason"]


async def test_on_a_link_that_stays_up_it_stays_in_doubt_until_that_is_left_for_a_new_one(tmp_path: Path) -> None:
    kind = KINDS["amend of a position"]
    async with a_server() as server, a_desk_at(server, tmp_path, replace(QUICK, absent_s=1.0)) as desk:
        _, position_id = await asked_in_vain(server, desk, kind, faults.Deafness(kind.name))
        await server.wait_for("ProtoOAReconcileReq", count=3)
        with pytest.raises(NotSent, match="amend was never answered"):
            await desk.close(DEMO, position_id)
        assert server.seen.names().count("connected") == 1
        await server.wait_for("connected", count=2)
        await until_resolved(desk, tmp_path)
        await (await desk.close(DEMO, position_id)).filled()
    assert resolved(tmp_path) == [(kind.name, "without_effect")]


async def test_a_late_answer_settles_what_was_asked(tmp_path: Path) -> None:
    kind = KINDS["amend of a position"]
    async with a_server() as server, a_desk_at(server, tmp_path, QUICK) as desk:
        await asked_in_vain(server, desk, kind, faults.Late(0.6, which="ProtoOAExecutionEvent"))
        await until_resolved(desk, tmp_path)
        assert kind.done(desk)
    assert resolved(tmp_path) == [(kind.name, "done")]


async def test_a_late_refusal_settles_what_was_asked(tmp_path: Path) -> None:
    async with a_server() as server, a_desk_at(server, tmp_path, QUICK) as desk:
        order_id, _ = await something_open(server, desk)
        server.faults.inject(faults.Delay(0.6))
        with impatient(desk), pytest.raises(OutcomeUnknown):
            await desk.account(DEMO).request(oa.ProtoOACancelOrderReq(orderId=order_id + 1000))
        await until_resolved(desk, tmp_path)
    assert resolved(tmp_path) == [("ProtoOACancelOrderReq", "refused")]


async def test_a_cancel_that_an_expiry_or_another_cancel_overtook_is_no_longer_in_doubt(tmp_path: Path) -> None:
    kind = KINDS["amend of an order"]
    async with a_server() as server:
        async with a_desk_at(server, tmp_path / "a") as desk:
            order_id, _ = await asked_in_vain(server, desk, kind, faults.Deafness(kind.name))
            await desk.flush()
            folder = crashed(tmp_path / "a", tmp_path / "b")
        async with a_desk_at(server, tmp_path / "c") as desk:
            await desk.cancel(DEMO, order_id)
        async with a_desk_at(server, folder) as desk:
            await until_resolved(desk, folder)
    assert resolved(folder) == [(kind.name, "overtaken")]


async def test_a_raw_request_that_was_answered_is_not_followed_further(tmp_path: Path) -> None:
    async with a_server() as server:
        async with a_desk_at(server, tmp_path) as desk:
            ids = await something_open(server, desk)
            for kind in KINDS.values():
                if kind.message is not oa.ProtoOACancelOrderReq:
                    await kind.ask(desk, *ids)
            with pytest.raises(CTraderError):
                await desk.account(DEMO).request(oa.ProtoOACancelOrderReq(orderId=99_999))
        assert leftovers_of(tmp_path, DEMO).requests == Leftovers().requests
    facts = [line["fact"] for line in audit_of(tmp_path) if line.get("message")]
    assert facts.count("intent") == facts.count("answered") + facts.count("change_done") + facts.count("server_error")


async def test_a_raw_order_of_unknown_outcome_counts_as_filled_after_a_crash_too(tmp_path: Path) -> None:
    kind = KINDS["raw order"]
    async with a_server() as server:
        async with a_desk_at(server, tmp_path / "a") as desk:
            await asked_in_vain(server, desk, kind, faults.Deafness(kind.name))
            await desk.flush()
            folder = crashed(tmp_path / "a", tmp_path / "b")
        async with a_desk_at(server, folder) as desk:
            allowance = desk.session(DEMO).allowances[server.account_id]
            held = allowance._side_cents(EURUSD, Side.SELL)
            assert held == 3 * LOT_CENTS
            await until_resolved(desk, folder)
            assert allowance._side_cents(EURUSD, Side.SELL) == 0
