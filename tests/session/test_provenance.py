"""Whose an order at the server is: one that came of something else, or was there before, is nobody else's work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest

from anyctrader.fake import FakeServer, faults
from anyctrader.session import (
    Account,
    Desk,
    Environment,
    Limits,
    MarketOrder,
    Mode,
    NoLimit,
    NotSent,
    Order,
    OrderState,
    OutcomeUnknown,
    SessionState,
    Side,
    open_audit,
    open_desk,
)
from anyctrader.session.leftovers import leftovers_of
from anyctrader.session.provenance import Departure, Provenance, could_come_of
from anyctrader.session.request_record import RequestRecord
from anyctrader.session.trades import trades_of
from anyctrader.session.verification import verify
from anyctrader.wire import messages as oa

from .rig import EURUSD, LOT_CENTS, QUICK, a_server, audit_of, connected, desk_settings, side_of
from .server_words import T0, Execution, Kind, deal, event, order, protective

DEMO = Environment.DEMO
SOON = replace(QUICK, absent_s=0.2)

# Pure


def test_an_order_with_an_owner_is_its_owners_alone_and_the_first_owner_stands() -> None:
    known = Provenance()
    known.came_of(600, "a")
    known.came_of(600, "b")
    assert known.allows(600, "a", Departure())
    assert not known.allows(600, "b", Departure())
    assert known.allows(601, "b", Departure())
    assert (known.order_of("a"), known.order_of("b")) == (600, None)


def test_an_order_that_was_seen_before_a_request_left_cannot_have_come_of_it() -> None:
    known = Provenance()
    known.saw(600)
    left = known.departure()
    known.saw(601)
    known.saw(600)
    assert not known.allows(600, "a", left)
    assert known.allows(601, "a", left)
    assert known.allows(602, "a", left), "one that was never seen is not ruled out"


def test_an_order_older_than_the_deals_and_the_position_that_were_known_cannot_have_come_of_it() -> None:
    known = Provenance()
    known.saw_deal(deal(order_id=600))  # 135 ms after T0
    left = known.departure()
    assert not known.allows(601, "a", left, opened_ms=T0 + 135 - 5_001)
    assert known.allows(601, "a", left, opened_ms=T0 + 135 - 5_000), "clocks of servers may differ by a little"
    closing = known.departure(position_ms=T0)
    assert not known.allows(601, "a", closing, opened_ms=T0 - 1)
    assert known.allows(601, "a", closing, opened_ms=T0)


@pytest.mark.parametrize(
    ("said", "change"),
    [
        ({"clientOrderId": "mine-1"}, {}),
        ({"label": "mine-1"}, {}),
        ({"label": "other"}, None),
        ({}, None),
        ({"label": "mine-1"}, {"closingOrder": True}),
        ({"label": "mine-1", "volume": 200_000}, None),
        ({"label": "mine-1", "tradeSide": 2}, None),
        ({"label": "mine-1", "orderType": 2}, None),
    ],
)
def test_an_order_can_come_of_a_request_that_asks_for_what_it_is(said: dict[str, Any], change: Any) -> None:
    asked = {"ctidTraderAccountId": 1, "symbolId": 1, "orderType": 1, "tradeSide": 1, "volume": 100_000} | said
    row = order(kind=Kind.MARKET, **(change or {}))
    assert could_come_of(oa.ProtoOANewOrderReq(**asked), row) is (change == {})
    assert not could_come_of(oa.ProtoOANewOrderReq(**asked), protective())


@pytest.mark.parametrize(
    ("line", "owned", "seen"),
    [
        ({"fact": "execution", "client_order_id": "a", "state": "filled"}, True, True),
        ({"fact": "execution", "client_order_id": "a"}, False, True),  # of another client's, by its own id
        ({"fact": "execution", "intent_id": "a"}, True, True),  # of a raw request that waits for its answer
        ({"fact": "fill", "client_order_id": "a", "state": "filled"}, True, True),
        ({"fact": "deal"}, False, True),
        ({"fact": "answered", "intent_id": "a", "message": "ProtoOAClosePositionReq"}, True, True),
        ({"fact": "answered", "intent_id": "a", "message": "ProtoOACancelOrderReq"}, False, False),
        ({"fact": "resolved", "intent_id": "a", "message": "ProtoOANewOrderReq"}, True, True),
        ({"fact": "intent", "intent_id": "a", "message": "ProtoOACancelOrderReq"}, False, False),  # a caller's word
    ],
)
def test_a_line_of_the_audit_tells_whose_an_order_is_and_that_it_was_there(
    line: dict[str, Any], *, owned: bool, seen: bool
) -> None:
    known = Provenance()
    known.follow({"order_id": 600, **line})
    assert (known.order_of("a") == 600) is owned
    assert known.allows(600, "b", known.departure()) is not (owned or seen)


def test_the_first_event_of_a_raw_request_tells_which_order_came_of_it_unless_it_is_another_kind() -> None:
    payload = oa.ProtoOANewOrderReq(
        ctidTraderAccountId=1, symbolId=1, orderType=1, tradeSide=1, volume=100_000, label="mine-1"
    )
    asked = RequestRecord(intent_id="a", name="raw", payload=payload, intent_at_ms=0)
    asked.sent(0, "r1")
    known = Provenance()
    known.asks(asked)
    accepted = event(Execution.ORDER_ACCEPTED, order=order(id=600))
    assert known.heard(accepted, None) is None
    assert known.heard(event(Execution.ORDER_ACCEPTED, order=order(id=601, volume=200_000)), "r1") is None
    assert known.heard(event(Execution.ORDER_ACCEPTED, order=protective()), "r1") is None
    assert known.heard(accepted, "r1") == "a"
    known.asked(asked)
    assert known.heard(event(Execution.ORDER_ACCEPTED, order=order(id=602)), "r1") is None
    assert known.order_of("a") == 600


# At a server


@asynccontextmanager
async def a_desk_at(server: FakeServer, folder: Path, **changes: Any) -> AsyncIterator[Desk]:
    async with open_desk(desk_settings(folder, side_of(server, **{"timings": SOON, **changes}))) as desk:
        yield desk


async def something_open(desk: Desk, lots: str = "0.03") -> int:
    opened = await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots=lots))
    await opened.filled()
    assert opened.position_id is not None
    return opened.position_id


async def in_vain(server: FakeServer, desk: Desk, name: str, ask: Callable[[], Awaitable[Any]]) -> Any:
    """Asks what the server never hears of; then the link is lost. Gives the order, where it is one."""
    session = desk.session(DEMO)
    usual, session.timings = session.timings, replace(session.timings, request_s=0.3)
    with server.faults.inject(faults.Deafness(name)), pytest.raises(OutcomeUnknown) as raised:
        await ask()
    session.timings = usual
    server.drop_clients()
    return raised.value.order


async def until(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(10):
        while not holds():  # noqa: ASYNC110
            await anyio.sleep(0.01)  # neither books nor an order tell those who do not wait for an order


async def known(order: Order) -> OrderState:
    await until(lambda: order.state is not OrderState.UNKNOWN)
    return order.state


async def resolved(desk: Desk, folder: Path, count: int = 1) -> list[dict[str, Any]]:
    """The lines of the requests that were resolved."""
    with anyio.fail_after(10):
        while len(lines := [line for line in audit_of(folder) if line.get("outcome")]) < count:
            await anyio.sleep(0.02)  # the record is all that tells of it
            await desk.flush()
    return lines


def close_of(position_id: int) -> oa.ProtoOAClosePositionReq:
    return oa.ProtoOAClosePositionReq(positionId=position_id, volume=LOT_CENTS)


def new_order(**more: Any) -> oa.ProtoOANewOrderReq:
    return oa.ProtoOANewOrderReq(symbolId=EURUSD, orderType=1, tradeSide=1, volume=LOT_CENTS, **more)


@asynccontextmanager
async def another_client(server: FakeServer, folder: Path) -> AsyncIterator[Account]:
    async with open_audit(folder) as audit, connected(server, trading=Mode.ON, audit=audit) as session:
        yield await session.authorize(server.account_id)


@pytest.mark.anyio
async def test_a_close_that_never_arrived_is_not_found_in_an_earlier_one_after_a_restart(tmp_path: Path) -> None:
    async with a_server() as server:
        async with a_desk_at(server, tmp_path) as desk:
            position_id = await something_open(desk)
            first = await desk.close(DEMO, position_id, lots="0.01")
            await first.filled()
            lost = await in_vain(
                server, desk, "ProtoOAClosePositionReq", lambda: desk.close(DEMO, position_id, lots="0.01")
            )
        async with a_desk_at(server, tmp_path) as desk:
            assert await known(desk.orders[lost.client_order_id]) is OrderState.NOT_SENT
            assert desk.orders[lost.client_order_id].order_id is None
            assert desk.positions(DEMO)[0].volume_cents == 2 * LOT_CENTS
    rows = trades_of(iter(audit_of(tmp_path)))
    assert [row.client_order_id for row in rows if row.order_id == first.order_id] == [first.client_order_id]
    assert len(rows) == 2
    assert verify(tmp_path) == []


@pytest.mark.anyio
@pytest.mark.parametrize("who", ["a raw request of ours", "another client"])
async def test_a_close_that_never_arrived_is_not_found_in_one_that_was_there_before(tmp_path: Path, who: str) -> None:
    async with a_server() as server, a_desk_at(server, tmp_path / "a") as desk:
        position_id = await something_open(desk)
        if who == "another client":
            async with another_client(server, tmp_path / "b") as account:
                await account.request(close_of(position_id))
        else:
            await desk.account(DEMO).request(close_of(position_id))
        await until(lambda: desk.positions(DEMO)[0].volume_cents == 2 * LOT_CENTS)
        lost = await in_vain(
            server, desk, "ProtoOAClosePositionReq", lambda: desk.close(DEMO, position_id, lots="0.01")
        )
        assert await known(lost) is OrderState.NOT_SENT


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["close", "order"])
async def test_a_raw_request_that_never_arrived_is_not_found_in_one_that_was_answered(
    tmp_path: Path, kind: str
) -> None:
    async with a_server() as server, a_desk_at(server, tmp_path) as desk:
        position_id = await something_open(desk)
        payload: Any = close_of(position_id) if kind == "close" else new_order()
        await desk.account(DEMO).request(payload)
        await in_vain(server, desk, type(payload).__name__, lambda: desk.account(DEMO).request(payload))
        (line,) = await resolved(desk, tmp_path)
    assert line["outcome"] == "without_effect"
    assert "order_id" not in line


async def left(desk: Desk, request: Callable[[], Any]) -> None:
    """Asks until it has left: a slow machine may cost the link, at any moment."""
    while True:
        await desk.session(DEMO).wait_for(SessionState.READY)
        try:
            await desk.account(DEMO).request(request())
        except NotSent:
            await anyio.sleep(0.05)
        else:
            return


@pytest.mark.anyio
async def test_orders_that_answered_later_requests_leave_an_earlier_one_to_its_end(tmp_path: Path) -> None:
    limits = Limits(loss_of_day=NoLimit.UNLIMITED, largest_order_lots=Decimal(1), most_exposure_lots=Decimal("0.03"))
    async with a_server() as server:
        async with a_desk_at(server, tmp_path, limits=limits) as desk:
            ask = desk.account(DEMO).request
            await desk.account(DEMO).symbol("EURUSD")
            with server.faults.inject(faults.Deafness("ProtoOANewOrderReq")), pytest.raises(OutcomeUnknown):
                await ask(new_order(), timeout_s=0.3)
            for _ in range(2):
                await left(desk, new_order)
        async with a_desk_at(server, tmp_path, limits=limits) as desk:
            (line,) = await resolved(desk, tmp_path)
            await (await desk.place(DEMO, MarketOrder("EURUSD", Side.BUY, lots="0.01"))).filled()  # nothing blocks it
    assert line["outcome"] == "without_effect"


@pytest.mark.anyio
async def test_where_others_asked_for_the_same_a_person_is_told_to_look_and_the_limit_is_free(tmp_path: Path) -> None:
    patient = replace(QUICK, absent_s=1.5)  # the others come before it counts as never arrived
    async with a_server() as server, a_desk_at(server, tmp_path / "a", timings=patient) as desk:
        await desk.account(DEMO).symbol("EURUSD")
        with server.faults.inject(faults.Deafness("ProtoOANewOrderReq")), pytest.raises(OutcomeUnknown):
            await desk.account(DEMO).request(new_order(), timeout_s=0.3)
        async with another_client(server, tmp_path / "b") as account:
            others = [(await account.request(new_order())).order.orderId for _ in range(2)]
        await until(lambda: len(desk.positions(DEMO)) == 2)
        allowance = desk.session(DEMO).allowances[server.account_id]
        assert allowance._side_cents(EURUSD, Side.BUY) == 3 * LOT_CENTS
        server.drop_clients()
        (line,) = await resolved(desk, tmp_path / "a")
        assert allowance._side_cents(EURUSD, Side.BUY) == 2 * LOT_CENTS
        await desk.flush()
    assert line["outcome"] == "undecided"
    assert all(str(order_id) in line["reason"] for order_id in others)
    log = (tmp_path / "a" / "demo_connection.log").read_text(encoding="utf-8")
    assert "undecided" in log


@pytest.mark.anyio
async def test_raw_orders_that_are_alike_and_unanswered_have_an_order_each(tmp_path: Path) -> None:
    async with a_server() as server:
        async with a_desk_at(server, tmp_path) as desk:
            ask = desk.account(DEMO).request
            await desk.account(DEMO).symbol("EURUSD")
            with server.faults.inject(faults.Silence()):
                for _ in range(2):
                    with pytest.raises(OutcomeUnknown):
                        await ask(new_order(), timeout_s=0.2)
                server.drop_clients()
            lines = await resolved(desk, tmp_path, 2)
        made = {each.order_id for each in server.exchange.accounts[server.account_id].all_orders.values()}
    assert [line["outcome"] for line in lines] == ["done", "done"]
    assert {line["order_id"] for line in lines} == made


@pytest.mark.anyio
async def test_an_event_on_record_tells_the_next_process_what_a_raw_order_came_to(tmp_path: Path) -> None:
    async with a_server() as server:
        async with a_desk_at(server, tmp_path) as desk:
            answer = await desk.account(DEMO).request(new_order())
            await desk.flush()
        path = tmp_path / "order_audit.jsonl"
        told = [line for line in path.read_bytes().splitlines(keepends=True) if b'"fact":"answered"' not in line]
        lines = [line for line in map(orjson.loads, told) if line["fact"] == "execution"]
        left = leftovers_of(cut(path, told), DEMO)
    assert {line.get("intent_id") for line in lines if line["order_id"] == answer.order.orderId} == {
        request.intent_id for request in left.requests
    }
    (request,) = left.requests
    assert left.past[server.account_id].provenance.order_of(request.intent_id) == answer.order.orderId


def cut(path: Path, lines: list[bytes]) -> Path:
    """A folder whose audit has only these lines."""
    folder = path.parent / "cut"
    folder.mkdir()
    (folder / path.name).write_bytes(b"".join(lines))
    return folder
