"""Pending orders that were changed while no process, or no link, was there: told, and on record."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from anyctrader.session import Environment, LimitOrder, OrderAmendment, Side, StopOrder
from anyctrader.session.holdings import PendingOrder
from anyctrader.session.past import positions_before
from anyctrader.session.past_orders import PastOrders
from anyctrader.wire import messages as oa

from .rig import LOT_CENTS, a_desk, a_server, audit_of, by_name, ready_again
from .test_books import somebody_else
from .test_past import a_desk_at, market, told

pytestmark = pytest.mark.anyio

DEMO = Environment.DEMO
LOW = LimitOrder("EURUSD", Side.BUY, lots="0.01", price="1.0", stop_loss_pips=20)
HIGH = StopOrder("EURUSD", Side.BUY, lots="0.01", stop_price="1.3")


def reasons(folder: Path) -> list[str]:
    return [line["reason"] for line in by_name(audit_of(folder), "fact", "difference")]


async def test_what_became_of_pending_orders_while_no_process_was_there_is_told(tmp_path: Path) -> None:
    async with a_server() as server:
        market(server, 120_000)
        async with a_desk_at(server, tmp_path / "a") as desk:
            orders = [await desk.place(DEMO, each) for each in (LOW, LOW, HIGH, LOW)]
            amended, cancelled, filled, _ = [order.order_id for order in orders]
            assert amended is not None
            assert cancelled is not None
        async with a_desk_at(server, tmp_path / "b") as desk:
            await desk.amend(DEMO, OrderAmendment(amended, price="1.1"))
            await desk.cancel(DEMO, cancelled)
            new = await desk.place(DEMO, replace(LOW, price="0.9"))
            market(server, 131_000)
            await desk.flush()
        for _ in range(2):  # and once only
            async with a_desk_at(server, tmp_path / "a"):
                pass
    assert [reason for reason in reasons(tmp_path / "a") if reason.startswith("order")] == [
        f"order {amended}, limit_price: the book had 1, the server has 1.1",
        f"order {new.order_id}, existence: the book had nothing, the server has BUY {LOT_CENTS} of symbol 1 at 0.9",
        f"order {cancelled}, existence: the book had BUY {LOT_CENTS} of symbol 1 at 1, the server has nothing",
        f"order {filled}, existence: the book had BUY {LOT_CENTS} of symbol 1 at 1.3, the server has nothing",
    ]
    assert len(told(tmp_path / "a", "difference")) == len(reasons(tmp_path / "a"))


async def test_after_a_crash_the_events_since_the_last_snapshot_tell_what_there_was(tmp_path: Path) -> None:
    async with a_server() as server:
        market(server, 120_000)
        async with a_desk_at(server, tmp_path) as desk:
            orders = [await desk.place(DEMO, each) for each in (LOW, HIGH, LOW)]
            amended, cancelled, kept = [order.order_id for order in orders]
            assert amended is not None
            assert cancelled is not None
            await desk.amend(DEMO, OrderAmendment(amended, price="1.05"))
            await desk.cancel(DEMO, cancelled)
            await desk.flush()
            for name in ("same", "changed"):
                shutil.copytree(tmp_path, tmp_path / name, ignore=shutil.ignore_patterns("same"))
        async with a_desk_at(server, tmp_path / "same") as desk:
            assert {order.id for order in desk.pending_orders(DEMO)} == {amended, kept}
            await desk.amend(DEMO, OrderAmendment(amended, price="1.06"))
        async with a_desk_at(server, tmp_path / "changed"):
            pass
    assert reasons(tmp_path / "same") == []
    assert reasons(tmp_path / "changed") == [f"order {amended}, limit_price: the book had 1.05, the server has 1.06"]


async def test_what_became_of_others_pending_orders_while_the_link_was_away_is_told(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as (server, desk), somebody_else(server, tmp_path) as account:
        market(server, 120_000)
        kind = oa.ProtoOAOrderType
        for asked in (
            oa.ProtoOANewOrderReq(symbolId=1, orderType=kind.LIMIT, tradeSide=1, volume=LOT_CENTS, limitPrice=1.0),
            oa.ProtoOANewOrderReq(symbolId=1, orderType=kind.STOP, tradeSide=1, volume=LOT_CENTS, stopPrice=1.3),
        ):
            await account.request(asked)
        await desk.session(DEMO).request(oa.ProtoOAVersionReq())
        kept, filled = [order.id for order in desk.pending_orders(DEMO)]

        def away() -> None:
            server.drop_clients()
            market(server, 131_000)

        await ready_again(desk.session(DEMO), links=away)
        await desk.flush()
        assert [order.id for order in desk.pending_orders(DEMO)] == [kept]
    assert f"order {filled}, existence: the book had BUY {LOT_CENTS} of symbol 1 at 1.3, the server has nothing" in (
        reasons(tmp_path)
    )


def pending(id_: int = 5, **changes: Any) -> PendingOrder:
    given: dict[str, Any] = {"position_id": 7, "symbol_id": 1, "side": Side.BUY, "type": 2, "status": 1}
    return PendingOrder(id=id_, **(given | {"volume_cents": 100, "expires_at_ms": 9} | changes))


def line_of(order: PendingOrder) -> dict[str, Any]:
    said = order.described()
    return {"order_id": said.pop("id"), **said}


def event(execution: str, order_type: str = "LIMIT", **told: Any) -> dict[str, Any]:
    return {"execution": execution, "order_id": 5, "order_type": order_type, "volume_cents": 100} | told


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], []),
        ([event("ORDER_REPLACED", expires_at_ms=9, executed_volume_cents=0)], []),
        ([event("ORDER_REPLACED", executed_volume_cents=0)], ["expires_at_ms"]),
        ([event("ORDER_CANCEL_REJECTED", volume_cents=1)], []),
        ([event("ORDER_EXPIRED")], ["existence"]),
        ([event("ORDER_PARTIAL_FILL", expires_at_ms=9, executed_volume_cents=50)], ["executed_volume_cents"]),
        ([event("ORDER_ACCEPTED", "MARKET", order_id=6), {"execution": "ORDER_ACCEPTED"}], []),
    ],
)
def test_events_move_what_the_snapshot_told(events: list[dict[str, Any]], expected: list[str]) -> None:
    past = PastOrders([line_of(pending())])
    for each in events:
        past.move(each)
    assert [difference.field for difference in past.differences([pending()])] == expected


def test_what_protects_or_closes_was_not_believed_and_is_no_difference() -> None:
    past = PastOrders([])
    others = [pending(6, type=oa.ProtoOAOrderType.STOP_LOSS_TAKE_PROFIT), pending(7, closing=True), pending(8, type=1)]
    assert past.differences(others) == []


def test_a_snapshot_that_a_crash_cut_short_does_not_count(tmp_path: Path) -> None:
    def line(fact: str, **said: Any) -> bytes:
        head = {"at": f"2026-11-22T10:00:0{said.pop('s')}.000Z", "environment": "demo", "fact": fact, "account_id": 1}
        return orjson.dumps(head | said) + b"\n"

    position = {"id": 3, "side": "BUY", "volume_cents": 100}
    whole = [
        line("position", s=1, open_positions=1, pending_orders=1),
        line("position", s=1, **position),
        line("order", s=1, **line_of(pending())),
    ]
    short = [line("position", s=2, open_positions=1, pending_orders=2), *whole[1:]]
    path = tmp_path / "position_snapshot.jsonl"
    path.write_bytes(b"".join(whole + short))
    past = positions_before(tmp_path, DEMO, 1)
    assert past.positions is not None
    assert set(past.positions) == {3}
    assert past.orders is not None
    past.follow({"fact": "execution", "at": "2026-11-22T10:00:01.500Z", **event("ORDER_EXPIRED")})
    assert [each.field for each in past.orders.differences([])] == []
    path.write_bytes(b"".join(short))
    assert positions_before(tmp_path, DEMO, 1).positions is None
