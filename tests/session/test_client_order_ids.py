"""A client order id names one order: no second one leaves with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from anyctrader.fake import FakeServer, faults
from anyctrader.session import (
    Desk,
    Environment,
    InvalidOrder,
    MarketOrder,
    Mode,
    NotSent,
    ServerError,
    Side,
)
from anyctrader.session.absences import Absences
from anyctrader.session.client_order_ids import ClientOrderIds
from anyctrader.session.doubts import Doubts
from anyctrader.session.inheritance import Inheritance
from anyctrader.session.leftovers import Leftover
from anyctrader.session.order_inputs import is_protective
from anyctrader.session.orders import OrderTable
from anyctrader.session.provenance import Provenance
from anyctrader.session.request_record import RequestRecord
from anyctrader.session.verdicts import Outcome
from anyctrader.wire import messages as oa

from .rig import EURUSD, LOT_CENTS, QUICK, a_desk, a_server, audit_of, heard
from .test_client import ready_again
from .test_doubts import a_desk_at, until_resolved
from .test_lost_events import Losing

pytestmark = pytest.mark.anyio
DEMO = Environment.DEMO
BUY = MarketOrder("EURUSD", Side.BUY, lots="0.01")
NEW = {"symbolId": EURUSD, "orderType": 1, "tradeSide": 1, "volume": LOT_CENTS}


async def raw(desk: Desk, client_order_id: str = "abc", **changes: Any) -> Any:
    request = oa.ProtoOANewOrderReq(**(NEW | changes))
    if client_order_id:
        request.clientOrderId = client_order_id
    return await desk.account(DEMO).request(request)


@contextmanager
def untold(server: FakeServer) -> Iterator[None]:
    """Orders are done and nothing is said of them, also when it is asked for."""
    lists = [faults.Deafness(name) for name in ("ProtoOAReconcileReq", "ProtoOAOrderListReq")]
    with ExitStack() as kept:
        for fault in (faults.Unanswering("ProtoOAExecutionEvent"), *lists):
            kept.enter_context(server.faults.inject(fault))
        yield


async def left_unanswered(server: FakeServer, ask: Any, *args: Any) -> None:
    """The server has it, and its caller is gone; nothing is said of it."""
    since = server.seen.total
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, *args)
        await server.wait_for("ProtoOANewOrderReq", since=since)
        tasks.cancel_scope.cancel()


async def test_while_a_raw_order_is_in_doubt_its_id_is_taken_and_then_it_is_that_orders(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        await desk.account(DEMO).symbol("EURUSD")
        with untold(server):
            await left_unanswered(server, raw, desk)
            await desk.flush()
            before = audit_of(tmp_path)
            with pytest.raises(NotSent, match="'abc': a ProtoOANewOrderReq with it was never answered, find out first"):
                await raw(desk)
            await desk.flush()
            assert audit_of(tmp_path) == before, "nothing is written"
        await ready_again(desk.session(DEMO), links=server.drop_clients)
        order = server.exchange.accounts[server.account_id]
        with pytest.raises(InvalidOrder, match=r"clientOrderId: 'abc' is refused: order 6000001 has it already; for"):
            await raw(desk)
        assert len(heard(server, oa.ProtoOANewOrderReq)) == len(order.positions) == 1


async def test_the_id_of_one_that_never_arrived_is_free_again(tmp_path: Path) -> None:
    async with a_desk(tmp_path, timings=replace(QUICK, absent_s=0.2)) as (server, desk):
        await desk.account(DEMO).symbol("EURUSD")
        with server.faults.inject(faults.Deafness("ProtoOANewOrderReq")):
            await left_unanswered(server, raw, desk)
        with pytest.raises(NotSent, match="find out first"):
            await raw(desk)
        await ready_again(desk.session(DEMO), links=server.drop_clients)
        await until_resolved(desk, tmp_path)
        await raw(desk)
        assert len(server.exchange.accounts[server.account_id].positions) == 1


async def test_an_order_of_the_desk_keeps_its_id_from_raw_ones_as_a_label_too_until_its_own_is_known(
    tmp_path: Path,
) -> None:
    async with a_desk(tmp_path) as (server, desk):
        await desk.account(DEMO).symbol("EURUSD")
        with untold(server):
            await left_unanswered(server, desk.place, DEMO, BUY)
            (order,) = desk.orders.values()
            for same in ({"client_order_id": order.client_order_id}, {"label": order.client_order_id}):
                with pytest.raises(NotSent, match=f"the outcome of order {order.client_order_id} is unknown"):
                    await raw(desk, **same)
        await ready_again(desk.session(DEMO), links=server.drop_clients)
        assert (await order.filled()).volume_cents == LOT_CENTS
        with pytest.raises(InvalidOrder, match=f"order {order.order_id} has it already"):
            await raw(desk, order.client_order_id)
        await raw(desk, label=order.client_order_id)  # by now it misleads nobody
        assert (len(order.fills), desk.mode(DEMO)) == (1, Mode.ON)
        assert len(heard(server, oa.ProtoOANewOrderReq)) == 2


async def test_one_that_is_answered_by_the_event_of_its_protection_only_keeps_its_id_after_a_restart_too(
    tmp_path: Path,
) -> None:
    refused = r"clientOrderId: 'abc' is refused: (order 6000001|a request of which the server named no order.*) has it"
    async with a_server() as server:
        async with a_desk_at(server, tmp_path) as desk:
            await desk.account(DEMO).symbol("EURUSD")
            with server.faults.inject(Losing((1, 2))):
                answer = await raw(desk, relativeStopLoss=1000)
            assert (is_protective(answer.order), answer.order.orderId) == (True, 6000002)
            with pytest.raises(InvalidOrder, match=refused):
                await raw(desk, relativeStopLoss=1000)
        of_record = Provenance()  # days later no list that is asked for at a start names the order
        for line in audit_of(tmp_path):
            of_record.follow(line)
        assert of_record.named("abc") == 0
        async with a_desk_at(server, tmp_path) as desk:
            with pytest.raises(InvalidOrder, match=refused):
                await raw(desk, relativeStopLoss=1000)
        assert len(heard(server, oa.ProtoOANewOrderReq)) == 1


async def test_of_two_with_one_id_at_the_same_time_one_leaves(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        await desk.account(DEMO).symbol("EURUSD")
        refused: list[Exception] = []

        async def attempt() -> None:
            try:
                await raw(desk)
            except NotSent as error:
                refused.append(error)

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(attempt)
        assert [str(error) for error in refused] == [
            "nothing left with clientOrderId 'abc': a request with it waits for its answer"
        ] * 2
        assert len(heard(server, oa.ProtoOANewOrderReq)) == 1


async def test_an_id_is_free_where_no_order_came_of_it_and_who_gives_none_is_not_asked(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk):
        await desk.account(DEMO).symbol("EURUSD")
        with server.faults.inject(faults.Blocked(oa.ProtoOANewOrderReq, retry_after_s=0)), pytest.raises(ServerError):
            await raw(desk)
        await desk.halt(DEMO, why="a break")
        with pytest.raises(Exception, match="a break"):
            await raw(desk)
        await desk.resume(DEMO)
        await raw(desk)
        for _ in range(2):
            await raw(desk, "")
        assert len(server.exchange.accounts[server.account_id].positions) == 3


async def test_ids_are_known_from_other_programs_and_from_the_audit_of_an_earlier_process(tmp_path: Path) -> None:
    async with a_server() as server:
        async with a_desk_at(server, tmp_path) as desk:
            placed = await desk.place(DEMO, BUY)
            await placed.filled()
            answer = await raw(desk, "raw")
            async with a_desk_at(server, tmp_path / "other") as other:
                theirs = await raw(other, "theirs", orderType=2, limitPrice=1.0)
            with pytest.raises(InvalidOrder, match=f"order {theirs.order.orderId} has it"):
                await raw(desk, "theirs")
            assert placed.position_id is not None
            for position_id in (placed.position_id, answer.position.positionId):
                await (await desk.close(DEMO, position_id)).filled()
        before = len(heard(server, oa.ProtoOANewOrderReq))
        async with a_desk_at(server, tmp_path) as desk:
            for taken, order_id in (
                (placed.client_order_id, placed.order_id),
                ("raw", answer.order.orderId),
                ("theirs", theirs.order.orderId),
            ):
                with pytest.raises(InvalidOrder, match=f"order {order_id} has it"):
                    await raw(desk, taken)
            assert len(heard(server, oa.ProtoOANewOrderReq)) == before
            await raw(desk, "another")


def test_an_id_is_the_first_orders_and_that_of_an_undecided_request_is_taken_too() -> None:
    known = Provenance()
    assert known.named("a") is None
    known.follow({"fact": "resolved", "outcome": "undecided", "client_order_id": "a", "intent_id": "1"})
    known.follow({"fact": "resolved", "outcome": "without_effect", "client_order_id": "b", "intent_id": "2"})
    known.follow({"fact": "intent", "client_order_id": "c"})
    assert [known.named(name) for name in "abc"] == [0, None, None]
    for order_id in (7, 8):
        known.follow({"fact": "execution", "order_id": order_id, "client_order_id": "a"})
        known.saw_rows([oa.ProtoOAOrder(orderId=order_id + 1, clientOrderId="d")])
    assert [known.named(name) for name in "ad"] == [7, 8]


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"position_id": 5}, 0),
        ({"order_id": 7, "position_id": 5}, 7),
        ({"error_code": "X", "order_id": 7}, 7),
        ({"error_code": "X", "position_id": 5}, 0),
        ({"error_code": "X"}, None),
    ],
)
def test_an_answer_takes_the_id_of_a_new_order_unless_it_is_a_refusal_that_names_nothing(
    said: dict[str, Any], named: int | None
) -> None:
    facts = {"message": "ProtoOANewOrderReq", "client_order_id": "abc", "intent_id": "1", **said}
    now, later = Provenance(), Provenance()
    now.answered(facts)
    later.follow({"fact": "answered", **facts})
    assert now.named("abc") == later.named("abc") == named
    now.saw_rows([oa.ProtoOAOrder(orderId=7, clientOrderId="abc")])
    assert now.named("abc") == 7, "once it is known, it is told"


def test_one_in_doubt_that_the_event_of_its_protection_answers_late_keeps_its_id() -> None:
    provenance, later = Provenance(), Provenance()
    doubts = Doubts(Absences(looks=3, over_s=30), provenance)
    request = oa.ProtoOANewOrderReq(**NEW, clientOrderId="abc", relativeStopLoss=1000)
    record = RequestRecord(intent_id="1", name="ProtoOANewOrderReq", payload=request, intent_at_ms=1)
    record.sent(1, "7")
    doubts.add(record)
    event = oa.ProtoOAExecutionEvent(executionType=oa.ProtoOAExecutionType.ORDER_ACCEPTED)
    event.order.orderId, event.order.orderType = 2, oa.ProtoOAOrderType.STOP_LOSS_TAKE_PROFIT
    settled = doubts.heard(event, "7")
    assert settled is not None
    assert (settled[1].outcome, settled[1].order_id, list(doubts)) == (Outcome.DONE, None, [])
    later.follow({"fact": "resolved", "outcome": settled[1].outcome.value, **record.ids})
    assert provenance.named("abc") == later.named("abc") == 0


def test_an_order_that_is_yet_to_be_taken_over_has_its_id_and_one_with_a_secret_is_known_by_its_record() -> None:
    def mask(text: str) -> str:
        return text.replace("secret", "***")

    provenance = Provenance()
    account: Any = None
    left: Any = Leftover(
        intent=replace(BUY),
        environment=DEMO,
        account_id=1,
        client_order_id="ours",
        symbol="EURUSD",
        side=Side.BUY,
        volume_cents=LOT_CENTS,
        intent_at_ms=1,
        sent_at_ms=None,
        order_id=None,
        quoted_price=None,
    )
    ids = ClientOrderIds(
        orders=OrderTable(provenance),
        doubts=Doubts(Absences(looks=3, over_s=30), provenance),
        inheritance=Inheritance([left], account=account, warn=print),
        provenance=provenance,
        mask=mask,
    )
    provenance.names("my ***", 7)
    provenance.names("undecided", 0)

    def claim(client_order_id: str) -> None:
        with ids.claimed(oa.ProtoOANewOrderReq(**NEW, clientOrderId=client_order_id)):
            pass

    with pytest.raises(NotSent, match="an order of an earlier process has it"):
        claim("ours")
    with pytest.raises(InvalidOrder, match=r"clientOrderId: 'my \*\*\*' is refused: order 7 has it"):
        claim("my secret")
    with pytest.raises(InvalidOrder, match="nobody could tell the outcome"):
        claim("undecided")
    claim("mine")
    claim("mine")
